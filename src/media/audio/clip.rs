//! A clip while it is played.

use crate::media::audio::transcode::is_known_rate;
use crate::media::command::Clip;
use std::sync::Arc;

/// What clips of odd rates are brought to.
const COMMON_RATE: u32 = 48_000;

pub struct Player {
    clip: Arc<Clip>,
    repeat: bool,
    /// The next sample, and for odd rates the part of one that lies before it, in 1/[`COMMON_RATE`].
    at: usize,
    part: u32,
}

impl Player {
    pub fn new(clip: Arc<Clip>, repeat: bool) -> Player {
        // A clip without samples or of no rate would never end or never advance.
        let repeat = repeat && !clip.samples.is_empty() && clip.rate > 0;
        Player { clip, repeat, at: 0, part: 0 }
    }

    /// Of what comes out, in Hz.
    pub fn rate(&self) -> u32 {
        if is_known_rate(self.clip.rate) { self.clip.rate } else { COMMON_RATE }
    }

    /// The samples of one step.
    pub fn step(&self) -> usize {
        self.rate() as usize / 100
    }

    /// Fills `out`, with silence after the end; false once that is reached.
    pub fn pull(&mut self, out: &mut [i16]) -> bool {
        let copied = self.clip.rate == self.rate();
        for out in out.iter_mut() {
            if self.at >= self.clip.samples.len() && self.repeat {
                self.at -= self.clip.samples.len();
            }
            *out = if copied { self.sample(0) } else { self.between() };
            self.advance(copied);
        }
        self.repeat || (self.clip.rate > 0 && self.at < self.clip.samples.len())
    }

    fn advance(&mut self, copied: bool) {
        if copied {
            self.at += 1;
        } else {
            let part = self.part + self.clip.rate;
            self.at += (part / COMMON_RATE) as usize;
            self.part = part % COMMON_RATE;
        }
    }

    /// The sample `offset` after the next one; silence outside of the clip.
    fn sample(&self, offset: isize) -> i16 {
        let index = self.at.checked_add_signed(offset);
        let index = if self.repeat { index.map(|index| index % self.clip.samples.len()) } else { index };
        index.and_then(|index| self.clip.samples.get(index)).copied().unwrap_or(0)
    }

    /// Between two samples, by the cubic through the four around them (Catmull and Rom).
    fn between(&self) -> i16 {
        let t = self.part as f32 / COMMON_RATE as f32;
        let [before, here, next, after] = [-1, 0, 1, 2].map(|offset| f32::from(self.sample(offset)));
        let slope = (next - before) * 0.5;
        let next_slope = (after - here) * 0.5;
        let rise = next - here;
        let cubic = slope + next_slope - 2.0 * rise;
        let square = 3.0 * rise - 2.0 * slope - next_slope;
        (((cubic * t + square) * t + slope) * t + here) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(rate: u32, samples: Vec<i16>) -> Arc<Clip> {
        Arc::new(Clip { rate, samples })
    }

    #[test]
    fn a_clip_ends_with_silence() {
        let mut player = Player::new(clip(8_000, vec![5; 100]), false);
        let mut out = [0; 80];
        assert!(player.pull(&mut out));
        assert_eq!(out, [5; 80]);
        assert!(!player.pull(&mut out));
        assert_eq!((out[19], out[20]), (5, 0));
        assert!(!Player::new(clip(8_000, Vec::new()), true).pull(&mut out));
        assert!(!Player::new(clip(0, vec![1; 9]), true).pull(&mut out));
    }

    #[test]
    fn a_repeated_clip_has_no_seam() {
        let mut player = Player::new(clip(16_000, (0..100).collect()), true);
        let mut out = [0; 160];
        for step in 0..50usize {
            assert!(player.pull(&mut out));
            assert!(out.iter().enumerate().all(|(n, &sample)| sample as usize == (step * 160 + n) % 100));
        }
    }

    #[test]
    fn odd_rates_keep_their_pitch() {
        let tone =
            |rate: u32, n: usize| (f64::sin(n as f64 * 440.0 * std::f64::consts::TAU / f64::from(rate)) * 9e3) as i16;
        let mut player = Player::new(clip(44_100, (0..44_100).map(|n| tone(44_100, n)).collect()), false);
        assert_eq!(player.rate(), 48_000);
        let mut out = [0; 480];
        for step in 0..90 {
            assert!(player.pull(&mut out));
            for (n, &sample) in out.iter().enumerate().skip(usize::from(step == 0)) {
                assert!((sample - tone(48_000, step * 480 + n)).abs() < 30);
            }
        }
    }
}
