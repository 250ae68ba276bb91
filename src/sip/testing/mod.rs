//! Two agents on a network that may lose, double and reorder, under a virtual clock; one number replays a run.

mod calls;
mod hostile;
mod large;
mod lossy;
mod rules;

use crate::base::chance::Chance;
use crate::base::time::{Now, Time, Wall};
use crate::sip::agent::{Agent, AgentSettings, Event, Invite, SessionEvent, SessionId, Terms};
use crate::sip::flow::{Body, Flow, Transport};
use crate::wire::sip::Message;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// Shares of 1.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub loss: f64,
    pub duplication: f64,
    /// A packet takes up to a second instead of 10 ms.
    pub reordering: f64,
}

type Filter = Box<dyn FnMut(usize, &Message) -> bool>;

pub struct Pair {
    pub agents: [Agent; 2],
    pub time: Time,
    pub transport: Transport,
    /// Such as `1000 a INVITE` or `1010 b 200 INVITE`: milliseconds, sender, message.
    pub log: Vec<String>,
    /// Of the calls that side 0 places.
    pub terms: Terms,
    faults: Faults,
    chance: Chance,
    /// True for what is to be lost; the number is the sender.
    filter: Filter,
    on_the_way: BTreeMap<(Time, u64), (usize, Flow, Bytes)>,
    sent: u64,
}

impl Pair {
    pub fn new(seed: u64, faults: Faults) -> Pair {
        let agent = |n: u64| {
            let extensions = vec!["100rel", "timer"];
            let settings = AgentSettings { shard: n as u8, extensions, ..AgentSettings::default() };
            Agent::new(settings, Chance::from_number(seed * 2 + n))
        };
        Pair {
            agents: [agent(0), agent(1)],
            time: Time::from_millis(1000),
            transport: Transport::Udp,
            log: Vec::new(),
            terms: Terms::default(),
            faults,
            chance: Chance::from_number(seed),
            filter: Box::new(|_, _| false),
            on_the_way: BTreeMap::new(),
            sent: 0,
        }
    }

    pub fn lose(&mut self, filter: impl FnMut(usize, &Message) -> bool + 'static) {
        self.filter = Box::new(filter);
    }

    pub fn now(&self) -> Now {
        Now::simulated(self.time, Wall::default())
    }

    pub fn flow(&self, side: usize) -> Flow {
        Flow { transport: self.transport, local: address(side), remote: address(1 - side) }
    }

    /// Side 0 calls side 1.
    pub fn invite(&mut self) -> SessionId {
        let mut invite = Invite::new(self.flow(0), "sip:b@192.0.2.2".into(), "<sip:a@x>".into(), "<sip:b@x>".into());
        invite.contact_user = "a".into();
        invite.body = Some(Body::sdp("offer"));
        invite.terms = self.terms;
        self.agents[0].invite(self.now(), invite)
    }

    /// Lets `span` pass; `owner` handles the events of both sides.
    pub fn run(&mut self, span: Duration, mut owner: impl FnMut(&mut Agent, Now, usize, Event)) {
        let end = self.time + span;
        loop {
            self.drain(&mut owner);
            let timeouts = self.agents.iter().filter_map(Agent::poll_timeout);
            let next = self.on_the_way.keys().next().map(|key| key.0).into_iter().chain(timeouts).min();
            let Some(next) = next.filter(|&next| next <= end) else { break };
            self.time = self.time.max(next);
            let now = self.now();
            while let Some(entry) = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= now.time) {
                let (to, flow, bytes) = entry.remove();
                if let Ok(message) = Message::parse(bytes) {
                    self.agents[to].receive(now, flow, message);
                }
            }
            for agent in &mut self.agents {
                agent.handle_timeout(now);
            }
        }
        self.time = end;
    }

    /// The events of both sides, `span` long.
    pub fn collect(&mut self, span: Duration) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        self.run(span, |_, _, side, event| events.push((side, event)));
        events
    }

    pub fn assert_empty(&self) {
        for agent in &self.agents {
            assert!(agent.counts().is_empty(), "{:?}", agent.counts());
        }
    }

    fn drain(&mut self, owner: &mut impl FnMut(&mut Agent, Now, usize, Event)) {
        let now = self.now();
        for side in 0..2 {
            while let Some(event) = self.agents[side].poll_event() {
                owner(&mut self.agents[side], now, side, event);
            }
            while let Some(transmit) = self.agents[side].poll_transmit() {
                self.transmit(side, transmit.flow, transmit.bytes);
            }
        }
    }

    fn transmit(&mut self, side: usize, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes.clone()).expect("agents write what can be read");
        message.check().expect("agents write what is legal");
        let status = if message.is_request() { String::new() } else { format!("{} ", message.status()) };
        let name = ["a", "b"][side];
        self.log.push(format!("{} {name} {status}{}", self.time.millis(), message.method()));
        assert_eq!((flow.local, flow.remote), (address(side), address(1 - side)), "{message}");
        if (self.filter)(side, &message) || self.chance.happens(self.faults.loss) {
            return;
        }
        let copies = if self.chance.happens(self.faults.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let spread = if self.chance.happens(self.faults.reordering) { 1000 } else { 1 };
            let delay = Duration::from_millis(10 + self.chance.below(spread));
            self.sent += 1;
            let back = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
            self.on_the_way.insert((self.time + delay, self.sent), (1 - side, back, bytes.clone()));
        }
    }
}

pub fn address(side: usize) -> std::net::SocketAddr {
    ["192.0.2.1:5060", "192.0.2.2:5060"][side].parse().unwrap()
}

/// The events of one session's side by their names, such as `Answered`.
pub fn names(events: &[(usize, Event)], side: usize) -> Vec<String> {
    let name = |debug: String| debug.split([' ', '(']).next().unwrap_or_default().to_owned();
    events
        .iter()
        .filter(|(of, _)| *of == side)
        .map(|(_, event)| match event {
            Event::Session { event: SessionEvent::Ended { by, .. }, .. } => format!("Ended {by:?}"),
            Event::Session { event, .. } => name(format!("{event:?}")),
            other => name(format!("{other:?}")),
        })
        .collect()
}

/// The session of the first event of a side.
pub fn session(events: &[(usize, Event)], side: usize) -> SessionId {
    let of = |event: &Event| match event {
        Event::Invited { session, .. } | Event::Session { session, .. } => Some(*session),
        _ => None,
    };
    events.iter().filter(|(at, _)| *at == side).find_map(|(_, event)| of(event)).expect("an event of a session")
}

pub const SECOND: Duration = Duration::from_secs(1);
/// Longer than any transaction lives.
pub const LONG: Duration = Duration::from_secs(200);
