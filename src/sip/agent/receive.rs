//! Where a message that comes in goes.

use super::{Agent, Event, RequestId, SessionId};
use crate::base::time::Now;
use crate::sip::arena::Id;
use crate::sip::core::Owner;
use crate::sip::flow::{Flow, Headers, Kind};
use crate::sip::response::way_back;
use crate::sip::session::{Accepted, Session, hang_up_fork};
use crate::sip::transaction::{Arrival, Asked, ClientId, ServerKey};
use crate::wire::sip::{Message, Method, Name};

/// Seconds after which a peer may try again when we are full, more or less.
const RETRY_AFTER: u64 = 5;

impl Agent {
    /// Takes in a message that came on `flow`.
    pub fn receive(&mut self, now: Now, flow: Flow, mut message: Message) {
        self.core.begin(now);
        if message.is_request() {
            // `received` and `rport` tell where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
            message.stamp_source(flow.remote);
            self.request_in(flow, message);
        } else {
            self.response_in(message);
        }
        self.settle();
    }

    /// A request that exceeds a limit, of which `beginning` could be read (§21.5.14).
    pub fn refuse_large(&mut self, now: Now, flow: Flow, mut beginning: Message) {
        self.core.begin(now);
        beginning.stamp_source(flow.remote);
        let is_answered = beginning.is_request() && *beginning.method() != Method::Ack && beginning.top_via().is_ok();
        if is_answered {
            self.core.reply_statelessly(flow, beginning, 513, "", &Headers::new());
        }
    }

    /// RFC 3261 §18.1.2 and §17.1.3. What isn't an answer to a request of ours is dropped.
    fn response_in(&mut self, message: Message) {
        // A response with further Vias went astray (§8.1.3.3).
        if message.check().is_err() || message.values(Name::Via).nth(1).is_some() {
            return;
        }
        let Some(client) = self.core.clients.response(&mut self.core.out, &message) else { return };
        match self.core.clients.owner_mut(client) {
            Some(&mut Owner::Request(id)) => self.request_response(id, message),
            Some(Owner::Invite(_)) => self.invite_response(client, message),
            Some(Owner::Reoffer { ack: Some((flow, bytes)), .. }) if (200..300).contains(&message.status()) => {
                let (flow, bytes) = (*flow, bytes.clone());
                self.core.out.send(flow, bytes, Kind::Plain);
            }
            Some(&mut Owner::Reoffer { session, .. }) => {
                self.with(session, |session, core| session.reoffer_response(core, client, message));
            }
            Some(&mut Owner::Bye(session)) => {
                self.with(session, |session, core| session.bye_response(core, &message));
            }
            Some(Owner::Prack { session, prack }) => {
                let (session, prack) = (*session, prack.copy());
                self.with(session, |session, core| session.prack_response(core, prack, &message));
            }
            Some(&mut Owner::Probe(session)) => {
                self.with(session, |session, core| session.probe_response(core, &message));
            }
            Some(owner @ Owner::Ask(_)) if message.status() >= 200 => {
                let Owner::Ask(asking) = std::mem::replace(owner, Owner::Nobody) else { return };
                self.with(asking.session, |session, core| session.ask_response(core, *asking, message));
            }
            Some(Owner::Ask(_) | Owner::Nobody) | None => {}
        }
    }

    fn request_response(&mut self, id: RequestId, message: Message) {
        if message.status() >= 200 {
            self.requests.remove(Id::from_number(id.0));
        }
        self.core.emit(Event::Response { id, message });
    }

    fn invite_response(&mut self, client: ClientId, message: Message) {
        let Some(Owner::Invite(invitation)) = self.core.clients.owner_mut(client) else { return };
        let mut session = invitation.session;
        if (200..=299).contains(&message.status()) {
            match invitation.accepted(&message) {
                Accepted::First(first) => session = first,
                Accepted::Again(Some((flow, bytes))) => return self.core.out.send(flow, bytes, Kind::Plain),
                Accepted::Fork => return hang_up_fork(&mut self.core, client, &message),
                Accepted::Again(None) | Accepted::TooMany => return,
            }
        }
        self.with(session, |session, core| session.invite_response(core, client, message));
    }

