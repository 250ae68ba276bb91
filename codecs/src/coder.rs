//! One face for all codecs: what a stream of RTP payloads is made by, and what it is heard through.

use crate::g722::{self, lanes};
use crate::plc::Plc;
use crate::{Codec, CodecError, MAX_PAYLOAD_BYTES, g711, l16, opus};

/// The most samples that one payload of any codec can hold: 120 ms of Opus at 48 kHz.
pub const MAX_FRAME_SAMPLES: usize = 5_760;

/// The rates that L16 may have, in Hz.
pub const L16_RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;

/// How to encode. Codecs without a choice pass over it: all of these are heeded by Opus alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderSettings {
    /// The rate of the PCM that comes in, in Hz: one of [`opus::RATES`]. A receiver that plays at 8 or 16 kHz, or a
    /// source that has no more, costs far less at that rate.
    pub rate: u32,
    /// In bit/s, held to 6,000..=510,000; none for what speech needs at `rate`.
    pub bitrate: Option<u32>,
    /// 0 (cheapest) to 10.
    pub complexity: u8,
    /// Whether each packet brings a coarse copy of the one before it, once `expected_loss_percent` makes it worth while.
    pub inband_fec: bool,
    pub expected_loss_percent: u8,
    /// Whether silence is left unsent.
    pub dtx: bool,
    /// Whether every packet is as long as the others, whatever is said.
    pub cbr: bool,
    /// None for all that `rate` allows.
    pub max_bandwidth: Option<opus::Bandwidth>,
}

impl Default for EncoderSettings {
    fn default() -> EncoderSettings {
        EncoderSettings {
            rate: 48_000,
            bitrate: None,
            complexity: 5,
            inband_fec: false,
            expected_loss_percent: 0,
            dtx: false,
            cbr: false,
            max_bandwidth: None,
        }
    }
}

/// Makes payloads out of PCM. Owns the codec's state, so a stream has one for its whole life.
pub struct Encoder {
    codec: Codec,
    kernel: EncoderKernel,
}

enum EncoderKernel {
    Pcmu,
    Pcma,
    G722(Box<g722::Encoder>),
    L16 { rate: u32 },
    Opus(opus::Encoder),
}

