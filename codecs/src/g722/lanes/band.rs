//! The ADPCM coders of the two bands, a call a lane. Values that the definition saturates are saturated here only where
//! they can get so far: the steps and scale factors of G.722 bound the others.

use super::super::Mode;
use super::super::band::{
    HIGH_DECISION, HIGH_STEPS, INVERSE_LOG, LOW_DECISIONS, LOW_SCALE_STEPS, LOW_STEPS_4, LOW_STEPS_5, LOW_STEPS_6,
    Predictor as State,
};
use super::BLOCK;
use super::rows::{gather, scatter};
use crate::simd::vector::{Simd, Table, Vector};
use std::array::from_fn;

/// What the two bands don't share.
pub struct Limits {
    /// The greatest logarithmic scale factor.
    log_scale: i32,
    /// By how much the scale factor's fraction is shifted less its logarithm's integer part, plus one.
    shift: i32,
}

pub const LOW: Limits = Limits { log_scale: 18_432, shift: 9 };
pub const HIGH: Limits = Limits { log_scale: 22_528, shift: 11 };

/// One band of each call.
pub struct Band<V> {
    limits: Limits,
    predictor: Predictor<V>,
    log_scale: V,
    /// Its upper half is zero.
    scale: V,
}

impl<V: Vector> Band<V> {
    /// `state` finds a call's predictor, the logarithm of its scale factor, and the factor.
    #[inline(always)]
    pub fn gather<S: Simd<Vector = V>, F>(
        simd: S,
        limits: Limits,
        crew: &[Option<F>],
        state: impl Fn(&F) -> (&State, i32, i32) + Copy,
    ) -> Band<V> {
        Band {
            limits,
            predictor: Predictor::gather(simd, crew, move |frame| state(frame).0),
            log_scale: gather(simd, crew, |frame| state(frame).1),
            scale: gather(simd, crew, |frame| state(frame).2),
        }
    }

    #[inline(always)]
    pub fn scatter<F>(self, crew: &mut [Option<F>], state: impl Fn(&mut F) -> (&mut State, &mut i32, &mut i32) + Copy) {
        scatter(self.log_scale, crew, |frame, value| *state(frame).1 = value);
        scatter(self.scale, crew, |frame, value| *state(frame).2 = value);
        self.predictor.scatter(crew, move |frame| state(frame).0);
    }

    /// Ends a block: the next step is the first of the next.
    #[inline(always)]
    pub fn turn(&mut self, count: usize) {
        self.predictor.doubled.copy_within(count..count + 6, 0);
        self.predictor.signs.copy_within(count..count + 6, 0);
    }

    /// One value of the low band to six bits; the block's step `n`.
    #[inline(always)]
    pub fn encode_low<S: Simd<Vector = V>>(&mut self, simd: S, n: usize, value: V) -> V {
        let (sign, reach) = self.compare(simd, value);
        let passed = |decision: V| reach.greater(decision.pair_product(self.scale));
        // Four of the decision levels cut the others into five groups of five; of these one is looked into. What is
        // passed counts as minus one.
        let zero = simd.splat(0);
        let group = DECISION_PIVOTS.into_iter().fold(zero, |sum, level| sum - passed(simd.splat(level)));
        let within = DECISION_GROUPS.iter().fold(zero, |sum, levels| sum - passed(group.look_up_8(levels)));
        let level = group.shift_left::<2>() + group.shift_left::<1>() + within;

        let coarse = (level + simd.splat(2)).shift_right::<2>();
        let step = (coarse.look_up_8(&STEPS_BY_LEVEL) ^ sign) - sign;
        self.adapt(simd, n, step, coarse.look_up_8(&SCALE_STEPS_BY_LEVEL));

        // 61 and down for positive values; for negative ones 63, 62, and from 31 down.
        let is_small = simd.splat(2).greater(level) & sign;
        simd.splat(61) - level + (sign & simd.splat(33 - 61)) + (is_small & simd.splat(63 - 33))
    }

