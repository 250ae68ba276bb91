//! G.722 for many calls at once: each lane of a vector holds one. What a call hears and keeps is, to the bit, what
//! [`Encoder::encode`] and [`Decoder::decode`] give.
//!
//! A call's state stays where it is. It is gathered into the lanes for a frame and put back after it, which costs a small
//! part of what the frame does; so any calls may be together, in any order, and come and go.

mod band;
mod qmf;
mod rows;

use super::qmf::HISTORY;
use super::{Decoder, Encoder};
use crate::simd::kernels;
use crate::simd::vector::{MAX_LANES, Simd, Vector};
use band::{Band, Codes, HIGH, LOW, scale_steps};
use qmf::{PAIRS, Pairs};
use rows::{Row, pair, unpair};

/// One call's frame on its way out.
pub struct Encoding<'a> {
    pub encoder: &'a mut Encoder,
    /// 16 kHz; an odd last sample is left out.
    pub pcm: &'a [i16],
    /// An octet for each pair of samples: as many are encoded as both hold.
    pub out: &'a mut [u8],
}

/// One call's frame on its way in.
pub struct Decoding<'a> {
    pub decoder: &'a mut Decoder,
    pub octets: &'a [u8],
    /// Two samples for each octet: as many are decoded as both hold.
    pub pcm: &'a mut [i16],
}

/// Encodes a frame of each call. Frames may be of any length; those of one length cost least. Nothing is allocated.
pub fn encode_all<'a>(frames: impl IntoIterator<Item = Encoding<'a>>) {
    let kernels = kernels();
    in_crews(frames, kernels.g722_lanes, kernels.encode_g722);
}

/// Decodes a frame of each call. Frames may be of any length; those of one length cost least. Nothing is allocated.
pub fn decode_all<'a>(frames: impl IntoIterator<Item = Decoding<'a>>) {
    let kernels = kernels();
    in_crews(frames, kernels.g722_lanes, kernels.decode_g722);
}

/// Where less than this part of the lanes is filled, one call after the other is quicker.
const LEAST_PART: usize = 4;

/// A call's frame, of which the front is done first.
pub(crate) trait Frame {
    /// Octets to go.
    fn steps(&self) -> usize;

    /// Leaves out what was done.
    fn advance(&mut self, steps: usize);

    /// Does the rest of it alone.
    fn finish(&mut self);
}

/// Fills the lanes with frames and runs them until the shortest ends, whose lane the next frame takes. `run` does so many
/// steps of all that it is given, which have as many at least.
pub(crate) fn in_crews<F: Frame>(
    frames: impl IntoIterator<Item = F>,
    lanes: usize,
    run: impl Fn(&mut [Option<F>], usize),
) {
    let mut frames = frames.into_iter().filter(|frame| frame.steps() > 0);
    let mut crew = [const { None }; MAX_LANES];
    let mut count = 0;
    loop {
        while count < lanes
            && let Some(frame) = frames.next()
        {
            crew[count] = Some(frame);
            count += 1;
        }
        let Some(steps) = crew[..count].iter().flatten().map(Frame::steps).min() else { return };
        if count * LEAST_PART < lanes {
            break;
        }
        run(&mut crew[..count], steps);
        let mut at = 0;
        while at < count {
            match &mut crew[at] {
                Some(frame) if frame.steps() > steps => {
                    frame.advance(steps);
                    at += 1;
                }
                done => {
                    *done = None;
                    count -= 1;
                    crew.swap(at, count);
                }
            }
        }
    }
    crew.iter_mut().flatten().for_each(Frame::finish);
}

impl Frame for Encoding<'_> {
    fn steps(&self) -> usize {
        (self.pcm.len() / 2).min(self.out.len())
    }

    fn advance(&mut self, steps: usize) {
        self.pcm = &self.pcm[steps * 2..];
        self.out = &mut std::mem::take(&mut self.out)[steps..];
    }

    fn finish(&mut self) {
        self.encoder.encode(self.pcm, self.out);
    }
}

impl Frame for Decoding<'_> {
    fn steps(&self) -> usize {
        self.octets.len().min(self.pcm.len() / 2)
    }

    fn advance(&mut self, steps: usize) {
        self.octets = &self.octets[steps..];
        self.pcm = &mut std::mem::take(&mut self.pcm)[steps * 2..];
    }

    fn finish(&mut self) {
        self.decoder.decode(self.octets, self.pcm);
    }
}

/// What the kernels of all levels do.
pub(crate) mod definition {
    use super::{Decoding, Encoding};

