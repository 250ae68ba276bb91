//! Which nonce counts were used: the defence against replay (RFC 7616 §5.12).

use crate::sip::digest::nonce::Nonce;
use std::collections::BTreeMap;

/// Counts by nonce. A nonce enters when a right response used it, so only those who have an account take up room; when
/// room is short the oldest nonce leaves, and it and all that are older count as stale from then on.
pub(super) struct Counts {
    windows: BTreeMap<Nonce, Window>,
    /// The youngest nonce that was put out.
    horizon: Option<Nonce>,
    limit: usize,
}

impl Counts {
    pub fn new(limit: usize) -> Counts {
        Counts { windows: BTreeMap::new(), horizon: None, limit: limit.max(1) }
    }

    /// Notes that `count` was used with `nonce`. False where it was used before, or is too old to know.
    pub fn admit(&mut self, nonce: Nonce, count: u32) -> bool {
        if let Some(window) = self.windows.get_mut(&nonce) {
            return window.admit(count);
        }
        if self.horizon.is_some_and(|horizon| nonce <= horizon) {
            return false;
        }
        self.windows.insert(nonce, Window { highest: count, earlier: 0 });
        if self.windows.len() > self.limit {
            self.horizon = self.windows.pop_first().map(|(oldest, _)| oldest);
        }
        true
    }

    /// Drops the nonces that were issued before a moment, as they have expired.
    pub fn forget_before(&mut self, issued_ms: u64) {
        while let Some(oldest) = self.windows.first_entry() {
            if oldest.key().issued_ms >= issued_ms {
                break;
            }
            oldest.remove();
        }
    }
}

/// A sliding window, since datagrams overtake each other: the highest count, and which of the 64 below it were used.
struct Window {
    highest: u32,
    /// Bit n stands for `highest - 1 - n`.
    earlier: u64,
}

impl Window {
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

    #[test]
    fn a_count_serves_once() {
        let mut counts = Counts::new(8);
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
        let mut counts = Counts::new(1);
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
        let mut counts = Counts::new(2);
        assert!(counts.admit(nonce(10), 1));
        assert!(counts.admit(nonce(20), 1));
        assert!(counts.admit(nonce(30), 1));
        assert_eq!(counts.windows.len(), 2);
        assert!(!counts.admit(nonce(10), 2));
        assert!(!counts.admit(nonce(5), 1), "older than what was put out, so nobody can say");
        assert!(counts.admit(nonce(20), 2));
        counts.forget_before(25);
        assert_eq!(counts.windows.len(), 1);
    }
}
