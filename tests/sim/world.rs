//! The world of one run: a clock that nobody waits for, the network, the peers, and the switch in the middle, driven as the
//! shell drives it.

use crate::books::Books;
use crate::boor::Boor;
use crate::inspect::Hearing;
use crate::ledger::{Ledger, Speech, Story};
use crate::mailbox::Mailbox;
use crate::network::below;
use crate::office;
use crate::peer::{Call, Peer, Phone, Role, Way};
use crate::profile::Profile;
use crate::provider::Provider;
use crate::script::{Offer, Placing};
use crate::trace::Trace;
use crate::trouble::{Cut, Trouble};
use crate::worker::Worker;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::{Now, Time, Wall};
use tandem::base::timers::Timers;
use tandem::call::io::{Input, Output};
use tandem::call::switch::Switch;
use tandem::sip::digest::ClientCredentials;
use tandem::sip::flow::{Flow, Transmit, Transport};
use tandem::sip::locate::{Located, Server, Target};
use tandem::wire::sip::{Message, Method};

/// 2026-11-23T10:00:00Z.
pub const DAWN: Wall = Wall::from_micros(1_795_428_000_000_000);
/// 64*T1, after which an INVITE that nobody answered is forgotten.
const TRANSACTION: Duration = Duration::from_secs(32);
/// Soon over, so that names are looked up often.
const NAME_TTL: Duration = Duration::from_secs(30);
/// Timeouts of the switch at one moment, after which it is spinning.
const SPIN: u32 = 1_000;

pub struct World {
    pub profile: Profile,
    pub time: Time,
    pub switch: Switch,
    pub worker: Worker,
    pub peers: Vec<Peer>,
    boor: Boor,
    pub mailbox: Mailbox,
    /// When the store has done what it was asked last.
    posted: Time,
    pub ledger: Ledger,
    pub books: Books,
    pub trace: Option<Trace>,
    pub datagrams: u64,
    /// Talks whose media was compared with the worker's ports.
    pub inspected: u64,
    /// Calls whose sides are saying something.
    pub hearings: BTreeMap<usize, Hearing>,
    at: HashMap<IpAddr, usize>,
    /// Where each peer was when it was last looked at.
    places: Vec<SocketAddr>,
    /// When the last bytes of a connection arrive, by its direction.
    streams: HashMap<(SocketAddr, SocketAddr), Time>,
    trunks: BTreeMap<String, SocketAddr>,
    inbox: Vec<Input>,
    on_the_way: BTreeMap<(Time, u64), Happening>,
    scheduled: u64,
    clocks: Timers<Clock>,
    pub chance: Chance,
    /// What was ever cut off.
    pub cuts: Vec<Cut>,
    /// By how many microseconds the gateway's time of day is wrong.
    pub clock_is_off_us: i64,
    /// The last INVITE that the switch has sent, by its Call-ID.
    invites: HashMap<String, Invited>,
    fingerprint: u64,
    spins: u32,
    looks: u64,
    to_place: usize,
    pub variant: u64,
    pub is_draining: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Clock {
    Switch,
    /// The switch begins with what has come in.
    Turn,
    Worker,
    Peer(usize),
    Boor,
}

/// An INVITE of the switch's.
struct Invited {
    cseq: u32,
    sent: Time,
    /// When the first answer to it came in.
    heard: Option<Time>,
}

pub enum Happening {
    /// The sides of a call say something.
    Say {
        call: usize,
    },
    /// What they heard is compared with what they said.
    Compare {
        call: usize,
    },
    Datagram {
        to: SocketAddr,
        flow: Flow,
        bytes: Bytes,
    },
    Answer(Input),
    Place,
    Trouble(Trouble),
    HangUp,
}

impl World {
    pub fn new(profile: Profile, seed: u64, calls: usize, trace: Option<usize>) -> World {
        let mut chance = Chance::from_number(seed);
        let settings = Arc::new(office::settings(0));
        let plan = Arc::new(office::plan(&settings));
        let now = Now::simulated(Time::ZERO, DAWN);
        let switch_chance = Chance::from_number(chance.u64());
        let switch = Switch::new(settings, plan, office::accounts(0), switch_chance, 1, now);
        let worker = Worker::new(profile.worker, Chance::from_number(chance.u64()), DAWN);
        let peers = peers(&profile, &mut chance);
        let mut world = World {
            time: Time::ZERO,
            switch,
            worker,
            at: peers.iter().enumerate().map(|(index, peer)| (peer.public.ip(), index)).collect(),
            places: peers.iter().map(|peer| peer.public).collect(),
            streams: HashMap::new(),
            mailbox: Mailbox::default(),
            posted: Time::ZERO,
            boor: Boor::new(Chance::from_number(chance.u64())),
            peers,
            ledger: Ledger::default(),
            books: Books::default(),
            trace: trace.map(Trace::new),
            datagrams: 0,
            inspected: 0,
            hearings: BTreeMap::new(),
            trunks: office::trunk_addresses(),
            inbox: Vec::new(),
            on_the_way: BTreeMap::new(),
            scheduled: 0,
            clocks: Timers::default(),
            chance,
            cuts: Vec::new(),
            clock_is_off_us: 0,
            invites: HashMap::new(),
            fingerprint: 0xcbf2_9ce4_8422_2325,
            spins: 0,
            looks: 0,
            to_place: calls,
            variant: 0,
            is_draining: false,
            profile,
        };
        if let Some(trace) = &mut world.trace {
            trace.names = world.peers.iter().map(|peer| (peer.public, peer.name.clone())).collect();
            trace.names.insert(office::GATEWAY, "gateway".to_owned());
        }
        // Phones register first.
        world.after(Duration::from_secs(10), Happening::Place);
        for trouble in Trouble::ALL {
            world.expect_trouble(trouble);
        }
        world.ledger.has_strangers = world.profile.rude > 0.0;
        let census = world.mailbox.census();
        world.give(Input::Post(census));
        world.give(Input::Timeout);
        (0..world.peers.len()).for_each(|peer| world.settle(peer));
        world
    }

