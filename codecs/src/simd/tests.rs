//! Every level that this processor has against the definitions, on all inputs where they can be counted, else on random
//! ones and on edges; at lengths that fill no vector, and at every alignment.

use super::vector::{Simd, Vector};
use super::{Kernels, Level, PORTABLE};
use crate::g722::lanes::{Decoding, Encoding, decode_in_lanes, encode_in_lanes, in_crews};
use crate::g722::{self, Mode};
use crate::gain::{Gain, Ramp};
use crate::loudness::measure_in_lanes;
use crate::resample::polyphase::{Polyphase, filter_in_lanes};
use proptest::collection::vec;
use proptest::prelude::*;

fn levels() -> impl Iterator<Item = &'static Kernels> {
    let levels: Vec<_> = Level::ALL.into_iter().filter_map(Kernels::of).collect();
    assert!(levels.iter().any(|kernels| kernels.level == Level::Portable));
    levels.into_iter()
}

/// Samples of which many are at an edge.
fn sample() -> impl Strategy<Value = i16> {
    prop_oneof![
        4 => any::<i16>(),
        2 => -300i16..300,
        1 => prop_oneof![Just(i16::MIN), Just(i16::MIN + 1), Just(i16::MAX), Just(0), Just(-1)],
    ]
}

fn frame() -> impl Strategy<Value = Vec<i16>> {
    vec(sample(), 0..200)
}

#[test]
fn every_g711_input_gives_the_same_at_every_level() {
    let linear: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let codes: Vec<u8> = (0..=255).cycle().take(4_096 + 13).collect();
    for kernels in levels() {
        let both = |one: fn(&[i16], &mut [u8]), other: fn(&[i16], &mut [u8])| {
            for at in [0, 1, 7, 30, 33] {
                let (mut ours, mut theirs) = (vec![0; linear.len()], vec![0; linear.len()]);
                one(&linear[at..], &mut ours);
                other(&linear[at..], &mut theirs);
                assert!(ours == theirs, "{}", kernels.level);
            }
        };
        both(kernels.encode_alaw, PORTABLE.encode_alaw);
        both(kernels.encode_ulaw, PORTABLE.encode_ulaw);
        let both = |one: fn(&[u8], &mut [i16]), other: fn(&[u8], &mut [i16])| {
            for at in [0, 1, 7, 30, 33] {
                let (mut ours, mut theirs) = (vec![0; codes.len()], vec![0; codes.len()]);
                one(&codes[at..], &mut ours[3..]);
                other(&codes[at..], &mut theirs[3..]);
                assert!(ours == theirs, "{}", kernels.level);
            }
        };
        both(kernels.decode_alaw, PORTABLE.decode_alaw);
        both(kernels.decode_ulaw, PORTABLE.decode_ulaw);
    }
}

