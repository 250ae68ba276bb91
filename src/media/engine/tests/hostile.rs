use super::*;
use proptest::prelude::*;

/// One thing that happens to an engine.
#[derive(Clone, Debug)]
enum Deed {
    Bytes(usize, bool, u8, Vec<u8>),
    Rtp { slot: usize, from: u8, payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: Vec<u8> },
    Configure(u64, usize, u32, bool),
    Connect(u64, u64),
    Dial(u64, String),
    Tap(u64, u32),
    Open(u64),
    Close(u64),
    Wait(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let payload = || prop::collection::vec(any::<u8>(), 0..400);
    let payload_type = prop::sample::select(vec![0u8, 8, 9, 97, 101, 111]);
    let rtp = (0usize..5, 1u8..4, payload_type, any::<u16>(), any::<u32>(), 0u32..3, payload());
    prop_oneof![
        2 => (0usize..5, any::<bool>(), 1u8..4, payload()).prop_map(|(s, c, f, b)| Deed::Bytes(s, c, f, b)),
        8 => (rtp, any::<bool>()).prop_map(|((slot, from, payload_type, sequence, timestamp, ssrc, payload), near)| {
            let (sequence, timestamp) = if near { (sequence % 40, timestamp % 6_400) } else { (sequence, timestamp) };
            Deed::Rtp { slot, from, payload_type, sequence, timestamp, ssrc, payload }
        }),
        1 => (0u64..5, 0usize..7, 0u32..100, any::<bool>()).prop_map(|(p, c, t, h)| Deed::Configure(p, c, t, h)),
        1 => (0u64..5, 0u64..8).prop_map(|(port, source)| Deed::Connect(port, source)),
        1 => (0u64..5, "[0-9*#A-Dx]{0,9}").prop_map(|(port, digits)| Deed::Dial(port, digits)),
        1 => (0u64..5, prop::sample::select(vec![0u32, 8_000, 16_000, 44_100, 48_000, u32::MAX]))
            .prop_map(|(port, rate)| Deed::Tap(port, rate)),
        1 => (0u64..5).prop_map(Deed::Open),
        1 => (0u64..5).prop_map(Deed::Close),
        6 => (0u64..200).prop_map(Deed::Wait),
    ]
}

const CODECS: [Codec; 7] = [
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::Opus,
    Codec::L16 { rate: 8_000 },
    Codec::L16 { rate: 48_000 },
    Codec::L16 { rate: 16_000 },
];

fn act(bench: &mut Bench, deed: Deed, taps: &mut Vec<rtrb::Consumer<i16>>) {
    let port = |id| PortId(id);
    match deed {
        Deed::Bytes(slot, rtcp, from, bytes) => {
            let channel = if rtcp { Channel::Rtcp } else { Channel::Rtp };
            bench.engine.receive(bench.now, Slot(slot), channel, address(from), &bytes, &mut bench.batch);
        }
        Deed::Rtp { slot, from, payload_type, sequence, timestamp, ssrc, payload } => {
            let header = rtp::Header { marker: false, payload_type, sequence, timestamp, ssrc };
            let mut bytes = header.bytes().to_vec();
            bytes.extend(payload);
            bench.engine.receive(bench.now, Slot(slot), Channel::Rtp, address(from), &bytes, &mut bench.batch);
        }
        Deed::Configure(id, codec, ptime_ms, hold) => {
            let mut settings = settings(1 + id as u8 % 3, CODECS[codec], ptime_ms);
            settings.receive =
                CODECS[..5].iter().map(|&codec| Receiving { payload_type: payload_type(codec), codec }).collect();
            settings.silence_limit = Some(Duration::from_millis(u64::from(ptime_ms)));
            settings.send = settings.send.filter(|_| !hold);
            bench.configure(id, settings);
        }
        Deed::Connect(id, source) => {
            let clip = |rate| Arc::new(Clip { rate, samples: vec![7; 3_000] });
            bench.connect(
                id,
                match source {
                    0..5 => Source::Peer(port(source)),
                    5 => Source::Echo,
                    6 => Source::Play { clip: clip(11_025), repeat: true },
                    _ => Source::Play { clip: clip(0), repeat: false },
                },
            );
        }
        Deed::Dial(id, digits) => {
            bench.order(Command::Dial { port: port(id), digits, duration: Duration::from_millis(70) })
        }
        Deed::Tap(id, rate) => {
            let (samples, consumer) = rtrb::RingBuffer::new(4_800);
            taps.push(consumer);
            bench.order(Command::Tap { port: port(id), tap: Box::new(Tap { samples, rate }) });
        }
        Deed::Open(id) if bench.engine.slot(port(id)).is_none() => {
            bench.engine.open(bench.now, port(id), 20_000);
        }
        Deed::Open(_) => {}
        Deed::Close(id) => bench.order(Command::Close { port: port(id) }),
        Deed::Wait(ms) => bench.run(ms),
    }
    bench.collect();
    bench.sent.clear();
}

/// CVE-2025-53399 and others: a BYE, reports and sound of a stranger change nothing of a call, and nothing goes to them.
#[test]
fn a_stranger_neither_hears_nor_says_nor_ends_anything() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcma, 20));
    let (mut phone, mut stranger) = (Phone::new(1, Codec::Pcmu, 20), Phone::new(9, Codec::Pcmu, 20));
    stranger.frequency = 1_700.0;
    phone.hum(&mut bench, one, 200);
    bench.sent.clear();
    let bye = |ssrc: u32| [&[0x81, 203, 0, 1][..], &ssrc.to_be_bytes()].concat();
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    for _ in 0..100 {
        // The stranger knows the SSRC and the numbers of the phone.
        stranger.header = rtp::Header { ssrc: phone.header.ssrc, ..phone.header };
        for (channel, bytes) in [
            (Channel::Rtp, stranger.packet()),
            (Channel::Rtcp, bye(1)),
            (Channel::Rtcp, stun.clone()),
            (Channel::Rtp, stun.clone()),
        ] {
            bench.engine.receive(bench.now, one, channel, address(9), &bytes, &mut bench.batch);
        }
        phone.hum(&mut bench, one, 20);
    }
    assert!(bench.sent.iter().all(|sent| sent.to.ip() != address(9).ip()), "nothing goes to a stranger");
    let heard = bench.heard_by(two);
    assert_eq!(heard.len(), 100);
    let pcm = listen(Codec::Pcma, &heard);
    let (level, _) = tone(&pcm[1_600..], 8_000, 1_700.0);
    assert!(level < LEVEL / 50.0, "the stranger is heard at {level}");
    assert!(tone(&pcm[1_600..], 8_000, 440.0).0 > LEVEL * 0.8);
    // Its own BYE ends no call either: that is the signalling's.
    bench.engine.receive(bench.now, one, Channel::Rtcp, address(1), &bye(1), &mut bench.batch);
    phone.hum(&mut bench, one, 200);
    assert_eq!(bench.heard_by(two).len(), 10);
}

