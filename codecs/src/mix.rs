//! Many voices in one: all are added up once, and each hears the sum without themself.

use crate::simd::kernels;

/// Adds a frame to a sum, as many samples as both hold. A sum has room for 65,536 frames.
pub fn add(sum: &mut [i32], pcm: &[i16]) {
    (kernels().mix)(sum, pcm);
}

/// Fills `out` with `sum` less what is one's `own` of it, as many samples as all three hold. What is loud beyond
/// three quarters of full scale is compressed so that nothing is ever cut off; all below is left as it is.
pub fn without(sum: &[i32], own: &[i16], out: &mut [i16]) {
    (kernels().mix_without)(sum, own, out);
}

/// Where compression begins.
const KNEE: i32 = 24_576;

/// What the compressed sum never reaches.
const CEILING: i32 = 32_767;

/// The sum as it is up to the knee; beyond it on a hyperbola, which goes on from there with the same slope and comes ever
/// closer to the ceiling.
#[inline(always)]
fn limit(sum: i32) -> i16 {
    const ROOM: f32 = (CEILING - KNEE) as f32;
    let magnitude = sum.unsigned_abs().min(1 << 30) as i32;
    // Each operation on `f32` is rounded as IEEE 754 has it, and so the same everywhere.
    let excess = (magnitude - KNEE).max(0) as f32;
    let limited = CEILING - (ROOM * ROOM / (excess + ROOM)) as i32;
    let magnitude = if magnitude > KNEE { limited } else { magnitude };
    (if sum < 0 { -magnitude } else { magnitude }) as i16
}

/// What the kernels of all levels do.
pub(crate) mod definition {
    use super::{KNEE, limit};

    /// Samples that are looked at together: where none is beyond the knee, they are only cut to their width.
    const BLOCK: usize = 32;

    #[inline(always)]
    pub fn add(sum: &mut [i32], pcm: &[i16]) {
        for (sum, &sample) in sum.iter_mut().zip(pcm) {
            *sum += i32::from(sample);
        }
    }

    #[inline(always)]
    pub fn without(sum: &[i32], own: &[i16], out: &mut [i16]) {
        for ((out, sum), own) in out.chunks_mut(BLOCK).zip(sum.chunks(BLOCK)).zip(own.chunks(BLOCK)) {
            let mut others = [0; BLOCK];
            let mut loudest = 0;
            for ((other, &sum), &own) in others.iter_mut().zip(sum).zip(own) {
                *other = sum - i32::from(own);
                // The one's complement of a negative value is less than its magnitude by one.
                loudest = loudest.max(*other ^ (*other >> 31));
            }
            let count = sum.len().min(own.len());
            if loudest < KNEE {
                out.iter_mut().zip(&others[..count]).for_each(|(out, &other)| *out = other as i16);
            } else {
                out.iter_mut().zip(&others[..count]).for_each(|(out, &other)| *out = limit(other));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_hears_all_others() {
        let voices = [[100i16, -200, 300], [1, 2, 3], [-50, 60, -70]];
        let mut sum = [0; 3];
        for voice in &voices {
            add(&mut sum, voice);
        }
        let mut heard = [0; 3];
        without(&sum, &voices[0], &mut heard);
        assert_eq!(heard, [-49, 62, -67]);
        without(&sum, &[0; 3], &mut heard);
        assert_eq!(heard, [51, -138, 233]);
    }

    #[test]
    fn loud_rooms_are_compressed_and_never_cut_off() {
        for quiet in [0, 1, -1, KNEE, -KNEE] {
            assert_eq!(i32::from(limit(quiet)), quiet);
        }
        let mut last = limit(KNEE);
        for sum in KNEE + 1..300_000 {
            let limited = limit(sum);
            assert!((0..=1).contains(&(limited - last)), "{sum}");
            assert_eq!(limit(-sum), -limited);
            last = limited;
        }
        assert!(last > 32_000);
        assert_eq!(limit(i32::MAX), 32_767);
        assert_eq!(limit(i32::MIN), -32_767);
    }
}
