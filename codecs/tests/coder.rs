//! The face of all codecs: what goes in comes out, losses are filled, and no payload makes it panic.

use proptest::prelude::*;
use tandem_codecs::opus::{self, Bandwidth};
use tandem_codecs::{Codec, CodecError, Decoder, Encoder, EncoderSettings, MAX_FRAME_SAMPLES, MAX_PAYLOAD_BYTES};

const CODECS: [Codec; 7] = [
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::Opus,
    Codec::L16 { rate: 8_000 },
    Codec::L16 { rate: 16_000 },
    Codec::L16 { rate: 44_100 },
];

/// Something like a vowel, at full speech level.
fn voice(rate: u32, count: usize) -> Vec<i16> {
    let sine = |frequency: f64, n: usize| (std::f64::consts::TAU * frequency * n as f64 / f64::from(rate)).sin();
    (0..count)
        .map(|n| {
            let harmonics: f64 = (1..=20).map(|k| sine(140.0 * f64::from(k), n) / f64::from(k)).sum();
            (harmonics * (1.2 + sine(3.0, n)) * 3_000.0) as i16
        })
        .collect()
}

fn power(pcm: &[i16]) -> f64 {
    pcm.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64
}

/// The signal-to-noise ratio in dB over the last `span_ms`, at the delay, up to 20 ms, where it is best. Opus keeps the sound
/// of speech and not its waveform, so that few dB are many.
fn best_ratio_db(rate: u32, span_ms: u32, original: &[i16], heard: &[i16]) -> f64 {
    let (end, count) = (original.len().min(heard.len()), (rate / 1_000 * span_ms) as usize);
    let heard = &heard[end - count..end];
    let ratio = |delay: usize| {
        let original = &original[end - count - delay..end - delay];
        let noise: Vec<i16> = original.iter().zip(heard).map(|(&a, &b)| a.saturating_sub(b)).collect();
        10.0 * (power(original) / power(&noise).max(1e-3)).log10()
    };
    (0..rate as usize / 50).map(ratio).fold(f64::NEG_INFINITY, f64::max)
}

fn round_trip(codec: Codec, settings: EncoderSettings, frame_ms: usize) -> (u32, Vec<i16>, Vec<i16>) {
    let mut encoder = Encoder::new(codec, settings).unwrap();
    let mut decoder = Decoder::new(codec, Some(settings.rate)).unwrap();
    assert_eq!(encoder.rate(), decoder.rate());
    let frame = encoder.rate() as usize * frame_ms / 1_000;
    let original = voice(encoder.rate(), frame * (1_200 / frame_ms));
    let mut heard = Vec::new();
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    let mut pcm = [0; MAX_FRAME_SAMPLES];
    for frame in original.chunks(frame) {
        let length = encoder.encode(frame, &mut payload).unwrap();
        assert_eq!(decoder.samples(&payload[..length]), Ok(frame.len()));
        assert_eq!(decoder.decode(&payload[..length], &mut pcm), Ok(frame.len()));
        heard.extend_from_slice(&pcm[..frame.len()]);
    }
    (encoder.rate(), original, heard)
}

#[test]
fn what_goes_in_comes_out() {
    for codec in CODECS.into_iter().filter(|&codec| codec != Codec::Opus) {
        let (rate, original, heard) = round_trip(codec, EncoderSettings::default(), 10);
        let ratio = best_ratio_db(rate, 100, &original, &heard);
        let least = match codec {
            Codec::L16 { .. } => 80.0,
            Codec::G722 => 20.0,
            _ => 30.0,
        };
        assert!(ratio > least, "{codec:?}: {ratio} dB");
    }
}

#[test]
fn opus_works_at_every_rate_and_packet_time() {
    for rate in opus::RATES {
        for frame_ms in [10, 20, 30, 40, 50, 60] {
            let settings = EncoderSettings { rate, bitrate: Some(32_000), ..EncoderSettings::default() };
            let (_, original, heard) = round_trip(Codec::Opus, settings, frame_ms);
            let ratio = best_ratio_db(rate, 100, &original, &heard);
            assert!(ratio > 3.0, "{rate} Hz, {frame_ms} ms: {ratio} dB");
        }
    }
}

