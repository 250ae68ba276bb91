//! A media worker: the engine as it runs in production, between a ring, a range of ports and sockets that are simulated.

use crate::network::below;
use crate::office::GATEWAY;
use crate::profile::WorkerFaults;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::{Time, Wall};
use tandem::media::batch::{Batch, Channel};
use tandem::media::command::{Command, Event, PortId, Source};
use tandem::media::counters::Counters;
use tandem::media::engine::Engine;
use tandem::media::worker::range::Range;

const BATCH_PACKETS: usize = 128;
/// Some of these can't be bound.
const PORTS: (u16, u16) = (20_000, 29_999);

pub struct Worker {
    faults: WorkerFaults,
    chance: Chance,
    engine: Engine,
    counters: Arc<Counters>,
    batch: Batch,
    range: Range,
    open: BTreeMap<PortId, u16>,
    /// Ports that couldn't be opened, of which the switch had not heard when it gave them further orders.
    failed: BTreeSet<PortId>,
    /// Open ports by their number.
    numbers: BTreeMap<u16, PortId>,
    /// The number of the port that each slot of the engine has, or had last.
    slots: Vec<u16>,
    /// Where the sound of a port comes from, by its number.
    learnt: BTreeMap<u16, SocketAddr>,
    /// What the switch is told, in this order.
    news: VecDeque<(Time, Event)>,
    left: Vec<Echo>,
    /// The thread is held up until then: its ring is full, and its sockets overflow.
    held_up: Time,
    pub complaints: Vec<String>,
}

/// A packet of the gateway's, by the number of the port that sends it.
#[derive(Clone)]
pub struct Echo {
    pub number: u16,
    pub to: SocketAddr,
    pub packet: Vec<u8>,
}

impl Worker {
    pub fn new(faults: WorkerFaults, mut chance: Chance, dawn: Wall) -> Worker {
        let counters = Arc::new(Counters::default());
        Worker {
            faults,
            engine: Engine::new(Chance::from_number(chance.u64()), dawn, counters.clone()),
            chance,
            counters,
            batch: Batch::new(BATCH_PACKETS),
            range: Range::new(PORTS),
            open: BTreeMap::new(),
            failed: BTreeSet::new(),
            numbers: BTreeMap::new(),
            slots: Vec::new(),
            learnt: BTreeMap::new(),
            news: VecDeque::new(),
            left: Vec::new(),
            held_up: Time::ZERO,
            complaints: Vec::new(),
        }
    }

    /// Nothing is obeyed, heard or sent before `until`.
    pub fn hold_up(&mut self, until: Time) {
        self.held_up = until;
    }

    pub fn is_held_up(&self, now: Time) -> bool {
        now < self.held_up
    }

    /// Takes an order, or gives it back as a full ring does.
    pub fn obey(&mut self, now: Time, command: Command) -> Option<Command> {
        let is_refused = matches!(command, Command::Open { .. }) && self.chance.happens(self.faults.refused);
        if is_refused || self.is_held_up(now) {
            if let Command::Open { port, .. } = command {
                self.failed.insert(port);
            }
            return Some(command);
        }
        match command {
            Command::Open { port, .. } => self.open(now, port),
            Command::Close { port } => {
                self.know(port, "Close");
                self.failed.remove(&port);
                self.engine.command(now, Command::Close { port }, &mut self.batch);
                self.flush();
                if let Some(number) = self.open.remove(&port) {
                    self.numbers.remove(&number);
                    self.learnt.remove(&number);
                    self.range.give_back(now, number);
                }
            }
            Command::Configure { port, .. } | Command::Dial { port, .. } | Command::Tap { port, .. } => {
                self.know(port, "an order");
                self.engine.command(now, command, &mut self.batch);
            }
            Command::TapRoom { .. } => self.engine.command(now, command, &mut self.batch),
            Command::Connect { port, ref source } => {
                self.know(port, "Connect");
                if let Source::Peer(peer) = source {
                    self.know(*peer, "Connect to it");
                }
                self.engine.command(now, command, &mut self.batch);
            }
        }
        self.settle(now);
        None
    }

