//! What each kernel costs at each level, side by side: the median of many runs, in nanoseconds of CPU for a frame of 20 ms,
//! the middle half of the runs around it, and how many times faster than the portable definition it is.
//!
//! ```text
//! cargo bench -p tandem-codecs --bench kernels               all kernels, about half a minute
//! cargo bench -p tandem-codecs --bench kernels -- g722       those with this in their name
//! ```
//!
//! A process has one level for its whole life, so this starts itself once for each, several times in turn.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};
use tandem_codecs::g722::lanes::{Decoding, Encoding, decode_all, encode_all};
use tandem_codecs::g722::{Decoder, Encoder, Mode};
use tandem_codecs::gain::{Gain, scale};
use tandem_codecs::loudness::Loudness;
use tandem_codecs::simd::{self, Level};
use tandem_codecs::tone::Bank;
use tandem_codecs::tone::dtmf::Detector;
use tandem_codecs::{Resampler, g711, mix};

/// Names the level in a process that measures.
const LEVEL: &str = "TANDEM_BENCH_LEVEL";
const ROUNDS: usize = 7;
/// Runs of each kernel in a round, and how long one takes.
const RUNS: usize = 25;
const RUN: Duration = Duration::from_micros(400);

fn main() {
    // `cargo bench` adds `--bench`.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    match std::env::var(LEVEL) {
        Ok(level) => measure(level.parse().expect("a level"), &filter),
        Err(_) => compare(&filter),
    }
}

fn compare(filter: &str) {
    let levels: Vec<Level> = Level::ALL.into_iter().filter(|level| level.is_available()).collect();
    let mut runs: BTreeMap<(usize, String), Vec<Vec<f64>>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (n, level) in levels.iter().enumerate() {
            let program = std::env::current_exe().expect("this program");
            let output =
                Command::new(program).arg(filter).env(LEVEL, level.name()).output().expect("this program runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            for (place, line) in String::from_utf8_lossy(&output.stdout).lines().enumerate() {
                let (name, figures) = line.split_once('\t').expect("a name and figures");
                let by_level = runs.entry((place, name.to_owned())).or_insert_with(|| vec![Vec::new(); levels.len()]);
                by_level[n].extend(figures.split(' ').map(|figure| figure.parse::<f64>().expect("a figure")));
            }
        }
    }
    print!("{:38}", "ns for 20 ms of one call");
    levels.iter().for_each(|level| print!("{:>34}", level.name()));
    println!();
    for ((_, name), by_level) in runs {
        print!("{name:38}");
        let mut portable = None;
        for mut figures in by_level {
            figures.sort_by(f64::total_cmp);
            let at = |part: usize| figures[figures.len() * part / 100];
            let portable = *portable.get_or_insert(at(50));
            let spread = format!("({:.0}-{:.0})", at(25), at(75));
            print!("{:>10.1} {spread:>14} {:>6.2} x", at(50), portable / at(50));
        }
        println!();
    }
}

/// Prints a line for each kernel: its name and the nanoseconds a frame of each run.
fn measure(level: Level, filter: &str) {
    assert_eq!(simd::choose(Some(level)), level);
    let mut bench = Bench { filter };
    g711_kernels(&mut bench);
    mixing(&mut bench);
    resampling(&mut bench);
    tones(&mut bench);
    g722_kernels(&mut bench);
}

struct Bench<'a> {
    filter: &'a str,
}

impl Bench<'_> {
    /// `work` does so many frames of 20 ms.
    fn run(&mut self, name: &str, frames: usize, mut work: impl FnMut()) {
        if !name.contains(self.filter) {
            return;
        }
        let mut count = 1u32;
        let mut time = |count: u32| {
            #[expect(clippy::disallowed_methods, reason = "a bench measures time, and decides nothing by it")]
            let start = Instant::now();
            (0..count).for_each(|_| work());
            start.elapsed()
        };
        while time(count) < RUN {
            count *= 2;
        }
        let figures: Vec<String> = (0..RUNS)
            .map(|_| format!("{:.2}", time(count).as_nanos() as f64 / f64::from(count) / frames as f64))
            .collect();
        println!("{name}\t{}", figures.join(" "));
    }
}