#[test]
fn opus_recovers_a_lost_frame_from_the_next_packet() {
    let settings =
        EncoderSettings { rate: 16_000, inband_fec: true, expected_loss_percent: 25, ..EncoderSettings::default() };
    let mut encoder = Encoder::new(Codec::Opus, settings).unwrap();
    let mut decoder = Decoder::new(Codec::Opus, Some(16_000)).unwrap();
    let original = voice(16_000, 320 * 100);
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    let mut heard = Vec::new();
    let mut pcm = [0; 320];
    let mut recovered = 0;
    for (n, frame) in original.chunks(320).enumerate() {
        let length = encoder.encode(frame, &mut payload).unwrap();
        if n % 5 == 4 {
            continue;
        }
        if n % 5 == 0 && n > 0 {
            let is_done = decoder.decode_fec(&payload[..length], &mut pcm).unwrap();
            assert_eq!(is_done, opus::packet::has_fec(&payload[..length]));
            if !is_done {
                decoder.conceal(&mut pcm);
            }
            recovered += usize::from(is_done);
            heard.extend_from_slice(&pcm);
        }
        assert_eq!(decoder.decode(&payload[..length], &mut pcm), Ok(320));
        heard.extend_from_slice(&pcm);
    }
    assert!(recovered >= 10, "{recovered} of 19");
    let ratio = best_ratio_db(16_000, 1_500, &original, &heard);
    assert!(ratio > 3.0, "{ratio} dB");
}

#[test]
fn opus_without_protection_has_nothing_to_recover_from() {
    let mut encoder = Encoder::new(Codec::Opus, EncoderSettings::default()).unwrap();
    let mut decoder = Decoder::new(Codec::Opus, None).unwrap();
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    for frame in voice(48_000, 960 * 20).chunks(960) {
        let length = encoder.encode(frame, &mut payload).unwrap();
        assert_eq!(decoder.decode_fec(&payload[..length], &mut [0; 960]), Ok(false));
    }
}

#[test]
fn opus_sends_next_to_nothing_of_silence_with_dtx() {
    for frame_ms in [20, 30] {
        let settings = EncoderSettings { rate: 16_000, dtx: true, ..EncoderSettings::default() };
        let mut encoder = Encoder::new(Codec::Opus, settings).unwrap();
        let silence = vec![0; 16 * frame_ms];
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        let sent = (0..100).filter(|_| encoder.encode(&silence, &mut payload).unwrap() > 0).count();
        assert!((1..50).contains(&sent), "{frame_ms} ms: {sent} of 100");
    }
}

#[test]
fn opus_keeps_to_bandwidth_and_bitrate() {
    let settings = EncoderSettings {
        bitrate: Some(16_000),
        max_bandwidth: Some(Bandwidth::for_rate(8_000)),
        ..EncoderSettings::default()
    };
    let mut encoder = Encoder::new(Codec::Opus, settings).unwrap();
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    let mut bytes = 0;
    for frame in voice(48_000, 960 * 50).chunks(960) {
        bytes += encoder.encode(frame, &mut payload).unwrap();
        // SILK only, narrowband (RFC 6716 table 2).
        assert!(payload[0] >> 3 < 4, "configuration {}", payload[0] >> 3);
    }
    assert!((1_200..2_600).contains(&bytes), "{bytes} bytes in a second");
}

#[test]
fn opus_mixes_a_stereo_packet_down() {
    let mut stereo = ::opus::Encoder::new(48_000, ::opus::Channels::Stereo, ::opus::Application::Audio).unwrap();
    let pcm: Vec<i16> = voice(48_000, 960).into_iter().flat_map(|sample| [sample, sample]).collect();
    let mut packet = [0; MAX_PAYLOAD_BYTES];
    let length = stereo.encode(&pcm, &mut packet).unwrap();
    let mut decoder = Decoder::new(Codec::Opus, Some(16_000)).unwrap();
    let mut heard = [0; 320];
    assert_eq!(decoder.decode(&packet[..length], &mut heard), Ok(320));
    assert!(power(&heard) > 1e5);
}

