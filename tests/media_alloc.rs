//! Nothing on a packet's way allocates: after a warm-up, ten thousand packets are relayed and transcoded, and the
//! allocator isn't asked once.
// Phones have sockets and clocks.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tandem::base::chance::Chance;
use tandem::base::time::{Time, Wall};
use tandem::config::settings::Io;
use tandem::media::batch::{Batch, Channel};
use tandem::media::command::*;
use tandem::media::counters::Counters;
use tandem::media::engine::Engine;
use tandem::media::transport::srtp::Outbound;
use tandem::media::worker::{Worker, WorkerSettings};
use tandem::wire::{dtmf, rtp};
use tandem_codecs::tone::dtmf::Generator;
use tandem_codecs::{Codec, Encoder, EncoderSettings};

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: all is left to the system's allocator; the count has no influence on it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CODECS: [(Codec, u8); 5] =
    [(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::G722, 9), (Codec::Opus, 111), (Codec::L16 { rate: 16_000 }, 97)];

fn settings(n: usize, (codec, payload_type): (Codec, u8)) -> PortSettings {
    let events = EventFormat { payload_type: 101, clock_rate: codec.clock_rate(), events: EventSet::DIGITS };
    PortSettings {
        remote: Some(address(n)),
        send: Some(Sending {
            coding: Coding::Sound(codec),
            payload_type,
            ptime_ms: 20,
            events: Some(events),
            opus: OpusSettings::default(),
        }),
        receive: vec![Receiving { payload_type, codec }],
        receive_events: vec![events],
        silence_limit: Some(Duration::from_secs(30)),
        expects: Expects::Sound,
        extended: Extended { voip_metrics: true, round_trip: true },
        ..PortSettings::default()
    }
}

fn address(n: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + n as u8], 4_000))
}

/// Twenty milliseconds of noise, encoded.
fn payload((codec, _): (Codec, u8)) -> Vec<u8> {
    let mut encoder = Encoder::new(codec, EncoderSettings::default()).unwrap();
    let pcm: Vec<i16> = (0..encoder.rate() / 50).map(|n| (n.wrapping_mul(2_654_435_761) >> 18) as i16).collect();
    let mut out = vec![0; 1_500];
    let length = encoder.encode(&pcm, &mut out).unwrap();
    out.truncate(length);
    out
}

/// A quarter of a second with a digit of 100 ms in it, in packets of 20 ms; as often as wanted.
fn keys((codec, _): (Codec, u8)) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, EncoderSettings::default()).unwrap();
    let frame = encoder.rate() as usize / 50;
    let mut digit = Generator::new(encoder.rate(), b'5', -10.0, 5 * frame).unwrap();
    let packet = |_| {
        let (mut pcm, mut out) = (vec![0; frame], vec![0; 1_500]);
        digit.fill(&mut pcm);
        let length = encoder.encode(&pcm, &mut out).unwrap();
        out.truncate(length);
        out
    };
    (0..10).map(packet).collect()
}

/// The allocator is one for all, so that one test has to follow the other.
#[test]
fn ten_thousand_packets_allocate_nothing() {
    sound_allocates_nothing();
    a_room_allocates_nothing();
    what_is_passed_on_allocates_nothing();
    what_is_protected_allocates_nothing();
    [Io::Epoll, Io::IoUring].into_iter().for_each(a_worker_allocates_nothing);
}

