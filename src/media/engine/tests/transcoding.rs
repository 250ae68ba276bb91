use super::*;
use crate::media::audio::hearing::Hearing;
use proptest::prelude::*;

const CODECS: [Codec; 7] = [
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::Opus,
    Codec::L16 { rate: 8_000 },
    Codec::L16 { rate: 16_000 },
    Codec::L16 { rate: 48_000 },
];

fn ptime(codec: Codec) -> u32 {
    if codec == (Codec::L16 { rate: 48_000 }) { 10 } else { 20 }
}

#[test]
fn a_tone_survives_every_pair_of_codecs() {
    for from in CODECS {
        for to in CODECS {
            let mut bench = Bench::new();
            let (one, two) = bench.bridge(settings(1, from, ptime(from)), settings(2, to, ptime(to)));
            let mut phone = Phone::new(1, from, ptime(from));
            phone.hum(&mut bench, one, 1_500);
            let sent = bench.heard_by(two);
            assert!(sent.len() as u32 >= 1_400 / ptime(to), "{from:?} {to:?}: {}", sent.len());
            assert_continuous(&sent, to.clock_rate() * ptime(to) / 1_000);
            let heard = listen(to, &sent);
            let steady = &heard[heard.len() / 3..];
            let (level, share) = tone(steady, to.sample_rate(), 440.0);
            assert!(share > 0.95, "{from:?} {to:?}: {share} of the power");
            assert!((level / LEVEL).log10().abs() < 0.05, "{from:?} {to:?}: level {level}");
            let relays = bench.counters.relays.value();
            assert_eq!((relays, bench.counters.transcoders.value()), (u64::from(from == to), u64::from(from != to)));
            assert_eq!(bench.counters.dropped(Reason::Unprepared), 0);
        }
    }
}

#[test]
fn packet_times_are_converted() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        for from in [10, 20, 30, 40, 60] {
            for to in [10, 20, 30, 40, 60] {
                let mut bench = Bench::new();
                let (one, two) = bench.bridge(settings(1, codec, from), settings(2, codec, to));
                let mut phone = Phone::new(1, codec, from);
                phone.hum(&mut bench, one, 300);
                bench.heard_by(two);
                phone.hum(&mut bench, one, 1_200);
                let sent = bench.heard_by(two);
                let expected = 1_200 / to as i64;
                assert!((sent.len() as i64 - expected).abs() <= 1, "{codec:?} {from} {to}: {}", sent.len());
                assert_continuous(&sent, codec.clock_rate() * to / 1_000);
                let heard = listen(codec, &sent);
                let (_, share) = tone(&heard, codec.sample_rate(), 440.0);
                // Opus, coded twice, adds some noise of its own.
                let least = if codec == Codec::Opus { 0.9 } else { 0.98 };
                assert!(share > least, "{codec:?} {from} {to}: {share}");
            }
        }
    }
}

#[test]
fn a_codec_that_changes_in_mid_call_is_followed() {
    let mut bench = Bench::new();
    let mut both = settings(1, Codec::Pcma, 20);
    both.receive.push(Receiving { payload_type: 111, codec: Codec::Opus });
    both.receive.push(Receiving { payload_type: 0, codec: Codec::Pcmu });
    let (one, two) = bench.bridge(both, settings(2, Codec::Pcmu, 20));
    let mut sent = Vec::new();
    for (n, codec) in [Codec::Pcma, Codec::Opus, Codec::Pcmu, Codec::Pcma].into_iter().enumerate() {
        let mut phone = Phone::new(1, codec, 20);
        phone.header.sequence = 50 * n as u16;
        phone.header.timestamp = 8_000 * n as u32;
        phone.hum(&mut bench, one, 1_000);
        let part = bench.heard_by(two);
        assert!(part.len() >= 46, "{codec:?}: {}", part.len());
        sent.extend(part);
    }
    for pair in sent.windows(2) {
        let (one, two) = (pair[0].rtp().header, pair[1].rtp().header);
        assert_eq!(two.sequence, one.sequence.wrapping_add(1));
        let step = two.timestamp.wrapping_sub(one.timestamp);
        assert!((80..1_200).contains(&step), "{step}");
    }
    let (_, share) = tone(&listen(Codec::Pcmu, &sent)[4_000..7_000], 8_000, 440.0);
    assert!(share > 0.9, "{share}");
}

