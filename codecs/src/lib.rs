//! Speech codecs and sample-rate conversion: PCM in, bytes out. No IO, no clock, and no allocation once a codec is made.
//!
//! PCM is mono, 16 bits, native byte order, at the codec's own rate. [`Encoder`] and [`Decoder`] are the face for all
//! codecs; the modules below them hold the arithmetic of each.

#![deny(unsafe_code)]

#[cfg(feature = "opus")]
pub mod coder;
pub mod comfort;
mod error;
pub mod g711;
pub mod g722;
pub mod gain;
pub mod l16;
pub mod loudness;
pub mod mix;
#[cfg(feature = "opus")]
pub mod opus;
pub mod plc;
pub mod resample;
pub mod simd;
pub mod tone;

#[cfg(feature = "opus")]
pub use coder::{Decoder, Encoder, EncoderSettings, MAX_FRAME_SAMPLES};
pub use error::{CodecError, MAX_PAYLOAD_BYTES};
pub use resample::Resampler;

/// Which codec a payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s (RFC 3551 §4.5.2): 16 kHz audio under an RTP clock of 8 kHz.
    G722,
    /// Opus (RFC 6716, RFC 7587).
    Opus,
    /// Linear 16-bit, network byte order, mono (RFC 3551 §4.5.11); `rate` in Hz.
    L16 { rate: u32 },
}

impl Codec {
    /// The name in `rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
            Codec::L16 { .. } => "L16",
        }
    }

    /// The rate of the PCM that goes in and comes out, in Hz.
    pub fn sample_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8_000,
            Codec::G722 => 16_000,
            Codec::Opus => 48_000,
            Codec::L16 { rate } => rate,
        }
    }

    /// The rate of the RTP timestamp, in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Codec::G722 => 8_000,
            other => other.sample_rate(),
        }
    }
}
