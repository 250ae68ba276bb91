//! Sound on its way out: changed in rate, cut into packets of the peer's length, encoded.

use crate::media::audio::hearing::STEP_SAMPLES;
use crate::media::command::Sending;
use tandem_codecs::resample::{RATES, Resampler};
use tandem_codecs::{Codec, CodecError, Encoder, EncoderSettings};

/// Packet times that are kept to, in milliseconds.
const PACKET_MS: std::ops::RangeInclusive<u32> = 10..=60;
/// What a payload may have, so that its packet crosses an Ethernet with a tunnel in one piece.
pub const PAYLOAD_BYTES: usize = 1_400;

pub struct Transcoder {
    encoder: Encoder,
    sending: Sending,
    /// The rate of what comes in, in Hz.
    from: u32,
    resampler: Option<Resampler>,
    pcm: Box<[i16]>,
    filled: usize,
    /// Samples of one packet.
    frame: usize,
    /// The same in units of the RTP clock.
    units: u32,
    /// Whether the next packet joins the last one.
    follows: bool,
}

/// One packet's sound.
pub struct Frame<'a> {
    pub encoder: &'a mut Encoder,
    pub pcm: &'a [i16],
    pub units: u32,
    pub follows: bool,
}

impl Transcoder {
    /// For sound of `from` Hz.
    ///
    /// # Errors
    /// A codec or a rate that isn't there.
    pub fn new(sending: &Sending, codec: Codec, from: u32) -> Result<Transcoder, CodecError> {
        let encoder = Encoder::new(codec, encoder_settings(sending, from))?;
        let rate = encoder.rate();
        let resampler = if rate == from { None } else { Some(Resampler::new(from, rate)?) };
        let ms = packet_ms(codec, sending.ptime_ms);
        let frame = (rate * ms / 1_000) as usize;
        Ok(Transcoder {
            encoder,
            sending: sending.clone(),
            from,
            resampler,
            pcm: vec![0; frame + STEP_SAMPLES + 1].into_boxed_slice(),
            filled: 0,
            frame,
            units: codec.clock_rate() * ms / 1_000,
            follows: false,
        })
    }

    /// Whether this is what would be made anew.
    pub fn suits(&self, sending: &Sending, from: u32) -> bool {
        self.from == from && self.sending == *sending
    }

    pub fn from(&self) -> u32 {
        self.from
    }

