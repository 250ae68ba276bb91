//! linphone's console phone: it speaks a file, writes down what it hears, and answers by itself.

use super::gateway::{DOMAIN, Gateway};
use super::program::{Program, need};
use super::wait::seconds;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub struct Linphone {
    folder: TempDir,
    process: Program,
}

/// What linphone would offer by itself, in its own names.
const CODECS: [(&str, u32, u32); 9] = [
    ("opus", 48_000, 2),
    ("speex", 32_000, 1),
    ("speex", 16_000, 1),
    ("speex", 8_000, 1),
    ("PCMU", 8_000, 1),
    ("PCMA", 8_000, 1),
    ("GSM", 8_000, 1),
    ("G722", 8_000, 1),
    ("G729", 8_000, 1),
];

impl Linphone {
    /// Starts a phone at `host` of the gateway's net that offers just one codec. `speech` is a WAV of its rate.
    #[track_caller]
    pub fn start(gateway: &Gateway, host: u8, user: &str, password: &str, codec: &str, speech: &Path) -> Linphone {
        Linphone::start_over("udp", gateway, host, user, password, codec, speech)
    }

    /// The same, over `udp`, `tcp` or `tls`.
    #[track_caller]
    pub fn start_over(
        transport: &str,
        gateway: &Gateway,
        host: u8,
        user: &str,
        password: &str,
        codec: &str,
        speech: &Path,
    ) -> Linphone {
        need("linphonec", "linphone-cli");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path();
        for sub in [".local/share/linphone", ".config/linphone"] {
            std::fs::create_dir_all(path.join(sub)).expect("the folder can be written");
        }
        let config = config(transport, gateway, host, user, password, codec);
        std::fs::write(path.join("linphonerc"), config).expect("the folder can be written");
        let mut command = Command::new("linphonec");
        command.args(["-a", "-S", "-d", "6", "-c", "linphonerc", "-l", "debug.log"]);
        command.current_dir(path).env("HOME", path).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        let mut process = Program::start(command, path.join("log"));
        process.tell("soundcard use files");
        process.tell(&format!("play {}", speech.display()));
        process.tell(&format!("record {}", path.join("heard.wav").display()));
        Linphone { folder, process }
    }

    pub fn dial(&mut self, uri: &str) {
        self.process.tell(&format!("call {uri}"));
    }

    /// Waits until its console has printed a text.
    #[track_caller]
    pub fn expect(&self, text: &str) {
        self.process.await_log(text, seconds(10));
    }

    /// A command of linphone's console.
    pub fn command(&mut self, line: &str) {
        self.process.tell(line);
    }

    pub fn write_to(&mut self, uri: &str, text: &str) {
        self.process.tell(&format!("chat {uri} {text}"));
    }

    /// What it heard in its only call, once that is over.
    #[track_caller]
    pub fn heard(&self, limit: Duration) -> PathBuf {
        self.process.await_log("ended (", limit);
        self.folder.path().join("heard.wav")
    }
}

fn config(transport: &str, gateway: &Gateway, host: u8, user: &str, password: &str, codec: &str) -> String {
    let (host, proxy) = (gateway.net.host(host), gateway.sip_over(transport));
    let roots = gateway.folder().join("data/tls/certificate.pem");
    // A port of -1 is any; 0 is none.
    let [tcp_port, tls_port] = ["tcp", "tls"].map(|name| if name == transport { -1 } else { 0 });
    let roots = roots.display();
    // It compares no addresses with those in a certificate, but only names.
    let mut text = format!(
        "[sip]
sip_port=5060
sip_tcp_port={tcp_port}
sip_tls_port={tls_port}
root_ca={roots}
verify_server_cn=0
bind_address={host}
default_proxy=0
use_ipv6=0
media_encryption=none
inc_timeout=60
[net]
mtu=1300
firewall_policy=none
[rtp]
audio_rtp_port=-1
[sound]
echocancellation=0
agc=0
[video]
enabled=0
capture=0
display=0
[proxy_0]
reg_proxy=sip:{proxy};transport={transport}
reg_route=sip:{proxy};transport={transport};lr
reg_identity=sip:{user}@{DOMAIN}
reg_expires=600
reg_sendregister=1
publish=0
[auth_info_0]
username={user}
userid={user}
passwd={password}
realm={DOMAIN}
domain={DOMAIN}
"
    );
    for (i, (name, rate, channels)) in CODECS.iter().enumerate() {
        let enabled = u8::from(*name == codec);
        let _ = write!(text, "[audio_codec_{i}]\nmime={name}\nrate={rate}\nchannels={channels}\nenabled={enabled}\n");
    }
    text
}
