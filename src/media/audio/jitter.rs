//! The jitter buffer: packets wait here until their turn, and what the network does to their spacing is measured.

use crate::base::time::Time;
use crate::media::batch::PACKET_BYTES;
use crate::media::counters::Reason;
use std::time::Duration;
use tandem_codecs::Codec;

/// Packets that may wait: 320 ms of the shortest ones.
const SLOTS: usize = 32;

/// Bounds of the delay that is kept against jitter.
pub const DELAY_MIN: Duration = Duration::from_millis(20);
pub const DELAY_MAX: Duration = Duration::from_millis(200);

/// Packets in the order of their numbers. Nothing is allocated after it was made.
pub struct Buffer {
    slots: [Slot; SLOTS],
    bytes: Box<[u8]>,
    slot_bytes: usize,
    /// The lowest number that may still be played; none before the first packet.
    next: Option<u64>,
    /// Whether any packet had its turn. Before that, one from before the first is still welcome.
    begun: bool,
    waiting: usize,
    newest: Option<Newest>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    extended: u64,
    timestamp: i64,
    length: usize,
    is_noise: bool,
    full: bool,
}

#[derive(Clone, Copy)]
struct Newest {
    extended: u64,
    timestamp: i64,
}

/// The packet whose turn is next.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub extended: u64,
    /// Without its wrapping, in units of the codec's clock.
    pub timestamp: i64,
    /// Whether the packet before it was played, so that what lies between them is silence and not loss.
    pub follows: bool,
    /// Whether it tells what a pause sounds like.
    pub is_noise: bool,
    pub payload: &'a [u8],
}

impl Buffer {
    pub fn new(codec: Codec) -> Buffer {
        let slot_bytes = match codec {
            // 80 ms and more.
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 640,
            Codec::Opus | Codec::L16 { .. } => PACKET_BYTES,
        };
        Buffer {
            slots: [Slot::default(); SLOTS],
            bytes: vec![0; slot_bytes * SLOTS].into_boxed_slice(),
            slot_bytes,
            next: None,
            begun: false,
            waiting: 0,
            newest: None,
        }
    }

    /// Keeps a packet, and answers its timestamp without wrapping.
    pub fn push(&mut self, extended: u64, timestamp: u32, payload: &[u8]) -> Result<i64, Reason> {
        self.keep(extended, timestamp, payload, false)
    }

    /// The same for a packet of comfort noise.
    pub fn push_noise(&mut self, extended: u64, timestamp: u32, payload: &[u8]) -> Result<i64, Reason> {
        self.keep(extended, timestamp, payload, true)
    }

    fn keep(&mut self, extended: u64, timestamp: u32, payload: &[u8], is_noise: bool) -> Result<i64, Reason> {
        let next = *self.next.get_or_insert(extended);
        if payload.len() > self.slot_bytes {
            return Err(Reason::Malformed);
        }
        if extended < next {
            let fits = self.newest.is_some_and(|newest| newest.extended < extended + SLOTS as u64);
            if self.begun || !fits {
                return Err(Reason::Late);
            }
            self.next = Some(extended);
        }
        if extended >= next + SLOTS as u64 {
            self.make_way(extended + 1 - SLOTS as u64);
        }
        let timestamp = self.unwrap(timestamp);
        let index = (extended % SLOTS as u64) as usize;
        let slot = &mut self.slots[index];
        if slot.full {
            return Err(Reason::Duplicate);
        }
        *slot = Slot { extended, timestamp, length: payload.len(), is_noise, full: true };
        self.bytes[index * self.slot_bytes..][..payload.len()].copy_from_slice(payload);
        self.waiting += 1;
        if self.newest.is_none_or(|newest| newest.extended < extended) {
            self.newest = Some(Newest { extended, timestamp });
        }
        Ok(timestamp)
    }

    fn unwrap(&self, timestamp: u32) -> i64 {
        match self.newest {
            Some(newest) => newest.timestamp + i64::from(timestamp.wrapping_sub(newest.timestamp as u32) as i32),
            None => i64::from(timestamp),
        }
    }

    /// Gives up all packets before `first`.
    pub fn make_way(&mut self, first: u64) {
        let Some(next) = self.next else { return };
        for extended in next..first.min(next + SLOTS as u64) {
            self.clear(extended);
        }
        self.next = Some(next.max(first));
        self.begun = true;
    }

    fn clear(&mut self, extended: u64) {
        let slot = &mut self.slots[(extended % SLOTS as u64) as usize];
        if std::mem::take(&mut slot.full) {
            self.waiting -= 1;
        }
    }

    pub fn head(&self) -> Option<Head<'_>> {
        let next = self.next.filter(|_| self.waiting > 0)?;
        let extended =
            (next..next + SLOTS as u64).find(|extended| self.slots[(extended % SLOTS as u64) as usize].full)?;
        let index = (extended % SLOTS as u64) as usize;
        let slot = &self.slots[index];
        let payload = &self.bytes[index * self.slot_bytes..][..slot.length];
        let Slot { extended: number, timestamp, is_noise, .. } = *slot;
        Some(Head { extended: number, timestamp, follows: extended == next, is_noise, payload })
    }

    /// The timestamp of the newest packet that came, played or not.
    pub fn newest_timestamp(&self) -> Option<i64> {
        self.newest.map(|newest| newest.timestamp)
    }

    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Forgets everything: what comes next has nothing to do with it.
    pub fn reset(&mut self) {
        self.slots = [Slot::default(); SLOTS];
        (self.next, self.newest, self.waiting, self.begun) = (None, None, 0, false);
    }
}

