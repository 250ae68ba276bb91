//! Louder and softer, without a click.

use crate::simd::kernels;

/// By what samples are multiplied: 0 to just below 16, in steps of 1/4096. Fixed point, so that every processor gives the
/// same, in steps of less than a tenth of a decibel down to -24 dB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gain(u16);

impl Gain {
    /// Leaves a sound as it is.
    pub const UNITY: Gain = Gain(1 << FRACTION_BITS);

    pub const SILENCE: Gain = Gain(0);

    /// The nearest gain to `factor`, which is held to what a gain may be.
    pub fn new(factor: f32) -> Gain {
        // The cast saturates, and takes what is no number as zero.
        Gain((factor * f32::from(Gain::UNITY.0)).round() as u16)
    }

    /// The nearest gain to so many decibels.
    pub fn from_db(db: f32) -> Gain {
        Gain::new(10f32.powf(db / 20.0))
    }
}

impl Default for Gain {
    fn default() -> Gain {
        Gain::UNITY
    }
}

const FRACTION_BITS: u32 = 12;

/// More bits of a gain that moves.
const RAMP_BITS: u32 = 14;

/// Multiplies a frame by a gain that moves from one to the other, and saturates: what was `from` at the sample before the
/// frame is `to` at the frame's last sample.
pub fn scale(pcm: &mut [i16], from: Gain, to: Gain) {
    if (from, to) == (Gain::UNITY, Gain::UNITY) || pcm.is_empty() {
        return;
    }
    (kernels().scale)(pcm, Ramp::new(from, to, pcm.len()));
}

/// A gain in motion; parts of 2 to the power of 26.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    from: i32,
    step: i32,
}

impl Ramp {
    pub(crate) fn new(from: Gain, to: Gain, samples: usize) -> Ramp {
        let fine = |gain: Gain| i32::from(gain.0) << RAMP_BITS;
        let samples = i32::try_from(samples.max(1)).unwrap_or(i32::MAX);
        // The last sample's gain is exact where it is not moving, and within a thousandth of a decibel where it is.
        Ramp { from: fine(from), step: (fine(to) - fine(from)) / samples }
    }
}

/// What the kernels of all levels do.
pub(crate) mod definition {
    use super::{FRACTION_BITS, RAMP_BITS, Ramp};

    #[inline(always)]
    pub fn scale(pcm: &mut [i16], ramp: Ramp) {
        for (n, sample) in pcm.iter_mut().enumerate() {
            let gain = (ramp.from + ramp.step.wrapping_mul(n as i32 + 1)) >> RAMP_BITS;
            // A gain has 16 bits and a sample 15, so that this doesn't overflow.
            let scaled = (i32::from(*sample) * gain + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS;
            *sample = scaled.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_multiplies_and_saturates() {
        let mut pcm = [1_000, -1_000, 30_000, -30_000, 1, 0, i16::MIN, i16::MAX];
        scale(&mut pcm, Gain::new(2.0), Gain::new(2.0));
        assert_eq!(pcm, [2_000, -2_000, 32_767, -32_768, 2, 0, -32_768, 32_767]);
        let mut pcm = [1_000, i16::MIN, i16::MAX];
        scale(&mut pcm, Gain::from_db(-6.0206), Gain::from_db(-6.0206));
        assert_eq!(pcm, [500, -16_384, 16_384]);
        scale(&mut pcm, Gain::SILENCE, Gain::SILENCE);
        assert_eq!(pcm, [0; 3]);
        assert_eq!(Gain::from_db(90.0), Gain(u16::MAX));
        assert_eq!(Gain::new(f32::NAN), Gain::SILENCE);
        let mut loudest = [i16::MIN, i16::MAX];
        scale(&mut loudest, Gain(u16::MAX), Gain(u16::MAX));
        assert_eq!(loudest, [i16::MIN, i16::MAX]);
    }

    #[test]
    fn a_moving_gain_has_no_step() {
        for (from, to) in [(Gain::UNITY, Gain::SILENCE), (Gain::SILENCE, Gain::new(3.0))] {
            let mut pcm = [10_000; 960];
            scale(&mut pcm, from, to);
            let most = pcm.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max();
            assert!(most <= Some(40), "{most:?}");
            let last = i32::from(to.0) * 10_000 / 4_096;
            assert!((i32::from(pcm[959]) - last).abs() <= 40);
        }
        scale(&mut [], Gain::SILENCE, Gain::UNITY);
    }
}
