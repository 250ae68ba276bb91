//! Sequences of operations on the switch: requests and answers built from templates, damaged or not, with and without the
//! right credentials, news of media workers, time, and the operator's orders. Nothing panics, everything that is sent is
//! legal, and when all calls are ended nothing is left of them.

use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::{Now, Time, Wall};
use tandem::call::account::forwarding::Forwarding;
use tandem::call::account::{Account, Accounts};
use tandem::call::io::{Input, Output, Ticket};
use tandem::call::letter::{Letter, LetterId, PostNews, PostOrder};
use tandem::call::switch::Switch;
use tandem::config::problem::Problems;
use tandem::config::settings::Settings;
use tandem::config::{document, reading};
use tandem::dialplan::directory::PlanUser;
use tandem::dialplan::plan::{Plan, PlanContext};
use tandem::media::command::{Clip, Command, Event, PortId, Report};
use tandem::sip::digest::{ClientCredentials, Hashes, answer};
use tandem::sip::flow::{Flow, Transport};
use tandem::sip::locate::Located;
use tandem::wire::sip::{Message, Method, Name, Writer};

const SETTINGS: &str = r#"
[sip]
domain = "tandem.test"
udp = ["192.0.2.1:5060"]
tcp = ["192.0.2.1:5060"]
options_interval = "30s"

[limits]
calls = 6
contacts = 2

[[trunk]]
name = "acme"
host = "198.51.100.11"
username = "4711"
password = "x"
register = true
"#;

const PLAN: &str = r#"
[[rule]]
name = "Echo"
number = "*43"
to = [{ echo = true }]

[[rule]]
name = "Music"
number = "*61"
to = [{ play = "music.wav", repeat = true }]

[[rule]]
name = "Forward"
from = ["users"]
number = "*72."
to = [{ forward = "always", number = "{1}" }]

[[rule]]
name = "Quiet"
from = ["users"]
number = "*78"
to = [{ do_not_disturb = true }]

[[rule]]
name = "Pick up"
from = ["users"]
regex = "\\*\\*(.+)"
to = [{ pickup = "{1}" }]

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
name = "Out"
number = "+."
to = [{ trunk = "acme" }]
"#;

const WALL: Wall = Wall::from_micros(1_780_000_000_000_000);
const PEERS: [(&str, &str, Transport); 5] = [
    ("alice", "192.0.2.11:5060", Transport::Udp),
    ("bob", "192.0.2.21:5060", Transport::Udp),
    ("acme", "198.51.100.11:5060", Transport::Udp),
    ("mallory", "203.0.113.9:5060", Transport::Udp),
    ("carol", "192.0.2.31:40001", Transport::Tcp),
];
const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const METHODS: [&str; 16] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "UPDATE",
    "PRACK",
    "INFO",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "PUBLISH",
    "MESSAGE",
    "INVITE",
    "FROB",
];
const TARGETS: [&str; 12] = [
    "bob",
    "alice",
    "*43",
    "*61",
    "+15550100",
    "doorbell",
    "nobody",
    "carol",
    "*72+15550101",
    "*78",
    "**bob",
    "**carol",
];
const STATUSES: [u16; 24] = [
    100, 180, 183, 200, 200, 200, 202, 302, 401, 407, 408, 481, 486, 491, 503, 603, 181, 199, 420, 422, 423, 488, 500,
    305,
];
/// `@` stands for a dialog of another peer, as Replaces names it.
const HEADERS: [&str; 32] = [
    "Supported: 100rel, timer, replaces, path, outbound, gruu",
    "Require: 100rel",
    "Session-Expires: 90;refresher=uas",
    "RSeq: 1",
    "RAck: 1 1 INVITE",
    "Replaces: a@b;to-tag=1;from-tag=2",
    "Refer-To: <sip:bob@tandem.test>",
    "Event: presence",
    "Expires: 0",
    "Path: <sip:192.0.2.99;lr;ob>",
    "Contact: *",
    "Contact: <sip:x@192.0.2.11>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"",
    "Privacy: id",
    "Diversion: <sip:bob@tandem.test>;reason=unconditional",
    "Max-Forwards: 1",
    "Record-Route: <sip:192.0.2.99;lr>",
    "Replaces: @",
    "Refer-To: <sip:bob@tandem.test?Replaces=@>",
    "Event: dialog",
    "Event: refer",
    "Event: reg",
    "Event: message-summary",
    "Subscription-State: terminated",
    "Session-Expires: 1800;refresher=uac",
    "Min-SE: 3600",
    "Require: timer, replaces",
    "Expires: 600",
    "Retry-After: 1",
    "Refer-Sub: false",
    "History-Info: <sip:bob@tandem.test>;index=1, <sip:carol@tandem.test>;index=1.1",
    "SIP-If-Match: 1",
    "Contact: <sip:y@198.51.100.12>, <sip:+15550101@198.51.100.11>;q=0.1",
];
const SDP: [&str; 7] = [
    "v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    "v=0\r\no=- 1 2 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n",
    "v=0\r\no=- 1 3 IN IP4 192.0.2.11\r\ns=-\r\nt=0 0\r\nm=video 6000 RTP/AVP 96\r\nc=IN IP4 192.0.2.11\r\na=rtpmap:96 H264/90000\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 192.0.2.11\r\n",
    "v=0\r\n",
    "v=0\r\no=- 1 4 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=inactive\r\nm=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n",
    "v=0\r\no=- 1 5 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\nm=audio 4002 RTP/SAVP 0\r\nm=text 4004 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n",
    "v=0\r\no=- 2 6 IN IP6 2001:db8::7\r\ns=-\r\nc=IN IP6 2001:db8::7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 96 9\r\na=rtpmap:96 opus/48000/2\r\na=rtcp-mux\r\n",
];

