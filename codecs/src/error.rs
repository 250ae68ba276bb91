//! Why a codec or a converter refuses.

use std::fmt;

/// The longest payload that is taken or made, in bytes: an Ethernet frame holds no more.
pub const MAX_PAYLOAD_BYTES: usize = 1_500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The codec has no such rate, in Hz.
    Rate(u32),
    /// The codec can't encode a frame of so many samples, or its payload would be too long.
    FrameLength { samples: usize },
    /// The payload is longer than [`MAX_PAYLOAD_BYTES`].
    PayloadTooLong { bytes: usize },
    /// The output has less room than the `needed` bytes or samples.
    OutputTooShort { needed: usize },
    /// The payload is nothing that the codec could have made.
    Malformed,
    /// libopus answers with this code.
    Opus(i32),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Rate(rate) => write!(f, "the codec has no rate of {rate} Hz"),
            CodecError::FrameLength { samples } => write!(f, "the codec has no frame of {samples} samples"),
            CodecError::PayloadTooLong { bytes } => {
                write!(f, "a payload of {bytes} bytes is over the limit of {MAX_PAYLOAD_BYTES}")
            }
            CodecError::OutputTooShort { needed } => write!(f, "the output needs room for {needed}"),
            CodecError::Malformed => f.write_str("the payload is malformed"),
            CodecError::Opus(code) => write!(f, "libopus answers with error {code}"),
        }
    }
}

impl std::error::Error for CodecError {}
