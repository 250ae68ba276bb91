//! Floor 3: calls.

pub mod record;