#[test]
fn every_codec_fills_a_loss_with_sound() {
    for codec in CODECS {
        let mut encoder = Encoder::new(codec, EncoderSettings::default()).unwrap();
        let mut decoder = Decoder::new(codec, None).unwrap();
        let frame = encoder.rate() as usize / 100;
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        let mut pcm = vec![0; MAX_FRAME_SAMPLES];
        for samples in voice(encoder.rate(), frame * 20).chunks(frame) {
            let length = encoder.encode(samples, &mut payload).unwrap();
            decoder.decode(&payload[..length], &mut pcm).unwrap();
        }
        let before = power(&pcm[..frame]);
        decoder.conceal(&mut pcm[..frame]);
        let made_up = power(&pcm[..frame]);
        assert!(made_up > before / 10.0 && made_up < before * 10.0, "{codec:?}: {before} -> {made_up}");
        for _ in 0..200 {
            decoder.conceal(&mut pcm[..frame]);
        }
        assert!(power(&pcm[..frame]) < before / 100.0, "{codec:?}");
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    for codec in CODECS {
        let mut encoder = Encoder::new(codec, EncoderSettings::default()).unwrap();
        let mut decoder = Decoder::new(codec, None).unwrap();
        let frame = vec![0; encoder.rate() as usize / 100];
        assert!(encoder.encode(&frame, &mut [0; 2]).is_err(), "{codec:?}");
        assert!(encoder.encode(&[0; 100_000], &mut [0; 200_000]).is_err(), "{codec:?}");
        let long = [0; MAX_PAYLOAD_BYTES + 1];
        let error = CodecError::PayloadTooLong { bytes: long.len() };
        assert_eq!(decoder.decode(&long, &mut [0; 6_000]), Err(error), "{codec:?}");
        assert_eq!(decoder.decode_fec(&long, &mut [0; 960]), Err(error), "{codec:?}");
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        let length = encoder.encode(&frame, &mut payload).unwrap();
        let needed = frame.len();
        assert_eq!(
            decoder.decode(&payload[..length], &mut vec![0; needed - 1]),
            Err(CodecError::OutputTooShort { needed })
        );
    }
    let settings = EncoderSettings { rate: 44_100, ..EncoderSettings::default() };
    assert_eq!(Encoder::new(Codec::Opus, settings).err(), Some(CodecError::Rate(44_100)));
    assert_eq!(Decoder::new(Codec::Opus, Some(32_000)).err(), Some(CodecError::Rate(32_000)));
    assert_eq!(Decoder::new(Codec::L16 { rate: 192_000 }, None).err(), Some(CodecError::Rate(192_000)));
    assert_eq!(Encoder::new(Codec::L16 { rate: 0 }, settings).err(), Some(CodecError::Rate(0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// One decoder meets many payloads, losses and lengths, and goes on.
    #[test]
    fn no_payload_makes_a_decoder_panic(
        codec in prop::sample::select(&CODECS[..]),
        rate in prop::sample::select(&opus::RATES[..]),
        steps in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..1_600), 0..3u8, 0..6_000usize), 1..12),
    ) {
        let mut decoder = Decoder::new(codec, Some(rate)).unwrap();
        let mut pcm = vec![0; MAX_FRAME_SAMPLES + 240];
        for (payload, kind, length) in steps {
            let length = length.min(pcm.len());
            match kind {
                0 => {
                    let samples = decoder.samples(&payload);
                    let decoded = decoder.decode(&payload, &mut pcm[..length]);
                    if let (Ok(samples), Ok(decoded)) = (samples, decoded) {
                        prop_assert_eq!(samples, decoded);
                    }
                }
                1 => decoder.conceal(&mut pcm[..length]),
                _ => _ = decoder.decode_fec(&payload, &mut pcm[..length]),
            }
        }
    }

    #[test]
    fn no_frame_makes_an_encoder_panic(
        codec in prop::sample::select(&CODECS[..]),
        rate in prop::sample::select(&opus::RATES[..]),
        bitrate in prop::option::of(any::<u32>()),
        complexity in any::<u8>(),
        expected_loss_percent in any::<u8>(),
        (inband_fec, dtx, cbr) in any::<(bool, bool, bool)>(),
        frames in prop::collection::vec((1..7usize, any::<i16>(), 0..20u8), 1..5),
        room in 0..1_600usize,
    ) {
        let settings = EncoderSettings {
            rate, bitrate, complexity, inband_fec, expected_loss_percent, dtx, cbr, max_bandwidth: None,
        };
        let mut encoder = Encoder::new(codec, settings).unwrap();
        let mut payload = vec![0; room];
        for (tens_of_ms, level, odd) in frames {
            let length = encoder.rate() as usize / 100 * tens_of_ms + usize::from(odd == 0);
            let pcm: Vec<i16> = (0..length).map(|n| (n as i16).wrapping_mul(level)).collect();
            if let Ok(written) = encoder.encode(&pcm, &mut payload) {
                prop_assert!(written <= room.min(MAX_PAYLOAD_BYTES));
            }
        }
    }

    #[test]
    fn opus_packets_last_as_long_as_libopus_says(packet in prop::collection::vec(any::<u8>(), 0..20)) {
        // libopus counts a packet without a frame, which RFC 6716 §3.4 forbids, as one of no length.
        let theirs = ::opus::packet::get_nb_samples(&packet, 48_000).ok().filter(|&samples| samples > 0);
        prop_assert_eq!(opus::packet::samples(&packet, 48_000).ok(), theirs);
    }
}

#[test]
fn an_encoder_goes_on_where_another_one_is() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::L16 { rate: 16_000 }] {
        let mut one = Encoder::new(codec, EncoderSettings::default()).unwrap();
        let mut other = Encoder::new(codec, EncoderSettings::default()).unwrap();
        let frame = one.rate() as usize / 50;
        let pcm = voice(one.rate(), 20 * frame);
        let mut expected = [0; MAX_PAYLOAD_BYTES];
        for frame in pcm[..10 * frame].chunks(frame) {
            one.encode(frame, &mut expected).unwrap();
        }
        other.follow(&one, &[]);
        for frame in pcm[10 * frame..].chunks(frame) {
            let mut made = [0; MAX_PAYLOAD_BYTES];
            one.encode(frame, &mut expected).unwrap();
            other.encode(frame, &mut made).unwrap();
            assert_eq!(made, expected, "{codec:?}");
        }
    }
}

