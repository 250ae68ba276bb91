//! Rows of lanes in memory, and how calls get into them and out.

use crate::simd::vector::{MAX_LANES, Simd, Vector};

/// One value of each call. Lanes that no call has are zero.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Row(pub [i32; MAX_LANES]);

impl Row {
    pub const ZERO: Row = Row([0; MAX_LANES]);
}

/// One value of each call's state.
#[inline(always)]
pub fn gather<S: Simd, F>(simd: S, crew: &[Option<F>], value: impl Fn(&F) -> i32) -> S::Vector {
    let mut row = Row::ZERO;
    for (lane, frame) in row.0.iter_mut().zip(crew.iter().flatten()) {
        *lane = value(frame);
    }
    simd.load(&row.0)
}

/// One value of each call's state back into it.
#[inline(always)]
pub fn scatter<V: Vector, F>(vector: V, crew: &mut [Option<F>], mut put: impl FnMut(&mut F, i32)) {
    let mut row = Row::ZERO;
    vector.store(&mut row.0);
    for (&lane, frame) in row.0.iter().zip(crew.iter_mut().flatten()) {
        put(frame, lane);
    }
}

/// Two samples of the range of `i16`, the earlier one in the lower half.
#[inline(always)]
pub fn pair(earlier: i32, later: i32) -> i32 {
    earlier & 0xFFFF | later << 16
}

/// Takes a pair apart.
#[inline(always)]
pub fn unpair(pair: i32) -> [i16; 2] {
    [pair as i16, (pair >> 16) as i16]
}
