//! What is said and heard: a tone in frames of 20 ms, which name their call and their side as long as nobody transcodes them.

use std::sync::OnceLock;
use tandem::base::time::Time;
use tandem::wire::rtp::{Header, Packet};
use tandem_codecs::{Codec, Encoder, EncoderSettings, g711};

/// The first bytes of a tagged frame, before the number of its call.
const TAG: [u8; 2] = [0x5c, 0xa3];
/// A sample above this isn't silence.
const LOUD: u16 = 2_000;
const MTU: usize = 1_500;

/// Whose voice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub call: usize,
    pub is_caller: bool,
}

#[derive(Clone, Debug)]
pub struct Mouth {
    ssrc: u32,
    sequence: u16,
    /// Which frame since the beginning of time it said last.
    last: u64,
    pub said: u64,
}

/// What came to one side of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ear {
    pub heard: u64,
    /// Those that weren't silence.
    pub loud: u64,
    /// The last voice that could be told, and when it was heard.
    pub voice: Option<(Tag, Time)>,
}

impl Mouth {
    pub fn new(ssrc: u32) -> Mouth {
        Mouth { ssrc, sequence: ssrc as u16, last: 0, said: 0 }
    }

    /// The next packet of the tone.
    pub fn say(&mut self, now: Time, codec: Codec, payload_type: u8, tag: Tag) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.said += 1;
        self.last = (self.last + 1).max(now.millis() / 20);
        let timestamp = self.last * u64::from(codec.clock_rate()) / 50;
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp: timestamp as u32,
            ssrc: self.ssrc,
        };
        let frames = frames(codec);
        let mut packet = header.bytes().to_vec();
        let start = packet.len();
        packet.extend_from_slice(&frames[self.said as usize % frames.len()]);
        if is_open(codec) {
            packet[start..start + 5].copy_from_slice(&tag.bytes());
        }
        packet
    }

    /// The next packet of a line beside the sound: nothing but whose it is.
    pub fn show(&mut self, now: Time, clock_rate: u32, payload_type: u8, tag: Tag) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.said += 1;
        let timestamp = (now.millis() * u64::from(clock_rate) / 1_000) as u32;
        let header = Header { marker: true, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        let mut packet = header.bytes().to_vec();
        packet.extend_from_slice(&tag.bytes());
        packet
    }
}

impl Ear {
    pub fn hear(&mut self, now: Time, codec: Codec, packet: &Packet<'_>) {
        self.heard += 1;
        let payload = packet.payload;
        let is_loud = match codec {
            Codec::Pcmu => payload.iter().any(|&code| g711::ulaw_to_linear(code).unsigned_abs() > LOUD),
            Codec::Pcma => payload.iter().any(|&code| g711::alaw_to_linear(code).unsigned_abs() > LOUD),
            Codec::G722 | Codec::L16 { .. } => !payload.is_empty(),
            // A packet that holds silence is a few bytes long.
            Codec::Opus => payload.len() > 16,
        };
        self.loud += u64::from(is_loud);
        if let Some(tag) = Tag::read(payload).filter(|_| is_open(codec)) {
            self.voice = Some((tag, now));
        }
    }

    /// What came on a line beside the sound.
    pub fn see(&mut self, now: Time, packet: &Packet<'_>) {
        self.heard += 1;
        if let Some(tag) = Tag::read(packet.payload) {
            self.voice = Some((tag, now));
        }
    }
}

impl Tag {
    fn bytes(self) -> [u8; 5] {
        let [high, low] = (self.call as u16).to_be_bytes();
        [TAG[0], TAG[1], high, low, u8::from(self.is_caller)]
    }

    fn read(payload: &[u8]) -> Option<Tag> {
        let &[one, two, high, low, side, ..] = payload else { return None };
        let call = usize::from(u16::from_be_bytes([high, low]));
        ([one, two] == TAG).then_some(Tag { call, is_caller: side == 1 })
    }
}

/// Whether a few bytes of a payload may be anything.
fn is_open(codec: Codec) -> bool {
    matches!(codec, Codec::Pcmu | Codec::Pcma | Codec::G722)
}

/// Some frames of a tone, made once.
fn frames(codec: Codec) -> &'static [Vec<u8>] {
    static FRAMES: [OnceLock<Vec<Vec<u8>>>; 4] = [const { OnceLock::new() }; 4];
    let index = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 1,
        Codec::G722 => 2,
        Codec::Opus | Codec::L16 { .. } => 3,
    };
    FRAMES[index].get_or_init(|| {
        let mut encoder = Encoder::new(codec, EncoderSettings::default()).expect("an encoder");
        let rate = encoder.rate() as usize;
        let tone = tone(rate, rate / 5);
        tone.chunks(rate / 50)
            .map(|pcm| {
                let mut room = [0; MTU];
                let length = encoder.encode(pcm, &mut room).expect("a frame");
                room[..length].to_vec()
            })
            .collect()
    })
}

/// `length` samples of 500 Hz at `rate` Hz.
pub fn tone(rate: usize, length: usize) -> Vec<i16> {
    (0..length)
        .map(|sample| {
            let turns = 500.0 * sample as f64 / rate as f64;
            ((turns * std::f64::consts::TAU).sin() * 12_000.0) as i16
        })
        .collect()
}
