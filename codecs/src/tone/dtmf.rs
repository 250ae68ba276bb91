//! Digits as pairs of tones in the sound itself (ITU-T Q.23): heard as Q.24 asks, and made.
//!
//! Sound is looked at through windows of 12.75 ms, each half over the one before it. A digit of 40 ms fills four of them in
//! a row at least, and one of 23 ms fills or nearly fills three at most: so four alike begin a digit. It ends with two
//! windows that have nothing of it left, which a pause of 40 ms has and a drop-out of 10 ms hasn't: that is bridged.
//!
//! Speech is told from digits by what a window alone can't show. By how far the phases of the two tones turn from window
//! to window their frequencies are known to a few hertz: the digits' were chosen so that no two partials of one voice lie
//! at a pair of them. Once they are known, two steady tones are laid through all four windows, and have to leave less
//! than what noise is allowed.

use super::{Bank, power_of};
use crate::loudness::Loudness;
use std::f64::consts::TAU;

/// The digits, row by row.
pub const DIGITS: [u8; 16] = *b"123A456B789C*0#D";

/// In Hz.
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// In microseconds.
const WINDOW_US: u64 = 12_750;

/// So many windows alike begin a digit.
const ALIKE: u32 = 4;

/// The least power of a tone: -34 dBm0, as -37.2 dB below a full sine wave.
const LEAST_POWER: f32 = 1.02e5;

/// By how much the higher tone may be stronger than the lower, and the lower than the higher: 4 and 8 dB by Q.24, one more
/// for what a window measures wrongly, and another for the higher tone, which loses more where its frequency is off.
const MOST_TWIST: f32 = 3.16;
const MOST_REVERSE_TWIST: f32 = 10.0;

/// By how much a tone is above the others of its group: 8 dB.
const ABOVE_OTHERS: f32 = 6.3;

/// What part of all power the two tones are. Tones off by 1.8 % lose up to a third to other frequencies; speech has more
/// than that elsewhere.
const PART_OF_ALL: f32 = 0.70;

/// The same once the frequencies are known, so that nothing is lost by their being off. The rest is what else leaks.
const PART_OF_STEADY: f32 = 0.85;

/// What part of all power may be left over where four windows are taken together, and nothing leaks: noise 15 dB below both
/// tones is 0.03 of all.
const LEFT_OVER: f64 = 0.045;

/// By what part of itself a frequency may be off: 1.5 % by Q.24, and what is measured wrongly.
const MOST_OFF: f32 = 0.018;

/// By how much a tone may turn more or less from one window to the next than between the two before, in radians.
const STEADY_TURN: f32 = 0.5;

/// By what a tone's power may change from one window to the next once a digit fills them; that of speech comes and goes.
const STEADY: f32 = 1.8;

/// Nothing of a digit is left where less than this of the power of a tone is, which is less than a drop-out of 10 ms leaves.
const POWER_LEFT: f32 = 0.03;
const WINDOWS_SILENT: u32 = 2;

/// A digit is over after so many windows in which it isn't found, whatever is heard.
const WINDOWS_WITHOUT: u32 = 8;

/// What is heard of digits. Times are in samples since the detector began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Begun { digit: u8, at: u64 },
    Ended { digit: u8, at: u64, duration: u64 },
}

/// Hears digits in one stream of sound. Nothing is allocated after [`Detector::new`].
#[derive(Clone, Debug)]
pub struct Detector {
    bank: Bank,
    leaks: Leaks,
    /// By how much each tone turns from one window to the next, in radians.
    turns: [f32; 8],
    /// What the last windows held, oldest first; the last of it is the window.
    history: Box<[i16]>,
    window: usize,
    filled: usize,
    /// The window's first sample.
    at: u64,
    /// Rows and columns of the window before.
    before: [f32; 8],
    state: State,
}

/// What a window holds.
struct View {
    /// Cosine and sine of each tone, rows first, without what leaks there from the strongest tone of the other group.
    parts: [[f32; 2]; 8],
    powers: [f32; 8],
    /// The mean square of all.
    mean: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Idle,
    Likely(Likely),
    Sounding(Sounding),
}

