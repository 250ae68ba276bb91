//! The bounds on a message.

/// What a message may be at most. Whatever exceeds it is refused before it costs anything more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Start line and header fields together, in bytes. A UDP datagram can't hold more.
    pub head_bytes: usize,
    /// Header fields.
    pub headers: usize,
    /// One header field with its name and its folded lines, in bytes; also the start line.
    pub header_bytes: usize,
    /// The body in bytes, which over TCP may be larger than a datagram.
    pub body_bytes: usize,
    /// Via values; as many as Max-Forwards lets a request collect (RFC 3261 §8.1.1.6).
    pub vias: usize,
}

impl Limits {
    pub const DEFAULT: Limits =
        Limits { head_bytes: 65_536, headers: 256, header_bytes: 8_192, body_bytes: 262_144, vias: 70 };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
