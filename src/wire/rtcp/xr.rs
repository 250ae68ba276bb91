//! Extended reports (RTCP XR, RFC 3611): how a telephone call sounds where it is heard, and the round trip of those who
//! only listen. Other blocks are passed over.

use super::{Malformed, Ntp, Writer};

pub const EXTENDED_REPORT: u8 = 207;

const REFERENCE_TIME: u8 = 4;
const DELAY: u8 = 5;
const VOIP_METRICS: u8 = 7;

/// How many blocks of one report are looked at.
const BLOCK_LIMIT: usize = 32;

/// What stands for a figure that isn't known (RFC 3611 §4.7.4, §4.7.5).
const UNKNOWN: u8 = 127;

/// One block of an extended report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// When the report was written (§4.4), so that whoever sends nothing learns the round trip too.
    ReferenceTime(Ntp),
    Delay(Delay),
    Voip(VoipMetrics),
}

/// The answer to a reference time (§4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// To whom it is said.
    pub ssrc: u32,
    /// The middle of the NTP time that they wrote last; 0 for none.
    pub last: u32,
    /// Since that came, in 1/65,536 s.
    pub delay: u32,
}

/// How a stream sounds where it is heard (§4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct VoipMetrics {
    /// The stream.
    pub ssrc: u32,
    /// Of all packets since the beginning, in 1/256: those that never came, and those that came too late to be played.
    pub loss: u8,
    pub discard: u8,
    /// Of the packets in bursts and of those in gaps, in 1/256: how many were lost or discarded.
    pub burst_density: u8,
    pub gap_density: u8,
    /// Means.
    pub burst_ms: u16,
    pub gap_ms: u16,
    pub round_trip_ms: u16,
    /// What its writer's own buffers add.
    pub end_system_ms: u16,
    /// The rating factor R, 0 to 100 (ITU-T G.107).
    pub r_factor: Option<u8>,
    /// In tenths, 10 to 50: of listening, and of a conversation, which delay spoils.
    pub mos_listening: Option<u8>,
    pub mos_conversation: Option<u8>,
}

/// Tells the blocks of one packet, whose header says that it is an extended report, and the SSRC of its writer.
pub(super) fn read(packet: &[u8], mut each: impl FnMut(u32, Block)) -> Result<(), Malformed> {
    let (head, mut rest) = packet.split_first_chunk::<8>().ok_or(Malformed)?;
    let &[first, _, _, _, s0, s1, s2, s3] = head;
    if first & 0x20 != 0 {
        // What is padded says in its last byte by how much.
        let padding = usize::from(*rest.last().ok_or(Malformed)?);
        rest = rest.get(..rest.len().checked_sub(padding).ok_or(Malformed)?).ok_or(Malformed)?;
    }
    let from = u32::from_be_bytes([s0, s1, s2, s3]);
    for _ in 0..BLOCK_LIMIT {
        if rest.is_empty() {
            return Ok(());
        }
        let (&[kind, _, l0, l1], after) = rest.split_first_chunk().ok_or(Malformed)?;
        let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
        let (body, after) = after.split_at_checked(length).ok_or(Malformed)?;
        read_block(kind, body, |block| each(from, block))?;
        rest = after;
    }
    Ok(())
}

fn read_block(kind: u8, body: &[u8], mut each: impl FnMut(Block)) -> Result<(), Malformed> {
    match kind {
        REFERENCE_TIME => {
            let &ntp = body.first_chunk().filter(|_| body.len() == 8).ok_or(Malformed)?;
            each(Block::ReferenceTime(Ntp(u64::from_be_bytes(ntp))));
        }
        DELAY => {
            let (blocks, rest) = body.as_chunks::<12>();
            if !rest.is_empty() {
                return Err(Malformed);
            }
            for block in blocks.iter().take(BLOCK_LIMIT) {
                let word = |at: usize| {
                    block.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
                };
                each(Block::Delay(Delay { ssrc: word(0), last: word(4), delay: word(8) }));
            }
        }
        VOIP_METRICS => {
            let bytes = body.first_chunk().filter(|_| body.len() == 32).ok_or(Malformed)?;
            each(Block::Voip(VoipMetrics::read(bytes)));
        }
        _ => {}
    }
    Ok(())
}

