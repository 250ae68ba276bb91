//! Digits that we dial: telephone-events (RFC 4733 §2.5.1) of our own making.

use crate::base::time::Time;
use crate::media::command::EventSet;
use crate::media::stream::press::{LONGEST, Press, Presses};
use crate::wire::dtmf;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(100);
/// From one packet of a tone to the next.
const UPDATE: Duration = Duration::from_millis(20);
/// The last packet of an event is sent so many times.
pub const ENDS: u8 = 3;
/// In -dBm0.
const VOLUME: u8 = 10;

#[derive(Debug, Default)]
pub struct Dial {
    presses: Presses,
    tone: Option<Tone>,
    /// When the next digit may begin.
    ready: Time,
}

#[derive(Clone, Copy, Debug)]
struct Tone {
    code: u8,
    /// None while the key is held.
    length: Option<Duration>,
    pause: Duration,
    timestamp: u32,
    begun: Time,
    next: Time,
    packets: u32,
    sounded: Duration,
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
    /// Queues those of the digits and flashes that are among `events`, each for so long; the rest is passed over.
    pub fn push(&mut self, digits: &str, duration: Duration, events: EventSet) {
        let codes = digits.chars().filter_map(dtmf::code).filter(|&code| events.contains(code));
        codes.for_each(|code| self.presses.push(code, duration));
    }

    /// Makes room for keys that will be held.
    pub fn reserve(&mut self) {
        self.presses.reserve();
    }

    /// A key is held from now on.
    pub fn hold(&mut self, code: u8) {
        self.presses.hold(code);
    }

    /// The key that is held was so for that long.
    pub fn let_go(&mut self, duration: Duration) {
        match &mut self.tone {
            Some(tone) if tone.length.is_none() => tone.length = Some(duration.max(tone.sounded)),
            _ => self.presses.let_go(duration),
        }
    }

    pub fn clear(&mut self) {
        self.presses.clear();
        self.tone = None;
    }

    /// Whether a digit sounds, so that nothing else should.
    pub fn sounds(&self) -> bool {
        self.tone.is_some_and(|tone| tone.ends == 0)
    }

    pub fn due(&self) -> Time {
        match self.tone {
            Some(tone) => tone.next,
            None if self.presses.is_empty() => Time::NEVER,
            None => self.ready,
        }
    }

    /// The packet that is due at `now`. `timestamp` is where our stream stands, and `clock_rate` the events' own.
    pub fn next(&mut self, now: Time, timestamp: u32, clock_rate: u32) -> Option<Due> {
        if now < self.due() {
            return None;
        }
        if self.tone.is_none() {
            let Press { code, length, is_live } = self.presses.pop()?;
            let (sounded, begun, next) = (Duration::ZERO, now, now);
            let pause = if is_live { Duration::ZERO } else { PAUSE };
            self.tone = Some(Tone { code, length, pause, timestamp, begun, next, packets: 0, sounded, ends: 0 });
        }
        let tone = self.tone.as_mut()?;
        tone.packets += 1;
        let so_far = UPDATE.saturating_mul(tone.packets);
        let length = tone.length.unwrap_or(LONGEST);
        let end = length <= so_far;
        tone.sounded = length.min(so_far);
        let duration = tone.sounded.as_micros() as u64 * u64::from(clock_rate) / 1_000_000;
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
                self.ready = tone.begun + tone.sounded + tone.pause;
                self.tone = None;
            }
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each packet when it left, its code, duration, end, timestamp, and whether it is the event's first.
    type Sent = Vec<(u64, u8, u16, bool, u32, bool)>;

    fn run(dial: &mut Dial, sent: &mut Sent, ms: std::ops::Range<u64>) {
        for ms in ms.step_by(10) {
            let now = Time::from_millis(ms);
            while let Some(due) = dial.next(now, ms as u32 * 8, 8_000) {
                sent.push((ms, due.event.code, due.event.duration, due.event.end, due.timestamp, due.first));
            }
        }
    }

    #[test]
    fn each_digit_sounds_and_ends_three_times() {
        let mut dial = Dial::default();
        dial.push("1x!#", Duration::from_millis(100), EventSet::DIGITS);
        let mut sent = Vec::new();
        run(&mut dial, &mut sent, 0..600);
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
    fn a_key_that_is_held_sounds_until_it_is_let_go() {
        let mut dial = Dial::default();
        let mut sent = Vec::new();
        dial.hold(5);
        run(&mut dial, &mut sent, 0..50);
        assert!(dial.sounds());
        dial.let_go(Duration::from_millis(66));
        run(&mut dial, &mut sent, 50..300);
        let ends: Vec<(u64, u16)> = sent.iter().filter(|sent| sent.3).map(|sent| (sent.0, sent.2)).collect();
        assert_eq!(ends, [(60, 528), (80, 528), (100, 528)]);
        // One that is let go before its turn has come, and one whose end was known late.
        sent.clear();
        dial.hold(1);
        dial.let_go(Duration::from_millis(40));
        dial.hold(2);
        run(&mut dial, &mut sent, 300..700);
        dial.let_go(Duration::from_millis(50));
        run(&mut dial, &mut sent, 700..900);
        let ends: Vec<(u8, u16)> = sent.iter().filter(|sent| sent.3).map(|sent| (sent.1, sent.2)).collect();
        let known = sent.iter().rev().find(|sent| !sent.3).unwrap().2;
        assert_eq!(ends, [(1, 320), (1, 320), (1, 320), (2, known), (2, known), (2, known)]);
        // One that nobody lets go of.
        sent.clear();
        dial.hold(3);
        run(&mut dial, &mut sent, 1_000..10_000);
        assert_eq!((sent.len(), sent[sent.len() - 1].2), (402, 64_000));
    }
}
