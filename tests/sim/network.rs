//! The network: what it loses, doubles, delays and lets overtake.

use std::time::Duration;
use tandem::base::chance::Chance;

/// Shares of 1, and spans.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub loss: f64,
    pub duplication: f64,
    /// Takes up to `straggle` instead of the usual time, so that later ones overtake it.
    pub reordering: f64,
    /// The least that any datagram takes.
    pub delay: Duration,
    pub jitter: Duration,
    /// Below T4 of RFC 3261, the longest that a message may stay in a network.
    pub straggle: Duration,
}

impl Faults {
    pub const NONE: Faults = Faults {
        loss: 0.0,
        duplication: 0.0,
        reordering: 0.0,
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(10),
        straggle: Duration::ZERO,
    };

    /// The longest that a datagram is on its way.
    pub fn longest(&self) -> Duration {
        self.delay + self.jitter + self.straggle
    }

    /// How long each copy of a datagram takes; none where it is lost.
    pub fn carry(&self, chance: &mut Chance) -> Vec<Duration> {
        if chance.happens(self.loss) {
            return Vec::new();
        }
        let copies = if chance.happens(self.duplication) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let straggles = chance.happens(self.reordering);
                self.delay
                    + below(chance, self.jitter)
                    + if straggles { below(chance, self.straggle) } else { Duration::ZERO }
            })
            .collect()
    }
}

/// A span shorter than `bound`, in steps of a microsecond.
pub fn below(chance: &mut Chance, bound: Duration) -> Duration {
    Duration::from_micros(chance.below(u64::try_from(bound.as_micros()).unwrap_or(u64::MAX)))
}