    /// One value of the high band to two bits.
    #[inline(always)]
    pub fn encode_high<S: Simd<Vector = V>>(&mut self, simd: S, n: usize, value: V) -> V {
        let (sign, reach) = self.compare(simd, value);
        let is_outer = reach.greater(self.scale.pair_product(simd.splat(HIGH_DECISION)));
        let step = simd.splat(1_616) + (is_outer & simd.splat(7_408 - 1_616));
        let scale_step = simd.splat(-214) + (is_outer & simd.splat(798 + 214));
        self.adapt(simd, n, (step ^ sign) - sign, scale_step);
        simd.splat(3) + is_outer + sign.shift_left::<1>()
    }

    /// The sign of the difference to what was expected, as a mask, and what a decision level times the scale factor must
    /// be less than for the difference to have passed it.
    #[inline(always)]
    fn compare<S: Simd<Vector = V>>(&self, simd: S, value: V) -> (V, V) {
        let difference = saturate(simd, value - self.predictor.estimate);
        let sign = difference.shift_right::<31>();
        (sign, ((difference ^ sign) + simd.splat(1)).shift_left::<12>())
    }

    /// One value of the low band, of what [`Codes`] has for the octet.
    #[inline(always)]
    pub fn decode_low<S: Simd<Vector = V>>(&mut self, simd: S, n: usize, steps: V, scale_step: V) -> V {
        let value = self.predictor.estimate + steps.pair_product(self.scale).shift_right::<15>();
        self.adapt(simd, n, steps.shift_right::<16>(), scale_step);
        value.clamp(simd.splat(-16_384), simd.splat(16_383))
    }

    /// One value of the high band.
    #[inline(always)]
    pub fn decode_high<S: Simd<Vector = V>>(&mut self, simd: S, n: usize, step: V, scale_step: V) -> V {
        let estimate = self.predictor.estimate;
        let difference = self.adapt(simd, n, step, scale_step);
        (estimate + difference).clamp(simd.splat(-16_384), simd.splat(16_383))
    }

    /// Scale and predictor follow the quantized step. Returns the quantized difference.
    #[inline(always)]
    fn adapt<S: Simd<Vector = V>>(&mut self, simd: S, n: usize, step: V, scale_step: V) -> V {
        let difference = self.scale.pair_product(step).shift_right::<15>();
        let log = self.log_scale.pair_product(simd.splat(127)).shift_right::<7>() + scale_step;
        let log = log.clamp(simd.splat(0), simd.splat(self.limits.log_scale));
        let fraction = (log.shift_right::<6>() & simd.splat(31)).look_up_32(&INVERSE_LOG_DOUBLED);
        let shift = simd.splat(self.limits.shift) - log.shift_right::<11>();
        self.log_scale = log;
        self.scale = fraction.shift_right_by(shift).shift_left::<2>();
        self.predictor.adapt(simd, n, difference);
        difference
    }
}

/// The predictor of each call. Factors whose other side may have any sign are kept with an upper half of zero.
struct Predictor<V> {
    estimate: V,
    zero_estimate: V,
    poles: [V; 2],
    zeros: [V; 6],
    /// Twice the differences of six steps before the block, oldest first, then those of the block; upper halves zero.
    doubled: [V; 6 + BLOCK],
    /// The same differences' signs as masks.
    signs: [V; 6 + BLOCK],
    reconstructed: V,
    /// Twice of it, saturated, its upper half zero.
    reconstructed_doubled: V,
    partial: [V; 2],
}

impl<V: Vector> Predictor<V> {
    #[inline(always)]
    fn gather<S: Simd<Vector = V>, F>(simd: S, crew: &[Option<F>], state: impl Fn(&F) -> &State) -> Predictor<V> {
        let take = |value: &dyn Fn(&State) -> i32| gather(simd, crew, |frame| value(state(frame)));
        let zero = simd.splat(0);
        let (mut doubled, mut signs) = ([zero; 6 + BLOCK], [zero; 6 + BLOCK]);
        for n in 0..6 {
            let difference = take(&|state| state.differences[5 - n]);
            doubled[n] = lower_half(simd, difference.shift_left::<1>());
            signs[n] = difference.shift_right::<31>();
        }
        let reconstructed = take(&|state| state.reconstructed);
        Predictor {
            estimate: take(&|state| state.estimate),
            zero_estimate: take(&|state| state.zero_estimate),
            poles: from_fn(|n| take(&|state| state.poles[n])),
            zeros: from_fn(|n| take(&|state| state.zeros[n])),
            doubled,
            signs,
            reconstructed,
            reconstructed_doubled: doubled_of(simd, reconstructed),
            partial: from_fn(|n| take(&|state| state.partial[n])),
        }
    }

