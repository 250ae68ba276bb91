//! Sound between its packets: put in order, decoded, changed in rate, encoded again.

pub mod clip;
pub mod hearing;
pub mod jitter;
pub mod keys;
pub mod mixer;
pub mod talkers;
pub mod tap;
pub mod tones;
pub mod transcode;
pub mod voice;
