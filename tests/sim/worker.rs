//! A model of the media worker: ports that open and close, and a memory of what they were told.

use crate::network::below;
use crate::profile::WorkerFaults;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::Time;
use tandem::media::command::{Command, Event, PortId, PortSettings, Report, Source};

pub struct Worker {
    faults: WorkerFaults,
    chance: Chance,
    ports: BTreeMap<PortId, Port>,
    by_number: BTreeMap<u16, PortId>,
    free: VecDeque<u16>,
    /// What the switch is told, in this order.
    news: VecDeque<(Time, Event)>,
    alarms: BTreeSet<(Time, PortId, Alarm)>,
    /// Where nobody sends from any more.
    dead: HashSet<SocketAddr>,
    pub opened: u64,
    pub complaints: Vec<String>,
}

pub struct Port {
    pub number: u16,
    pub settings: Option<PortSettings>,
    pub source: Plug,
    configured_at: Time,
}

/// What happens to a port by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Finished,
    Silent,
}

/// A source, as far as it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plug {
    Nothing,
    Peer(PortId),
    Echo,
    Clip,
}

impl Worker {
    pub fn new(faults: WorkerFaults, chance: Chance) -> Worker {
        Worker {
            faults,
            chance,
            ports: BTreeMap::new(),
            by_number: BTreeMap::new(),
            free: (20_000..30_000).step_by(2).collect(),
            news: VecDeque::new(),
            alarms: BTreeSet::new(),
            dead: HashSet::new(),
            opened: 0,
            complaints: Vec::new(),
        }
    }

    /// Takes an order, or gives it back as a full ring does.
    pub fn obey(&mut self, now: Time, command: Command) -> Option<Command> {
        if self.chance.happens(self.faults.refused) && matches!(command, Command::Open { .. }) {
            return Some(command);
        }
        match command {
            Command::Open { port, .. } => self.open(now, port),
            Command::Configure { port, settings } => {
                let known = self.known(port, "Configure")?;
                known.settings = Some(*settings);
                known.configured_at = now;
                self.watch(port);
            }
            Command::Connect { port, source } => {
                if let Source::Peer(peer) = source
                    && !self.ports.contains_key(&peer)
                {
                    self.complaints.push(format!("{port:?} is connected to {peer:?}, which isn't open"));
                }
                let plug = match &source {
                    Source::Nothing => Plug::Nothing,
                    Source::Peer(peer) => Plug::Peer(*peer),
                    Source::Echo => Plug::Echo,
                    Source::Play { .. } => Plug::Clip,
                };
                let known = self.known(port, "Connect")?;
                let began = known.source != plug;
                known.source = plug;
                if let (Source::Play { clip, repeat: false }, true) = (&source, began) {
                    let length = clip.samples.len() as u64 * 1_000 / u64::from(clip.rate.max(1));
                    self.alarms.insert((now + Duration::from_millis(length), port, Alarm::Finished));
                }
            }
            Command::Dial { .. } | Command::Tap { .. } => {}
            Command::Close { port } => self.close(now, port),
        }
        None
    }

    /// Whoever sent from there has gone.
    pub fn falls_silent(&mut self, address: SocketAddr) {
        self.dead.insert(address);
        let concerned: Vec<PortId> = self.ports.keys().copied().collect();
        for port in concerned {
            self.watch(port);
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        let news = self.news.front().map(|&(at, _)| at);
        news.into_iter().chain(self.alarms.first().map(|&(at, ..)| at)).min()
    }

    pub fn poll_event(&mut self, now: Time) -> Option<Event> {
        if let Some(&(_, port, alarm)) = self.alarms.first().filter(|&&(at, ..)| at <= now) {
            self.alarms.pop_first();
            let since = self.ports.get(&port).map_or(now, |port| port.configured_at);
            return Some(match alarm {
                Alarm::Finished => Event::Finished { port },
                Alarm::Silent => Event::Silent { port, since },
            });
        }
        self.news.pop_front_if(|(at, _)| *at <= now).map(|(_, event)| event)
    }

    pub fn port_at(&self, number: u16) -> Option<(PortId, &Port)> {
        let id = *self.by_number.get(&number)?;
        Some((id, self.ports.get(&id)?))
    }

    pub fn open_ports(&self) -> usize {
        self.ports.len()
    }

    fn known(&mut self, port: PortId, what: &str) -> Option<&mut Port> {
        if !self.ports.contains_key(&port) {
            self.complaints.push(format!("{what} for {port:?}, which isn't open"));
        }
        self.ports.get_mut(&port)
    }

    fn open(&mut self, now: Time, port: PortId) {
        let Some(number) = self.free.pop_front().filter(|_| !self.chance.happens(self.faults.open_fails)) else {
            return self.tell(now, Event::OpenFailed { port, why: "no port".to_owned() });
        };
        self.opened += 1;
        let fresh = Port { number, settings: None, source: Plug::Nothing, configured_at: now };
        if self.ports.insert(port, fresh).is_some() {
            self.complaints.push(format!("{port:?} was opened twice"));
        }
        self.by_number.insert(number, port);
        self.tell(now, Event::Opened { port, number });
    }

    fn close(&mut self, now: Time, port: PortId) {
        match self.ports.remove(&port) {
            Some(closed) => {
                self.by_number.remove(&closed.number);
                self.free.push_back(closed.number);
                self.alarms.retain(|&(_, of, _)| of != port);
                let report = Report { received_packets: port.0, ..Report::default() };
                if !self.chance.happens(self.faults.forgets) {
                    self.tell(now, Event::Closed { port, report });
                }
            }
            None => self.complaints.push(format!("Close for {port:?}, which isn't open")),
        }
    }

    /// News travel on a ring: each a little late, none before another.
    fn tell(&mut self, at: Time, event: Event) {
        let slow = if self.chance.below(50) == 0 { 300 } else { 3 };
        let at = at + below(&mut self.chance, Duration::from_millis(slow));
        let at = self.news.back().map_or(at, |(before, _)| at.max(*before));
        self.news.push_back((at, event));
    }

    fn watch(&mut self, id: PortId) {
        self.alarms.retain(|&(_, port, alarm)| port != id || alarm != Alarm::Silent);
        let Some(port) = self.ports.get(&id) else { return };
        let Some(settings) = &port.settings else { return };
        if let (Some(limit), Some(remote)) = (settings.silence_limit, settings.remote)
            && self.dead.contains(&remote)
        {
            self.alarms.insert((port.configured_at + limit, id, Alarm::Silent));
        }
    }
}
