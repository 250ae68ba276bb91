//! The switch in virtual time, its peers, its workers and its books.

use crate::books::Books;
use crate::dns::Dns;
use crate::expect::leak;
use crate::mailbox::Mailbox;
use crate::peer::Peer;
use crate::ports::Ports;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::{Now, Time, Wall};
use tandem::call::account::forwarding::Forwarding;
use tandem::call::account::{Account, Accounts};
use tandem::call::io::{Input, Output, Ticket};
use tandem::call::switch::Switch;
use tandem::config::settings::{Settings, Trunk, TrunkCredentials};
use tandem::dialplan::change::Change;
use tandem::dialplan::directory::PlanUser;
use tandem::dialplan::plan::{Plan, PlanContext};
use tandem::media::command::{Command, RoomId, Source};
use tandem::sip::agent::ClientId;
use tandem::sip::digest::Hashes;
use tandem::sip::flow::{Flow, Kind, Transmit, Transport};
use tandem::sip::locate::{Address, Located, Target};
use tandem::wire::sip::Message;
use tandem_codecs::Codec;

pub const REALM: &str = "tandem.local";
const OURS: [&str; 2] = ["192.0.2.1:5060", "[2001:db8::1]:5060"];
/// Everyone who may appear; none of the addresses is the beginning of another.
const PEERS: [(&str, &str, Transport); 19] = [
    ("alice", "192.0.2.11:5060", Transport::Udp),
    ("alice2", "192.0.2.12:5060", Transport::Udp),
    ("bob", "192.0.2.21:5060", Transport::Udp),
    ("bob2", "192.0.2.22:5060", Transport::Udp),
    ("bob3", "192.0.2.23:5060", Transport::Udp),
    ("carol", "192.0.2.31:5060", Transport::Udp),
    ("dora", "[2001:db8::d]:5060", Transport::Udp),
    ("emil", "192.0.2.41:40001", Transport::Tcp),
    // Where he listens for datagrams.
    ("emil2", "192.0.2.41:5060", Transport::Udp),
    ("acme", "198.51.100.11:5060", Transport::Udp),
    // Further servers of acme.
    ("acme2", "198.51.100.21:5060", Transport::Udp),
    ("acme3", "198.51.100.22:5060", Transport::Udp),
    ("acme4", "198.51.100.23:5060", Transport::Tcp),
    ("globex", "198.51.100.12:5080", Transport::Udp),
    ("gamma", "198.51.100.13:5061", Transport::Tls),
    // Whose connections end at a proxy on acme's machine, or who forges its address.
    ("browser", "198.51.100.11:40002", Transport::Ws),
    ("forger", "198.51.100.11:40003", Transport::Udp),
    ("sixth", "[2001:db8::6]:5060", Transport::Udp),
    ("stranger", "203.0.113.9:5060", Transport::Udp),
];
const START: Wall = Wall::from_micros(1_780_000_000_000_000);

/// What a ladder may want otherwise.
#[derive(Clone)]
pub struct Setting {
    pub settings: Settings,
    pub plan: String,
    /// Records of DNS, a line each.
    pub dns: String,
}

impl Default for Setting {
    fn default() -> Setting {
        let mut settings = Settings::default();
        settings.sip.domain = REALM.to_owned();
        settings.sip.udp = OURS.iter().map(|text| text.parse().expect("an address")).collect();
        settings.sip.tcp.clone_from(&settings.sip.udp);
        settings.media.codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
        settings.sip.options_interval = Duration::ZERO;
        settings.sip.session_expires = Duration::ZERO;
        settings.sip.dialog_interval = Duration::ZERO;
        settings.trunks = vec![trunk("acme", "198.51.100.11", None), trunk("globex", "198.51.100.12", Some(5080))];
        Setting { settings, plan: PLAN.to_owned(), dns: String::new() }
    }
}

impl Setting {
    pub fn trunk(&mut self, name: &str) -> &mut Trunk {
        self.settings.trunks.iter_mut().find(|trunk| trunk.name == name).expect("a trunk")
    }

    /// Registers with acme as 4711.
    pub fn account_at_acme(&mut self) {
        let credentials = TrunkCredentials { username: "4711".to_owned(), password: "acme-password".to_owned() };
        self.trunk("acme").credentials = Some(credentials);
    }
}

pub fn trunk(name: &str, host: &str, port: Option<u16>) -> Trunk {
    Trunk { port, ..Trunk::named(name, host) }
}

/// `alice` and `emil` have numbers, `carol`'s password is kept as an MD5 hash only.
const PLAN: &str = r#"
[[rule]]
name = "Echo"
number = "*43"
to = [{ echo = true }]