/// Of a peer that changes its SSRC with each packet nothing is remembered but the last.
#[test]
fn a_flood_of_ssrcs_leaves_one_stream() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    for ssrc in 0..5_000u32 {
        phone.header.ssrc = ssrc.wrapping_mul(2_654_435_761);
        let packet = phone.packet();
        bench.receive(one, phone.address, &packet);
    }
    bench.run(100);
    bench.sent.clear();
    phone.hum(&mut bench, one, 400);
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 20);
    assert_continuous(&sent, 160);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_comes_makes_it_panic(deeds in prop::collection::vec(deed(), 1..200)) {
        let mut bench = Bench::new();
        let mut taps = Vec::new();
        for id in 0..4 {
            bench.open(id, settings(1 + id as u8 % 3, CODECS[id as usize], 20));
            bench.connect(id, Source::Peer(PortId((id + 1) % 4)));
        }
        for deed in deeds {
            act(&mut bench, deed, &mut taps);
            bench.events();
        }
        for id in 0..5 {
            bench.order(Command::Close { port: PortId(id) });
        }
        prop_assert!(bench.engine.is_empty());
        prop_assert_eq!(bench.engine.next_due(), Time::NEVER);
        for count in [&bench.counters.ports, &bench.counters.relays, &bench.counters.transcoders] {
            prop_assert_eq!(count.value(), 0);
        }
    }
}
