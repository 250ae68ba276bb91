//! Floor 3: calls.

pub mod record;
pub mod view;
