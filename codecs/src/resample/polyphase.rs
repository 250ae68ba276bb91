//! The inner loop of a polyphase filter.

use crate::simd::vector::{Simd, Vector};

/// Coefficients are in Q14, so that a gain of one is exact.
pub const ONE: i32 = 1 << 14;

/// A filter that makes `up` samples out of `down`.
pub struct Polyphase<'a> {
    /// Coefficients, phase by phase, each for the oldest sample first; as many as `taps` a phase.
    pub phases: &'a [i16],
    pub taps: usize,
    pub up: usize,
    pub down: usize,
}

/// Which phase is next, and over which samples it lies; by how much both go on.
struct Place {
    at: usize,
    phase: usize,
    step: usize,
    phase_step: usize,
}

impl Polyphase<'_> {
    #[inline(always)]
    fn place(&self, due: usize) -> Place {
        let (step, phase_step) = (self.down / self.up, self.down % self.up);
        Place { at: due / self.up, phase: due % self.up, step, phase_step }
    }

    /// The coefficients and the samples of the next output.
    #[inline(always)]
    fn next<'a>(&'a self, place: &mut Place, window: &'a [i16]) -> (&'a [i16], &'a [i16]) {
        let pair = (&self.phases[place.phase * self.taps..][..self.taps], &window[place.at..][..self.taps]);
        place.at += place.step;
        place.phase += place.phase_step;
        if place.phase >= self.up {
            place.phase -= self.up;
            place.at += 1;
        }
        pair
    }
}

#[inline(always)]
fn to_sample(sum: i32) -> i16 {
    ((sum + ONE / 2) >> ONE.trailing_zeros()).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// What the kernels of all levels do.
pub mod definition {
    use super::{Polyphase, to_sample};

    /// Fills `output`, whose first sample is `due` after the first of `window`, in 1/`up` of an input sample.
    pub fn filter(bank: &Polyphase<'_>, due: usize, window: &[i16], output: &mut [i16]) {
        let mut place = bank.place(due);
        for out in output {
            let (coefficients, samples) = bank.next(&mut place, window);
            let mut sum = 0;
            for (&coefficient, &sample) in coefficients.iter().zip(samples) {
                sum += i32::from(coefficient) * i32::from(sample);
            }
            *out = to_sample(sum);
        }
    }
}

/// Four outputs at a time, whose sums over the lanes are then taken together. `narrow` serves where the taps are no
/// multiple of what `simd` takes at a time. Each number of taps that a filter has is compiled apart, without a loop.
#[inline(always)]
pub fn filter_in_lanes<S: Simd, N: Simd>(
    simd: S,
    narrow: N,
    bank: &Polyphase<'_>,
    due: usize,
    window: &[i16],
    output: &mut [i16],
) {
    match bank.taps {
        32 => filter_by_fours::<S, 32>(simd, bank, due, window, output),
        48 if 48 % (S::Vector::LANES * 2) == 0 => filter_by_fours::<S, 48>(simd, bank, due, window, output),
        48 if 48 % (N::Vector::LANES * 2) == 0 => filter_by_fours::<N, 48>(narrow, bank, due, window, output),
        64 => filter_by_fours::<S, 64>(simd, bank, due, window, output),
        96 => filter_by_fours::<S, 96>(simd, bank, due, window, output),
        128 => filter_by_fours::<S, 128>(simd, bank, due, window, output),
        192 => filter_by_fours::<S, 192>(simd, bank, due, window, output),
        _ => definition::filter(bank, due, window, output),
    }
}

#[inline(always)]
fn filter_by_fours<S: Simd, const TAPS: usize>(
    simd: S,
    bank: &Polyphase<'_>,
    due: usize,
    window: &[i16],
    output: &mut [i16],
) {
    let mut place = bank.place(due);
    for four in output.chunks_mut(4) {
        // No closure here: a compiler may keep what is within one apart from the level's instructions.
        let mut sums = [simd.splat(0); 4];
        for sum in &mut sums[..four.len()] {
            let (coefficients, samples) = bank.next(&mut place, window);
            if let (Some(coefficients), Some(samples)) = (coefficients.first_chunk(), samples.first_chunk()) {
                *sum = dot_product::<S, TAPS>(simd, coefficients, samples);
            }
        }
        for (out, sum) in four.iter_mut().zip(S::Vector::sums(sums)) {
            *out = to_sample(sum);
        }
    }
}

/// Products of both, added up in lanes.
#[inline(always)]
fn dot_product<S: Simd, const TAPS: usize>(simd: S, a: &[i16; TAPS], b: &[i16; TAPS]) -> S::Vector {
    let mut sum = simd.splat(0);
    let width = S::Vector::LANES * 2;
    let mut tap = 0;
    while tap + width <= TAPS {
        sum = sum + simd.load_pairs(&a[tap..]).pair_product(simd.load_pairs(&b[tap..]));
        tap += width;
    }
    sum
}