/// A call through real sockets, however packets are moved: now and then, and in bursts.
fn a_worker_allocates_nothing(io: Io) {
    let worker = Worker::spawn(WorkerSettings {
        name: "media-alloc".to_owned(),
        ports: (31_300, 31_339),
        io,
        core: None,
        epoch: Instant::now(),
        seed: [7; 32],
        wake: Box::new(|| ()),
        commands: 64,
        events: 1_024,
    });
    let Ok(mut worker) = worker else { return println!("the kernel has no io_uring for us") };
    let phones = [0, 1].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let numbers = [0, 1].map(|n: usize| {
        let port = PortId(n as u64);
        worker.send(Command::Open { port, local: IpAddr::V4(Ipv4Addr::LOCALHOST) }).unwrap();
        let settings = PortSettings { remote: Some(phones[n].local_addr().unwrap()), ..settings(n, CODECS[0]) };
        worker.send(Command::Configure { port, settings: Box::new(settings) }).unwrap();
        worker.send(Command::Connect { port, source: Source::Peer(PortId(1 - n as u64)) }).unwrap();
        loop {
            match worker.poll_event() {
                Some(Event::Opened { number, .. }) => return number,
                Some(Event::OpenFailed { why, .. }) => panic!("{why}"),
                _ => std::thread::yield_now(),
            }
        }
    });
    phones.iter().zip(numbers).for_each(|(phone, number)| phone.connect((Ipv4Addr::LOCALHOST, number)).unwrap());
    let mut packet = [7u8; 172];
    let mut room = [0u8; 2_048];
    let mut sequence = 0u16;
    let mut run = |bursts: u32| {
        for burst in 0..bursts {
            let count = 1 + burst % 50;
            for _ in 0..count {
                sequence = sequence.wrapping_add(1);
                let timestamp = u32::from(sequence) * 160;
                rtp::Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 9 }.write(&mut packet);
                phones[0].send(&packet).unwrap();
            }
            for _ in 0..count {
                phones[1].recv(&mut room).unwrap();
            }
        }
    };
    run(100);
    let before = CALLS.load(Ordering::Relaxed);
    run(200);
    assert_eq!(CALLS.load(Ordering::Relaxed) - before, 0, "by {}", io.name());
}

/// Pictures with feedback about them, and fax.
fn what_is_passed_on_allocates_nothing() {
    let now = Time::from_millis(1);
    let mut engine = Engine::new(Chance::from_number(1), Wall::default(), Arc::new(Counters::default()));
    let mut batch = Batch::new(256);
    let settings = |n: usize, protocol: Protocol| PortSettings {
        protocol,
        remote: Some(address(n)),
        send: Some(Sending {
            coding: Coding::Sealed { clock_rate: 90_000 },
            payload_type: 0,
            ptime_ms: 20,
            events: None,
            opus: OpusSettings::default(),
        }),
        sealed: vec![Sealed { payload_type: 96, onward: 102, clock_rate: 90_000 }],
        ..PortSettings::default()
    };
    let mut slots = Vec::new();
    for (n, protocol) in [Protocol::Rtp, Protocol::Rtp, Protocol::Udptl, Protocol::Udptl].into_iter().enumerate() {
        let port = PortId(n as u64);
        slots.push(engine.open(now, port, 20_000));
        engine.command(now, Command::Configure { port, settings: Box::new(settings(n, protocol)) }, &mut batch);
        engine.command(now, Command::Connect { port, source: Source::Peer(PortId(n as u64 ^ 1)) }, &mut batch);
    }
    let mut packet = [7u8; 1_200];
    let mut sent = 0u64;
    let mut run = |round: u32| {
        for (n, slot) in slots.iter().enumerate() {
            let (sequence, ssrc) = (round as u16, n as u32);
            rtp::Header { marker: false, payload_type: 96, sequence, timestamp: round * 3_000, ssrc }
                .write(&mut packet);
            if n >= 2 {
                packet[..2].copy_from_slice(&sequence.to_be_bytes());
            }
            engine.receive(now, *slot, Channel::Rtp, address(n), &packet, &mut batch);
            let ours =
                batch.iter().next().and_then(|packet| rtp::Packet::parse(packet.bytes).ok()).map(|p| p.header.ssrc);
            sent += batch.iter().count() as u64;
            batch.clear();
            if let (0, Some(ours)) = (n, ours) {
                let mut lost = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0];
                lost[8..].copy_from_slice(&ours.to_be_bytes());
                engine.receive(now, slots[1], Channel::Rtcp, address(1), &lost, &mut batch);
                sent += batch.iter().count() as u64;
                batch.clear();
            }
        }
        while engine.poll_event().is_some() {}
    };
    (0..100).for_each(&mut run);
    let before = CALLS.load(Ordering::Relaxed);
    (100..2_600).for_each(&mut run);
    assert_eq!(CALLS.load(Ordering::Relaxed) - before, 0);
    assert!(sent > 12_000, "{sent}");
}

