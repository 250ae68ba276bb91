//! Sample-rate conversion between the rates of telephony, by a polyphase FIR filter of linear phase.
//!
//! The filter is a sinc under a Kaiser window, 32 samples of the lower rate long, which cuts at half of that rate: up to
//! 0.425 of the lower rate the gain is within 0.5 dB of one, and from 0.575 on everything is at least 60 dB down (3.4 kHz
//! and 4.6 kHz where the lower rate is 8 kHz). It delays by 16 samples of the lower rate: 2 ms at 8 kHz, 1 ms at 16 kHz.

pub(crate) mod polyphase;

use crate::CodecError;
use crate::simd::kernels;
use polyphase::Polyphase;

/// The rates that are converted, each to each, in Hz.
pub const RATES: [u32; 5] = [8_000, 16_000, 24_000, 32_000, 48_000];

/// Half the filter's length, in samples of the lower rate.
const HALF_LENGTH: usize = 16;

/// Shapes the Kaiser window: side lobes at -72 dB.
const KAISER_BETA: f64 = 6.98;

/// Taps are padded to a multiple of this, so that no level's inner loop but the widest has a remainder.
const PADDING: usize = 16;

/// Samples taken at a time; any more are taken in turns.
const BLOCK: usize = 480;

/// A stream's way from one rate to another. How a stream is cut into blocks makes no difference to what comes out.
#[derive(Clone, Debug)]
pub struct Resampler {
    from: u32,
    to: u32,
    /// Output samples in the time of `down` input samples.
    up: usize,
    down: usize,
    /// Coefficients, phase by phase, each for the oldest sample first; as many as `taps` a phase.
    phases: Box<[i16]>,
    taps: usize,
    /// The last `taps - 1` samples, then room for a block.
    window: Box<[i16]>,
    /// When the next output sample is due, after the next input sample, in 1/`up` of an input sample.
    due: usize,
}

impl Resampler {
    /// # Errors
    /// A rate that isn't one of [`RATES`].
    pub fn new(from: u32, to: u32) -> Result<Resampler, CodecError> {
        for rate in [from, to] {
            if !RATES.contains(&rate) {
                return Err(CodecError::Rate(rate));
            }
        }
        let common = greatest_common_divisor(from, to);
        let (up, down) = ((to / common) as usize, (from / common) as usize);
        let (taps, phases) = if from == to { (1, Box::default()) } else { filter(up, down) };
        let window = vec![0; taps - 1 + BLOCK].into_boxed_slice();
        Ok(Resampler { from, to, up, down, phases, taps, window, due: 0 })
    }

    /// The rate of the input, in Hz.
    pub fn from(&self) -> u32 {
        self.from
    }

    /// The rate of the output, in Hz.
    pub fn to(&self) -> u32 {
        self.to
    }

    /// Goes on where another one of the same rates is: what comes out next joins what has come out there. Does nothing for
    /// other rates.
    pub fn follow(&mut self, other: &Resampler) {
        if (self.from, self.to) == (other.from, other.to) {
            self.window.copy_from_slice(&other.window);
            self.due = other.due;
        }
    }

    /// By how much the output lags behind the input, in microseconds.
    pub fn delay_us(&self) -> u32 {
        if self.from == self.to { 0 } else { HALF_LENGTH as u32 * 1_000_000 / self.from.min(self.to) }
    }

    /// How many samples the next `input` samples make. Over a stream the ratio is exact: n samples make
    /// n · `to` / `from`, rounded up.
    pub fn output_samples(&self, input: usize) -> usize {
        (input * self.up).saturating_sub(self.due).div_ceil(self.down)
    }

    /// Converts all of `input` and returns how many samples of `output` were filled. `output` is to have room for
    /// [`Resampler::output_samples`]; what finds no room is lost.
    pub fn process(&mut self, input: &[i16], output: &mut [i16]) -> usize {
        if self.from == self.to {
            let count = input.len().min(output.len());
            output[..count].copy_from_slice(&input[..count]);
            return count;
        }
        let mut filled = 0;
        for block in input.chunks(BLOCK) {
            filled += self.process_block(block, &mut output[filled..]);
        }
        filled
    }

    fn process_block(&mut self, block: &[i16], output: &mut [i16]) -> usize {
        let history = self.taps - 1;
        self.window[history..history + block.len()].copy_from_slice(block);

        let count = self.output_samples(block.len());
        let room = count.min(output.len());
        let bank = Polyphase { phases: &self.phases, taps: self.taps, up: self.up, down: self.down };
        (kernels().filter)(&bank, self.due, &self.window, &mut output[..room]);
        self.due = self.due + count * self.down - block.len() * self.up;
        self.window.copy_within(block.len()..block.len() + history, 0);
        room
    }
}

