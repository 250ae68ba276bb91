use crate::{assert_same, decode, encode, missing, signal};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use tandem_codecs::g722::Mode;

#[test]
fn the_encoder_gives_the_octets_that_ffmpeg_gives() {
    for (name, pcm) in signal::all() {
        let input: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let raw = ["-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "pipe:0"];
        let Some(theirs) = ffmpeg(&[&raw[..], &["-c:a", "g722", "-f", "g722", "pipe:1"]].concat(), &input) else {
            return missing("ffmpeg");
        };
        assert_same(&encode(&pcm), &theirs, name);
    }
}

#[test]
fn the_decoder_gives_the_samples_that_ffmpeg_gives() {
    let mut streams: Vec<_> = signal::all().into_iter().map(|(name, pcm)| (name, encode(&pcm))).collect();
    streams.push(("random octets", signal::random_octets()));
    for (name, octets) in streams {
        let arguments = ["-f", "g722", "-i", "pipe:0", "-c:a", "pcm_s16le", "-f", "s16le", "pipe:1"];
        let Some(theirs) = ffmpeg(&arguments, &octets) else { return missing("ffmpeg") };
        let theirs: Vec<i16> = theirs.chunks_exact(2).map(|word| i16::from_le_bytes([word[0], word[1]])).collect();
        assert_same(&decode(Mode::One, &octets), &theirs, name);
    }
}

/// What ffmpeg writes when it reads `input`; none where it isn't installed.
fn ffmpeg(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let quiet = ["-v", "error", "-nostdin"];
    let command =
        Command::new("ffmpeg").args(quiet).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = command.ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut output = Vec::new();
    // Both pipes are served at once, since either may fill up.
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        stdout.read_to_end(&mut output).unwrap();
    });
    assert!(child.wait().unwrap().success(), "ffmpeg failed");
    Some(output)
}
