//! A register of 32-bit lanes, as the kernels see it: the same few operations at each level.
//!
//! A value of a vector's type, and the token that makes one, exist only where the processor has the level. That is why
//! the operations are safe to call.

use std::ops::{Add, BitAnd, BitOr, BitXor, Sub};

/// The most lanes that any level has.
pub const MAX_LANES: usize = 16;

/// The proof that the processor has a level; makes the level's vectors.
pub trait Simd: Copy {
    type Vector: Vector;

    /// `value` in each lane.
    fn splat(self, value: i32) -> Self::Vector;

    /// The first lanes of `values`, which holds as many at least.
    fn load(self, values: &[i32]) -> Self::Vector;

    /// Two samples a lane: `samples` holds as many at least.
    fn load_pairs(self, samples: &[i16]) -> Self::Vector;
}

/// Lanes of `i32`. Sums and products wrap around.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self>
{
    const LANES: usize;

    /// Into the first lanes of `values`, which has room for as many at least.
    fn store(self, values: &mut [i32]);

    fn min(self, other: Self) -> Self;

    fn max(self, other: Self) -> Self;

    /// All bits of a lane where it is greater than the other's, else none.
    fn greater(self, other: Self) -> Self;

    /// Of each lane's halves as `i16`: the product of the lower ones plus the product of the upper ones. Where the upper
    /// half of one side is zero, this is the product of two `i16`.
    fn pair_product(self, other: Self) -> Self;

    fn shift_left<const BITS: i32>(self) -> Self;

    /// Keeps the sign.
    fn shift_right<const BITS: i32>(self) -> Self;

    /// Each lane by its own count of 0 to 31 bits; keeps the sign.
    fn shift_right_by(self, bits: Self) -> Self;

    /// The entry that each lane names, 0 to 7.
    fn look_up_8(self, table: &Table<8>) -> Self;

    /// The entry that each lane names, 0 to 31.
    fn look_up_32(self, table: &Table<32>) -> Self;

    /// The sum of each vector's lanes.
    fn sums(vectors: [Self; 4]) -> [i32; 4];

    #[inline(always)]
    fn clamp(self, low: Self, high: Self) -> Self {
        self.max(low).min(high)
    }
}

/// A table that lies so that loading it crosses no cache line.
#[repr(align(64))]
pub struct Table<const ENTRIES: usize>(pub [i32; ENTRIES]);