/// So many windows in a row had this pair.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Likely {
    first: Candidate,
    count: u32,
    /// Of row and column in the last window: what it has of them, and all of its power.
    parts: [[f32; 2]; 2],
    mean: f32,
    /// By how much they turned more than their frequencies should, in radians, the last step first.
    turned: [[f32; 2]; ALIKE as usize - 1],
}

/// The first window with a pair, and the power that the pair has in the window before it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    pair: Pair,
    at: u64,
    before: [f32; 2],
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sounding {
    pair: Pair,
    begun: u64,
    /// As far as is known.
    end: u64,
    power: [f32; 2],
    /// Windows since the pair was found, and how many of the last had nothing of it.
    without: u32,
    silent: u32,
}

/// Row and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair(u8, u8);

impl Pair {
    fn digit(self) -> u8 {
        DIGITS[usize::from(self.0 * 4 + self.1)]
    }

    fn powers(self, powers: &[f32; 8]) -> [f32; 2] {
        self.of(powers)
    }

    /// Of what there is for each tone, that of row and column.
    fn of<T: Copy>(self, all: &[T; 8]) -> [T; 2] {
        [all[usize::from(self.0)], all[4 + usize::from(self.1)]]
    }
}

impl Detector {
    /// For mono PCM at `rate` Hz, 8,000 at least; more costs more and hears nothing else.
    pub fn new(rate: u32) -> Detector {
        let length = (u64::from(rate) * WINDOW_US / 1_000_000) as usize;
        let bank = Bank::new(rate, length.max(2), &[ROWS, COLUMNS].concat());
        let window = bank.length();
        let history = vec![0; window / 2 * (ALIKE as usize - 1) + window].into_boxed_slice();
        let leaks = Leaks::new(rate, bank.length());
        let turn = |frequency: f64| (TAU * frequency * (window / 2) as f64 / f64::from(rate.max(1))) as f32;
        let turns: [f32; 8] = std::array::from_fn(|n| turn(if n < 4 { ROWS[n] } else { COLUMNS[n - 4] }));
        Detector { bank, leaks, turns, history, window, filled: 0, at: 0, before: [0.0; 8], state: State::Idle }
    }

    /// Hears the next samples, of any number, and tells of each digit that begins or ends in them.
    pub fn push(&mut self, mut pcm: &[i16], mut each: impl FnMut(Event)) {
        let (step, start) = (self.window / 2, self.history.len() - self.window);
        while !pcm.is_empty() {
            let count = pcm.len().min(self.window - self.filled);
            let (taken, rest) = pcm.split_at(count);
            self.history[start + self.filled..][..count].copy_from_slice(taken);
            self.filled += count;
            pcm = rest;
            if self.filled == self.window {
                self.hear_window(&mut each);
                self.history.copy_within(step.., 0);
                self.filled -= step;
                self.at += step as u64;
            }
        }
    }

    /// Whether a digit is being heard, or may have begun.
    pub fn is_busy(&self) -> bool {
        self.state != State::Idle
    }

    fn hear_window(&mut self, each: &mut impl FnMut(Event)) {
        let view = self.view();
        let heard = pair_in(&view.powers, view.mean);
        self.state = match self.state {
            State::Likely(likely) if heard == Some(likely.first.pair) => self.go_along(likely, &view, each),
            State::Idle | State::Likely(_) => self.likely(heard, &view),
            State::Sounding(sounding) => self.go_on(sounding, heard, &view, each),
        };
        self.before = view.powers;
    }

    fn view(&mut self) -> View {
        let mut parts = [[0.0; 2]; 8];
        let window = &self.history[self.history.len() - self.window..];
        let mean = Loudness::of(window).energy as f32 / window.len() as f32;
        for (part, found) in parts.iter_mut().zip(self.bank.parts(window)) {
            *part = found;
        }
        let strongest = |group: &[[f32; 2]]| {
            let powers = group.iter().map(|&part| power_of(part));
            powers.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
        };
        let (rows, columns) = parts.split_at_mut(4);
        let row = strongest(rows);
        self.leaks.take_off(row, rows[row], columns);
        let column = strongest(columns);
        self.leaks.take_off(4 + column, columns[column], rows);
        View { parts, powers: parts.map(power_of), mean }
    }

