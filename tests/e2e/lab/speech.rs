//! Speech to send, and how much of it arrived.

use super::program::{need, run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What one voice says, in the forms that the programs want.
pub struct Speech {
    folder: PathBuf,
    name: &'static str,
}

/// Silence before and after the speech: the first hides that sound begins before both sides hear, the second lets the
/// last word arrive before a phone whose file ended hangs up. In seconds.
const BEFORE: &str = "1";
const AFTER: &str = "2";

impl Speech {
    /// Two voices that differ in what they say and how.
    pub fn alice() -> &'static Speech {
        static MADE: OnceLock<Speech> = OnceLock::new();
        MADE.get_or_init(|| {
            Speech::make(
                "alice",
                "en-us",
                "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. \
                 It is easy to tell the depth of a well.",
            )
        })
    }

    pub fn bob() -> &'static Speech {
        static MADE: OnceLock<Speech> = OnceLock::new();
        MADE.get_or_init(|| {
            Speech::make(
                "bob",
                "en-gb+f3",
                "Four hours of steady work faced us. A large size in stockings is hard to sell. \
                 The boy was there when the sun rose.",
            )
        })
    }

    fn make(name: &'static str, voice: &str, text: &str) -> Speech {
        need("espeak-ng", "espeak-ng");
        need("ffmpeg", "ffmpeg");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("speech-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the build's folder can be written");
        let speech = Speech { folder, name };
        run(Command::new("espeak-ng").args(["-v", voice, "-s", "150", "-w"]).arg(speech.said()).arg(text));
        speech
    }

    /// Just the words, as they were synthesized: what scores refer to.
    pub fn said(&self) -> PathBuf {
        self.folder.join(format!("{}.wav", self.name))
    }

    /// A WAV with silence before and after, for a phone to play.
    pub fn wav(&self, rate: u32) -> PathBuf {
        let path = self.folder.join(format!("{}-{rate}.wav", self.name));
        let filter = format!("adelay={BEFORE}s,apad=pad_dur={AFTER}");
        self.convert(&path, &["-af", &filter, "-ac", "1", "-ar", &rate.to_string()]);
        path
    }

    /// The words alone as bare bytes of G.711, `format` being FFmpeg's name for the law: `mulaw` or `alaw`.
    pub fn g711(&self, format: &str) -> PathBuf {
        let path = self.folder.join(format!("{}.{format}", self.name));
        self.convert(&path, &["-ac", "1", "-ar", "8000", "-f", format]);
        path
    }

    /// The words alone as a capture of RTP with PCMU (payload type 0, 20 ms), as SIPp plays it.
    pub fn capture(&self) -> PathBuf {
        let path = self.folder.join(format!("{}.pcap", self.name));
        if !path.exists() {
            let bytes = std::fs::read(self.g711("mulaw")).expect("it was made");
            put(&path, |part| std::fs::write(part, pcap(&bytes)).expect("the build's folder can be written"));
        }
        path
    }

    /// What the codecs of a path do to the words by themselves: FFmpeg encodes and decodes with each, in order.
    pub fn through(&self, codecs: &[&[&str]]) -> PathBuf {
        let mut from = self.said();
        for (i, codec) in codecs.iter().enumerate() {
            let to = self.folder.join(format!(
                "{}-through-{}-{i}.mka",
                self.name,
                codecs.concat().join("-").replace('/', "")
            ));
            put(&to, |part| {
                run(Command::new("ffmpeg")
                    .args(["-v", "error", "-y", "-i"])
                    .arg(&from)
                    .args(*codec)
                    .args(["-f", "matroska"])
                    .arg(part));
            });
            from = to;
        }
        from
    }

    fn convert(&self, to: &Path, how: &[&str]) {
        if to.exists() {
            return;
        }
        let format = if to.extension().is_some_and(|extension| extension == "wav") { &["-f", "wav"][..] } else { &[] };
        put(to, |part| {
            let mut command = Command::new("ffmpeg");
            run(command.args(["-v", "error", "-y", "-i"]).arg(self.said()).args(how).args(format).arg(part));
        });
    }
}

/// Makes a file under another name first: a test beside this one never sees the half of it.
fn put(to: &Path, make: impl FnOnce(&Path)) {
    let part = to.with_extension(format!("part{:?}", std::thread::current().id()).replace(['(', ')'], ""));
    make(&part);
    std::fs::rename(&part, to).expect("the build's folder can be written");
}

/// How good what was heard is, by scripts/score.py.
pub struct Score {
    /// On the scale of listeners (1 to 4.5), by ITU-T P.862.1.
    pub mos: f64,
    /// Where in the recording the words begin.
    pub delay_ms: f64,
    /// How much louder they are there.
    pub level_db: f64,
}

impl std::fmt::Debug for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} (after {:.0} ms, {:+.1} dB)", self.mos, self.delay_ms, self.level_db)
    }
}

#[track_caller]
pub fn score(said: &Path, heard: &Path) -> Score {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/venv/bin/python");
    assert!(python.exists(), "the speech quality meter is missing; `make tools` installs it");
    let text = run(Command::new(python).arg(root.join("scripts/score.py")).arg(said).arg(heard));
    let value: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error} in {text}"));
    let number = |key: &str| value[key].as_f64().unwrap_or_else(|| panic!("{key} is not in {text}"));
    Score { mos: number("mos"), delay_ms: number("delay_ms"), level_db: number("level_db") }
}

/// A capture file (libpcap's format, Ethernet) with the bytes cut into packets of 20 ms.
fn pcap(bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for (i, payload) in bytes.chunks_exact(160).enumerate() {
        let frame = ethernet(u16::try_from(i).unwrap_or(u16::MAX), payload);
        let micros = 20_000 * i as u32;
        file.extend((micros / 1_000_000).to_le_bytes());
        file.extend((micros % 1_000_000).to_le_bytes());
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend(frame);
    }
    file
}

fn ethernet(number: u16, payload: &[u8]) -> Vec<u8> {
    let mut rtp = vec![0x80, if number == 0 { 0x80 } else { 0 }];
    rtp.extend(number.to_be_bytes());
    rtp.extend((160 * u32::from(number)).to_be_bytes());
    rtp.extend(0x7a4d_3c1e_u32.to_be_bytes());
    rtp.extend(payload);
    let mut udp = Vec::new();
    for field in [4000, 4000, 8 + rtp.len() as u16, 0] {
        udp.extend(field.to_be_bytes());
    }
    udp.extend(rtp);
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp.len() as u16).to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    ip.extend([127, 0, 0, 1, 127, 0, 0, 1]);
    ip.extend(udp);
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    frame.extend(ip);
    frame
}
