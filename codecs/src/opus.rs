//! Opus (RFC 6716, RFC 7587) by libopus: one mono stream of speech. Nothing is allocated once a codec is made.

pub mod packet;

use crate::{CodecError, EncoderSettings, MAX_PAYLOAD_BYTES};
use ::opus::{Application, Bitrate, Channels};

/// The highest audio frequency that an encoder spends bits on (RFC 6716 table 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bandwidth {
    /// 4 kHz.
    Narrow,
    /// 6 kHz.
    Medium,
    /// 8 kHz.
    Wide,
    /// 12 kHz.
    SuperWide,
    /// 20 kHz.
    Full,
}

impl Bandwidth {
    /// The widest that a receiver which plays at `rate` Hz can use (RFC 7587 §6.1, `maxplaybackrate`).
    pub fn for_rate(rate: u32) -> Bandwidth {
        match rate {
            0..12_000 => Bandwidth::Narrow,
            12_000..16_000 => Bandwidth::Medium,
            16_000..24_000 => Bandwidth::Wide,
            24_000..48_000 => Bandwidth::SuperWide,
            _ => Bandwidth::Full,
        }
    }
}

/// The rates of PCM that libopus takes and gives, in Hz.
pub const RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];

/// Frames of this length are joined where libopus has no frame of the length asked for.
const SHORT_FRAME_MS: usize = 10;
const MAX_SHORT_FRAMES: usize = 5;

pub struct Encoder {
    encoder: ::opus::Encoder,
    rate: u32,
    dtx: bool,
    /// Where short frames lie until they are joined.
    frames: Box<[u8; MAX_PAYLOAD_BYTES]>,
}

impl Encoder {
    /// # Errors
    /// A rate that Opus doesn't have, or settings that libopus refuses.
    pub fn new(settings: &EncoderSettings) -> Result<Encoder, CodecError> {
        let rate = settings.rate;
        if !RATES.contains(&rate) {
            return Err(CodecError::Rate(rate));
        }
        let mut encoder = ::opus::Encoder::new(rate, Channels::Mono, Application::Voip)?;
        let bitrate = settings.bitrate.unwrap_or_else(|| default_bitrate(rate)).clamp(6_000, 510_000);
        encoder.set_bitrate(Bitrate::Bits(bitrate as i32))?;
        encoder.set_complexity(i32::from(settings.complexity.min(10)))?;
        encoder.set_signal(::opus::Signal::Voice)?;
        encoder.set_inband_fec(settings.inband_fec)?;
        encoder.set_packet_loss_perc(i32::from(settings.expected_loss_percent.min(100)))?;
        encoder.set_dtx(settings.dtx)?;
        encoder.set_vbr(!settings.cbr)?;
        if let Some(bandwidth) = settings.max_bandwidth {
            encoder.set_max_bandwidth(raw_bandwidth(bandwidth))?;
        }
        Ok(Encoder { encoder, rate, dtx: settings.dtx, frames: Box::new([0; MAX_PAYLOAD_BYTES]) })
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Forgets what was encoded, all but `last`, which is encoded once more for the sake of the state.
    pub fn begin_anew(&mut self, last: &[i16]) {
        // libopus never refuses a reset, and a frame that it refuses leaves the state as it is.
        let _ = self.encoder.reset_state();
        let mut packet = [0; MAX_PAYLOAD_BYTES];
        let _ = self.encode(last, &mut packet);
    }

    /// Tells the encoder what the receiver reports to lose, so that it spends more or less on protection.
    pub fn set_expected_loss_percent(&mut self, percent: u8) {
        // libopus refuses only what is over 100.
        let _ = self.encoder.set_packet_loss_perc(i32::from(percent.min(100)));
    }

    /// Encodes 10, 20, 30, 40, 50 or 60 ms. Returns the packet's length; zero where nothing need be sent, since DTX
    /// found silence.
    ///
    /// # Errors
    /// Another length, or less room in `out` than a packet needs.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let short_frame = self.rate as usize * SHORT_FRAME_MS / 1_000;
        let end = out.len().min(MAX_PAYLOAD_BYTES);
        let out = &mut out[..end];
        if !pcm.len().is_multiple_of(short_frame) {
            return Err(CodecError::FrameLength { samples: pcm.len() });
        }
        match pcm.len() / short_frame {
            1 | 2 | 4 | 6 => {
                let length = self.encode_frame(pcm, out)?;
                Ok(if self.is_untransmitted(length) { 0 } else { length })
            }
            3 | 5 => self.encode_joined(pcm, short_frame, out),
            _ => Err(CodecError::FrameLength { samples: pcm.len() }),
        }
    }

    fn encode_frame(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        // libopus needs three bytes to say anything in SILK.
        if out.len() < 3 {
            return Err(CodecError::OutputTooShort { needed: 3 });
        }
        Ok(self.encoder.encode(pcm, out)?)
    }

    /// libopus marks what DTX leaves out by two bytes or fewer.
    fn is_untransmitted(&self, length: usize) -> bool {
        self.dtx && length <= 2
    }