    /// As a clock shows it that is right.
    pub fn now(&self) -> Now {
        Now::simulated(self.time, DAWN)
    }

    /// As the gateway's own clock shows it.
    pub fn gateway_now(&self) -> Now {
        Now::simulated(self.time, Wall::from_micros(DAWN.micros() + self.clock_is_off_us))
    }

    /// A number that two equal runs share.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub fn all_placed(&self) -> bool {
        self.to_place == 0
    }

    /// Lets the next thing happen, if it does before `end`; false once there is nothing more until then.
    pub fn step(&mut self, end: Time) -> bool {
        let next = self.on_the_way.keys().next().map(|&(at, _)| at).into_iter().chain(self.clocks.next()).min();
        let Some(next) = next.filter(|&next| next <= end) else {
            self.time = self.time.max(end);
            return false;
        };
        self.time = self.time.max(next);
        match self.on_the_way.first_entry().filter(|entry| entry.key().0 <= self.time) {
            Some(entry) => {
                let happening = entry.remove();
                self.happen(happening);
            }
            None => self.ring(),
        }
        true
    }

    /// Gives the switch an input and carries out what comes of it, as the shell does: what it says of the books first,
    /// then what it sends.
    pub fn give(&mut self, input: Input) {
        self.inbox.push(input);
        self.turn();
    }

    /// Something arrives for the switch, which may be busy and then takes several things in one turn.
    fn arrive(&mut self, input: Input) {
        self.inbox.push(input);
        if self.inbox.len() > 1 {
            return;
        }
        match self.chance.below(4) {
            0 => {
                let wait = below(&mut self.chance, Duration::from_millis(6));
                self.clocks.set(Clock::Turn, self.time + wait);
            }
            _ => self.turn(),
        }
    }

    fn turn(&mut self) {
        self.clocks.cancel(Clock::Turn);
        let now = self.gateway_now();
        for input in std::mem::take(&mut self.inbox) {
            self.switch.handle(now, input);
        }
        if self.switch.poll_timeout().is_some_and(|due| due <= self.time) {
            self.switch.handle(now, Input::Timeout);
        }
        self.carry_out(now);
    }