/// A filter of the shapes that there are, with coefficients as great as the sum allows.
fn bank() -> impl Strategy<Value = (Vec<i16>, usize, usize, usize)> {
    let ratios = prop_oneof![Just((6, 1)), Just((1, 6)), Just((3, 2)), Just((2, 3)), Just((3, 4)), Just((1, 2))];
    (ratios, prop_oneof![Just(16usize), Just(32), Just(48), Just(64), Just(192)]).prop_flat_map(|((up, down), taps)| {
        let most = (65_000 / taps) as i16;
        vec(-most..=most, taps * up).prop_map(move |phases| (phases, taps, up, down))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 50 } else { 400 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mixing_gives_the_same_at_every_level(
        pcm in frame(),
        own in frame(),
        others in vec(prop_oneof![-40_000..40_000, -2_000_000_000..2_000_000_000], 0..200),
        at in 0usize..9,
    ) {
        let at = at.min(others.len());
        for kernels in levels() {
            let (mut ours, mut theirs) = (others.clone(), others.clone());
            (kernels.mix)(&mut ours[at..], &pcm);
            (PORTABLE.mix)(&mut theirs[at..], &pcm);
            prop_assert_eq!(&ours, &theirs, "{}", kernels.level);
            let (mut ours, mut theirs) = (vec![7; 200], vec![7; 200]);
            (kernels.mix_without)(&others[at..], &own, &mut ours);
            (PORTABLE.mix_without)(&others[at..], &own, &mut theirs);
            prop_assert_eq!(ours, theirs, "{}", kernels.level);
        }
    }

    #[test]
    fn gain_gives_the_same_at_every_level(pcm in frame(), from in 0f32..17.0, to in 0f32..17.0, at in 0usize..9) {
        let at = at.min(pcm.len());
        let ramp = Ramp::new(Gain::new(from), Gain::new(to), pcm.len() - at);
        for kernels in levels() {
            let (mut ours, mut theirs) = (pcm.clone(), pcm.clone());
            (kernels.scale)(&mut ours[at..], ramp);
            (PORTABLE.scale)(&mut theirs[at..], ramp);
            prop_assert_eq!(ours, theirs, "{}", kernels.level);
        }
    }

    #[test]
    fn loudness_is_the_same_at_every_level(pcm in frame(), at in 0usize..9) {
        let pcm = &pcm[at.min(pcm.len())..];
        for kernels in levels() {
            prop_assert_eq!((kernels.loudness)(pcm), (PORTABLE.loudness)(pcm), "{}", kernels.level);
        }
    }

    #[test]
    fn correlations_are_the_same_at_every_level(
        (pcm, tables) in (0usize..8).prop_flat_map(|n| (vec(sample(), n * 32), vec(-600i16..600, n * 32 * 11))),
        sums in 0usize..12,
    ) {
        for kernels in levels() {
            let (mut ours, mut theirs) = (vec![0; sums], vec![0; sums]);
            (kernels.correlate)(&pcm, &tables, &mut ours);
            (PORTABLE.correlate)(&pcm, &tables, &mut theirs);
            prop_assert_eq!(ours, theirs, "{}", kernels.level);
        }
    }

    #[test]
    fn filters_give_the_same_at_every_level(
        (phases, taps, up, down) in bank(),
        window in vec(sample(), 400),
        outputs in 0usize..50,
        due in 0usize..10,
    ) {
        let bank = Polyphase { phases: &phases, taps, up, down };
        let room = ((window.len() - taps) * up - due) / down;
        for kernels in levels() {
            let (mut ours, mut theirs) = (vec![0; outputs.min(room)], vec![0; outputs.min(room)]);
            (kernels.filter)(&bank, due, &window, &mut ours);
            (PORTABLE.filter)(&bank, due, &window, &mut theirs);
            prop_assert_eq!(ours, theirs, "{}", kernels.level);
        }
    }
}

/// A generator good enough for noise (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as usize
    }

    /// Silence, a soft or loud voice, noise at full scale, square waves: what a call may bring, now this and now that.
    fn sound(&mut self, samples: usize) -> Vec<i16> {
        let kind = self.next() % 6;
        let pitch = 20 + self.next() % 120;
        (0..samples)
            .map(|n| {
                let noise = self.next() as i16;
                let voice = ((n % pitch) as f64 / pitch as f64 * std::f64::consts::TAU).sin();
                match kind {
                    0 => 0,
                    1 => noise / 400,
                    2 => (voice * 900.0) as i16 + noise / 2_000,
                    3 => (voice * 20_000.0) as i16 + noise / 100,
                    4 => noise,
                    _ => {
                        if (n / pitch).is_multiple_of(2) {
                            i16::MAX
                        } else {
                            i16::MIN
                        }
                    }
                }
            })
            .collect()
    }
}

const ROUNDS: usize = if cfg!(debug_assertions) { 24 } else { 100 };