    fn request_in(&mut self, flow: Flow, message: Message) {
        let method = message.method().clone();
        // Without a Via nobody could be answered.
        let Some(key) = ServerKey::of(&message, &transaction_of(&method)) else {
            return self.answer_unreadable(flow, message);
        };
        if self.core.servers.arrive(&mut self.core.out, &key, &method) == Arrival::Absorbed {
            return;
        }
        if method == Method::Invite && self.core.reply_as_before(flow, &key, &message) {
            return;
        }
        if message.check().is_err() {
            return self.answer_unreadable(flow, message);
        }
        match method {
            Method::Ack => self.ack_in(message),
            Method::Cancel => self.cancel_in(flow, key, message),
            _ => self.new_request(flow, key, message),
        }
    }

    /// A request that nobody can act on gets an answer of which nothing is kept, and an ACK gets none.
    fn answer_unreadable(&mut self, flow: Flow, message: Message) {
        let Err(defect) = message.check() else { return };
        // With a Via that can't be read, the answer goes to where the request came from.
        if *message.method() == Method::Ack || message.header(Name::Via).is_none() {
            return;
        }
        self.core.reply_statelessly(flow, message, defect.status, defect.reason, &Headers::new());
    }

    /// The ACK of a 2xx; one that is late or strange is never answered.
    fn ack_in(&mut self, message: Message) {
        if let Some(id) = self.session_of(&message) {
            self.with(id, |session, core| session.acked(core, message));
        }
    }

    /// RFC 3261 §9.2.
    fn cancel_in(&mut self, flow: Flow, key: ServerKey, message: Message) {
        let invite = ServerKey::of(&message, &Method::Invite).and_then(|key| self.core.servers.find(&key));
        let Some(invite) = invite else {
            return self.core.reply_statelessly(flow, message, 481, "", &Headers::new());
        };
        let mut asked = self.asked(flow, message.clone());
        // Both answers have the same To tag (§9.2).
        if let Some(other) = self.core.servers.asked(invite) {
            asked.to_tag.clone_from(&other.to_tag);
        }
        let server = self.core.servers.start(&mut self.core.out, key, asked, None);
        self.core.reply(server, 200, Headers::new());
        if let Some(session) = self.core.servers.owner_mut(invite).copied().flatten() {
            self.with(session, |session, core| session.cancelled(core, invite, &message));
        }
    }

    fn new_request(&mut self, flow: Flow, key: ServerKey, message: Message) {
        let in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
        let limit = self.core.settings.max_transactions.saturating_mul(if in_dialog { 2 } else { 1 });
        if self.core.servers.len() >= limit {
            return self.answer_full(flow, message);
        }
        if !in_dialog && self.is_shed(message.method()) {
            return self.answer_full(flow, message);
        }
        // A registrar doesn't care for To tags.
        if in_dialog && *message.method() != Method::Register {
            return self.request_in_dialog(flow, key, message);
        }
        if self.core.servers.is_merged(&message) {
            return self.core.reply_statelessly(flow, message, 482, "", &Headers::new());
        }
        if let Some((status, headers)) = self.refusal(&message) {
            return self.core.reply_statelessly(flow, message, status, "", &headers);
        }
        match message.method() {
            Method::Invite => self.invited(flow, key, message),
            _ => {
                let asked = self.asked(flow, message.clone());
                let server = self.core.servers.start(&mut self.core.out, key, asked, None);
                self.core.emit(Event::Request { id: server.into(), flow, message });
            }
        }
    }

