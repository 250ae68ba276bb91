//! Lanes in an array: what each operation means. The operations of each level are held against it here, and so is what is
//! written over as many lanes as this processor may not have.

use super::level::Level;
use super::vector::{Simd, Table, Vector};
use std::array::from_fn;
use std::ops::{Add, BitAnd, BitOr, BitXor, Sub};

#[derive(Clone, Copy)]
pub struct Plain<const LANES: usize>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanes<const LANES: usize>([i32; LANES]);

impl<const LANES: usize> Simd for Plain<LANES> {
    type Vector = Lanes<LANES>;

    fn splat(self, value: i32) -> Lanes<LANES> {
        Lanes([value; LANES])
    }

    fn load(self, values: &[i32]) -> Lanes<LANES> {
        Lanes(from_fn(|n| values[n]))
    }

    fn load_pairs(self, samples: &[i16]) -> Lanes<LANES> {
        Lanes(from_fn(|n| i32::from(samples[n * 2]) & 0xFFFF | i32::from(samples[n * 2 + 1]) << 16))
    }
}

impl<const LANES: usize> Vector for Lanes<LANES> {
    const LANES: usize = LANES;

    fn store(self, values: &mut [i32]) {
        values[..LANES].copy_from_slice(&self.0);
    }

    fn min(self, other: Self) -> Self {
        Lanes(from_fn(|n| self.0[n].min(other.0[n])))
    }

    fn max(self, other: Self) -> Self {
        Lanes(from_fn(|n| self.0[n].max(other.0[n])))
    }

    fn greater(self, other: Self) -> Self {
        Lanes(from_fn(|n| if self.0[n] > other.0[n] { -1 } else { 0 }))
    }

    fn pair_product(self, other: Self) -> Self {
        let product = |a: i32, b: i32| i32::from(a as i16) * i32::from(b as i16);
        Lanes(from_fn(|n| {
            let (a, b) = (self.0[n], other.0[n]);
            product(a, b).wrapping_add(product(a >> 16, b >> 16))
        }))
    }

    fn shift_left<const BITS: i32>(self) -> Self {
        Lanes(self.0.map(|lane| lane << BITS))
    }

    fn shift_right<const BITS: i32>(self) -> Self {
        Lanes(self.0.map(|lane| lane >> BITS))
    }

    fn shift_right_by(self, bits: Self) -> Self {
        Lanes(from_fn(|n| self.0[n] >> bits.0[n]))
    }

    fn look_up_8(self, table: &Table<8>) -> Self {
        Lanes(self.0.map(|lane| table.0[lane as usize]))
    }

    fn look_up_32(self, table: &Table<32>) -> Self {
        Lanes(self.0.map(|lane| table.0[lane as usize]))
    }

    fn sums(vectors: [Self; 4]) -> [i32; 4] {
        vectors.map(|vector| vector.0.into_iter().fold(0, i32::wrapping_add))
    }
}

macro_rules! lane_by_lane {
    ($trait:ident, $name:ident, $operation:expr) => {
        impl<const LANES: usize> $trait for Lanes<LANES> {
            type Output = Self;

            fn $name(self, other: Self) -> Self {
                Lanes(from_fn(|n| $operation(self.0[n], other.0[n])))
            }
        }
    };
}

lane_by_lane!(Add, add, i32::wrapping_add);
lane_by_lane!(Sub, sub, i32::wrapping_sub);
lane_by_lane!(BitAnd, bitand, |a: i32, b: i32| a & b);
lane_by_lane!(BitOr, bitor, |a: i32, b: i32| a | b);
lane_by_lane!(BitXor, bitxor, |a: i32, b: i32| a ^ b);

