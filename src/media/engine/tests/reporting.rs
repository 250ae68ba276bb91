use super::*;
use crate::wire::rtcp::{self, Item};

fn reports(bench: &mut Bench, slot: Slot) -> Vec<Sent> {
    let all = std::mem::take(&mut bench.sent);
    let (mine, rest) =
        all.into_iter().partition(|sent| sent.slot == slot && rtp::Kind::of(&sent.bytes) == rtp::Kind::Rtcp);
    bench.sent = rest;
    mine
}

fn items(sent: &Sent) -> Vec<Item> {
    let mut items = Vec::new();
    rtcp::read(&sent.bytes, |item| items.push(item)).unwrap();
    items
}

#[test]
fn a_call_counts_what_went_through() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    for n in 0..500u64 {
        let packet = phone.packet();
        // One in fifty is lost, and every other one late by 4 ms.
        bench.run(if n % 2 == 0 { 16 } else { 24 });
        if n % 50 != 7 {
            bench.receive(one, phone.address, &packet);
        }
    }
    let report = bench.close(1);
    assert_eq!((report.received_packets, report.received_bytes, report.lost_packets), (490, 490 * 160, 10));
    assert!((3_500..=4_500).contains(&report.jitter_us), "{}", report.jitter_us);
    let report = bench.close(2);
    assert_eq!((report.sent_packets, report.sent_bytes), (490, 490 * 160));
    assert_eq!((report.round_trip_us, report.remote_lost_packets), (None, None));
    let _ = two;
}

#[test]
fn reports_go_out_regularly_and_say_what_is_true() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 60_000);
    let (to_one, to_two) = (reports(&mut bench, one), reports(&mut bench, two));
    for sent in [&to_one, &to_two] {
        assert!((8..=24).contains(&sent.len()), "{}", sent.len());
        let first = sent[0].at - Time::from_millis(1_000);
        assert!((2_500..=2_520).contains(&first.as_millis()), "{first:?}");
        for pair in sent.windows(2) {
            assert!((2_499..7_520).contains(&(pair[1].at - pair[0].at).as_millis()));
        }
    }
    // The one who only listens is told what we hear; the one who only hears, what we say.
    assert!(
        to_one.iter().all(|sent| sent.to == SocketAddr::from(([192, 0, 2, 1], 4_001)) && sent.channel == Channel::Rtcp)
    );
    let Item::Block { block, .. } = items(&to_one[3])[0] else { panic!("{:?}", items(&to_one[3])) };
    assert_eq!((block.ssrc, block.fraction_lost, block.cumulative_lost), (1, 0, 0));
    let Item::Sender { sender, .. } = items(&to_two[3])[0] else { panic!("{:?}", items(&to_two[3])) };
    assert!(sender.packets > 500 && sender.octets == sender.packets * 160);
    assert_eq!(sender.ntp, rtcp::Ntp::from_unix_micros(1_700_000_000_000_000 + to_two[3].at.nanos() as i64 / 1_000));
    // At the end the one that was sent to hears a goodbye.
    bench.close(2);
    let goodbye = reports(&mut bench, two);
    assert!(matches!(items(&goodbye[0])[..], [.., Item::Goodbye { .. }]));
}

#[test]
fn the_peers_reports_tell_round_trip_and_loss() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    Phone::new(1, Codec::Pcmu, 20).hum(&mut bench, one, 8_000);
    let sent = reports(&mut bench, two);
    let Item::Sender { ssrc, sender } = items(&sent[0])[0] else { panic!("{:?}", items(&sent[0])) };
    // The report took 30 ms to the peer, waited there half a second, and takes as long back.
    bench.now = sent[0].at + Duration::from_millis(560);
    let block = rtcp::Block {
        ssrc,
        fraction_lost: 25,
        cumulative_lost: 7,
        highest_sequence: 1,
        jitter: 80,
        last_report: sender.ntp.middle(),
        delay: 32_768,
    };
    let mut room = [0; 200];
    let length = rtcp::write(&mut room, 2, None, Some(block), "x", false).unwrap();
    let from = SocketAddr::from(([192, 0, 2, 2], 4_001));
    bench.engine.receive(bench.now, two, Channel::Rtcp, from, &room[..length], &mut bench.batch);
    let stranger = SocketAddr::from(([192, 0, 2, 66], 4_001));
    bench.engine.receive(bench.now, two, Channel::Rtcp, stranger, &room[..length], &mut bench.batch);
    assert_eq!(bench.counters.dropped(Reason::Stranger), 1);
    let report = bench.close(2);
    let round_trip = report.round_trip_us.unwrap();
    assert!((59_900..=60_100).contains(&round_trip), "{round_trip}");
    assert_eq!((report.remote_lost_packets, report.remote_jitter_us), (Some(7), Some(10_000)));
}

#[test]
fn reports_share_the_port_where_that_was_agreed() {
    let mut bench = Bench::new();
    let one = bench.open(1, PortSettings { rtcp_mux: true, ..settings(1, Codec::Pcmu, 20) });
    bench.connect(1, Source::Echo);
    Phone::new(1, Codec::Pcmu, 20).hum(&mut bench, one, 4_000);
    let sent = reports(&mut bench, one);
    assert_eq!((sent[0].channel, sent[0].to), (Channel::Rtp, address(1)));
    let mut room = [0; 200];
    let length = rtcp::write(&mut room, 1, None, None, "x", false).unwrap();
    bench.receive(one, address(1), &room[..length]);
    assert_eq!(bench.counters.dropped(Reason::Stranger), 0);
}

#[test]
fn silence_is_told_once_until_it_is_broken() {
    let mut bench = Bench::new();
    let limit = Some(Duration::from_secs(5));
    let (one, _) = bench
        .bridge(PortSettings { silence_limit: limit, ..settings(1, Codec::Pcmu, 20) }, settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    let silent = |bench: &mut Bench| -> Vec<Time> {
        bench
            .events()
            .iter()
            .filter_map(|event| if let Event::Silent { since, .. } = event { Some(*since) } else { None })
            .collect()
    };
    bench.run(20_000);
    assert_eq!(silent(&mut bench), [Time::from_millis(1_000)]);
    phone.hum(&mut bench, one, 10_000);
    assert!(silent(&mut bench).is_empty());
    let last = bench.now;
    bench.run(20_000);
    let told = silent(&mut bench);
    assert_eq!(told.len(), 1);
    assert!((last - told[0]).as_millis() <= 20);
    bench.configure(1, PortSettings { silence_limit: None, ..settings(1, Codec::Pcmu, 20) });
    bench.run(20_000);
    assert!(silent(&mut bench).is_empty());
}