/// From a protected side to a plain one and back, under each suite, over the end of the sequence numbers.
fn what_is_protected_allocates_nothing() {
    let now = Time::from_millis(1);
    let mut engine = Engine::new(Chance::from_number(1), Wall::default(), Arc::new(Counters::default()));
    let mut batch = Batch::new(256);
    let mut sides = Vec::new();
    for (n, suite) in Suite::ALL.into_iter().enumerate() {
        let key = |seed: u8| MasterKey::new(suite, &vec![seed; suite.key_bytes() + suite.salt_bytes()]).unwrap();
        let protection = Some(Box::new(Protection { send: key(1), receive: key(2) }));
        let ports = [2 * n, 2 * n + 1].map(|id| PortId(id as u64));
        let slots = ports.map(|port| engine.open(now, port, 20_000));
        for (side, port) in ports.into_iter().enumerate() {
            let settings = settings(side, CODECS[0]);
            let protection = protection.clone().filter(|_| side == 0);
            let settings = Box::new(PortSettings { protection, ..settings });
            engine.command(now, Command::Configure { port, settings }, &mut batch);
            engine.command(now, Command::Connect { port, source: Source::Peer(ports[1 - side]) }, &mut batch);
        }
        sides.push((slots, Outbound::new(&key(2)).unwrap()));
    }
    let mut sent = 0u64;
    let mut run = |round: u32| {
        for (slots, outbound) in &mut sides {
            let mut packet = [7u8; 200];
            let sequence = 65_000u16.wrapping_add(round as u16);
            rtp::Header { marker: false, payload_type: 0, sequence, timestamp: round * 160, ssrc: 9 }
                .write(&mut packet);
            engine.receive(now, slots[1], Channel::Rtp, address(1), &packet[..172], &mut batch);
            let length = outbound.protect_rtp(&mut packet, 172).unwrap();
            engine.receive(now, slots[0], Channel::Rtp, address(0), &packet[..length], &mut batch);
            sent += batch.iter().count() as u64;
            batch.clear();
        }
        while engine.poll_event().is_some() {}
    };
    (0..100).for_each(&mut run);
    let before = CALLS.load(Ordering::Relaxed);
    (100..1_100).for_each(&mut run);
    assert_eq!(CALLS.load(Ordering::Relaxed) - before, 0);
    assert_eq!(sent, 2 * 6 * 1_100);
}

fn sound_allocates_nothing() {
    let mut now = Time::from_millis(1);
    let mut engine = Engine::new(Chance::from_number(1), Wall::default(), Arc::new(Counters::default()));
    let mut batch = Batch::new(256);
    // Each codec to each other one, and to itself; one side of each pair is tapped.
    let pairs: Vec<_> = CODECS.iter().flat_map(|&from| CODECS.iter().map(move |&to| (from, to))).collect();
    let mut ports = Vec::new();
    let mut taps = Vec::new();
    for (n, &(from, to)) in pairs.iter().enumerate() {
        let (one, two) = (PortId(2 * n as u64), PortId(2 * n as u64 + 1));
        for (port, sound) in [(one, from), (two, to)] {
            let slot = engine.open(now, port, 20_000);
            let mut settings = Box::new(settings(ports.len(), sound));
            // Some know digits as tones only, and some pause.
            match n % 4 {
                1 if port == two => {
                    settings.send.as_mut().unwrap().events = None;
                    settings.receive_events.clear();
                    settings.tones = Tones { send: true, hear: true };
                }
                2 => settings.noise = Noise { receive: Some(13), send: Some(13) },
                3 if port == one => settings.noise = Noise { receive: Some(13), send: None },
                _ => {}
            }
            engine.command(now, Command::Configure { port, settings }, &mut batch);
            ports.push((slot, sound, payload(sound), keys(sound)));
        }
        for (port, source) in [(one, Source::Peer(two)), (two, Source::Peer(one))] {
            engine.command(now, Command::Connect { port, source }, &mut batch);
        }
        let (samples, tap) = rtrb::RingBuffer::new(16_000);
        taps.push(tap);
        engine.command(now, Command::Tap { port: one, tap: Box::new(Tap { samples, rate: 16_000 }) }, &mut batch);
    }
    let mut packet = [0u8; 2_048];
    let (mut sent, mut pressed) = (0u64, 0);
    let mut run = |now: &mut Time, round: u32| {
        for (n, (slot, (codec, payload_type), payload, keys)) in ports.iter().enumerate() {
            let mut header = rtp::Header {
                marker: false,
                payload_type: *payload_type,
                sequence: round as u16,
                timestamp: round * (codec.clock_rate() / 50),
                ssrc: n as u32,
            };
            // Now and then a digit, and now and then a loss.
            let event = dtmf::Event { code: 5, end: round % 50 == 9, volume: 9, duration: 160 };
            let bytes = if round % 50 < 10 && n % 3 == 0 {
                (header.payload_type, header.timestamp) = (101, round / 50 * 50 * (codec.clock_rate() / 50));
                &event.bytes()[..]
            } else if round % 50 >= 40 {
                // Where it isn't known it is dropped.
                header.payload_type = 13;
                &[50, 30, 140][..]
            } else if (20..40).contains(&(round % 50)) {
                &keys[round as usize % 10]
            } else {
                payload
            };
            let length = 12 + bytes.len();
            header.write(&mut packet);
            packet[12..length].copy_from_slice(bytes);
            if round % 17 != 3 {
                engine.receive(*now, *slot, Channel::Rtp, address(n), &packet[..length], &mut batch);
            }
            sent += batch.iter().count() as u64;
            batch.clear();
        }
        for _ in 0..2 {
            while engine.tick(*now, &mut batch) {
                sent += batch.iter().count() as u64;
                batch.clear();
            }
            sent += batch.iter().count() as u64;
            batch.clear();
            *now += Duration::from_millis(10);
        }
        while let Some(event) = engine.poll_event() {
            pressed +=
                u32::from(matches!(event, Event::Digit { digit: '5', duration, .. } if duration.as_millis() > 60));
        }
    };
    for round in 0..100 {
        run(&mut now, round);
    }
    let before = CALLS.load(Ordering::Relaxed);
    for round in 100..300 {
        run(&mut now, round);
    }
    let calls = CALLS.load(Ordering::Relaxed) - before;
    assert_eq!(calls, 0);
    assert!(sent > 10_000 && pressed > 20, "{sent} packets, {pressed} digits heard in the sound");
}

