//! Tones in sound: how much of a frame's power is at each of some frequencies.
//!
//! Goertzel's recursion has each sample wait for the one before it. The same sums as products with tables of sines and
//! cosines wait for nothing, and are exact.

pub mod dtmf;

use crate::simd::kernels;
use crate::simd::vector::{Simd, Vector};

/// Finds the powers of frames of one length at some frequencies.
#[derive(Clone, Debug)]
pub struct Bank {
    /// Samples of a frame.
    length: usize,
    /// The length that tables and frames are filled up to with zeros.
    padded: usize,
    /// A table of cosines and one of sines for each frequency.
    tables: Box<[i16]>,
    /// By what a sum is multiplied so that its square is a power, for each frequency.
    scales: Box<[f32]>,
    /// What the sums are put into.
    sums: Box<[i32]>,
    /// A frame with its zeros.
    frame: Box<[i16]>,
}

/// Frames and tables are padded to a multiple of this, so that the inner loop of no level has a remainder.
const PADDING: usize = 32;

/// What the magnitudes of a table's values add up to at most: no frame overflows a sum then.
const TABLE_SUM: f64 = 65_000.0;

impl Bank {
    /// For frames of `length` samples at `rate` Hz, and `frequencies` in Hz.
    pub fn new(rate: u32, length: usize, frequencies: &[f64]) -> Bank {
        let length = length.max(1);
        let padded = length.next_multiple_of(PADDING);
        let mut tables = Vec::with_capacity(frequencies.len() * 2 * padded);
        let mut scales = Vec::with_capacity(frequencies.len());
        for frequency in frequencies {
            let angle = std::f64::consts::TAU * frequency / f64::from(rate.max(1));
            // Seen from the middle of the frame, a sine and a cosine have nothing of each other.
            let middle = (length - 1) as f64 / 2.0;
            let wave = |n: usize| ((n as f64 - middle) * angle).sin_cos();
            let sum = |values: &dyn Fn(usize) -> f64| (0..length).map(|n| values(n).abs()).sum::<f64>().max(1.0);
            let one = (TABLE_SUM / sum(&|n| wave(n).1).max(sum(&|n| wave(n).0))).min(32_767.0);
            for part in [|(_, cosine): (f64, f64)| cosine, |(sine, _): (f64, f64)| sine] {
                tables.extend((0..padded).map(|n| if n < length { (part(wave(n)) * one).round() as i16 } else { 0 }));
            }
            // A tone of amplitude 1 makes a sum of half the frame's length, and has a power of one half.
            scales.push((std::f64::consts::SQRT_2 / (one * length as f64)) as f32);
        }
        Bank {
            length,
            padded,
            sums: vec![0; frequencies.len() * 2].into_boxed_slice(),
            tables: tables.into_boxed_slice(),
            scales: scales.into_boxed_slice(),
            frame: vec![0; padded].into_boxed_slice(),
        }
    }

    /// Samples of a frame.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Fills `powers` with the mean square of what `pcm` has at each frequency; a frame that is shorter than
    /// [`Bank::length`] goes on with silence, and what is more is left out.
    pub fn powers(&mut self, pcm: &[i16], powers: &mut [f32]) {
        for (power, part) in powers.iter_mut().zip(self.parts(pcm)) {
            *power = power_of(part);
        }
    }

    /// The same as cosine and sine, seen from the middle of the frame, whose squares add up to the power.
    fn parts(&mut self, pcm: &[i16]) -> impl Iterator<Item = [f32; 2]> {
        let pcm = &pcm[..pcm.len().min(self.length)];
        self.frame[..pcm.len()].copy_from_slice(pcm);
        self.frame[pcm.len()..].fill(0);
        (kernels().correlate)(&self.frame[..self.padded], &self.tables, &mut self.sums);
        let sums = self.sums.chunks_exact(2).zip(&self.scales);
        sums.map(|(sums, scale)| [sums[0] as f32 * scale, sums[1] as f32 * scale])
    }
}

fn power_of([cosine, sine]: [f32; 2]) -> f32 {
    cosine * cosine + sine * sine
}

/// What the kernels of all levels do.
pub(crate) mod definition {
    /// The sum of products of `pcm` with each table; the tables lie one after the other, each as long as `pcm`.
    pub fn correlate(pcm: &[i16], tables: &[i16], sums: &mut [i32]) {
        for (sum, table) in sums.iter_mut().zip(tables.chunks_exact(pcm.len().max(1))) {
            *sum = 0;
            for (&sample, &value) in pcm.iter().zip(table) {
                *sum = sum.wrapping_add(i32::from(sample) * i32::from(value));
            }
        }
    }
}

/// Four tables at a time, over which a sample is loaded once. Frames are of a multiple of [`PADDING`] samples.
#[inline(always)]
pub(crate) fn correlate_in_lanes<S: Simd>(simd: S, pcm: &[i16], tables: &[i16], sums: &mut [i32]) {
    let width = S::Vector::LANES * 2;
    if pcm.is_empty() || !pcm.len().is_multiple_of(width) {
        return definition::correlate(pcm, tables, sums);
    }
    let fours = pcm.len() * 4;
    let whole = sums.len().min(tables.len() / pcm.len()) / 4;
    for (four, tables) in sums.chunks_exact_mut(4).zip(tables.chunks_exact(fours)) {
        let mut lanes = [simd.splat(0); 4];
        for (n, samples) in pcm.chunks_exact(width).enumerate() {
            let samples = simd.load_pairs(samples);
            for (k, lane) in lanes.iter_mut().enumerate() {
                let table = &tables[k * pcm.len() + n * width..][..width];
                *lane = *lane + samples.pair_product(simd.load_pairs(table));
            }
        }
        four.copy_from_slice(&S::Vector::sums(lanes));
    }
    definition::correlate(pcm, &tables[whole * fours..], &mut sums[whole * 4..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, frequency: f64, amplitude: f64, count: usize) -> Vec<i16> {
        let angle = std::f64::consts::TAU * frequency / f64::from(rate);
        (0..count).map(|n| ((n as f64 * angle + 1.0).sin() * amplitude).round() as i16).collect()
    }

    #[test]
    fn a_tone_has_its_power_at_its_frequency_alone() {
        for (rate, length) in [(8_000, 160), (16_000, 320), (48_000, 960)] {
            let frequencies = [350.0, 440.0, 1_000.0, 2_100.0];
            let mut bank = Bank::new(rate, length, &frequencies);
            for (n, frequency) in frequencies.into_iter().enumerate() {
                let mut powers = [0.0; 4];
                bank.powers(&tone(rate, frequency, 8_000.0, length), &mut powers);
                let expected = 8_000.0 * 8_000.0 / 2.0;
                assert!((powers[n] / expected - 1.0).abs() < 0.05, "{rate} Hz, {frequency}: {powers:?}");
                for (other, power) in powers.into_iter().enumerate() {
                    assert!(other == n || power < expected / 20.0, "{rate} Hz, {frequency}: {powers:?}");
                }
            }
        }
    }

    #[test]
    fn no_frame_overflows_a_sum() {
        for (rate, length) in [(8_000, 1), (8_000, 102), (48_000, 960), (8_000, 8_000)] {
            let bank = Bank::new(rate, length, &[0.0, 697.0, 3_999.0]);
            for table in bank.tables.chunks(bank.padded) {
                let sum: i64 = table.iter().map(|&value| i64::from(value).abs()).sum();
                assert!(sum * 32_768 < 1 << 31, "{sum}");
            }
        }
    }
}