/// How many operations one input may ask for.
const OPERATIONS: usize = 200;

pub fn run(bytes: &[u8]) {
    let mut bench = Bench::new();
    let mut deeds = Deeds(bytes);
    for _ in 0..OPERATIONS {
        let Some(deed) = deeds.byte() else { break };
        bench.act(deed, &mut deeds);
    }
    bench.close();
}

/// What the fuzzer wants, byte by byte; zeros where it says no more.
struct Deeds<'a>(&'a [u8]);

impl<'a> Deeds<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> usize {
        usize::from(self.byte().unwrap_or(0))
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.number() % all.len()]
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

struct Bench {
    switch: Switch,
    time: Time,
    settings: Arc<Settings>,
    plan: Arc<Plan>,
    /// What was sent to each peer last: requests and answers.
    requests: Vec<VecDeque<Message>>,
    answers: Vec<VecDeque<Message>>,
    /// What each peer sent last.
    said: Vec<Option<Message>>,
    ports: Vec<PortId>,
    tickets: Vec<Ticket>,
    records: Vec<String>,
    /// Texts that the store keeps.
    letters: Vec<(LetterId, Letter)>,
    /// Whether names are found, and the store keeps what it is given.
    world_fails: bool,
    /// Orders that a worker has yet to answer.
    orders: VecDeque<Command>,
    count: usize,
}

impl Bench {
    fn new() -> Bench {
        let (settings, plan) = read_once();
        let now = Now::simulated(Time::from_millis(1_000), WALL);
        let (chance, accounts) = (Chance::from_number(7), Arc::new(accounts(&NAMES)));
        let switch = Switch::new(Arc::clone(&settings), Arc::clone(&plan), accounts, chance, 1, now);
        let mut bench = Bench {
            switch,
            time: now.time,
            settings,
            plan,
            requests: vec![VecDeque::new(); PEERS.len()],
            answers: vec![VecDeque::new(); PEERS.len()],
            said: vec![None; PEERS.len()],
            ports: Vec::new(),
            tickets: Vec::new(),
            records: Vec::new(),
            letters: Vec::new(),
            world_fails: false,
            orders: VecDeque::new(),
            count: 0,
        };
        bench.feed(Input::Timeout);
        bench
    }

    fn act(&mut self, deed: u8, deeds: &mut Deeds<'_>) {
        match deed % 24 {
            0..=6 => self.request(deeds),
            7..=11 => self.answer(deeds),
            12..=14 => self.obey(deeds),
            15 | 16 => self.pass(Duration::from_millis(1 << (deeds.number() % 18))),
            17 => self.damaged(deeds),
            18 => self.again(deeds),
            19 => self.media(deeds),
            20 => {
                let flow = flow(deeds.number());
                self.feed(Input::FlowFailed { flow });
            }
            21 => self.world(deeds),
            22 => {
                let lag = Duration::from_millis(1 << (deeds.number() % 12));
                self.feed(Input::Load { lag });
            }
            _ => self.operator(deeds),
        }
    }

