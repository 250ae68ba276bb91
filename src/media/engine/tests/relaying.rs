use super::*;

#[test]
fn a_relayed_stream_is_one_stream() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 2_000);
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 100);
    assert_continuous(&sent, 160);
    assert!(sent[0].rtp().header.marker && sent[0].to == address(2));
    assert_ne!(sent[0].rtp().header.ssrc, 1);
    assert!(sent[1..].iter().all(|sent| !sent.rtp().header.marker));
    assert_eq!((bench.counters.relays.value(), bench.counters.transcoders.value()), (1, 0));
}

#[test]
fn losses_reordering_and_markers_are_kept() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcma, 20), settings(2, Codec::Pcma, 20));
    let mut phone = Phone::new(1, Codec::Pcma, 20);
    let packets: Vec<_> = (0..8)
        .map(|n| {
            phone.header.marker = n == 6;
            phone.packet()
        })
        .collect();
    for n in [0, 1, 4, 3, 3, 6, 7] {
        bench.receive(one, phone.address, &packets[n]);
        bench.run(20);
    }
    let sent = bench.heard_by(two);
    let first = sent[0].rtp().header;
    let places: Vec<_> = sent
        .iter()
        .map(|sent| {
            let header = sent.rtp().header;
            assert_eq!(
                header.timestamp.wrapping_sub(first.timestamp),
                u32::from(header.sequence.wrapping_sub(first.sequence)) * 160
            );
            (header.sequence.wrapping_sub(first.sequence), header.marker)
        })
        .collect();
    assert_eq!(places, [(0, true), (1, false), (4, false), (3, false), (6, true), (7, false)]);
    assert_eq!(bench.counters.dropped(Reason::Duplicate), 1);
}

#[test]
fn another_ssrc_or_a_jump_of_time_goes_on_in_our_stream() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 200);
    phone.header.ssrc = 77;
    phone.header.sequence = 9;
    phone.header.timestamp = 123_456_789;
    phone.hum(&mut bench, one, 200);
    phone.header.timestamp = 3_123_456_789;
    phone.hum(&mut bench, one, 200);
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 30);
    assert_continuous(&sent, 160);
    let marked: Vec<_> = (0..30).filter(|&n| sent[n].rtp().header.marker).collect();
    assert_eq!(marked, [0, 10, 20]);
}

#[test]
fn a_restarted_sequence_is_followed_from_its_second_packet() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 200);
    phone.header.sequence = 30_000;
    phone.hum(&mut bench, one, 200);
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 19);
    let steps: Vec<_> =
        sent.windows(2).map(|pair| pair[1].rtp().header.sequence.wrapping_sub(pair[0].rtp().header.sequence)).collect();
    assert_eq!(steps, [1; 18]);
    assert_eq!(bench.counters.dropped(Reason::Sequence), 1);
}

#[test]
fn another_source_goes_on_in_our_stream() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let three = bench.open(3, settings(3, Codec::Pcmu, 20));
    let mut phones = (Phone::new(1, Codec::Pcmu, 20), Phone::new(3, Codec::Pcmu, 20));
    phones.0.hum(&mut bench, one, 400);
    bench.connect(2, Source::Peer(PortId(3)));
    phones.1.hum(&mut bench, three, 400);
    bench.connect(2, Source::Nothing);
    phones.1.hum(&mut bench, three, 400);
    bench.connect(2, Source::Peer(PortId(1)));
    phones.0.hum(&mut bench, one, 400);
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 60);
    assert_continuous(&sent[..40], 160);
    assert_continuous(&sent[40..], 160);
    let (before, after) = (sent[39].rtp().header, sent[40].rtp().header);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(21 * 160));
}

