//! What a room shows of a member, for whoever looks from another thread.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Only the member's worker writes; anyone reads. Each figure is up to a sixth of a second old.
#[derive(Debug)]
pub struct Meter {
    talks: AtomicBool,
    /// In dB below the loudest (RFC 6464 §3): 0 to 127, which is silence.
    level: AtomicU8,
    missing: AtomicU64,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter { talks: AtomicBool::new(false), level: AtomicU8::new(127), missing: AtomicU64::new(0) }
    }
}

impl Meter {
    pub fn set(&self, talks: bool, level: u8, missing: u64) {
        self.talks.store(talks, Ordering::Relaxed);
        self.level.store(level, Ordering::Relaxed);
        self.missing.store(missing, Ordering::Relaxed);
    }

    /// Whether it is among those whom the others hear.
    pub fn talks(&self) -> bool {
        self.talks.load(Ordering::Relaxed)
    }

    /// How loud it is, in dB below the loudest: 0 to 127, which is silence.
    pub fn level_below_db(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    /// Frames of ten milliseconds that were sent and weren't here when their turn came.
    pub fn missing(&self) -> u64 {
        self.missing.load(Ordering::Relaxed)
    }
}
