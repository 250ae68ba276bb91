//! The sequence of one source, its losses and its jitter (RFC 3550 A.1, A.3, A.8).

use crate::base::time::Time;
use crate::media::stream::bursts::{Bursts, Fate, Tracker};

/// A jump forward of fewer packets is a loss, and one of more a mistake or a restart.
const MAX_DROPOUT: u16 = 3_000;
/// A packet that is late by fewer is out of order, and one by more a mistake or a restart.
const MAX_MISORDER: u16 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// In sequence or ahead of it: the newest packet so far.
    New(u64),
    /// Out of order, and not heard before.
    Late(u64),
    Duplicate,
    /// Far off. Dropped, unless the next packet follows it.
    Suspect,
    /// The second packet after a jump: the source has begun a new sequence.
    Restart(u64),
}

/// Numbers are extended to 64 bits, so that nothing after this wraps. They begin above zero, which leaves room for packets
/// from before the first.
#[derive(Debug)]
pub struct Sequence {
    base: u64,
    highest: u64,
    /// Bit n is set once `highest - n` was heard.
    window: u64,
    /// Bit n is set once `highest - n` was thrown away, since its turn was over.
    discarded: u64,
    discards: u64,
    /// Follows what leaves the window, whose fate is settled.
    tracker: Tracker,
    suspect: Option<u16>,
    received: u64,
    /// Of sequences before a restart.
    lost_before: i64,
    expected_at_report: u64,
    received_at_report: u64,
    jitter: Jitter,
}

impl Sequence {
    pub fn new(first: u16) -> Sequence {
        let base = (1 << 16) + u64::from(first);
        Sequence {
            base,
            highest: base,
            window: 1,
            discarded: 0,
            discards: 0,
            tracker: Tracker::default(),
            suspect: None,
            received: 1,
            lost_before: 0,
            expected_at_report: 0,
            received_at_report: 0,
            jitter: Jitter::default(),
        }
    }

    /// Judges the next packet (RFC 3550 A.1). Only packets that aren't suspect count as received.
    pub fn update(&mut self, number: u16) -> Step {
        let ahead = number.wrapping_sub(self.highest as u16);
        if ahead != 0 && ahead < MAX_DROPOUT {
            self.advance(u64::from(ahead));
            return self.take(Step::New(self.highest));
        }
        let behind = (self.highest as u16).wrapping_sub(number);
        if behind <= MAX_MISORDER {
            return self.judge_late(u64::from(behind));
        }
        if self.suspect == Some(number) {
            let (lost_before, jitter, discards) = (self.lost(), self.jitter, self.discards);
            let tracker = self.settled();
            *self = Sequence { lost_before, jitter, discards, tracker, ..Sequence::new(number) };
            return Step::Restart(self.highest);
        }
        self.suspect = Some(number.wrapping_add(1));
        Step::Suspect
    }

    /// The same stream goes on under another name.
    pub fn succeed(&mut self, before: &Sequence) {
        (self.tracker, self.discards) = (before.settled(), before.discards);
    }

    fn advance(&mut self, ahead: u64) {
        let fates = self.fates(ahead);
        fates.for_each(|fate| self.tracker.next(fate));
        self.tracker.miss(ahead.saturating_sub(64));
        self.highest += ahead;
        let shift = |mask: u64| mask.checked_shl(ahead as u32).unwrap_or(0);
        (self.window, self.discarded) = (shift(self.window) | 1, shift(self.discarded));
    }

    /// What became of the `count` oldest packets of the window, those from before the stream left out.
    fn fates(&self, count: u64) -> impl Iterator<Item = Fate> + use<> {
        let (window, discarded) = (self.window, self.discarded);
        let first = 63.min(self.highest - self.base);
        let last = 64 - count.min(64);
        (last..=first).rev().map(move |bit| match (window >> bit & 1, discarded >> bit & 1) {
            (0, _) => Fate::Lost,
            (_, 0) => Fate::Used,
            _ => Fate::Discarded,
        })
    }