/// The number of taps in a phase, and the coefficients of all phases.
fn filter(up: usize, down: usize) -> (usize, Box<[i16]>) {
    // The filter runs at `up` times the input's rate, where one sample of the lower rate is `spread` long.
    let spread = up.max(down);
    let half = HALF_LENGTH * spread;
    let prototype = |n: usize| {
        let distance = n as f64 - half as f64;
        if n >= half * 2 { 0.0 } else { sinc(distance / spread as f64) * kaiser(distance / half as f64) }
    };
    let taps = (half * 2).div_ceil(up).next_multiple_of(PADDING);
    let mut phases = Vec::with_capacity(taps * up);
    for phase in 0..up {
        let exact: Vec<f64> = (0..taps).rev().map(|tap| prototype(phase + tap * up)).collect();
        phases.extend(quantize(&exact));
    }
    (taps, phases.into_boxed_slice())
}

/// Scales a phase's coefficients to a sum of exactly one: a steady input then gives a steady output in all phases. What
/// rounding leaves over goes to the coefficients that rounding has hurt most, one unit each.
fn quantize(exact: &[f64]) -> Vec<i16> {
    let scale = f64::from(polyphase::ONE) / exact.iter().sum::<f64>();
    let floors: Vec<f64> = exact.iter().map(|value| (value * scale).floor()).collect();
    let missing = (f64::from(polyphase::ONE) - floors.iter().sum::<f64>()) as usize;
    let mut by_loss: Vec<usize> = (0..exact.len()).collect();
    let loss = |n: usize| exact[n] * scale - floors[n];
    by_loss.sort_by(|&a, &b| loss(b).total_cmp(&loss(a)));
    let mut coefficients: Vec<i16> = floors.iter().map(|&floor| floor as i16).collect();
    for &n in by_loss.iter().take(missing) {
        coefficients[n] += 1;
    }
    coefficients
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle == 0.0 { 1.0 } else { angle.sin() / angle }
}

/// The Kaiser window at -1 to 1, up to a factor.
fn kaiser(x: f64) -> f64 {
    bessel_i0(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt())
}

