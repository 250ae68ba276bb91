//! How losses lie: one by one in long gaps, or close together in bursts (RFC 3611 §4.7.2), which listeners mind more.

use std::ops::Add;

/// So many packets in a row that came and were of use end a burst (RFC 3611 §4.7.2).
pub const GMIN: u64 = 16;

/// What became of one packet of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Used,
    /// It never came.
    Lost,
    /// It came after its turn to be played.
    Discarded,
}

/// Sums over a stream, or over several that followed each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bursts {
    /// Stretches of packets in a row of which none was of use.
    pub runs: u64,
    /// Bursts, the packets from the first to the last of no use in each, and how many of those were of no use. A single one
    /// among at least [`GMIN`] good ones on either side is no burst.
    pub count: u64,
    pub packets: u64,
    pub missing: u64,
}

impl Add for Bursts {
    type Output = Bursts;

    fn add(self, other: Bursts) -> Bursts {
        Bursts {
            runs: self.runs + other.runs,
            count: self.count + other.count,
            packets: self.packets + other.packets,
            missing: self.missing + other.missing,
        }
    }
}

/// Packets of no use that lie closer together than a gap would let them.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    packets: u64,
    missing: u64,
}

impl Stretch {
    fn bursts(self) -> Bursts {
        match self.missing {
            0 | 1 => Bursts::default(),
            missing => Bursts { runs: 0, count: 1, packets: self.packets, missing },
        }
    }
}

/// Follows a stream packet by packet, in a few words of memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracker {
    done: Bursts,
    stretch: Stretch,
    /// Packets of use since the last that was not; before the first stretch it counts for nothing.
    good: u64,
}

impl Tracker {
    /// The next packet of the stream, in the order of the numbers.
    pub fn next(&mut self, fate: Fate) {
        match fate {
            Fate::Used => self.good = self.good.saturating_add(1),
            Fate::Lost | Fate::Discarded => self.miss(1),
        }
    }

    /// `count` packets in a row that never came.
    pub fn miss(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        let begins = self.stretch.missing == 0;
        if begins || self.good > 0 {
            self.done.runs += 1;
        }
        if begins || self.good >= GMIN {
            self.done = self.done + self.stretch.bursts();
            self.stretch = Stretch { packets: count, missing: count };
        } else {
            self.stretch.packets += self.good + count;
            self.stretch.missing += count;
        }
        self.good = 0;
    }

    /// The stream is over, and what follows has nothing to do with it.
    pub fn cut(&mut self) {
        *self = Tracker { done: self.sums(), ..Tracker::default() };
    }

    /// What is known so far. A stretch that isn't over counts as it is.
    pub fn sums(&self) -> Bursts {
        self.done + self.stretch.bursts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, as it is written: every maximal stretch between packets of no use that has no `GMIN` good ones in a
    /// row, looked for anew from each beginning.
    fn by_definition(fates: &[Fate]) -> Bursts {
        let bad: Vec<bool> = fates.iter().map(|fate| *fate != Fate::Used).collect();
        let mut sums = Bursts::default();
        for at in 0..bad.len() {
            if bad[at] && (at == 0 || !bad[at - 1]) {
                sums.runs += 1;
            }
        }
        let has_gap =
            |from: usize, to: usize| bad[from..to].windows(GMIN as usize).any(|run| run.iter().all(|bad| !bad));
        for first in 0..bad.len() {
            let precedes = (0..first).any(|before| bad[before] && !has_gap(before, first + 1));
            if !bad[first] || precedes {
                continue;
            }
            let last = (first..bad.len()).filter(|&last| bad[last] && !has_gap(first, last + 1)).max().unwrap();
            let missing = bad[first..=last].iter().filter(|bad| **bad).count() as u64;
            if missing > 1 {
                sums.count += 1;
                sums.packets += (last + 1 - first) as u64;
                sums.missing += missing;
            }
        }
        sums
    }

    fn tracked(fates: &[Fate]) -> Bursts {
        let mut tracker = Tracker::default();
        fates.iter().for_each(|&fate| tracker.next(fate));
        tracker.sums()
    }

    #[test]
    fn a_burst_is_losses_close_together() {
        let mut fates = vec![Fate::Used; 100];
        fates[20] = Fate::Lost;
        assert_eq!(tracked(&fates), Bursts { runs: 1, ..Bursts::default() }, "one is no burst");
        for lost in [50, 51, 60] {
            fates[lost] = Fate::Lost;
        }
        fates[66] = Fate::Discarded;
        assert_eq!(tracked(&fates), Bursts { runs: 4, count: 1, packets: 17, missing: 4 });
        // Fifteen good packets don't end it, and sixteen do.
        fates[82] = Fate::Lost;
        assert_eq!(tracked(&fates).packets, 33);
        fates[82] = Fate::Used;
        fates[83] = Fate::Lost;
        assert_eq!(tracked(&fates).packets, 17);
    }

    #[test]
    fn what_follows_a_cut_joins_no_burst_before_it() {
        let mut tracker = Tracker::default();
        [Fate::Lost, Fate::Used, Fate::Lost].into_iter().for_each(|fate| tracker.next(fate));
        tracker.cut();
        tracker.next(Fate::Lost);
        assert_eq!(tracker.sums(), Bursts { runs: 3, count: 1, packets: 3, missing: 2 });
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![8 => Just(Fate::Used), 1 => Just(Fate::Lost), 1 => Just(Fate::Discarded)]
    }

    proptest! {
        #[test]
        fn the_sums_are_those_of_the_definition(
            runs in prop::collection::vec((fate(), 1usize..30), 0..20),
        ) {
            let fates: Vec<Fate> = runs.iter().flat_map(|&(fate, count)| std::iter::repeat_n(fate, count)).collect();
            prop_assert_eq!(tracked(&fates), by_definition(&fates));
            let mut tracker = Tracker::default();
            for (fate, count) in runs {
                match fate {
                    Fate::Lost => tracker.miss(count as u64),
                    fate => (0..count).for_each(|_| tracker.next(fate)),
                }
            }
            prop_assert_eq!(tracker.sums(), by_definition(&fates));
        }
    }
}
