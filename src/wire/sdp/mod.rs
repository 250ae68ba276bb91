//! SDP (RFC 8866) ⇄ [`Description`](super::description::Description).

mod parse;
mod payload;
mod write;

pub use parse::{SdpError, parse};
pub use write::write;

/// The Content-Type of a body that holds SDP.
pub const CONTENT_TYPE: &str = "application/sdp";

/// The largest description that is read, in bytes; a browser's offer of everything it can is a tenth of it.
pub const MAX_BYTES: usize = 65_536;
/// Media lines in a description.
pub const MAX_MEDIA: usize = 32;
/// Attributes of one media line, or of the session.
pub const MAX_ATTRIBUTES: usize = 256;
/// Formats of one media line.
pub const MAX_FORMATS: usize = 64;
/// Bandwidths of one media line that are kept.
pub const MAX_BANDWIDTHS: usize = 8;