/// Both give the same for each operation on lanes of any value.
fn compare<S: Simd, const LANES: usize>(simd: S) {
    assert_eq!(S::Vector::LANES, LANES);
    let plain = Plain::<LANES>;
    let mut seed = 1u64;
    let mut chance = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let edges = [0, 1, -1, i32::MIN, i32::MAX, 0x7FFF, -0x8000, 0x8000_0000u32 as i32 | 0x8000];
        if seed >> 60 == 0 { edges[(seed >> 50) as usize % edges.len()] } else { (seed >> 30) as i32 }
    };
    for _ in 0..2_000 {
        let (a, b): ([i32; LANES], [i32; LANES]) = (from_fn(|_| chance()), from_fn(|_| chance()));
        let (x, y) = (simd.load(&a), simd.load(&b));
        let (p, q) = (plain.load(&a), plain.load(&b));
        let same = |vector: S::Vector, expected: Lanes<LANES>, what: &str| {
            let mut lanes = [0; LANES];
            vector.store(&mut lanes);
            assert_eq!(lanes, expected.0, "{what} of {a:?} and {b:?}");
        };
        same(simd.splat(a[0]), plain.splat(a[0]), "splat");
        same(x + y, p + q, "sum");
        same(x - y, p - q, "difference");
        same(x & y, p & q, "and");
        same(x | y, p | q, "or");
        same(x ^ y, p ^ q, "exclusive or");
        same(x.min(y), p.min(q), "minimum");
        same(x.max(y), p.max(q), "maximum");
        same(x.greater(y), p.greater(q), "greater");
        same(x.greater(x), p.greater(p), "not greater");
        same(x.pair_product(y), p.pair_product(q), "pair product");
        same(x.shift_left::<1>(), p.shift_left::<1>(), "shift left by 1");
        same(x.shift_left::<16>(), p.shift_left::<16>(), "shift left by 16");
        same(x.shift_right::<7>(), p.shift_right::<7>(), "shift right by 7");
        same(x.shift_right::<31>(), p.shift_right::<31>(), "shift right by 31");
        let (bits, plain_bits) = (y & simd.splat(31), q & plain.splat(31));
        same(x.shift_right_by(bits), p.shift_right_by(plain_bits), "shift by lanes");
        let table = Table(from_fn(|n| (n as i32 + 1).wrapping_mul(0x1357_9BDF)));
        same(bits.look_up_32(&table), plain_bits.look_up_32(&table), "entry of 32");
        let (places, plain_places) = (y & simd.splat(7), q & plain.splat(7));
        let table = Table(from_fn(|n| table.0[n * 3]));
        same(places.look_up_8(&table), plain_places.look_up_8(&table), "entry of 8");
        assert_eq!(S::Vector::sums([x, y, x + y, bits]), Lanes::sums([p, q, p + q, plain_bits]), "sums");
        let samples: [[i16; 2]; LANES] = a.map(|lane| [lane as i16, (lane >> 16) as i16]);
        same(simd.load_pairs(samples.as_flattened()), p, "pairs");
    }
}

/// Runs `$compare` with the features of a level, if the processor has it.
macro_rules! compare {
    ($name:ident, $level:expr, $simd:expr, $lanes:literal) => {
        #[test]
        fn $name() {
            if $level.is_available() {
                // SAFETY: the processor has the level.
                compare::<_, $lanes>(unsafe { $simd });
            } else {
                println!("skipped: this processor has no {}", $level);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
compare!(avx2_does_what_the_operations_mean, Level::Avx2, super::avx2::Avx2::assume(), 8);
#[cfg(target_arch = "x86_64")]
compare!(avx512_does_what_the_operations_mean, Level::Avx512, super::avx512::Avx512::assume(), 16);
#[cfg(target_arch = "aarch64")]
compare!(neon_does_what_the_operations_mean, Level::Neon, super::neon::Neon::assume(), 4);

/// Sixteen lanes and four are tested wherever the tests run.
#[test]
fn kernels_over_any_number_of_lanes_give_what_their_definitions_give() {
    super::tests::compare_over_lanes(Plain::<16>);
    super::tests::compare_over_lanes(Plain::<4>);
}
