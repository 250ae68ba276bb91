//! NEON: four lanes.

use super::vector::{Simd, Table, Vector};
use std::arch::aarch64::*;
use std::ops::{Add, BitAnd, BitOr, BitXor, Sub};

/// The processor has NEON.
#[derive(Clone, Copy)]
pub struct Neon(());

impl Neon {
    /// # Safety
    /// The processor has NEON.
    #[inline(always)]
    pub unsafe fn assume() -> Neon {
        Neon(())
    }
}

#[derive(Clone, Copy)]
pub struct Lanes4(int32x4_t);

// SAFETY, for all that follows: an `Neon` exists only where the processor has NEON, and a `Lanes4` comes from one. Loads
// and stores are of slices whose length is checked, and ask for no more alignment than their elements have.

impl Simd for Neon {
    type Vector = Lanes4;

    #[inline(always)]
    fn splat(self, value: i32) -> Lanes4 {
        Lanes4(unsafe { vdupq_n_s32(value) })
    }

    #[inline(always)]
    fn load(self, values: &[i32]) -> Lanes4 {
        let values = &values[..Lanes4::LANES];
        Lanes4(unsafe { vld1q_s32(values.as_ptr()) })
    }

    #[inline(always)]
    fn load_pairs(self, samples: &[i16]) -> Lanes4 {
        let samples = &samples[..Lanes4::LANES * 2];
        Lanes4(unsafe { vreinterpretq_s32_s16(vld1q_s16(samples.as_ptr())) })
    }
}

impl Vector for Lanes4 {
    const LANES: usize = 4;

    #[inline(always)]
    fn store(self, values: &mut [i32]) {
        let values = &mut values[..Lanes4::LANES];
        unsafe { vst1q_s32(values.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes4(unsafe { vminq_s32(self.0, other.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes4(unsafe { vmaxq_s32(self.0, other.0) })
    }

    #[inline(always)]
    fn greater(self, other: Self) -> Self {
        Lanes4(unsafe { vreinterpretq_s32_u32(vcgtq_s32(self.0, other.0)) })
    }

    #[inline(always)]
    fn pair_product(self, other: Self) -> Self {
        unsafe {
            let (a, b) = (vreinterpretq_s16_s32(self.0), vreinterpretq_s16_s32(other.0));
            let low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
            Lanes4(vpaddq_s32(low, vmull_high_s16(a, b)))
        }
    }

    #[inline(always)]
    fn shift_left<const BITS: i32>(self) -> Self {
        Lanes4(unsafe { vshlq_n_s32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        Lanes4(unsafe { vshrq_n_s32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shift_right_by(self, bits: Self) -> Self {
        Lanes4(unsafe { vshlq_s32(self.0, vnegq_s32(bits.0)) })
    }

    #[inline(always)]
    fn look_up_8(self, table: &Table<8>) -> Self {
        unsafe {
            let bytes: *const u8 = table.0.as_ptr().cast();
            Lanes4(vreinterpretq_s32_u8(vqtbl2q_u8(vld1q_u8_x2(bytes), self.byte_places())))
        }
    }

    #[inline(always)]
    fn look_up_32(self, table: &Table<32>) -> Self {
        unsafe {
            let bytes: *const u8 = table.0.as_ptr().cast();
            let places = self.byte_places();
            // What lies beyond 64 bytes is zero at first, and what lies before them is kept then.
            let found = vqtbl4q_u8(vld1q_u8_x4(bytes), places);
            let found = vqtbx4q_u8(found, vld1q_u8_x4(bytes.add(64)), vsubq_u8(places, vdupq_n_u8(64)));
            Lanes4(vreinterpretq_s32_u8(found))
        }
    }

    #[inline(always)]
    fn sums([a, b, c, d]: [Self; 4]) -> [i32; 4] {
        let mut sums = [0; 4];
        unsafe {
            let sum = vpaddq_s32(vpaddq_s32(a.0, b.0), vpaddq_s32(c.0, d.0));
            vst1q_s32(sums.as_mut_ptr(), sum);
        }
        sums
    }
}

impl Lanes4 {
    /// Where in a table of words each byte of the lanes' entries is, for lanes below 64.
    #[inline(always)]
    fn byte_places(self) -> uint8x16_t {
        unsafe {
            let first = vmulq_n_s32(self.0, 0x0404_0404);
            vreinterpretq_u8_s32(vaddq_s32(first, vdupq_n_s32(0x0302_0100)))
        }
    }
}

impl Add for Lanes4 {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Lanes4(unsafe { vaddq_s32(self.0, other.0) })
    }
}

impl Sub for Lanes4 {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Lanes4(unsafe { vsubq_s32(self.0, other.0) })
    }
}

impl BitAnd for Lanes4 {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Lanes4(unsafe { vandq_s32(self.0, other.0) })
    }
}

impl BitOr for Lanes4 {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Lanes4(unsafe { vorrq_s32(self.0, other.0) })
    }
}

impl BitXor for Lanes4 {
    type Output = Self;

    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Lanes4(unsafe { veorq_s32(self.0, other.0) })
    }
}
