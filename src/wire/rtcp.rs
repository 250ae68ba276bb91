//! RTCP (RFC 3550 §6): sender and receiver reports, source descriptions and goodbyes; extended reports have a room of their
//! own. The reports of `rtcp-types` are the views that read; what is written goes straight into the packet's buffer, since its
//! builders allocate.

pub mod xr;

use rtcp_types::prelude::*;
use rtcp_types::{Bye, ReceiverReport, ReportBlock, SenderReport};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

/// How many packets of one compound are looked at.
const COMPOUND_LIMIT: usize = 16;

/// A point on the wall clock as NTP writes it: seconds since 1900 in the upper half (RFC 3550 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ntp(pub u64);

impl Ntp {
    /// From microseconds since 1970.
    pub fn from_unix_micros(micros: i64) -> Ntp {
        const SECONDS_1900_TO_1970: u64 = 2_208_988_800;
        let micros = u64::try_from(micros).unwrap_or(0);
        let seconds = (micros / 1_000_000).wrapping_add(SECONDS_1900_TO_1970) & 0xffff_ffff;
        let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
        Ntp(seconds << 32 | fraction)
    }

    /// The middle 32 bits: seconds since some start in units of 1/65,536.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a sender report says of its sender (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub ntp: Ntp,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a report says of one source that its writer hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub ssrc: u32,
    /// Of the packets since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Since the beginning; below zero where duplicates outnumber losses. 24 bits on the wire.
    pub cumulative_lost: i32,
    pub highest_sequence: u32,
    /// In units of the source's RTP clock.
    pub jitter: u32,
    /// The middle of the NTP time of the last sender report heard; 0 for none.
    pub last_report: u32,
    /// Since that report came, in 1/65,536 s.
    pub delay: u32,
}

/// One thing that a compound packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Sender { ssrc: u32, sender: Sender },
    Block { from: u32, block: Block },
    Goodbye { ssrc: u32 },
    Extended { from: u32, block: xr::Block },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What a receiver asks of a sender (RFC 4585 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    pub kind: FeedbackKind,
    pub format: u8,
    /// The stream that it is about; 0 where that is said inside.
    pub media: u32,
    pub control: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackKind {
    Transport,
    Payload,
}

/// The feedback of a compound packet, as far as that can be read.
pub fn feedback(bytes: &[u8]) -> impl Iterator<Item = Feedback<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let &[first, kind, l0, l1] = rest.first_chunk()?;
        let length = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let (packet, after) = rest.split_at_checked(length)?;
        rest = after;
        Some((first, kind, packet))
    })
    .take(COMPOUND_LIMIT)
    .filter_map(|(first, kind, packet)| {
        let kind = match kind {
            TRANSPORT_FEEDBACK => FeedbackKind::Transport,
            PAYLOAD_FEEDBACK => FeedbackKind::Payload,
            _ => return None,
        };
        // What is padded hides its length.
        let (head, control) = packet.split_first_chunk::<12>().filter(|_| first & 0x20 == 0)?;
        let &[.., m0, m1, m2, m3] = head;
        Some(Feedback { kind, format: first & 0x1f, media: u32::from_be_bytes([m0, m1, m2, m3]), control })
    })
}

/// Whether a compound packet has any feedback.
pub fn has_feedback(bytes: &[u8]) -> bool {
    feedback(bytes).next().is_some()
}

