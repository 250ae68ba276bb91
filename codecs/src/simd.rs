//! The kernels of the processor's [`Level`], chosen once.
//!
//! Each kernel has a portable definition, and gives the same at every level. Where a compiler makes good vector code of
//! the definition, the kernel of a level is the definition, compiled for that level; otherwise it is written once, over
//! the [`vector`] that each level has. Nothing outside of this folder is `unsafe`, or knows which level is in use.
//!
//! To cap the level, [`choose`] is called at the start of the program, before anything is encoded.

#![allow(unsafe_code)]

pub mod level;
pub(crate) mod vector;

#[cfg(test)]
mod array;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(test)]
mod tests;

pub use level::{Level, UnknownLevel};

use crate::g711;
use crate::g722::lanes::{self, Decoding, Encoding};
use crate::gain::{self, Ramp};
use crate::loudness::{self, Loudness};
use crate::mix;
use crate::resample::polyphase::{self, Polyphase};
use crate::tone;
use std::sync::OnceLock;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use vector::Vector;

/// One function for each kernel. What they do stands with the functions that call them.
pub(crate) struct Kernels {
    pub level: Level,
    pub encode_alaw: fn(&[i16], &mut [u8]),
    pub encode_ulaw: fn(&[i16], &mut [u8]),
    pub decode_alaw: fn(&[u8], &mut [i16]),
    pub decode_ulaw: fn(&[u8], &mut [i16]),
    pub mix: fn(&mut [i32], &[i16]),
    pub mix_without: fn(&[i32], &[i16], &mut [i16]),
    pub scale: fn(&mut [i16], Ramp),
    pub loudness: fn(&[i16]) -> Loudness,
    pub filter: fn(&Polyphase<'_>, usize, &[i16], &mut [i16]),
    pub correlate: fn(&[i16], &[i16], &mut [i32]),
    /// How many calls the next two take at once.
    pub g722_lanes: usize,
    pub encode_g722: fn(&mut [Option<Encoding<'_>>], usize),
    pub decode_g722: fn(&mut [Option<Decoding<'_>>], usize),
}

/// The definitions.
static PORTABLE: Kernels = Kernels {
    level: Level::Portable,
    encode_alaw: g711::definition::encode_alaw,
    encode_ulaw: g711::definition::encode_ulaw,
    decode_alaw: g711::definition::decode_alaw,
    decode_ulaw: g711::definition::decode_ulaw,
    mix: mix::definition::add,
    mix_without: mix::definition::without,
    scale: gain::definition::scale,
    loudness: loudness::definition::measure,
    filter: polyphase::definition::filter,
    correlate: tone::definition::correlate,
    g722_lanes: 1,
    encode_g722: lanes::definition::encode,
    decode_g722: lanes::definition::decode,
};

static CHOSEN: OnceLock<&'static Kernels> = OnceLock::new();

/// Chooses the highest level that the processor has and `cap` allows, and returns the level in use. The first choice
/// counts: once one was made, or a kernel was used, this changes nothing.
pub fn choose(cap: Option<Level>) -> Level {
    CHOSEN.get_or_init(|| Kernels::of(Level::highest(cap)).unwrap_or(&PORTABLE)).level
}

/// The level in use.
pub fn level() -> Level {
    kernels().level
}

pub(crate) fn kernels() -> &'static Kernels {
    CHOSEN.get_or_init(|| Kernels::of(Level::highest(None)).unwrap_or(&PORTABLE))
}

impl Kernels {
    /// None where the processor lacks the level.
    pub(crate) fn of(level: Level) -> Option<&'static Kernels> {
        if !level.is_available() {
            return None;
        }
        match level {
            Level::Portable => Some(&PORTABLE),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Some(&AVX2),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Some(&AVX512),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => Some(&NEON),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }
}

/// A function that runs `$body` with the level's instructions.
macro_rules! at_level {
    ($features:literal, |$($name:ident: $type:ty),*| $(-> $result:ty)? $body:block) => {{
        #[target_feature(enable = $features)]
        fn with_features($($name: $type),*) $(-> $result)? $body
        fn kernel($($name: $type),*) $(-> $result)? {
            // SAFETY: `Kernels::of` hands out a table only where the processor has its level.
            unsafe { with_features($($name),*) }
        }
        kernel
    }};
}

/// The kernels of a level whose token `$simd` makes, under that assumption.
macro_rules! kernels {
    ($level:expr, $features:literal, $lanes:ty, $simd:expr, $narrow:expr) => {
        Kernels {
            level: $level,
            encode_alaw: at_level!($features, |pcm: &[i16], out: &mut [u8]| {
                g711::definition::encode_alaw(pcm, out)
            }),
            encode_ulaw: at_level!($features, |pcm: &[i16], out: &mut [u8]| {
                g711::definition::encode_ulaw(pcm, out)
            }),
            decode_alaw: at_level!($features, |codes: &[u8], pcm: &mut [i16]| {
                g711::expanding::decode_alaw(codes, pcm)
            }),
            decode_ulaw: at_level!($features, |codes: &[u8], pcm: &mut [i16]| {
                g711::expanding::decode_ulaw(codes, pcm)
            }),
            mix: at_level!($features, |sum: &mut [i32], pcm: &[i16]| { mix::definition::add(sum, pcm) }),
            mix_without: at_level!($features, |sum: &[i32], own: &[i16], out: &mut [i16]| {
                mix::definition::without(sum, own, out)
            }),
            scale: at_level!($features, |pcm: &mut [i16], ramp: Ramp| { gain::definition::scale(pcm, ramp) }),
            loudness: at_level!($features, |pcm: &[i16]| -> Loudness {
                loudness::measure_in_lanes(unsafe { $simd }, pcm)
            }),
            filter: at_level!($features, |bank: &Polyphase<'_>, due: usize, window: &[i16], out: &mut [i16]| {
                // SAFETY: as above; a level has the narrower one too.
                let (simd, narrow) = unsafe { ($simd, $narrow) };
                polyphase::filter_in_lanes(simd, narrow, bank, due, window, out)
            }),
            correlate: at_level!($features, |pcm: &[i16], tables: &[i16], sums: &mut [i32]| {
                tone::correlate_in_lanes(unsafe { $simd }, pcm, tables, sums)
            }),
            g722_lanes: <$lanes>::LANES,
            encode_g722: at_level!($features, |crew: &mut [Option<Encoding<'_>>], steps: usize| {
                lanes::encode_in_lanes(unsafe { $simd }, crew, steps)
            }),
            decode_g722: at_level!($features, |crew: &mut [Option<Decoding<'_>>], steps: usize| {
                lanes::decode_in_lanes(unsafe { $simd }, crew, steps)
            }),
        }
    };
}

#[cfg(target_arch = "x86_64")]
static AVX2: Kernels = kernels!(Level::Avx2, "avx2", avx2::Lanes8, avx2::Avx2::assume(), avx2::Avx2::assume());

#[cfg(target_arch = "x86_64")]
static AVX512: Kernels = kernels!(
    Level::Avx512,
    "avx2,avx512f,avx512bw,avx512dq,avx512vl",
    avx512::Lanes16,
    avx512::Avx512::assume(),
    avx2::Avx2::assume()
);

#[cfg(target_arch = "aarch64")]
static NEON: Kernels = kernels!(Level::Neon, "neon", neon::Lanes4, neon::Neon::assume(), neon::Neon::assume());
