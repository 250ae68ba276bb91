//! SRTP and SRTCP (RFC 3711) with the suites of RFC 4568, RFC 6188 and RFC 7714. Packets are protected and opened in place,
//! and nothing is allocated on their way.
//!
//! A key knows the streams that were seen under it by their SSRC, each with its roll-overs and the packets that have been
//! there. A new key of the peer's takes them over (§3.3.1: the roll-over counter is never set back by it); what we send under
//! a new key is a new stream.

mod cipher;
mod inbound;
mod index;
mod outbound;
mod suite;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use inbound::Inbound;
pub use outbound::Outbound;
pub use suite::{MasterKey, Suite};

use crate::wire::rtp;
use index::Indices;
use smallvec::SmallVec;

/// Streams that one key serves each way; when there are more, the one that rested longest goes.
const STREAMS: usize = 16;
/// The SSRC stands there in RTCP, and is not encrypted (RFC 3711 §3.4).
const RTCP_HEADER_BYTES: usize = 8;
/// The word behind an RTCP packet: whether it is encrypted, and its index.
const RTCP_INDEX_BYTES: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// Why a packet isn't let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No RTP or RTCP, or too short to be protected, or no room for the tag.
    Malformed,
    /// The tag doesn't fit: changed on its way, made up, or under another key.
    Unauthentic,
    /// Seen before, or too old to know.
    Replayed,
    /// RTCP that is authentic but not encrypted, which nobody agreed to.
    Plain,
    /// The key has served for as many packets as it may (RFC 3711 §9.2).
    Exhausted,
}

/// What is remembered of a stream.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    rtp: Option<Indices>,
    rtcp: Option<Indices>,
    doubt: Doubt,
}

/// Why the roll-overs of an RTP stream may be others than they seem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doubt {
    Nothing,
    /// Nothing came for a while, in which the sequence number may have gone round.
    Paused,
    /// The key is new, and some peers begin to count anew then.
    Rekeyed,
}

/// Streams, the one that was used last in front.
#[derive(Clone, Debug, Default)]
struct Streams(SmallVec<[Stream; 2]>);

impl Streams {
    fn find(&self, ssrc: u32) -> Option<Stream> {
        self.0.iter().find(|stream| stream.ssrc == ssrc).copied()
    }

    fn keep(&mut self, stream: Stream) {
        match self.0.iter().position(|known| known.ssrc == stream.ssrc) {
            Some(0) => {}
            Some(place) => self.0[..=place].rotate_right(1),
            None if self.0.len() < STREAMS => {
                self.0.insert(0, stream);
            }
            None => self.0.rotate_right(1),
        }
        if let Some(first) = self.0.first_mut() {
            *first = stream;
        }
    }
}

impl Stream {
    fn new(ssrc: u32) -> Stream {
        Stream { ssrc, rtp: None, rtcp: None, doubt: Doubt::Nothing }
    }

    /// The indices that a packet may have, the likeliest first; none that this key has seen.
    fn candidates(&self, sequence: u16) -> [Option<u64>; 3] {
        let anew = Some(u64::from(sequence));
        // The first packets of a stream may have been lost, and the end of the numbers with them.
        let wrapped = Some(1 << 16 | u64::from(sequence)).filter(|_| sequence < 0x8000);
        let Some(indices) = self.rtp else { return [anew, wrapped, None] };
        let guess = indices.guess(sequence);
        let next = Some((indices.rollovers() + 1) << 16 | u64::from(sequence));
        match self.doubt {
            Doubt::Nothing => [guess.filter(|&index| indices.is_new(index)), None, None],
            Doubt::Paused => [guess.filter(|&index| indices.is_new(index)), next, None],
            Doubt::Rekeyed => [guess, next, anew],
        }
    }

    /// Notes a packet that was authentic.
    fn heard(&mut self, index: u64) {
        match self.doubt {
            Doubt::Rekeyed if self.rtp.is_some_and(|indices| index < indices.highest()) => {
                self.rtp = Some(Indices::begin(index));
            }
            _ => note(&mut self.rtp, index),
        }
        self.doubt = Doubt::Nothing;
    }
}

fn note(indices: &mut Option<Indices>, index: u64) {
    match indices {
        Some(indices) => indices.note(index),
        None => *indices = Some(Indices::begin(index)),
    }
}

/// What is readable of an RTP packet: its sequence number, its SSRC, and where its payload begins.
fn rtp_front(packet: &[u8]) -> Result<(u16, u32, usize), Refusal> {
    let payload = rtp::payload_start(packet).map_err(|_| Refusal::Malformed)?;
    let &[_, _, s0, s1, _, _, _, _, c0, c1, c2, c3] =
        packet.first_chunk::<{ rtp::HEADER_BYTES }>().ok_or(Refusal::Malformed)?;
    Ok((u16::from_be_bytes([s0, s1]), u32::from_be_bytes([c0, c1, c2, c3]), payload))
}

fn rtcp_ssrc(packet: &[u8]) -> Result<u32, Refusal> {
    match packet.first_chunk::<RTCP_HEADER_BYTES>() {
        Some(&[first, _, _, _, c0, c1, c2, c3]) if first >> 6 == 2 => Ok(u32::from_be_bytes([c0, c1, c2, c3])),
        _ => Err(Refusal::Malformed),
    }
}
