//! Digits as tones in the sound: made of telephone-events and orders, and made into telephone-events.

use super::carrying::{Caller, DIGITS, understood};
use super::*;
use crate::media::command::Tones;
use tandem_codecs::tone::dtmf::{Detector, Event as Heard, Generator};

/// A phone without telephone-events, which is sent tones.
fn plain(n: u8, codec: Codec) -> PortSettings {
    let mut settings = settings(n, codec, 20);
    settings.send.as_mut().unwrap().events = None;
    PortSettings { receive_events: Vec::new(), tones: Tones { send: true, hear: false }, ..settings }
}

/// The same, to whose tones somebody listens.
fn heeded(n: u8, codec: Codec) -> PortSettings {
    PortSettings { tones: Tones { send: true, hear: true }, ..plain(n, codec) }
}

/// What a phone plays of what it was sent: each packet where its timestamp says, and silence between.
fn played(codec: Codec, sent: &[Sent]) -> Vec<i16> {
    let mut decoder = Decoder::new(codec, None).unwrap();
    let (mut pcm, mut first) = (Vec::new(), None);
    for sent in sent {
        let packet = sent.rtp();
        let since = packet.header.timestamp.wrapping_sub(*first.get_or_insert(packet.header.timestamp));
        let begin = (u64::from(since) * u64::from(codec.sample_rate()) / u64::from(codec.clock_rate())) as usize;
        let mut room = [0; 5_760];
        let samples = decoder.decode(packet.payload, &mut room).unwrap();
        pcm.resize(begin.max(pcm.len()), 0);
        pcm.truncate(begin);
        pcm.extend_from_slice(&room[..samples]);
    }
    pcm
}

/// The digits in a sound, with their lengths in milliseconds.
fn detected(codec: Codec, pcm: &[i16]) -> Vec<(char, u64)> {
    let rate = codec.sample_rate();
    let mut detector = Detector::new(rate);
    let mut digits = Vec::new();
    let mut each = |event| {
        if let Heard::Ended { digit, duration, .. } = event {
            digits.push((char::from(digit), duration * 1_000 / u64::from(rate)));
        }
    };
    detector.push(pcm, &mut each);
    detector.push(&[0; 4_800], &mut each);
    digits
}

/// Packets leave each packet time, give or take as much, and stand where the clock does: nothing is laid over anything.
fn assert_steady(codec: Codec, sent: &[Sent]) {
    let units = codec.clock_rate() / 50;
    for pair in sent.windows(2) {
        let (one, two) = (pair[0].rtp().header, pair[1].rtp().header);
        let step = two.timestamp.wrapping_sub(one.timestamp);
        assert_eq!(two.sequence, one.sequence.wrapping_add(1), "{codec:?} at {:?}", pair[1].at);
        assert!((units..=2 * units).contains(&step), "{codec:?} at {:?}: {step}", pair[1].at);
        assert!(pair[1].at - pair[0].at <= Duration::from_millis(40), "{codec:?} at {:?}", pair[1].at);
    }
    let (first, last) = (&sent[0], &sent[sent.len() - 1]);
    let stood = u64::from(last.rtp().header.timestamp.wrapping_sub(first.rtp().header.timestamp));
    let ms = (last.at - first.at).as_millis() as u64;
    assert!((stood * 1_000 / u64::from(codec.clock_rate())).abs_diff(ms) <= 20, "{codec:?}: {stood} in {ms} ms");
}

const PAIRS: [(Codec, Codec); 7] = [
    (Codec::Pcmu, Codec::Pcmu),
    (Codec::Pcmu, Codec::Pcma),
    (Codec::Opus, Codec::Pcma),
    (Codec::G722, Codec::G722),
    (Codec::Pcma, Codec::G722),
    (Codec::Pcmu, Codec::Opus),
    (Codec::Opus, Codec::Opus),
];

#[test]
fn events_become_tones_once_each_and_leave_no_gap() {
    for (from, to) in PAIRS {
        for seed in 0..4 {
            let mut bench = Bench::new();
            let (one, two) = bench.bridge(settings(1, from, 20), plain(2, to));
            let loss = if seed == 0 { 0.0 } else { 0.03 };
            let mut caller = Caller::new(from, loss, seed);
            // Digits would else come before the sound.
            caller.phone.hum(&mut bench, one, 300);
            for _ in 0..230 {
                caller.step(&mut bench, one);
            }
            caller.phone.hum(&mut bench, one, 300);
            let sent = bench.heard_by(two);
            assert!(sent.iter().all(|sent| sent.rtp().header.payload_type == payload_type(to)));
            let heard = detected(to, &played(to, &sent));
            let digits: String = heard.iter().map(|digit| digit.0).collect();
            assert_eq!(digits, DIGITS, "{from:?} {to:?} seed {seed}");
            if seed == 0 {
                // A decoder of Opus takes a packet to come to itself in another encoder's stream.
                let most = if (from, to) == (Codec::Opus, Codec::Opus) { 35 } else { 12 };
                assert!(heard.iter().all(|digit| digit.1.abs_diff(100) <= most), "{from:?} {to:?}: {heard:?}");
                assert_steady(to, &sent);
            }
            assert_eq!(bench.digits(), DIGITS);
        }
    }
}