    fn likely(&self, heard: Option<Pair>, view: &View) -> State {
        let Some(pair) = heard else { return State::Idle };
        let first = Candidate { pair, at: self.at, before: pair.powers(&self.before) };
        let (parts, mean) = (pair.of(&view.parts), view.mean);
        State::Likely(Likely { first, count: 1, parts, mean, turned: Default::default() })
    }

    /// One more window with the pair of the one before.
    fn go_along(&self, was: Likely, view: &View, each: &mut impl FnMut(Event)) -> State {
        let pair = was.first.pair;
        let (parts, turns) = (pair.of(&view.parts), pair.of(&self.turns));
        let turned = [0, 1].map(|n| turned(was.parts[n], parts[n], turns[n]));
        let is_alike = is_steady(was.parts.map(power_of), parts.map(power_of))
            && (was.count < 2 || (0..2).all(|n| (turned[n] - was.turned[0][n]).abs() <= STEADY_TURN))
            && is_all(was.parts, turned, was.mean)
            && is_all(parts, turned, view.mean);
        if !is_alike {
            return self.likely(Some(pair), view);
        }
        let turned = [turned, was.turned[0], was.turned[1]];
        let now = Likely { count: was.count + 1, parts, mean: view.mean, turned, ..was };
        if now.count < ALIKE {
            return State::Likely(now);
        }
        let turned = [0, 1].map(|n| turned.iter().map(|turned| turned[n]).sum::<f32>() / turned.len() as f32);
        let is_near = (0..2).all(|n| turned[n].abs() <= turns[n] * MOST_OFF);
        let power = pair.powers(&view.powers);
        if is_near && self.is_filled_by([0, 1].map(|n| turns[n] + turned[n])) {
            return self.begin(now.first, power, each);
        }
        // The first may have been filled by a part only: the next is the first then.
        let first = Candidate { pair, at: now.first.at + self.window as u64 / 2, before: power };
        State::Likely(Likely { first, count: was.count, ..now })
    }

    /// Whether nothing but noise is left of the last windows together where two tones are taken out of them that turn by
    /// so much from one to the next: the least squares of their sines and cosines.
    fn is_filled_by(&self, turns: [f32; 2]) -> bool {
        let angles = turns.map(|turn| f64::from(turn) / (self.window / 2) as f64);
        let mut all = 0.0;
        // Of each row of the system, its products with the others and with the sound.
        let mut system = [[0.0f64; 5]; 4];
        for (n, &sample) in self.history.iter().enumerate() {
            let [one, two] = angles.map(|angle| (n as f64 * angle).sin_cos());
            let row = [one.0, one.1, two.0, two.1, f64::from(sample)];
            for (sums, &factor) in system.iter_mut().zip(&row) {
                sums.iter_mut().zip(&row).for_each(|(sum, value)| *sum += factor * value);
            }
            all += f64::from(sample).powi(2);
        }
        all - explained(system) <= all * LEFT_OVER
    }

    fn begin(&self, first: Candidate, power: [f32; 2], each: &mut impl FnMut(Event)) -> State {
        // The window before the first has the digit in its last part, and ends in the middle of the first.
        let part = self.samples_of(part_left(power, first.before));
        let begun = (first.at + self.window as u64 / 2).saturating_sub(part);
        each(Event::Begun { digit: first.pair.digit(), at: begun });
        State::Sounding(Sounding { pair: first.pair, begun, end: self.end(), power, without: 0, silent: 0 })
    }