    fn carry_out(&mut self, now: Now) {
        let mut sends = Vec::new();
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Send(transmit) => sends.push(transmit),
                Output::Media { command, .. } => {
                    if let Some(refused) = self.worker.obey(self.time, command) {
                        self.switch.handle(now, Input::MediaRefused(refused));
                    }
                }
                Output::Record(record) => {
                    let is_right = self.profile.troubles.clock_jump.is_zero();
                    self.books.keep(self.time, *record, is_right, &mut self.ledger);
                }
                Output::Locate { ticket, target } => {
                    let result = self.locate(&target);
                    let wait = below(&mut self.chance, self.profile.names.slow);
                    self.after(wait, Happening::Answer(Input::Located { ticket, result }));
                }
                Output::Load { ticket, file } => {
                    let wait = below(&mut self.chance, self.profile.store.slow);
                    self.after(wait, Happening::Answer(Input::Loaded { ticket, result: office::clip(&file) }));
                }
                Output::Keep { ticket, .. } => {
                    let wait = below(&mut self.chance, self.profile.store.slow);
                    let fails = self.chance.happens(self.profile.store.fails);
                    let result = if fails { Err("the store is busy".to_owned()) } else { Ok(()) };
                    self.after(wait, Happening::Answer(Input::Kept { ticket, result }));
                }
                Output::Post(order) => {
                    self.mailbox.failing = self.chance.happens(self.profile.store.fails);
                    if let Some(news) = self.mailbox.obey(order) {
                        // The store does one thing after the other.
                        let soonest = self.time + below(&mut self.chance, self.profile.store.slow);
                        self.posted = soonest.max(self.posted);
                        self.after(self.posted - self.time, Happening::Answer(Input::Post(news)));
                    }
                }
                Output::Notice(_) => {}
            }
        }
        for transmit in sends {
            self.examine(&transmit);
            self.transmit(transmit);
        }
        self.look();
        self.wind(Clock::Switch, self.switch.poll_timeout());
        self.hand_over();
    }

    /// Sound reaches the gateway, in no time.
    pub fn speak(&mut self, speech: Speech) {
        let Speech { from, to, packet } = speech;
        let is_cut = self.at.get(&from.ip()).is_some_and(|&peer| self.cut_until(peer, true).is_some());
        if !is_cut {
            self.worker.receive(self.time, to, from, &packet);
            self.hand_over();
        }
    }

    /// What the worker has sent reaches the peers, in no time.
    fn hand_over(&mut self) {
        for (number, to, packet) in self.worker.take_left() {
            if let Some(&peer) = self.at.get(&to.ip())
                && self.cut_until(peer, false).is_none()
            {
                self.peers[peer].hear(self.time, to, number, &packet, &mut self.ledger);
            }
        }
        self.wind(Clock::Worker, self.worker.poll_timeout());
    }

    pub fn drain(&mut self) {
        self.is_draining = true;
        self.give(Input::Drain);
    }

    /// Phones let their registrations run out, so that the gateway comes to rest.
    pub fn phones_leave(&mut self) {
        for peer in &mut self.peers {
            if let Role::Phone(phone) = &mut peer.role {
                phone.is_leaving = true;
            }
        }
    }

    pub fn after(&mut self, span: Duration, happening: Happening) {
        self.scheduled += 1;
        self.on_the_way.insert((self.time + span, self.scheduled), happening);
    }

    fn wind(&mut self, clock: Clock, at: Option<Time>) {
        match at {
            Some(at) => self.clocks.set(clock, at.max(self.time)),
            None => self.clocks.cancel(clock),
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.spins = 0;
        match happening {
            Happening::Datagram { to, flow, bytes } if to == office::GATEWAY => {
                if bytes.starts_with(b"SIP/2.0")
                    && let Ok(message) = Message::parse(bytes.clone())
                {
                    self.hear(&message);
                }
                self.arrive(Input::Received { flow, bytes });
            }
            Happening::Datagram { to, bytes, .. } if to == office::BOOR => {
                if let Ok(message) = Message::parse(bytes) {
                    self.boor.receive(self.time, &message);
                    self.be_rude();
                }
            }
            Happening::Datagram { to, flow, bytes } => {
                let Some(&peer) = self.at.get(&to.ip()) else { return };
                if self.peers[peer].public != to {
                    return;
                }
                if let Some(until) = self.peers[peer].deaf_until(self.time)
                    && flow.transport.is_reliable()
                {
                    // Its system keeps what a connection brings.
                    return self.after(until - self.time, Happening::Datagram { to, flow, bytes });
                }
                let now = self.now();
                let flow = Flow { local: self.peers[peer].address, ..flow };
                match Message::parse(bytes) {
                    Ok(message) => self.peers[peer].receive(now, flow, message, &mut self.ledger),
                    Err(why) => self.ledger.violation(self.time, None, format!("the gateway wrote nonsense: {why}")),
                }
                self.settle(peer);
            }
            Happening::Say { call } => self.say(call),
            Happening::Compare { call } => self.compare(call),
            Happening::Answer(input) => self.arrive(input),
            Happening::Place => self.place(),
            Happening::Trouble(trouble) => self.trouble(trouble),
            Happening::HangUp => self.hang_up_one(),
        }
    }

    /// A clock has run out.
    fn ring(&mut self) {
        let Some(clock) = self.clocks.expire(self.time) else { return };
        match clock {
            Clock::Switch => {
                self.spins += 1;
                assert!(self.spins < SPIN, "at {:?} the switch asks to be woken again and again", self.time);
                match self.inbox.is_empty() {
                    true => self.turn(),
                    // It is busy: what is due comes with the turn that is about to begin.
                    false => self.clocks.cancel(Clock::Switch),
                }
            }
            Clock::Turn => self.turn(),
            Clock::Worker => {
                while let Some(event) = self.worker.poll_event(self.time) {
                    self.arrive(Input::Media(event));
                }
                self.hand_over();
            }
            Clock::Boor => {
                self.spins = 0;
                self.be_rude();
            }
            Clock::Peer(peer) => {
                self.spins = 0;
                let now = self.now();
                if let Role::Provider(provider) = &self.peers[peer].role
                    && provider.is_forsaken(now.time)
                    && self.profile.faults.loss < 0.15
                    && self.profile.troubles.partition.is_zero()
                    && self.profile.names.fails < 0.1
                    && !self.is_draining
                {
                    let what = format!("the gateway doesn't register with {} any more", self.peers[peer].name);
                    self.ledger.violation(now.time, None, what);
                }
                self.peers[peer].wake(now, &mut self.ledger);
                self.settle(peer);
            }
        }
    }

    /// Sends what a peer has to send, and winds its clock.
    fn settle(&mut self, peer: usize) {
        for call in std::mem::take(&mut self.ledger.inspections) {
            self.inspect(call);
        }
        for speech in std::mem::take(&mut self.ledger.spoken) {
            self.speak(speech);
        }
        let now = self.now();
        let public = self.peers[peer].public;
        let before = std::mem::replace(&mut self.places[peer], public);
        if before != public {
            // It restarted, and its old connection is closed.
            let flow = Flow { transport: Transport::Tcp, local: office::GATEWAY, remote: before };
            self.after(self.profile.faults.delay, Happening::Answer(Input::FlowFailed { flow }));
        }
        while let Some(transmit) = self.peers[peer].poll_transmit(now) {
            self.transmit(Transmit { flow: Flow { local: public, ..transmit.flow }, ..transmit });
        }
        self.wind(Clock::Peer(peer), self.peers[peer].poll_timeout());
    }

    /// Sends what the boor has to send.
    fn be_rude(&mut self) {
        let flow = Flow { transport: Transport::Udp, local: office::BOOR, remote: office::GATEWAY };
        while let Some(bytes) = self.boor.poll_transmit(self.time) {
            self.transmit(Transmit { flow, bytes: bytes.into() });
        }
        self.wind(Clock::Boor, self.boor.poll_timeout());
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes } = transmit;
        self.datagrams += 1;
        for byte in bytes.iter().chain(&self.time.nanos().to_le_bytes()) {
            self.fingerprint = (self.fingerprint ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let is_inbound = flow.local != office::GATEWAY;
        let far = if is_inbound { flow.local } else { flow.remote };
        let cut = self.at.get(&far.ip()).and_then(|&peer| self.cut_until(peer, is_inbound));
        let delays = match (flow.transport, cut) {
            (Transport::Udp, None) => self.profile.faults.carry(&mut self.chance),
            (Transport::Udp, Some(_)) => Vec::new(),
            (Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss, cut) => self.stream(flow, cut),
        };
        if let Some(trace) = &mut self.trace
            && let Ok(message) = Message::parse(bytes.clone())
            && self.ledger.call_of(message.call_id()) == Some(trace.call)
        {
            let arrivals: Vec<Time> = delays.iter().map(|&delay| self.time + delay).collect();
            trace.sent(self.time, flow.local, flow.remote, &message, &arrivals);
        }
        for delay in delays {
            let back = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
            self.after(delay, Happening::Datagram { to: flow.remote, flow: back, bytes: bytes.clone() });
        }
    }

    /// A connection loses nothing and keeps the order, unless it is closed. Where it is cut, all comes later.
    fn stream(&mut self, flow: Flow, cut: Option<Time>) -> Vec<Duration> {
        if flow.local == office::GATEWAY && !self.places.contains(&flow.remote) {
            self.after(Duration::ZERO, Happening::Answer(Input::FlowFailed { flow }));
            return Vec::new();
        }
        let soonest =
            cut.unwrap_or(self.time) + self.profile.faults.delay + below(&mut self.chance, self.profile.faults.jitter);
        let last = self.streams.entry((flow.local, flow.remote)).or_default();
        *last = soonest.max(*last);
        vec![*last - self.time]
    }

    fn place(&mut self) {
        if self.to_place == 0 {
            return;
        }
        self.to_place -= 1;
        if self.to_place > 0 {
            let gap = below(&mut self.chance, self.profile.gap * 2);
            self.after(gap, Happening::Place);
        }
        let (is_rude, users) = (self.chance.happens(self.profile.rude), office::users());
        if is_rude && self.chance.below(2) == 0 {
            let dialled = office::number_of(&users[self.chance.below(users.len() as u64) as usize]);
            let number = self.ledger.stories.len();
            let call_id = self.boor.call(self.time, number, &dialled);
            self.ledger.place(Story::new("boor", dialled, Offer::InInvite, call_id, self.time));
            return self.be_rude();
        }
        let now = self.now();
        let peer = self.caller(now.time);
        let dialled = match &self.peers[peer].role {
            Role::Provider(_) => office::number_of(&users[self.chance.below(users.len() as u64) as usize]),
            _ if is_rude => format!("5{}", 1_000 + self.chance.below(9_000)),
            _ => office::dialled(&mut self.chance),
        };
        let placing = Placing::draw(&mut self.chance, &self.profile.manners);
        self.peers[peer].place(now, Call { dialled, placing }, &mut self.ledger);
        self.settle(peer);
        if self.chance.happens(self.profile.operator) {
            let wait = below(&mut self.chance, Duration::from_secs(30));
            self.after(wait, Happening::HangUp);
        }
    }

    fn caller(&mut self, now: Time) -> usize {
        let ready: Vec<usize> = (0..self.peers.len())
            .filter(|&peer| match &self.peers[peer].role {
                Role::Phone(phone) => phone.is_registered,
                Role::Provider(provider) => provider.may_call(now),
                Role::Stranger(_) => true,
            })
            .collect();
        ready[self.chance.below(ready.len() as u64) as usize]
    }

    /// An operator ends some call.
    fn hang_up_one(&mut self) {
        let open: Vec<(String, Option<usize>)> =
            self.books.open().map(|record| (record.id.clone(), crate::books::call_of(record, &self.ledger))).collect();
        if open.is_empty() {
            return;
        }
        let (id, call) = open[self.chance.below(open.len() as u64) as usize].clone();
        if let Some(story) = call.and_then(|call| self.ledger.stories.get_mut(call)) {
            story.operated = true;
        }
        self.give(Input::HangUp { id });
    }

    fn locate(&mut self, target: &Target) -> Result<Located<Flow>, String> {
        if self.chance.happens(self.profile.names.fails) {
            return Err("the name server is silent".to_owned());
        }
        let mut remote = *self.trunks.get(&target.host).ok_or("no such name")?;
        remote.set_port(target.port.unwrap_or(remote.port()));
        let transport = target.transport.unwrap_or(Transport::Udp);
        let way = |remote| Flow { transport, local: office::GATEWAY, remote };
        let mut located = Located::only(way(remote), NAME_TTL);
        if target.host == office::TWO_SERVERS && self.profile.dead_server {
            // The first of two servers is nobody's address.
            remote.set_ip(office::NOBODY);
            located.servers[0].rank = 1;
            located.servers.insert(0, Server { rank: 0, weight: 0, ways: vec![way(remote)] });
        }
        Ok(located)
    }

    fn hear(&mut self, message: &Message) {
        let (Some(invited), Ok(cseq)) = (self.invites.get_mut(message.call_id()), message.cseq()) else { return };
        if cseq.number == invited.cseq && *message.method() == Method::Invite {
            invited.heard.get_or_insert(self.time);
        }
    }

    /// Whether the switch can know that its INVITE has arrived: an answer came in while its transaction lived.
    pub fn knows_of(&self, call_id: &str) -> bool {
        let invited = self.invites.get(call_id);
        invited.is_some_and(|invited| invited.heard.is_some_and(|heard| heard - invited.sent < TRANSACTION))
    }

    /// What must be true of everything that the switch sends.
    fn examine(&mut self, transmit: &Transmit) {
        let message = match Message::parse(transmit.bytes.clone()) {
            Ok(message) => message,
            Err(why) => return self.ledger.violation(self.time, None, format!("the gateway wrote nonsense: {why}")),
        };
        // What is missing in a request is missing in the answer that says so.
        let is_rude = transmit.flow.remote.ip() == office::BOOR.ip();
        let repeats = is_rude && !message.is_request() && message.status() == 400;
        if let Err(defect) = message.check()
            && !repeats
        {
            let call = self.ledger.call_of(message.call_id());
            let start = String::from_utf8_lossy(&transmit.bytes).lines().take(8).collect::<Vec<_>>().join(" | ");
            let what = format!("the gateway wrote what is not legal: {}: {start}", defect.detail);
            self.ledger.violation(self.time, call, what);
        }
        if !message.is_request() || *message.method() != Method::Invite {
            return;
        }
        let number = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let before = self.invites.get(message.call_id()).map(|invited| invited.cseq);
        if before.is_some_and(|before| before >= number) {
            return;
        }
        let invited = Invited { cseq: number, sent: self.time, heard: None };
        self.invites.insert(message.call_id().to_owned(), invited);
        let named = message.from().ok().and_then(|from| from.display()?.strip_prefix('c')?.parse::<usize>().ok());
        let known = self.ledger.call_of(message.call_id());
        let Some(call) = known.or(named) else { return };
        self.ledger.belongs(message.call_id(), call);
        let Some(story) = self.ledger.stories.get(call).filter(|story| !story.is_rude() && !story.is_transferred)
        else {
            return;
        };
        let records = self.books.of_caller(&story.call_id);
        let what = match records.as_slice() {
            [record] if record.ended.is_some() => "an INVITE was sent for a call that is over",
            [record] if record.state == tandem::call::record::State::Open => return,
            [] => "an INVITE was sent for a call without a record",
            _ => "an INVITE was sent for a call that is closed or has several records",
        };
        self.ledger.violation(self.time, Some(call), what);
    }

    /// What must be true at every moment.
    fn look(&mut self) {
        let counts = self.switch.counts();
        if counts.calls > office::MAX_CALLS {
            self.ledger.violation(self.time, None, format!("{} calls at once", counts.calls));
        }
        self.looks += 1;
        // Trunks are shown in many words, which take their time.
        let trunks = if self.looks.is_multiple_of(16) { self.switch.trunks(self.gateway_now()) } else { Vec::new() };
        for trunk in trunks {
            if trunk.max_calls.is_some() && trunk.calls > office::GLOBEX_CALLS + 2 {
                self.ledger.violation(self.time, None, format!("{} calls over {}", trunk.calls, trunk.name));
            }
        }
        for complaint in std::mem::take(&mut self.worker.complaints) {
            self.ledger.violation(self.time, None, format!("the media worker: {complaint}"));
        }
    }
}

/// Phones of the users, the providers, and two who have no account. Some phones are behind a NAT, some have a connection.
fn peers(profile: &Profile, chance: &mut Chance) -> Vec<Peer> {
    let mut peers = Vec::new();
    let manners = profile.manners;
    let mut add = |name: &str, way: Way, role: Role, chance: &mut Chance| {
        let own = Chance::from_number(chance.u64());
        peers.push(Peer::new(name, way, role, manners, own));
    };
    let hidden = |last: u8| {
        let public = SocketAddr::new(office::address(last).ip(), 40_000 + u16::from(last));
        Way::hidden(SocketAddr::from(([10, 0, 0, last], 5060)), public)
    };
    let connected = |last: u8| Way::tcp(SocketAddr::new(office::address(last).ip(), 50_000));
    for number in 1..=office::SINGLES as u8 {
        let user = format!("user{number}");
        let way = match number {
            5 | 6 => hidden(10 + number),
            7 | 8 => connected(10 + number),
            _ => Way::udp(office::address(10 + number)),
        };
        add(&user, way, Role::Phone(Phone::new(&user, office::PASSWORD)), chance);
    }
    for (number, way) in [(1, Way::udp(office::address(101))), (2, hidden(102)), (3, connected(103))] {
        let phone = Role::Phone(Phone::new(office::TRIO, office::PASSWORD));
        add(&format!("trio-{number}"), way, phone, chance);
    }
    let trunk = |host: &str| Way::udp(office::trunk_addresses()[host]);
    add("acme", trunk("sip.acme.test"), Role::Provider(Provider::gated(chance)), chance);
    add("globex", trunk("sip.globex.test"), Role::Provider(Provider::open()), chance);
    let wrong = ClientCredentials { username: "user1".to_owned(), password: "guessed".to_owned(), realm: None };
    add("guesser", Way::udp(office::address(200)), Role::Stranger(Some(wrong)), chance);
    add("stranger", Way::udp(office::address(201)), Role::Stranger(None), chance);
    peers
}
