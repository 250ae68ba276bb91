//! G.711: eight bits a sample by A-law and µ-law, equal to ITU-T G.191 on all 65,536 inputs.
//!
//! Linear samples are left-justified in 16 bits: A-law has 13 significant bits and µ-law 14, and the rest is cut off
//! towards minus infinity, as G.191 does.

use crate::simd::kernels;

/// What an idle line sends in A-law: the smallest positive value.
pub const ALAW_SILENCE: u8 = 0xD5;
/// What an idle line sends in µ-law: zero.
pub const ULAW_SILENCE: u8 = 0xFF;

/// Encodes as many samples as both slices hold.
pub fn encode_alaw(pcm: &[i16], out: &mut [u8]) {
    (kernels().encode_alaw)(pcm, out);
}

/// Encodes as many samples as both slices hold.
pub fn encode_ulaw(pcm: &[i16], out: &mut [u8]) {
    (kernels().encode_ulaw)(pcm, out);
}

/// Decodes as many codes as both slices hold.
pub fn decode_alaw(codes: &[u8], pcm: &mut [i16]) {
    (kernels().decode_alaw)(codes, pcm);
}

/// Decodes as many codes as both slices hold.
pub fn decode_ulaw(codes: &[u8], pcm: &mut [i16]) {
    (kernels().decode_ulaw)(codes, pcm);
}

/// One sample in A-law (G.711 table 1), even bits inverted.
#[inline(always)]
pub fn linear_to_alaw(sample: i16) -> u8 {
    let magnitude = magnitude(sample) >> 4;
    // Segments 0 and 1 share a step, so that the first 32 codes are the magnitude itself.
    let code = if magnitude < 16 { magnitude } else { segment_and_step(magnitude, 3) };
    (code as u8 | positive_bit(sample)) ^ 0x55
}

/// One sample in µ-law (G.711 table 2), all bits inverted.
#[inline(always)]
pub fn linear_to_ulaw(sample: i16) -> u8 {
    let magnitude = ((magnitude(sample) >> 2) + ULAW_BIAS).min(0x1FFF);
    let code = segment_and_step(magnitude, 5);
    code as u8 ^ 0x7F | positive_bit(sample)
}

/// One A-law code as a linear sample.
pub fn alaw_to_linear(code: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(code)]
}

/// One µ-law code as a linear sample.
pub fn ulaw_to_linear(code: u8) -> i16 {
    ULAW_TO_LINEAR[usize::from(code)]
}

/// In units of µ-law's smallest step of two: moves the segments' edges to powers of two.
const ULAW_BIAS: i32 = 33;

/// The one's complement of negative samples: G.711 has a negative zero, to which -1 belongs.
#[inline(always)]
fn magnitude(sample: i16) -> i32 {
    i32::from(sample ^ (sample >> 15))
}

#[inline(always)]
fn positive_bit(sample: i16) -> u8 {
    if sample < 0 { 0 } else { 0x80 }
}

/// Segment and step within it, as seven bits. A `f32` holds both side by side: its exponent is the segment and the top
/// four bits of its mantissa are the step, which spares a search and lets the compiler work on many samples at once.
#[inline(always)]
fn segment_and_step(magnitude: i32, first_exponent: u32) -> i32 {
    let bits = (magnitude as f32).to_bits();
    (bits >> 19) as i32 - (((127 + first_exponent) << 4) as i32)
}

/// What the kernels of all levels do.
pub(crate) mod definition {
    use super::{ALAW_TO_LINEAR, ULAW_TO_LINEAR, linear_to_alaw, linear_to_ulaw};

    #[inline(always)]
    pub fn encode_alaw(pcm: &[i16], out: &mut [u8]) {
        for (code, &sample) in out.iter_mut().zip(pcm) {
            *code = linear_to_alaw(sample);
        }
    }

    #[inline(always)]
    pub fn encode_ulaw(pcm: &[i16], out: &mut [u8]) {
        for (code, &sample) in out.iter_mut().zip(pcm) {
            *code = linear_to_ulaw(sample);
        }
    }

    pub fn decode_alaw(codes: &[u8], pcm: &mut [i16]) {
        for (sample, &code) in pcm.iter_mut().zip(codes) {
            *sample = ALAW_TO_LINEAR[usize::from(code)];
        }
    }

    pub fn decode_ulaw(codes: &[u8], pcm: &mut [i16]) {
        for (sample, &code) in pcm.iter_mut().zip(codes) {
            *sample = ULAW_TO_LINEAR[usize::from(code)];
        }
    }
}