    fn go_on(&self, was: Sounding, heard: Option<Pair>, view: &View, each: &mut impl FnMut(Event)) -> State {
        let power = was.pair.powers(&view.powers);
        if heard == Some(was.pair) {
            return State::Sounding(Sounding { end: self.end(), power, without: 0, silent: 0, ..was });
        }
        let left = part_left(was.power, power);
        let without = was.without + 1;
        // The first window without it still has the digit in its first part.
        let end = if without == 1 { self.at + self.samples_of(left) } else { was.end };
        let silent = if left * left < POWER_LEFT { was.silent + 1 } else { 0 };
        let is_another = heard.is_some() && without >= WINDOWS_SILENT;
        if silent < WINDOWS_SILENT && without < WINDOWS_WITHOUT && !is_another {
            return State::Sounding(Sounding { end, without, silent, ..was });
        }
        each(Event::Ended { digit: was.pair.digit(), at: end, duration: end.saturating_sub(was.begun) });
        self.likely(heard, view)
    }

    /// The sample after the window.
    fn end(&self) -> u64 {
        self.at + self.window as u64
    }

    fn samples_of(&self, part: f32) -> u64 {
        (self.window as f32 * part) as u64
    }
}

/// What part of a tone's cosine and sine a window shows at the frequencies of the other group: it is short, and a tone that
/// is 8 dB stronger would else hide, or change, the weaker one.
#[derive(Clone, Debug)]
struct Leaks([[[f32; 2]; 4]; 8]);

impl Leaks {
    fn new(rate: u32, length: usize) -> Leaks {
        let middle = (length - 1) as f64 / 2.0;
        let wave = |frequency: f64, n: usize| ((n as f64 - middle) * TAU * frequency / f64::from(rate)).sin_cos();
        let leak = |from: f64, to: f64| {
            let (mut sums, mut full) = ([0.0; 2], [0.0; 2]);
            for n in 0..length {
                let ((sine, cosine), (other_sine, other_cosine)) = (wave(from, n), wave(to, n));
                sums[0] += cosine * other_cosine;
                sums[1] += sine * other_sine;
                full[0] += cosine * cosine;
                full[1] += sine * sine;
            }
            [0, 1].map(|part| (sums[part] / full[part]) as f32)
        };
        let row = |n: usize| COLUMNS.map(|column| leak(ROWS[n], column));
        let column = |n: usize| ROWS.map(|row| leak(COLUMNS[n], row));
        Leaks([row(0), row(1), row(2), row(3), column(0), column(1), column(2), column(3)])
    }

    fn take_off(&self, from: usize, tone: [f32; 2], others: &mut [[f32; 2]]) {
        for (other, leak) in others.iter_mut().zip(&self.0[from]) {
            other[0] -= tone[0] * leak[0];
            other[1] -= tone[1] * leak[1];
        }
    }
}

/// For which part of a window the weaker tone lasted, by its power there and in a full window: where a tone sounds for half
/// of a window, that has half of its amplitude.
fn part_left(full: [f32; 2], left: [f32; 2]) -> f32 {
    let part = (left[0] / full[0].max(1.0)).min(left[1] / full[1].max(1.0));
    part.sqrt().min(1.0)
}

fn is_steady(before: [f32; 2], now: [f32; 2]) -> bool {
    before.iter().zip(now).all(|(&before, now)| now <= before * STEADY && before <= now * STEADY)
}

/// By how much more than `turn` a tone's phase went on from one window to the next, in radians between -π and π.
fn turned(before: [f32; 2], now: [f32; 2], turn: f32) -> f32 {
    // A sine that is seen as x is -x of the phase's.
    let phase = |[cosine, sine]: [f32; 2]| (-sine).atan2(cosine);
    let more = phase(now) - phase(before) - turn;
    more - (more / std::f32::consts::TAU).round() * std::f32::consts::TAU
}

/// The squares that the unknowns of a symmetric system explain, whose right side is in the last column; by elimination, in
/// which each pivot explains its own part.
fn explained(mut system: [[f64; 5]; 4]) -> f64 {
    let mut explained = 0.0;
    for pivot in 0..4 {
        let row = system[pivot];
        if row[pivot] <= f64::EPSILON {
            continue;
        }
        explained += row[4] * row[4] / row[pivot];
        for below in &mut system[pivot + 1..] {
            let factor = below[pivot] / row[pivot];
            below.iter_mut().zip(row).for_each(|(value, above)| *value -= factor * above);
        }
    }
    explained
}