    /// Takes a step of sound, and hands out each packet that it completes.
    pub fn push(&mut self, pcm: &[i16], mut each: impl FnMut(Frame<'_>)) {
        let room = &mut self.pcm[self.filled..];
        self.filled += match &mut self.resampler {
            Some(resampler) => resampler.process(pcm, room),
            None => {
                let count = pcm.len().min(room.len());
                room[..count].copy_from_slice(&pcm[..count]);
                count
            }
        };
        while self.filled >= self.frame {
            let (frame, units, follows) = (&self.pcm[..self.frame], self.units, self.follows);
            each(Frame { encoder: &mut self.encoder, pcm: frame, units, follows });
            self.follows = true;
            self.pcm.copy_within(self.frame..self.filled, 0);
            self.filled -= self.frame;
        }
    }

    /// Goes on where another one for the same sending is: packets end at the same moments, and what has gathered there
    /// for the next one is here too. `last` is the frame that was encoded there last.
    pub fn follow(&mut self, other: &Transcoder, last: &[i16]) {
        (self.filled, self.follows) = (other.filled, other.follows);
        if self.pcm.len() == other.pcm.len() {
            self.pcm.copy_from_slice(&other.pcm);
        }
        if let (Some(resampler), Some(other)) = (&mut self.resampler, &other.resampler) {
            resampler.follow(other);
        }
        self.encoder.follow(&other.encoder, last);
    }

    /// What has gathered for the next packet was silence.
    pub fn hush(&mut self) {
        self.pcm[..self.filled].fill(0);
    }

    /// The same for sound of another rate.
    ///
    /// # Errors
    /// A rate that isn't there.
    pub fn with_rate(&self, codec: Codec, from: u32) -> Result<Transcoder, CodecError> {
        let mut other = Transcoder::new(&self.sending, codec, from)?;
        if other.frame == self.frame {
            other.pcm.copy_from_slice(&self.pcm);
            other.encoder.follow(&self.encoder, &[]);
        }
        other.filled = self.filled * other.frame / self.frame.max(1);
        other.follows = self.follows;
        Ok(other)
    }

    /// The samples of a packet.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// Ends a stretch of sound: what is left fills its packet up with silence.
    pub fn finish(&mut self, each: impl FnMut(Frame<'_>)) {
        if self.filled > 0 {
            self.pcm[self.filled..self.frame].fill(0);
            self.filled = self.frame;
            self.push(&[], each);
        }
        self.pause();
    }

    /// The next sound doesn't join the last.
    pub fn pause(&mut self) {
        self.filled = 0;
        self.follows = false;
    }

    /// Tells the encoder what its receiver loses.
    pub fn set_expected_loss_percent(&mut self, percent: u8) {
        self.encoder.set_expected_loss_percent(percent);
    }
}

/// The packet time that is sent where `ptime_ms` is asked for.
pub fn packet_ms(codec: Codec, ptime_ms: u32) -> u32 {
    let asked = ptime_ms.clamp(*PACKET_MS.start(), *PACKET_MS.end());
    let fits = match codec {
        Codec::L16 { rate } => (PAYLOAD_BYTES as u32 * 500).checked_div(rate).unwrap_or(asked),
        _ => asked,
    };
    (asked.min(fits) / 10 * 10).max(10)
}

/// The rate at which sound of `from` Hz is best encoded: Opus spends least where it isn't asked for more than there is.
pub fn encoder_rate(sending: &Sending, from: u32) -> u32 {
    match sending.coding.codec() {
        Some(Codec::Opus) => opus_rate(sending.opus.max_playback_rate.map_or(from, |limit| limit.min(from))),
        other => other.map_or(from, Codec::sample_rate),
    }
}

/// The lowest rate of Opus that is also one of the resampler's and has all of `rate`.
pub fn opus_rate(rate: u32) -> u32 {
    [8_000, 16_000, 24_000].into_iter().find(|known| *known >= rate).unwrap_or(48_000)
}

/// Whether sound of `rate` Hz can be resampled.
pub fn is_known_rate(rate: u32) -> bool {
    RATES.contains(&rate)
}

fn encoder_settings(sending: &Sending, from: u32) -> EncoderSettings {
    EncoderSettings {
        rate: encoder_rate(sending, from),
        bitrate: sending.opus.max_average_bitrate,
        inband_fec: sending.opus.inband_fec,
        dtx: sending.opus.dtx,
        cbr: sending.opus.cbr,
        ..EncoderSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::command::{Coding, OpusSettings};

    fn sending(codec: Codec, ptime_ms: u32) -> Sending {
        Sending {
            coding: Coding::Sound(codec),
            payload_type: 96,
            ptime_ms,
            events: None,
            opus: OpusSettings::default(),
        }
    }

    #[test]
    fn packet_times_are_bounded() {
        assert_eq!(packet_ms(Codec::Pcmu, 0), 10);
        assert_eq!(packet_ms(Codec::Pcmu, 35), 30);
        assert_eq!(packet_ms(Codec::Pcmu, 200), 60);
        assert_eq!(packet_ms(Codec::L16 { rate: 48_000 }, 20), 10);
        assert_eq!(packet_ms(Codec::L16 { rate: 16_000 }, 60), 40);
    }

    #[test]
    fn opus_is_asked_for_no_more_than_there_is() {
        assert_eq!(encoder_rate(&sending(Codec::Opus, 20), 8_000), 8_000);
        assert_eq!(encoder_rate(&sending(Codec::Opus, 20), 32_000), 48_000);
        let narrow = OpusSettings { max_playback_rate: Some(12_000), ..OpusSettings::default() };
        assert_eq!(encoder_rate(&Sending { opus: narrow, ..sending(Codec::Opus, 20) }, 48_000), 16_000);
    }

    #[test]
    fn steps_become_packets_of_any_length() {
        for (ptime, packets) in [(10, 60), (20, 30), (30, 20), (40, 15), (60, 10)] {
            let mut transcoder = Transcoder::new(&sending(Codec::G722, ptime), Codec::G722, 8_000).unwrap();
            let mut made = 0;
            for _ in 0..60 {
                transcoder.push(&[100; 80], |frame| {
                    assert_eq!((frame.pcm.len() as u32, frame.units), (ptime * 16, ptime * 8));
                    assert_eq!(frame.follows, made > 0);
                    made += 1;
                });
            }
            assert_eq!(made, packets);
        }
    }

    #[test]
    fn the_last_packet_is_filled_up() {
        let mut transcoder = Transcoder::new(&sending(Codec::Pcmu, 20), Codec::Pcmu, 8_000).unwrap();
        transcoder.push(&[100; 80], |_| panic!("half a packet"));
        let mut last = Vec::new();
        transcoder.finish(|frame| last.extend_from_slice(frame.pcm));
        assert_eq!((last.len(), last[79], last[80]), (160, 100, 0));
        transcoder.finish(|_| panic!("nothing is left"));
    }
}