    fn request(&mut self, deeds: &mut Deeds<'_>) {
        let (peer, method, how) = (deeds.number() % PEERS.len(), deeds.of(&METHODS), deeds.number());
        let bytes = self.compose(peer, method, how, deeds);
        self.say(peer, bytes);
    }

    /// A request outside a dialog, or in the one of what was said last.
    fn compose(&mut self, peer: usize, method: &str, how: usize, deeds: &mut Deeds<'_>) -> Bytes {
        self.count += 1;
        let (name, address, transport) = PEERS[peer];
        let target = deeds.of(&TARGETS);
        let mut uri =
            if method == "REGISTER" { "sip:tandem.test".to_owned() } else { format!("sip:{target}@tandem.test") };
        let mut call_id = format!("call{}", self.count);
        let mut from = format!("<sip:{name}@tandem.test>;tag=f{}", self.count);
        let mut to = if method == "REGISTER" { format!("<sip:{name}@tandem.test>") } else { format!("<{uri}>") };
        let mut number = u32::try_from(self.count).unwrap_or(1);
        let mut branch = format!("z9hG4bK{}", self.count);
        if how & 1 == 1 {
            let texts = |from: &Message, to: &Message, one: Name, other: Name| {
                (from.header(one).unwrap_or_default().to_owned(), to.header(other).unwrap_or_default().to_owned())
            };
            let own = (self.said[peer].as_ref(), self.answers[peer].back());
            if let (2, Some(asked)) = (how & 2, self.requests[peer].back()) {
                call_id = asked.call_id().to_owned();
                (from, to) = texts(asked, asked, Name::To, Name::From);
                if !from.contains(";tag=") {
                    from.push_str(";tag=callee");
                }
                uri = "sip:x@192.0.2.1".to_owned();
            } else if let (Some(said), Some(answer)) = own {
                call_id = said.call_id().to_owned();
                let to_of = if matches!(method, "CANCEL") { said } else { answer };
                (from, to) = texts(said, to_of, Name::From, Name::To);
                if matches!(method, "ACK" | "CANCEL") {
                    number = said.cseq().map_or(number, |cseq| cseq.number);
                }
                if method == "CANCEL" || (method == "ACK" && answer.status() >= 300) {
                    branch = said.top_via().ok().and_then(|via| via.branch().map(str::to_owned)).unwrap_or(branch);
                }
                uri = said.request_uri().to_owned();
            }
        }
        let mut writer = Writer::request(&Method::parse(method).expect("a method"), &uri);
        writer.header(Name::Via, format!("SIP/2.0/{} {address};branch={branch};rport", transport.as_str()));
        writer.header(Name::From, from).header(Name::To, to).header(Name::CallId, call_id);
        writer.header(Name::CSeq, format!("{number} {method}"));
        let acknowledged =
            self.answers[peer].iter().rev().find_map(|answer| answer.header(Name::RSeq).zip(answer.cseq().ok()));
        if let ("PRACK", Some((rseq, cseq))) = (method, acknowledged) {
            writer.header(Name::RAck, format!("{rseq} {} {}", cseq.number, cseq.method));
        }
        if how & 4 == 4 {
            self.sign(&mut writer, peer, method, &uri, how);
        }
        self.finish(writer, peer, how, deeds)
    }

    /// The last dialog that another peer has with us, as Replaces names it (RFC 3891 §6.1).
    fn dialog_beside(&self, peer: usize) -> String {
        let answers = (1..PEERS.len()).filter_map(|step| self.answers[(peer + step) % PEERS.len()].back());
        let mut dialogs = answers.filter_map(|answer| {
            let (to, from) = (answer.to().ok()?.tag()?.to_owned(), answer.from().ok()?.tag()?.to_owned());
            Some(format!("{}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}", answer.call_id()))
        });
        dialogs.next().unwrap_or_default()
    }

