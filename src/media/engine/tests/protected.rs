//! Ports under SRTP.

use super::*;
use crate::media::command::{MasterKey, Protection, Suite};
use crate::media::transport::srtp::{Inbound, Outbound};

fn key(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..suite.key_bytes() + suite.salt_bytes()).map(|n| seed ^ n as u8).collect();
    MasterKey::new(suite, &bytes).unwrap()
}

/// What a phone at `address(n)` has, and its keys.
struct Secured {
    phone: Phone,
    outbound: Outbound,
    inbound: Inbound,
}

impl Secured {
    fn new(n: u8, codec: Codec, suite: Suite) -> Secured {
        Secured {
            phone: Phone::new(n, codec, 20),
            outbound: Outbound::new(&key(suite, 2 * n)).unwrap(),
            inbound: Inbound::new(&key(suite, 2 * n + 1)).unwrap(),
        }
    }

    /// The port's settings, in which the keys are the other way about.
    fn settings(n: u8, codec: Codec, suite: Suite) -> PortSettings {
        let protection = Protection { send: key(suite, 2 * n + 1), receive: key(suite, 2 * n) };
        PortSettings { protection: Some(Box::new(protection)), ..settings(n, codec, 20) }
    }

    fn packet(&mut self) -> Vec<u8> {
        let packet = self.phone.packet();
        let mut room = packet.clone();
        room.resize(packet.len() + 16, 0);
        let length = self.outbound.protect_rtp(&mut room, packet.len()).unwrap();
        room.truncate(length);
        room
    }

    fn hum(&mut self, bench: &mut Bench, slot: Slot, ms: u64) {
        for _ in 0..ms / 20 {
            let packet = self.packet();
            bench.receive(slot, self.phone.address, &packet);
            bench.run(20);
        }
    }

    /// Opens what was sent to it.
    fn open(&mut self, sent: Vec<Sent>) -> Vec<Sent> {
        let open = |mut sent: Sent| {
            let length = self.inbound.open_rtp(&mut sent.bytes).unwrap();
            sent.bytes.truncate(length);
            sent
        };
        sent.into_iter().map(open).collect()
    }
}

#[test]
fn plain_and_protected_sides_hear_each_other() {
    for suite in Suite::ALL {
        for codec in [Codec::Pcmu, Codec::G722] {
            let mut bench = Bench::new();
            let (one, two) = bench.bridge(Secured::settings(1, codec, suite), settings(2, Codec::Pcmu, 20));
            let (mut secured, mut plain) = (Secured::new(1, codec, suite), Phone::new(2, Codec::Pcmu, 20));
            for _ in 0..50 {
                let (from_one, from_two) = (secured.packet(), plain.packet());
                bench.receive(one, address(1), &from_one);
                bench.receive(two, address(2), &from_two);
                bench.run(20);
            }
            let to_plain = bench.heard_by(two);
            assert!(to_plain.len() > 40, "{suite:?} {codec:?}");
            let (_, share) = tone(&listen(Codec::Pcmu, &to_plain)[1_600..], 8_000, 440.0);
            assert!(share > 0.95, "{suite:?} {codec:?} {share}");
            let sent = bench.heard_by(one);
            assert!(sent.iter().all(|sent| sent.bytes.len() > 160 + suite.rtp_overhead()));
            let opened = secured.open(sent);
            let pcm = listen(codec, &opened);
            let (_, share) = tone(&pcm[pcm.len() / 4..], if codec == Codec::G722 { 16_000 } else { 8_000 }, 440.0);
            assert!(opened.len() > 40 && share > 0.95, "{suite:?} {codec:?} {share}");
        }
    }
}

#[test]
fn what_is_not_protected_is_neither_heard_nor_learnt_from() {
    let suite = Suite::AesCm128HmacSha1_80;
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(Secured::settings(1, Codec::Pcmu, suite), settings(2, Codec::Pcmu, 20));
    // In clear, from the very address that was signalled; and under another key.
    Phone::new(1, Codec::Pcmu, 20).hum(&mut bench, one, 200);
    Secured::new(3, Codec::Pcmu, suite).hum(&mut bench, one, 200);
    assert!(bench.heard_by(two).is_empty());
    assert!(bench.events().iter().all(|event| !matches!(event, Event::Learnt { .. })));
    assert_eq!(bench.counters.dropped(Reason::Unauthentic), 20);
    let mut secured = Secured::new(1, Codec::Pcmu, suite);
    let replayed = secured.packet();
    for _ in 0..5 {
        bench.receive(one, address(1), &replayed);
    }
    secured.hum(&mut bench, one, 200);
    assert_eq!(bench.heard_by(two).len(), 11);
    assert_eq!(bench.counters.dropped(Reason::Duplicate), 4);
    assert_eq!(bench.close(1).dropped_packets, 24);
}