    fn encode_joined(&mut self, pcm: &[i16], short_frame: usize, out: &mut [u8]) -> Result<usize, CodecError> {
        let count = pcm.len() / short_frame;
        // The packet has two bytes of its own, and up to two for each frame's length.
        let room = (out.len().saturating_sub(2) / count).saturating_sub(2);
        let mut lengths = [0; MAX_SHORT_FRAMES];
        let mut at = 0;
        for (length, frame) in lengths.iter_mut().zip(pcm.chunks_exact(short_frame)) {
            let mut packet = [0; MAX_SHORT_FRAME_BYTES];
            let room = room.min(packet.len());
            *length = self.encode_frame(frame, &mut packet[..room])?;
            self.frames[at..at + *length].copy_from_slice(&packet[..*length]);
            at += *length;
            // Frames that travel together have one configuration, so the first frame's bandwidth holds for all.
            let bandwidth = self.encoder.get_bandwidth()?;
            self.encoder.set_bandwidth(bandwidth)?;
        }
        self.encoder.set_bandwidth(::opus::Bandwidth::Auto)?;
        let lengths = &lengths[..count];
        if lengths.iter().all(|&length| self.is_untransmitted(length)) {
            return Ok(0);
        }
        packet::join(&self.frames[..at], lengths, out)
    }
}

pub struct Decoder {
    decoder: ::opus::Decoder,
    rate: u32,
}

impl Decoder {
    /// Decodes to mono at `rate` Hz, whatever the sender encodes.
    ///
    /// # Errors
    /// A rate that Opus doesn't have.
    pub fn new(rate: u32) -> Result<Decoder, CodecError> {
        if !RATES.contains(&rate) {
            return Err(CodecError::Rate(rate));
        }
        Ok(Decoder { decoder: ::opus::Decoder::new(rate, Channels::Mono)?, rate })
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Returns how many samples the packet held.
    ///
    /// # Errors
    /// A packet that RFC 6716 §3.4 forbids, or less room in `pcm` than it needs.
    pub fn decode(&mut self, packet: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let needed = packet::samples(packet, self.rate)?;
        let Some(pcm) = pcm.get_mut(..needed) else { return Err(CodecError::OutputTooShort { needed }) };
        Ok(self.decoder.decode(packet, pcm, false)?)
    }

    /// Fills `pcm` with what a lost packet may have held. A length that libopus can't conceal ends in silence.
    pub fn conceal(&mut self, pcm: &mut [i16]) {
        let longest = self.concealable(MAX_CONCEALED_MS);
        for block in pcm.chunks_mut(longest.max(1)) {
            let granule = self.granule();
            let whole = block.len() / granule * granule;
            let done = match whole {
                0 => 0,
                _ => self.decoder.decode(&[], &mut block[..whole], false).unwrap_or(0),
            };
            block[done..].fill(0);
        }
    }

    /// Fills `pcm`, as long as the lost packet was, from the copy that the next packet brings. False where it brings
    /// none; then nothing has happened, and the loss is to be concealed.
    ///
    /// # Errors
    /// A packet that RFC 6716 §3.4 forbids, or a length that is no multiple of 2.5 ms.
    pub fn decode_fec(&mut self, next_packet: &[u8], pcm: &mut [i16]) -> Result<bool, CodecError> {
        packet::samples(next_packet, self.rate)?;
        if !packet::has_fec(next_packet) {
            return Ok(false);
        }
        let is_legal = !pcm.is_empty() && pcm.len().is_multiple_of(self.granule());
        if !is_legal || pcm.len() > self.concealable(packet::MAX_DURATION_MS) {
            return Err(CodecError::FrameLength { samples: pcm.len() });
        }
        let done = self.decoder.decode(next_packet, pcm, true)?;
        pcm[done..].fill(0);
        Ok(true)
    }

    /// libopus conceals in multiples of 2.5 ms.
    fn granule(&self) -> usize {
        self.rate as usize / 400
    }

    fn concealable(&self, milliseconds: u32) -> usize {
        (self.rate / 1_000 * milliseconds) as usize
    }
}

/// As long as the longest packet that we send.
const MAX_CONCEALED_MS: u32 = 60;

/// No Opus frame is longer (RFC 6716 §3.4, R2), its configuration byte included.
const MAX_SHORT_FRAME_BYTES: usize = 1_276;

/// In bit/s: above the lower end of what RFC 6716 §2.1.1 gives for each rate, since speech that comes from another codec
/// has to bear the loss of both.
fn default_bitrate(rate: u32) -> u32 {
    match rate {
        0..=8_000 => 24_000,
        8_001..=16_000 => 28_000,
        _ => 36_000,
    }
}

fn raw_bandwidth(bandwidth: Bandwidth) -> ::opus::Bandwidth {
    match bandwidth {
        Bandwidth::Narrow => ::opus::Bandwidth::Narrowband,
        Bandwidth::Medium => ::opus::Bandwidth::Mediumband,
        Bandwidth::Wide => ::opus::Bandwidth::Wideband,
        Bandwidth::SuperWide => ::opus::Bandwidth::Superwideband,
        Bandwidth::Full => ::opus::Bandwidth::Fullband,
    }
}

impl From<::opus::Error> for CodecError {
    fn from(error: ::opus::Error) -> CodecError {
        match error.code() {
            ::opus::ErrorCode::InvalidPacket => CodecError::Malformed,
            code => CodecError::Opus(code as i32),
        }
    }
}