    fn finish(&self, mut writer: Writer, peer: usize, how: usize, deeds: &mut Deeds<'_>) -> Bytes {
        let mut has_contact = false;
        for _ in 0..how >> 4 & 3 {
            let (name, value) = deeds.of(&HEADERS).split_once(": ").expect("a header");
            has_contact |= name == "Contact";
            if !value.contains('@') || !matches!(name, "Replaces" | "Refer-To") {
                writer.header_named(name, value);
                continue;
            }
            let dialog = self.dialog_beside(peer);
            match name {
                "Replaces" => {
                    writer.header_named(name, value.replace('@', &dialog.replace("%3B", ";").replace("%3D", "=")))
                }
                _ => writer.header_named(name, value.replace("=@", &format!("={dialog}"))),
            };
        }
        if !has_contact {
            writer.header(Name::Contact, format!("<sip:x@{}>", PEERS[peer].1));
        }
        if how & 128 == 128 {
            writer.body("application/sdp", deeds.of(&SDP).as_bytes());
        }
        writer.finish()
    }

    /// With the right password, or another.
    fn sign(&self, writer: &mut Writer, peer: usize, method: &str, uri: &str, how: usize) {
        let mut challenged = self.answers[peer].iter().rev().filter(|answer| answer.status() == 401);
        let Some(challenge) = challenged.next() else { return };
        let fields = challenge.fields().filter(|field| field.kind() == Name::WwwAuthenticate);
        let challenges: Vec<&str> = fields.map(|field| field.value()).collect();
        let password = if how & 8 == 8 { "guess" } else { PEERS[peer].0 };
        let credentials =
            ClientCredentials { username: PEERS[peer].0.to_owned(), password: password.to_owned(), realm: None };
        let count = u32::try_from(self.count).unwrap_or(1);
        if let Ok(value) = answer(challenges.into_iter(), &credentials, method, uri, b"", count, "c") {
            writer.header(Name::Authorization, value);
        }
    }

    /// An answer to one of the last requests that went to a peer.
    fn answer(&mut self, deeds: &mut Deeds<'_>) {
        let (peer, back, how) = (deeds.number() % PEERS.len(), deeds.number() % 3, deeds.number());
        let status = deeds.of(&STATUSES);
        let asked = &self.requests[peer];
        let Some(request) = asked.len().checked_sub(1 + back).and_then(|at| asked.get(at)) else { return };
        let tag = ["callee", "fork"][how >> 6 & 1];
        let mut writer = Writer::reply_to(request, status, "", (status > 100).then_some(tag));
        if matches!(status, 401 | 407) {
            let name = if status == 401 { Name::WwwAuthenticate } else { Name::ProxyAuthenticate };
            writer.header(name, format!("Digest realm=\"r\", nonce=\"{back}\", qop=\"auth\", algorithm=MD5"));
        }
        let bytes = self.finish(writer, peer, how, deeds);
        self.say(peer, bytes);
    }

    /// What was said last, with some bytes changed.
    fn damaged(&mut self, deeds: &mut Deeds<'_>) {
        let peer = deeds.number() % PEERS.len();
        let how = deeds.number();
        let method = deeds.of(&METHODS);
        let mut bytes = self.compose(peer, method, how, deeds).to_vec();
        for _ in 0..1 + how % 4 {
            let at = (deeds.number() << 8 | deeds.number()) % bytes.len();
            bytes[at] = deeds.byte().unwrap_or(b'\n');
        }
        let more = deeds.number() % 32;
        bytes.extend(deeds.bytes(more));
        self.feed(Input::Received { flow: flow(peer), bytes: bytes.into() });
    }

    fn again(&mut self, deeds: &mut Deeds<'_>) {
        let peer = deeds.number() % PEERS.len();
        if let Some(message) = &self.said[peer] {
            let bytes = message.raw().clone();
            // It may come by another way as well.
            let on = if deeds.number().is_multiple_of(4) { deeds.number() } else { peer };
            self.feed(Input::Received { flow: flow(on), bytes });
        }
    }

    fn say(&mut self, peer: usize, bytes: Bytes) {
        self.said[peer] = Message::parse(bytes.clone()).ok().filter(Message::is_request).or(self.said[peer].take());
        self.feed(Input::Received { flow: flow(peer), bytes });
    }

