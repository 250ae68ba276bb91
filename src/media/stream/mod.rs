//! One direction of a port's media: what is received, what is sent, and the reports about both.

pub mod bursts;
pub mod carry;
pub mod dial;
pub mod feedback;
pub mod press;
pub mod receive;
pub mod relay;
pub mod report;
pub mod send;
pub mod sequence;
pub mod signal;
pub mod watch;
