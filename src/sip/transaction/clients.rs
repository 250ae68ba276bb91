//! All client transactions: responses find theirs, and what its machine wants is carried out.

use super::large::{DATAGRAM_BYTES, Fallback, Refusals, over, over_connection};
use super::timer::{CLIENT, Timer, Timing};
use super::{Client, ClientKey, Effect, Effects, InviteClient, TransactionTimer};
use crate::sip::agent::Failure;
use crate::sip::arena::{Arena, Id};
use crate::sip::flow::{Flow, Kind};
use crate::sip::locate::Target;
use crate::sip::outbox::{Outbox, TimerKey};
use crate::sip::request;
use crate::wire::sip::{Message, Method, Name, NameAddr, Uri};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;

/// Which client transaction; `O` is whatever its user keeps with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
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
    course: Course,
    /// Only an open connection will do.
    if_open: bool,
    /// It was sent a second time, after its connection was lost.
    is_repeated: bool,
    owner: O,
    /// Some while the request, which is too large for a datagram, goes over TCP.
    fallback: Option<Box<Fallback>>,
}

/// What a request goes by, and what becomes of it where that fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Course {
    pub flow: Flow,
    /// It begins something, so that its user is told at once of a datagram that can't be sent. In a dialog that is a loss
    /// as any other, and made up for by the next retransmission.
    pub is_new: bool,
    /// Nothing but the flow leads there. Otherwise the request's first Route or its Request-URI does as well (RFC 3261
    /// §8.1.2), should the connection be gone.
    pub is_pinned: bool,
}

impl Course {
    /// Whether the request itself says where it may go instead, should a connection be gone. One that was made because the
    /// request is too large for a datagram is no way of its own.
    fn knows_another(&self) -> bool {
        self.flow.transport.is_reliable() && !self.is_pinned
    }
}

