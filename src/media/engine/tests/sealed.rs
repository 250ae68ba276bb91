use super::*;
use crate::media::command::{Protocol, Sealed};
use crate::wire::rtcp::{self, Feedback, FeedbackKind};

const VIDEO: u32 = 90_000;

/// The phone at `address(n)`, which calls its pictures `payload_type` and the other side's phone `onward`.
fn pictures(n: u8, payload_type: u8, onward: u8) -> PortSettings {
    PortSettings {
        remote: Some(address(n)),
        send: Some(sending(VIDEO)),
        sealed: vec![Sealed { payload_type, onward, clock_rate: VIDEO }],
        ..PortSettings::default()
    }
}

fn sending(clock_rate: u32) -> Sending {
    let opus = OpusSettings::default();
    Sending { coding: Coding::Sealed { clock_rate }, payload_type: 0, ptime_ms: 20, events: None, opus }
}

fn fax(n: u8) -> PortSettings {
    PortSettings {
        protocol: Protocol::Udptl,
        remote: Some(address(n)),
        send: Some(sending(8_000)),
        ..PortSettings::default()
    }
}

fn packet(payload_type: u8, sequence: u16, marker: bool, payload: &[u8]) -> Vec<u8> {
    let header = rtp::Header { marker, payload_type, sequence, timestamp: u32::from(sequence) * 3_000, ssrc: 0x5151 };
    [&header.bytes(), payload].concat()
}

#[test]
fn pictures_pass_as_they_are_under_the_other_sides_numbers() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(pictures(1, 96, 102), pictures(2, 102, 96));
    for n in 0..40 {
        // One packet is lost, and one has nothing but padding.
        if n != 7 {
            let payload = vec![n as u8; if n == 9 { 0 } else { 1_200 }];
            bench.receive(one, address(1), &packet(96, 65_530u16.wrapping_add(n), n % 4 == 3, &payload));
        }
        bench.run(10);
    }
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 39 - 34 + 34);
    let first = sent[0].rtp().header;
    for sent in &sent {
        let (header, payload) = (sent.rtp().header, sent.rtp().payload);
        let n = header.sequence.wrapping_sub(first.sequence);
        assert_eq!((header.payload_type, header.ssrc), (102, first.ssrc));
        assert_eq!(header.marker, n % 4 == 3, "the marker says where a frame ends");
        assert!(payload.iter().all(|&byte| byte == n as u8) && payload.is_empty() == (n == 9));
    }
    assert_ne!(first.ssrc, 0x5151);
    bench.receive(one, address(1), &packet(97, 40, false, &[1]));
    assert_eq!(bench.counters.dropped(Reason::PayloadType), 1);
    let report = bench.close(1);
    assert_eq!((report.received_packets, report.lost_packets), (39, 1));
}

#[test]
fn nothing_sealed_is_sent_to_a_side_that_holds() {
    let mut bench = Bench::new();
    let held = PortSettings { send: None, ..pictures(2, 102, 96) };
    let (one, two) = bench.bridge(pictures(1, 96, 102), held);
    bench.receive(one, address(1), &packet(96, 1, false, &[1, 2, 3]));
    assert!(bench.heard_by(two).is_empty());
}

#[test]
fn comfort_noise_goes_beside_sound_that_is_relayed_and_nowhere_else() {
    let noise = Sealed { payload_type: 13, onward: 13, clock_rate: 8_000 };
    for (codec, passes) in [(Codec::Pcmu, true), (Codec::Pcma, false)] {
        let mut bench = Bench::new();
        let both = |settings: PortSettings| PortSettings { sealed: vec![noise], ..settings };
        let (one, two) = bench.bridge(both(settings(1, Codec::Pcmu, 20)), both(settings(2, codec, 20)));
        let mut phone = Phone::new(1, Codec::Pcmu, 20);
        phone.hum(&mut bench, one, 200);
        let mut quiet = packet(13, phone.header.sequence, false, &[60]);
        quiet[4..12].copy_from_slice(&phone.header.bytes()[4..12]);
        bench.receive(one, address(1), &quiet);
        bench.run(100);
        let heard = bench.heard_by(two);
        let noises = heard.iter().filter(|sent| sent.rtp().header.payload_type == 13).count();
        assert_eq!(noises, usize::from(passes), "{codec:?}");
        if passes {
            assert_continuous(&heard, 160);
        }
    }
}

/// A compound packet as the peer of a port would say it.
fn said(ssrc: u32, items: &[(FeedbackKind, u8, u32, Vec<u8>)]) -> Vec<u8> {
    let mut room = vec![0; 500];
    let mut end = rtcp::write(&mut room, ssrc, None, None, "someone@192.0.2.2", false).unwrap();
    for (kind, format, media, control) in items {
        let feedback = Feedback { kind: *kind, format: *format, media: *media, control };
        end = rtcp::write_feedback(&mut room, end, ssrc, &feedback, |room| {
            room[..control.len()].copy_from_slice(control);
            Some(control.len())
        })
        .unwrap();
    }
    room.truncate(end);
    room
}

