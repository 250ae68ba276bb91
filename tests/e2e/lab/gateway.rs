//! The gateway under test: its settings, its process, and what it says of itself.

use super::net::Net;
use super::program::Program;
use super::wait::{self, seconds};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tandem::sip::digest::Hashes;
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_tandem");
/// The realm of every gateway here.
pub const DOMAIN: &str = "example.net";

/// What goes into `tandem.toml`, beside addresses and ports.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    top: String,
    sip: String,
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    http: String,
    media: String,
    tables: String,
    plan: Option<String>,
}

impl Setup {
    pub fn new() -> Setup {
        Setup::default()
    }

    /// A line before the first section.
    pub fn top(mut self, line: &str) -> Setup {
        self.top += &format!("{line}\n");
        self
    }

    /// A line of the section `[sip]`.
    pub fn sip(mut self, line: &str) -> Setup {
        self.sip += &format!("{line}\n");
        self
    }

    /// A line of the section `[http]`.
    pub fn http(mut self, line: &str) -> Setup {
        self.http += &format!("{line}\n");
        self
    }

    /// A line of the section `[media]`.
    pub fn media(mut self, line: &str) -> Setup {
        self.media += &format!("{line}\n");
        self
    }

    /// One more address for SIP, both over UDP and over TCP.
    pub fn listen(mut self, address: SocketAddr) -> Setup {
        self.udp.push(address);
        self.tcp.push(address);
        self
    }

    pub fn user(mut self, name: &str, password: &str, number: &str) -> Setup {
        self.tables += &format!("[[user]]\nname = \"{name}\"\npassword = \"{password}\"\nnumber = \"{number}\"\n");
        self
    }

    /// A user whose password is kept as an MD5 hash, for programs that know no other digest.
    pub fn user_by_ha1(mut self, name: &str, password: &str) -> Setup {
        let ha1 = Hashes::from_password(name, DOMAIN, password).ha1_md5.expect("a hash of each kind");
        self.tables += &format!("[[user]]\nname = \"{name}\"\nha1 = \"{ha1}\"\n");
        self
    }

    /// The users of most tests.
    pub fn alice_and_bob(self) -> Setup {
        self.user("alice", "wonderland", "+15550100001").user("bob", "builder", "+15550100002")
    }

    /// A trunk known by its address.
    pub fn peer(self, name: &str, host: Ipv4Addr) -> Setup {
        self.trunk(name, &format!("host = \"{host}\""))
    }

    pub fn trunk(mut self, name: &str, lines: &str) -> Setup {
        self.tables += &format!("[[trunk]]\nname = \"{name}\"\n{lines}\n");
        self
    }

    /// The dialplan; without it, the one that is built in.
    pub fn plan(mut self, plan: &str) -> Setup {
        self.plan = Some(plan.to_owned());
        self
    }

    /// Writes the files of a gateway into `folder`.
    pub fn write(&self, net: Net, folder: &Path) {
        self.write_at(net, net.gateway(), folder);
    }

    fn write_at(&self, net: Net, host: Ipv4Addr, folder: &Path) {
        let (first, last) = net.media_ports();
        let own = SocketAddr::from((host, 5060));
        let list = |more: &[SocketAddr]| {
            let all: Vec<String> = std::iter::once(&own).chain(more).map(|address| format!("\"{address}\"")).collect();
            all.join(", ")
        };
        let mut text = self.top.clone();
        if let Some(plan) = &self.plan {
            text += "dialplan = \"plan.toml\"\n";
            std::fs::write(folder.join("plan.toml"), plan).expect("the test's folder can be written");
        }
        text += &format!("[sip]\ndomain = \"{DOMAIN}\"\nudp = [{}]\ntcp = [{}]\n", list(&self.udp), list(&self.tcp));
        text += &self.sip;
        text += &format!("[http]\nlisten = \"{host}:8080\"\n{}", self.http);
        text += &format!("[media]\nports = \"{first}-{last}\"\n");
        text += &self.media;
        text += &self.tables;
        std::fs::write(folder.join("tandem.toml"), text).expect("the test's folder can be written");
    }
}

pub struct Gateway {
    pub net: Net,
    host: Ipv4Addr,
    folder: TempDir,
    process: Program,
}

impl Gateway {
    /// Starts a gateway and waits until it takes calls.
    #[track_caller]
    pub fn start(setup: &Setup) -> Gateway {
        Gateway::start_in(Net::new(), setup)
    }

    #[track_caller]
    pub fn start_in(net: Net, setup: &Setup) -> Gateway {
        Gateway::start_at(net, net.gateway(), setup)
    }

    /// A further gateway of a net, at an address of its own.
    #[track_caller]
    pub fn start_at(net: Net, host: Ipv4Addr, setup: &Setup) -> Gateway {
        let folder = tempfile::tempdir().expect("a folder can be made");
        setup.write_at(net, host, folder.path());
        let process = launch(folder.path());
        let mut gateway = Gateway { net, host, folder, process };
        gateway.await_ready();
        gateway
    }

