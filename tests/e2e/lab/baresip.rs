//! baresip, a telephone: it speaks a file and writes down what it hears.

use super::gateway::{DOMAIN, Gateway};
use super::program::{Program, need};
use super::wait::{self, seconds};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub struct Baresip {
    host: Ipv4Addr,
    folder: TempDir,
    process: Program,
}

/// How a phone is set up.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub user: &'a str,
    pub password: &'a str,
    /// As in an account of baresip, such as `PCMA`.
    pub codecs: &'a str,
    pub transport: &'a str,
    /// Whether calls are answered by themselves. Otherwise it rings.
    pub answers: bool,
    /// A user whose presence it watches; empty for nobody.
    pub watches: &'a str,
    /// Its address; none for the given host of the gateway's net.
    pub at: Option<Ipv4Addr>,
    /// The proxy that it speaks through, an address and a port; empty for the gateway itself.
    pub through: &'a str,
    /// More parameters of the account, as baresip writes them: each begins with a semicolon.
    pub more: &'a str,
}

impl Account<'_> {
    pub const ALICE: Account<'static> = Account {
        user: "alice",
        password: "wonderland",
        codecs: "PCMA",
        transport: "udp",
        answers: true,
        watches: "",
        at: None,
        through: "",
        more: "",
    };
    pub const BOB: Account<'static> = Account { user: "bob", password: "builder", ..Account::ALICE };
}

impl Baresip {
    /// Starts a phone at `host` of the gateway's net. `speech` is a WAV of 8 kHz; the phone hangs up at its end.
    #[track_caller]
    pub fn start(gateway: &Gateway, host: u8, account: &Account<'_>, speech: &Path) -> Baresip {
        need("baresip", "baresip-core");
        let host = account.at.unwrap_or(gateway.net.host(host));
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path();
        let Account { user, password, codecs, transport, answers, watches, through, more, .. } = account;
        let (contacts, modules) = match watches.is_empty() {
            true => (String::new(), ""),
            false => (
                format!("\"{watches}\" <sip:{watches}@{DOMAIN}>;presence=p2p\n"),
                "module_app contact.so\nmodule_app presence.so\n",
            ),
        };
        let mut config = config(host, path, speech) + modules;
        if account.transport == "tls" {
            let roots = gateway.folder().join("data/tls/certificate.pem");
            config += &format!("sip_cafile {}\n", roots.display());
        }
        std::fs::write(path.join("config"), config).expect("the folder can be written");
        std::fs::write(path.join("contacts"), contacts).expect("the folder can be written");
        let mode = if *answers { "auto" } else { "manual" };
        let outbound = if through.is_empty() { gateway.sip_over(transport) } else { (*through).to_owned() };
        let account = format!(
            "<sip:{user}@{DOMAIN}>;auth_user={user};auth_pass={password};outbound=\"sip:{outbound};transport={transport}\";\
             regint=600;answermode={mode};audio_codecs={codecs};ptime=20{more}\n",
        );
        std::fs::write(path.join("accounts"), account).expect("the folder can be written");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(path).args(["-4", "-v", "-s"]);
        let process = Program::start(command, path.join("log"));
        Baresip { host, folder, process }
    }

    pub fn dial(&self, uri: &str) {
        self.command("dial", uri);
    }

    /// Waits until it knows that its call is answered. Told to hang up a moment earlier, it cancels what can't be cancelled
    /// any more and leaves the answer alone.
    #[track_caller]
    pub fn await_established(&self) {
        wait::until("the phone to know of the answer", seconds(5), || {
            self.log().contains("Call established").then_some(())
        });
    }

    pub fn hang_up(&self) {
        self.command("hangup", "");
    }

    /// A command of baresip's menu, over its control socket (JSON in netstrings).
    #[track_caller]
    pub fn command(&self, command: &str, parameters: &str) {
        let text = serde_json::json!({ "command": command, "params": parameters }).to_string();
        let mut socket = TcpStream::connect((self.host, 4444)).expect("baresip listens for commands");
        write!(socket, "{}:{text},", text.len()).expect("baresip takes commands");
    }

    /// What it printed, every SIP message in it.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What it heard in its calls, oldest first. Each is complete once its call is over.
    pub fn heard(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .expect("the folder is there")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        files
    }
}

fn config(host: Ipv4Addr, folder: &Path, speech: &Path) -> String {
    let (folder, speech) = (folder.display(), speech.display());
    format!(
        "poll_method epoll
sip_listen {host}:5060
net_interface {host}
call_local_timeout 120
call_max_calls 4
audio_player aubridge,player
audio_alert aubridge,alert
audio_source aufile,{speech}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_txmode thread
audio_level no
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
jitter_buffer_delay 5-10
rtcp_mux no
rtp_stats yes
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module opus.so
module l16.so
module srtp.so
module sndfile.so
module aubridge.so
module aufile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:4444
snd_path {folder}
"
    )
}