#[test]
fn csrcs_extensions_and_padding_end_at_the_gateway() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut bytes = rtp::Header { sequence: 5, ..Default::default() }.bytes().to_vec();
    bytes[0] |= 0x20 | 0x10 | 1;
    bytes.extend([9, 9, 9, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
    bytes.extend([0x55; 160]);
    bytes.extend([0, 0, 0, 4]);
    bench.receive(one, address(1), &bytes);
    let sent = bench.heard_by(two);
    assert_eq!(sent[0].bytes.len(), 172);
    assert_eq!(sent[0].rtp().payload, [0x55; 160]);
}

#[test]
fn strangers_are_dropped_and_the_source_is_locked() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.address = SocketAddr::from(([192, 0, 2, 1], 9_999));
    phone.hum(&mut bench, one, 100);
    assert!(
        bench.events().iter().any(|event| matches!(event, Event::Learnt { source, .. } if *source == phone.address))
    );
    let mut stranger = Phone::new(66, Codec::Pcmu, 20);
    stranger.hum(&mut bench, one, 100);
    assert_eq!(bench.heard_by(two).len(), 5);
    assert_eq!(bench.counters.dropped(Reason::Stranger), 5);
    // What is said to the phone goes where it speaks from.
    Phone::new(2, Codec::Pcmu, 20).hum(&mut bench, two, 20);
    assert_eq!(bench.heard_by(one)[0].to, phone.address);
    // It moves, and says so.
    bench.configure(1, settings(66, Codec::Pcmu, 20));
    stranger.hum(&mut bench, one, 100);
    assert_eq!(bench.heard_by(two).len(), 5);
    phone.hum(&mut bench, one, 100);
    assert_eq!(bench.heard_by(two).len(), 0);
    let report = bench.close(1);
    assert_eq!((report.received_packets, report.dropped_packets, report.source), (10, 10, Some(address(66))));
}

#[test]
fn what_was_not_negotiated_is_dropped() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    Phone::new(1, Codec::Pcma, 20).hum(&mut bench, one, 100);
    bench.receive(one, address(1), &[0, 1, 0, 0]);
    bench.receive(one, address(1), &[22, 254, 253, 0]);
    bench.receive(one, address(1), &[0x80, 0, 1]);
    bench.receive(Slot(99), address(1), &[0x80, 0, 1]);
    assert!(bench.heard_by(two).is_empty());
    let dropped = |reason| bench.counters.dropped(reason);
    assert_eq!((dropped(Reason::PayloadType), dropped(Reason::Protocol), dropped(Reason::Malformed)), (5, 2, 1));
    assert_eq!(dropped(Reason::NoPort), 1);
}

#[test]
fn a_held_side_gets_nothing() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 100);
    bench.configure(2, PortSettings { send: None, ..settings(2, Codec::Pcmu, 20) });
    phone.hum(&mut bench, one, 100);
    let before = bench.heard_by(two);
    assert_eq!(before.len(), 5);
    bench.configure(2, settings(2, Codec::Pcmu, 20));
    phone.hum(&mut bench, one, 100);
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 5);
    // What it didn't want is no loss.
    assert_eq!(sent[0].rtp().header.sequence, before[4].rtp().header.sequence.wrapping_add(1));
}

#[test]
fn what_is_ordered_again_as_it_is_goes_on() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 100);
    bench.configure(2, settings(2, Codec::Pcmu, 20));
    bench.connect(2, Source::Peer(PortId(1)));
    phone.hum(&mut bench, one, 100);
    let sent = bench.heard_by(two);
    assert_eq!(sent.len(), 10);
    assert!(sent[1..].iter().all(|sent| !sent.rtp().header.marker), "nothing begins anew");
    // A clip too, which ends when it would have ended.
    let clip = Arc::new(Clip { rate: 8_000, samples: vec![1_000; 8_000] });
    for _ in 0..2 {
        bench.connect(2, Source::Play { clip: Arc::clone(&clip), repeat: false });
        bench.run(520);
        bench.configure(2, settings(2, Codec::Pcmu, 20));
    }
    assert!(bench.events().iter().any(|event| matches!(event, Event::Finished { port: PortId(2) })));
    assert_eq!(bench.heard_by(two).len(), 50);
}

#[test]
fn an_echo_comes_back_in_any_packet_time() {
    let mut bench = Bench::new();
    let one = bench.open(1, settings(1, Codec::Opus, 20));
    bench.connect(1, Source::Echo);
    let mut phone = Phone::new(1, Codec::Opus, 40);
    phone.hum(&mut bench, one, 400);
    let sent = bench.heard_by(one);
    assert_eq!(sent.len(), 10);
    assert_continuous(&sent, 1_920);
}

#[test]
fn a_port_may_be_connected_before_its_peer_is_open() {
    let mut bench = Bench::new();
    let two = bench.open(2, settings(2, Codec::Pcmu, 20));
    bench.connect(2, Source::Peer(PortId(1)));
    let one = bench.open(1, settings(1, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 100);
    assert_eq!(bench.heard_by(two).len(), 5);
    bench.close(1);
    bench.close(2);
    assert!(bench.engine.is_empty() && bench.engine.waiting.is_empty());
    assert_eq!(bench.engine.next_due(), Time::NEVER);
    assert_eq!((bench.counters.ports.value(), bench.counters.relays.value()), (0, 0));
}
