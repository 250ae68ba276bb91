use crate::words;
use tandem_codecs::plc::Plc;

const FRAME: usize = 80;
/// What a frame that arrived looks like in a pattern (G.192).
const GOOD: i16 = 0x6B21;

/// Ours has no delay and thus another seam, so it is alike and not equal: the error against the reference's concealment
/// is far below what leaving the frames empty would give.
#[test]
fn concealment_is_much_like_the_reference() {
    for (pattern, reference, least_db) in [("fe10.g192", "f2_10.raw", 15.0), ("fe10_2.g192", "f2_10_2.raw", 15.0)] {
        let file = |name: &str| words(&format!("g711-plc-itu/{name}"));
        let (Some(speech), Some(pattern), Some(reference)) = (file("f2.le"), file(pattern), file(reference)) else {
            return;
        };
        let mut ours = speech.clone();
        let mut muted = speech.clone();
        let mut plc = Plc::new(8_000);
        for (n, (frame, muted)) in ours.chunks_mut(FRAME).zip(muted.chunks_mut(FRAME)).enumerate() {
            if pattern[n % pattern.len()] == GOOD {
                plc.hear(frame);
            } else {
                plc.conceal(frame);
                muted.fill(0);
            }
        }
        let ratios = [&ours, &muted].map(|output| signal_to_noise_db(&reference, output));
        println!("against the reference {:.1} dB, with empty frames {:.1} dB", ratios[0], ratios[1]);
        let original = [&reference, &ours, &muted].map(|output| signal_to_noise_db(&speech, output));
        println!(
            "against the speech: reference {:.1} dB, ours {:.1} dB, empty {:.1} dB",
            original[0], original[1], original[2]
        );
        assert!(ratios[0] > least_db);
        assert!(ratios[0] > ratios[1] + 6.0);
    }
}

fn signal_to_noise_db(signal: &[i16], output: &[i16]) -> f64 {
    let energy = |value: f64| value * value;
    let power: f64 = signal.iter().map(|&sample| energy(f64::from(sample))).sum();
    let noise: f64 = signal.iter().zip(output).map(|(&a, &b)| energy(f64::from(a) - f64::from(b))).sum();
    10.0 * (power / noise.max(1.0)).log10()
}
