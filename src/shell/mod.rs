//! Floor 4: everything that touches the world.

mod accounts;
pub mod clock;
pub mod control;
pub mod document;
mod drive;
pub mod error;
mod gauges;
pub mod journal;
mod paths;
pub mod phone;
mod prompt;
pub mod run;
pub mod seed;
pub mod store;
mod transport;