impl VoipMetrics {
    fn read(bytes: &[u8; 32]) -> VoipMetrics {
        let &[s0, s1, s2, s3, loss, discard, burst_density, gap_density, rest @ ..] = bytes;
        let &[b0, b1, g0, g1, r0, r1, e0, e1, _, _, _, _, r_factor, _, listening, conversation, ..] = &rest;
        let known = |value: u8, range: std::ops::RangeInclusive<u8>| Some(value).filter(|value| range.contains(value));
        VoipMetrics {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            loss,
            discard,
            burst_density,
            gap_density,
            burst_ms: u16::from_be_bytes([b0, b1]),
            gap_ms: u16::from_be_bytes([g0, g1]),
            round_trip_ms: u16::from_be_bytes([r0, r1]),
            end_system_ms: u16::from_be_bytes([e0, e1]),
            r_factor: known(r_factor, 0..=100),
            mos_listening: known(listening, 10..=50),
            mos_conversation: known(conversation, 10..=50),
        }
    }

    /// Levels, echo and buffers aren't told: what relays has none of them.
    fn bytes(&self, gmin: u8) -> [u8; 32] {
        let mut bytes = [0; 32];
        let known = |value: Option<u8>| value.unwrap_or(UNKNOWN);
        bytes[..4].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes[4..8].copy_from_slice(&[self.loss, self.discard, self.burst_density, self.gap_density]);
        let words = [self.burst_ms, self.gap_ms, self.round_trip_ms, self.end_system_ms];
        for (room, word) in bytes[8..16].as_chunks_mut().0.iter_mut().zip(words) {
            *room = u16::to_be_bytes(word);
        }
        bytes[16..20].copy_from_slice(&[UNKNOWN, UNKNOWN, UNKNOWN, gmin]);
        let ratings = [known(self.r_factor), UNKNOWN, known(self.mos_listening), known(self.mos_conversation)];
        bytes[20..24].copy_from_slice(&ratings);
        bytes
    }
}

/// Writes an extended report after the first `at` bytes of `room`. Answers where it ends; none where there is too little
/// room, or no block.
pub fn write(room: &mut [u8], at: usize, from: u32, blocks: &[Block], gmin: u8) -> Option<usize> {
    if blocks.is_empty() {
        return None;
    }
    let words = |block: &Block| match block {
        Block::ReferenceTime(_) => 2,
        Block::Delay(_) => 3,
        Block::Voip(_) => 8,
    };
    let length: u16 = blocks.iter().map(|block| 1 + words(block)).sum();
    let mut out = Writer { room, at };
    out.header(0, EXTENDED_REPORT, 1 + length)?;
    out.word(from)?;
    for block in blocks {
        let kind = match block {
            Block::ReferenceTime(_) => REFERENCE_TIME,
            Block::Delay(_) => DELAY,
            Block::Voip(_) => VOIP_METRICS,
        };
        let [l0, l1] = u16::to_be_bytes(words(block));
        out.put(&[kind, 0, l0, l1])?;
        match block {
            Block::ReferenceTime(ntp) => out.put(&ntp.0.to_be_bytes())?,
            Block::Delay(Delay { ssrc, last, delay }) => {
                [ssrc, last, delay].into_iter().try_for_each(|&word| out.word(word))?;
            }
            Block::Voip(metrics) => out.put(&metrics.bytes(gmin))?,
        }
    }
    Some(out.at)
}

#[cfg(test)]
mod tests {
    use super::super::{Item, read};
    use super::*;
    use proptest::prelude::*;