impl Encoder {
    /// # Errors
    /// A rate that the codec doesn't have.
    pub fn new(codec: Codec, settings: EncoderSettings) -> Result<Encoder, CodecError> {
        let kernel = match codec {
            Codec::Pcmu => EncoderKernel::Pcmu,
            Codec::Pcma => EncoderKernel::Pcma,
            Codec::L16 { rate } => EncoderKernel::L16 { rate: l16_rate(rate)? },
            Codec::Opus => EncoderKernel::Opus(opus::Encoder::new(&settings)?),
            Codec::G722 => EncoderKernel::G722(Box::default()),
        };
        Ok(Encoder { codec, kernel })
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the PCM that [`Encoder::encode`] takes, in Hz.
    pub fn rate(&self) -> u32 {
        match &self.kernel {
            EncoderKernel::Opus(encoder) => encoder.rate(),
            EncoderKernel::L16 { rate } => *rate,
            _ => self.codec.sample_rate(),
        }
    }

    /// Encodes one packet's samples and returns the payload's length in bytes. Zero says that nothing need be sent: there
    /// was nothing to encode, or Opus with DTX found silence.
    ///
    /// Opus takes 10, 20, 30, 40, 50 or 60 ms; the others take any length whose payload is within
    /// [`MAX_PAYLOAD_BYTES`], G.722 in pairs of samples.
    ///
    /// # Errors
    /// A frame that the codec doesn't have, or an output that is too short; the codec's state is then as before.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        match &mut self.kernel {
            EncoderKernel::Pcmu => {
                let out = payload_room(out, pcm, pcm.len())?;
                g711::encode_ulaw(pcm, out);
                Ok(out.len())
            }
            EncoderKernel::Pcma => {
                let out = payload_room(out, pcm, pcm.len())?;
                g711::encode_alaw(pcm, out);
                Ok(out.len())
            }
            EncoderKernel::G722(_) if pcm.len() % 2 == 1 => Err(CodecError::FrameLength { samples: pcm.len() }),
            EncoderKernel::G722(encoder) => {
                let out = payload_room(out, pcm, pcm.len() / 2)?;
                Ok(encoder.encode(pcm, out))
            }
            EncoderKernel::L16 { .. } => {
                let out = payload_room(out, pcm, pcm.len() * 2)?;
                l16::encode(pcm, out);
                Ok(out.len())
            }
            EncoderKernel::Opus(encoder) => encoder.encode(pcm, out),
        }
    }

    /// The frame as one that [`lanes::encode_all`] takes together with those of other streams, which then does what
    /// [`Encoder::encode`] would; none where the codec gains nothing by it, or [`Encoder::encode`] would refuse. The
    /// payload is an octet for each pair of samples.
    pub fn in_lanes<'a>(&'a mut self, pcm: &'a [i16], out: &'a mut [u8]) -> Option<lanes::Encoding<'a>> {
        match &mut self.kernel {
            EncoderKernel::G722(encoder) if pcm.len().is_multiple_of(2) => {
                let out = payload_room(out, pcm, pcm.len() / 2).ok()?;
                Some(lanes::Encoding { encoder, pcm, out })
            }
            _ => None,
        }
    }

    /// Goes on where another encoder of the same codec is, so that whoever heard that one's payloads may be sent this one's
    /// next. Opus begins anew: `last`, the frame that the other encoded last, is encoded for what it leaves in the state.
    pub fn follow(&mut self, other: &Encoder, last: &[i16]) {
        match (&mut self.kernel, &other.kernel) {
            (EncoderKernel::G722(encoder), EncoderKernel::G722(other)) => encoder.clone_from(other),
            (EncoderKernel::Opus(encoder), EncoderKernel::Opus(_)) => encoder.begin_anew(last),
            _ => {}
        }
    }

    /// Tells the encoder what its receiver reports to lose; Opus spends more or less on protection by it.
    pub fn set_expected_loss_percent(&mut self, percent: u8) {
        if let EncoderKernel::Opus(encoder) = &mut self.kernel {
            encoder.set_expected_loss_percent(percent);
        }
    }
}

fn payload_room<'out>(out: &'out mut [u8], pcm: &[i16], needed: usize) -> Result<&'out mut [u8], CodecError> {
    if needed > MAX_PAYLOAD_BYTES {
        return Err(CodecError::FrameLength { samples: pcm.len() });
    }
    out.get_mut(..needed).ok_or(CodecError::OutputTooShort { needed })
}

fn l16_rate(rate: u32) -> Result<u32, CodecError> {
    if L16_RATES.contains(&rate) { Ok(rate) } else { Err(CodecError::Rate(rate)) }
}

/// Makes PCM out of payloads, and out of their absence. Owns the codec's state and the history that concealment needs, so
/// a stream has one for its whole life.
pub struct Decoder {
    codec: Codec,
    kernel: DecoderKernel,
    /// None for Opus, which has its own concealment.
    plc: Option<Plc>,
}

enum DecoderKernel {
    Pcmu,
    Pcma,
    G722(Box<g722::Decoder>),
    L16 { rate: u32 },
    Opus(opus::Decoder),
}

