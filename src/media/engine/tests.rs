//! The engine under a virtual clock: phones are played by encoders and decoders of the codecs' own.

mod carrying;
mod conferring;
mod hostile;
mod listening;
mod noise;
mod protected;
mod relaying;
mod reporting;
mod sealed;
mod tones;
mod transcoding;

use super::*;
use crate::media::command::{Clip, Coding, EventFormat, EventSet, OpusSettings, Receiving, Report, Sending, Tap};
use std::time::Duration;
use tandem_codecs::{Codec, Decoder, Encoder, EncoderSettings};

/// What the engine sent.
struct Sent {
    at: Time,
    slot: Slot,
    channel: Channel,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Sent {
    fn rtp(&self) -> rtp::Packet<'_> {
        rtp::Packet::parse(&self.bytes).unwrap()
    }
}

struct Bench {
    engine: Engine,
    batch: Batch,
    now: Time,
    sent: Vec<Sent>,
    counters: Arc<Counters>,
}

impl Bench {
    fn new() -> Bench {
        let counters = Arc::new(Counters::default());
        Bench {
            engine: Engine::new(Chance::from_number(1), Wall::from_micros(1_700_000_000_000_000), counters.clone()),
            batch: Batch::new(256),
            now: Time::from_millis(1_000),
            sent: Vec::new(),
            counters,
        }
    }

    fn open(&mut self, id: u64, settings: PortSettings) -> Slot {
        let slot = self.engine.open(self.now, PortId(id), 20_000 + 2 * id as u16);
        self.configure(id, settings);
        slot
    }

    fn configure(&mut self, id: u64, settings: PortSettings) {
        self.order(Command::Configure { port: PortId(id), settings: Box::new(settings) });
    }

    fn connect(&mut self, id: u64, source: Source) {
        self.order(Command::Connect { port: PortId(id), source });
    }

    /// Two ports that hear each other.
    fn bridge(&mut self, one: PortSettings, two: PortSettings) -> (Slot, Slot) {
        let slots = (self.open(1, one), self.open(2, two));
        self.connect(1, Source::Peer(PortId(2)));
        self.connect(2, Source::Peer(PortId(1)));
        slots
    }

    fn order(&mut self, command: Command) {
        self.engine.command(self.now, command, &mut self.batch);
        self.collect();
    }

    fn receive(&mut self, slot: Slot, from: SocketAddr, bytes: &[u8]) {
        self.engine.receive(self.now, slot, Channel::Rtp, from, bytes, &mut self.batch);
        self.collect();
    }

    /// Moves the clock, ticking whenever something is due.
    fn run_until(&mut self, until: Time) {
        while self.engine.next_due() <= until {
            self.now = self.now.max(self.engine.next_due());
            while self.engine.tick(self.now, &mut self.batch) {
                self.collect();
            }
            self.collect();
        }
        self.now = until;
    }

    fn run(&mut self, ms: u64) {
        self.run_until(self.now + Duration::from_millis(ms));
    }

    fn collect(&mut self) {
        for packet in self.batch.iter() {
            self.sent.push(Sent {
                at: self.now,
                slot: packet.slot,
                channel: packet.channel,
                to: packet.to,
                bytes: packet.bytes.to_vec(),
            });
        }
        self.batch.clear();
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.engine.poll_event()).collect()
    }

    fn digits(&mut self) -> String {
        self.events()
            .iter()
            .filter_map(|event| if let Event::Digit { digit, .. } = event { Some(*digit) } else { None })
            .collect()
    }

    /// The RTP that left a port since the last call.
    fn heard_by(&mut self, slot: Slot) -> Vec<Sent> {
        let all = std::mem::take(&mut self.sent);
        let (mine, rest) = all.into_iter().partition(|sent| sent.slot == slot && sent.channel == Channel::Rtp);
        self.sent = rest;
        mine
    }

    fn close(&mut self, id: u64) -> Report {
        self.order(Command::Close { port: PortId(id) });
        self.events()
            .into_iter()
            .find_map(|event| match event {
                Event::Closed { port, report } if port == PortId(id) => Some(report),
                _ => None,
            })
            .unwrap()
    }
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 4_000))
}

fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 111,
        Codec::L16 { .. } => 97,
    }
}

