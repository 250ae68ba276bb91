//! All server transactions: requests find theirs, and what its machine wants is carried out.

use super::timer::{SERVER, Timer, Timing};
use super::{Effect, Effects, InviteServer, Server, ServerKey, TransactionTimer};
use crate::sip::arena::{Arena, Id};
use crate::sip::flow::{Flow, Kind};
use crate::sip::outbox::{Outbox, TimerKey};
use crate::wire::sip::{Message, Method};
use bytes::Bytes;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Which server transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerTxId(u64);

pub struct Servers<O> {
    timing: Timing,
    entries: Arena<Entry<O>>,
    by_key: HashMap<ServerKey, ServerTxId>,
    /// Requests outside dialogs by what a merged one has in common with them (RFC 3261 §8.2.2.2).
    merged: HashMap<Box<str>, ServerTxId>,
    over: Vec<ServerTxId>,
}

struct Entry<O> {
    machine: Machine,
    key: ServerKey,
    merge: Option<Box<str>>,
    /// The way that answers go, and where the peer takes connections, should that one be gone.
    back: Flow,
    listens: SocketAddr,
    /// None once it has an answer after which nobody looks at it any more: that is kept for half a minute.
    asked: Option<Box<Asked>>,
    owner: O,
}

/// A request that is being answered, with all that an answer needs.
#[derive(Clone)]
pub struct Asked {
    pub request: Message,
    /// The way that the request came.
    pub flow: Flow,
    /// The way that answers go (RFC 3261 §18.2.2, RFC 3581).
    pub back: Flow,
    /// Where the peer takes connections, should the one that `back` is be gone.
    pub listens: SocketAddr,
    /// The To tag of our answers, where the request has none.
    pub to_tag: String,
}

enum Machine {
    Invite(InviteServer),
    Other(Server),
}

/// What a request is to the transactions that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// A retransmission, or the ACK of a refusal: done.
    Absorbed,
    /// Not of any transaction. An ACK of a 2xx is for its session, any other request starts a transaction.
    New,
}

impl<O> Servers<O> {
    pub fn new(timing: Timing) -> Servers<O> {
        Servers { timing, entries: Arena::default(), by_key: HashMap::new(), merged: HashMap::new(), over: Vec::new() }
    }

    pub(crate) fn arrive(&mut self, out: &mut Outbox, key: &ServerKey, method: &Method) -> Arrival {
        let Some(&id) = self.by_key.get(key) else { return Arrival::New };
        let Some(entry) = self.entry_mut(id) else { return Arrival::New };
        let effects = match (&mut entry.machine, method) {
            (Machine::Invite(machine), Method::Ack) => machine.ack(),
            (Machine::Invite(machine), _) => machine.request(),
            (Machine::Other(machine), _) => machine.request(),
        };
        let news = effects.contains(&Effect::Deliver);
        self.carry_out(out, id, effects);
        if news { Arrival::New } else { Arrival::Absorbed }
    }

    pub(crate) fn start(&mut self, out: &mut Outbox, key: ServerKey, asked: Asked, owner: O) -> ServerTxId {
        let reliable = asked.flow.transport.is_reliable();
        let (machine, effects) = if *asked.request.method() == Method::Invite {
            (Machine::Invite(InviteServer::new(self.timing, reliable)), Effects::new())
        } else {
            let (machine, effects) = Server::start(self.timing, reliable);
            (Machine::Other(machine), effects)
        };
        let merge = merge_key(&asked.request);
        let (back, listens, asked) = (asked.back, asked.listens, Some(Box::new(asked)));
        let entry = Entry { machine, key: key.clone(), merge: merge.clone(), back, listens, asked, owner };
        let id = ServerTxId(self.entries.insert(entry).number());
        self.by_key.insert(key, id);
        if let Some(merge) = merge {
            self.merged.entry(merge).or_insert(id);
        }
        self.carry_out(out, id, effects);
        id
    }

    /// Lets go of a transaction that is answered without keeping anything of it.
    pub(crate) fn forget(&mut self, out: &mut Outbox, id: ServerTxId) -> Option<Asked> {
        let asked = self.asked(id).cloned()?;
        self.over.push(id);
        self.sweep(out);
        Some(asked)
    }