    const VOIP: VoipMetrics = VoipMetrics {
        ssrc: 0x0102_0304,
        loss: 26,
        discard: 13,
        burst_density: 128,
        gap_density: 2,
        burst_ms: 340,
        gap_ms: 9_000,
        round_trip_ms: 120,
        end_system_ms: 60,
        r_factor: Some(82),
        mos_listening: Some(41),
        mos_conversation: None,
    };

    /// By hand, from the drawings of RFC 3611 §2, §4.4, §4.5 and §4.7.
    #[rustfmt::skip]
    const BYTES: [u8; 72] = [
        0x80, 207, 0, 17, 0xaa, 0xbb, 0xcc, 0xdd,
        4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8,
        5, 0, 0, 3, 0, 0, 0, 77, 3, 4, 5, 6, 0, 1, 0, 0,
        7, 0, 0, 8, 1, 2, 3, 4, 26, 13, 128, 2, 0x01, 0x54, 0x23, 0x28, 0, 120, 0, 60,
        127, 127, 127, 16, 82, 127, 41, 127, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    fn blocks() -> [Block; 3] {
        [
            Block::ReferenceTime(Ntp(0x0102_0304_0506_0708)),
            Block::Delay(Delay { ssrc: 77, last: 0x0304_0506, delay: 65_536 }),
            Block::Voip(VOIP),
        ]
    }

    fn told(bytes: &[u8]) -> Result<Vec<(u32, Block)>, Malformed> {
        let mut told = Vec::new();
        read(bytes, |item| {
            let Item::Extended { from, block } = item else { panic!("{item:?}") };
            told.push((from, block));
        })?;
        Ok(told)
    }

    #[test]
    fn blocks_are_written_and_read_as_the_rfc_draws_them() {
        let mut room = [0xff; 80];
        let end = write(&mut room, 4, 0xaabb_ccdd, &blocks(), 16).unwrap();
        assert_eq!(room[4..end], BYTES);
        assert_eq!(told(&BYTES).unwrap(), blocks().map(|block| (0xaabb_ccdd, block)));
        assert_eq!(write(&mut room[..75], 4, 1, &blocks(), 16), None);
        assert_eq!(write(&mut room, 4, 1, &[], 16), None);
    }

    #[test]
    fn other_blocks_and_padding_are_passed_over() {
        let bytes = [0xa0, 207, 0, 7, 0, 0, 0, 1, 42, 9, 0, 1, 1, 1, 1, 1, 5, 0, 0, 0, 4, 0, 0, 2, 0, 0, 0, 0];
        let mut padded = bytes.to_vec();
        padded.extend([0, 0, 0, 1, 0, 0, 0, 4]);
        padded[3] = 8;
        assert_eq!(told(&padded).unwrap(), [(1, Block::ReferenceTime(Ntp(1)))]);
        padded[35] = 200;
        assert_eq!(told(&padded), Err(Malformed));
    }

    #[test]
    fn a_block_of_the_wrong_length_is_malformed() {
        for bytes in [
            [0x80, 207, 0, 3, 0, 0, 0, 1, 4, 0, 0, 1, 1, 1, 1, 1],
            [0x80, 207, 0, 3, 0, 0, 0, 1, 5, 0, 0, 1, 1, 1, 1, 1],
            [0x80, 207, 0, 3, 0, 0, 0, 1, 7, 0, 0, 1, 1, 1, 1, 1],
            [0x80, 207, 0, 3, 0, 0, 0, 1, 9, 0, 0, 2, 1, 1, 1, 1],
        ] {
            assert_eq!(told(&bytes), Err(Malformed), "{bytes:?}");
        }
        assert_eq!(told(&[0x80, 207, 0, 0]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(
            first in 0x80u8..0xc0, kind in 3u8..9, words in 0u16..10, rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = vec![first, 207, 0, (rest.len() / 4 + 2) as u8, 0, 0, 0, 1, kind, 0];
            bytes.extend(words.to_be_bytes());
            bytes.extend(rest);
            bytes.resize(bytes.len() / 4 * 4, 0);
            let _ = read(&bytes, |_| {});
        }
    }
}