    /// With the window's packets settled as they stand, and the stream at its end.
    fn settled(&self) -> Tracker {
        let mut tracker = self.tracker;
        self.fates(64).for_each(|fate| tracker.next(fate));
        tracker.cut();
        tracker
    }

    /// A packet that came is thrown away, since its turn was over.
    pub fn discard(&mut self, extended: u64) {
        self.discards += 1;
        if let Some(behind) = self.highest.checked_sub(extended).filter(|behind| *behind < 64) {
            self.discarded |= 1 << behind;
        }
    }

    pub fn discards(&self) -> u64 {
        self.discards
    }

    /// How what is missing lies, with packets that may yet come counted as missing.
    pub fn bursts(&self) -> Bursts {
        self.settled().sums()
    }

    fn judge_late(&mut self, behind: u64) -> Step {
        if behind < 64 && self.window >> behind & 1 == 1 {
            // RFC 3550 counts duplicates as received, so that losses can fall below zero.
            return self.take(Step::Duplicate);
        }
        if behind < 64 {
            self.window |= 1 << behind;
        }
        self.take(Step::Late(self.highest - behind))
    }

    fn take(&mut self, step: Step) -> Step {
        self.suspect = None;
        self.received += 1;
        step
    }

    pub fn highest(&self) -> u64 {
        self.highest
    }

    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    /// Expected and not received (A.3); below zero where duplicates outnumber the losses.
    pub fn lost(&self) -> i64 {
        self.lost_before + self.expected() as i64 - self.received as i64
    }

    /// The share of packets lost since the last call, in 1/256 (A.3).
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.expected_at_report.min(self.expected());
        let received = self.received - self.received_at_report.min(self.received);
        (self.expected_at_report, self.received_at_report) = (self.expected(), self.received);
        let lost = expected.saturating_sub(received);
        u8::try_from((lost << 8).checked_div(expected).unwrap_or(0)).unwrap_or(u8::MAX)
    }

    pub fn jitter(&mut self) -> &mut Jitter {
        &mut self.jitter
    }
}

/// Interarrival jitter (A.8).
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    /// Of the last packet, with the clock rate in which it was taken.
    transit: Option<(u32, u32)>,
    /// In 1/16 of a unit of the clock.
    scaled: u32,
    clock_rate: u32,
}

