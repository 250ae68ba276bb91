//! How loud a frame is: who talks is found by it.

use crate::simd::kernels;
use crate::simd::vector::{MAX_LANES, Simd, Vector};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loudness {
    /// The sum of the samples' squares.
    pub energy: u64,
    /// The greatest magnitude of a sample, 0 to 32,768.
    pub peak: u16,
}

impl Loudness {
    /// Measures a frame of up to 65,536 samples; any more are left out.
    pub fn of(pcm: &[i16]) -> Loudness {
        (kernels().loudness)(&pcm[..pcm.len().min(MAX_SAMPLES)])
    }

    /// The level over `samples`, which were measured, in dB below the loudest square wave, as RFC 6464 §3 has it: 0 (the
    /// loudest) to 127 (silence).
    pub fn below_overload_db(&self, samples: usize) -> u8 {
        let full = (samples.max(1) as f64) * 32_768.0 * 32_768.0;
        // The cast saturates: silence is infinitely far below.
        ((-10.0 * (self.energy as f64 / full).log10()).round() as u8).min(127)
    }
}

const MAX_SAMPLES: usize = 65_536;

/// What the kernels of all levels do.
pub(crate) mod definition {
    use super::Loudness;

    pub fn measure(pcm: &[i16]) -> Loudness {
        let mut loudness = Loudness::default();
        for &sample in pcm {
            loudness.energy += u64::from(sample.unsigned_abs()).pow(2);
            loudness.peak = loudness.peak.max(sample.unsigned_abs());
        }
        loudness
    }
}

/// The squares of two samples are a lane's sum, which fills all 32 bits; lanes add up their halves apart.
#[inline(always)]
pub(crate) fn measure_in_lanes<S: Simd>(simd: S, pcm: &[i16]) -> Loudness {
    let zero = simd.splat(0);
    let half = simd.splat(0xFFFF);
    let (mut low, mut high, mut least, mut most) = (zero, zero, zero, zero);
    let mut frames = pcm.chunks_exact(S::Vector::LANES * 2);
    for samples in &mut frames {
        let pairs = simd.load_pairs(samples);
        let squares = pairs.pair_product(pairs);
        low = low + (squares & half);
        high = high + (squares.shift_right::<16>() & half);
        let (first, second) = (pairs.shift_left::<16>().shift_right::<16>(), pairs.shift_right::<16>());
        least = least.min(first.min(second));
        most = most.max(first.max(second));
    }
    let mut loudness = definition::measure(frames.remainder());
    let total = |vector: S::Vector| {
        let mut lanes = [0; MAX_LANES];
        vector.store(&mut lanes);
        lanes.into_iter().map(|lane| u64::from(lane as u32)).sum::<u64>()
    };
    loudness.energy += total(low) + (total(high) << 16);
    let mut lanes = [0; MAX_LANES];
    most.max(zero - least).store(&mut lanes);
    let peak = lanes.into_iter().max().unwrap_or(0) as u16;
    loudness.peak = loudness.peak.max(peak);
    loudness
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_is_energy_and_peak() {
        assert_eq!(Loudness::of(&[]), Loudness::default());
        assert_eq!(Loudness::of(&[3, -4, 0]), Loudness { energy: 25, peak: 4 });
        let loudest = Loudness::of(&[i16::MIN; 160]);
        assert_eq!(loudest, Loudness { energy: 160 << 30, peak: 32_768 });
        assert_eq!(loudest.below_overload_db(160), 0);
        assert_eq!(Loudness::of(&[3_277; 160]).below_overload_db(160), 20);
        assert_eq!(Loudness::default().below_overload_db(160), 127);
    }
}
