//! How wide the processor computes.

use std::fmt;
use std::str::FromStr;

/// A set of vector instructions that kernels are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// What every processor of its kind has; the definition of all kernels.
    Portable,
    /// x86-64 with AVX2: 256 bits.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: 512 bits.
    Avx512,
    /// AArch64: 128 bits.
    Neon,
}

impl Level {
    pub const ALL: [Level; 4] = [Level::Portable, Level::Avx2, Level::Avx512, Level::Neon];

    /// As it is written where the level is capped.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
        }
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                Level::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "aarch64")]
            Level::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The highest that this processor has and that is not above `cap`. A level of another kind of processor caps all
    /// but the portable one.
    pub fn highest(cap: Option<Level>) -> Level {
        let is_allowed = |level: Level| match cap {
            None | Some(Level::Avx512) => level != Level::Neon || cap.is_none(),
            Some(cap) => level == cap,
        };
        let from_high = [Level::Avx512, Level::Avx2, Level::Neon];
        from_high.into_iter().find(|level| is_allowed(*level) && level.is_available()).unwrap_or(Level::Portable)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No level has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel(pub String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [portable, avx2, avx512, neon] = Level::ALL;
        write!(f, "`{}` is no level of SIMD; there are {portable}, {avx2}, {avx512} and {neon}", self.0)
    }
}

impl std::error::Error for UnknownLevel {}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// # Errors
    /// Anything but the name of a level.
    fn from_str(text: &str) -> Result<Level, UnknownLevel> {
        let text = text.trim();
        let known = Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
        known.ok_or_else(|| UnknownLevel(text.chars().take(32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_by_its_name() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
        }
        assert_eq!(" AVX2 ".parse(), Ok(Level::Avx2));
        let wrong = "sse9".parse::<Level>().unwrap_err();
        assert_eq!(wrong.to_string(), "`sse9` is no level of SIMD; there are portable, avx2, avx512 and neon");
    }

    #[test]
    fn a_cap_is_kept() {
        assert_eq!(Level::highest(Some(Level::Portable)), Level::Portable);
        for cap in Level::ALL {
            let level = Level::highest(Some(cap));
            assert!(level.is_available());
            assert!(level == cap || level == Level::Portable || (level, cap) == (Level::Avx2, Level::Avx512));
        }
        let highest = Level::highest(None);
        assert!(Level::ALL.into_iter().filter(|level| level.is_available()).count() == 1 || highest != Level::Portable);
    }
}
