//! G.722: 16 kHz audio in two bands of 8 kHz, each in adaptive differential PCM, six bits for the low band and two for
//! the high one. Bit-exact with ITU-T G.722 (the names of the sub-blocks are the Recommendation's).
//!
//! ```text
//! 16 kHz ─ transmit QMF ─┬─ low  ─ LowBand  ─ 6 bits ┐
//!                        └─ high ─ HighBand ─ 2 bits ┴─ octet
//! octet ─┬─ 6, 5 or 4 bits ─ LowBand  ─┬─ receive QMF ─ 16 kHz
//!        └─ 2 bits         ─ HighBand ─┘
//! ```
//!
//! Each value depends on the one before it, so that one call can't be computed faster than its steps follow on each other;
//! [`lanes`] computes many calls at once, and leaves them as this does.

mod band;
pub mod lanes;
mod qmf;

use band::{HighBand, LowBand};
use qmf::{ReceiveQmf, TransmitQmf};

/// How much of each octet is audio; the rest may carry other data (G.722 §1.4). RTP always has all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// 64 kbit/s: six bits in the low band.
    #[default]
    One,
    /// 56 kbit/s: five bits.
    Two,
    /// 48 kbit/s: four bits.
    Three,
}

/// Pairs of samples that are filtered at a time, so that intermediate values stay on the stack.
const BLOCK: usize = 80;

/// 16 kHz PCM to octets at 64 kbit/s.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    qmf: TransmitQmf,
    low: LowBand,
    high: HighBand,
}

impl Encoder {
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// Encodes each pair of samples to an octet, as many as both slices hold, and returns how many. An odd last sample
    /// is left out.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let mut low = [0; BLOCK];
        let mut high = [0; BLOCK];
        let pairs = (pcm.len() / 2).min(out.len());
        for (pcm, out) in pcm[..pairs * 2].chunks(BLOCK * 2).zip(out[..pairs].chunks_mut(BLOCK)) {
            self.qmf.split(pcm, &mut low[..out.len()], &mut high[..out.len()]);
            for ((octet, &low), &high) in out.iter_mut().zip(&low).zip(&high) {
                *octet = self.high.encode(high) << 6 | self.low.encode(low);
            }
        }
        pairs
    }
}

/// Octets to 16 kHz PCM.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    mode: Mode,
    qmf: ReceiveQmf,
    low: LowBand,
    high: HighBand,
}

impl Decoder {
    pub fn new(mode: Mode) -> Decoder {
        Decoder { mode, ..Decoder::default() }
    }

    /// Decodes each octet to a pair of samples, as many as both slices hold, and returns the number of samples.
    pub fn decode(&mut self, octets: &[u8], pcm: &mut [i16]) -> usize {
        let mut low = [0; BLOCK];
        let mut high = [0; BLOCK];
        let pairs = octets.len().min(pcm.len() / 2);
        for (octets, pcm) in octets[..pairs].chunks(BLOCK).zip(pcm[..pairs * 2].chunks_mut(BLOCK * 2)) {
            for ((low, high), &octet) in low.iter_mut().zip(&mut high).zip(octets) {
                *low = self.low.decode(octet & 0x3F, self.mode);
                *high = self.high.decode(octet >> 6);
            }
            self.qmf.join(&low[..octets.len()], &high[..octets.len()], pcm);
        }
        pairs * 2
    }
}
