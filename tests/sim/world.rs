//! The world of one run: a clock that nobody waits for, the network, the peers, and the switch in the middle, driven as the
//! shell drives it.

mod network;
mod people;
mod scrutiny;
mod sound;

use crate::books::Books;
use crate::boor::Boor;
use crate::inspect::Hearing;
use crate::ledger::{Ledger, Speech};
use crate::lineage::Lineage;
use crate::mailbox::Mailbox;
use crate::network::below;
use crate::office;
use crate::peer::{Peer, Role};
use crate::profile::Profile;
use crate::trace::Trace;
use crate::trouble::{Cut, Trouble};
use crate::worker::{Echo, Worker};
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
use tandem::sip::flow::Flow;
use tandem::wire::sip::Message;

/// 2026-11-23T10:00:00Z.
pub const DAWN: Wall = Wall::from_micros(1_795_428_000_000_000);
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
    /// How many packets of sound were lost since the last one that wasn't, by whose they are and whether they go in.
    losses: HashMap<(SocketAddr, bool), u8>,
    /// When the connection of a peer was closed last.
    breaks: HashMap<SocketAddr, Time>,
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
    /// What the switch has ever described.
    lineage: Lineage,
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
        sent: Time,
        to: SocketAddr,
        flow: Flow,
        bytes: Bytes,
    },
    Answer(Input),
    /// Sound that others have overtaken reaches the gateway, or a peer.
    Spoken(Speech),
    Heard(Echo),
    Place,
    Trouble(Trouble),
    HangUp,
}

impl World {
    pub fn new(profile: Profile, seed: u64, calls: usize, trace: Option<usize>) -> World {
        let mut chance = Chance::from_number(seed);
        let settings = Arc::new(office::settings(0, &profile));
        let plan = Arc::new(office::plan(&settings));
        let now = Now::simulated(Time::ZERO, DAWN);
        let switch_chance = Chance::from_number(chance.u64());
        let switch = Switch::new(settings, plan, office::accounts(0), switch_chance, 1, now);
        let worker = Worker::new(profile.worker, Chance::from_number(chance.u64()), DAWN);
        let peers = people::peers(&profile, &mut chance);
        let mut world = World {
            time: Time::ZERO,
            switch,
            worker,
            at: peers.iter().enumerate().map(|(index, peer)| (peer.public.ip(), index)).collect(),
            places: peers.iter().map(|peer| peer.public).collect(),
            streams: HashMap::new(),
            losses: HashMap::new(),
            breaks: HashMap::new(),
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
            lineage: Lineage::default(),
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
                Output::Notice(_) | Output::Tape(_) | Output::EndTape { .. } => {}
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
            Happening::Datagram { sent, to, flow, .. } if self.is_broken(sent, to, flow) => {}
            Happening::Datagram { to, flow, bytes, .. } if to == office::GATEWAY => {
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
            Happening::Datagram { sent, to, flow, bytes } => {
                let Some(&peer) = self.at.get(&to.ip()) else { return };
                if self.peers[peer].public != to {
                    return;
                }
                if let Some(until) = self.peers[peer].deaf_until(self.time)
                    && flow.transport.is_reliable()
                {
                    // Its system keeps what a connection brings.
                    return self.after(until - self.time, Happening::Datagram { sent, to, flow, bytes });
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
            Happening::Spoken(speech) => self.reach_gateway(&speech),
            Happening::Heard(echo) => self.reach_peer(&echo),
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
}
