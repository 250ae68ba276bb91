//! The one place where the clocks are read.
#![allow(clippy::disallowed_methods, reason = "the shell reads the clocks, so that nothing below has to")]

use crate::base::time::{Now, Time, Wall};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time counted from `epoch`, shared with the media workers.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { epoch: Instant::now() }
    }

    pub fn epoch(self) -> Instant {
        self.epoch
    }

    pub fn now(self) -> Now {
        let time = Time::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX));
        Now { time, wall: wall() }
    }

    /// When a moment of ours comes, for the runtime's timers.
    pub fn instant(self, time: Time) -> Instant {
        self.epoch + (time - Time::ZERO)
    }
}

pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
