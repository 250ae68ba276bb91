//! Payloads for each codec: two seconds of something like a voice, encoded once and sent again and again.

use tandem_codecs::{Codec, Encoder, EncoderSettings};

const PACKETS: u32 = 100;

/// What a leg sends, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub codec: Codec,
    pub payload_type: u8,
}

impl Format {
    pub const PCMU: Format = Format { codec: Codec::Pcmu, payload_type: 0 };
    pub const PCMA: Format = Format { codec: Codec::Pcma, payload_type: 8 };
    pub const G722: Format = Format { codec: Codec::G722, payload_type: 9 };
    pub const OPUS: Format = Format { codec: Codec::Opus, payload_type: 111 };

    /// Twenty milliseconds each.
    pub fn payloads(self) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(self.codec, EncoderSettings::default()).expect("the codec is there");
        let rate = encoder.rate();
        let frame = rate / 50;
        let mut noise = 1u32;
        let mut out = vec![0; 1_500];
        let mut packets = Vec::new();
        for packet in 0..PACKETS {
            let pcm: Vec<i16> = (0..frame)
                .map(|sample| {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    voice(f64::from(packet * frame + sample) / f64::from(rate), f64::from(noise >> 16) / 65_536.0)
                })
                .collect();
            let length = encoder.encode(&pcm, &mut out).expect("a frame can be encoded");
            packets.push(out[..length].to_vec());
        }
        packets
    }
}

/// Syllables of a buzz whose pitch and colour move, with pauses between them.
fn voice(time: f64, noise: f64) -> i16 {
    let turn = std::f64::consts::TAU;
    let loudness = (turn * 2.0 * time).sin().max(0.0).sqrt();
    let pitch = 120.0 + 20.0 * (turn * 0.5 * time).sin();
    let formant = 700.0 + 400.0 * (turn * 1.5 * time).sin();
    let buzz: f64 = (1..=24)
        .map(|harmonic| f64::from(harmonic) * pitch)
        .map(|frequency| (turn * frequency * time).sin() / (1.0 + ((frequency - formant) / 300.0).powi(2)))
        .sum();
    (3_000.0 * loudness * (buzz + 0.2 * (noise - 0.5)) + 20.0 * (noise - 0.5)) as i16
}