/// The phone at `address(n)`, which speaks one codec.
fn settings(n: u8, codec: Codec, ptime_ms: u32) -> PortSettings {
    let events = EventFormat { payload_type: 101, clock_rate: codec.clock_rate(), events: EventSet::DIGITS };
    PortSettings {
        remote: Some(address(n)),
        send: Some(Sending {
            coding: Coding::Sound(codec),
            payload_type: payload_type(codec),
            ptime_ms,
            events: Some(events),
            opus: OpusSettings::default(),
        }),
        receive: vec![Receiving { payload_type: payload_type(codec), codec }],
        receive_events: vec![events],
        ..PortSettings::default()
    }
}

/// A phone that hums.
struct Phone {
    address: SocketAddr,
    codec: Codec,
    encoder: Encoder,
    header: rtp::Header,
    ptime_ms: u32,
    sample: usize,
    frequency: f64,
}

const LEVEL: f64 = 8_000.0;

impl Phone {
    fn new(n: u8, codec: Codec, ptime_ms: u32) -> Phone {
        let header = rtp::Header {
            marker: true,
            payload_type: payload_type(codec),
            sequence: 65_500,
            timestamp: u32::MAX - 5_000,
            ssrc: u32::from(n),
        };
        let encoder = Encoder::new(codec, EncoderSettings::default()).unwrap();
        Phone { address: address(n), codec, encoder, header, ptime_ms, sample: 0, frequency: 440.0 }
    }

    fn packet(&mut self) -> Vec<u8> {
        let rate = self.encoder.rate();
        let pcm: Vec<i16> = (0..(rate * self.ptime_ms / 1_000) as usize)
            .map(|n| {
                let time = (self.sample + n) as f64 / f64::from(rate);
                (LEVEL * (time * self.frequency * std::f64::consts::TAU).sin()) as i16
            })
            .collect();
        self.sample += pcm.len();
        let mut bytes = self.header.bytes().to_vec();
        bytes.resize(12 + 1_500, 0);
        let length = self.encoder.encode(&pcm, &mut bytes[12..]).unwrap();
        bytes.truncate(12 + length);
        self.header.marker = false;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(self.codec.clock_rate() * self.ptime_ms / 1_000);
        bytes
    }

    /// Hums for a while, a packet each packet time.
    fn hum(&mut self, bench: &mut Bench, slot: Slot, ms: u64) {
        let until = bench.now + Duration::from_millis(ms);
        while bench.now < until {
            let packet = self.packet();
            bench.receive(slot, self.address, &packet);
            bench.run(u64::from(self.ptime_ms));
        }
    }
}

/// Decodes what a phone with one codec was sent, with gaps in the timestamps left out.
fn listen(codec: Codec, sent: &[Sent]) -> Vec<i16> {
    let mut decoder = Decoder::new(codec, None).unwrap();
    let mut heard = Vec::new();
    for sent in sent {
        let packet = sent.rtp();
        if packet.header.payload_type == payload_type(codec) {
            let mut pcm = [0; 5_760];
            let samples = decoder.decode(packet.payload, &mut pcm).unwrap();
            heard.extend_from_slice(&pcm[..samples]);
        }
    }
    heard
}

/// The level of a tone in `pcm`, and the share of the whole power that it has (Goertzel).
fn tone(pcm: &[i16], rate: u32, frequency: f64) -> (f64, f64) {
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, &sample) in pcm.iter().enumerate() {
        let angle = n as f64 / f64::from(rate) * frequency * std::f64::consts::TAU;
        re += f64::from(sample) * angle.cos();
        im += f64::from(sample) * angle.sin();
        power += f64::from(sample).powi(2);
    }
    let count = pcm.len() as f64;
    let level = 2.0 * (re * re + im * im).sqrt() / count;
    (level, level * level / 2.0 / (power / count).max(1.0))
}

/// Numbers rise by one, and timestamps by what each packet holds.
fn assert_continuous(sent: &[Sent], units: u32) {
    for pair in sent.windows(2) {
        let (one, two) = (pair[0].rtp().header, pair[1].rtp().header);
        assert_eq!(two.sequence, one.sequence.wrapping_add(1));
        assert_eq!(two.timestamp, one.timestamp.wrapping_add(units), "at {:?}", pair[1].at);
        assert_eq!(two.ssrc, one.ssrc);
    }
}
