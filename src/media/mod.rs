//! Floor 2: the media path.

pub mod command;
