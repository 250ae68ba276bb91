//! The sound of a room: those who talk added up, softer where that would be too loud, and for each of them less what is
//! their own.

use crate::media::audio::hearing::STEP_SAMPLES;
use tandem_codecs::gain::{Gain, scale};
use tandem_codecs::mix;

/// As loud as a mix may be before it is made softer: 2.7 dB below full scale, where the kernel that adds up begins to bend
/// what is louder still.
const LOUDEST: i32 = 24_000;
/// The part of its way back that the gain goes in a step once it is quieter: 0.3 s for two thirds.
const RELEASE: f32 = 0.03;

const SILENCE: [i16; STEP_SAMPLES] = [0; STEP_SAMPLES];

pub struct Mixer {
    /// The samples of a step.
    step: usize,
    sum: Box<[i32; STEP_SAMPLES]>,
    parts: Box<[[i16; STEP_SAMPLES]]>,
    used: usize,
    gain: f32,
}

impl Mixer {
    /// For sound of `rate` Hz, to which up to `parts` contribute at once.
    pub fn new(rate: u32, parts: usize) -> Mixer {
        Mixer {
            step: (rate as usize / 100).min(STEP_SAMPLES),
            sum: Box::new([0; STEP_SAMPLES]),
            parts: vec![SILENCE; parts].into_boxed_slice(),
            used: 0,
            gain: 1.0,
        }
    }

    pub fn step(&self) -> usize {
        self.step
    }

    /// Begins a step of silence.
    pub fn begin(&mut self) {
        self.used = 0;
    }

    /// Adds what `write` puts down, a step of it, at a gain that moves from one to the other. None where as many contribute
    /// as can.
    pub fn add(&mut self, from: f32, to: f32, write: impl FnOnce(&mut [i16])) -> Option<usize> {
        let part = self.parts.get_mut(self.used)?.get_mut(..self.step)?;
        write(part);
        scale(part, Gain::new(from), Gain::new(to));
        self.used += 1;
        Some(self.used - 1)
    }

    /// Ends the step: all is added up, and softer as a whole where it would be too loud.
    pub fn finish(&mut self) {
        let loudest = self.add_up();
        let needed = if loudest > LOUDEST { LOUDEST as f32 / loudest as f32 } else { 1.0 };
        let before = self.gain;
        self.gain = if needed < before { needed } else { before + (needed - before) * RELEASE };
        if self.gain > 0.999 {
            self.gain = 1.0;
        }
        if (before, self.gain) == (1.0, 1.0) {
            return;
        }
        let (from, to) = (Gain::new(before), Gain::new(self.gain));
        for part in &mut self.parts[..self.used] {
            scale(&mut part[..self.step], from, to);
        }
        self.add_up();
    }

    /// Says how loud the sum is.
    fn add_up(&mut self) -> i32 {
        let sum = &mut self.sum[..self.step];
        sum.fill(0);
        for part in &self.parts[..self.used] {
            mix::add(sum, &part[..self.step]);
        }
        sum.iter().map(|sample| sample.abs()).max().unwrap_or(0)
    }

    /// Whether nobody contributes.
    pub fn is_silent(&self) -> bool {
        self.used == 0
    }

    /// Fills `out`, a step long, with the mix; without one's own part where there is one.
    pub fn mix(&self, without: Option<usize>, out: &mut [i16]) {
        let own = without.and_then(|part| self.parts.get(part)).unwrap_or(&SILENCE);
        mix::without(&self.sum[..self.step], &own[..self.step], out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(mixer: &mut Mixer, levels: &[i16]) -> [i16; 80] {
        mixer.begin();
        for &level in levels {
            mixer.add(1.0, 1.0, |part| part.fill(level)).unwrap();
        }
        mixer.finish();
        let mut out = [0; 80];
        mixer.mix(None, &mut out);
        out
    }

    #[test]
    fn each_hears_all_but_themself() {
        let mut mixer = Mixer::new(8_000, 3);
        assert_eq!(step(&mut mixer, &[1_000, -300, 20]), [720; 80]);
        let mut out = [0; 80];
        mixer.mix(Some(0), &mut out);
        assert_eq!(out, [-280; 80]);
        mixer.mix(Some(2), &mut out);
        assert_eq!(out, [700; 80]);
        assert!(mixer.add(1.0, 1.0, |_| ()).is_none(), "a fourth");
        assert_eq!(step(&mut mixer, &[]), [0; 80]);
    }

    #[test]
    fn a_part_fades_in() {
        let mut mixer = Mixer::new(8_000, 3);
        mixer.begin();
        mixer.add(0.0, 1.0, |part| part.fill(8_000));
        mixer.finish();
        let mut out = [0; 80];
        mixer.mix(None, &mut out);
        assert!(out[0] < 120 && out[79] > 7_900, "{out:?}");
        assert!(out.windows(2).all(|pair| (80..=120).contains(&(pair[1] - pair[0]))), "{out:?}");
    }

    #[test]
    fn a_loud_room_is_softer_and_has_its_level_back_slowly() {
        let mut mixer = Mixer::new(8_000, 8);
        assert_eq!(step(&mut mixer, &[9_000]), [9_000; 80]);
        let onset = step(&mut mixer, &[20_000; 8]);
        assert!(onset.iter().all(|&sample| (9_000..32_767).contains(&sample)), "{onset:?}");
        assert!(step(&mut mixer, &[20_000; 8]).iter().all(|&sample| (23_000..24_100).contains(&sample)));
        let mut last = step(&mut mixer, &[9_000])[79];
        assert!(last < 1_600, "{last}");
        for _ in 0..300 {
            let next = step(&mut mixer, &[9_000])[79];
            assert!((-1..300).contains(&(next - last)), "{last} {next}");
            last = next;
        }
        assert_eq!(last, 9_000);
    }
}
