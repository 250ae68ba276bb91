//! When a worker looks for packets: at once while few come, and at steps while many do, so that one waking serves them all.

use crate::base::time::Time;
use std::time::Duration;

/// From one look to the next. A relayed packet waits for so long at most, and for what is before it in its turn.
const STEP: Duration = Duration::from_micros(500);
/// How long packets are counted before the pace is chosen anew.
const WINDOW: Duration = Duration::from_millis(10);
/// So many in a window are more than one in each step: fewer would be waked for in vain.
const MANY: u32 = 30;

#[derive(Default)]
pub struct Pace {
    since: Time,
    packets: u32,
    is_stepping: bool,
}

impl Pace {
    /// Counts what one turn brought.
    pub fn count(&mut self, now: Time, packets: usize) {
        self.packets = self.packets.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
        let span = now - self.since;
        if span >= WINDOW {
            let many = u128::from(MANY) * span.as_nanos() / WINDOW.as_nanos();
            self.is_stepping = u128::from(self.packets) >= many;
            (self.since, self.packets) = (now, 0);
        }
    }

    /// How long to rest after a turn that began at `begun`.
    pub fn rest(&self, begun: Time, now: Time) -> Duration {
        if self.is_stepping { begun + STEP - now } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Time {
        Time::from_nanos(micros * 1_000)
    }

    #[test]
    fn few_packets_are_taken_at_once_and_many_in_steps() {
        let mut pace = Pace::default();
        (1..=20).for_each(|n| pace.count(at(n * 1_000), 1));
        assert_eq!(pace.rest(at(20_000), at(20_010)), Duration::ZERO);
        (1..=100).for_each(|n| pace.count(at(20_000 + n * 100), 1));
        assert_eq!(pace.rest(at(30_000), at(30_100)), Duration::from_micros(400));
        // A turn that took longer than a step is followed by the next.
        assert_eq!(pace.rest(at(30_000), at(30_600)), Duration::ZERO);
    }

    #[test]
    fn a_silence_ends_the_steps() {
        let mut pace = Pace::default();
        (1..=200).for_each(|n| pace.count(at(n * 100), 1));
        assert!(pace.rest(at(20_000), at(20_000)) > Duration::ZERO);
        pace.count(at(520_000), 1);
        assert_eq!(pace.rest(at(520_000), at(520_000)), Duration::ZERO);
    }
}