#[test]
fn dialled_digits_become_tones_of_their_length() {
    for (from, to) in PAIRS {
        let mut bench = Bench::new();
        let (one, two) = bench.bridge(settings(1, from, 20), plain(2, to));
        let mut phone = Phone::new(1, from, 20);
        phone.hum(&mut bench, one, 300);
        for (digits, ms) in [("1!A", 70), ("#", 250)] {
            let duration = Duration::from_millis(ms);
            bench.order(Command::Dial { port: PortId(2), digits: digits.to_owned(), duration });
            phone.hum(&mut bench, one, 600);
        }
        let sent = bench.heard_by(two);
        assert_steady(to, &sent);
        let heard = detected(to, &played(to, &sent));
        assert_eq!(heard.iter().map(|digit| digit.0).collect::<String>(), "1A#", "{from:?} {to:?}");
        for (digit, ms) in heard.iter().zip([70, 70, 250]) {
            let most = if (from, to) == (Codec::Opus, Codec::Opus) { 35 } else { 12 };
            assert!(digit.1.abs_diff(ms) <= most, "{from:?} {to:?}: {heard:?}");
        }
    }
    // Where nothing else is heard, the tones are.
    let mut bench = Bench::new();
    let two = bench.open(2, plain(2, Codec::Pcma));
    bench.order(Command::Dial { port: PortId(2), digits: "12".to_owned(), duration: Duration::from_millis(100) });
    bench.run(1_000);
    let heard = detected(Codec::Pcma, &played(Codec::Pcma, &bench.heard_by(two)));
    assert_eq!(heard.iter().map(|digit| digit.0).collect::<String>(), "12");
}

/// Hums, and presses keys for so long with such pauses between: a phone that knows nothing but sound.
struct Old {
    phone: Phone,
    pcm: Vec<i16>,
}

impl Old {
    fn new(codec: Codec, digits: &str, ms: usize, pause_ms: usize, offset: usize) -> Old {
        let rate = Decoder::new(codec, None).unwrap().rate();
        let per_ms = rate as usize / 1_000;
        let hum = |pcm: &mut Vec<i16>, samples: usize| {
            pcm.extend((0..samples).map(|n| ((n as f64 * 500.0 / f64::from(rate)).sin() * 4_000.0) as i16));
        };
        let mut pcm = Vec::new();
        hum(&mut pcm, 400 * per_ms + offset);
        for (n, digit) in digits.bytes().enumerate() {
            let begin = pcm.len();
            pcm.resize(begin + ms * per_ms, 0);
            Generator::new(rate, digit, -10.0, ms * per_ms).unwrap().fill(&mut pcm[begin..]);
            if n + 1 < digits.len() {
                pcm.resize(pcm.len() + pause_ms * per_ms, 0);
            }
        }
        hum(&mut pcm, 600 * per_ms);
        Old { phone: Phone::new(1, codec, 20), pcm }
    }

    fn speak(&mut self, bench: &mut Bench, slot: Slot) {
        let frame = self.phone.encoder.rate() as usize / 50;
        for pcm in std::mem::take(&mut self.pcm).chunks_exact(frame) {
            self.say(bench, slot, pcm);
        }
        bench.run(300);
    }

    /// One packet.
    fn say(&mut self, bench: &mut Bench, slot: Slot, pcm: &[i16]) {
        let mut bytes = self.phone.header.bytes().to_vec();
        bytes.resize(12 + 1_500, 0);
        let length = self.phone.encoder.encode(pcm, &mut bytes[12..]).unwrap();
        bytes.truncate(12 + length);
        bench.receive(slot, self.phone.address, &bytes);
        self.phone.header.sequence = self.phone.header.sequence.wrapping_add(1);
        let step = self.phone.codec.clock_rate() / 50;
        self.phone.header.timestamp = self.phone.header.timestamp.wrapping_add(step);
        bench.run(20);
    }
}