/// A voice with some breath.
fn voice(rate: usize, samples: usize, seed: usize) -> Vec<i16> {
    let mut noise = seed as u32 + 1;
    let pitch = rate / (90 + seed % 120);
    (0..samples)
        .map(|n| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let phase = (n % pitch) as f64 / pitch as f64;
            ((-6.0 * phase).exp() * (phase * 40.0).sin() * 12_000.0) as i16 + (noise >> 25) as i16
        })
        .collect()
}

fn g711_kernels(bench: &mut Bench<'_>) {
    let pcm = voice(8_000, 160, 1);
    let mut codes = [0; 160];
    let mut heard = [0; 160];
    bench.run("G.711 A-law encode", 1, || g711::encode_alaw(black_box(&pcm), black_box(&mut codes)));
    bench.run("G.711 µ-law encode", 1, || g711::encode_ulaw(black_box(&pcm), black_box(&mut codes)));
    bench.run("G.711 A-law decode", 1, || g711::decode_alaw(black_box(&codes), black_box(&mut heard)));
    bench.run("G.711 µ-law decode", 1, || g711::decode_ulaw(black_box(&codes), black_box(&mut heard)));
}

fn mixing(bench: &mut Bench<'_>) {
    for rate in [8_000, 48_000] {
        let pcm = voice(rate, rate / 50, 2);
        let name = |what: &str| format!("{what}, {} kHz", rate / 1_000);
        let mut sum = vec![0; pcm.len()];
        let mut out = pcm.clone();
        bench.run(&name("mix: add"), 1, || {
            // Kept from growing beyond all bounds.
            sum[0] &= 0xFFFF;
            mix::add(black_box(&mut sum), black_box(&pcm));
        });
        sum.fill(20_000);
        bench.run(&name("mix: all but oneself"), 1, || {
            mix::without(black_box(&sum), black_box(&pcm), black_box(&mut out));
        });
        let (soft, loud) = (Gain::new(0.7), Gain::new(1.2));
        bench.run(&name("gain"), 1, || scale(black_box(&mut out), black_box(soft), black_box(loud)));
        bench.run(&name("loudness"), 1, || _ = black_box(Loudness::of(black_box(&pcm))));
    }
}

fn resampling(bench: &mut Bench<'_>) {
    let pairs = [(8, 16), (16, 8), (8, 24), (8, 48), (48, 8), (16, 48), (48, 16), (32, 48), (48, 32), (16, 24)];
    for (from, to) in pairs {
        let mut resampler = Resampler::new(from * 1_000, to * 1_000).expect("a known rate");
        let pcm = voice(from as usize * 1_000, from as usize * 20, 3);
        let mut out = vec![0; to as usize * 20];
        bench.run(&format!("resample {from} to {to} kHz"), 1, || {
            resampler.process(black_box(&pcm), black_box(&mut out));
        });
    }
}

fn tones(bench: &mut Bench<'_>) {
    let pcm = voice(8_000, 160, 4);
    let mut bank = Bank::new(8_000, 160, &[697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0]);
    let mut powers = [0.0; 8];
    bench.run("tones: power at 8 frequencies", 1, || bank.powers(black_box(&pcm), black_box(&mut powers)));
    let mut detector = Detector::new(8_000);
    bench.run("tones: digits heard", 1, || detector.push(black_box(&pcm), |event| _ = black_box(event)));
}

/// Calls in the G.722 bench: more than the lanes of any level, and a multiple of all of them.
const CALLS: usize = 64;

fn g722_kernels(bench: &mut Bench<'_>) {
    let sounds: Vec<Vec<i16>> = (0..CALLS).map(|call| voice(16_000, 320, call)).collect();
    let mut octets = vec![[0; 160]; CALLS];
    let mut heard = vec![[0; 320]; CALLS];
    for calls in [CALLS, 8, 3] {
        let mut encoders = vec![Encoder::new(); calls];
        let mut decoders = vec![Decoder::new(Mode::One); calls];
        bench.run(&format!("G.722 encode, {calls} calls"), calls, || {
            let jobs = encoders.iter_mut().zip(&sounds).zip(&mut octets);
            encode_all(jobs.map(|((encoder, pcm), out)| Encoding { encoder, pcm, out }));
            black_box(&mut octets);
        });
        bench.run(&format!("G.722 decode, {calls} calls"), calls, || {
            let jobs = decoders.iter_mut().zip(&octets).zip(&mut heard);
            decode_all(jobs.map(|((decoder, octets), pcm)| Decoding { decoder, octets, pcm }));
            black_box(&mut heard);
        });
    }
}
