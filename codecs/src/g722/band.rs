//! The ADPCM coders of the two bands, and the predictor that both have (G.722 §3.2 to §3.6).

use super::Mode;

/// The low band, 0 to 4 kHz.
#[derive(Clone, Debug)]
pub(super) struct LowBand {
    pub(super) predictor: Predictor,
    /// The logarithmic scale factor NABLAL.
    pub(super) log_scale: i32,
    /// The quantizer's scale factor DETL.
    pub(super) scale: i32,
}

impl Default for LowBand {
    fn default() -> LowBand {
        LowBand { predictor: Predictor::default(), log_scale: 0, scale: 32 }
    }
}

impl LowBand {
    /// One value to six bits.
    pub(super) fn encode(&mut self, value: i32) -> u8 {
        // QUANTL counts the decision levels that the difference has reached.
        let difference = saturate(value - self.predictor.estimate);
        let magnitude = if difference < 0 { !difference } else { difference };
        let level = LOW_DECISIONS.partition_point(|&decision| (decision * self.scale) >> 12 <= magnitude) as u8;
        let code = match (difference < 0, level) {
            (false, level) => 61 - level,
            (true, 0) => 63,
            (true, 1) => 62,
            (true, level) => 33 - level,
        };
        self.adapt(code >> 2);
        code
    }

    /// Six bits to one value, of which `mode` says how many are audio.
    pub(super) fn decode(&mut self, code: u8, mode: Mode) -> i32 {
        let code = usize::from(code & 0x3F);
        let step = match mode {
            Mode::One => LOW_STEPS_6[code],
            Mode::Two => LOW_STEPS_5[code >> 1],
            Mode::Three => LOW_STEPS_4[code >> 2],
        };
        let value = self.predictor.estimate + ((self.scale * step) >> 15);
        self.adapt(code as u8 >> 2);
        value.clamp(-16_384, 16_383)
    }

    /// Scale and predictor follow the four bits that every mode has (INVQAL, LOGSCL, SCALEL).
    fn adapt(&mut self, code: u8) {
        let code = usize::from(code);
        let difference = (self.scale * LOW_STEPS_4[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + LOW_SCALE_STEPS[code]).clamp(0, 18_432);
        self.scale = linear_scale(self.log_scale, 8);
        self.predictor.adapt(difference);
    }
}

/// The high band, 4 to 8 kHz.
#[derive(Clone, Debug)]
pub(super) struct HighBand {
    pub(super) predictor: Predictor,
    /// The logarithmic scale factor NABLAH.
    pub(super) log_scale: i32,
    /// The quantizer's scale factor DETH.
    pub(super) scale: i32,
}

impl Default for HighBand {
    fn default() -> HighBand {
        HighBand { predictor: Predictor::default(), log_scale: 0, scale: 8 }
    }
}

impl HighBand {
    /// One value to two bits.
    pub(super) fn encode(&mut self, value: i32) -> u8 {
        let difference = saturate(value - self.predictor.estimate);
        let magnitude = if difference < 0 { !difference } else { difference };
        let is_outer = magnitude >= (HIGH_DECISION * self.scale) >> 12;
        let code = match (difference < 0, is_outer) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        self.adapt(code);
        code
    }

    /// Two bits to one value.
    pub(super) fn decode(&mut self, code: u8) -> i32 {
        let estimate = self.predictor.estimate;
        let difference = self.adapt(code & 3);
        (estimate + difference).clamp(-16_384, 16_383)
    }

