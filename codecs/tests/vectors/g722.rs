use crate::{octets, words};
use tandem_codecs::g722::{Decoder, Encoder, Mode};

#[test]
fn the_encoder_gives_the_codes_of_the_reference() {
    let (Some(pcm), Some(expected)) = (words("g722-itu-stl/inpsp.bin"), octets("g722-itu-stl/codspw.cod")) else {
        return;
    };
    let mut codes = vec![0; expected.len()];
    assert_eq!(Encoder::new().encode(&pcm, &mut codes), pcm.len() / 2);
    assert_eq!(first_difference(&codes, &expected), None);
}

#[test]
fn the_decoder_gives_the_samples_of_the_reference_in_each_mode() {
    let Some(codes) = octets("g722-itu-stl/codspw.cod") else { return };
    for (mode, file) in [(Mode::One, "outsp1.bin"), (Mode::Two, "outsp2.bin"), (Mode::Three, "outsp3.bin")] {
        let Some(expected) = words(&format!("g722-itu-stl/{file}")) else { return };
        let mut pcm = vec![0; expected.len()];
        assert_eq!(Decoder::new(mode).decode(&codes, &mut pcm), expected.len());
        assert_eq!(first_difference(&pcm, &expected), None, "{mode:?}");
    }
}

fn first_difference<T: PartialEq + Copy>(ours: &[T], theirs: &[T]) -> Option<(usize, T, T)> {
    assert_eq!(ours.len(), theirs.len());
    let at = (0..ours.len()).find(|&n| ours[n] != theirs[n])?;
    Some((at, ours[at], theirs[at]))
}
