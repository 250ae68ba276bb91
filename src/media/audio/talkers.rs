//! Who talks in a room: found by level, with hysteresis, and never more than so many at once.

/// Mean squares at which a voice begins and ends: 50 dB and 56 dB below a full-scale square wave. Speech is at 20 to 40, the
/// noise of a quiet room on a telephone at 60 and below.
const BEGINS: u32 = 10_737;
const ENDS: u32 = 2_697;
/// Steps of quiet after which a talker has ended: longer than a pause between two words.
const HANG: u16 = 40;
/// A newcomer takes a talker's place who is so many times as loud in power, 6 dB.
const LOUDER: u32 = 4;

/// One member, as far as this is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Talk {
    /// Mean square of the samples, smoothed: half of what rises is followed in a step, a sixteenth of what falls.
    envelope: u32,
    quiet: u16,
    talks: bool,
}

impl Talk {
    /// Takes a step's mean square, 0 for silence.
    pub fn hear(&mut self, mean_square: u32) {
        let (now, before) = (i64::from(mean_square), i64::from(self.envelope));
        let moved = if now > before { (now - before + 1) / 2 } else { (now - before - 15) / 16 };
        self.envelope = u32::try_from(before + moved).unwrap_or(0);
        if !self.talks {
            return;
        }
        self.quiet = if self.envelope < ENDS { self.quiet + 1 } else { 0 };
        self.talks = self.quiet < HANG;
    }

    pub fn talks(&self) -> bool {
        self.talks
    }

    /// It isn't to be heard from now on.
    pub fn stop(&mut self) {
        *self = Talk::default();
    }

    /// In dB below the loudest square wave (RFC 6464 §3).
    pub fn level_below_db(&self) -> u8 {
        let share = f64::from(self.envelope) / f64::from(1u32 << 30);
        ((-10.0 * share.log10()).round() as u8).min(127)
    }

    fn begin(&mut self) {
        (self.talks, self.quiet) = (true, 0);
    }
}

pub struct Talkers {
    limit: usize,
    /// Those who would talk and don't yet, kept only for its room.
    candidates: Vec<u32>,
}

impl Talkers {
    pub fn new(limit: usize) -> Talkers {
        Talkers { limit: limit.max(1), candidates: Vec::new() }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Makes room for so many members.
    pub fn reserve(&mut self, members: usize) {
        self.candidates.reserve(members.saturating_sub(self.candidates.len()));
    }

    /// Says who talks from now on. Whoever does goes on until it is quiet, or somebody much louder begins.
    pub fn choose(&mut self, talks: &mut [Talk]) {
        self.candidates.clear();
        let mut count = 0;
        let mut softest: Option<(usize, u32)> = None;
        for (index, talk) in talks.iter().enumerate() {
            if talk.talks {
                count += 1;
                if softest.is_none_or(|(_, least)| talk.envelope < least) {
                    softest = Some((index, talk.envelope));
                }
            } else if talk.envelope >= BEGINS {
                self.candidates.push(index as u32);
            }
        }
        while count < self.limit
            && let Some(loudest) = self.take_loudest(talks)
        {
            talks[loudest].begin();
            count += 1;
        }
        if let Some((softest, envelope)) = softest
            && count >= self.limit
            && let Some(loudest) = self.take_loudest(talks)
            && talks[loudest].envelope / LOUDER > envelope
        {
            talks[softest].talks = false;
            talks[loudest].begin();
        }
    }

    fn take_loudest(&mut self, talks: &[Talk]) -> Option<usize> {
        let loudness = |index: u32| talks.get(index as usize).map_or(0, |talk| talk.envelope);
        let at = (0..self.candidates.len()).max_by_key(|&at| loudness(self.candidates[at]))?;
        Some(self.candidates.swap_remove(at) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(talkers: &mut Talkers, talks: &mut [Talk], steps: usize, levels: &[u32]) {
        for _ in 0..steps {
            talks.iter_mut().zip(levels).for_each(|(talk, &level)| talk.hear(level));
            talkers.choose(talks);
        }
    }

    fn who(talks: &[Talk]) -> Vec<usize> {
        (0..talks.len()).filter(|&index| talks[index].talks()).collect()
    }

    #[test]
    fn who_is_loud_talks_until_it_was_quiet_for_a_while() {
        let (mut talkers, mut talks) = (Talkers::new(8), [Talk::default(); 3]);
        run(&mut talkers, &mut talks, 3, &[1_000_000, 100, 0]);
        assert_eq!(who(&talks), [0]);
        // Between the two levels a voice goes on and none begins.
        run(&mut talkers, &mut talks, 500, &[5_000, 5_000, 0]);
        assert_eq!(who(&talks), [0]);
        run(&mut talkers, &mut talks, 20, &[0, 0, 0]);
        assert_eq!(who(&talks), [0], "a pause between words");
        run(&mut talkers, &mut talks, 100, &[0, 0, 0]);
        assert_eq!(who(&talks), [0; 0]);
        assert_eq!(talks[0].level_below_db(), 127);
    }

    #[test]
    fn no_more_talk_than_may_and_the_loudest_first() {
        let (mut talkers, mut talks) = (Talkers::new(2), [Talk::default(); 4]);
        run(&mut talkers, &mut talks, 10, &[400_000, 900_000, 800_000, 100_000]);
        assert_eq!(who(&talks), [1, 2]);
        // A little louder isn't enough; four times is.
        run(&mut talkers, &mut talks, 100, &[2_000_000, 900_000, 800_000, 0]);
        assert_eq!(who(&talks), [1, 2]);
        run(&mut talkers, &mut talks, 100, &[4_000_000, 900_000, 800_000, 0]);
        assert_eq!(who(&talks), [0, 1]);
    }

    #[test]
    fn levels_are_in_decibels() {
        let (mut talkers, mut talks) = (Talkers::new(1), [Talk::default(); 1]);
        run(&mut talkers, &mut talks, 60, &[1 << 30]);
        assert_eq!(talks[0].level_below_db(), 0);
        run(&mut talkers, &mut talks, 300, &[10_737_418]);
        assert_eq!(talks[0].level_below_db(), 20);
    }
}