/// Writes one packet of feedback after the first `at` bytes of `room`, with what it says inside written by `control`, which
/// answers its length in bytes, or none to leave the packet out. Answers where the packet ends.
pub fn write_feedback(
    room: &mut [u8],
    at: usize,
    from: u32,
    feedback: &Feedback<'_>,
    control: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<usize> {
    let kind = match feedback.kind {
        FeedbackKind::Transport => TRANSPORT_FEEDBACK,
        FeedbackKind::Payload => PAYLOAD_FEEDBACK,
    };
    let (head, body) = room.get_mut(at..)?.split_first_chunk_mut::<12>()?;
    let length = control(body).filter(|length| length % 4 == 0)?;
    let [l0, l1] = u16::try_from(2 + length / 4).ok()?.to_be_bytes();
    let ([f0, f1, f2, f3], [m0, m1, m2, m3]) = (from.to_be_bytes(), feedback.media.to_be_bytes());
    *head = [0x80 | feedback.format & 0x1f, kind, l0, l1, f0, f1, f2, f3, m0, m1, m2, m3];
    Some(at + 12 + length)
}

/// Reads a compound packet, telling each item; unknown packet types are passed over. A lone report without a source
/// description is taken too (RFC 5506).
pub fn read(bytes: &[u8], mut each: impl FnMut(Item)) -> Result<(), Malformed> {
    let mut rest = bytes;
    for _ in 0..COMPOUND_LIMIT {
        let &[first, kind, l0, l1] = rest.first_chunk().ok_or(Malformed)?;
        let length = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let (packet, after) = rest.split_at_checked(length).ok_or(Malformed)?;
        if first >> 6 != 2 {
            return Err(Malformed);
        }
        read_packet(kind, packet, &mut each)?;
        rest = after;
        if rest.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

fn read_packet(kind: u8, packet: &[u8], each: &mut impl FnMut(Item)) -> Result<(), Malformed> {
    match kind {
        SENDER_REPORT => {
            let report = SenderReport::parse(packet).map_err(|_| Malformed)?;
            let sender = Sender {
                ntp: Ntp(report.ntp_timestamp()),
                rtp_timestamp: report.rtp_timestamp(),
                packets: report.packet_count(),
                octets: report.octet_count(),
            };
            each(Item::Sender { ssrc: report.ssrc(), sender });
            report
                .report_blocks()
                .for_each(|block| each(Item::Block { from: report.ssrc(), block: Block::read(&block) }));
        }
        RECEIVER_REPORT => {
            let report = ReceiverReport::parse(packet).map_err(|_| Malformed)?;
            report
                .report_blocks()
                .for_each(|block| each(Item::Block { from: report.ssrc(), block: Block::read(&block) }));
        }
        GOODBYE => {
            let goodbye = Bye::parse(packet).map_err(|_| Malformed)?;
            goodbye.ssrcs().for_each(|ssrc| each(Item::Goodbye { ssrc }));
        }
        xr::EXTENDED_REPORT => xr::read(packet, |from, block| each(Item::Extended { from, block }))?,
        _ => {}
    }
    Ok(())
}

impl Block {
    fn read(view: &ReportBlock<'_>) -> Block {
        Block {
            ssrc: view.ssrc(),
            fraction_lost: view.fraction_lost(),
            // The sign is bit 23.
            cumulative_lost: ((view.cumulative_lost() << 8) as i32) >> 8,
            highest_sequence: view.extended_sequence_number(),
            jitter: view.interarrival_jitter(),
            last_report: view.last_sender_report_timestamp(),
            delay: view.delay_since_last_sender_report_timestamp(),
        }
    }

    fn bytes(self) -> [u8; 24] {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        let mut bytes = [0; 24];
        for (room, word) in bytes.as_chunks_mut().0.iter_mut().zip([
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_report,
            self.delay,
        ]) {
            *room = u32::to_be_bytes(word);
        }
        bytes
    }
}

/// Writes a compound packet of ours (RFC 3550 §6.1): a sender report where `sender` is given and a receiver report
/// otherwise, a source description with its canonical name, and at the end of a stream a goodbye. Answers its length;
/// none where `room` is too small.
pub fn write(
    room: &mut [u8],
    ssrc: u32,
    sender: Option<Sender>,
    block: Option<Block>,
    cname: &str,
    goodbye: bool,
) -> Option<usize> {
    let mut out = Writer { room, at: 0 };
    let blocks = u8::from(block.is_some());
    let words = 1 + if sender.is_some() { 5 } else { 0 } + 6 * u16::from(blocks);
    out.header(blocks, if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT }, words)?;
    out.word(ssrc)?;
    if let Some(sender) = sender {
        out.put(&sender.ntp.0.to_be_bytes())?;
        out.word(sender.rtp_timestamp)?;
        out.word(sender.packets)?;
        out.word(sender.octets)?;
    }
    if let Some(block) = block {
        out.put(&block.bytes())?;
    }
    out.description(ssrc, cname)?;
    let end = out.at;
    if goodbye { write_goodbye(room, end, ssrc) } else { Some(end) }
}

/// Writes a goodbye after the first `at` bytes of `room`, and answers where it ends. Nothing follows it (RFC 3550 §6.1).
pub fn write_goodbye(room: &mut [u8], at: usize, ssrc: u32) -> Option<usize> {
    let mut out = Writer { room, at };
    out.header(1, GOODBYE, 1)?;
    out.word(ssrc)?;
    Some(out.at)
}

struct Writer<'a> {
    room: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at + bytes.len();
        self.room.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }

    fn word(&mut self, word: u32) -> Option<()> {
        self.put(&word.to_be_bytes())
    }

    /// `words` counts what follows the header.
    fn header(&mut self, count: u8, kind: u8, words: u16) -> Option<()> {
        let [l0, l1] = words.to_be_bytes();
        self.put(&[0x80 | count & 0x1f, kind, l0, l1])
    }

    /// One chunk with a CNAME, closed by one to four zeros (RFC 3550 §6.5).
    fn description(&mut self, ssrc: u32, cname: &str) -> Option<()> {
        let name = &cname.as_bytes()[..cname.len().min(255)];
        let item = 2 + name.len();
        let zeros = 4 - item % 4;
        self.header(1, SOURCE_DESCRIPTION, u16::try_from(1 + (item + zeros) / 4).ok()?)?;
        self.word(ssrc)?;
        self.put(&[1, u8::try_from(name.len()).ok()?])?;
        self.put(name)?;
        self.put(&[0; 4][..zeros])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rtcp_types::{Compound, Packet};

    const SENDER: Sender = Sender { ntp: Ntp(0x0102_0304_0506_0708), rtp_timestamp: 9, packets: 10, octets: 11 };
    const BLOCK: Block = Block {
        ssrc: 77,
        fraction_lost: 3,
        cumulative_lost: -2,
        highest_sequence: 0x1_0005,
        jitter: 40,
        last_report: 0x0304_0506,
        delay: 65_536,
    };

    #[test]
    fn rtcp_types_reads_what_is_written() {
        for length in 0..20 {
            let cname = &"abcdefghijklmnopqrstuvwxyz"[..length];
            let mut room = [0xffu8; 200];
            let used = write(&mut room, 42, Some(SENDER), Some(BLOCK), cname, true).unwrap();
            let packets: Vec<_> = Compound::parse(&room[..used]).unwrap().map(|packet| packet.unwrap()).collect();
            assert_eq!(packets.len(), 3);
            let Packet::Sr(report) = &packets[0] else { panic!("{packets:?}") };
            assert_eq!((report.ssrc(), report.ntp_timestamp(), report.octet_count()), (42, SENDER.ntp.0, 11));
            assert_eq!(report.report_blocks().next().map(|block| Block::read(&block)), Some(BLOCK));
            let Packet::Sdes(description) = &packets[1] else { panic!("{packets:?}") };
            let chunk = description.chunks().next().unwrap();
            assert_eq!(chunk.ssrc(), 42);
            assert_eq!(chunk.items().next().unwrap().value(), cname.as_bytes());
            let Packet::Bye(goodbye) = &packets[2] else { panic!("{packets:?}") };
            assert_eq!(goodbye.ssrcs().collect::<Vec<_>>(), [42]);
        }
    }

    #[test]
    fn reports_are_read_back() {
        let mut room = [0u8; 200];
        let used = write(&mut room, 42, None, Some(BLOCK), "x", false).unwrap();
        let mut items = Vec::new();
        read(&room[..used], |item| items.push(item)).unwrap();
        assert_eq!(items, [Item::Block { from: 42, block: BLOCK }]);
        let used = write(&mut room, 42, Some(SENDER), None, "x", true).unwrap();
        items.clear();
        read(&room[..used], |item| items.push(item)).unwrap();
        assert_eq!(items, [Item::Sender { ssrc: 42, sender: SENDER }, Item::Goodbye { ssrc: 42 }]);
    }

    #[test]
    fn too_little_room_writes_nothing() {
        let mut room = [0u8; 40];
        assert_eq!(write(&mut room, 42, Some(SENDER), Some(BLOCK), "x", false), None);
    }

    #[test]
    fn ntp_counts_from_1900() {
        let ntp = Ntp::from_unix_micros(1_500_000);
        assert_eq!(ntp.0 >> 32, 2_208_988_801);
        assert_eq!(ntp.0 & 0xffff_ffff, 1 << 31);
        assert_eq!(ntp.middle() & 0xffff, 1 << 15);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(
            first in 0x80u8..0xc0, kind in 198u8..209, words in 0u16..10, rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = vec![first, kind];
            bytes.extend(words.to_be_bytes());
            bytes.extend(rest);
            let _ = read(&bytes, |_| {});
        }
    }
}
