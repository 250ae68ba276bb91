//! AVX-512: sixteen lanes.

use super::vector::{Simd, Table, Vector};
use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, BitXor, Sub};

/// The processor has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The processor has AVX-512 F, BW, DQ and VL.
    #[inline(always)]
    pub unsafe fn assume() -> Avx512 {
        Avx512(())
    }
}

#[derive(Clone, Copy)]
pub struct Lanes16(__m512i);

// SAFETY, for all that follows: an `Avx512` exists only where the processor has AVX-512, and a `Lanes16` comes from one. Loads
// and stores are of slices whose length is checked, and ask for no alignment; a `Table` is aligned to 64 bytes.

impl Simd for Avx512 {
    type Vector = Lanes16;

    #[inline(always)]
    fn splat(self, value: i32) -> Lanes16 {
        Lanes16(unsafe { _mm512_set1_epi32(value) })
    }

    #[inline(always)]
    fn load(self, values: &[i32]) -> Lanes16 {
        let values = &values[..Lanes16::LANES];
        Lanes16(unsafe { _mm512_loadu_si512(values.as_ptr().cast()) })
    }

    #[inline(always)]
    fn load_pairs(self, samples: &[i16]) -> Lanes16 {
        let samples = &samples[..Lanes16::LANES * 2];
        Lanes16(unsafe { _mm512_loadu_si512(samples.as_ptr().cast()) })
    }
}

impl Vector for Lanes16 {
    const LANES: usize = 16;

    #[inline(always)]
    fn store(self, values: &mut [i32]) {
        let values = &mut values[..Lanes16::LANES];
        unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_min_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_max_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn greater(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_movm_epi32(_mm512_cmpgt_epi32_mask(self.0, other.0)) })
    }

    #[inline(always)]
    fn pair_product(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_madd_epi16(self.0, other.0) })
    }

    #[inline(always)]
    fn shift_left<const BITS: i32>(self) -> Self {
        Lanes16(unsafe { _mm512_sllv_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        Lanes16(unsafe { _mm512_srav_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }

    #[inline(always)]
    fn shift_right_by(self, bits: Self) -> Self {
        Lanes16(unsafe { _mm512_srav_epi32(self.0, bits.0) })
    }

    #[inline(always)]
    fn look_up_8(self, table: &Table<8>) -> Self {
        unsafe {
            let table = _mm512_castsi256_si512(_mm256_load_si256(table.0.as_ptr().cast()));
            Lanes16(_mm512_permutexvar_epi32(self.0, table))
        }
    }

    #[inline(always)]
    fn look_up_32(self, table: &Table<32>) -> Self {
        unsafe {
            let half = |n: usize| _mm512_load_si512(table.0[n * 16..][..16].as_ptr().cast());
            Lanes16(_mm512_permutex2var_epi32(half(0), self.0, half(1)))
        }
    }

    #[inline(always)]
    fn sums(vectors: [Self; 4]) -> [i32; 4] {
        let mut sums = [0; 4];
        unsafe {
            let half = |n: usize| {
                let vector = vectors[n].0;
                _mm256_add_epi32(_mm512_castsi512_si256(vector), _mm512_extracti64x4_epi64::<1>(vector))
            };
            let ab = _mm256_hadd_epi32(half(0), half(1));
            let cd = _mm256_hadd_epi32(half(2), half(3));
            let halves = _mm256_hadd_epi32(ab, cd);
            let sum = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
            _mm_storeu_si128(sums.as_mut_ptr().cast(), sum);
        }
        sums
    }
}

impl Add for Lanes16 {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_add_epi32(self.0, other.0) })
    }
}

impl Sub for Lanes16 {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_sub_epi32(self.0, other.0) })
    }
}

impl BitAnd for Lanes16 {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_and_si512(self.0, other.0) })
    }
}

impl BitOr for Lanes16 {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_or_si512(self.0, other.0) })
    }
}

impl BitXor for Lanes16 {
    type Output = Self;

    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Lanes16(unsafe { _mm512_xor_si512(self.0, other.0) })
    }
}
