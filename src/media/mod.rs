//! Floor 2: the media path.

pub mod audio;
pub mod batch;
pub mod command;
pub mod counters;
pub mod engine;
pub mod meter;
pub mod price;
pub mod quality;
pub mod room;
pub mod side;
pub mod stream;
pub mod transport;
pub mod worker;
