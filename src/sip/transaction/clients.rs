//! All client transactions: responses find theirs, and what its machine wants is carried out.

use super::large::{Fallback, Refusals};
use super::timer::{CLIENT, Timer, Timing};
use super::{Client, ClientKey, Effect, Effects, InviteClient, TransactionTimer};
use crate::sip::agent::Failure;
use crate::sip::arena::{Arena, Id};
use crate::sip::flow::Flow;
use crate::sip::outbox::{Outbox, TimerKey};
use crate::sip::request;
use crate::wire::sip::{Message, Method};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;

/// Which client transaction; `O` is whatever its user keeps with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(u64);

pub struct Clients<O> {
    timing: Timing,
    entries: Arena<Entry<O>>,
    by_key: HashMap<ClientKey, ClientId>,
    /// Terminated, and still there for the user that is being told of it.
    over: Vec<ClientId>,
    refusals: Refusals,
}

struct Entry<O> {
    machine: Machine,
    key: ClientKey,
    flow: Flow,
    owner: O,
    /// Some while the request, which is too large for a datagram, goes over TCP.
    fallback: Option<Box<Fallback>>,
}

enum Machine {
    Invite(InviteClient),
    Other(Client),
}

impl<O> Clients<O> {
    pub fn new(timing: Timing) -> Clients<O> {
        Clients {
            timing,
            entries: Arena::default(),
            by_key: HashMap::new(),
            over: Vec::new(),
            refusals: Refusals::default(),
        }
    }

    /// Sends a request other than ACK. `patience` replaces Timer B or F.
    pub(crate) fn start(
        &mut self,
        out: &mut Outbox,
        flow: Flow,
        key: ClientKey,
        request: Bytes,
        patience: Option<Duration>,
        owner: O,
    ) -> ClientId {
        // A text must not fill datagrams, whatever the peer takes (RFC 3428 §8).
        let must = *key.method() == Method::Message;
        let moved = self.refusals.over_tcp(flow, &request, out.now.time, must);
        let fallback = moved.as_ref().filter(|_| !must);
        let fallback = fallback.map(|_| Box::new(Fallback { flow, request: request.clone(), patience }));
        let (flow, request) = moved.unwrap_or((flow, request));
        let (machine, effects) = Machine::start(key.method(), request, self.timing, flow, patience);
        let id = ClientId(self.entries.insert(Entry { machine, key: key.clone(), flow, owner, fallback }).number());
        self.by_key.insert(key, id);
        self.carry_out(out, id, effects);
        id
    }

    /// The transaction to which a response is news, if any.
    pub(crate) fn response(&mut self, out: &mut Outbox, message: &Message) -> Option<ClientId> {
        let id = *self.by_key.get(&ClientKey::of(message)?)?;
        let entry = self.entry_mut(id)?;
        let effects = match &mut entry.machine {
            Machine::Other(machine) => machine.response(message.status()),
            Machine::Invite(machine) => {
                let request = machine.request().clone();
                machine.response(message.status(), || request::ack_refusal(request, message))
            }
        };
        let told = effects.contains(&Effect::Deliver);
        self.carry_out(out, id, effects);
        told.then_some(id)
    }

    /// The failure of which the owner is to be told, if any.
    pub(crate) fn timer(&mut self, out: &mut Outbox, id: ClientId, timer: Timer) -> Option<Failure> {
        let effects = match &mut self.entry_mut(id)?.machine {
            Machine::Invite(machine) => machine.timer(timer),
            Machine::Other(machine) => machine.timer(timer),
        };
        let told = effects.contains(&Effect::TimedOut);
        self.carry_out(out, id, effects);
        told.then_some(Failure::Timeout)
    }

    /// All transactions whose request can't have arrived because `flow` is broken.
    pub(crate) fn flow_failed(&mut self, out: &mut Outbox, flow: Flow) -> Vec<ClientId> {
        let of_flow = self.entries.iter().filter(|(_, entry)| entry.flow == flow);
        let ids: Vec<_> = of_flow.map(|(id, _)| ClientId(id.number())).collect();
        let mut failed = Vec::new();
        for id in ids {
            if self.fall_back(out, id) {
                continue;
            }
            let effects = match self.entry_mut(id).map(|entry| &mut entry.machine) {
                Some(Machine::Invite(machine)) => machine.failed(),
                Some(Machine::Other(machine)) => machine.failed(),
                None => continue,
            };
            if effects.contains(&Effect::Failed) {
                failed.push(id);
            }
            self.carry_out(out, id, effects);
        }
        failed
    }