/// A room in which now these talk and now those, in all codecs; a member of each is recorded.
fn a_room_allocates_nothing() {
    let mut now = Time::from_millis(1);
    let mut engine = Engine::new(Chance::from_number(1), Wall::default(), Arc::new(Counters::default()));
    let mut batch = Batch::new(64);
    let mut ports = Vec::new();
    let mut taps = Vec::new();
    for n in 0..4 * CODECS.len() {
        let (port, sound) = (PortId(n as u64), CODECS[n % CODECS.len()]);
        let slot = engine.open(now, port, 20_000);
        engine.command(now, Command::Configure { port, settings: Box::new(settings(n, sound)) }, &mut batch);
        let (muted, deaf) = (n == 17, n == 18);
        let seat = Seat { room: RoomId(1), talkers: 3, muted, deaf, gain_db: 3, meter: Arc::default() };
        engine.command(now, Command::Connect { port, source: Source::Room(Arc::new(seat)) }, &mut batch);
        if n < CODECS.len() {
            let (samples, tap) = rtrb::RingBuffer::new(16_000);
            taps.push(tap);
            engine.command(now, Command::Tap { port, tap: Box::new(Tap { samples, rate: 16_000 }) }, &mut batch);
        }
        ports.push((slot, sound, payload(sound)));
    }
    let mut packet = [0u8; 2_048];
    let mut sent = 0u64;
    let mut run = |now: &mut Time, round: u32| {
        for (n, (slot, (codec, payload_type), payload)) in ports.iter().enumerate() {
            // Each talks for two seconds of eight.
            if (round / 25 + n as u32) % 16 >= 4 || round % 17 == 3 {
                continue;
            }
            let timestamp = round * (codec.clock_rate() / 50);
            let (payload_type, sequence, ssrc) = (*payload_type, round as u16, n as u32);
            rtp::Header { marker: false, payload_type, sequence, timestamp, ssrc }.write(&mut packet);
            packet[12..12 + payload.len()].copy_from_slice(payload);
            engine.receive(*now, *slot, Channel::Rtp, address(n), &packet[..12 + payload.len()], &mut batch);
        }
        for _ in 0..2 {
            while engine.tick(*now, &mut batch) {
                sent += batch.iter().count() as u64;
                batch.clear();
            }
            sent += batch.iter().count() as u64;
            batch.clear();
            *now += Duration::from_millis(10);
        }
        while engine.poll_event().is_some() {}
    };
    for round in 0..450 {
        run(&mut now, round);
    }
    let before = CALLS.load(Ordering::Relaxed);
    for round in 450..900 {
        run(&mut now, round);
    }
    let calls = CALLS.load(Ordering::Relaxed) - before;
    assert_eq!(calls, 0, "in a room");
    assert!(sent > 15_000, "{sent}");
}
