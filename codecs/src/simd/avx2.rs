//! AVX2: eight lanes.

use super::vector::{Simd, Table, Vector};
use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, BitXor, Sub};

/// The processor has AVX2.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    pub unsafe fn assume() -> Avx2 {
        Avx2(())
    }
}

#[derive(Clone, Copy)]
pub struct Lanes8(__m256i);

// SAFETY, for all that follows: an `Avx2` exists only where the processor has AVX2, and a `Lanes8` comes from one. Loads
// and stores are of slices whose length is checked, and ask for no alignment; a `Table` is aligned to 64 bytes.

impl Simd for Avx2 {
    type Vector = Lanes8;

    #[inline(always)]
    fn splat(self, value: i32) -> Lanes8 {
        Lanes8(unsafe { _mm256_set1_epi32(value) })
    }

    #[inline(always)]
    fn load(self, values: &[i32]) -> Lanes8 {
        let values = &values[..Lanes8::LANES];
        Lanes8(unsafe { _mm256_loadu_si256(values.as_ptr().cast()) })
    }

    #[inline(always)]
    fn load_pairs(self, samples: &[i16]) -> Lanes8 {
        let samples = &samples[..Lanes8::LANES * 2];
        Lanes8(unsafe { _mm256_loadu_si256(samples.as_ptr().cast()) })
    }
}

impl Vector for Lanes8 {
    const LANES: usize = 8;

    #[inline(always)]
    fn store(self, values: &mut [i32]) {
        let values = &mut values[..Lanes8::LANES];
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_min_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_max_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn greater(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_cmpgt_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn pair_product(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_madd_epi16(self.0, other.0) })
    }

    #[inline(always)]
    fn shift_left<const BITS: i32>(self) -> Self {
        Lanes8(unsafe { _mm256_slli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        Lanes8(unsafe { _mm256_srai_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shift_right_by(self, bits: Self) -> Self {
        Lanes8(unsafe { _mm256_srav_epi32(self.0, bits.0) })
    }

    #[inline(always)]
    fn look_up_8(self, table: &Table<8>) -> Self {
        Lanes8(unsafe { _mm256_permutevar8x32_epi32(_mm256_load_si256(table.0.as_ptr().cast()), self.0) })
    }

    #[inline(always)]
    fn look_up_32(self, table: &Table<32>) -> Self {
        unsafe {
            let eight = |n: usize| {
                let part = _mm256_load_si256(table.0[n * 8..][..8].as_ptr().cast());
                _mm256_castsi256_ps(_mm256_permutevar8x32_epi32(part, self.0))
            };
            // Bits three and four of the index, each where a blend looks: at the sign.
            let bit_3 = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(self.0));
            let bit_4 = _mm256_castsi256_ps(_mm256_slli_epi32::<27>(self.0));
            let low = _mm256_blendv_ps(eight(0), eight(1), bit_3);
            let high = _mm256_blendv_ps(eight(2), eight(3), bit_3);
            Lanes8(_mm256_castps_si256(_mm256_blendv_ps(low, high, bit_4)))
        }
    }

    #[inline(always)]
    fn sums([a, b, c, d]: [Self; 4]) -> [i32; 4] {
        let mut sums = [0; 4];
        unsafe {
            let ab = _mm256_hadd_epi32(a.0, b.0);
            let cd = _mm256_hadd_epi32(c.0, d.0);
            let halves = _mm256_hadd_epi32(ab, cd);
            let sum = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
            _mm_storeu_si128(sums.as_mut_ptr().cast(), sum);
        }
        sums
    }
}

impl Add for Lanes8 {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_add_epi32(self.0, other.0) })
    }
}

impl Sub for Lanes8 {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_sub_epi32(self.0, other.0) })
    }
}

impl BitAnd for Lanes8 {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_and_si256(self.0, other.0) })
    }
}

impl BitOr for Lanes8 {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_or_si256(self.0, other.0) })
    }
}

impl BitXor for Lanes8 {
    type Output = Self;

    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Lanes8(unsafe { _mm256_xor_si256(self.0, other.0) })
    }
}