    #[inline(always)]
    fn scatter<F>(self, crew: &mut [Option<F>], state: impl Fn(&mut F) -> &mut State) {
        let mut put = |vector: V, place: &dyn Fn(&mut State) -> &mut i32| {
            scatter(vector, crew, |frame, value| *place(state(frame)) = value);
        };
        put(self.estimate, &|state| &mut state.estimate);
        put(self.zero_estimate, &|state| &mut state.zero_estimate);
        put(self.reconstructed, &|state| &mut state.reconstructed);
        for n in 0..2 {
            put(self.poles[n], &|state| &mut state.poles[n]);
            put(self.partial[n], &|state| &mut state.partial[n]);
        }
        for n in 0..6 {
            put(self.zeros[n], &|state| &mut state.zeros[n]);
            let difference = self.doubled[5 - n].shift_left::<16>().shift_right::<17>();
            put(difference, &|state| &mut state.differences[n]);
        }
    }

    #[inline(always)]
    fn adapt<S: Simd<Vector = V>>(&mut self, simd: S, n: usize, difference: V) {
        let reconstructed = saturate(simd, self.estimate + difference);
        let partial = saturate(simd, self.zero_estimate + difference);
        self.adapt_poles(simd, partial);

        let sign = difference.shift_right::<31>();
        let doubled = lower_half(simd, difference.shift_left::<1>());
        let zero_sum = self.adapt_zeros(simd, n, difference, sign, doubled);
        self.doubled[6 + n] = doubled;
        self.signs[6 + n] = sign;

        let before = self.reconstructed_doubled;
        self.partial = [partial, self.partial[0]];
        self.reconstructed = reconstructed;
        self.reconstructed_doubled = doubled_of(simd, reconstructed);

        // FILTEP and FILTEZ.
        let poles = self.poles[0].pair_product(self.reconstructed_doubled).shift_right::<15>()
            + self.poles[1].pair_product(before).shift_right::<15>();
        self.zero_estimate = saturate(simd, zero_sum);
        self.estimate = saturate(simd, saturate(simd, poles) + self.zero_estimate);
    }

    /// UPPOL2 and UPPOL1.
    #[inline(always)]
    fn adapt_poles<S: Simd<Vector = V>>(&mut self, simd: S, partial: V) {
        let [first, second] = self.poles;
        let differs = self.partial.map(|earlier| (partial ^ earlier).shift_right::<31>());

        let pull = saturate(simd, first.shift_left::<2>());
        let opposite = (simd.splat(0) - pull).min(simd.splat(0x7FFF));
        let pull = opposite ^ ((opposite ^ pull) & differs[0]);
        let push = (simd.splat(128) ^ differs[1]) - differs[1];
        let second = pull.shift_right::<7>() + push + second.pair_product(simd.splat(32_512)).shift_right::<15>();
        let second = second.clamp(simd.splat(-12_288), simd.splat(12_288));

        let push = (simd.splat(192) ^ differs[0]) - differs[0];
        let limit = simd.splat(15_360) - second;
        let first = push + first.pair_product(simd.splat(32_640)).shift_right::<15>();
        self.poles = [first.clamp(simd.splat(0) - limit, limit), second];
    }

    /// UPZERO, and the sum of FILTEZ, for which the newest difference takes the place of the oldest.
    #[inline(always)]
    fn adapt_zeros<S: Simd<Vector = V>>(&mut self, simd: S, n: usize, difference: V, sign: V, doubled: V) -> V {
        let is_positive = difference.greater(simd.splat(0));
        let push = (is_positive & simd.splat(128)) | (sign & simd.splat(-128));
        let (earlier, signs) = (&self.doubled[n..n + 6], &self.signs[n..n + 6]);
        let mut sum = simd.splat(0);
        for (k, zero) in self.zeros.iter_mut().enumerate() {
            let kept = zero.pair_product(simd.splat(32_640)).shift_right::<15>();
            *zero = kept + ((push ^ signs[5 - k]) - signs[5 - k]);
            let newer = if k == 0 { doubled } else { earlier[6 - k] };
            sum = sum + zero.pair_product(newer).shift_right::<15>();
        }
        sum
    }
}