/// Decoding without a table, which can't be looked into for many codes at once. For processors that shift each lane by
/// its own count.
pub(crate) mod expanding {
    use super::{expand_alaw, expand_ulaw};

    #[inline(always)]
    pub fn decode_alaw(codes: &[u8], pcm: &mut [i16]) {
        for (sample, &code) in pcm.iter_mut().zip(codes) {
            *sample = expand_alaw(code);
        }
    }

    #[inline(always)]
    pub fn decode_ulaw(codes: &[u8], pcm: &mut [i16]) {
        for (sample, &code) in pcm.iter_mut().zip(codes) {
            *sample = expand_ulaw(code);
        }
    }
}

static ALAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_alaw(code as u8);
        code += 1;
    }
    table
};

static ULAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_ulaw(code as u8);
        code += 1;
    }
    table
};

/// The middle of the code's interval.
#[inline(always)]
const fn expand_alaw(code: u8) -> i16 {
    let code = (code ^ 0x55) as i32;
    let segment = (code >> 4) & 7;
    let step = code & 15;
    // The first segment has no leading one, and the step of the second.
    let is_first = (segment == 0) as i32;
    let magnitude = ((step << 4) + 0x108 - (is_first << 8)) << (segment - 1 + is_first);
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

/// The middle of the code's interval.
#[inline(always)]
const fn expand_ulaw(code: u8) -> i16 {
    let code = !code as i32;
    let segment = (code >> 4) & 7;
    let step = code & 15;
    let magnitude = (((step << 3) + 0x84) << segment) - 0x84;
    (if code & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 tables 1a and 2a: the positive decision values x(n), in units of the smallest step; a value belongs to the
    /// interval that begins with it. Built from the standard's rule (each segment doubles the interval), not from bits.
    fn decision_values(first_intervals: &[i32], first_width: i32, per_segment: usize, segments: usize) -> Vec<i32> {
        let mut values: Vec<i32> = first_intervals.to_vec();
        let mut width = first_width;
        for _ in 0..segments {
            for _ in 0..per_segment {
                values.push(values[values.len() - 1] + width);
            }
            width *= 2;
        }
        values
    }

    fn interval(decisions: &[i32], magnitude: i32) -> usize {
        decisions.partition_point(|&edge| edge <= magnitude) - 1
    }

    #[test]
    fn alaw_follows_the_decision_values_on_every_input() {
        // 32 intervals of 2 in 4096, then six segments of 16, each twice as wide.
        let mut decisions = vec![0];
        for n in 1..=32 {
            decisions.push(2 * n);
        }
        let decisions = decision_values(&decisions, 4, 16, 6);
        assert_eq!(decisions.len(), 129);
        assert_eq!(decisions[128], 4096);
        for sample in i16::MIN..=i16::MAX {
            // The 13-bit input is in units of 1/4096 of the half range, cut towards minus infinity; a negative value is
            // in the interval that its mirror, less one step of the input, is in.
            let value = i32::from(sample >> 3);
            let magnitude = if value < 0 { -value - 1 } else { value };
            let n = interval(&decisions, magnitude) as u8;
            let sign = if sample < 0 { 0 } else { 0x80 };
            assert_eq!(linear_to_alaw(sample), (n | sign) ^ 0x55, "sample {sample}");
        }
    }

    #[test]
    fn ulaw_follows_the_decision_values_on_every_input() {
        // x(1) = 1 and x(2) = 3 in units of 1/8159, 15 intervals of 2, then seven segments of 16, each twice as wide.
        let mut decisions = vec![0, 1];
        for n in 1..=15 {
            decisions.push(1 + 2 * n);
        }
        let decisions = decision_values(&decisions, 4, 16, 7);
        assert_eq!(decisions.len(), 129);
        assert_eq!(decisions[128], 8159);
        for sample in i16::MIN..=i16::MAX {
            let value = i32::from(sample >> 2);
            let magnitude = (if value < 0 { -value - 1 } else { value }).min(8158);
            let n = interval(&decisions, magnitude) as u8;
            let sign = if sample < 0 { 0 } else { 0x80 };
            assert_eq!(linear_to_ulaw(sample), (n ^ 0x7F) | sign, "sample {sample}");
        }
    }

    #[test]
    fn a_code_survives_decoding_and_encoding() {
        for code in 0..=255 {
            assert_eq!(linear_to_alaw(alaw_to_linear(code)), code);
            // Negative zero comes back as zero.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(linear_to_ulaw(ulaw_to_linear(code)), expected);
        }
        assert_eq!(ulaw_to_linear(ULAW_SILENCE), 0);
        assert_eq!(alaw_to_linear(ALAW_SILENCE), 8);
    }
}