    /// Sends a large request in datagrams, where nothing was answered over TCP. False if it didn't go by TCP.
    fn fall_back(&mut self, out: &mut Outbox, id: ClientId) -> bool {
        let timing = self.timing;
        let Some(entry) = self.entry_mut(id) else { return false };
        let is_answered = match &entry.machine {
            Machine::Invite(machine) => !machine.is_calling(),
            Machine::Other(machine) => !machine.is_trying(),
        };
        let Some(fallback) = entry.fallback.take().filter(|_| !is_answered) else { return false };
        let Fallback { flow, request, patience } = *fallback;
        let (machine, effects) = Machine::start(entry.key.method(), request, timing, flow, patience);
        (entry.machine, entry.flow) = (machine, flow);
        self.refusals.note(flow.remote, out.now.time);
        self.carry_out(out, id, effects);
        true
    }

    /// Takes out what is terminated; to be called after each input.
    pub(crate) fn sweep(&mut self, out: &mut Outbox) {
        while let Some(id) = self.over.pop() {
            let Some(entry) = self.entries.remove(Id::from_number(id.0)) else { continue };
            self.by_key.remove(&entry.key);
            for timer in CLIENT {
                out.stop(key(id, timer));
            }
        }
    }

    /// An INVITE that rings is given up `after` that time, unless a final answer comes before.
    pub(crate) fn limit(&mut self, out: &mut Outbox, id: ClientId, after: Duration) {
        if let Some(Entry { machine: Machine::Invite(machine), .. }) = self.entry_mut(id) {
            let effects = machine.limit(after);
            self.carry_out(out, id, effects);
        }
    }

    pub fn owner_mut(&mut self, id: ClientId) -> Option<&mut O> {
        self.entry_mut(id).map(|entry| &mut entry.owner)
    }

    /// The INVITE of a transaction in which CANCEL makes sense now, its key, and the way it went.
    pub fn proceeding(&self, id: ClientId) -> Option<(&Bytes, &ClientKey, Flow)> {
        match self.entries.get(Id::from_number(id.0)) {
            Some(Entry { machine: Machine::Invite(machine), key, flow, .. }) if machine.is_proceeding() => {
                Some((machine.request(), key, *flow))
            }
            _ => None,
        }
    }

    /// Whether an INVITE may still be answered.
    pub fn is_open(&self, id: ClientId) -> bool {
        let entry = self.entries.get(Id::from_number(id.0));
        entry.is_some_and(|entry| matches!(&entry.machine, Machine::Invite(machine) if !machine.is_over()))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry_mut(&mut self, id: ClientId) -> Option<&mut Entry<O>> {
        self.entries.get_mut(Id::from_number(id.0))
    }

    fn carry_out(&mut self, out: &mut Outbox, id: ClientId, effects: Effects) {
        let Some(flow) = self.entry_mut(id).map(|entry| entry.flow) else { return };
        for effect in effects {
            match effect {
                Effect::Send(bytes) => out.send(flow, bytes),
                Effect::Start(timer, after) => out.start(key(id, timer), after),
                Effect::Stop(timer) => out.stop(key(id, timer)),
                Effect::Over => self.over.push(id),
                Effect::Deliver | Effect::TimedOut | Effect::Failed => {}
            }
        }
    }
}

impl Machine {
    fn start(
        method: &Method,
        request: Bytes,
        timing: Timing,
        flow: Flow,
        patience: Option<Duration>,
    ) -> (Machine, Effects) {
        let reliable = flow.transport.is_reliable();
        if *method == Method::Invite {
            let (machine, effects) = InviteClient::start(request, timing, reliable, patience);
            (Machine::Invite(machine), effects)
        } else {
            let (machine, effects) = Client::start(request, timing, reliable, patience);
            (Machine::Other(machine), effects)
        }
    }
}

fn key(id: ClientId, timer: Timer) -> TimerKey {
    TimerKey::Transaction(TransactionTimer::Client(id, timer))
}