#[test]
fn tones_become_events_once_each_with_their_length() {
    for (from, to) in PAIRS {
        for (digits, ms, pause_ms) in [(DIGITS, 100, 80), ("5500##", 45, 40), ("9", 700, 0)] {
            let mut bench = Bench::new();
            let (one, two) = bench.bridge(heeded(1, from), settings(2, to, 20));
            Old::new(from, digits, ms, pause_ms, 7).speak(&mut bench, one);
            let sent = bench.heard_by(two);
            let heard = understood(&sent, to.clock_rate(), 0.0, 0);
            let what = format!("{from:?} {to:?} {ms} ms: {heard:?}");
            assert_eq!(heard.iter().map(|digit| digit.0).collect::<String>(), digits, "{what}");
            assert!(heard.iter().all(|digit| digit.1.as_millis().abs_diff(ms as u128) <= 15), "{what}");
            let told = bench.events();
            let told = told.iter().filter_map(|event| match event {
                Event::Digit { digit, duration, .. } => Some((*digit, duration.as_millis().abs_diff(ms as u128) <= 10)),
                _ => None,
            });
            assert_eq!(
                told.collect::<Vec<_>>(),
                digits.chars().map(|digit| (digit, true)).collect::<Vec<_>>(),
                "{what}"
            );
            for pair in sent.windows(2) {
                assert_eq!(pair[1].rtp().header.sequence, pair[0].rtp().header.sequence.wrapping_add(1));
            }
        }
    }
}

#[test]
fn a_key_is_let_go_of_where_its_side_goes() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(heeded(1, Codec::Pcmu), settings(2, Codec::Pcmu, 20));
    let mut old = Old::new(Codec::Pcmu, "7", 2_000, 0, 0);
    // It is cut off in the middle of the digit.
    for pcm in std::mem::take(&mut old.pcm)[..8 * 700].chunks_exact(160) {
        old.say(&mut bench, one, pcm);
    }
    bench.heard_by(two);
    bench.connect(2, Source::Nothing);
    bench.run(3_000);
    let sent = bench.heard_by(two);
    let last = dtmf::Event::parse(sent[sent.len() - 1].rtp().payload).unwrap();
    assert!(sent.len() <= 4 && last.end, "{} {last:?}", sent.len());
}

#[test]
fn of_tones_that_became_events_hardly_anything_is_heard() {
    for offset in [0, 20, 40, 60, 79] {
        let mut bench = Bench::new();
        let (one, two) = bench.bridge(heeded(1, Codec::Pcmu), settings(2, Codec::Pcmu, 20));
        Old::new(Codec::Pcmu, "5", 200, 0, offset).speak(&mut bench, one);
        let mut sent = bench.heard_by(two);
        let events = sent.iter().filter(|sent| sent.rtp().header.payload_type == 101).count();
        assert!((9..=13).contains(&events), "{events}");
        sent.retain(|sent| sent.rtp().header.payload_type == 0);
        let pcm = played(Codec::Pcmu, &sent);
        // The hum has nothing at 1336 Hz.
        let leaked = pcm.chunks_exact(40).filter(|piece| tone(piece, 8_000, 1_336.0).0 > 1_500.0).count();
        assert!(leaked * 5 <= 40, "{} ms at {offset}", leaked * 5);
        assert_eq!(detected(Codec::Pcmu, &pcm), []);
    }
}

#[test]
fn tones_pass_where_nobody_takes_anything_else() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(plain(1, Codec::Pcmu), plain(2, Codec::Pcmu));
    Old::new(Codec::Pcmu, DIGITS, 60, 60, 0).speak(&mut bench, one);
    let sent = bench.heard_by(two);
    let heard = detected(Codec::Pcmu, &played(Codec::Pcmu, &sent));
    assert_eq!(heard.iter().map(|digit| digit.0).collect::<String>(), DIGITS);
    assert_eq!(bench.digits(), "");
    assert_eq!((bench.counters.relays.value(), bench.counters.transcoders.value()), (1, 0));
}

#[test]
fn tones_that_are_told_otherwise_are_muted() {
    // The other side is told in INFO requests, which the switch makes of what it is told.
    let mut bench = Bench::new();
    let mut informed = settings(2, Codec::Pcmu, 20);
    informed.send.as_mut().unwrap().events = None;
    let (one, two) = bench.bridge(heeded(1, Codec::Pcmu), informed);
    Old::new(Codec::Pcmu, "12", 100, 60, 0).speak(&mut bench, one);
    let sent = bench.heard_by(two);
    assert_eq!(detected(Codec::Pcmu, &played(Codec::Pcmu, &sent)), []);
    assert_steady(Codec::Pcmu, &sent);
    assert_eq!(bench.digits(), "12");
}
