//! Digits heard as telephone-events (RFC 4733 §2.5.2): many packets, some lost, make one digit.

use crate::base::time::Time;
use crate::wire::dtmf;
use std::time::Duration;

/// An event whose last packets were all lost is over after so long.
pub const SIGNAL_TIMEOUT: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub struct Signal {
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    generation: u32,
    /// The timestamp of all of the event's packets: what tells one event from the next.
    timestamp: u32,
    event: dtmf::Event,
    clock_rate: u32,
    told: bool,
    last: Time,
}

/// A digit that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    pub digit: char,
    pub duration: Duration,
}

impl Signal {
    /// Takes one packet, and tells each digit that it ends: its own, or one before whose end was lost.
    pub fn take(
        &mut self,
        now: Time,
        generation: u32,
        timestamp: u32,
        clock_rate: u32,
        event: dtmf::Event,
        mut tell: impl FnMut(Digit),
    ) {
        match &mut self.current {
            Some(current) if current.generation == generation && current.timestamp == timestamp => {
                current.last = now;
                current.event.duration = current.event.duration.max(event.duration);
            }
            Some(current)
                if current.generation == generation && (timestamp.wrapping_sub(current.timestamp) as i32) < 0 =>
            {
                return;
            }
            current => {
                if let Some(before) = current {
                    before.tell(&mut tell);
                }
                *current = Some(Current { generation, timestamp, event, clock_rate, told: false, last: now });
            }
        }
        if let Some(current) = self.current.as_mut().filter(|_| event.end) {
            current.tell(&mut tell);
        }
    }

    /// Ends a digit of which nothing more has come.
    pub fn expire(&mut self, now: Time, mut tell: impl FnMut(Digit)) {
        if self.due() <= now
            && let Some(current) = &mut self.current
        {
            current.tell(&mut tell);
        }
    }

    pub fn due(&self) -> Time {
        match self.current {
            Some(current) if !current.told => current.last + SIGNAL_TIMEOUT,
            _ => Time::NEVER,
        }
    }
}

impl Current {
    fn tell(&mut self, tell: &mut impl FnMut(Digit)) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        if let Some(digit) = self.event.digit() {
            let micros = u64::from(self.event.duration) * 1_000_000 / u64::from(self.clock_rate.max(1));
            tell(Digit { digit, duration: Duration::from_micros(micros) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(code: u8, end: bool, duration: u16) -> dtmf::Event {
        dtmf::Event { code, end, volume: 10, duration }
    }

    #[test]
    fn a_digit_is_told_once() {
        let mut signal = Signal::default();
        let mut told = Vec::new();
        for (ms, end, duration) in
            [(0, false, 160), (20, false, 320), (40, true, 480), (60, true, 480), (80, true, 480)]
        {
            signal.take(Time::from_millis(ms), 0, 1_000, 8_000, event(5, end, duration), |digit| told.push(digit));
        }
        // A straggler of the same event says nothing new.
        signal.take(Time::from_millis(90), 0, 1_000, 8_000, event(5, false, 320), |digit| told.push(digit));
        assert_eq!(told, [Digit { digit: '5', duration: Duration::from_millis(60) }]);
        assert_eq!(signal.due(), Time::NEVER);
    }

    #[test]
    fn a_lost_end_is_made_up_for() {
        let mut signal = Signal::default();
        let mut told = Vec::new();
        signal.take(Time::ZERO, 0, 1_000, 8_000, event(1, false, 160), |digit| told.push(digit.digit));
        signal.take(Time::from_millis(200), 0, 2_600, 8_000, event(2, false, 160), |digit| told.push(digit.digit));
        assert_eq!(told, ['1']);
        signal.expire(Time::from_millis(449), |digit| told.push(digit.digit));
        assert_eq!(told, ['1']);
        signal.expire(Time::from_millis(450), |digit| told.push(digit.digit));
        signal.take(Time::from_millis(460), 0, 2_600, 8_000, event(2, true, 320), |digit| told.push(digit.digit));
        signal.take(Time::from_millis(460), 0, 1_000, 8_000, event(1, true, 320), |digit| told.push(digit.digit));
        assert_eq!(told, ['1', '2']);
    }
}
