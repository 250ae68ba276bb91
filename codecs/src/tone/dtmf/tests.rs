//! What Q.24 asks of a receiver, and what it may never take for a digit.

use super::*;
use crate::{g711, g722};

/// A generator good enough for noise (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        (self.next() & 0xFFFF_FFFF) as f64 / 4_294_967_296.0
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.part()
    }
}

/// Two tones at these parts of their frequencies, with amplitudes of the lower and the higher.
fn pair(rate: u32, digit: u8, offsets: [f64; 2], amplitudes: [f64; 2], ms: f64) -> Vec<i16> {
    let place = DIGITS.iter().position(|&known| known == digit).unwrap();
    let frequencies = [ROWS[place / 4] * offsets[0], COLUMNS[place % 4] * offsets[1]];
    (0..(f64::from(rate) * ms / 1_000.0) as usize)
        .map(|n| {
            let tone =
                |k: usize| (n as f64 * std::f64::consts::TAU * frequencies[k] / f64::from(rate)).sin() * amplitudes[k];
            (tone(0) + tone(1)).round() as i16
        })
        .collect()
}

fn events(rate: u32, pcm: &[i16]) -> Vec<Event> {
    let mut detector = Detector::new(rate);
    let mut events = Vec::new();
    // In pieces of any length.
    for piece in pcm.chunks(67) {
        detector.push(piece, |event| events.push(event));
    }
    events
}

fn digits(events: &[Event]) -> String {
    let begun = events.iter().filter_map(|event| match event {
        Event::Begun { digit, .. } => Some(char::from(*digit)),
        Event::Ended { .. } => None,
    });
    begun.collect()
}

/// All digits, each for so long and as long a pause after it, with a part of a window before, so that no two lie alike.
fn dial(rate: u32, ms: f64, pause_ms: f64, make: impl Fn(u8, f64) -> Vec<i16>) -> Vec<i16> {
    let mut pcm = vec![0; rate as usize / 20];
    for (n, digit) in DIGITS.into_iter().enumerate() {
        pcm.extend(make(digit, ms));
        let odd = (n * 13) % 31;
        pcm.extend(vec![0; (f64::from(rate) * pause_ms / 1_000.0) as usize + odd]);
    }
    pcm.extend(vec![0; rate as usize / 10]);
    pcm
}

const ALL: &str = "123A456B789C*0#D";

/// The amplitude of a tone of so many dBm0: a full sine wave has 3.17 dBm0 in A-law and µ-law.
fn amplitude(dbm0: f64) -> f64 {
    32_767.0 * 10f64.powf((dbm0 - 3.17) / 20.0)
}

#[test]
fn digits_are_heard_at_all_levels_twists_and_frequencies_that_q24_asks_for() {
    for rate in [8_000, 16_000] {
        for ms in [40.0, 47.0, 65.0, 100.0, 300.0] {
            for (lower, higher) in [(-3.0, -3.0), (-25.0, -25.0), (-10.0, -6.0), (-10.0, -18.0), (-17.0, -25.0)] {
                for (row, column) in [(1.0, 1.0), (1.015, 1.015), (0.985, 0.985), (0.985, 1.015)] {
                    let amplitudes = [amplitude(lower), amplitude(higher)];
                    let pcm = dial(rate, ms, 40.0, |digit, ms| pair(rate, digit, [row, column], amplitudes, ms));
                    let events = events(rate, &pcm);
                    let what = format!("{rate} Hz, {ms} ms, {lower} and {higher} dBm0, {row} and {column}");
                    assert_eq!(digits(&events), ALL, "{what}");
                    assert_eq!(events.len(), 32, "{what}");
                }
            }
        }
    }
}

#[test]
fn durations_are_told_within_seven_milliseconds() {
    for ms in [45.0, 60.0, 81.0, 123.0, 250.0] {
        let amplitudes = [amplitude(-8.0), amplitude(-6.0)];
        let pcm = dial(8_000, ms, 50.0, |digit, ms| pair(8_000, digit, [1.0; 2], amplitudes, ms));
        let mut starts = 400;
        for (n, ended) in events(8_000, &pcm).chunks(2).enumerate() {
            let [Event::Begun { at, .. }, Event::Ended { duration, .. }] = ended else { panic!("{ended:?}") };
            assert!(at.abs_diff(starts) <= 56, "{ms} ms: at {at} for {starts}");
            assert!((*duration as f64 / 8.0 - ms).abs() <= 7.0, "{ms} ms: {duration} samples");
            starts += (8.0 * (ms + 50.0)) as u64 + (n as u64 * 13) % 31;
        }
    }
}

