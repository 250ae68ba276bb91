//! Digits that are heard as tones in the sound (ITU-T Q.24), and taken out of it.

use crate::media::audio::hearing::STEP_SAMPLES;
use crate::wire::dtmf;
use std::time::Duration;
use tandem_codecs::gain::{self, Gain};
use tandem_codecs::tone::dtmf::{Detector, Event};

/// What is heard of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Held { code: u8 },
    LetGo { digit: char, duration: Duration },
}

/// Hears a side's digits. What it lets through is late by a step, so that less of a digit's start gets through before it is
/// known to be one: 30 ms at most.
pub struct Keys {
    detector: Detector,
    /// In Hz.
    rate: u32,
    /// The step that is let through next.
    held: [i16; STEP_SAMPLES],
    is_held: bool,
    is_down: bool,
}

/// For so long the sound fades where a digit begins or ends, as a part of a second.
const FADE: u32 = 500;

impl Keys {
    /// For steps of sound at `rate` Hz.
    pub fn new(rate: u32) -> Keys {
        let held = [0; STEP_SAMPLES];
        Keys { detector: Detector::new(rate), rate, held, is_held: false, is_down: false }
    }

    /// In Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Whether a step is to be let through, or a digit is being heard, whose end silence has to tell.
    pub fn is_busy(&self) -> bool {
        self.is_held || self.detector.is_busy()
    }

    /// Hears a step and puts the one before it in its place, without any digit. False where that has nothing to be heard.
    pub fn hear(&mut self, pcm: &mut [i16], is_sound: bool, mut each: impl FnMut(Key)) -> bool {
        let was_down = self.is_down;
        let rate = u64::from(self.rate.max(1));
        if !is_sound {
            pcm.fill(0);
        }
        if is_sound || self.detector.is_busy() {
            let is_down = &mut self.is_down;
            self.detector.push(pcm, |event| match event {
                Event::Begun { digit, .. } => {
                    *is_down = true;
                    if let Some(code) = dtmf::code(char::from(digit)) {
                        each(Key::Held { code });
                    }
                }
                Event::Ended { digit, duration, .. } => {
                    *is_down = false;
                    let duration = Duration::from_micros(duration * 1_000_000 / rate);
                    each(Key::LetGo { digit: char::from(digit), duration });
                }
            });
        }
        let had = std::mem::replace(&mut self.is_held, is_sound);
        let (held, fade) = (&mut self.held[..pcm.len().min(STEP_SAMPLES)], (self.rate / FADE) as usize);
        held.swap_with_slice(&mut pcm[..held.len()]);
        let (ends, rest) = pcm.split_at_mut(fade.min(pcm.len()));
        match (was_down, self.is_down) {
            (false, false) => {}
            (false, true) => {
                gain::scale(ends, Gain::UNITY, Gain::SILENCE);
                rest.fill(0);
            }
            (true, false) => gain::scale(ends, Gain::SILENCE, Gain::UNITY),
            (true, true) => pcm.fill(0),
        }
        had
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_codecs::tone::dtmf::Generator;

    const RATE: u32 = 8_000;

    fn hum(samples: usize) -> impl Iterator<Item = i16> {
        (0..samples).map(|n| ((n as f32 * 0.3).sin() * 3_000.0) as i16)
    }

    /// What is let through, and the keys with the step at which each is told.
    fn hear(pcm: &[i16]) -> (Vec<i16>, Vec<(usize, Key)>) {
        let mut keys = Keys::new(RATE);
        let (mut through, mut heard) = (Vec::new(), Vec::new());
        for (n, step) in pcm.chunks_exact(80).enumerate() {
            let mut step = step.to_vec();
            keys.hear(&mut step, true, |key| heard.push((n, key)));
            through.extend(step);
        }
        (through, heard)
    }

    #[test]
    fn sound_passes_a_step_late_and_untouched() {
        let pcm: Vec<i16> = hum(4_000).collect();
        let (through, keys) = hear(&pcm);
        assert_eq!((&through[80..], keys), (&pcm[..3_920], Vec::new()));
    }

    #[test]
    fn of_a_digit_little_gets_through() {
        for offset in (0..160).step_by(7) {
            let mut pcm: Vec<i16> = hum(1_600 + offset).collect();
            let mut tone = vec![0; 800];
            Generator::new(RATE, b'5', -10.0, 800).unwrap().fill(&mut tone);
            pcm.extend(tone);
            pcm.extend(hum(1_600));
            let (through, keys) = hear(&pcm);
            let [(_, Key::Held { code: 5 }), (end, Key::LetGo { digit: '5', duration })] = keys[..] else {
                panic!("{offset}: {keys:?}")
            };
            assert!(duration.as_millis().abs_diff(100) <= 7, "{offset}: {duration:?}");
            let begin = 1_600 + offset + 80;
            let mute = (begin..through.len()).find(|&n| through[n..n + 80].iter().all(|&sample| sample == 0)).unwrap();
            assert!(mute - begin <= 240, "{offset}: {} samples", mute - begin);
            assert!(end * 80 >= begin + 720 && end * 80 <= begin + 800 + 240, "{offset}: {end}");
        }
    }

    #[test]
    fn silence_ends_a_digit() {
        let mut keys = Keys::new(RATE);
        let mut heard = Vec::new();
        let mut generator = Generator::new(RATE, b'#', -10.0, 640).unwrap();
        for n in 0..20 {
            let mut step = [0; 80];
            let is_sound = n < 8;
            generator.fill(&mut step);
            keys.hear(&mut step, is_sound, |key| heard.push(key));
        }
        assert!(matches!(heard[..], [Key::Held { code: 11 }, Key::LetGo { digit: '#', .. }]), "{heard:?}");
        assert!(!keys.is_busy());
    }
}