    /// A packet comes in from the network.
    pub fn receive(&mut self, now: Time, to: SocketAddr, from: SocketAddr, packet: &[u8]) {
        if self.is_held_up(now) || to.ip() != GATEWAY.ip() {
            return;
        }
        let port = self.numbers.get(&to.port());
        if let Some(slot) = port.and_then(|&port| self.engine.slot(port)) {
            self.engine.receive(now, slot, Channel::Rtp, from, packet, &mut self.batch);
            self.settle(now);
        }
    }

    /// Does what is due, and tells the next news whose time has come.
    pub fn poll_event(&mut self, now: Time) -> Option<Event> {
        if self.is_held_up(now) {
            return None;
        }
        self.settle(now);
        self.news.pop_front_if(|(at, _)| *at <= now).map(|(_, event)| event)
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        let news = self.news.front().map(|&(at, _)| at);
        let due = Some(self.engine.next_due()).filter(|&due| due != Time::NEVER);
        news.into_iter().chain(due).min().map(|at| at.max(self.held_up))
    }

    /// What has left since this was asked last.
    pub fn take_left(&mut self) -> Vec<Echo> {
        std::mem::take(&mut self.left)
    }

    /// Whether the sound of a port is known to come from there.
    pub fn knows(&self, number: u16, source: SocketAddr) -> bool {
        self.learnt.get(&number) == Some(&source)
    }

    /// What is open or at work, in words; none where nothing is.
    pub fn remains(&self) -> Option<String> {
        let (relays, transcoders) = (self.counters.relays.value(), self.counters.transcoders.value());
        let is_empty = self.engine.is_empty() && self.open.is_empty() && relays + transcoders == 0;
        let open = (self.engine.len(), self.counters.ports.value());
        (!is_empty || open != (0, 0))
            .then(|| format!("{open:?} ports, {relays} relays and {transcoders} transcoders of the engine"))
    }

    fn know(&mut self, port: PortId, what: &str) {
        if !self.open.contains_key(&port) && !self.failed.contains(&port) {
            self.complaints.push(format!("{what} for {port:?}, which isn't open"));
        }
    }

    fn open(&mut self, now: Time, port: PortId) {
        if self.chance.happens(self.faults.open_fails) {
            self.failed.insert(port);
            return self.engine.open_failed(port, "the system has no descriptor left".to_owned());
        }
        match self.range.take(now) {
            Some(number) => {
                if self.open.insert(port, number).is_some() {
                    self.complaints.push(format!("{port:?} was opened twice"));
                }
                self.numbers.insert(number, port);
                let slot = self.engine.open(now, port, number).0;
                self.slots.resize(self.slots.len().max(slot + 1), 0);
                self.slots[slot] = number;
            }
            None => self.engine.open_failed(port, "no port is left in the range".to_owned()),
        }
    }

    /// What follows each input: steps that are due, packets that leave, news.
    fn settle(&mut self, now: Time) {
        while self.engine.tick(now, &mut self.batch) {
            self.flush();
        }
        self.flush();
        while let Some(event) = self.engine.poll_event() {
            if let Event::Learnt { port, source } = &event
                && let Some(&number) = self.open.get(port)
            {
                self.learnt.insert(number, *source);
            }
            if !matches!(event, Event::Closed { .. }) || !self.chance.happens(self.faults.forgets) {
                self.tell(now, event);
            }
        }
    }

    fn flush(&mut self) {
        for packet in self.batch.iter().filter(|packet| packet.channel == Channel::Rtp) {
            let number = self.slots[packet.slot.0];
            self.left.push(Echo { number, to: packet.to, packet: packet.bytes.to_vec() });
        }
        self.batch.clear();
    }

    /// News travel on a ring: each a little late, none before another.
    fn tell(&mut self, at: Time, event: Event) {
        let slow = if self.chance.below(50) == 0 { 300 } else { 3 };
        let at = at + below(&mut self.chance, Duration::from_millis(slow));
        let at = self.news.back().map_or(at, |(before, _)| at.max(*before));
        self.news.push_back((at, event));
    }
}