    /// Returns the quantized difference (INVQAH, LOGSCH, SCALEH).
    fn adapt(&mut self, code: u8) -> i32 {
        let code = usize::from(code);
        let difference = (self.scale * HIGH_STEPS[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + HIGH_SCALE_STEPS[code]).clamp(0, 22_528);
        self.scale = linear_scale(self.log_scale, 10);
        self.predictor.adapt(difference);
        difference
    }
}

/// Two poles and six zeros, adapted by the signs of what came before (block 4).
#[derive(Clone, Debug, Default)]
pub(super) struct Predictor {
    /// What the next value is expected to be (SL, SH).
    pub(super) estimate: i32,
    /// The zeros' part of it (SZL, SZH).
    pub(super) zero_estimate: i32,
    pub(super) poles: [i32; 2],
    pub(super) zeros: [i32; 6],
    /// The differences of the last six steps, newest first.
    pub(super) differences: [i32; 6],
    /// The value that was reconstructed last (RLT1).
    pub(super) reconstructed: i32,
    /// The partial reconstructions of the last two steps, newest first (PLT1, PLT2).
    pub(super) partial: [i32; 2],
}

impl Predictor {
    fn adapt(&mut self, difference: i32) {
        let reconstructed = saturate(self.estimate + difference);
        let partial = saturate(self.zero_estimate + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);

        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.partial = [partial, self.partial[0]];
        let before = std::mem::replace(&mut self.reconstructed, reconstructed);

        // FILTEP and FILTEZ.
        let pole_estimate = saturate(product(self.poles[0], reconstructed) + product(self.poles[1], before));
        let mut zero_estimate = 0;
        for (&zero, &difference) in self.zeros.iter().zip(&self.differences) {
            zero_estimate += product(zero, difference);
        }
        self.zero_estimate = saturate(zero_estimate);
        self.estimate = saturate(pole_estimate + self.zero_estimate);
    }

    /// UPPOL2, then UPPOL1, which keeps the filter stable by what UPPOL2 found.
    fn adapt_poles(&mut self, partial: i32) {
        let same = |earlier: i32| (partial < 0) == (earlier < 0);
        let [first, second] = self.poles;

        let pull = saturate(first * 4);
        let pull = if same(self.partial[0]) { saturate(-pull) } else { pull };
        let push = if same(self.partial[1]) { 128 } else { -128 };
        let second = ((pull >> 7) + push + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);

        let push = if same(self.partial[0]) { 192 } else { -192 };
        let limit = 15_360 - second;
        let first = (push + ((first * 32_640) >> 15)).clamp(-limit, limit);
        self.poles = [first, second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, &earlier) in self.zeros.iter_mut().zip(&self.differences) {
            let push = if (difference < 0) == (earlier < 0) { push } else { -push };
            *zero = saturate(push + ((*zero * 32_640) >> 15));
        }
    }
}

/// A coefficient times twice a value, in the fixed point of FILTEP and FILTEZ.
fn product(coefficient: i32, value: i32) -> i32 {
    (coefficient * saturate(value * 2)) >> 15
}

/// SCALEL and SCALEH: the scale factor from its logarithm, whose lower bits look up and upper bits shift.
fn linear_scale(log_scale: i32, offset: i32) -> i32 {
    let fraction = INVERSE_LOG[((log_scale >> 6) & 31) as usize];
    let shift = offset - (log_scale >> 11);
    let scale = if shift < 0 { fraction << -shift } else { fraction >> shift };
    scale << 2
}

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// Q6 (G.722 table 14), without its zero.
pub(super) const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// The high band's only decision level, Q2.
pub(super) const HIGH_DECISION: i32 = 564;

/// QQ6 by code. The four codes that no encoder sends stand for the smallest negative step.
pub(super) const LOW_STEPS_6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];

/// QQ5 by code.
pub(super) const LOW_STEPS_5: [i32; 32] = [
    -280, -280, -23352, -17560, -14120, -11664, -9752, -8184, -6864, -5712, -4696, -3784, -2960, -2208, -1520, -880,
    23352, 17560, 14120, 11664, 9752, 8184, 6864, 5712, 4696, 3784, 2960, 2208, 1520, 880, 280, -280,
];

/// QQ4 by code.
pub(super) const LOW_STEPS_4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];

/// QQ2 by code.
pub(super) const HIGH_STEPS: [i32; 4] = [-7408, -1616, 7408, 1616];

/// WL by code.
pub(super) const LOW_SCALE_STEPS: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];

/// WH by code.
pub(super) const HIGH_SCALE_STEPS: [i32; 4] = [798, -214, 798, -214];

/// ILB: 2048 times two to the power of n/32.
pub(super) const INVERSE_LOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