impl Jitter {
    pub fn update(&mut self, now: Time, timestamp: u32, clock_rate: u32) {
        let arrival = (u128::from(now.nanos()) * u128::from(clock_rate) / 1_000_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some((before, rate)) = self.transit
            && rate == clock_rate
        {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // A jump of the timestamp by over ten seconds says nothing about the network.
            if difference < clock_rate.saturating_mul(10) {
                let decay = (self.scaled + 8) >> 4;
                self.scaled = self.scaled.saturating_add(difference).saturating_sub(decay);
            }
        } else {
            self.scaled = 0;
        }
        self.transit = Some((transit, clock_rate));
        self.clock_rate = clock_rate;
    }

    /// In units of the source's clock, as reports have it.
    pub fn units(&self) -> u32 {
        self.scaled >> 4
    }

    pub fn micros(&self) -> u32 {
        let micros = u64::from(self.scaled) * 1_000_000 / 16;
        u32::try_from(micros.checked_div(u64::from(self.clock_rate)).unwrap_or(0)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_without_a_seam() {
        let mut sequence = Sequence::new(65_530);
        let first = sequence.highest();
        for n in 1..100_000u64 {
            assert_eq!(sequence.update((65_530 + n) as u16), Step::New(first + n));
        }
        assert_eq!(sequence.lost(), 0);
    }

    #[test]
    fn loss_reordering_and_duplicates_are_told_apart() {
        let mut sequence = Sequence::new(10);
        let first = sequence.highest();
        assert_eq!(sequence.update(13), Step::New(first + 3));
        assert_eq!(sequence.lost(), 2);
        assert_eq!(sequence.update(12), Step::Late(first + 2));
        assert_eq!(sequence.lost(), 1);
        assert_eq!(sequence.update(12), Step::Duplicate);
        assert_eq!(sequence.update(13), Step::Duplicate);
        assert_eq!(sequence.lost(), -1);
        assert_eq!(sequence.update(9), Step::Late(first - 1));
    }

    /// All that the sequence says of bursts, beside one that is told each packet's fate in order.
    fn assert_bursts(sequence: &Sequence, fates: &[Fate]) {
        let mut tracker = Tracker::default();
        fates.iter().for_each(|&fate| tracker.next(fate));
        assert_eq!(sequence.bursts(), tracker.sums());
    }

    #[test]
    fn bursts_wait_for_packets_that_are_out_of_order() {
        let mut sequence = Sequence::new(65_500);
        let mut fates = vec![Fate::Used];
        let mut held = Vec::new();
        for n in 1..2_000u64 {
            let number = (65_500 + n) as u16;
            let fate = match n % 97 {
                10 | 11 | 20 => Fate::Lost,
                40 => Fate::Discarded,
                _ => Fate::Used,
            };
            fates.push(fate);
            match fate {
                Fate::Lost => {}
                // Every ninth comes fifty packets later.
                _ if n % 9 == 0 => held.push((n + 50, number, fate)),
                _ => {
                    let Step::New(extended) = sequence.update(number) else { panic!("{number}") };
                    if fate == Fate::Discarded {
                        sequence.discard(extended);
                    }
                }
            }
            while let Some((_, number, fate)) = held.first().copied().filter(|(at, ..)| *at <= n) {
                held.remove(0);
                let Step::Late(extended) = sequence.update(number) else { panic!("{number}") };
                if fate == Fate::Discarded {
                    sequence.discard(extended);
                }
            }
        }
        for (_, number, fate) in held {
            let Step::Late(extended) = sequence.update(number) else { panic!("{number}") };
            if fate == Fate::Discarded {
                sequence.discard(extended);
            }
        }
        assert_bursts(&sequence, &fates);
        assert_eq!(sequence.discards(), fates.iter().filter(|fate| **fate == Fate::Discarded).count() as u64);
    }

    #[test]
    fn a_long_hole_is_one_burst() {
        let mut sequence = Sequence::new(0);
        sequence.update(1);
        sequence.update(501);
        assert_eq!(sequence.bursts(), Bursts { runs: 1, count: 1, packets: 499, missing: 499 });
        let mut later = Sequence::new(40_000);
        later.update(40_002);
        later.succeed(&sequence);
        assert_eq!(later.bursts(), Bursts { runs: 2, count: 1, packets: 499, missing: 499 });
    }

    #[test]
    fn a_restart_needs_two_packets() {
        let mut sequence = Sequence::new(10);
        assert_eq!(sequence.update(30_000), Step::Suspect);
        assert!(matches!(sequence.update(11), Step::New(_)));
        assert_eq!(sequence.update(30_000), Step::Suspect);
        assert_eq!(sequence.update(40_000), Step::Suspect);
        assert_eq!(sequence.update(40_001), Step::Restart((1 << 16) + 40_001));
        assert!(matches!(sequence.update(40_002), Step::New(_)));
        assert_eq!(sequence.lost(), 0);
    }

    #[test]
    fn the_share_lost_is_of_the_time_since_the_last_report() {
        let mut sequence = Sequence::new(0);
        for n in (2..100).step_by(2) {
            sequence.update(n);
        }
        assert_eq!(sequence.fraction_lost(), ((49u32 << 8) / 99) as u8);
        for n in 99..200 {
            sequence.update(n);
        }
        assert_eq!(sequence.fraction_lost(), 0);
    }

    #[test]
    fn jitter_nears_the_mean_difference() {
        let mut jitter = Jitter::default();
        for n in 0..2_000u64 {
            let late = if n % 2 == 0 { 0 } else { 5 };
            jitter.update(Time::from_millis(n * 20 + late), (n * 160) as u32, 8_000);
        }
        // Each packet differs from the one before by 5 ms, which are 40 units.
        assert!((38..=40).contains(&jitter.units()), "{}", jitter.units());
        assert!((4_800..=5_000).contains(&jitter.micros()), "{}", jitter.micros());
    }
}
