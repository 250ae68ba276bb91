use super::*;
use crate::media::stream::dial::Dial;
use crate::media::stream::signal::Signal;

pub const DIGITS: &str = "0123456789*#ABCD1122";

/// A phone that hums and dials, over a network that loses packets.
pub struct Caller {
    pub phone: Phone,
    dial: Dial,
    chance: Chance,
    loss: f64,
}

impl Caller {
    pub fn new(codec: Codec, loss: f64, seed: u64) -> Caller {
        let mut dial = Dial::default();
        dial.push(DIGITS, Duration::from_millis(100), EventSet::DIGITS);
        Caller { phone: Phone::new(1, codec, 20), dial, chance: Chance::from_number(seed), loss }
    }

    pub fn step(&mut self, bench: &mut Bench, slot: Slot) {
        let clock_rate = self.phone.codec.clock_rate();
        let timestamp = self.phone.header.timestamp;
        let sound = self.phone.packet();
        let mut packets = Vec::new();
        while let Some(due) = self.dial.next(bench.now, timestamp, clock_rate) {
            // An event takes the place of the sound in the sequence.
            let header = rtp::Header {
                marker: due.first,
                payload_type: 101,
                sequence: self.phone.header.sequence.wrapping_sub(1),
                timestamp: due.timestamp,
                ..self.phone.header
            };
            let mut packet = header.bytes().to_vec();
            packet.extend(due.event.bytes());
            packets.push(packet);
        }
        if packets.is_empty() {
            packets.push(sound);
        }
        for packet in packets {
            if !self.chance.happens(self.loss) {
                bench.receive(slot, self.phone.address, &packet);
            }
        }
        bench.run(20);
    }
}

/// The digits that a phone makes out of what it was sent, some of which is lost.
pub fn understood(sent: &[Sent], clock_rate: u32, loss: f64, seed: u64) -> Vec<(char, Duration)> {
    let mut chance = Chance::from_number(seed + 1_000);
    let mut signal = Signal::default();
    let mut digits = Vec::new();
    for sent in sent {
        let packet = sent.rtp();
        signal.expire(sent.at, |digit| digits.push((digit.digit, digit.duration)));
        if packet.header.payload_type == 101 && !chance.happens(loss) {
            let event = dtmf::Event::parse(packet.payload).unwrap();
            signal.take(sent.at, 0, packet.header.timestamp, clock_rate, event, |digit| {
                digits.push((digit.digit, digit.duration));
            });
        }
    }
    signal.expire(Time::NEVER, |digit| digits.push((digit.digit, digit.duration)));
    digits
}

#[test]
fn no_digit_is_lost_or_doubled_at_five_per_cent_loss() {
    for (from, to) in
        [(Codec::Pcmu, Codec::Pcmu), (Codec::Pcmu, Codec::Opus), (Codec::Opus, Codec::Pcma), (Codec::G722, Codec::Opus)]
    {
        for seed in 0..20 {
            let mut bench = Bench::new();
            let (one, two) = bench.bridge(settings(1, from, 20), settings(2, to, 20));
            let mut caller = Caller::new(from, 0.05, seed);
            for _ in 0..230 {
                caller.step(&mut bench, one);
            }
            bench.run(1_000);
            assert_eq!(bench.digits(), DIGITS, "heard, {from:?} {to:?} seed {seed}");
            let sent = bench.heard_by(two);
            let digits: String =
                understood(&sent, to.clock_rate(), 0.05, seed).iter().map(|(digit, _)| *digit).collect();
            assert_eq!(digits, DIGITS, "carried, {from:?} {to:?} seed {seed}");
        }
    }
}

