//! A copy of what a port hears, for whoever records or analyses it elsewhere.

use crate::media::audio::hearing::STEP_SAMPLES;
use crate::media::command::Tap;
use tandem_codecs::resample::Resampler;

pub struct Tapped {
    tap: Tap,
    resampler: Option<Resampler>,
    /// The rate of what comes in.
    from: u32,
}

impl Tapped {
    pub fn new(tap: Tap) -> Tapped {
        let from = tap.rate;
        Tapped { tap, resampler: None, from }
    }

    /// In Hz.
    pub fn rate(&self) -> u32 {
        self.tap.rate
    }

    /// Makes ready for sound of `from` Hz; where that can't be resampled, silence takes its place.
    pub fn prepare(&mut self, from: u32) {
        if from != self.from {
            self.from = from;
            self.resampler = Resampler::new(from, self.tap.rate).ok();
        }
    }

    /// Takes a step of sound, or of silence. What finds no room is lost, and the call goes on.
    pub fn push(&mut self, pcm: Option<&[i16]>, from: u32) {
        let mut room = [0; STEP_SAMPLES + 1];
        let silence = (self.tap.rate as usize / 100).min(STEP_SAMPLES);
        let count = match (pcm, &mut self.resampler) {
            (Some(pcm), None) if from == self.tap.rate && self.from == from => {
                let _ = self.tap.samples.push_partial_slice(pcm);
                return;
            }
            (Some(pcm), Some(resampler)) if self.from == from => resampler.process(pcm, &mut room),
            (None, Some(resampler)) => resampler.process(&[0; STEP_SAMPLES][..self.from as usize / 100], &mut room),
            _ => silence,
        };
        let _ = self.tap.samples.push_partial_slice(&room[..count]);
    }

    /// Whether nobody listens any more.
    pub fn is_abandoned(&self) -> bool {
        self.tap.samples.is_abandoned()
    }
}
