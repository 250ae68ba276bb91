//! rtpengine, as a process of its own: told of calls by its NG protocol, which is bencoded dictionaries in datagrams, each
//! behind a word that the answer repeats.

use crate::machine;
use crate::sound::Format;
use crate::subject::{Exit, Side, Subject};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tandem::media::command::{MasterKey, Suite};

const PORTS: (u16, u16) = (12_000, 32_767);
const THREADS: usize = 2;
const SUITE: Suite = Suite::AesCm128HmacSha1_80;

pub struct Rtpengine {
    process: Child,
    control: UdpSocket,
    asked: usize,
}

impl Rtpengine {
    /// None where it isn't installed, or doesn't start.
    pub fn start() -> Option<Rtpengine> {
        let control = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        control.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?.local_addr().ok()?;
        control.connect(free).ok()?;
        let process = Command::new("taskset")
            .args(["-c", &machine::SERVER_CORE.to_string(), "rtpengine", "--config-file=none", "--foreground"])
            .args(["--interface=127.0.0.1", "--table=-1", "--log-stderr", "--log-level=3", "--timeout=600"])
            .args([format!("--listen-ng={free}"), format!("--num-threads={THREADS}")])
            .args([format!("--port-min={}", PORTS.0), format!("--port-max={}", PORTS.1)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut subject = Rtpengine { process, control, asked: 0 };
        let answers = |subject: &mut Rtpengine| {
            // What nobody listens to yet is refused at once, and asked again.
            std::thread::sleep(Duration::from_millis(100));
            subject.ask(&[("command", Item::Text("ping"))]).is_some()
        };
        if !(0..50).any(|_| answers(&mut subject)) {
            return None;
        }
        // In the real-time class, where ours is, its threads keep each other from transcoding more than a few calls.
        Some(subject)
    }

    /// The answer's dictionary; none where none came.
    fn ask(&mut self, items: &[(&str, Item<'_>)]) -> Option<BTreeMap<String, String>> {
        self.asked += 1;
        let mut text = format!("{} d", self.asked);
        let sorted: BTreeMap<&str, &Item<'_>> = items.iter().map(|(name, item)| (*name, item)).collect();
        for (name, item) in sorted {
            text.push_str(&string(name));
            item.write(&mut text);
        }
        text.push('e');
        self.control.send(text.as_bytes()).ok()?;
        let mut room = [0; 16_384];
        loop {
            let length = self.control.recv(&mut room).ok()?;
            let answer = String::from_utf8_lossy(&room[..length]);
            let (cookie, rest) = answer.split_once(' ')?;
            if cookie == self.asked.to_string() {
                return Some(read(rest));
            }
        }
    }

    /// Has a description passed on, and tells where the other side is to send.
    fn pass(&mut self, items: &[(&str, Item<'_>)]) -> Exit {
        let answer = self.ask(items).expect("rtpengine answers");
        let description = answer.get("sdp").unwrap_or_else(|| panic!("rtpengine has no description: {answer:?}"));
        let line = description.lines().find_map(|line| line.strip_prefix("m=audio ")).expect("a line for sound");
        let port = line.split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        let crypto = format!("a=crypto:1 {} inline:", SUITE.name());
        let key = description.lines().find_map(|line| line.strip_prefix(&crypto)).map(|text| {
            let bytes = STANDARD_NO_PAD.decode(text.split(['|', ' ']).next().unwrap_or_default().trim_end_matches('='));
            MasterKey::new(SUITE, &bytes.expect("a key in base64")).expect("a key of the right length")
        });
        Exit { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), key }
    }
}

impl Subject for Rtpengine {
    fn name(&self) -> String {
        "rtpengine".to_owned()
    }

    fn call(&mut self, one: Side, other: Side) -> (Exit, Exit) {
        let call = format!("bench-{}", self.asked);
        let (theirs, ours) = ([name(one.format)], [name(other.format)]);
        let (offer, answer) = (description(&one), description(&other));
        let mut items = vec![
            ("command", Item::Text("offer")),
            ("call-id", Item::Text(&call)),
            ("from-tag", Item::Text("one")),
            ("sdp", Item::Text(&offer)),
            ("ICE", Item::Text("remove")),
            ("transport-protocol", Item::Text(profile(&other))),
        ];
        let transcoding = [("mask", theirs.as_slice()), ("transcode", ours.as_slice())];
        if one.format != other.format {
            items.push(("codec", Item::Lists(&transcoding)));
        }
        let to_other = self.pass(&items);
        let to_one = self.pass(&[
            ("command", Item::Text("answer")),
            ("call-id", Item::Text(&call)),
            ("from-tag", Item::Text("one")),
            ("to-tag", Item::Text("other")),
            ("sdp", Item::Text(&answer)),
            ("ICE", Item::Text("remove")),
            ("transport-protocol", Item::Text(profile(&one))),
        ]);
        // Each is reached at the port that was told to the other.
        (to_one, to_other)
    }

    fn tasks(&self) -> Vec<PathBuf> {
        let folder = format!("/proc/{}/task", self.process.id());
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|task| task.path()).collect()
    }

    fn resident_kib(&self) -> f64 {
        machine::resident_kib_of(&self.process.id().to_string())
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What stands in a dictionary.
enum Item<'a> {
    Text(&'a str),
    Lists(&'a [(&'a str, &'a [String])]),
}

impl Item<'_> {
    fn write(&self, text: &mut String) {
        match self {
            Item::Text(value) => text.push_str(&string(value)),
            Item::Lists(lists) => {
                let lists = lists.iter().map(|(name, values)| {
                    let values: String = values.iter().map(|value| string(value)).collect();
                    format!("{}l{values}e", string(name))
                });
                text.push_str(&format!("d{}e", lists.collect::<String>()));
            }
        }
    }
}

fn string(text: &str) -> String {
    format!("{}:{text}", text.len())
}

/// The texts of a flat dictionary; whatever else is in it ends the reading.
fn read(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.strip_prefix('d').unwrap_or_default();
    while let Some((name, after)) = take(rest)
        && let Some((value, after)) = take(after)
    {
        found.insert(name.to_owned(), value.to_owned());
        rest = after;
    }
    found
}

fn take(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    rest.split_at_checked(length.parse().ok()?)
}

/// Its name, as SDP and rtpengine have it.
fn name(format: Format) -> String {
    let codec = format.codec;
    let channels = if format == Format::OPUS { "/2" } else { "" };
    format!("{}/{}{channels}", codec.name(), codec.clock_rate())
}

fn profile(side: &Side) -> &'static str {
    if side.key.is_some() { "RTP/SAVP" } else { "RTP/AVP" }
}

fn description(side: &Side) -> String {
    let Side { address, format, key } = side;
    let crypto = key.as_ref().map(|key| {
        let bytes = STANDARD.encode([key.key(), key.salt()].concat());
        format!("a=crypto:1 {} inline:{bytes}\r\n", key.suite().name())
    });
    let payload_type = format.payload_type;
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {profile} {payload_type}\r\n\
         a=rtpmap:{payload_type} {name}\r\na=ptime:20\r\na=sendrecv\r\n{crypto}",
        profile = profile(side),
        crypto = crypto.unwrap_or_default(),
        ip = address.ip(),
        port = address.port(),
        name = name(*format),
    )
}
