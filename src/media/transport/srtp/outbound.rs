//! What we send.

use super::cipher::{Cipher, Unfit, Use};
use super::suite::{MasterKey, Suite};
use super::{ENCRYPTED, RTCP_HEADER_BYTES, RTCP_INDEX_BYTES, Refusal, Stream, Streams, note, rtcp_ssrc, rtp_front};
use std::fmt;

/// Protects packets under one master key.
pub struct Outbound {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
}

impl Outbound {
    /// None where a key can't be made of `master`.
    pub fn new(master: &MasterKey) -> Option<Outbound> {
        let (rtp, rtcp) = (Cipher::new(master, Use::Rtp).ok()?, Cipher::new(master, Use::Rtcp).ok()?);
        Some(Outbound { suite: master.suite(), rtp, rtcp, streams: Streams::default() })
    }

    /// The same streams under another key, as some peers have it.
    #[cfg(test)]
    pub fn rekeyed(&self, master: &MasterKey) -> Option<Outbound> {
        Some(Outbound { streams: self.streams.clone(), ..Outbound::new(master)? })
    }

    #[cfg(test)]
    pub(super) fn streams_for_test(&self) -> usize {
        self.streams.0.len()
    }

    #[cfg(test)]
    pub(super) fn with_ciphers(suite: Suite, rtp: Cipher, rtcp: Cipher) -> Outbound {
        Outbound { suite, rtp, rtcp, streams: Streams::default() }
    }

    #[cfg(test)]
    pub(super) fn set_rtcp_index(&mut self, ssrc: u32, last: u64) {
        self.streams.keep(Stream { rtcp: Some(super::index::Indices::begin(last)), ..Stream::new(ssrc) });
    }

    /// Protects the packet of `length` bytes at the front of `room`, and tells its new length (RFC 3711 §3.3). A packet that was
    /// sent already isn't protected again, since two texts under one key stream give each other away.
    pub fn protect_rtp(&mut self, room: &mut [u8], length: usize) -> Result<usize, Refusal> {
        let whole = length + self.suite.rtp_overhead();
        let room = room.get_mut(..whole).ok_or(Refusal::Malformed)?;
        let (packet, tag) = room.split_at_mut_checked(length).ok_or(Refusal::Malformed)?;
        let (sequence, ssrc, payload) = rtp_front(packet)?;
        let mut stream = self.streams.find(ssrc).unwrap_or_else(|| Stream::new(ssrc));
        let index = match &stream.rtp {
            Some(indices) => indices.guess(sequence).ok_or(Refusal::Exhausted)?,
            None => u64::from(sequence),
        };
        if stream.rtp.is_some_and(|indices| !indices.is_new(index)) {
            return Err(Refusal::Replayed);
        }
        match &self.rtp {
            Cipher::Counter(cipher) => {
                let text = packet.get_mut(payload..).ok_or(Refusal::Malformed)?;
                cipher.apply(ssrc, index, text);
                cipher.sign([packet, &rollovers(index)], tag);
            }
            Cipher::Gcm(cipher) => {
                let (header, text) = packet.split_at_mut_checked(payload).ok_or(Refusal::Malformed)?;
                cipher.seal(ssrc, index, header, text, tag).map_err(|Unfit| Refusal::Malformed)?;
            }
        }
        note(&mut stream.rtp, index);
        self.streams.keep(stream);
        Ok(whole)
    }

    /// The same for a compound RTCP packet (RFC 3711 §3.4), whose index is ours to count.
    pub fn protect_rtcp(&mut self, room: &mut [u8], length: usize) -> Result<usize, Refusal> {
        let whole = length + self.suite.rtcp_overhead();
        let room = room.get_mut(..whole).ok_or(Refusal::Malformed)?;
        let (packet, trailer) = room.split_at_mut_checked(length).ok_or(Refusal::Malformed)?;
        let ssrc = rtcp_ssrc(packet)?;
        let mut stream = self.streams.find(ssrc).unwrap_or_else(|| Stream::new(ssrc));
        let index = stream.rtcp.map_or(0, |indices| indices.highest() + 1);
        let word = u32::try_from(index).ok().filter(|index| index & ENCRYPTED == 0).ok_or(Refusal::Exhausted)?;
        let word = (ENCRYPTED | word).to_be_bytes();
        let (header, text) = packet.split_at_mut_checked(RTCP_HEADER_BYTES).ok_or(Refusal::Malformed)?;
        match &self.rtcp {
            Cipher::Counter(cipher) => {
                cipher.apply(ssrc, index, text);
                let (place, tag) = trailer.split_at_mut_checked(RTCP_INDEX_BYTES).ok_or(Refusal::Malformed)?;
                place.copy_from_slice(&word);
                cipher.sign([packet, &word], tag);
            }
            // The tag stands before the word here (RFC 7714 §9).
            Cipher::Gcm(cipher) => {
                let (tag, place) = trailer.split_at_mut_checked(self.suite.rtcp_tag()).ok_or(Refusal::Malformed)?;
                place.copy_from_slice(&word);
                cipher.seal(ssrc, index, &aad(header, word), text, tag).map_err(|Unfit| Refusal::Malformed)?;
            }
        }
        note(&mut stream.rtcp, index);
        self.streams.keep(stream);
        Ok(whole)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("suite", &self.suite).field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// What is authenticated beside the packet itself (RFC 3711 §4.2).
pub(super) fn rollovers(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// The header of an RTCP packet and its word (RFC 7714 §9.2).
pub(super) fn aad(header: &[u8], word: [u8; 4]) -> [u8; RTCP_HEADER_BYTES + RTCP_INDEX_BYTES] {
    let mut aad = [0; RTCP_HEADER_BYTES + RTCP_INDEX_BYTES];
    for (to, &from) in aad.iter_mut().zip(header.iter().chain(&word)) {
        *to = from;
    }
    aad
}