    /// A worker carries an order out, or can't.
    fn obey(&mut self, deeds: &mut Deeds<'_>) {
        let Some(command) = self.orders.pop_front() else { return };
        let fails = deeds.number().is_multiple_of(16);
        self.carry_out(command, fails);
    }

    fn carry_out(&mut self, command: Command, fails: bool) {
        if fails {
            return self.feed(Input::MediaRefused(command));
        }
        match command {
            Command::Open { port, .. } => {
                self.ports.push(port);
                let number = 20_000 + 2 * u16::try_from(self.ports.len()).unwrap_or(0);
                self.feed(Input::Media(Event::Opened { port, number }));
            }
            Command::Close { port } => self.feed(Input::Media(Event::Closed { port, report: Report::default() })),
            _ => {}
        }
    }

    /// News that nobody asked for.
    fn media(&mut self, deeds: &mut Deeds<'_>) {
        let index = deeds.number();
        let Some(&port) = self.ports.get(index % self.ports.len().max(1)) else { return };
        let event = match deeds.number() % 9 {
            0 => Event::Silent { port, since: Time::from_millis(1) },
            1 => Event::Finished { port },
            2 => Event::Learnt { port, source: "192.0.2.77:4000".parse().expect("an address") },
            3 => Event::Digit { port, digit: '5', duration: Duration::from_millis(100) },
            4 => Event::OpenFailed { port, why: "late".to_owned() },
            5 => Event::Heard { port },
            6 => Event::Unheard { port, since: Time::from_millis(1) },
            7 => Event::Quality { port, report: Report { received_packets: 7, ..Report::default() } },
            _ => Event::Opened { port, number: 30_000 },
        };
        self.feed(Input::Media(event));
    }

    /// Answers to questions to the world.
    fn world(&mut self, deeds: &mut Deeds<'_>) {
        let Some(ticket) = self.tickets.pop() else { return };
        let result = match deeds.number() % 2 {
            0 => Ok(Arc::new(Clip { rate: 8_000, samples: vec![0; 160] })),
            _ => Err("no such file".to_owned()),
        };
        self.feed(Input::Loaded { ticket, result });
    }