#[test]
fn silence_is_not_sent_and_time_goes_on() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcma, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 500);
    bench.run(2_000);
    let before = bench.heard_by(two);
    // Concealment fades, and then there is nothing.
    assert!((25..=36).contains(&before.len()), "{}", before.len());
    phone.header.timestamp = phone.header.timestamp.wrapping_add(16_000);
    phone.hum(&mut bench, one, 500);
    let after = bench.heard_by(two);
    let (last, first) = (&before[before.len() - 1], &after[0]);
    assert!(first.rtp().header.marker);
    assert_eq!(first.rtp().header.sequence, last.rtp().header.sequence.wrapping_add(1));
    let elapsed = (first.at - last.at).as_millis() as u32 * 8;
    assert_eq!(first.rtp().header.timestamp.wrapping_sub(last.rtp().header.timestamp), elapsed);
}

#[test]
fn lost_packets_are_concealed() {
    for from in [Codec::Pcmu, Codec::Opus] {
        let mut bench = Bench::new();
        let (one, two) = bench.bridge(settings(1, from, 20), settings(2, Codec::Pcma, 20));
        let mut phone = Phone::new(1, from, 20);
        for n in 0..100 {
            let packet = phone.packet();
            if n % 10 != 5 {
                bench.receive(one, phone.address, &packet);
            }
            bench.run(20);
        }
        let sent = bench.heard_by(two);
        assert!(sent.len() >= 97, "{from:?}: {}", sent.len());
        assert_continuous(&sent, 160);
        let heard = listen(Codec::Pcma, &sent);
        for part in heard[1_600..].chunks_exact(800) {
            let (level, _) = tone(part, 8_000, 440.0);
            assert!(level > LEVEL * 0.6, "{from:?}: {level}");
        }
        let report = bench.close(1);
        assert_eq!((report.received_packets, report.lost_packets), (90, 10));
    }
}

#[test]
fn opus_uses_the_copy_that_the_next_packet_brings() {
    let run = |copies: bool| {
        let mut bench = Bench::new();
        let (one, two) = bench.bridge(settings(1, Codec::Opus, 20), settings(2, Codec::L16 { rate: 16_000 }, 20));
        let mut phone = Phone::new(1, Codec::Opus, 20);
        let settings = EncoderSettings {
            rate: 16_000,
            // More bits than this, and Opus leaves the mode that can carry a copy.
            bitrate: Some(20_000),
            inband_fec: copies,
            expected_loss_percent: if copies { 20 } else { 0 },
            ..EncoderSettings::default()
        };
        phone.encoder = Encoder::new(Codec::Opus, settings).unwrap();
        for n in 0..200 {
            // A sweep, which can't be guessed from what came before.
            phone.frequency = 300.0 + 10.0 * f64::from(n);
            let packet = phone.packet();
            if n % 4 != 3 {
                bench.receive(one, phone.address, &packet);
            }
            bench.run(20);
        }
        let sent = bench.heard_by(two);
        listen(Codec::L16 { rate: 16_000 }, &sent).iter().map(|&s| f64::from(s).powi(2)).sum::<f64>()
    };
    let (with, without) = (run(true), run(false));
    assert!(with > without, "{with} {without}");
}

/// Linear packets of 20 ms whose samples count up by one each millisecond, so that each tells when it was said.
fn counting(n: u64) -> Vec<u8> {
    (0..160).flat_map(|sample| ((n * 20 + sample / 8) as i16).to_be_bytes()).collect()
}

fn heard(n: u64, payload: &[u8]) -> Heard<'_> {
    Heard {
        header: rtp::Header { timestamp: (n * 160) as u32, sequence: n as u16, ..Default::default() },
        extended: 65_536 + n,
        newest: true,
        accept: Accept::Audio(Codec::L16 { rate: 8_000 }),
        payload,
        generation: 1,
    }
}