/// A second of voice through Opus, whose encoder another one follows at the given frame.
fn through_opus(pcm: &[i16], change: Option<usize>) -> Vec<i16> {
    let settings = EncoderSettings { rate: 16_000, ..EncoderSettings::default() };
    let mut encoders = [0, 1].map(|_| Encoder::new(Codec::Opus, settings).unwrap());
    let mut decoder = Decoder::new(Codec::Opus, Some(16_000)).unwrap();
    let (mut heard, mut last) = (Vec::new(), &pcm[..0]);
    for (n, frame) in pcm.chunks(320).enumerate() {
        if change == Some(n) {
            let [one, other] = &mut encoders;
            other.follow(one, last);
        }
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        let encoder = &mut encoders[usize::from(change.is_some_and(|change| n >= change))];
        let length = encoder.encode(frame, &mut payload).unwrap();
        let mut room = [0; MAX_FRAME_SAMPLES];
        let count = decoder.decode(&payload[..length], &mut room).unwrap();
        heard.extend_from_slice(&room[..count]);
        last = frame;
    }
    heard
}

#[test]
fn opus_goes_on_without_a_break() {
    let pcm = voice(16_000, 16_000);
    let unbroken = through_opus(&pcm, None);
    let step = |pcm: &[i16]| pcm.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max();
    for change in 20..40 {
        let heard = through_opus(&pcm, Some(change));
        let around = change * 320 - 200..(change + 1) * 320;
        let (steps, usual) = (step(&heard[around.clone()]), step(&unbroken));
        assert!(steps <= usual.map(|step| step * 3 / 2), "at {change}: {steps:?} after {usual:?}");
        let (here, there) = (power(&heard[around.clone()]), power(&unbroken[around]));
        assert!(here > there / 3.0 && here < there * 3.0 + 1.0, "at {change}: {here} beside {there}");
    }
}
