//! Tones that callers hear from us.

use crate::media::command::Clip;
use std::f64::consts::TAU;
use std::sync::{Arc, LazyLock};

/// Everything that a telephone can tell apart.
const RATE: u32 = 8_000;
/// 10 % of full scale for each of the two frequencies: about -17 dBm0 together, as loud as a dial tone.
const AMPLITUDE: f64 = 3_277.0;

/// What was asked for is done: three short tones of 350 and 440 Hz, 100 ms each with 100 ms between them, as North American
/// exchanges confirm a setting (ITU-T E.180 suppl. 2), twice, after a moment in which the call settles.
pub fn confirmation() -> Arc<Clip> {
    let mut samples = Vec::new();
    silence(&mut samples, 300);
    for _ in 0..2 {
        for _ in 0..3 {
            tone(&mut samples, [350.0, 440.0], 100);
            silence(&mut samples, 100);
        }
        silence(&mut samples, 400);
    }
    Arc::new(Clip { rate: RATE, samples })
}

/// The called phone rings: 440 and 480 Hz for two seconds in six, as North America has it (ITU-T E.180 suppl. 2).
pub fn ringing() -> Arc<Clip> {
    static RINGING: LazyLock<Arc<Clip>> = LazyLock::new(|| {
        let mut samples = Vec::new();
        tone(&mut samples, [440.0, 480.0], 2_000);
        silence(&mut samples, 4_000);
        Arc::new(Clip { rate: RATE, samples })
    });
    Arc::clone(&RINGING)
}

fn tone(samples: &mut Vec<i16>, frequencies: [f64; 2], length_ms: u32) {
    let length = RATE * length_ms / 1_000;
    samples.extend((0..length).map(|at| {
        let time_s = f64::from(at) / f64::from(RATE);
        let sum: f64 = frequencies.iter().map(|frequency| (TAU * frequency * time_s).sin()).sum();
        (AMPLITUDE * sum) as i16
    }));
}

fn silence(samples: &mut Vec<i16>, length_ms: u32) {
    samples.resize(samples.len() + (RATE * length_ms / 1_000) as usize, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ringing_is_heard_for_two_seconds_in_six() {
        let clip = ringing();
        assert_eq!(clip.samples.len(), 8 * 6_000);
        assert!(clip.samples[16_000..].iter().all(|&sample| sample == 0));
        assert!(Arc::ptr_eq(&clip, &ringing()), "all calls share it");
    }

    #[test]
    fn a_confirmation_is_heard_and_ends() {
        let clip = confirmation();
        assert_eq!(clip.samples.len(), 8 * (300 + 2 * (600 + 400)));
        let loud = clip.samples.iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
        assert!((2_000..4_800).contains(&loud), "{loud}");
        assert!(clip.samples.iter().all(|sample| sample.unsigned_abs() < 8_000));
    }
}
