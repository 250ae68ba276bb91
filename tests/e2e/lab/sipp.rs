//! SIPp: crowds of calls, and whoever answers them.

use super::net::Net;
use super::program::{Program, need};
use super::speech::Speech;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// One run of SIPp.
pub struct Sipp {
    folder: TempDir,
    process: Program,
}

/// What a run does.
#[derive(Clone, Debug)]
pub struct Plan {
    scenario: &'static str,
    is_built_in: bool,
    host: IpAddr,
    port: u16,
    transport: &'static str,
    media: Media,
    payload: (u8, &'static str),
    arguments: Vec<String>,
}

/// How SIPp sends sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// From its own port, over and over.
    Stream,
    /// From a capture, once, a port for each call. Wants the right to make up packets.
    Capture,
    /// What it hears, as it came.
    Echo,
}

impl Plan {
    /// Answers calls at `host` until the test ends.
    pub fn callee(net: Net, host: u8) -> Plan {
        Plan::new("callee.xml", IpAddr::V4(net.host(host)))
    }

    /// Calls `number` at `target` (an address and a port), from `host`.
    pub fn caller(net: Net, host: u8, target: &str, number: &str) -> Plan {
        Plan::new("caller.xml", IpAddr::V4(net.host(host))).to(target, number)
    }

    pub fn new(scenario: &'static str, host: IpAddr) -> Plan {
        Plan {
            scenario,
            is_built_in: false,
            host,
            port: 5060,
            transport: "u1",
            media: Media::Stream,
            payload: (0, "PCMU/8000"),
            arguments: Vec::new(),
        }
    }

    /// One of the scenarios that SIPp brings along, unchanged.
    pub fn built_in(scenario: &'static str, host: IpAddr) -> Plan {
        Plan { is_built_in: true, ..Plan::new(scenario, host) }
    }

    pub fn to(mut self, target: &str, number: &str) -> Plan {
        self.arguments.insert(0, target.to_owned());
        self.with(&["-s", number, "-key", "caller", "+15550102000"])
    }

    pub fn port(mut self, port: u16) -> Plan {
        self.port = port;
        self
    }

    pub fn tcp(mut self) -> Plan {
        self.transport = "t1";
        self
    }

    pub fn pcma(mut self) -> Plan {
        self.payload = (8, "PCMA/8000");
        self
    }

    /// `count` calls, `rate` new ones a second, each for so long.
    pub fn calls(self, count: usize, rate: usize, each: Duration) -> Plan {
        let (count, rate, each) = (count.to_string(), rate.to_string(), each.as_millis().to_string());
        self.with(&["-m", &count, "-r", &rate, "-l", &count, "-d", &each])
    }

    /// Media from a capture, where this process may make up packets; otherwise from a file.
    pub fn capture(mut self) -> Plan {
        if Plan::may_play_captures() {
            self.media = Media::Capture;
        }
        self
    }

    /// Gives back what it hears instead of speaking.
    pub fn echoing(mut self) -> Plan {
        self.media = Media::Echo;
        self.with(&["-rtp_echo"])
    }

    pub fn may_play_captures() -> bool {
        // SAFETY: geteuid(2) takes nothing and can't fail.
        unsafe { libc::geteuid() == 0 }
    }

    pub fn with(mut self, arguments: &[&str]) -> Plan {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    #[track_caller]
    pub fn start(&self) -> Sipp {
        need("sipp", "sip-tester");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let host = self.host.to_string();
        // Two runs at one host differ in their ports of both kinds.
        let media = 33_000 + 1_000 * (self.port % 30);
        let mut command = Command::new("sipp");
        command.current_dir(folder.path());
        if self.is_built_in {
            // Where its package has the sound that its scenarios speak of.
            let sound = symlink("/usr/share/sip-tester", folder.path().join("pcap"));
            sound.expect("the folder can be written");
            command.args(["-sn", self.scenario]);
        } else {
            command.arg("-sf").arg(self.scenario_in(folder.path()));
        }
        command.args([
            "-i",
            &host,
            "-mi",
            &host,
            "-p",
            &self.port.to_string(),
            "-mp",
            &media.to_string(),
            "-t",
            self.transport,
        ]);
        command.args(["-nostdin", "-trace_err", "-f", "5", "-timeout", "300"]);
        // A message that is unexpected is traced anyway; all of them are, where a person looks for a fault.
        if std::env::var_os("TANDEM_TEST_TRACE").is_some() {
            command.args(["-trace_msg", "-message_file", &trace_file(self.scenario).display().to_string()]);
        }
        command.args(&self.arguments);
        let process = Program::start(command, folder.path().join("screen"));
        Sipp { folder, process }
    }

    fn scenario_in(&self, folder: &Path) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/sipp").join(self.scenario);
        let text = std::fs::read_to_string(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        let speech = if self.scenario.starts_with("caller") { Speech::alice() } else { Speech::bob() };
        let (payload, codec) = self.payload;
        let media = match self.media {
            Media::Stream => {
                let law = if payload == 8 { "alaw" } else { "mulaw" };
                format!("rtp_stream=\"{},-1,{payload}\"", speech.g711(law).display())
            }
            Media::Capture => format!("play_pcap_audio=\"{}\"", speech.capture().display()),
            Media::Echo => "command=\"true\"".to_owned(),
        };
        let port = match self.media {
            Media::Stream => "[rtpstream_audio_port]",
            Media::Capture => "[auto_media_port]",
            Media::Echo => "[media_port]",
        };
        let text = text
            .replace("@MEDIA@", &media)
            .replace("@PORT@", port)
            .replace("@PAYLOAD@", &payload.to_string())
            .replace("@CODEC@", codec);
        let path = folder.join(self.scenario);
        std::fs::write(&path, text).expect("the folder can be written");
        path
    }
}

impl Sipp {
    /// Waits until all its calls are over. The test fails if one of them did.
    #[track_caller]
    pub fn succeeded(&mut self, limit: Duration) {
        let status = self.process.ended(limit);
        assert!(status.success(), "SIPp ended with {status}:\n{}\n{}", self.errors(), tail(&self.process.log()));
    }

    /// Waits until all its calls are over, however.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> bool {
        self.process.ended(limit).success()
    }

    /// What it found wrong: messages that it didn't expect.
    pub fn errors(&self) -> String {
        let Ok(entries) = std::fs::read_dir(self.folder.path()) else { return String::new() };
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let errors = files.filter(|path| path.to_string_lossy().ends_with("_errors.log"));
        let text: String = errors.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        text.chars().take(4000).collect()
    }
}

fn trace_file(scenario: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sipp-{}-{scenario}.log", std::process::id()))
}

/// The last screen.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