[[rule]]
name = "Announcement"
number = "*60"
to = [{ play = "closed.wav" }]

[[rule]]
name = "Pick-up"
regex = "\\*\\*(.+)"
to = [{ pickup = "{1}" }]

[[rule]]
name = "Group pick-up"
number = "*8"
to = [{ pickup = "bob" }, { pickup = "carol" }]

[[rule]]
name = "Music"
number = "*61"
to = [{ play = "music.wav", repeat = true }]

[[rule]]
name = "Barred"
number = "*66"
to = [{ reject = 603, reason = "Not from here" }]

[[rule]]
name = "Shown as the office"
number = "*7N"
caller = "+15550199999"
to = [{ user = "bob" }]

[[rule]]
name = "Bob, then carol"
number = "*80"
to = [{ user = "bob" }, { user = "carol" }]

[[rule]]
name = "Doorbell"
from = ["strangers"]
number = "doorbell"
to = [{ user = "bob" }]

[[rule]]
name = "People"
from = ["users", "trunks"]
dialled = "user"
to = [{ user = "{user}" }]

[[rule]]
name = "One way"
number = "+1555019."
to = [{ trunk = "acme" }]

[[rule]]
name = "Not found leads on"
number = "+1555018."
to = [{ trunk = "acme", next_on = [404] }, { trunk = "globex" }]

[[rule]]
name = "Out"
number = "+."
to = [{ trunk = "acme" }, { trunk = "globex" }]
"#;

fn accounts() -> Vec<Account> {
    let numbers = [("alice", Some("+15550100001"), Some("Alice")), ("bob", None, None), ("carol", None, None)];
    let more = [("dora", None, None), ("emil", None, None)];
    let account = |(name, number, display): (&str, Option<&str>, Option<&str>)| {
        let mut hashes = Hashes::from_password(name, REALM, &format!("{name}-password"));
        if name == "carol" {
            hashes.ha1_sha256 = None;
        }
        Account {
            name: name.to_owned(),
            number: number.map(str::to_owned),
            country: None,
            display_name: display.map(str::to_owned),
            hashes,
            forwarding: Forwarding::default(),
        }
    };
    numbers.into_iter().chain(more).map(account).collect()
}

/// A gateway that has just started.
fn switch(setting: &Setting, now: Now) -> Switch {
    let settings = Arc::new(setting.settings.clone());
    let mut context = PlanContext::of(&settings);
    context.users = accounts()
        .into_iter()
        .map(|account| PlanUser { name: account.name, number: account.number, country: account.country })
        .collect();
    let plan = Plan::parse(&[("plan.toml".to_owned(), setting.plan.clone())], &context)
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    let accounts = Arc::new(Accounts::new(accounts()));
    Switch::new(settings, Arc::new(plan), accounts, Chance::from_number(7), 2, now)
}

pub struct World {
    setting: Setting,
    pub switch: Switch,
    pub time: Time,
    pub peers: Vec<Peer>,
    pub ports: Ports,
    pub books: Books,
    pub mailbox: Mailbox,
    pub files: VecDeque<(Ticket, String)>,
    /// Orders of this kind find the ring full, so often.
    pub full: Option<(&'static str, usize)>,
    pub log: Vec<String>,
    pub dns: Dns,
    /// What each peer was described before its last message.
    pub before: BTreeMap<String, Bytes>,
    /// Connections that are closed.
    gone: HashSet<Flow>,
    /// Requests that went by connections.
    requests: Vec<(Flow, ClientId)>,
    inputs: VecDeque<Input>,
    /// The worker that each conference room is on.
    homes: HashMap<RoomId, usize>,
}

impl World {
    pub fn new(setting: &Setting) -> World {
        let now = Now::simulated(Time::from_millis(1_000), START);
        let switch = switch(setting, now);
        let peers = PEERS.into_iter().map(|(name, remote, transport)| {
            let remote: SocketAddr = remote.parse().expect("an address");
            let local = OURS[usize::from(remote.is_ipv6())].parse().expect("an address");
            Peer::new(name, local, remote, transport)
        });
        let mut world = World {
            setting: setting.clone(),
            switch,
            time: now.time,
            peers: peers.collect(),
            ports: Ports::default(),
            books: Books::default(),
            mailbox: Mailbox::default(),
            files: VecDeque::new(),
            full: None,
            log: Vec::new(),
            dns: Dns::default(),
            before: BTreeMap::new(),
            gone: HashSet::new(),
            requests: Vec::new(),
            inputs: VecDeque::new(),
            homes: HashMap::new(),
        };
        for line in setting.dns.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if !words.is_empty() {
                world.dns.add(&words);
            }
        }
        world.feed(Input::Timeout);
        world
    }