    /// Whether nothing at all was answered yet.
    pub fn is_unanswered(&self, id: ServerTxId) -> bool {
        let entry = self.entries.get(Id::from_number(id.0));
        entry.is_some_and(|entry| matches!(&entry.machine, Machine::Invite(machine) if machine.is_unanswered()))
    }

    /// Whether this request came before by another way: it was forked and its branches met here (§8.2.2.2).
    pub fn is_merged(&self, request: &Message) -> bool {
        merge_key(request).is_some_and(|key| self.merged.contains_key(&key))
    }

    pub(crate) fn respond(&mut self, out: &mut Outbox, id: ServerTxId, status: u16, response: Bytes) {
        let Some(entry) = self.entry_mut(id) else { return };
        let (effects, last) = match &mut entry.machine {
            Machine::Invite(machine) => (machine.respond(status, response), 300),
            Machine::Other(machine) => (machine.respond(status, response), 200),
        };
        if status >= last {
            entry.asked = None;
        }
        self.carry_out(out, id, effects);
    }

    /// Sends the last provisional answer again (§13.3.1.1).
    pub(crate) fn repeat(&mut self, out: &mut Outbox, id: ServerTxId) {
        if let Some(Entry { machine: Machine::Invite(machine), .. }) = self.entry_mut(id) {
            let effects = machine.request();
            self.carry_out(out, id, effects);
        }
    }

    pub(crate) fn timer(&mut self, out: &mut Outbox, id: ServerTxId, timer: Timer) {
        let Some(entry) = self.entry_mut(id) else { return };
        let effects = match &mut entry.machine {
            Machine::Invite(machine) => machine.timer(timer),
            Machine::Other(machine) => machine.timer(timer),
        };
        self.carry_out(out, id, effects);
    }

    /// What is being answered; none after a final answer to anything but INVITE, or a refusal.
    pub fn asked(&self, id: ServerTxId) -> Option<&Asked> {
        self.entries.get(Id::from_number(id.0)).and_then(|entry| entry.asked.as_deref())
    }

    pub fn find(&self, key: &ServerKey) -> Option<ServerTxId> {
        self.by_key.get(key).copied()
    }

    pub fn owner_mut(&mut self, id: ServerTxId) -> Option<&mut O> {
        self.entry_mut(id).map(|entry| &mut entry.owner)
    }

    /// Takes out what is terminated; to be called after each input.
    pub(crate) fn sweep(&mut self, out: &mut Outbox) {
        while let Some(id) = self.over.pop() {
            let Some(entry) = self.entries.remove(Id::from_number(id.0)) else { continue };
            self.by_key.remove(&entry.key);
            if let Some(merge) = entry.merge
                && self.merged.get(&merge) == Some(&id)
            {
                self.merged.remove(&merge);
            }
            for timer in SERVER {
                out.stop(timer_key(id, timer));
            }
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn entry_mut(&mut self, id: ServerTxId) -> Option<&mut Entry<O>> {
        self.entries.get_mut(Id::from_number(id.0))
    }

    fn carry_out(&mut self, out: &mut Outbox, id: ServerTxId, effects: Effects) {
        let Some((back, listens)) = self.entry_mut(id).map(|entry| (entry.back, entry.listens)) else { return };
        for effect in effects {
            match effect {
                Effect::Send(bytes) => out.send(back, bytes, Kind::Answer { listens }),
                Effect::Start(timer, after) => out.start(timer_key(id, timer), after),
                Effect::Stop(timer) => out.stop(timer_key(id, timer)),
                Effect::Over => self.over.push(id),
                Effect::Deliver | Effect::TimedOut | Effect::Failed => {}
            }
        }
    }
}

impl ServerTxId {
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn from_number(number: u64) -> ServerTxId {
        ServerTxId(number)
    }
}

fn timer_key(id: ServerTxId, timer: Timer) -> TimerKey {
    TimerKey::Transaction(TransactionTimer::Server(id, timer))
}

/// From tag, Call-ID and CSeq of a request outside a dialog.
fn merge_key(request: &Message) -> Option<Box<str>> {
    if request.to().ok()?.tag().is_some() || *request.method() == Method::Cancel {
        return None;
    }
    let (from, cseq) = (request.from().ok()?, request.cseq().ok()?);
    let key = format!("{}\n{}\n{} {}", request.call_id(), from.tag()?, cseq.number, request.method());
    Some(key.into())
}
