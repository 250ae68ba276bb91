use crate::{assert_same, decode, encode, missing, signal};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tandem_codecs::g722::Mode;

#[test]
fn the_encoder_gives_the_octets_that_spandsp_gives() {
    for (name, pcm) in signal::all() {
        let input: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
        let Some(theirs) = spandsp("encode", 64_000, &input) else { return missing("SpanDSP, or a C compiler") };
        assert_same(&encode(&pcm), &theirs, name);
    }
}

#[test]
fn the_decoder_gives_the_samples_that_spandsp_gives() {
    let mut streams: Vec<_> = signal::all().into_iter().map(|(name, pcm)| (name, encode(&pcm))).collect();
    streams.push(("random octets", signal::random_octets()));
    for (name, octets) in streams {
        let Some(theirs) = spandsp("decode", 64_000, &octets) else { return missing("SpanDSP, or a C compiler") };
        assert_same_unless_saturated(&decode(Mode::One, &octets), theirs, name);
    }
}

/// SpanDSP takes five or four bits from the octet's lower end; here the low band always begins at bit five.
#[test]
fn the_decoder_gives_the_samples_that_spandsp_gives_in_the_lower_modes() {
    for (mode, rate, unused) in [(Mode::Two, 56_000, 1), (Mode::Three, 48_000, 2)] {
        for (name, pcm) in signal::all() {
            let octets = encode(&pcm);
            let shifted: Vec<u8> = octets.iter().map(|octet| octet >> unused).collect();
            let Some(theirs) = spandsp("decode", rate, &shifted) else { return missing("SpanDSP, or a C compiler") };
            assert_same_unless_saturated(&decode(mode, &octets), theirs, name);
        }
    }
}

/// SpanDSP's samples wrap around where the Recommendation, FFmpeg and we saturate: those are left to FFmpeg's test.
fn assert_same_unless_saturated(ours: &[i16], theirs: Vec<u8>, what: &str) {
    let theirs = theirs.chunks_exact(2).map(|word| i16::from_ne_bytes([word[0], word[1]]));
    let is_saturated = |ours: i16| ours == i16::MAX || ours == i16::MIN;
    let theirs: Vec<i16> =
        theirs.zip(ours).map(|(theirs, &ours)| if is_saturated(ours) { ours } else { theirs }).collect();
    assert_same(ours, &theirs, what);
}

/// What SpanDSP makes of `input`; none where it or a C compiler isn't installed.
fn spandsp(direction: &str, rate: u32, input: &[u8]) -> Option<Vec<u8>> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(compile).as_ref()?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |end: &str| {
        let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
        folder.join(format!("spandsp-{}-{thread}.{end}", std::process::id()))
    };
    let (source, target) = (file("in"), file("out"));
    std::fs::write(&source, input).unwrap();
    let status = Command::new(program).arg(direction).arg(rate.to_string()).args([&source, &target]).status().unwrap();
    assert!(status.success(), "{} failed", program.display());
    let output = std::fs::read(&target).unwrap();
    std::fs::remove_file(source).unwrap();
    std::fs::remove_file(target).unwrap();
    Some(output)
}

fn compile() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/spandsp.c");
    let (made, program) = (folder.join(format!("spandsp-g722-{}", std::process::id())), folder.join("spandsp-g722"));
    let output = Command::new("cc").arg(source).arg("-o").arg(&made).arg("-lspandsp").output().ok()?;
    if !output.status.success() {
        return None;
    }
    // Another run may be using the program; its file isn't written to, but replaced.
    std::fs::rename(made, &program).unwrap();
    Some(program)
}