/// Plays packets that each come `late(n)` ms after their time; answers the delay of each step, in milliseconds, where the
/// step wasn't concealed.
fn delays(packets: u64, late: impl Fn(u64) -> Option<u64>) -> Vec<(u64, Option<i64>)> {
    let mut hearing = Hearing::new(Codec::L16 { rate: 8_000 }, 8_000).unwrap();
    let mut arrivals: Vec<_> = (0..packets).filter_map(|n| Some((n * 20 + late(n)?, n))).collect();
    arrivals.sort();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut steps = Vec::new();
    for step in 0..packets * 2 {
        let ms = step * 10;
        while let Some((at, n)) = arrivals.next_if(|(at, _)| *at <= ms) {
            let _ = hearing.push(Time::from_millis(at), &heard(n, &counting(n)));
        }
        let mut pcm = [0i16; 80];
        let active = hearing.pull(Time::from_millis(ms), &mut pcm);
        // Ten counts in a step, unless something was made up.
        let whole = active && pcm[79].wrapping_sub(pcm[0]) == 9;
        steps.push((ms, whole.then(|| i64::from((ms as i16).wrapping_sub(pcm[0])))));
    }
    steps
}

#[test]
fn steady_packets_are_played_in_one_piece_with_the_least_delay() {
    let steps = delays(500, |_| Some(0));
    assert!(steps[3..].iter().all(|(_, delay)| delay.is_some_and(|delay| delay <= 30)), "{steps:?}");
}

#[test]
fn delay_follows_jitter_and_returns_to_its_floor() {
    // Quiet, ten seconds of 80 ms jitter, then quiet again.
    let jitter = |n: u64| Some(if (250..750).contains(&n) { n * 37 % 81 } else { 0 });
    let steps = delays(2_500, jitter);
    let median = |from: u64, to: u64| {
        let mut all: Vec<_> = steps.iter().filter(|(ms, _)| (from..to).contains(ms)).filter_map(|(_, d)| *d).collect();
        all.sort();
        all[all.len() / 2]
    };
    let missing = |from: u64, to: u64| steps.iter().filter(|(ms, d)| (from..to).contains(ms) && d.is_none()).count();
    assert!(median(1_000, 5_000) <= 30, "{}", median(1_000, 5_000));
    assert!((60..=140).contains(&median(8_000, 15_000)), "{}", median(8_000, 15_000));
    assert!(missing(8_000, 15_000) <= 7, "{}", missing(8_000, 15_000));
    assert!(median(40_000, 50_000) <= 50, "{}", median(40_000, 50_000));
}

#[test]
fn reordered_and_doubled_packets_do_no_harm() {
    let mut hearing = Hearing::new(Codec::L16 { rate: 8_000 }, 8_000).unwrap();
    let mut results = Vec::new();
    let mut last = None;
    for step in 0..100u64 {
        // In pairs, the second first, and each twice.
        if step % 4 == 0 {
            for n in [step / 2 + 1, step / 2, step / 2, step / 2 + 1] {
                results.push(hearing.push(Time::from_millis(step * 10), &heard(n, &counting(n))));
            }
        }
        let mut pcm = [0i16; 80];
        if hearing.pull(Time::from_millis(step * 10), &mut pcm) {
            assert_eq!(pcm[79] - pcm[0], 9);
            assert!(last.is_none_or(|last| last + 10 == pcm[0]), "{last:?} {}", pcm[0]);
            last = Some(pcm[0]);
        }
    }
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), results.len() / 2);
    assert!(last.is_some_and(|last| last > 900));
}

#[test]
fn a_burst_after_a_stall_is_caught_up_with() {
    // For a second nothing comes, and then everything at once.
    let steps = delays(1_000, |n| Some(if (100..150).contains(&n) { (150 - n) * 20 } else { 0 }));
    let late: Vec<_> = steps.iter().filter(|(ms, _)| *ms > 8_000).filter_map(|(_, delay)| *delay).collect();
    assert!(late.iter().all(|delay| *delay <= 250), "{late:?}");
    let end = &late[late.len() - 200..];
    assert!(end.iter().all(|delay| *delay <= 60), "{end:?}");
}

#[test]
fn a_clip_is_played_at_any_rate_and_its_end_is_told() {
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
        for to in [Codec::Pcma, Codec::Opus, Codec::G722] {
            let mut bench = Bench::new();
            let slot = bench.open(1, settings(1, to, 20));
            let samples = (0..rate)
                .map(|n| (LEVEL * (f64::from(n) / f64::from(rate) * 440.0 * std::f64::consts::TAU).sin()) as i16);
            let clip = Arc::new(Clip { rate, samples: samples.collect() });
            bench.connect(1, Source::Play { clip, repeat: false });
            bench.run(3_000);
            let sent = bench.heard_by(slot);
            assert!((50..=52).contains(&sent.len()), "{rate} {to:?}: {}", sent.len());
            assert_continuous(&sent, to.clock_rate() / 50);
            let heard = listen(to, &sent);
            let (level, share) = tone(&heard[heard.len() / 5..heard.len() * 9 / 10], to.sample_rate(), 440.0);
            assert!(share > 0.97 && (level / LEVEL).log10().abs() < 0.06, "{rate} {to:?}: {share} {level}");
            let finished = bench.events().iter().filter(|event| matches!(event, Event::Finished { .. })).count();
            assert_eq!(finished, 1);
            assert_eq!(bench.counters.transcoders.value(), 0);
        }
    }
}