/// What is to be done about a request that can't have arrived.
pub(crate) enum Lost {
    /// Nothing, or it is done.
    Settled,
    /// Its user is to be told.
    Failed,
    /// It is to be led to where it says that it goes.
    Astray { flow: Flow, target: Target },
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
        course: Course,
        key: ClientKey,
        request: Bytes,
        patience: Option<Duration>,
        owner: O,
    ) -> ClientId {
        let flow = course.flow;
        // A text must not fill datagrams, whatever the peer takes (RFC 3428 §8).
        let must = *key.method() == Method::Message;
        let moved = self.refusals.over_tcp(flow, &request, out.now.time, must);
        let fallback = moved.as_ref().filter(|_| !must);
        let fallback = fallback.map(|_| Box::new(Fallback { flow, request: request.clone(), patience }));
        let (flow, request) = moved.unwrap_or((flow, request));
        let (machine, effects) = Machine::start(key.method(), request, self.timing, flow, patience);
        let if_open = course.knows_another();
        let entry = Entry { machine, key: key.clone(), flow, course, if_open, is_repeated: false, owner, fallback };
        let id = ClientId(self.entries.insert(entry).number());
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

    /// A request can't have arrived: nothing could be sent, or its connection, which `was_open`, is lost. After an answer
    /// of any kind that doesn't matter (RFC 3261 §17.1.4).
    pub(crate) fn unsent(&mut self, out: &mut Outbox, id: ClientId, was_open: bool) -> Lost {
        let Some(entry) = self.entry_mut(id) else { return Lost::Settled };
        if entry.machine.is_answered() || self.fall_back(out, id) {
            return Lost::Settled;
        }
        let Some(entry) = self.entry_mut(id) else { return Lost::Settled };
        let flow = entry.flow;
        if !flow.transport.is_reliable() {
            return if entry.course.is_new { self.fail(out, id) } else { Lost::Settled };
        }
        if !std::mem::replace(&mut entry.is_repeated, true) {
            let target =
                Some(entry).filter(|entry| entry.course.knows_another()).and_then(|entry| entry.machine.target());
            if let Some(target) = target {
                return Lost::Astray { flow, target };
            }
            // A peer that restarted takes a new connection. A browser makes its own.
            if was_open && !flow.transport.is_websocket() {
                self.send_again(out, id, flow);
                return Lost::Settled;
            }
        }
        self.fail(out, id)
    }

    /// Sends a request that went astray by the way that was found for it, or gives it up where there is none.
    pub(crate) fn lead(&mut self, out: &mut Outbox, id: ClientId, way: Option<Flow>) -> Lost {
        match way {
            Some(flow) if self.send_again(out, id, flow) => Lost::Settled,
            _ => self.fail(out, id),
        }
    }

    /// The host of this request says that nobody listens there. The beginning of the datagram is all that it sends back, and
    /// proves that it had it: nobody else knows the branch. True where the user is to be told.
    pub(crate) fn returned(&mut self, out: &mut Outbox, beginning: &[u8]) -> Option<ClientId> {
        let id = *self.by_key.get(&ClientKey::of_beginning(beginning)?)?;
        let is_datagram = !self.entry_mut(id)?.flow.transport.is_reliable();
        (is_datagram && matches!(self.unsent(out, id, false), Lost::Failed)).then_some(id)
    }

    fn fail(&mut self, out: &mut Outbox, id: ClientId) -> Lost {
        let effects = match self.entry_mut(id).map(|entry| &mut entry.machine) {
            Some(Machine::Invite(machine)) => machine.failed(),
            Some(Machine::Other(machine)) => machine.failed(),
            None => return Lost::Settled,
        };
        let told = effects.contains(&Effect::Failed);
        self.carry_out(out, id, effects);
        if told { Lost::Failed } else { Lost::Settled }
    }

    /// False where that isn't possible any more.
    fn send_again(&mut self, out: &mut Outbox, id: ClientId, flow: Flow) -> bool {
        let Some(entry) = self.entry_mut(id) else { return false };
        let flow = if entry.machine.request().len() > DATAGRAM_BYTES { over_connection(flow) } else { flow };
        let Some(request) = over(entry.flow.transport, flow.transport, entry.machine.request()) else { return false };
        (entry.flow, entry.if_open) = (flow, false);
        let reliable = flow.transport.is_reliable();
        let effects = match &mut entry.machine {
            Machine::Invite(machine) => machine.again(request, reliable),
            Machine::Other(machine) => machine.again(request, reliable),
        };
        let is_sent = !effects.is_empty();
        self.carry_out(out, id, effects);
        is_sent
    }

    /// Sends a large request in datagrams, where nothing was answered over TCP. False if it didn't go by TCP.
    fn fall_back(&mut self, out: &mut Outbox, id: ClientId) -> bool {
        let timing = self.timing;
        let Some(entry) = self.entry_mut(id) else { return false };
        let Some(fallback) = entry.fallback.take() else { return false };
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
        let Some(entry) = self.entry_mut(id) else { return };
        let (flow, kind) = (entry.flow, if entry.if_open { Kind::IfOpen(id) } else { Kind::Request(id) });
        for effect in effects {
            match effect {
                Effect::Send(bytes) => out.send(flow, bytes, kind),
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

impl Machine {
    fn request(&self) -> &Bytes {
        match self {
            Machine::Invite(machine) => machine.request(),
            Machine::Other(machine) => machine.request(),
        }
    }

    fn is_answered(&self) -> bool {
        match self {
            Machine::Invite(machine) => !machine.is_calling(),
            Machine::Other(machine) => !machine.is_trying(),
        }
    }

    /// Where the request says that it goes: its first Route, or else its Request-URI (RFC 3261 §8.1.2).
    fn target(&self) -> Option<Target> {
        let request = Message::parse(self.request().clone()).ok()?;
        match request.values(Name::Route).next() {
            Some(route) => Target::of_uri(&NameAddr::parse(route).ok()?.parse_uri().ok()?),
            None => Target::of_uri(&Uri::parse(request.request_uri()).ok()?),
        }
    }
}

fn key(id: ClientId, timer: Timer) -> TimerKey {
    TimerKey::Transaction(TransactionTimer::Client(id, timer))
}
