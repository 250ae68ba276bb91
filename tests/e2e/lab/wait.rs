//! Waiting for what will be true soon.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(20);

/// What `look` finds within `limit`. The test fails if it finds nothing; `what` says what was awaited.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    within(limit, look).unwrap_or_else(|| panic!("in {limit:?} this did not come: {what}"))
}

/// The same, where nothing is an answer too.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        // Nobody unparks this thread: it is a pause between two looks.
        std::thread::park_timeout(STEP);
    }
}

pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
