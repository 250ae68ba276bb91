use super::*;
use crate::media::command::{Expects, Extended, VoipMetrics};
use crate::wire::rtcp::{self, Item, xr};

/// What the engine tells of sound: the port, and since when nothing came.
fn told(bench: &mut Bench) -> Vec<(u64, Option<u64>)> {
    let of = |event| match event {
        Event::Heard { port } => Some((port.0, None)),
        Event::Unheard { port, since } => Some((port.0, Some(since.millis()))),
        _ => None,
    };
    bench.events().into_iter().filter_map(of).collect()
}

fn expecting(n: u8, expects: Expects) -> PortSettings {
    PortSettings { expects, ..settings(n, Codec::Pcmu, 20) }
}

#[test]
fn one_who_never_speaks_is_missed_within_five_seconds() {
    let mut bench = Bench::new();
    let (one, _) = bench.bridge(expecting(1, Expects::Sound), expecting(2, Expects::Sound));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 3_900);
    assert_eq!(told(&mut bench), [(1, None)]);
    phone.hum(&mut bench, one, 1_000);
    assert_eq!(told(&mut bench), [(2, Some(1_000))]);
    phone.hum(&mut bench, one, 20_000);
    assert_eq!(told(&mut bench), [], "it is told once");
}

#[test]
fn whoever_stops_is_missed_and_told_to_be_back() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(expecting(1, Expects::Sound), expecting(2, Expects::Sound));
    let (mut caller, mut callee) = (Phone::new(1, Codec::Pcmu, 20), Phone::new(2, Codec::Pcmu, 20));
    for _ in 0..100 {
        let packet = callee.packet();
        bench.receive(two, callee.address, &packet);
        caller.hum(&mut bench, one, 20);
    }
    assert_eq!(told(&mut bench), [(2, None), (1, None)]);
    let last = bench.now.millis() - 20;
    caller.hum(&mut bench, one, 5_000);
    assert_eq!(told(&mut bench), [(2, Some(last))]);
    // A session that is refreshed begins nothing anew.
    bench.configure(2, expecting(2, Expects::Sound));
    caller.hum(&mut bench, one, 5_000);
    assert_eq!(told(&mut bench), []);
    callee.hum(&mut bench, two, 100);
    assert_eq!(told(&mut bench), [(2, None)]);
}

#[test]
fn nobody_is_missed_who_holds_or_pauses_or_need_not_speak() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(expecting(1, Expects::SoundWithPauses), expecting(2, Expects::Nothing));
    Phone::new(1, Codec::Pcmu, 20).hum(&mut bench, one, 100);
    bench.run(20_000);
    assert_eq!(told(&mut bench), [(1, None)]);
    bench.configure(2, expecting(2, Expects::Sound));
    bench.run(3_000);
    bench.configure(2, expecting(2, Expects::Nothing));
    bench.run(20_000);
    assert_eq!(told(&mut bench), []);
    let _ = two;
}

#[test]
fn a_live_call_is_told_of_with_each_report() {
    let mut bench = Bench::new();
    let (one, _) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    Phone::new(1, Codec::Pcmu, 20).hum(&mut bench, one, 60_000);
    let reports: Vec<(u64, Report)> = bench
        .events()
        .into_iter()
        .filter_map(|event| if let Event::Quality { port, report } = event { Some((port.0, report)) } else { None })
        .collect();
    for port in [1, 2] {
        let mine: Vec<&Report> = reports.iter().filter(|(of, _)| *of == port).map(|(_, report)| report).collect();
        assert!((8..=24).contains(&mine.len()), "{}", mine.len());
        assert!(mine.windows(2).all(|pair| pair[0].received_packets <= pair[1].received_packets));
    }
    assert!(reports.iter().any(|(port, report)| *port == 1 && report.received_packets > 2_000));
    assert!(reports.iter().any(|(port, report)| *port == 2 && report.sent_packets > 2_000));
}

/// The extended reports among what was sent to a port since the last call: when, by which name, and what.
fn extended(bench: &mut Bench, slot: Slot) -> Vec<(Time, u32, xr::Block)> {
    let mut blocks = Vec::new();
    for sent in std::mem::take(&mut bench.sent) {
        if sent.slot == slot && rtp::Kind::of(&sent.bytes) == rtp::Kind::Rtcp {
            rtcp::read(&sent.bytes, |item| {
                if let Item::Extended { from, block } = item {
                    blocks.push((sent.at, from, block));
                }
            })
            .unwrap();
        }
    }
    blocks
}