/// Whether a window holds nothing beside two tones, which turn by so much more between two windows than their frequencies
/// should. By as much they turn from its middle to its ends, and what that takes of their power is known.
fn is_all(parts: [[f32; 2]; 2], turned: [f32; 2], mean: f32) -> bool {
    let power = |n: usize| {
        let turned: f32 = turned[n].abs().clamp(0.01, 2.0);
        power_of(parts[n]) / (turned.sin() / turned).powi(2)
    };
    power(0) + power(1) >= mean * PART_OF_STEADY
}

/// The pair that a window of this mean square holds, and nothing else.
fn pair_in(powers: &[f32; 8], mean: f32) -> Option<Pair> {
    let (row, row_power) = strongest(&powers[..4])?;
    let (column, column_power) = strongest(&powers[4..])?;
    let is_twisted = column_power > row_power * MOST_TWIST || row_power > column_power * MOST_REVERSE_TWIST;
    let is_pure = row_power + column_power >= mean * PART_OF_ALL;
    (!is_twisted && is_pure).then_some(Pair(row, column))
}

/// Which tone of a group is far above the others, and its power.
fn strongest(powers: &[f32]) -> Option<(u8, f32)> {
    let (at, &power) = powers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let is_alone = powers.iter().enumerate().all(|(n, &other)| n == at || other * ABOVE_OTHERS <= power);
    (power >= LEAST_POWER && is_alone).then_some((at as u8, power))
}

/// Makes digits: both tones in phase from the start, with edges that don't click.
#[derive(Clone, Debug)]
pub struct Generator {
    rate: f64,
    /// In radians a sample.
    steps: [f64; 2],
    /// Amplitudes of the lower and the higher tone.
    amplitudes: [f64; 2],
    at: usize,
    length: usize,
}

/// The higher tone is the stronger one by 2 dB, since lines weaken it more.
const TWIST_DB: f64 = 2.0;
const EDGE_MS: f64 = 1.0;

impl Generator {
    /// One digit of `samples` at `rate` Hz, both tones together of `level_dbov` dB against a full sine wave. None for what
    /// is no digit.
    pub fn new(rate: u32, digit: u8, level_dbov: f64, samples: usize) -> Option<Generator> {
        let place = DIGITS.iter().position(|&known| known == digit.to_ascii_uppercase())?;
        let step = |frequency: f64| TAU * frequency / f64::from(rate.max(1));
        let full = 32_767.0 * 10f64.powf(level_dbov.min(-6.0) / 20.0);
        let ratio = 10f64.powf(TWIST_DB / 20.0);
        let lower = full / (1.0 + ratio * ratio).sqrt();
        Some(Generator {
            rate: f64::from(rate.max(1)),
            steps: [step(ROWS[place / 4]), step(COLUMNS[place % 4])],
            amplitudes: [lower, lower * ratio],
            at: 0,
            length: samples,
        })
    }

    /// Changes how many samples it is to have; where more than that are made already, it ends softly at once.
    pub fn set_length(&mut self, samples: usize) {
        let edge = (self.rate * EDGE_MS / 1_000.0) as usize;
        self.length = samples.max(self.at.saturating_add(edge));
    }

    /// Fills `pcm` with the next samples, and with silence after the end; false once that is reached.
    pub fn fill(&mut self, pcm: &mut [i16]) -> bool {
        let edge = self.rate * EDGE_MS / 1_000.0;
        for sample in pcm {
            if self.at >= self.length {
                *sample = 0;
                continue;
            }
            let to_edge = (self.at + 1).min(self.length - self.at) as f64;
            let tone = |n: usize| (self.at as f64 * self.steps[n]).sin() * self.amplitudes[n];
            *sample = ((tone(0) + tone(1)) * (to_edge / edge).min(1.0)).round() as i16;
            self.at += 1;
        }
        self.at < self.length
    }
}

#[cfg(test)]
mod tests;
