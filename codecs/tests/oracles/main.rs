//! G.722 against two other implementations, FFmpeg and SpanDSP, which agree with each other on everything that an encoder
//! sends. Each test says when its oracle isn't installed, and passes; with `TANDEM_REQUIRE_ORACLES=1` it fails instead.

mod ffmpeg;
mod signal;
mod spandsp;

use tandem_codecs::g722::{Decoder, Encoder, Mode};

fn encode(pcm: &[i16]) -> Vec<u8> {
    let mut octets = vec![0; pcm.len() / 2];
    Encoder::new().encode(pcm, &mut octets);
    octets
}

fn decode(mode: Mode, octets: &[u8]) -> Vec<i16> {
    let mut pcm = vec![0; octets.len() * 2];
    Decoder::new(mode).decode(octets, &mut pcm);
    pcm
}

/// Says why a test is left out, or fails where it may not be.
fn missing(oracle: &str) {
    assert!(
        !std::env::var("TANDEM_REQUIRE_ORACLES").is_ok_and(|value| value == "1"),
        "{oracle} is required and isn't here"
    );
    println!("skipped: {oracle} isn't here");
}

fn assert_same<T: PartialEq + Copy + std::fmt::Debug>(ours: &[T], theirs: &[T], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let differences = ours.iter().zip(theirs).filter(|(ours, theirs)| ours != theirs).count();
    let first = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    assert_eq!(first, None, "{what}: {differences} of {} differ", ours.len());
}