/// Calls of any number over some frames, each frame of any length, with other calls each time: what the lanes give is
/// what each call gives alone, and so is what they leave behind.
fn compare_g722(
    what: &str,
    lanes: usize,
    encode: impl Fn(&mut [Option<Encoding<'_>>], usize),
    decode: impl Fn(&mut [Option<Decoding<'_>>], usize),
) {
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let mut encoders = vec![(g722::Encoder::new(), g722::Encoder::new()); 37];
    let modes = [Mode::One, Mode::One, Mode::Two, Mode::Three];
    let mut decoders: Vec<_> =
        (0..37).map(|n| (g722::Decoder::new(modes[n % 4]), g722::Decoder::new(modes[n % 4]))).collect();
    for round in 0..ROUNDS {
        let present = [37, 1, 2, 8, 5, 16, 17, 0][round % 8];
        let lengths: Vec<usize> = (0..37)
            .map(|_| if round % 3 == 0 { 160 } else { [160, 80, 0, 1, 39, 41, 400][noise.next() % 7] })
            .collect();
        let sounds: Vec<Vec<i16>> = lengths.iter().map(|length| noise.sound(length * 2 + length % 2)).collect();
        let mut octets = vec![vec![0u8; 400]; 37];
        let jobs = encoders.iter_mut().zip(&sounds).zip(&mut octets).take(present);
        let frames = jobs.map(|((encoder, pcm), out)| Encoding { encoder: &mut encoder.0, pcm, out });
        in_crews(frames, lanes, &encode);

        for (n, (encoder, octets)) in encoders.iter_mut().zip(&mut octets).take(present).enumerate() {
            let mut alone = vec![0; 400];
            encoder.1.encode(&sounds[n], &mut alone);
            assert!(octets[..] == alone[..], "{what}, round {round}, call {n}");
            // What a decoder may get from strangers.
            if n % 5 == 4 {
                octets.iter_mut().for_each(|octet| *octet = noise.next() as u8);
            }
        }

        let mut heard = vec![vec![0; 800]; 37];
        let jobs = decoders.iter_mut().zip(&octets).zip(&lengths).zip(&mut heard).take(present);
        let frames = jobs.map(|(((decoder, octets), &length), pcm)| Decoding {
            decoder: &mut decoder.0,
            octets: &octets[..length],
            pcm,
        });
        in_crews(frames, lanes, &decode);
        for (n, (decoder, heard)) in decoders.iter_mut().zip(&heard).take(present).enumerate() {
            let mut alone = vec![0; 800];
            decoder.1.decode(&octets[n][..lengths[n]], &mut alone);
            assert!(heard[..] == alone[..], "{what}, round {round}, call {n}");
        }
    }
}

#[test]
fn g722_in_lanes_gives_what_each_call_gives_alone() {
    for kernels in levels() {
        compare_g722(kernels.level.name(), kernels.g722_lanes, kernels.encode_g722, kernels.decode_g722);
    }
}

/// What is written over vectors, with the lanes of `simd`.
pub(super) fn compare_over_lanes<S: Simd>(simd: S) {
    let lanes = S::Vector::LANES;
    compare_g722(
        "arrays",
        lanes,
        |crew, steps| encode_in_lanes(simd, crew, steps),
        |crew, steps| decode_in_lanes(simd, crew, steps),
    );
    let mut noise = Noise(77);
    for length in 0..200 {
        let pcm = noise.sound(length);
        assert_eq!(measure_in_lanes(simd, &pcm), (PORTABLE.loudness)(&pcm));
    }
    let phases: Vec<i16> = (0..3 * 96).map(|_| (noise.next() % 600) as i16 - 300).collect();
    let bank = Polyphase { phases: &phases, taps: 96, up: 3, down: 2 };
    let window = noise.sound(400);
    let (mut ours, mut theirs) = ([0; 371], [0; 371]);
    filter_in_lanes(simd, simd, &bank, 5, &window, &mut ours);
    (PORTABLE.filter)(&bank, 5, &window, &mut theirs);
    assert_eq!(ours, theirs);
}
