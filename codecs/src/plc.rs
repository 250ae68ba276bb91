//! Concealment of lost frames in PCM, in the manner of G.711 Appendix I: the last pitch period is repeated, then the last
//! two and three so that no buzz is heard, ever softer, until 60 ms of loss end in silence. The first frame after a loss
//! grows out of what was made up.
//!
//! The Appendix delays all speech by a quarter of the longest pitch period, to blend the seam before a loss. Here nothing
//! is delayed: what was made up begins at the level where the sound broke off, and moves to its own within that time.

/// What a stream has heard last, and what is being made of it. Nothing is allocated after [`Plc::new`].
#[derive(Clone, Debug)]
pub struct Plc {
    /// Samples in a millisecond.
    per_ms: usize,
    /// The last samples of the output, oldest first.
    history: Box<[i16]>,
    /// `history` as it was when the loss began.
    source: Box<[i16]>,
    /// `source` at a lower rate, where the pitch is sought first.
    coarse: Box<[i16]>,
    /// Samples made up since the last good frame.
    lost: usize,
    /// The pitch period in samples.
    pitch: usize,
    cycle: Cycle,
    /// What is being faded out since `cycle` has more periods, and for how many samples it has been.
    fading: Cycle,
    faded: usize,
    /// The step at the seam, which is spread over the first samples.
    step: f32,
}

/// A place in the repetition of the last few pitch periods.
#[derive(Clone, Copy, Debug, Default)]
struct Cycle {
    periods: usize,
    at: usize,
}

const MIN_PITCH_MS: usize = 5;
const MAX_PITCH_MS: usize = 15;
/// How much speech is compared with what came one period before.
const COMPARED_MS: usize = 20;
/// A loss is treated in steps of this length, the Appendix's frame.
const STEP_MS: usize = 10;
const MAX_PERIODS: usize = 3;
/// What a step takes off the gain, from the second on.
const ATTENUATION: f32 = 0.2;
const SILENT_AFTER_MS: usize = 60;
/// By how much the blend into good speech is longer for each further step of loss.
const LONGER_BLEND_MS: usize = 4;
const MAX_BLEND_MS: usize = 10;
/// The rate at which the pitch is sought first, in samples a millisecond.
const COARSE_PER_MS: usize = 4;
/// Keeps near silence from looking periodic: the least power that a correlation is divided by, a sample.
const MIN_POWER: f32 = 3.0;

impl Plc {
    /// For mono PCM at `rate` Hz, at least 8,000.
    pub fn new(rate: u32) -> Plc {
        let per_ms = (rate as usize / 1_000).max(COARSE_PER_MS * 2);
        // Three of the longest periods, and a quarter before them for the blend; it is more than the comparison needs.
        let length = per_ms * MAX_PITCH_MS * (MAX_PERIODS * 4 + 1) / 4;
        let coarse = length / (per_ms / COARSE_PER_MS);
        Plc {
            per_ms,
            history: vec![0; length].into_boxed_slice(),
            source: vec![0; length].into_boxed_slice(),
            coarse: vec![0; coarse].into_boxed_slice(),
            lost: 0,
            pitch: per_ms * MIN_PITCH_MS,
            cycle: Cycle::default(),
            fading: Cycle::default(),
            faded: 0,
            step: 0.0,
        }
    }

    /// Takes note of a good frame, and after a loss blends its beginning with what was made up.
    pub fn hear(&mut self, pcm: &mut [i16]) {
        if self.lost > 0 && !pcm.is_empty() {
            self.rejoin(pcm);
        }
        self.remember(pcm);
    }

    /// Fills a lost frame, of any length.
    pub fn conceal(&mut self, pcm: &mut [i16]) {
        for sample in pcm.iter_mut() {
            *sample = self.next_lost();
        }
        self.remember(pcm);
    }

    fn next_lost(&mut self) -> i16 {
        if self.lost >= SILENT_AFTER_MS * self.per_ms {
            return 0;
        }
        if self.lost == 0 {
            self.begin();
        } else if self.lost == STEP_MS * self.per_ms * self.cycle.periods && self.cycle.periods < MAX_PERIODS {
            self.lengthen();
        }
        let gain = self.gain();
        let seam = 1.0 - (self.lost + 1) as f32 / (self.blend_length() + 1) as f32;
        let value = self.next_periodic() + self.step * seam.max(0.0);
        self.lost += 1;
        to_sample(value * gain)
    }