/// The modified Bessel function of order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut term = 1.0;
    let mut k = 1.0;
    while term > sum * 1e-15 {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLITUDE: f64 = 16_000.0;

    fn tone(rate: u32, frequency: f64, count: usize) -> Vec<i16> {
        let angle = std::f64::consts::TAU * frequency / f64::from(rate);
        (0..count).map(|n| ((n as f64 * angle).sin() * AMPLITUDE).round() as i16).collect()
    }

    fn resample(from: u32, to: u32, input: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut output = vec![0; resampler.output_samples(input.len())];
        assert_eq!(resampler.process(input, &mut output), output.len());
        output
    }

    fn decibels(ratio: f64) -> f64 {
        20.0 * ratio.max(1e-9).log10()
    }

    /// The gain of a tone, and how far all else is below the tone that went in, in dB. 100 ms in the steady state are
    /// looked at, which hold whole periods of all frequencies that are multiples of 10 Hz.
    fn gain_and_rest(from: u32, to: u32, frequency: f64) -> (f64, f64) {
        let output = resample(from, to, &tone(from, frequency, from as usize / 5));
        let steady = &output[output.len() / 2..];
        let angle = std::f64::consts::TAU * frequency / f64::from(to);
        let (mut sine, mut cosine, mut power) = (0.0, 0.0, 0.0);
        for (n, &sample) in steady.iter().enumerate() {
            let (s, c) = (n as f64 * angle).sin_cos();
            sine += f64::from(sample) * s;
            cosine += f64::from(sample) * c;
            power += f64::from(sample).powi(2);
        }
        let count = steady.len() as f64;
        let amplitude = 2.0 * (sine * sine + cosine * cosine).sqrt() / count;
        let rest = (power / count - amplitude * amplitude / 2.0).max(0.0);
        (decibels(amplitude / AMPLITUDE), decibels((2.0 * rest).sqrt() / AMPLITUDE))
    }

    fn pairs() -> impl Iterator<Item = (u32, u32)> {
        RATES.into_iter().flat_map(|from| RATES.into_iter().map(move |to| (from, to)))
    }

    #[test]
    fn speech_passes_unchanged_and_without_images() {
        for (from, to) in pairs() {
            let edge = f64::from(from.min(to)) * 0.425;
            let mut worst = (0.0f64, -200.0f64);
            for step in 1..=17 {
                let frequency = (edge * f64::from(step) / 17.0 / 10.0).floor() * 10.0;
                let (gain, rest) = gain_and_rest(from, to, frequency);
                worst = (worst.0.max(gain.abs()), worst.1.max(rest));
            }
            println!("{from} -> {to}: within {:.3} dB, images at {:.1} dB", worst.0, worst.1);
            assert!(worst.0 <= 0.5, "{from} -> {to}: gain off by {} dB", worst.0);
            assert!(worst.1 <= -60.0, "{from} -> {to}: images at {} dB", worst.1);
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_removed() {
        for (from, to) in pairs().filter(|(from, to)| from > to) {
            let (first, last) = (f64::from(to) * 0.575, f64::from(from) * 0.5 - 10.0);
            let mut worst = -200.0f64;
            for step in 0..=24 {
                let frequency = ((first + (last - first) * f64::from(step) / 24.0) / 10.0).ceil() * 10.0;
                let output = resample(from, to, &tone(from, frequency, from as usize / 5));
                let steady = &output[output.len() / 2..];
                let power = steady.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / steady.len() as f64;
                worst = worst.max(decibels((2.0 * power).sqrt() / AMPLITUDE));
            }
            println!("{from} -> {to}: aliases at {worst:.1} dB");
            assert!(worst <= -60.0, "{from} -> {to}: aliases at {worst} dB");
        }
    }

    #[test]
    fn blocks_make_no_difference() {
        let mut seed = 1u32;
        let mut chance = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 16
        };
        for (from, to) in pairs() {
            let input: Vec<i16> = (0..4_000).map(|_| chance() as i16).collect();
            let whole = resample(from, to, &input);
            assert_eq!(whole.len(), (input.len() * to as usize).div_ceil(from as usize));
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut pieces = Vec::new();
            let mut rest = &input[..];
            while !rest.is_empty() {
                let (block, after) = rest.split_at((chance() as usize % 700).min(rest.len()));
                let mut output = vec![0; resampler.output_samples(block.len())];
                assert_eq!(resampler.process(block, &mut output), output.len());
                pieces.extend(output);
                rest = after;
            }
            assert_eq!(pieces, whole, "{from} -> {to}");
        }
    }

    #[test]
    fn a_frame_makes_a_frame_of_the_same_time() {
        for (from, to) in pairs() {
            let mut resampler = Resampler::new(from, to).unwrap();
            for frame_ms in [10, 20, 30, 40, 50, 60, 20, 10] {
                let input = vec![100; (from / 1_000 * frame_ms) as usize];
                let mut output = [0; 2_880];
                assert_eq!(resampler.process(&input, &mut output), (to / 1_000 * frame_ms) as usize);
            }
        }
    }

    #[test]
    fn an_impulse_comes_out_after_the_stated_delay_and_symmetric() {
        for (from, to) in pairs().filter(|(from, to)| from < to) {
            let mut input = vec![0; 200];
            input[50] = i16::MAX;
            let output = resample(from, to, &input);
            let (up, down) = (to / greatest_common_divisor(from, to), from / greatest_common_divisor(from, to));
            if down != 1 {
                continue;
            }
            let centre = (50 + HALF_LENGTH) * up as usize;
            assert_eq!(output[centre], i16::MAX);
            for n in 1..=HALF_LENGTH * up as usize {
                let difference = i32::from(output[centre - n]) - i32::from(output[centre + n]);
                assert!(difference.abs() <= 4, "{from} -> {to}: {difference} at {n}");
            }
        }
        assert_eq!(Resampler::new(8_000, 48_000).unwrap().delay_us(), 2_000);
        assert_eq!(Resampler::new(48_000, 16_000).unwrap().delay_us(), 1_000);
        assert_eq!(Resampler::new(16_000, 16_000).unwrap().delay_us(), 0);
    }

    #[test]
    fn no_input_overflows_the_sum() {
        for (from, to) in pairs().filter(|(from, to)| from != to) {
            let resampler = Resampler::new(from, to).unwrap();
            for phase in resampler.phases.chunks(resampler.taps) {
                let sum: i32 = phase.iter().map(|&coefficient| i32::from(coefficient).abs()).sum();
                assert!(sum < 65_000, "{from} -> {to}");
                assert_eq!(phase.iter().map(|&coefficient| i32::from(coefficient)).sum::<i32>(), polyphase::ONE);
            }
        }
    }

    #[test]
    fn too_small_an_output_loses_samples_and_nothing_else() {
        let mut resampler = Resampler::new(8_000, 48_000).unwrap();
        assert_eq!(resampler.process(&[1; 160], &mut [0; 7]), 7);
        assert_eq!(resampler.process(&[1; 160], &mut [0; 960]), 960);
        assert!(Resampler::new(8_000, 44_100).is_err());
    }
}
