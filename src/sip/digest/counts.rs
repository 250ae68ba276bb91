//! Which nonce counts were used: the defence against replay (RFC 7616 §5.12).

use crate::base::time::Time;
use crate::sip::digest::nonce::Nonce;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

/// Counts by nonce. A nonce enters when a right response used it, so only those who have an account take up room. It is
/// remembered for as long as it goes on being used, so that a phone which counts needs no second challenge. When room is
/// short the oldest nonce leaves, and it and all that are older and not in here count as stale from then on.
pub(super) struct Counts {
    windows: BTreeMap<Nonce, Window>,
    /// The youngest nonce that was put out.
    horizon: Option<Nonce>,
    limit: usize,
    /// For how long a nonce may rest, in seconds.
    rest: u32,
    /// The nonce that was last looked at for one that has rested too long.
    hand: Option<Nonce>,
}

/// How many nonces are looked at for each one that is used, so that those at rest leave faster than others come.
const LOOKS: usize = 2;

impl Counts {
    /// `rest` is for how long a nonce is remembered after its last use. It must not be shorter than the time in which one
    /// may be used first: what was forgotten would serve again.
    pub fn new(limit: usize, rest: Duration) -> Counts {
        let rest = u32::try_from(rest.as_secs()).unwrap_or(u32::MAX);
        Counts { windows: BTreeMap::new(), horizon: None, limit: limit.max(1), rest, hand: None }
    }

    /// Notes that `count` was used with `nonce`. False where it was used before, or is too old to know. `is_fresh` says whether
    /// the nonce may be used for the first time.
    pub fn admit(&mut self, now: Time, nonce: Nonce, count: u32, is_fresh: bool) -> bool {
        let now = seconds(now);
        self.forget_some(now);
        if let Some(window) = self.windows.get_mut(&nonce).filter(|window| !window.has_rested(now, self.rest)) {
            let is_new = window.admit(count);
            if is_new {
                window.used = now;
            }
            return is_new;
        }
        if !is_fresh || self.horizon.is_some_and(|horizon| nonce <= horizon) {
            return false;
        }
        self.windows.insert(nonce, Window { highest: count, used: now, earlier: 0 });
        if self.windows.len() > self.limit {
            self.horizon = self.windows.pop_first().map(|(oldest, _)| oldest).max(self.horizon);
        }
        true
    }

    /// Looks at the next few nonces, round and round, and drops those that have rested too long.
    fn forget_some(&mut self, now: u32) {
        for _ in 0..LOOKS {
            let from = self.hand.map_or(Bound::Unbounded, Bound::Excluded);
            let next = self.windows.range((from, Bound::Unbounded)).next();
            let next = next.map(|(nonce, window)| (*nonce, window.has_rested(now, self.rest)));
            self.hand = next.map(|(nonce, _)| nonce);
            if let Some((nonce, true)) = next {
                self.windows.remove(&nonce);
            }
        }
    }
}

fn seconds(now: Time) -> u32 {
    u32::try_from(now.millis() / 1_000).unwrap_or(u32::MAX)
}

/// A sliding window, since datagrams overtake each other: the highest count, and which of the 64 below it were used.
struct Window {
    highest: u32,
    /// When it was last used, in seconds.
    used: u32,
    /// Bit n stands for `highest - 1 - n`.
    earlier: u64,
}

impl Window {
    fn has_rested(&self, now: u32, rest: u32) -> bool {
        now.saturating_sub(self.used) > rest
    }

    fn admit(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            self.earlier = match step {
                1..=63 => self.earlier << step | 1 << (step - 1),
                64 => 1 << 63,
                _ => 0,
            };
            self.highest = count;
            return true;
        }
        match self.highest - count {
            below @ 1..=64 => {
                let bit = 1u64 << (below - 1);
                let fresh = self.earlier & bit == 0;
                self.earlier |= bit;
                fresh
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn nonce(issued_ms: u64) -> Nonce {
        Nonce { issued_ms, serial: issued_ms }
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    /// The counts of nonces that are all fresh.
    struct Fresh(Counts);

    impl Fresh {
        fn admit(&mut self, nonce: Nonce, count: u32) -> bool {
            self.0.admit(Time::ZERO, nonce, count, true)
        }
    }

    #[test]
    fn a_count_serves_once() {
        let mut counts = Fresh(Counts::new(8, HOUR));
        assert!(counts.admit(nonce(1), 1));
        assert!(!counts.admit(nonce(1), 1));
        assert!(counts.admit(nonce(1), 3));
        assert!(counts.admit(nonce(1), 2));
        assert!(!counts.admit(nonce(1), 2));
        assert!(counts.admit(nonce(1), 1000));
        assert!(!counts.admit(nonce(1), 3), "below the window");
        assert!(counts.admit(nonce(2), 1), "another nonce counts for itself");
    }

    #[test]
    fn the_window_agrees_with_a_set() {
        let mut counts = Fresh(Counts::new(8, HOUR));
        let (mut used, mut highest, mut state) = (HashSet::new(), 0u32, 9u64);
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let count = highest.saturating_sub(70) + (state >> 33) as u32 % 140;
            let expected = used.is_empty() || count > highest || (highest - count <= 64 && !used.contains(&count));
            assert_eq!(counts.admit(nonce(1), count), expected, "{count} at {highest}");
            used.insert(count);
            highest = highest.max(count);
        }
    }

    #[test]
    fn what_was_put_out_never_comes_back() {
        let mut counts = Fresh(Counts::new(2, HOUR));
        assert!(counts.admit(nonce(10), 1));
        assert!(counts.admit(nonce(20), 1));
        assert!(counts.admit(nonce(30), 1));
        assert_eq!(counts.0.windows.len(), 2);
        assert!(!counts.admit(nonce(10), 2));
        assert!(!counts.admit(nonce(5), 1), "older than what was put out, so nobody can say");
        assert!(counts.admit(nonce(20), 2));
    }

    #[test]
    fn a_nonce_lives_for_as_long_as_it_is_used() {
        let mut counts = Counts::new(8, HOUR);
        let at = |minutes: u64| Time::ZERO + Duration::from_secs(60 * minutes);
        assert!(counts.admit(at(0), nonce(1), 1, true));
        assert!(counts.admit(at(59), nonce(1), 2, false));
        assert!(counts.admit(at(118), nonce(1), 3, false));
        assert!(!counts.admit(at(118), nonce(1), 2, false), "used before");
        assert!(!counts.admit(at(179), nonce(1), 4, false), "rested too long");
        assert!(!counts.admit(at(179), nonce(2), 1, false), "never used, and not fresh");
    }

    #[test]
    fn nonces_at_rest_make_room() {
        let mut counts = Counts::new(1_000_000, HOUR);
        for second in 0..20_000 {
            let now = Time::ZERO + Duration::from_secs(second);
            assert!(counts.admit(now, nonce(second), 1, true));
            assert!(counts.windows.len() <= 2 * 3_600 + 2, "{} at {second}", counts.windows.len());
        }
    }
}