    pub fn now(&self) -> Now {
        Now::simulated(self.time, START)
    }

    pub fn peer(&mut self, name: &str) -> &mut Peer {
        let found = self.peers.iter_mut().find(|peer| peer.name == name);
        found.unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    /// Hands the switch an input, and carries out what it says to it.
    pub fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let now = self.now();
            self.switch.handle(now, input);
            while let Some(output) = self.switch.poll_output() {
                self.carry_out(output);
            }
        }
    }

    /// A user is removed, or added again, over the API.
    pub fn user(&mut self, name: &str, is_one: bool) {
        let account = accounts().into_iter().find(|account| is_one && account.name == name);
        self.feed(Input::User { name: name.to_owned(), account: account.map(Box::new) });
    }

    /// A user changes a setting over the API.
    pub fn change(&mut self, name: &str, change: &Change) {
        let mut account = self.switch.accounts().by_name(name).expect("a user").clone();
        account.forwarding = account.forwarding.with(change);
        self.feed(Input::User { name: name.to_owned(), account: Some(Box::new(account)) });
    }

    /// The configuration is read again; the plan is as before.
    pub fn reload(&mut self, change: impl FnOnce(&mut Setting)) {
        change(&mut self.setting);
        let (settings, plan) = (Arc::new(self.setting.settings.clone()), Arc::clone(self.switch.plan()));
        self.feed(Input::Accounts(Arc::clone(self.switch.accounts())));
        self.feed(Input::Reload { settings, plan });
    }

    /// The gateway dies and starts again, with nothing left but its store.
    pub fn restart(&mut self) {
        self.switch = switch(&self.setting, self.now());
        self.feed(Input::Post(self.mailbox.census()));
        self.feed(Input::Timeout);
    }

    pub fn say(&mut self, name: &str, bytes: Bytes) {
        let (flow, message) = (self.peer(name).flow, Message::parse(bytes.clone()).expect("a message of a peer"));
        self.gone.remove(&flow);
        self.note(format!("{name} -> tandem  {}", summary(&message)));
        self.feed(Input::Received { flow, bytes });
    }

    pub fn pass(&mut self, span: Duration) {
        let end = self.time + span;
        while let Some(next) = self.switch.poll_timeout().filter(|&next| next <= end) {
            assert!(next > self.time || self.switch.poll_timeout() == Some(next), "time stands still");
            self.time = self.time.max(next);
            self.feed(Input::Timeout);
            assert!(self.switch.poll_timeout().is_none_or(|after| after > self.time), "a timer that doesn't go off");
        }
        self.time = end;
    }

    pub fn note(&mut self, text: String) {
        self.log.push(format!("{:>9} ms  {text}", self.time.millis() - 1_000));
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send(transmit) => self.send(transmit),
            Output::Media { worker, command } => self.order(worker, command),
            Output::Record(record) => self.books.keep(*record),
            Output::Load { ticket, file } => {
                self.note(format!("          file {file} is wanted"));
                self.files.push_back((ticket, file));
            }
            Output::Locate { ticket, target } => {
                let result = self.locate(&target);
                self.inputs.push_back(Input::Located { ticket, result });
            }
            Output::Keep { ticket, user, forwarding } => {
                self.note(format!("          kept for {user}: {forwarding:?}"));
                let result = if self.mailbox.failing { Err("the disk is full".to_owned()) } else { Ok(()) };
                self.inputs.push_back(Input::Kept { ticket, result });
            }
            Output::Post(order) => self.inputs.extend(self.mailbox.obey(order).map(Input::Post)),
            Output::Tape(reel) => self.note(format!("          tape {}", reel.file)),
            Output::EndTape { folder } => self.note(format!("          end of tape {folder}")),
            Output::Notice(notice) => self.note(format!("          {notice:?}")),
        }
    }

    /// Over a connection, if that is what it takes.
    fn send(&mut self, Transmit { flow, bytes, kind }: Transmit) {
        let is_gone = |flow: &Flow| self.gone.contains(flow);
        match kind {
            Kind::Request(id) | Kind::IfOpen(id) if is_gone(&flow) => {
                self.inputs.push_back(Input::Unsent { id, was_open: false });
            }
            Kind::Answer { listens } if is_gone(&flow) => self.deliver(flow.towards(listens), bytes, kind),
            Kind::Plain if is_gone(&flow) => {}
            _ => {
                if flow.transport.is_reliable() {
                    self.requests.extend(kind.transaction().map(|id| (flow, id)));
                }
                self.deliver(flow, bytes, kind);
            }
        }
    }

    /// A peer is away: its host sends the last datagram back, or its connection closes and it takes no other there.
    pub fn lose(&mut self, name: &str) {
        let flow = self.peer(name).flow;
        if !flow.transport.is_reliable() {
            let last = self.peer(name).asked.last().map(|(message, _)| message.raw().clone());
            if let Some(beginning) = last.map(|raw| raw.slice(..raw.len().min(200))) {
                self.feed(Input::Returned { beginning });
            }
            return;
        }
        self.gone.insert(flow);
        self.feed(Input::FlowFailed { flow });
        let (lost, left) = std::mem::take(&mut self.requests).into_iter().partition(|(by, _)| *by == flow);
        self.requests = left;
        let lost: Vec<(Flow, ClientId)> = lost;
        for (_, id) in lost {
            self.feed(Input::Unsent { id, was_open: true });
        }
    }

    /// It takes connections again.
    pub fn listen(&mut self, name: &str) {
        let flow = self.peer(name).flow;
        self.gone.remove(&flow);
    }

    fn deliver(&mut self, flow: Flow, bytes: Bytes, kind: Kind) {
        let message = Message::parse(bytes.clone()).expect("the switch writes what can be read");
        let Some(index) = self.peers.iter().position(|peer| peer.flow == flow) else {
            // What is too large for a datagram is tried by TCP first, which these peers don't take.
            if flow.transport == Transport::Tcp && self.peers.iter().any(|peer| peer.flow.remote == flow.remote) {
                self.inputs.extend(kind.transaction().map(|id| Input::Unsent { id, was_open: false }));
                return;
            }
            panic!("a message to nobody, on {flow:?}:\n{message}");
        };
        let name = self.peers[index].name.clone();
        self.note(format!("tandem -> {name}  {}", summary(&message)));
        message.check().unwrap_or_else(|defect| panic!("the switch writes what is legal: {defect:?}\n{message}"));
        let begins_call = message.is_request() && message.method().as_str() == "INVITE" && {
            let asked = &self.peers[index].asked;
            !asked.iter().any(|(before, _)| before.call_id() == message.call_id())
        };
        assert!(!begins_call || self.books.open() > 0, "a phone rings before there is a record");
        if let Some(described) = self.peers[index].described.clone() {
            self.before.insert(name.clone(), described);
        }
        let said = self.peers[index].receive(message);
        let text = String::from_utf8_lossy(&bytes);
        if let Some(leak) = leak(&text, &self.peers[index], &self.peers) {
            panic!("{leak}:\n{text}");
        }
        if let Some(bytes) = said {
            self.inputs.push_back(Input::Received { flow, bytes });
        }
    }

    fn order(&mut self, worker: usize, command: Command) {
        assert!(worker < 2, "worker {worker}");
        let kind = match &command {
            Command::Open { .. } => "open",
            Command::Configure { .. } => "configure",
            Command::Connect { .. } => "connect",
            Command::Close { .. } => "close",
            Command::Dial { .. } => "dial",
            Command::Tap { .. } | Command::TapRoom { .. } => "other",
        };
        if let Command::Connect { source: Source::Room(seat), .. } = &command {
            let home = *self.homes.entry(seat.room).or_insert(worker);
            assert_eq!(home, worker, "{:?} is on two workers", seat.room);
        }
        if let Some((full, left)) = self.full.as_mut().filter(|(full, left)| *full == kind && *left > 0) {
            *left -= 1;
            self.log.push(format!("              the ring is full for {full}"));
            return self.inputs.push_back(Input::MediaRefused(command));
        }
        if let Some(event) = self.ports.obey(command) {
            self.inputs.push_back(Input::Media(event));
        }
    }

    fn locate(&self, target: &Target) -> Result<Located<Flow>, String> {
        let flow = |Address { transport, remote }| {
            let local = OURS[usize::from(remote.is_ipv6())].parse().expect("an address");
            Some(Flow { transport, local, remote })
        };
        Ok(self.dns.locate(target)?.filter_map(flow))
    }
}

/// `INVITE sip:bob@…`, `200 OK INVITE`.
pub fn summary(message: &Message) -> String {
    let what = match message.is_request() {
        true => format!("{} {}", message.method(), message.request_uri()),
        false => format!("{} {} {}", message.status(), message.reason_phrase(), message.method()),
    };
    let body = if message.body().is_empty() { "" } else { " +body" };
    format!("{what}{body}")
}