#[test]
fn a_peer_that_asks_is_told_how_it_sounds_here() {
    let asks = Extended { voip_metrics: true, round_trip: false };
    let mut bench = Bench::new();
    let one = PortSettings { extended: asks, ..settings(1, Codec::Pcmu, 20) };
    let (one, two) = bench.bridge(one, settings(2, Codec::Pcmu, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    for n in 0..1_000 {
        let packet = phone.packet();
        // Ten in a hundred, of which nine are lost close together.
        if !(20..29).contains(&(n % 100)) && n % 100 != 70 {
            bench.receive(one, phone.address, &packet);
        }
        bench.run(20);
    }
    let told = extended(&mut bench, one);
    let Some((.., xr::Block::Voip(metrics))) = told.last() else { panic!("{told:?}") };
    assert_eq!((metrics.ssrc, metrics.discard, metrics.burst_density), (1, 0, 255));
    // Nine packets of 20 ms, and between them some ninety.
    assert!(metrics.burst_ms == 180 && (1_500..2_000).contains(&metrics.gap_ms), "{metrics:?}");
    assert!((20..30).contains(&metrics.loss) && (1..6).contains(&metrics.gap_density), "{metrics:?}");
    let opinion = metrics.mos_conversation.unwrap();
    assert!(opinion <= metrics.mos_listening.unwrap() && (10..35).contains(&opinion), "{metrics:?}");
    assert!(extended(&mut bench, two).is_empty(), "who didn't ask isn't told");
    // Who sent anything says goodbye, and how it was before that.
    Phone::new(2, Codec::Pcmu, 20).hum(&mut bench, two, 100);
    bench.close(1);
    let sent = bench.sent.pop().unwrap();
    let mut items = Vec::new();
    rtcp::read(&sent.bytes, |item| items.push(item)).unwrap();
    assert!(matches!(items[..], [.., Item::Extended { .. }, Item::Goodbye { .. }]), "{items:?}");
}

#[test]
fn what_the_peer_says_of_our_sound_is_kept() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    Phone::new(1, Codec::Pcmu, 20).hum(&mut bench, one, 200);
    let ours = bench.heard_by(two)[0].rtp().header.ssrc;
    let metrics = VoipMetrics { ssrc: ours, loss: 26, mos_conversation: Some(31), ..VoipMetrics::default() };
    let other = VoipMetrics { ssrc: ours.wrapping_add(1), loss: 200, ..metrics };
    for block in [xr::Block::Voip(metrics), xr::Block::Voip(other)] {
        let mut room = [0; 200];
        let end = rtcp::write(&mut room, 2, None, None, "x", false).unwrap();
        let end = xr::write(&mut room, end, 2, &[block], 16).unwrap();
        let from = SocketAddr::from(([192, 0, 2, 2], 4_001));
        bench.engine.receive(bench.now, two, Channel::Rtcp, from, &room[..end], &mut bench.batch);
    }
    assert_eq!(bench.close(2).remote_voip, Some(metrics));
}

/// The peer wants to know the round trip though it only listens, and we are told ours though we only listen.
#[test]
fn who_only_listens_learns_the_round_trip() {
    let asks = Extended { voip_metrics: false, round_trip: true };
    let mut bench = Bench::new();
    let one = bench.open(1, PortSettings { extended: asks, ..settings(1, Codec::Pcmu, 20) });
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 2_600);
    let (at, ours, block) = extended(&mut bench, one)[0];
    let xr::Block::ReferenceTime(reference) = block else { panic!("{block:?}") };
    // It took 30 ms to the peer, waited there half a second, and takes as long back.
    bench.now = at + Duration::from_millis(560);
    let (mut room, theirs) = ([0; 200], rtcp::Ntp(0x0102_0304_0506_0708));
    let end = rtcp::write(&mut room, 1, None, None, "x", false).unwrap();
    let answer = xr::Delay { ssrc: ours, last: reference.middle(), delay: 32_768 };
    let blocks = [xr::Block::Delay(answer), xr::Block::ReferenceTime(theirs)];
    let end = xr::write(&mut room, end, 1, &blocks, 16).unwrap();
    let from = SocketAddr::from(([192, 0, 2, 1], 4_001));
    bench.engine.receive(bench.now, one, Channel::Rtcp, from, &room[..end], &mut bench.batch);
    let heard_at = bench.now;
    bench.run(8_000);
    let told = extended(&mut bench, one);
    let found = told.iter().find_map(|(at, _, block)| match block {
        xr::Block::Delay(delay) => Some((*at, *delay)),
        _ => None,
    });
    let (at, delay) = found.unwrap();
    assert_eq!((delay.ssrc, delay.last), (1, theirs.middle()));
    let waited_ms = u64::from(delay.delay) * 1_000 / 65_536;
    assert!(waited_ms.abs_diff((at - heard_at).as_millis() as u64) <= 1, "{waited_ms}");
    let round_trip = bench.close(1).round_trip_us.unwrap();
    assert!((59_900..=60_100).contains(&round_trip), "{round_trip}");
}

#[test]
fn what_comes_too_late_to_be_played_is_told_from_what_is_lost() {
    let mut bench = Bench::new();
    let (one, _) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcma, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 1_000);
    for _ in 0..5 {
        let late = phone.packet();
        let _lost = phone.packet();
        phone.hum(&mut bench, one, 600);
        bench.receive(one, phone.address, &late);
    }
    phone.hum(&mut bench, one, 1_000);
    let report = bench.close(1);
    assert_eq!((report.discarded_packets, report.lost_packets), (5, 5));
    assert_eq!((report.bursts.count, report.bursts.missing), (5, 10));
}

#[test]
fn strangers_and_other_payloads_are_counted_apart() {
    let mut bench = Bench::new();
    let (one, _) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    Phone::new(1, Codec::Pcmu, 20).hum(&mut bench, one, 100);
    let (mut stranger, mut other) = (Phone::new(9, Codec::Pcmu, 20), Phone::new(1, Codec::G722, 20));
    for _ in 0..3 {
        bench.receive(one, address(9), &stranger.packet());
    }
    bench.receive(one, address(1), &other.packet());
    let report = bench.close(1);
    assert_eq!((report.dropped_packets, report.strangers, report.foreign_payloads), (4, 3, 1));
    assert_eq!(report.stranger, Some(address(9)));
}
