//! Comfort noise (RFC 3389): passed on, made into sound, and made of pauses.

use super::*;
use crate::media::command::Noise;
use tandem_codecs::comfort::{Colour, Generator, MAX_PAYLOAD_BYTES};
use tandem_codecs::loudness::Loudness;

const CN: u8 = 13;

/// A phone that knows comfort noise.
fn restful(n: u8, codec: Codec) -> PortSettings {
    PortSettings { noise: Noise { receive: Some(CN), send: Some(CN) }, ..settings(n, codec, 20) }
}

/// Describes a pause in the place of its next packet, and lets `ms` pass without sound.
fn pause(phone: &mut Phone, bench: &mut Bench, slot: Slot, payload: &[u8], ms: u64) {
    let header = rtp::Header { payload_type: CN, marker: false, ..phone.header };
    let mut packet = header.bytes().to_vec();
    packet.extend(payload);
    bench.receive(slot, phone.address, &packet);
    phone.header.sequence = phone.header.sequence.wrapping_add(1);
    phone.header.timestamp = phone.header.timestamp.wrapping_add(phone.codec.clock_rate() / 1_000 * ms as u32);
    phone.header.marker = true;
    bench.run(ms);
}

fn is_noise(sent: &Sent) -> bool {
    sent.rtp().header.payload_type == CN
}

fn level(pcm: &[i16]) -> u8 {
    Loudness::of(pcm).below_overload_db(pcm.len())
}

/// A dull noise.
const DULL: [u8; 3] = [50, 30, 140];

#[test]
fn noise_is_passed_on_between_two_that_know_it() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(restful(1, Codec::Pcmu), restful(2, Codec::Pcmu));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 200);
    pause(&mut phone, &mut bench, one, &DULL, 500);
    phone.hum(&mut bench, one, 200);
    let sent = bench.heard_by(two);
    let noises: Vec<&Sent> = sent.iter().filter(|sent| is_noise(sent)).collect();
    assert_eq!((noises.len(), noises[0].rtp().payload, sent.len()), (1, &DULL[..], 21));
    assert_eq!((bench.counters.relays.value(), bench.counters.transcoders.value()), (1, 0));
}

#[test]
fn noise_is_heard_where_it_is_not_known() {
    for to in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let mut bench = Bench::new();
        let (one, two) = bench.bridge(restful(1, Codec::Pcmu), settings(2, to, 20));
        let mut phone = Phone::new(1, Codec::Pcmu, 20);
        phone.hum(&mut bench, one, 200);
        pause(&mut phone, &mut bench, one, &DULL, 1_000);
        // The sound, and what is told of another pause.
        phone.hum(&mut bench, one, 300);
        pause(&mut phone, &mut bench, one, &DULL, 3_000);
        let sent = bench.heard_by(two);
        assert!(!sent.iter().any(is_noise));
        let late = &sent[sent.len() - 100..];
        assert_continuous(late, to.clock_rate() / 50);
        let heard = listen(to, late);
        assert!(level(&heard[heard.len() / 4..]).abs_diff(50) <= 2, "{to:?}: {}", level(&heard));
        // Sound again.
        phone.hum(&mut bench, one, 400);
        let heard = listen(to, &bench.heard_by(two));
        assert!(tone(&heard[heard.len() / 2..], to.sample_rate(), 440.0).1 > 0.9, "{to:?}");
    }
}

#[test]
fn a_colour_is_kept_where_the_rate_is() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(restful(1, Codec::Pcmu), settings(2, Codec::Pcma, 20));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 200);
    pause(&mut phone, &mut bench, one, &DULL, 4_000);
    let sent = bench.heard_by(two);
    let heard = listen(Codec::Pcma, &sent[sent.len() - 150..]);
    let (mut payload, wanted) = ([0; MAX_PAYLOAD_BYTES], DULL[1]);
    Colour::of(&heard).write(&mut payload);
    assert!(payload[1].abs_diff(wanted) <= 8, "{payload:?}");
}

#[test]
fn noise_that_is_known_there_too_is_told_and_not_sent_as_sound() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(restful(1, Codec::Pcmu), restful(2, Codec::Pcma));
    let mut phone = Phone::new(1, Codec::Pcmu, 20);
    phone.hum(&mut bench, one, 300);
    bench.heard_by(two);
    pause(&mut phone, &mut bench, one, &[50], 2_000);
    let sent = bench.heard_by(two);
    let noises: Vec<u8> = sent.iter().filter(|sent| is_noise(sent)).map(|sent| sent.rtp().payload[0]).collect();
    assert!((4..=8).contains(&noises.len()), "{noises:?}");
    assert!(noises[1..].iter().all(|level| level.abs_diff(50) <= 3), "{noises:?}");
    assert!(sent.len() - noises.len() <= 3, "{}", sent.len());
    // Sound goes on where the clock stands.
    let (begun, stood) = (sent[sent.len() - 1].at, sent[sent.len() - 1].rtp().header.timestamp);
    phone.hum(&mut bench, one, 200);
    let after = bench.heard_by(two);
    let first = after.iter().find(|sent| !is_noise(sent)).unwrap();
    assert!(first.rtp().header.marker);
    let ms = (first.at - begun).as_millis() as u32;
    assert!((first.rtp().header.timestamp.wrapping_sub(stood) / 8).abs_diff(ms) <= 20);
    for pair in sent.iter().chain(&after).collect::<Vec<_>>().windows(2) {
        assert_eq!(pair[1].rtp().header.sequence, pair[0].rtp().header.sequence.wrapping_add(1));
    }
}

#[test]
fn pauses_of_opus_are_told_as_noise() {
    let mut bench = Bench::new();
    let (one, two) = bench.bridge(settings(1, Codec::Opus, 20), restful(2, Codec::Pcma));
    let mut phone = Phone::new(1, Codec::Opus, 20);
    let dtx = EncoderSettings { dtx: true, ..EncoderSettings::default() };
    phone.encoder = Encoder::new(Codec::Opus, dtx).unwrap();
    let mut noise = Generator::new(Colour::white(65), 3);
    let (mut said, mut pauses, mut config) = (0, false, 0);
    for round in 0..300 {
        let mut pcm = [0; 960];
        noise.fill(&mut pcm);
        if round < 50 {
            let hum = |n: usize| ((n as f64 * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * LEVEL) as i16;
            pcm.iter_mut().enumerate().for_each(|(n, sample)| *sample += hum(round * 960 + n));
        }
        let mut bytes = phone.header.bytes().to_vec();
        bytes.resize(12 + 1_500, 0);
        let length = phone.encoder.encode(&pcm, &mut bytes[12..]).unwrap();
        if length > 0 {
            config = bytes[12] & 0xFC;
        }
        // Senders tell the first frame that is left out, as one without a payload (RFC 6716 §3.1).
        let length = if length == 0 && !std::mem::replace(&mut pauses, length == 0) { 1 } else { length };
        if length == 1 {
            bytes[12] = config;
        }
        pauses &= length <= 1;
        bytes.truncate(12 + length);
        phone.header.timestamp = phone.header.timestamp.wrapping_add(960);
        if length > 0 {
            said += 1;
            bench.receive(one, phone.address, &bytes);
            phone.header.sequence = phone.header.sequence.wrapping_add(1);
        }
        bench.run(20);
    }
    assert!(said < 150, "the encoder pauses: {said}");
    let sent = bench.heard_by(two);
    let noises = sent.iter().filter(|sent| is_noise(sent)).count();
    assert!((4..=20).contains(&noises), "{noises}");
    assert!(sent.len() < 200, "{}", sent.len());
}