#[test]
fn feedback_reaches_the_source_in_its_own_numbers() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(pictures(1, 96, 102), pictures(2, 102, 96));
    for n in 0..10 {
        bench.receive(one, address(1), &packet(96, 1_000 + n, false, &[1, 2, 3]));
        bench.receive(two, address(2), &packet(102, 7 + n, false, &[1, 2, 3]));
    }
    let sent = bench.heard_by(two);
    let ours = sent[0].rtp().header;
    let name = ours.ssrc.to_be_bytes();
    let missing = [&sent[4].rtp().header.sequence.to_be_bytes()[..], &[0, 5]].concat();
    let estimate = [&b"REMB"[..], &[1, 0x12, 0x34, 0x56], &name].concat();
    let whole = [&name[..], &[9, 0, 0, 0]].concat();
    use FeedbackKind::{Payload, Transport};
    let datagram = said(
        77,
        &[
            (Transport, 1, ours.ssrc, missing),
            (Payload, 1, ours.ssrc, vec![]),
            (Payload, 4, 0, whole),
            (Payload, 15, 0, estimate),
            // About somebody else, of a kind that is nobody's but the network's, and of an unknown application.
            (Payload, 1, 12_345, vec![]),
            (Transport, 15, ours.ssrc, vec![0; 8]),
            (Payload, 15, ours.ssrc, b"ABCD".to_vec()),
        ],
    );
    bench.sent.clear();
    bench.engine.receive(bench.now, two, Channel::Rtcp, address(2), &datagram, &mut bench.batch);
    bench.collect();
    assert_eq!(bench.sent.len(), 1);
    let onward = &bench.sent[0];
    assert_eq!((onward.slot, onward.channel, onward.to.ip()), (one, Channel::Rtcp, address(1).ip()));
    let feedback: Vec<_> = rtcp::feedback(&onward.bytes).collect();
    let source = 0x5151u32.to_be_bytes();
    assert_eq!(feedback.len(), 4);
    assert_eq!((feedback[0].media, feedback[0].control), (0x5151, &[1_004u16.to_be_bytes(), [0, 5]].concat()[..]));
    assert_eq!((feedback[1].media, feedback[1].format, feedback[1].control.len()), (0x5151, 1, 0));
    assert_eq!(feedback[2].control, [&source[..], &[9, 0, 0, 0]].concat());
    assert_eq!(feedback[3].control, [&b"REMB"[..], &[1, 0x12, 0x34, 0x56], &source].concat());
    let bytes = &onward.bytes;
    assert!(!bytes.windows(7).any(|bytes| bytes == b"someone"), "whoever it is stays behind");
    assert!(rtcp::read(bytes, |_| {}).is_ok());
}

#[test]
fn feedback_of_a_stranger_goes_nowhere() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(pictures(1, 96, 102), pictures(2, 102, 96));
    bench.receive(one, address(1), &packet(96, 1, false, &[1]));
    bench.receive(two, address(2), &packet(102, 1, false, &[1]));
    let ours = bench.heard_by(two)[0].rtp().header.ssrc;
    bench.sent.clear();
    let datagram = said(77, &[(FeedbackKind::Payload, 1, ours, vec![])]);
    bench.engine.receive(bench.now, two, Channel::Rtcp, address(9), &datagram, &mut bench.batch);
    bench.collect();
    assert!(bench.sent.is_empty());
    assert_eq!(bench.counters.dropped(Reason::Stranger), 1);
}

#[test]
fn a_fax_passes_unopened() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(fax(1), fax(2));
    for n in 0..20u16 {
        // The first bytes say nothing here, whatever they look like.
        let datagram = [&(n << 11).to_be_bytes()[..], &[1, 0, 0], &vec![n as u8; usize::from(n) * 60]].concat();
        bench.receive(one, address(1), &datagram);
        bench.run(20);
        let heard = bench.heard_by(two);
        assert_eq!(heard.len(), 1);
        assert_eq!((heard[0].to, &heard[0].bytes), (address(2), &datagram));
    }
    bench.receive(one, address(3), &[0, 0, 1, 0, 0]);
    bench.receive(one, address(1), &[0, 1, 2]);
    assert!(bench.heard_by(two).is_empty());
    assert_eq!((bench.counters.dropped(Reason::Stranger), bench.counters.dropped(Reason::Malformed)), (1, 1));
    bench.run(60_000);
    let reports = bench.sent.iter().filter(|sent| sent.channel == Channel::Rtcp).count();
    assert_eq!(reports, 0, "a fax has no reports");
    let report = bench.close(1);
    assert_eq!((report.received_packets, report.sent_packets, report.dropped_packets), (20, 0, 2));
    assert_eq!(bench.close(2).sent_packets, 20);
    assert_eq!(bench.counters.relays.value(), 0);
}

#[test]
fn a_fax_behind_a_nat_is_learnt_by_two_datagrams_in_sequence() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(fax(1), fax(2));
    for (n, passes) in [(5, false), (9, false), (10, true), (11, true)] {
        bench.receive(one, address(7), &[0, n, 1, 0, 0]);
        assert_eq!(bench.heard_by(two).len(), usize::from(passes));
    }
    bench.receive(two, address(2), &[0, 1, 1, 0, 0]);
    assert_eq!(bench.heard_by(one)[0].to, address(7));
}
