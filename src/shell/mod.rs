//! Floor 4: everything that touches the world.

pub mod control;
pub mod document;
pub mod error;
pub mod journal;
pub mod seed;
pub mod store;