#[inline(always)]
fn saturate<S: Simd>(simd: S, value: S::Vector) -> S::Vector {
    value.clamp(simd.splat(i32::from(i16::MIN)), simd.splat(i32::from(i16::MAX)))
}

#[inline(always)]
fn lower_half<S: Simd>(simd: S, value: S::Vector) -> S::Vector {
    value & simd.splat(0xFFFF)
}

#[inline(always)]
fn doubled_of<S: Simd>(simd: S, value: S::Vector) -> S::Vector {
    lower_half(simd, saturate(simd, value.shift_left::<1>()))
}

/// What the decoders want of an octet.
#[derive(Clone, Copy)]
pub struct Codes {
    /// In the lower half what the low band's difference is made of, in the upper what its predictor learns from.
    pub low_steps: i32,
    /// In the lower half the high band's step; above it a bit for a small one, then the low band's scale step.
    pub rest: i32,
}

impl Codes {
    pub fn table(mode: Mode) -> &'static [Codes; 256] {
        static TABLES: [[Codes; 256]; 3] = [codes(Mode::One), codes(Mode::Two), codes(Mode::Three)];
        &TABLES[mode as usize]
    }
}

/// The scale steps of both bands, and the high band's step in the lower half, as the vectors of [`Codes::rest`] have them.
#[inline(always)]
pub fn scale_steps<S: Simd>(simd: S, rest: S::Vector) -> (S::Vector, S::Vector) {
    let is_inner = rest.shift_left::<15>().shift_right::<31>();
    (rest.shift_right::<17>(), simd.splat(798) + (is_inner & simd.splat(-214 - 798)))
}

const fn codes(mode: Mode) -> [Codes; 256] {
    let mut codes = [Codes { low_steps: 0, rest: 0 }; 256];
    let mut octet = 0;
    while octet < 256 {
        let (low, high) = (octet & 0x3F, octet >> 6);
        let fine = match mode {
            Mode::One => LOW_STEPS_6[low],
            Mode::Two => LOW_STEPS_5[low >> 1],
            Mode::Three => LOW_STEPS_4[low >> 2],
        };
        let is_inner = (high & 1) as i32;
        codes[octet] = Codes {
            low_steps: fine & 0xFFFF | LOW_STEPS_4[low >> 2] << 16,
            rest: HIGH_STEPS[high] & 0xFFFF | is_inner << 16 | LOW_SCALE_STEPS[low >> 2] << 17,
        };
        octet += 1;
    }
    codes
}

/// The decision levels of which each is above five others that are below the next.
const DECISION_PIVOTS: [i32; 4] = [LOW_DECISIONS[5], LOW_DECISIONS[11], LOW_DECISIONS[17], LOW_DECISIONS[23]];

/// The first of each group of five, the second of each, and so on.
static DECISION_GROUPS: [Table<8>; 5] =
    [decision_group(0), decision_group(1), decision_group(2), decision_group(3), decision_group(4)];

const fn decision_group(place: usize) -> Table<8> {
    let mut table = [0; 8];
    let mut group = 0;
    while group < 5 {
        table[group] = LOW_DECISIONS[group * 6 + place];
        group += 1;
    }
    Table(table)
}

/// The magnitudes of [`LOW_STEPS_4`], smallest first.
static STEPS_BY_LEVEL: Table<8> = Table(by_level(&LOW_STEPS_4));

/// [`LOW_SCALE_STEPS`] by the same magnitudes.
static SCALE_STEPS_BY_LEVEL: Table<8> = Table(by_level(&LOW_SCALE_STEPS));

/// The positive codes begin with the greatest level.
const fn by_level(codes: &[i32; 16]) -> [i32; 8] {
    let mut levels = [0; 8];
    let mut level = 0;
    while level < 8 {
        levels[level] = codes[15 - level];
        level += 1;
    }
    levels
}

/// Doubled, since a shift to the right by up to one less than nothing is one to the right by up to nothing then.
static INVERSE_LOG_DOUBLED: Table<32> = {
    let mut table = [0; 32];
    let mut n = 0;
    while n < 32 {
        table[n] = INVERSE_LOG[n] * 2;
        n += 1;
    }
    Table(table)
};