    fn begin(&mut self) {
        self.source.copy_from_slice(&self.history);
        self.pitch = self.find_pitch();
        self.cycle = Cycle { periods: 1, at: 0 };
        self.faded = self.blend_length();
        let last = self.source.len() - 1;
        self.step = f32::from(self.source[last]) - f32::from(self.source[last - self.pitch]);
    }

    /// Repeats one period more from now on, in phase with before.
    fn lengthen(&mut self) {
        self.fading = self.cycle;
        self.faded = 0;
        self.cycle = Cycle { periods: self.cycle.periods + 1, at: self.cycle.at % self.pitch };
    }

    fn next_periodic(&mut self) -> f32 {
        let value = self.cycle.next(&self.source, self.pitch);
        if self.faded >= self.blend_length() {
            return value;
        }
        let fading = self.fading.next(&self.source, self.pitch);
        self.faded += 1;
        let weight = self.faded as f32 / self.blend_length() as f32;
        fading + weight * (value - fading)
    }

    fn rejoin(&mut self, pcm: &mut [i16]) {
        let gain = self.gain();
        let steps = self.lost.div_ceil(STEP_MS * self.per_ms).min(SILENT_AFTER_MS / STEP_MS);
        let length = self.blend_length() + (steps - 1) * LONGER_BLEND_MS * self.per_ms;
        let length = length.min(MAX_BLEND_MS * self.per_ms).min(pcm.len());
        for (n, sample) in pcm[..length].iter_mut().enumerate() {
            let made_up = if gain > 0.0 { self.next_periodic() * gain } else { 0.0 };
            let weight = (n + 1) as f32 / length as f32;
            *sample = to_sample(made_up + weight * (f32::from(*sample) - made_up));
        }
        self.lost = 0;
    }

    /// A quarter of the pitch period, in samples.
    fn blend_length(&self) -> usize {
        self.pitch / 4
    }

    fn gain(&self) -> f32 {
        let steps = self.lost as f32 / (STEP_MS * self.per_ms) as f32;
        (1.0 - (steps - 1.0).max(0.0) * ATTENUATION).max(0.0)
    }

    fn remember(&mut self, pcm: &[i16]) {
        let length = self.history.len();
        let new = &pcm[pcm.len().saturating_sub(length)..];
        self.history.copy_within(new.len().., 0);
        self.history[length - new.len()..].copy_from_slice(new);
    }

    /// The period at which the end of `source` is most like what came before, sought at a lower rate first.
    fn find_pitch(&mut self) -> usize {
        let factor = self.per_ms / COARSE_PER_MS;
        // The lower rate ends where the source does.
        let unused = self.source.len() - self.coarse.len() * factor;
        for (coarse, group) in self.coarse.iter_mut().zip(self.source[unused..].chunks_exact(factor)) {
            *coarse = (group.iter().map(|&sample| i32::from(sample)).sum::<i32>() / factor as i32) as i16;
        }
        let coarse_lags = MIN_PITCH_MS * COARSE_PER_MS..=MAX_PITCH_MS * COARSE_PER_MS;
        let coarse = best_lag(&self.coarse, COMPARED_MS * COARSE_PER_MS, coarse_lags) * factor;

        let shortest = (coarse + 1).saturating_sub(factor).max(MIN_PITCH_MS * self.per_ms);
        let longest = (coarse + factor - 1).min(MAX_PITCH_MS * self.per_ms);
        best_lag(&self.source, COMPARED_MS * self.per_ms, shortest..=longest)
    }
}

impl Cycle {
    /// The next sample of the last `periods` periods of `source`, repeated. Their last quarter period fades into what
    /// came before their beginning, so that the repetition has no seam.
    fn next(&mut self, source: &[i16], pitch: usize) -> f32 {
        let length = self.periods * pitch;
        let quarter = pitch / 4;
        let start = source.len() - length;
        let value = f32::from(source[start + self.at]);
        let left = length - self.at;
        self.at = (self.at + 1) % length;
        if left > quarter {
            return value;
        }
        let weight = (quarter - left + 1) as f32 / quarter as f32;
        value + weight * (f32::from(source[start - left]) - value)
    }
}

/// The lag with the greatest normalised correlation between the last `compared` samples and those `lag` before.
fn best_lag(signal: &[i16], compared: usize, lags: std::ops::RangeInclusive<usize>) -> usize {
    let start = signal.len() - compared;
    let recent = &signal[start..];
    let mut best = (f32::NEG_INFINITY, *lags.start());
    for lag in lags {
        let earlier = &signal[start - lag..][..compared];
        let power = dot_product(earlier, earlier).max(MIN_POWER * compared as f32);
        let likeness = dot_product(recent, earlier) / power.sqrt();
        if likeness > best.0 {
            best = (likeness, lag);
        }
    }
    best.1
}