    fn request_in_dialog(&mut self, flow: Flow, key: ServerKey, message: Message) {
        let Some(id) = self.session_of(&message) else {
            // The owner keeps the dialogs of subscriptions.
            if *message.method() == Method::Subscribe && self.core.settings.takes.contains(&Method::Subscribe) {
                let asked = self.asked(flow, message.clone());
                let server = self.core.servers.start(&mut self.core.out, key, asked, None);
                return self.core.emit(Event::Request { id: server.into(), flow, message });
            }
            return self.core.reply_statelessly(flow, message, 481, "", &Headers::new());
        };
        let unsupported = self.unsupported(&message);
        let asked = self.asked(flow, message.clone());
        let owner = (*message.method() == Method::Invite).then_some(id);
        let server = self.core.servers.start(&mut self.core.out, key, asked, owner);
        match unsupported {
            Some(headers) => self.core.reply(server, 420, headers),
            None => self.with(id, |session, core| session.receive(core, server, flow, message)),
        }
    }

    /// Whether this one is refused so that the rest is served in time.
    fn is_shed(&mut self, method: &Method) -> bool {
        let share = if *method == Method::Invite { self.shedding.calls } else { self.shedding.others };
        share > 0 && self.core.mint.chance.below(1_000) < share
    }

    fn invited(&mut self, flow: Flow, key: ServerKey, message: Message) {
        if self.sessions.len() >= self.core.settings.max_sessions {
            return self.answer_full(flow, message);
        }
        let asked = self.asked(flow, message.clone());
        let servers = &mut self.core.servers;
        let (out, settings) = (&mut self.core.out, &self.core.settings);
        let id = self.sessions.insert_with(|id| {
            let id = SessionId(id.number());
            let server = servers.start(out, key, asked.clone(), Some(id));
            Session::alert(id, server, &asked, settings)
        });
        let session = SessionId(id.number());
        self.untried.push(session);
        self.index(session);
        self.core.emit(Event::Invited { session, flow, message });
    }

    /// What a request outside a dialog is answered before its owner hears of it (RFC 3261 §8.2).
    fn refusal(&self, message: &Message) -> Option<(u16, Headers)> {
        let method = message.method();
        match method {
            Method::Other(_) => return Some((501, vec![(Name::Allow, super::ALLOW.to_owned())])),
            Method::Bye | Method::Update | Method::Info | Method::Prack => return Some((481, Headers::new())),
            Method::Invite => {}
            _ if self.core.settings.takes.contains(method) => {}
            _ => return Some((405, Headers::new())),
        }
        if message.max_forwards() == Some(0) {
            return Some((483, Headers::new()));
        }
        // What a registration may require, the registrar knows.
        if *method == Method::Register {
            return None;
        }
        self.unsupported(message).map(|headers| (420, headers))
    }

    /// What a request requires and nobody here knows (§8.2.2.3).
    fn unsupported(&self, message: &Message) -> Option<Headers> {
        let known =
            |option: &&str| self.core.settings.extensions.iter().any(|known| option.eq_ignore_ascii_case(known));
        let values = message.values(Name::Require).filter(|option| !option.is_empty());
        let unknown: Vec<_> = values.filter(|option| !known(option)).collect();
        (!unknown.is_empty()).then(|| vec![(Name::Unsupported, unknown.join(", "))])
    }

    fn answer_full(&mut self, flow: Flow, message: Message) {
        let seconds = RETRY_AFTER + self.core.mint.chance.below(RETRY_AFTER + 1);
        self.core.reply_statelessly(flow, message, 503, "", &vec![(Name::RetryAfter, seconds.to_string())]);
    }

    fn asked(&mut self, flow: Flow, request: Message) -> Asked {
        let (back, listens) = way_back(&request, flow);
        Asked { request, flow, back, listens, to_tag: self.core.mint.tag() }
    }

    /// The session whose dialog a request names.
    pub(super) fn session_of(&self, request: &Message) -> Option<SessionId> {
        let to = request.to().ok()?;
        let id = *self.by_tag.get(to.tag()?)?;
        self.session(id).filter(|session| session.is_of(request)).map(|_| id)
    }
}

/// An ACK belongs to the transaction of its INVITE (RFC 3261 §17.2.3).
fn transaction_of(method: &Method) -> Method {
    match method {
        Method::Ack => Method::Invite,
        other => other.clone(),
    }
}