impl Decoder {
    /// `rate` is the rate wanted of a codec that leaves a choice (Opus: one of [`opus::RATES`], and 48 kHz where none is
    /// given); the others have their own. [`Decoder::rate`] tells which it is.
    ///
    /// # Errors
    /// A rate that the codec doesn't have.
    pub fn new(codec: Codec, rate: Option<u32>) -> Result<Decoder, CodecError> {
        let kernel = match codec {
            Codec::Pcmu => DecoderKernel::Pcmu,
            Codec::Pcma => DecoderKernel::Pcma,
            Codec::L16 { rate } => DecoderKernel::L16 { rate: l16_rate(rate)? },
            Codec::Opus => DecoderKernel::Opus(opus::Decoder::new(rate.unwrap_or(48_000))?),
            Codec::G722 => DecoderKernel::G722(Box::default()),
        };
        let plc = (codec != Codec::Opus).then(|| Plc::new(codec.sample_rate()));
        Ok(Decoder { codec, kernel, plc })
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the PCM that comes out, in Hz.
    pub fn rate(&self) -> u32 {
        match &self.kernel {
            DecoderKernel::Opus(decoder) => decoder.rate(),
            DecoderKernel::L16 { rate } => *rate,
            _ => self.codec.sample_rate(),
        }
    }

    /// How many samples at [`Decoder::rate`] the payload holds, without decoding it.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(CodecError::PayloadTooLong { bytes: payload.len() });
        }
        match &self.kernel {
            DecoderKernel::Pcmu | DecoderKernel::Pcma => Ok(payload.len()),
            DecoderKernel::G722(_) => Ok(payload.len() * 2),
            DecoderKernel::L16 { .. } if payload.len() % 2 == 1 => Err(CodecError::Malformed),
            DecoderKernel::L16 { .. } => Ok(payload.len() / 2),
            DecoderKernel::Opus(decoder) => opus::packet::samples(payload, decoder.rate()),
        }
    }

    /// Decodes one payload and returns how many samples it held. [`MAX_FRAME_SAMPLES`] are room enough for any. After
    /// concealed frames the first samples are blended with what was made up, so that no click is heard.
    ///
    /// # Errors
    /// A payload that is too long or malformed, or an output that is too short. The frame is then to be concealed.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        let needed = self.samples(payload)?;
        let Some(pcm) = pcm.get_mut(..needed) else { return Err(CodecError::OutputTooShort { needed }) };
        match &mut self.kernel {
            DecoderKernel::Pcmu => g711::decode_ulaw(payload, pcm),
            DecoderKernel::Pcma => g711::decode_alaw(payload, pcm),
            DecoderKernel::G722(decoder) => _ = decoder.decode(payload, pcm),
            DecoderKernel::L16 { .. } => l16::decode(payload, pcm),
            DecoderKernel::Opus(decoder) => _ = decoder.decode(payload, pcm)?,
        }
        self.settle(pcm);
        Ok(needed)
    }

    /// The payload as one that [`lanes::decode_all`] takes together with those of other streams; none where the codec gains
    /// nothing by it, or [`Decoder::decode`] would refuse. Two samples come of each octet. What was decoded is to be
    /// given to [`Decoder::settle`] before it is used.
    pub fn in_lanes<'a>(&'a mut self, payload: &'a [u8], pcm: &'a mut [i16]) -> Option<lanes::Decoding<'a>> {
        let needed = self.samples(payload).ok()?;
        match &mut self.kernel {
            DecoderKernel::G722(decoder) => {
                Some(lanes::Decoding { decoder, octets: payload, pcm: pcm.get_mut(..needed)? })
            }
            _ => None,
        }
    }

    /// Ends what [`Decoder::in_lanes`] began, with the samples that came of it: they are remembered for concealment, and
    /// blended with what was made up before them.
    pub fn settle(&mut self, pcm: &mut [i16]) {
        if let Some(plc) = &mut self.plc {
            plc.hear(pcm);
        }
    }

    /// Fills one frame, which was lost, with what it may have held. Repeated losses fade to silence, in 60 ms but for
    /// Opus, which takes its own time.
    pub fn conceal(&mut self, pcm: &mut [i16]) {
        match (&mut self.kernel, &mut self.plc) {
            (DecoderKernel::Opus(decoder), _) => decoder.conceal(pcm),
            (_, Some(plc)) => plc.conceal(pcm),
            (_, None) => pcm.fill(0),
        }
    }

    /// Fills `pcm`, as long as the lost frame was, from the copy that the payload after it brings; that payload is to be
    /// decoded next. False where there is no copy: then nothing has happened and the frame is to be concealed. Only Opus
    /// ever has one.
    ///
    /// # Errors
    /// A payload that is too long or malformed, or a `pcm` that is no multiple of 2.5 ms.
    pub fn decode_fec(&mut self, next_payload: &[u8], pcm: &mut [i16]) -> Result<bool, CodecError> {
        self.samples(next_payload)?;
        match &mut self.kernel {
            DecoderKernel::Opus(decoder) => decoder.decode_fec(next_payload, pcm),
            _ => Ok(false),
        }
    }
}