#[test]
fn a_repeated_clip_goes_on_until_it_is_told_to_stop() {
    let mut bench = Bench::new();
    let slot = bench.open(1, settings(1, Codec::Pcmu, 20));
    let clip = Arc::new(Clip { rate: 8_000, samples: vec![1_000; 1_234] });
    bench.connect(1, Source::Play { clip, repeat: true });
    bench.run(5_000);
    assert!((249..=250).contains(&bench.heard_by(slot).len()));
    bench.connect(1, Source::Nothing);
    bench.run(1_000);
    assert!(bench.heard_by(slot).is_empty());
}

#[test]
fn a_tap_is_a_timeline_without_holes() {
    let mut bench = Bench::new();
    let (one, _) = bench.bridge(settings(1, Codec::Pcmu, 20), settings(2, Codec::Pcmu, 20));
    let (samples, mut tapped) = rtrb::RingBuffer::new(200_000);
    bench.order(Command::Tap { port: PortId(1), tap: Box::new(Tap { samples, rate: 16_000 }) });
    bench.run(1_000);
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 1_000);
    bench.run(1_000);
    let chunk = tapped.read_chunk(tapped.slots()).unwrap();
    let pcm: Vec<i16> = chunk.into_iter().collect();
    assert!((47_500..=48_000).contains(&pcm.len()), "{}", pcm.len());
    assert!(pcm[..16_000].iter().all(|sample| *sample == 0));
    let (level, share) = tone(&pcm[18_000..31_000], 16_000, 440.0);
    assert!(share > 0.98 && level > LEVEL * 0.9, "{share} {level}");
    assert!(pcm[40_000..].iter().all(|sample| sample.abs() < 10));
    // The call itself is relayed as before.
    assert_eq!((bench.counters.relays.value(), bench.counters.transcoders.value()), (1, 0));
    drop(tapped);
    bench.run(100);
    assert!(bench.engine.sides.iter().all(|(_, side)| side.tap.is_none()));
}

#[test]
fn an_opus_pause_is_no_end() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Opus, 20), settings(2, Codec::Pcma, 20));
    let mut phone = Phone::new(1, Codec::Opus, 20);
    let dtx = EncoderSettings { dtx: true, rate: 16_000, ..EncoderSettings::default() };
    phone.encoder = Encoder::new(Codec::Opus, dtx).unwrap();
    let mut sent_packets = 0;
    for n in 0..300 {
        if n == 50 {
            phone.frequency = 0.0;
        }
        if n == 250 {
            phone.frequency = 440.0;
            phone.sample = 0;
        }
        let packet = phone.packet();
        // What the encoder doesn't want sent takes no number.
        if packet.len() > 12 {
            bench.receive(one, phone.address, &packet);
            sent_packets += 1;
        } else {
            phone.header.sequence = phone.header.sequence.wrapping_sub(1);
        }
        bench.run(20);
    }
    assert!(sent_packets < 200, "{sent_packets}");
    let sent = bench.heard_by(two);
    let heard = listen(Codec::Pcma, &sent);
    let (level, _) = tone(&heard[heard.len() - 4_000..], 8_000, 440.0);
    assert!(level > LEVEL * 0.8, "{level}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the network does, the buffer neither panics nor falls behind for good.
    #[test]
    fn any_arrival_pattern_is_survived(lates in prop::collection::vec(prop::option::weighted(0.9, 0u64..400), 200)) {
        let steps = delays(600, |n| lates.get(n as usize).copied().unwrap_or(Some(0)));
        let end: Vec<_> = steps[1_000..].iter().filter_map(|(_, delay)| *delay).collect();
        prop_assert!(end.len() > 150);
        prop_assert!(end.iter().all(|delay| *delay < 450), "{end:?}");
    }
}