#[test]
fn what_is_too_short_or_off_by_too_much_is_no_digit() {
    let amplitudes = [amplitude(-8.0), amplitude(-6.0)];
    let pcm = dial(8_000, 23.0, 60.0, |digit, ms| pair(8_000, digit, [1.0; 2], amplitudes, ms));
    assert_eq!(events(8_000, &pcm), []);
    for off in [[1.035, 1.035], [0.965, 0.965], [1.035, 0.965]] {
        let pcm = dial(8_000, 100.0, 50.0, |digit, ms| pair(8_000, digit, off, amplitudes, ms));
        assert_eq!(digits(&events(8_000, &pcm)), "", "{off:?}");
    }
    // One tone alone, and tones that are further apart than lines make them.
    for (lower, higher) in [(-8.0, -90.0), (-90.0, -8.0), (-20.0, -8.0), (-6.0, -22.0)] {
        let pcm = dial(8_000, 100.0, 50.0, |digit, ms| {
            pair(8_000, digit, [1.0; 2], [amplitude(lower), amplitude(higher)], ms)
        });
        assert_eq!(digits(&events(8_000, &pcm)), "", "{lower} and {higher} dBm0");
    }
}

#[test]
fn a_drop_out_of_ten_milliseconds_splits_no_digit() {
    for start in (240..700).step_by(7) {
        let mut pcm = vec![0; 400];
        pcm.extend(pair(8_000, b'7', [1.0; 2], [5_000.0, 6_000.0], 150.0));
        pcm.extend([0; 800]);
        pcm[400 + start..][..80].fill(0);
        let events = events(8_000, &pcm);
        assert_eq!(digits(&events), "7", "{start}: {events:?}");
    }
}

#[test]
fn the_same_digit_twice_is_two_digits() {
    for pause in [40.0, 45.0, 50.0, 70.0] {
        for offset in 0..102 {
            let mut pcm = vec![0; 400 + offset];
            for _ in 0..3 {
                pcm.extend(pair(8_000, b'5', [1.0; 2], [5_000.0, 6_000.0], 45.0));
                pcm.extend(vec![0; (8.0 * pause) as usize]);
            }
            pcm.extend([0; 400]);
            assert_eq!(digits(&events(8_000, &pcm)), "555", "a pause of {pause} ms, {offset} samples on");
        }
    }
}

#[test]
fn noise_fifteen_decibels_below_hides_no_digit() {
    let mut noise = Noise(5);
    for _ in 0..20 {
        let amplitudes = [amplitude(-15.0), amplitude(-15.0)];
        let mut pcm = dial(8_000, 60.0, 60.0, |digit, ms| pair(8_000, digit, [1.0; 2], amplitudes, ms));
        // The power of both tones is that of one by 3 dB more; noise between -a and a has a third of a square's.
        let peak = amplitudes[0] * 10f64.powf(-15.0 / 20.0) * 3f64.sqrt();
        pcm.iter_mut().for_each(|sample| *sample += noise.between(-peak, peak) as i16);
        assert_eq!(digits(&events(8_000, &pcm)), ALL);
    }
}

/// All digits as [`dial`] has them, off by 1.5 % and twisted, with noise 15 dB below.
fn worst(rate: u32, noise: &mut Noise) -> Vec<i16> {
    let amplitudes = [amplitude(-13.0), amplitude(-16.0)];
    let mut pcm = dial(rate, 40.0, 40.0, |digit, ms| pair(rate, digit, [0.985, 1.015], amplitudes, ms));
    let power = (amplitudes[0].powi(2) + amplitudes[1].powi(2)) / 2.0;
    let peak = (3.0 * power * 10f64.powf(-1.5)).sqrt();
    pcm.iter_mut().for_each(|sample| *sample += noise.between(-peak, peak) as i16);
    pcm
}

#[test]
fn digits_are_heard_through_g711_and_g722() {
    let mut noise = Noise(9);
    for _ in 0..20 {
        let pcm = worst(8_000, &mut noise);
        let (mut octets, mut heard) = (vec![0; pcm.len()], vec![0; pcm.len()]);
        g711::encode_alaw(&pcm, &mut octets);
        g711::decode_alaw(&octets, &mut heard);
        assert_eq!(digits(&events(8_000, &heard)), ALL, "A-law");
        g711::encode_ulaw(&pcm, &mut octets);
        g711::decode_ulaw(&octets, &mut heard);
        assert_eq!(digits(&events(8_000, &heard)), ALL, "µ-law");

        let mut pcm = worst(16_000, &mut noise);
        pcm.truncate(pcm.len() / 2 * 2);
        let (mut octets, mut heard) = (vec![0; pcm.len() / 2], vec![0; pcm.len()]);
        g722::Encoder::new().encode(&pcm, &mut octets);
        g722::Decoder::new(g722::Mode::default()).decode(&octets, &mut heard);
        assert_eq!(digits(&events(16_000, &heard)), ALL, "G.722");
    }
}

#[test]
fn what_is_made_is_heard() {
    for rate in [8_000, 16_000, 48_000] {
        let pcm = dial(rate, 100.0, 60.0, |digit, ms| {
            let mut pcm = vec![0; (f64::from(rate) * ms / 1_000.0) as usize];
            let mut generator = Generator::new(rate, digit, -10.0, pcm.len()).unwrap();
            for piece in pcm.chunks_mut(rate as usize / 100) {
                generator.fill(piece);
            }
            assert!(!generator.fill(&mut [0; 1]));
            pcm
        });
        assert_eq!(digits(&events(rate, &pcm)), ALL, "{rate} Hz");
    }
    assert!(Generator::new(8_000, b'd', -10.0, 1).is_some());
    assert!(Generator::new(8_000, b'E', -10.0, 1).is_none());
}

