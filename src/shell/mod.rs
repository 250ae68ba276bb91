//! Floor 4: everything that touches the world.

pub mod clock;
pub mod control;
pub mod disk;
pub mod document;
pub mod drive;
pub mod error;
pub mod files;
pub mod journal;
pub mod log;
mod paths;
pub mod phone;
mod postman;
pub mod priority;
pub mod prompt;
mod resolver;
pub mod seed;
pub mod store;
mod tape;
pub mod tls;
pub mod transport;
