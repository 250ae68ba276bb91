//! Digits that we dial: telephone-events (RFC 4733 §2.5.1) of our own making.

use crate::base::time::Time;
use crate::wire::dtmf;
use std::collections::VecDeque;
use std::time::Duration;

const TONE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(100);
/// From one packet of a tone to the next.
const UPDATE: Duration = Duration::from_millis(20);
/// The last packet of an event is sent so many times.
pub const ENDS: u8 = 3;
/// In -dBm0.
const VOLUME: u8 = 10;
/// Digits that may wait.
pub const QUEUE_LIMIT: usize = 64;

#[derive(Debug, Default)]
pub struct Dial {
    queue: VecDeque<u8>,
    tone: Option<Tone>,
    /// When the next digit may begin.
    ready: Time,
}

#[derive(Clone, Copy, Debug)]
struct Tone {
    code: u8,
    timestamp: u32,
    begun: Time,
    next: Time,
    packets: u32,
    ends: u8,
}

/// A packet that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub event: dtmf::Event,
    pub timestamp: u32,
    pub first: bool,
}

impl Dial {
    /// Queues what is a digit; the rest is passed over.
    pub fn push(&mut self, digits: &str) {
        let room = QUEUE_LIMIT.saturating_sub(self.queue.len());
        self.queue.extend(digits.chars().filter_map(dtmf::code).take(room));
    }

    pub fn clear(&mut self) {
        self.queue.clear();
        self.tone = None;
    }

    /// Whether a digit sounds, so that nothing else should.
    pub fn sounds(&self) -> bool {
        self.tone.is_some_and(|tone| tone.ends == 0)
    }

    pub fn due(&self) -> Time {
        match self.tone {
            Some(tone) => tone.next,
            None if self.queue.is_empty() => Time::NEVER,
            None => self.ready,
        }
    }

    /// The packet that is due at `now`. `timestamp` is where our stream stands, and `clock_rate` the events' own.
    pub fn next(&mut self, now: Time, timestamp: u32, clock_rate: u32) -> Option<Due> {
        if now < self.due() {
            return None;
        }
        if self.tone.is_none() {
            let code = self.queue.pop_front()?;
            self.tone = Some(Tone { code, timestamp, begun: now, next: now, packets: 0, ends: 0 });
        }
        let tone = self.tone.as_mut()?;
        tone.packets += 1;
        let sounded = (UPDATE * tone.packets).min(TONE);
        let end = sounded == TONE;
        let duration = sounded.as_micros() as u64 * u64::from(clock_rate) / 1_000_000;
        let due = Due {
            event: dtmf::Event {
                code: tone.code,
                end,
                volume: VOLUME,
                duration: u16::try_from(duration).unwrap_or(u16::MAX),
            },
            timestamp: tone.timestamp,
            first: tone.packets == 1,
        };
        tone.next = now.max(tone.next + UPDATE);
        if end {
            tone.ends += 1;
            if tone.ends == ENDS {
                self.ready = tone.begun + TONE + PAUSE;
                self.tone = None;
            }
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_digit_sounds_and_ends_three_times() {
        let mut dial = Dial::default();
        dial.push("1x#");
        let mut sent = Vec::new();
        for ms in (0..600).step_by(10) {
            let now = Time::from_millis(ms);
            while let Some(due) = dial.next(now, ms as u32 * 8, 8_000) {
                sent.push((ms, due.event.code, due.event.duration, due.event.end, due.timestamp, due.first));
            }
        }
        assert_eq!(
            sent,
            [
                (0, 1, 160, false, 0, true),
                (20, 1, 320, false, 0, false),
                (40, 1, 480, false, 0, false),
                (60, 1, 640, false, 0, false),
                (80, 1, 800, true, 0, false),
                (100, 1, 800, true, 0, false),
                (120, 1, 800, true, 0, false),
                (200, 11, 160, false, 1_600, true),
                (220, 11, 320, false, 1_600, false),
                (240, 11, 480, false, 1_600, false),
                (260, 11, 640, false, 1_600, false),
                (280, 11, 800, true, 1_600, false),
                (300, 11, 800, true, 1_600, false),
                (320, 11, 800, true, 1_600, false),
            ]
        );
        assert_eq!(dial.due(), Time::NEVER);
    }

    #[test]
    fn the_queue_has_a_limit() {
        let mut dial = Dial::default();
        dial.push(&"5".repeat(1_000));
        dial.push("6");
        assert_eq!(dial.queue.len(), QUEUE_LIMIT);
    }
}