    /// Starts it again in the same folder, after its process ended.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process = launch(self.folder.path());
        self.await_ready();
    }

    #[track_caller]
    fn await_ready(&mut self) {
        let ready = wait::within(seconds(20), || {
            if !self.process.is_running() {
                return Some(false);
            }
            let (status, _) = self.get("/readyz")?;
            (status == 200).then_some(true)
        });
        assert!(ready == Some(true), "the gateway did not become ready; its log:\n{}", self.log());
    }

    pub fn process(&mut self) -> &mut Program {
        &mut self.process
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its SIP is.
    pub fn sip(&self) -> String {
        self.sip_over("udp")
    }

    pub fn sip_over(&self, transport: &str) -> String {
        format!("{}:{}", self.host, if transport == "tls" { 5061 } else { 5060 })
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A subcommand of `tandem`, with this gateway's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--config").arg("tandem.toml").current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("tandem can be started")
    }

    /// The call records that `tandem cdr` prints, newest last.
    #[track_caller]
    pub fn printed_records(&self) -> Vec<Value> {
        let output = self.cli(&["cdr", "--json", "--last", "1000"]);
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let records = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        records.unwrap_or_else(|error| panic!("tandem cdr: {error}\n{text}\n{errors}"))
    }

    /// A GET without the token: the status and the body.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let answer = agent().get(self.url(path)).call().ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.into_body().read_to_string().ok()?))
    }

    /// A GET of the API.
    #[track_caller]
    pub fn api(&self, path: &str) -> Value {
        let token = std::fs::read_to_string(self.folder.path().join("data/admin.token")).expect("the API has a token");
        let url = self.url(&format!("/api/v1{path}"));
        let answer = agent().get(&url).header("Authorization", format!("Bearer {}", token.trim())).call();
        let mut answer = answer.unwrap_or_else(|error| panic!("{url}: {error}; the gateway's log:\n{}", self.log()));
        assert_eq!(answer.status().as_u16(), 200, "{url}: {:?}", answer.body_mut().read_to_string());
        answer.body_mut().read_json().expect("the API speaks JSON")
    }

    #[track_caller]
    fn list(&self, path: &str, key: &str) -> Vec<Value> {
        self.api(path)[key].as_array().unwrap_or_else(|| panic!("{path} has a list of {key}")).clone()
    }

    #[track_caller]
    pub fn calls(&self) -> Vec<Value> {
        self.list("/calls", "calls")
    }

    /// The conference rooms in which somebody is.
    #[track_caller]
    pub fn rooms(&self) -> Vec<Value> {
        self.list("/rooms", "rooms")
    }

    /// The call records, newest first.
    #[track_caller]
    pub fn cdr(&self) -> Vec<Value> {
        self.list("/cdr?limit=10000", "records")
    }

    #[track_caller]
    pub fn trunk(&self, name: &str) -> Value {
        let trunks = self.list("/trunks", "trunks");
        trunks.into_iter().find(|trunk| trunk["name"] == name).expect("the trunk is configured")
    }

    /// The record that comes to be closed, when there are `count` of them.
    #[track_caller]
    pub fn closed_records(&self, count: usize, limit: Duration) -> Vec<Value> {
        wait::until(&format!("{count} closed call records"), limit, || {
            let records = self.cdr();
            let closed = records.iter().filter(|record| record["state"] != "open").count();
            (closed >= count && closed == records.len()).then_some(records)
        })
    }

    #[track_caller]
    pub fn await_registered(&self, user: &str, contacts: usize) {
        let mut there = 0;
        let came = wait::within(seconds(10), || {
            let all = self.list("/registrations", "registrations");
            there = all.iter().filter(|registration| registration["user"] == user).count();
            (there == contacts).then_some(())
        });
        assert!(came.is_some(), "{there} phones of {user} are registered, not {contacts}; the log:\n{}", self.log());
    }

    /// Waits until so many calls are answered, and no other is up.
    #[track_caller]
    pub fn await_calls(&self, count: usize, limit: Duration) -> Vec<Value> {
        let mut calls = Vec::new();
        let came = wait::within(limit, || {
            calls = self.calls();
            (calls.len() == count && calls.iter().all(|call| call["state"] == "talking")).then_some(())
        });
        assert!(
            came.is_some(),
            "{} calls are up, not {count} that are answered: {calls:#?}\nthe log:\n{}",
            calls.len(),
            self.log()
        );
        calls
    }

    /// A metric without labels, which is always there.
    #[track_caller]
    pub fn gauge(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").expect("the gateway answers");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("there is no metric {name}:\n{text}"))
    }

    /// The sum of a metric over its labels, or of those whose line has `label` in it.
    #[track_caller]
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let (status, text) = self.get("/metrics").expect("the gateway answers");
        assert_eq!(status, 200);
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| line.contains(label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// How many files and sockets the process has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.pid())).map_or(0, Iterator::count)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}:8080{path}", self.host)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log());
        }
    }
}

/// Starts `tandem run` in a folder, without waiting for it.
#[track_caller]
pub fn launch(folder: &Path) -> Program {
    let mut command = Command::new(BINARY);
    command.args(["run", "--config", "tandem.toml"]).current_dir(folder);
    Program::start(command, log_of(folder))
}

pub fn log_of(folder: &Path) -> PathBuf {
    folder.join("gateway.log")
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(seconds(10))).build().into()
}