#[test]
fn a_digit_without_an_end_is_ended_softly() {
    let mut generator = Generator::new(8_000, b'1', -10.0, usize::MAX).unwrap();
    let mut pcm = [0; 800];
    assert!(generator.fill(&mut pcm[..400]));
    generator.set_length(100);
    assert!(!generator.fill(&mut pcm[400..]));
    assert!(pcm[392..400].iter().any(|&sample| sample.abs() > 3_000));
    assert_eq!(pcm[408..], [0; 392]);
    let mut generator = Generator::new(8_000, b'1', -10.0, usize::MAX).unwrap();
    generator.set_length(640);
    assert!(generator.fill(&mut pcm[..400]));
    assert!(!generator.fill(&mut pcm[400..]));
    assert!(pcm[560..632].iter().any(|&sample| sample.abs() > 3_000));
    assert_eq!(pcm[640..], [0; 160]);
}

/// A two-pole resonance.
struct Formant {
    feedback: [f64; 2],
    last: [f64; 2],
}

impl Formant {
    fn new(frequency: f64, width: f64) -> Formant {
        let radius = (-std::f64::consts::PI * width / 8_000.0).exp();
        let angle = std::f64::consts::TAU * frequency / 8_000.0;
        Formant { feedback: [2.0 * radius * angle.cos(), -radius * radius], last: [0.0; 2] }
    }

    fn next(&mut self, input: f64) -> f64 {
        let value = input * (1.0 - self.feedback[1]).powi(2)
            + self.feedback[0] * self.last[0]
            + self.feedback[1] * self.last[1];
        self.last = [value, self.last[0]];
        value
    }
}

/// One syllable of one of many voices: pulses of a throat, or breath, through three formants that have a vowel's places,
/// with a pitch that glides.
fn syllable(noise: &mut Noise, pcm: &mut Vec<i16>) {
    let samples = (noise.between(0.06, 0.4) * 8_000.0) as usize;
    let mut formants = [
        Formant::new(noise.between(250.0, 900.0), noise.between(30.0, 110.0)),
        Formant::new(noise.between(800.0, 2_400.0), noise.between(40.0, 160.0)),
        Formant::new(noise.between(2_000.0, 3_400.0), noise.between(80.0, 250.0)),
    ];
    let (mut pitch, glide) = (noise.between(75.0, 420.0), noise.between(0.99995, 1.00005));
    let (is_voiced, loudness) = (!noise.next().is_multiple_of(5), noise.between(200.0, 12_000.0));
    let mut phase = 0.0;
    let start = pcm.len();
    let mut loudest = 1.0f64;
    let mut sound = Vec::with_capacity(samples);
    for n in 0..samples {
        pitch *= glide;
        phase += pitch / 8_000.0;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase -= pulse;
        let source = if is_voiced { pulse } else { noise.between(-0.2, 0.2) };
        let value: f64 =
            formants.iter_mut().zip([1.0, 0.6, 0.25]).map(|(formant, part)| formant.next(source) * part).sum();
        let edge = (n.min(samples - n) as f64 / 160.0).min(1.0);
        loudest = loudest.max(value.abs() * 1e6);
        sound.push(value * edge);
    }
    let scale = loudness / (loudest / 1e6);
    pcm.extend(sound.into_iter().map(|value| (value * scale) as i16));
    if noise.next().is_multiple_of(3) {
        let pause = noise.next() as usize % 1_200;
        pcm.extend((0..pause).map(|_| (noise.next() % 40) as i16 - 20));
    }
    debug_assert!(pcm.len() >= start + samples);
}

/// Hours of speech-like sound, fewer where the compiler doesn't optimize and as many as `TANDEM_TALK_OFF_HOURS` says. It is
/// harder than speech: its formants ring at narrow bandwidths under a high pitch, so that some syllables are little more
/// than two tones.
#[test]
fn no_digit_is_heard_in_sound_like_speech() {
    let asked = std::env::var("TANDEM_TALK_OFF_HOURS").ok().map(|hours| hours.parse::<f64>().unwrap());
    let hours = asked.unwrap_or(if cfg!(debug_assertions) { 0.05 } else { 5.0 });
    let mut noise = Noise(0x1234_5678_9ABC_DEF1);
    let mut detector = Detector::new(8_000);
    let mut found = Vec::new();
    let mut samples = 0;
    while (samples as f64) < hours * 3_600.0 * 8_000.0 {
        let mut pcm = Vec::with_capacity(80_000);
        while pcm.len() < 70_000 {
            syllable(&mut noise, &mut pcm);
        }
        samples += pcm.len();
        detector.push(&pcm, |event| found.push(event));
    }
    assert_eq!(digits(&found), "", "in {hours} hours");
}