/// Sums in lanes, which the compiler keeps in one register; a rest of fewer samples than lanes is left out.
fn dot_product(a: &[i16], b: &[i16]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f32::from(a) * f32::from(b);
        }
    }
    sums.iter().sum()
}

fn to_sample(value: f32) -> i16 {
    // The cast saturates.
    value.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, frequency: f64, count: usize) -> Vec<i16> {
        let angle = std::f64::consts::TAU * frequency / f64::from(rate);
        (0..count).map(|n| ((n as f64 * angle).sin() * 10_000.0).round() as i16).collect()
    }

    /// The stream with some frames lost and concealed.
    fn lose(rate: u32, frame: usize, stream: &[i16], is_lost: impl Fn(usize) -> bool) -> Vec<i16> {
        let mut plc = Plc::new(rate);
        let mut output = stream.to_vec();
        for (n, frame) in output.chunks_mut(frame).enumerate() {
            if is_lost(n) {
                frame.fill(i16::MIN);
                plc.conceal(frame);
            } else {
                plc.hear(frame);
            }
        }
        output
    }

    fn largest_step(pcm: &[i16]) -> i32 {
        pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_lost_tone_goes_on_without_a_click() {
        for rate in [8_000, 16_000, 48_000] {
            for frequency in [75.0, 100.0, 133.0, 200.0, 310.0, 440.0] {
                let stream = tone(rate, frequency, rate as usize);
                for frame_ms in [10, 20, 30] {
                    let output = lose(rate, rate as usize / 1_000 * frame_ms, &stream, |n| n % 10 == 7);
                    let (ours, original) = (largest_step(&output), largest_step(&stream));
                    assert!(
                        ours <= original * 3 / 2 + 20,
                        "{rate} Hz, {frequency} Hz, {frame_ms} ms: {ours}, {original}"
                    );
                }
            }
        }
    }

    #[test]
    fn one_lost_frame_of_a_periodic_sound_is_hardly_noticed() {
        let stream = tone(8_000, 200.0, 8_000);
        let output = lose(8_000, 80, &stream, |n| n % 10 == 7);
        let (mut signal, mut noise) = (0.0, 0.0);
        for (&original, &ours) in stream.iter().zip(&output) {
            signal += f64::from(original).powi(2);
            noise += (f64::from(original) - f64::from(ours)).powi(2);
        }
        let ratio = 10.0 * (signal / noise.max(1.0)).log10();
        assert!(ratio > 40.0, "{ratio} dB");
    }

    #[test]
    fn a_long_loss_fades_to_silence_and_sound_comes_back_softly() {
        let stream = tone(8_000, 250.0, 8_000);
        let output = lose(8_000, 160, &stream, |n| (10..20).contains(&n));
        let peak = |range: std::ops::Range<usize>| output[range].iter().map(|sample| sample.unsigned_abs()).max();
        assert!(peak(1_600..1_680) > Some(9_500));
        assert!(peak(1_760..1_840) < Some(9_000));
        assert!(peak(2_000..2_080) < Some(3_000));
        assert_eq!(peak(2_080..3_200), Some(0));
        assert!(peak(3_200..3_240) < Some(6_000));
        assert_eq!(output[3_280..], stream[3_280..]);
        assert!(largest_step(&output) <= largest_step(&stream) * 3 / 2);
    }

    #[test]
    fn frames_of_any_length_conceal_alike() {
        let stream = tone(16_000, 180.0, 16_000);
        let whole = lose(16_000, 960, &stream, |n| n == 5);
        let mut plc = Plc::new(16_000);
        let mut pieces = stream.clone();
        plc.hear(&mut pieces[..4_800]);
        for piece in pieces[4_800..5_760].chunks_mut(37) {
            plc.conceal(piece);
        }
        plc.hear(&mut pieces[5_760..]);
        assert_eq!(pieces[..], whole[..]);
    }

    #[test]
    fn a_stream_that_begins_with_a_loss_is_silent() {
        let mut plc = Plc::new(8_000);
        let mut pcm = [99; 160];
        plc.conceal(&mut pcm);
        assert_eq!(pcm, [0; 160]);
        plc.conceal(&mut []);
        plc.hear(&mut []);
        let mut loud = [i16::MIN; 2_000];
        plc.hear(&mut loud);
        plc.conceal(&mut pcm);
        assert!(pcm[0] < -30_000);
    }
}
