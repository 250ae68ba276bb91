//! Sound between its packets: put in order, decoded, changed in rate, encoded again.

pub mod clip;
pub mod hearing;
pub mod jitter;
pub mod tap;
pub mod transcode;
