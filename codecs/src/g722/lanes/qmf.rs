//! The quadrature mirror filters, over pairs of samples.

use super::super::qmf::{HISTORY, TAPS};
use super::BLOCK;
use super::rows::Row;
use crate::simd::vector::{Simd, Vector};

/// Pairs that the filter remembers.
pub const PAIRS: usize = HISTORY / 2;

/// A block with the pairs before it.
pub type Pairs = [Row; PAIRS + BLOCK];

/// Steps done at once, over which a tap is loaded once.
const STEPS: usize = 4;

/// Splits each pair of a block into one value of each band. What is beyond `count` is of no meaning.
#[inline(always)]
pub fn split<S: Simd>(simd: S, pairs: &Pairs, count: usize) -> [[S::Vector; BLOCK]; 2] {
    const LOW: [i32; 12] = taps(1, 1);
    const HIGH: [i32; 12] = taps(-1, 1);
    filter(simd, pairs, count, [&LOW, &HIGH], |sum| sum.shift_right::<14>())
}

/// Joins what [`split`] has split: for each pair of sum and difference of the bands the earlier sample and the later one,
/// before they are held to 16 bits.
#[inline(always)]
pub fn join<S: Simd>(simd: S, pairs: &Pairs, count: usize) -> [[S::Vector; BLOCK]; 2] {
    const EARLIER: [i32; 12] = taps(0, 1);
    const LATER: [i32; 12] = taps(1, 0);
    filter(simd, pairs, count, [&EARLIER, &LATER], |sum| sum.shift_right::<11>())
}

/// Two filters over the same pairs.
#[inline(always)]
fn filter<S: Simd>(
    simd: S,
    pairs: &Pairs,
    count: usize,
    taps: [&[i32; 12]; 2],
    finish: impl Fn(S::Vector) -> S::Vector,
) -> [[S::Vector; BLOCK]; 2] {
    let zero = simd.splat(0);
    let mut values = [[zero; BLOCK]; 2];
    let (firsts, seconds) = values.split_at_mut(1);
    let blocks = firsts[0].chunks_exact_mut(STEPS).zip(seconds[0].chunks_exact_mut(STEPS)).enumerate();
    for (block, (first, second)) in blocks.take(count.div_ceil(STEPS)) {
        let rows = &pairs[block * STEPS..][..PAIRS + STEPS];
        let mut sums = [[zero; STEPS]; 2];
        for tap in 0..taps[0].len() {
            let (a, b) = (simd.splat(taps[0][tap]), simd.splat(taps[1][tap]));
            for step in 0..STEPS {
                let row = simd.load(&rows[tap + step].0);
                sums[0][step] = sums[0][step] + row.pair_product(a);
                sums[1][step] = sums[1][step] + row.pair_product(b);
            }
        }
        first.copy_from_slice(&sums[0].map(&finish));
        second.copy_from_slice(&sums[1].map(&finish));
    }
    values
}

/// The taps over even and odd samples, each by a sign, as pairs.
const fn taps(even: i32, odd: i32) -> [i32; 12] {
    let mut taps = [0; 12];
    let mut n = 0;
    while n < taps.len() {
        taps[n] = (TAPS[n] * even) & 0xFFFF | (TAPS[TAPS.len() - 1 - n] * odd) << 16;
        n += 1;
    }
    taps
}