#[test]
fn durations_are_converted_and_ends_come_three_times() {
    for (from, to) in [(Codec::Pcmu, Codec::Opus), (Codec::Opus, Codec::Pcmu), (Codec::Pcmu, Codec::Pcmu)] {
        let mut bench = Bench::new();
        let (one, two) = bench.bridge(settings(1, from, 20), settings(2, to, 20));
        let mut caller = Caller::new(from, 0.0, 0);
        for _ in 0..230 {
            caller.step(&mut bench, one);
        }
        let sent = bench.heard_by(two);
        let digits = understood(&sent, to.clock_rate(), 0.0, 0);
        assert!(digits.iter().all(|(_, duration)| duration.as_millis() == 100), "{digits:?}");
        let ends = sent
            .iter()
            .filter(|sent| sent.rtp().header.payload_type == 101)
            .filter(|sent| dtmf::Event::parse(sent.rtp().payload).unwrap().end)
            .count();
        assert_eq!(ends, 3 * DIGITS.len());
        for pair in sent.windows(2) {
            let (one, two) = (pair[0].rtp().header, pair[1].rtp().header);
            assert_eq!(two.sequence, one.sequence.wrapping_add(1));
        }
        // The timestamps of events lie within the sound around them.
        for window in sent.windows(2).filter(|pair| pair[1].rtp().header.marker) {
            let (before, event) = (window[0].rtp().header, window[1].rtp().header);
            let step = event.timestamp.wrapping_sub(before.timestamp);
            assert!(step <= to.clock_rate() / 4, "{from:?} {to:?}: {step}");
        }
    }
}

#[test]
fn events_are_passed_at_once_and_mute_the_sound() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcma, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 400);
    bench.heard_by(two);
    let timestamp = phone.header.timestamp;
    for n in 1..=10u16 {
        let header = rtp::Header { payload_type: 101, timestamp, marker: n == 1, ..phone.header };
        phone.header.sequence = phone.header.sequence.wrapping_add(1);
        let mut packet = header.bytes().to_vec();
        packet.extend(dtmf::Event { code: 7, end: false, volume: 5, duration: n * 160 }.bytes());
        bench.receive(one, phone.address, &packet);
        assert_eq!(bench.heard_by(two).len(), 1);
        // Sound that goes on meanwhile isn't heard.
        let sound = phone.packet();
        bench.receive(one, phone.address, &sound);
        bench.run(20);
        assert!(bench.heard_by(two).is_empty());
    }
    // The end never comes, so it is made up.
    for _ in 0..30 {
        let sound = phone.packet();
        bench.receive(one, phone.address, &sound);
        bench.run(20);
    }
    let sent = bench.heard_by(two);
    let ends = sent.iter().filter(|sent| sent.rtp().header.payload_type == 101).count();
    assert_eq!(ends, 3);
    assert!(sent.len() > 15);
    assert_eq!(bench.digits(), "7");
}

#[test]
fn a_peer_without_events_gets_none_and_no_gap() {
    let mut bench = Bench::new();
    let mut plain = settings(2, Codec::Pcmu, 20);
    plain.send.as_mut().unwrap().events = None;
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), plain);
    let mut caller = Caller::new(Codec::Pcmu, 0.0, 0);
    for _ in 0..230 {
        caller.step(&mut bench, one);
    }
    let sent = bench.heard_by(two);
    assert!(sent.iter().all(|sent| sent.rtp().header.payload_type == 0));
    for pair in sent.windows(2) {
        assert_eq!(pair[1].rtp().header.sequence, pair[0].rtp().header.sequence.wrapping_add(1));
    }
    assert_eq!(bench.digits(), DIGITS);
}

#[test]
fn dialled_digits_interrupt_the_sound() {
    for to in [Codec::Pcmu, Codec::Opus] {
        let mut bench = Bench::new();
        let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, to, 20));
        let mut phone = Phone::new(1, Codec::Pcmu, 20);
        phone.hum(&mut bench, one, 400);
        bench.order(Command::Dial { port: PortId(2), digits: "12#".to_owned(), duration: Duration::from_millis(100) });
        phone.hum(&mut bench, one, 1_000);
        let sent = bench.heard_by(two);
        let digits = understood(&sent, to.clock_rate(), 0.0, 0);
        assert_eq!(digits.iter().map(|(digit, _)| *digit).collect::<String>(), "12#");
        assert!(digits.iter().all(|(_, duration)| duration.as_millis() == 100));
        for pair in sent.windows(2) {
            let (one, two) = (pair[0].rtp().header, pair[1].rtp().header);
            assert_eq!(two.sequence, one.sequence.wrapping_add(1), "{to:?}");
        }
        // Digits for a port without events lead to nothing.
        bench.configure(2, {
            let mut plain = settings(2, to, 20);
            plain.send.as_mut().unwrap().events = None;
            plain
        });
        bench.order(Command::Dial { port: PortId(2), digits: "3".to_owned(), duration: Duration::from_millis(100) });
        bench.run(500);
        assert!(bench.heard_by(two).iter().all(|sent| sent.rtp().header.payload_type != 101));
    }
}
