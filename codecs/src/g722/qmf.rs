//! The quadrature mirror filters that split 16 kHz audio into two bands and join them again (G.722 §3.1, §4.4).

use super::BLOCK;

/// Half of the 24 taps (G.722 table 11); the other half mirrors them.
pub(super) const TAPS: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// What the filter remembers of earlier samples.
pub(super) const HISTORY: usize = 22;

/// A block with the history before it.
type Window = [i32; HISTORY + BLOCK * 2];

#[derive(Clone, Debug, Default)]
pub(super) struct TransmitQmf {
    pub(super) history: [i32; HISTORY],
}

impl TransmitQmf {
    /// Splits pairs of samples, at most a block, into one value of each band.
    pub(super) fn split(&mut self, pcm: &[i16], low: &mut [i32], high: &mut [i32]) {
        let mut window: Window = [0; HISTORY + BLOCK * 2];
        window[..HISTORY].copy_from_slice(&self.history);
        for (slot, &sample) in window[HISTORY..].iter_mut().zip(pcm) {
            *slot = i32::from(sample);
        }
        for (n, (low, high)) in low.iter_mut().zip(high).enumerate() {
            let (even, odd) = filter(&window[n * 2..n * 2 + HISTORY + 2]);
            *low = (odd + even) >> 14;
            *high = (odd - even) >> 14;
        }
        self.history.copy_from_slice(&window[pcm.len()..pcm.len() + HISTORY]);
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct ReceiveQmf {
    pub(super) history: [i32; HISTORY],
}

impl ReceiveQmf {
    /// Joins one value of each band, at most a block of them, into a pair of samples.
    pub(super) fn join(&mut self, low: &[i32], high: &[i32], pcm: &mut [i16]) {
        let mut window: Window = [0; HISTORY + BLOCK * 2];
        window[..HISTORY].copy_from_slice(&self.history);
        for ((pair, &low), &high) in window[HISTORY..].chunks_exact_mut(2).zip(low).zip(high) {
            pair[0] = low + high;
            pair[1] = low - high;
        }
        for (n, pair) in pcm.chunks_exact_mut(2).enumerate() {
            let (even, odd) = filter(&window[n * 2..n * 2 + HISTORY + 2]);
            pair[0] = saturate(odd >> 11);
            pair[1] = saturate(even >> 11);
        }
        self.history.copy_from_slice(&window[pcm.len()..pcm.len() + HISTORY]);
    }
}

/// The sums over the even and over the odd samples of 24, oldest first.
fn filter(window: &[i32]) -> (i32, i32) {
    let mut even = 0;
    let mut odd = 0;
    for (n, pair) in window.chunks_exact(2).enumerate().take(TAPS.len()) {
        even += pair[0] * TAPS[n];
        odd += pair[1] * TAPS[TAPS.len() - 1 - n];
    }
    (even, odd)
}

fn saturate(value: i32) -> i16 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}