    pub fn encode(crew: &mut [Option<Encoding<'_>>], steps: usize) {
        for frame in crew.iter_mut().flatten() {
            frame.encoder.encode(&frame.pcm[..steps * 2], &mut frame.out[..steps]);
        }
    }

    pub fn decode(crew: &mut [Option<Decoding<'_>>], steps: usize) {
        for frame in crew.iter_mut().flatten() {
            frame.decoder.decode(&frame.octets[..steps], &mut frame.pcm[..steps * 2]);
        }
    }
}

/// Steps done at a time, so that what is between the stages stays in the nearest cache.
const BLOCK: usize = 40;

#[inline(always)]
pub(crate) fn encode_in_lanes<S: Simd>(simd: S, crew: &mut [Option<Encoding<'_>>], steps: usize) {
    let mut low = Band::gather(simd, LOW, crew, |frame| {
        let low = &frame.encoder.low;
        (&low.predictor, low.log_scale, low.scale)
    });
    let mut high = Band::gather(simd, HIGH, crew, |frame| {
        let high = &frame.encoder.high;
        (&high.predictor, high.log_scale, high.scale)
    });
    let mut pairs = gather_pairs(crew, |frame| &frame.encoder.qmf.history);
    let mut octets = [Row::ZERO; BLOCK];

    for start in (0..steps).step_by(BLOCK) {
        let count = BLOCK.min(steps - start);
        for (lane, frame) in crew.iter().flatten().enumerate() {
            let samples = frame.pcm[start * 2..][..count * 2].chunks_exact(2);
            for (row, samples) in pairs[PAIRS..].iter_mut().zip(samples) {
                row.0[lane] = pair(i32::from(samples[0]), i32::from(samples[1]));
            }
        }
        let [lows, highs] = qmf::split(simd, &pairs, count);
        for (n, row) in octets[..count].iter_mut().enumerate() {
            let upper = high.encode_high(simd, n, highs[n]).shift_left::<6>();
            (low.encode_low(simd, n, lows[n]) | upper).store(&mut row.0);
        }
        for (lane, frame) in crew.iter_mut().flatten().enumerate() {
            for (octet, row) in frame.out[start..][..count].iter_mut().zip(&octets) {
                *octet = row.0[lane] as u8;
            }
        }
        low.turn(count);
        high.turn(count);
        pairs.copy_within(count..count + PAIRS, 0);
    }

    low.scatter(crew, |frame| {
        let low = &mut frame.encoder.low;
        (&mut low.predictor, &mut low.log_scale, &mut low.scale)
    });
    high.scatter(crew, |frame| {
        let high = &mut frame.encoder.high;
        (&mut high.predictor, &mut high.log_scale, &mut high.scale)
    });
    scatter_pairs(&pairs, crew, |frame| &mut frame.encoder.qmf.history);
}

#[inline(always)]
pub(crate) fn decode_in_lanes<S: Simd>(simd: S, crew: &mut [Option<Decoding<'_>>], steps: usize) {
    let mut low = Band::gather(simd, LOW, crew, |frame| {
        let low = &frame.decoder.low;
        (&low.predictor, low.log_scale, low.scale)
    });
    let mut high = Band::gather(simd, HIGH, crew, |frame| {
        let high = &frame.decoder.high;
        (&high.predictor, high.log_scale, high.scale)
    });
    let mut pairs = gather_pairs(crew, |frame| &frame.decoder.qmf.history);
    let mut codes = [[Row::ZERO; BLOCK]; 2];
    let mut samples = [Row::ZERO; BLOCK];

    for start in (0..steps).step_by(BLOCK) {
        let count = BLOCK.min(steps - start);
        for (lane, frame) in crew.iter().flatten().enumerate() {
            let table = Codes::table(frame.decoder.mode);
            for (n, &octet) in frame.octets[start..][..count].iter().enumerate() {
                let known = table[usize::from(octet)];
                codes[0][n].0[lane] = known.low_steps;
                codes[1][n].0[lane] = known.rest;
            }
        }
        for n in 0..count {
            let (steps, rest) = (simd.load(&codes[0][n].0), simd.load(&codes[1][n].0));
            let (low_scale, high_scale) = scale_steps(simd, rest);
            let low = low.decode_low(simd, n, steps, low_scale);
            let high = high.decode_high(simd, n, rest, high_scale);
            let sum = (low + high) & simd.splat(0xFFFF);
            (sum | (low - high).shift_left::<16>()).store(&mut pairs[PAIRS + n].0);
        }
        let [earlier, later] = qmf::join(simd, &pairs, count);
        let (least, most) = (simd.splat(i32::from(i16::MIN)), simd.splat(i32::from(i16::MAX)));
        for (n, row) in samples[..count].iter_mut().enumerate() {
            let earlier = earlier[n].clamp(least, most) & simd.splat(0xFFFF);
            (earlier | later[n].clamp(least, most).shift_left::<16>()).store(&mut row.0);
        }
        for (lane, frame) in crew.iter_mut().flatten().enumerate() {
            for (out, row) in frame.pcm[start * 2..][..count * 2].chunks_exact_mut(2).zip(&samples) {
                out.copy_from_slice(&unpair(row.0[lane]));
            }
        }
        low.turn(count);
        high.turn(count);
        pairs.copy_within(count..count + PAIRS, 0);
    }

    low.scatter(crew, |frame| {
        let low = &mut frame.decoder.low;
        (&mut low.predictor, &mut low.log_scale, &mut low.scale)
    });
    high.scatter(crew, |frame| {
        let high = &mut frame.decoder.high;
        (&mut high.predictor, &mut high.log_scale, &mut high.scale)
    });
    scatter_pairs(&pairs, crew, |frame| &mut frame.decoder.qmf.history);
}

/// The filters' memories before a block of nothing.
fn gather_pairs<F>(crew: &[Option<F>], history: impl Fn(&F) -> &[i32; HISTORY]) -> Pairs {
    let mut pairs = [Row::ZERO; PAIRS + BLOCK];
    for (lane, frame) in crew.iter().flatten().enumerate() {
        for (row, samples) in pairs.iter_mut().zip(history(frame).chunks_exact(2)) {
            row.0[lane] = pair(samples[0], samples[1]);
        }
    }
    pairs
}

fn scatter_pairs<F>(pairs: &Pairs, crew: &mut [Option<F>], history: impl Fn(&mut F) -> &mut [i32; HISTORY]) {
    for (lane, frame) in crew.iter_mut().flatten().enumerate() {
        for (samples, row) in history(frame).chunks_exact_mut(2).zip(pairs) {
            samples.copy_from_slice(&unpair(row.0[lane]).map(i32::from));
        }
    }
}