#[test]
fn keys_change_in_mid_call_without_a_lost_packet() {
    let suite = Suite::AeadAes128Gcm;
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(Secured::settings(1, Codec::Pcmu, suite), settings(2, Codec::Pcmu, 20));
    let mut secured = Secured::new(1, Codec::Pcmu, suite);
    secured.hum(&mut bench, one, 1_000);
    // Renegotiated with the keys as they were: nothing is counted anew.
    bench.configure(1, Secured::settings(1, Codec::Pcmu, suite));
    secured.hum(&mut bench, one, 1_000);
    let late = secured.packet();
    let mut changed = Secured::settings(1, Codec::Pcmu, suite);
    let keys = Protection { send: key(suite, 41), receive: key(suite, 40) };
    changed.protection = Some(Box::new(keys));
    bench.configure(1, changed);
    secured.outbound = secured.outbound.rekeyed(&key(suite, 40)).unwrap();
    let first = secured.packet();
    for packet in [&first, &late] {
        bench.receive(one, address(1), packet);
    }
    secured.hum(&mut bench, one, 1_000);
    let heard = bench.heard_by(two);
    assert_eq!(heard.len(), 152);
    assert_eq!(bench.counters.dropped(Reason::Unauthentic), 0);
    let mut sequences: Vec<u16> = heard.iter().map(|sent| sent.rtp().header.sequence).collect();
    let begin = sequences[0];
    sequences.sort_by_key(|sequence| sequence.wrapping_sub(begin));
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
}

#[test]
fn reports_are_protected_too() {
    let suite = Suite::AesCm256HmacSha1_80;
    let mut bench = Bench::new();
    let (one, _) = bench.bridge(Secured::settings(1, Codec::Pcmu, suite), settings(2, Codec::Pcmu, 20));
    let mut plain = Phone::new(2, Codec::Pcmu, 20);
    let two = Slot(one.0 + 1);
    for _ in 0..600 {
        let packet = plain.packet();
        bench.receive(two, address(2), &packet);
        bench.run(20);
    }
    let mut secured = Secured::new(1, Codec::Pcmu, suite);
    let mut reports = 0;
    for sent in bench.sent.iter_mut().filter(|sent| sent.slot == one && sent.channel == Channel::Rtcp) {
        assert!(rtcp::read(&sent.bytes.clone(), |_| {}).is_err() || sent.bytes.len() > 28 + 14);
        let length = secured.inbound.open_rtcp(&mut sent.bytes).unwrap();
        assert!(rtcp::read(&sent.bytes[..length], |_| {}).is_ok());
        reports += 1;
    }
    assert!((2..6).contains(&reports), "{reports}");
}

#[test]
fn keys_that_come_back_begin_nothing_anew() {
    let suite = Suite::AeadAes128Gcm;
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(Secured::settings(1, Codec::Pcmu, suite), settings(2, Codec::Pcmu, 20));
    let (mut secured, mut plain) = (Secured::new(1, Codec::Pcmu, suite), Phone::new(2, Codec::Pcmu, 20));
    let recorded = secured.packet();
    bench.receive(one, address(1), &recorded);
    plain.hum(&mut bench, two, 200);
    bench.configure(1, settings(1, Codec::Pcmu, 20));
    plain.hum(&mut bench, two, 200);
    bench.configure(1, Secured::settings(1, Codec::Pcmu, suite));
    plain.hum(&mut bench, two, 200);
    bench.receive(one, address(1), &recorded);
    assert_eq!(bench.counters.dropped(Reason::Duplicate), 1, "what was heard before isn't heard again");
    let to_one = bench.heard_by(one);
    let protected = to_one.iter().filter(|sent| sent.bytes.len() > 172).count();
    assert_eq!((to_one.len(), protected), (30, 20));
    let mut sequences: Vec<u16> =
        to_one.iter().map(|sent| u16::from_be_bytes([sent.bytes[2], sent.bytes[3]])).collect();
    sequences.dedup();
    assert_eq!(sequences.len(), 30, "no number is used twice under a key");
}

#[test]
fn a_new_key_of_ours_protects_another_stream() {
    let suite = Suite::AesCm128HmacSha1_80;
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(Secured::settings(1, Codec::Pcmu, suite), settings(2, Codec::Pcmu, 20));
    let mut plain = Phone::new(2, Codec::Pcmu, 20);
    plain.hum(&mut bench, two, 200);
    let mut changed = Secured::settings(1, Codec::Pcmu, suite);
    changed.protection = Some(Box::new(Protection { send: key(suite, 41), receive: key(suite, 40) }));
    bench.configure(1, changed);
    plain.hum(&mut bench, two, 200);
    let ssrcs: std::collections::HashSet<[u8; 4]> =
        bench.heard_by(one).iter().map(|sent| sent.bytes[8..12].try_into().unwrap()).collect();
    assert_eq!(ssrcs.len(), 2);
}
