//! The port numbers that a worker may use: not again for a while after use, so that the last packets of one call don't come
//! into the next.

use crate::base::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// As long as BYE is repeated to somebody who didn't hear it, and so speaks on (64*T1 of RFC 3261 §17.1.2.2), and a little.
const QUARANTINE: Duration = Duration::from_secs(34);

pub struct Range {
    /// The first even number.
    first: u16,
    is_used: Vec<bool>,
    /// The next place that was never used.
    fresh: usize,
    /// Pairs that rest, the one that has rested longest first.
    resting: VecDeque<(Time, usize)>,
}

impl Range {
    /// Both ends included; a pair is an even number and the odd one after it.
    pub fn new((first, last): (u16, u16)) -> Range {
        let even = u32::from(first).div_ceil(2) * 2;
        let pairs = (u32::from(last) + 1).saturating_sub(even) / 2;
        // Without pairs the first number is never asked for.
        Range {
            first: u16::try_from(even).unwrap_or(0),
            is_used: vec![false; pairs as usize],
            fresh: 0,
            resting: VecDeque::with_capacity(pairs as usize),
        }
    }

    pub fn pairs(&self) -> usize {
        self.is_used.len()
    }

    /// The place of a number among the pairs; beyond all of them for one that isn't in the range.
    pub fn place(&self, number: u16) -> usize {
        number.checked_sub(self.first).map_or(usize::MAX, |offset| usize::from(offset / 2))
    }

    /// The even number of a pair that has rested, or of the next free one; it is used from now on. Where all others are used,
    /// one that still rests is better than none.
    pub fn take(&mut self, now: Time) -> Option<u16> {
        let has_rested = self.resting.front().is_some_and(|&(until, _)| until <= now);
        let index = if !has_rested && self.fresh < self.is_used.len() {
            self.fresh += 1;
            self.fresh - 1
        } else {
            self.resting.pop_front()?.1
        };
        self.is_used[index] = true;
        Some(self.first + 2 * index as u16)
    }

    /// Gives a pair back, to rest.
    pub fn give_back(&mut self, now: Time, number: u16) {
        let index = self.place(number);
        if let Some(is_used) = self.is_used.get_mut(index).filter(|is_used| **is_used) {
            *is_used = false;
            self.resting.push_back((now + QUARANTINE, index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_within_the_range() {
        let mut range = Range::new((10_001, 10_006));
        assert_eq!(range.pairs(), 2);
        assert_eq!(range.take(Time::ZERO), Some(10_002));
        assert_eq!(range.take(Time::ZERO), Some(10_004));
        assert_eq!(range.take(Time::ZERO), None);
        assert_eq!(Range::new((65_534, 65_535)).pairs(), 1);
        assert_eq!(Range::new((65_535, 65_535)).pairs(), 0);
        assert_eq!(Range::new((10, 5)).pairs(), 0);
    }

    #[test]
    fn a_pair_rests_before_its_next_turn() {
        let mut range = Range::new((100, 105));
        assert_eq!(range.take(Time::ZERO), Some(100));
        range.give_back(Time::ZERO, 100);
        assert_eq!(range.take(Time::ZERO), Some(102));
        assert_eq!(range.take(Time::ZERO), Some(104));
        // Nothing else is left.
        assert_eq!(range.take(Time::ZERO), Some(100));
        range.give_back(Time::ZERO, 102);
        range.give_back(Time::ZERO, 100);
        range.give_back(Time::ZERO, 100);
        // In turn, and the pair after the last one comes first.
        assert_eq!(range.take(Time::from_millis(35_000)), Some(102));
        assert_eq!(range.take(Time::from_millis(35_000)), Some(100));
        assert_eq!(range.take(Time::from_millis(35_000)), None);
    }
}