    fn operator(&mut self, deeds: &mut Deeds<'_>) {
        let input = match deeds.number() % 8 {
            0 => match self.records.last() {
                Some(id) => Input::HangUp { id: id.clone() },
                None => Input::Timeout,
            },
            1 => Input::Accounts(Arc::new(accounts(&["alice", "carol"]))),
            2 => Input::Accounts(Arc::new(accounts(&NAMES))),
            3 => Input::Reload { settings: Arc::clone(&self.settings), plan: Arc::clone(&self.plan) },
            4 => Input::RecordsFailing { why: deeds.number().is_multiple_of(2).then(|| "full".to_owned()) },
            5 => Input::EndAll,
            6 => Input::Drain,
            _ => {
                self.world_fails = !self.world_fails;
                return;
            }
        };
        self.feed(input);
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.switch.handle(Now::simulated(self.time, WALL), input);
            while let Some(output) = self.switch.poll_output() {
                match output {
                    Output::Send(transmit) => self.sent(transmit.flow, transmit.bytes),
                    Output::Media { command, .. } => self.orders.push_back(command),
                    Output::Record(record) => self.records.push(record.id),
                    Output::Load { ticket, .. } => self.tickets.push(ticket),
                    Output::Keep { ticket, .. } => {
                        inputs.push_back(Input::Kept { ticket, result: self.unless_failing(()) })
                    }
                    Output::Locate { ticket, .. } => {
                        let found = Located::only(flow(2), Duration::from_secs(60));
                        inputs.push_back(Input::Located { ticket, result: self.unless_failing(found) });
                    }
                    Output::Post(order) => inputs.extend(self.post(order).map(Input::Post)),
                    Output::Notice(_) | Output::Tape(_) | Output::EndTape { .. } => {}
                }
            }
        }
    }

    fn unless_failing<T>(&self, value: T) -> Result<T, String> {
        if self.world_fails { Err("not today".to_owned()) } else { Ok(value) }
    }

    /// What the store says to an order.
    fn post(&mut self, order: PostOrder) -> Option<PostNews> {
        match order {
            PostOrder::Keep { ticket, letter } => {
                let id = LetterId(self.letters.last().map_or(1, |(id, _)| id.0 + 1));
                let result = self.unless_failing(id);
                self.letters.extend(result.is_ok().then_some((id, *letter)));
                Some(PostNews::Kept { ticket, result })
            }
            PostOrder::Fetch { ticket, user, after, limit, .. } => {
                let of_user = self.letters.iter().filter(|(id, letter)| *id > after && letter.to == user);
                let result = self.unless_failing(of_user.take(limit).cloned().collect());
                Some(PostNews::Fetched { ticket, result })
            }
            PostOrder::Discard { id } => {
                self.letters.retain(|(other, _)| *other != id);
                None
            }
            PostOrder::Forget { user } => {
                self.letters.retain(|(_, letter)| letter.to != user);
                None
            }
            PostOrder::Expire { .. } => Some(PostNews::Expired(Vec::new())),
        }
    }

    fn sent(&mut self, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes).expect("what is sent can be read");
        let Some(peer) = PEERS.iter().position(|(_, address, _)| is(flow.remote, address)) else { return };
        let list = if message.is_request() { &mut self.requests[peer] } else { &mut self.answers[peer] };
        if message.is_request() {
            message.check().expect("a request of ours is legal");
        }
        list.push_back(message);
        if list.len() > 8 {
            list.pop_front();
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.time + span;
        let mut rounds = 0;
        while let Some(next) = self.switch.poll_timeout().filter(|&next| next <= end) {
            rounds += 1;
            assert!(rounds < 100_000, "time stands still");
            self.time = self.time.max(next);
            self.feed(Input::Timeout);
        }
        self.time = end;
    }

    /// All calls end, workers do what they owe, and nothing is left.
    fn close(&mut self) {
        self.feed(Input::EndAll);
        for _ in 0..20 {
            let counts = self.switch.counts();
            if (counts.calls, counts.sessions, counts.ports) == (0, 0, 0) {
                break;
            }
            while let Some(command) = self.orders.pop_front() {
                self.carry_out(command, false);
            }
            while let Some(ticket) = self.tickets.pop() {
                self.feed(Input::Loaded { ticket, result: Err("closed".to_owned()) });
            }
            self.pass(Duration::from_secs(60));
        }
        let counts = self.switch.counts();
        assert_eq!((counts.calls, counts.sessions, counts.ports), (0, 0, 0), "{counts:?}");
    }
}

/// Settings and plan are the same each time, and cost more than a whole input.
fn read_once() -> (Arc<Settings>, Arc<Plan>) {
    static READ: OnceLock<(Arc<Settings>, Arc<Plan>)> = OnceLock::new();
    READ.get_or_init(|| {
        let problems = Problems::default();
        let settings = reading::settings(&document::parse("fuzz.toml", SETTINGS, &problems), &problems);
        assert!(problems.is_empty(), "{:?}", problems.into_sorted());
        let mut context = PlanContext::of(&settings);
        let user = |name: &str| PlanUser { name: name.to_owned(), number: None, country: None };
        context.users = NAMES.map(user).to_vec();
        let plan = Plan::parse(&[("plan.toml".to_owned(), PLAN.to_owned())], &context).expect("a plan");
        (Arc::new(settings), Arc::new(plan))
    })
    .clone()
}

fn is(remote: SocketAddr, address: &str) -> bool {
    address.parse() == Ok(remote)
}

fn flow(peer: usize) -> Flow {
    let (_, remote, transport) = PEERS[peer % PEERS.len()];
    let local = "192.0.2.1:5060".parse().expect("an address");
    Flow { transport, local, remote: remote.parse().expect("an address") }
}

fn accounts(names: &[&str]) -> Accounts {
    Accounts::new(names.iter().map(|name| Account {
        name: (*name).to_owned(),
        number: None,
        country: None,
        display_name: None,
        hashes: Hashes::from_password(name, "tandem.test", name),
        // Two who send calls on to one another, and out of the house.
        forwarding: Forwarding {
            busy: (*name == "bob").then(|| "carol".to_owned()),
            no_answer: (*name == "carol").then(|| "+15550100".to_owned()),
            always: (*name == "carol").then(|| "bob".to_owned()),
            ..Forwarding::default()
        },
    }))
}