/// How late packets come, against the earliest that the network lets them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lateness {
    /// The least transit time, in units of the clock; creeps up, since clocks drift.
    base: Option<i64>,
    /// The worst of late, decaying over some seconds.
    peak: i64,
    /// The worst since `restart`.
    recent: i64,
    clock_rate: i64,
}

impl Lateness {
    pub fn new(clock_rate: u32) -> Lateness {
        Lateness { clock_rate: i64::from(clock_rate.max(1)), ..Lateness::default() }
    }

    pub fn observe(&mut self, now: Time, timestamp: i64) {
        let arrival = (i128::from(now.nanos()) * i128::from(self.clock_rate) / 1_000_000_000) as i64;
        let transit = arrival - timestamp;
        let base = match self.base {
            // More than two seconds off, the source has changed its mind about time.
            Some(base) if (transit - base).abs() < 2 * self.clock_rate => base,
            _ => {
                (self.peak, self.recent) = (0, 0);
                transit
            }
        };
        let late = (transit - base).max(0);
        // Eight bits of fraction would be finer than what the clock of most codecs can tell.
        self.base = Some(if transit < base { transit } else { base + late / 512 });
        self.recent = self.recent.max(late);
        self.peak = late.max(self.peak - (self.peak - late) / 256 - 1).max(0);
    }

    /// The delay to keep: what the worst packets need, and as much again as a packet may come late without harm.
    pub fn target(&self) -> Duration {
        (self.duration(self.peak) + DELAY_MIN).clamp(DELAY_MIN, DELAY_MAX)
    }

    /// The worst since the last call.
    pub fn take_recent(&mut self) -> Duration {
        let recent = std::mem::take(&mut self.recent);
        self.duration(recent)
    }

    fn duration(&self, units: i64) -> Duration {
        Duration::from_micros(u64::try_from(units * 1_000_000 / self.clock_rate.max(1)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(buffer: &mut Buffer) -> Option<(u64, bool)> {
        let head = buffer.head().map(|head| (head.extended, head.follows))?;
        buffer.make_way(head.0 + 1);
        Some(head)
    }

    #[test]
    fn packets_come_out_in_order() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        for extended in [100, 103, 101, 102] {
            buffer.push(extended, extended as u32 * 160, &[extended as u8; 160]).unwrap();
        }
        assert_eq!(buffer.push(103, 0, &[0; 160]), Err(Reason::Duplicate));
        for extended in 100..104 {
            assert_eq!(buffer.head().unwrap().payload, [extended as u8; 160]);
            assert_eq!(play(&mut buffer), Some((extended, true)));
        }
        assert_eq!(play(&mut buffer), None);
        assert_eq!(buffer.push(103, 0, &[0; 160]), Err(Reason::Late));
        buffer.push(106, 0, &[0; 160]).unwrap();
        assert_eq!(play(&mut buffer), Some((106, false)));
    }

    #[test]
    fn timestamps_do_not_wrap() {
        let mut buffer = Buffer::new(Codec::Pcmu);
        assert_eq!(buffer.push(1, u32::MAX - 79, &[0; 160]), Ok(i64::from(u32::MAX) - 79));
        assert_eq!(buffer.push(2, 80, &[0; 160]), Ok(i64::from(u32::MAX) + 81));
        assert_eq!(buffer.newest_timestamp(), Some(i64::from(u32::MAX) + 81));
    }

    #[test]
    fn a_jump_ahead_gives_up_what_is_too_old() {
        let mut buffer = Buffer::new(Codec::Opus);
        buffer.push(1, 0, &[0; 3]).unwrap();
        buffer.push(30, 0, &[0; 3]).unwrap();
        buffer.push(40, 0, &[0; 3]).unwrap();
        assert_eq!(play(&mut buffer), Some((30, false)));
        buffer.push(1_000, 0, &[0; 3]).unwrap();
        assert_eq!(play(&mut buffer), Some((1_000, false)));
        assert!(buffer.is_empty());
        assert_eq!(buffer.push(1_001, 0, &[0; 3_000]), Err(Reason::Malformed));
    }

    #[test]
    fn the_target_rises_with_jitter_and_falls_back() {
        let mut lateness = Lateness::new(8_000);
        let mut n = 0;
        let mut run = |lateness: &mut Lateness, count: u64, late: fn(u64) -> u64| {
            for _ in 0..count {
                lateness.observe(Time::from_millis(n * 20 + late(n)), n as i64 * 160);
                n += 1;
            }
        };
        run(&mut lateness, 100, |_| 0);
        assert_eq!(lateness.target(), DELAY_MIN);
        run(&mut lateness, 200, |n| if n % 5 == 0 { 60 } else { 0 });
        assert!((75..=85).contains(&lateness.target().as_millis()), "{:?}", lateness.target());
        run(&mut lateness, 2_000, |_| 0);
        assert!(lateness.target() < Duration::from_millis(25), "{:?}", lateness.target());
        run(&mut lateness, 10, |_| 900);
        assert_eq!(lateness.target(), DELAY_MAX);
    }
}
