//! All SIP state of one shard: transactions, requests outside dialogs, INVITE sessions.
//!
//! Pure: time is an argument, chance is owned, and what comes of it is polled.
//!
//! ```text
//!   receive ──▶ transaction ──▶ session or request ──▶ poll_event
//!   verbs of the owner ──▶ session ──▶ transaction ──▶ poll_transmit
//! ```

mod event;
mod lost;
mod receive;
mod settings;
mod terms;

pub use crate::sip::transaction::ClientId;
pub use event::{AskId, Counts, Ending, Event, Failure, RequestId, ServerId, SessionEvent, SessionId};
pub use settings::{AgentSettings, Busy, Invite, OutgoingRequest, Question, Shedding};
pub use terms::{Terms, TimerTerms};

use crate::base::chance::Chance;
use crate::base::time::{Now, Time};
use crate::sip::announce::Announce;
use crate::sip::arena::{Arena, Id};
use crate::sip::core::{Core, Owner};
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::{Body, Flow, Headers, Transmit};
use crate::sip::outbox::TimerKey;
use crate::sip::request::{Draft, contact, name_in};
use crate::sip::response::Answer;
use crate::sip::session::{Session, TIMERS};
use crate::sip::transaction::{ClientKey, Course, ServerTxId, TransactionTimer};
use crate::wire::sip::{Message, Method, Name, Uuid};
use std::collections::HashMap;

pub use crate::sip::request::ALLOW;

pub struct Agent {
    core: Core,
    sessions: Arena<Session>,
    /// Sessions by the tag that we gave them, which is in every request of their peers.
    by_tag: HashMap<String, SessionId>,
    /// Requests outside dialogs that wait for their answer.
    requests: Arena<ClientId>,
    /// New sessions that are told 100 unless their owner answers at once.
    untried: Vec<SessionId>,
    shedding: Shedding,
    /// Sessions by the connection that nobody but the peer can make again.
    pinned: HashMap<Flow, Vec<SessionId>>,
}

impl Agent {
    pub fn new(settings: AgentSettings, chance: Chance) -> Agent {
        Agent {
            core: Core::new(settings, chance),
            sessions: Arena::default(),
            by_tag: HashMap::new(),
            requests: Arena::default(),
            untried: Vec::new(),
            shedding: Shedding::default(),
            pinned: HashMap::new(),
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.core.begin(now);
        while let Some(key) = self.core.out.timers.expire(now.time) {
            match key {
                TimerKey::Transaction(TransactionTimer::Client(id, timer)) => {
                    if let Some(failure) = self.core.clients.timer(&mut self.core.out, id, timer) {
                        self.client_failed(id, failure);
                    }
                }
                TimerKey::Transaction(TransactionTimer::Server(id, timer)) => {
                    self.core.servers.timer(&mut self.core.out, id, timer);
                }
                TimerKey::Session(id, timer) => self.with(id, |session, core| session.timer(core, timer)),
            }
            self.settle();
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.core.out.timers.next()
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        while let Some(session) = self.untried.pop() {
            self.with(session, |session, core| session.trying(core));
        }
        self.core.out.transmits.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.out.events.pop_front()
    }

    /// What our addresses are called from now on.
    pub fn set_announce(&mut self, announce: Announce) {
        self.core.settings.announce = announce;
    }

    /// By which names peers know us from now on.
    pub fn set_names(&mut self, names: Vec<String>) {
        self.core.settings.names = names;
    }

    /// How many sessions there may be from now on.
    pub fn set_max_sessions(&mut self, most: usize) {
        self.core.settings.max_sessions = most;
    }

    /// Sends a request outside any dialog. Its answers come as [`Event::Response`], its failure as [`Event::Failed`].
    pub fn request(&mut self, now: Now, request: OutgoingRequest) -> RequestId {
        self.core.begin(now);
        // A quarter is for calls.
        let most = self.core.settings.max_transactions;
        if self.core.clients.len() >= most - most / 4 {
            let id = RequestId(self.requests.spend().number());
            self.core.emit(Event::Failed { id, cause: Failure::Limit });
            return id;
        }
        let core = &mut self.core;
        let id = self.requests.insert_with(|id| start_request(core, RequestId(id.number()), request));
        RequestId(id.number())
    }

    /// Answers a request; `status` 200 to 699 once, before that 100 to 199. An empty reason stands for the usual phrase.
    pub fn respond(&mut self, now: Now, id: ServerId, status: u16, reason: &str, headers: Headers, body: Option<Body>) {
        self.core.begin(now);
        self.core.answer(ServerTxId::from(id), &Answer { status, reason, headers: &headers, body: body.as_ref() });
        self.settle();
    }

    /// Starts a call. Where a limit of ours forbids it, [`SessionEvent::Failed`] follows.
    pub fn invite(&mut self, now: Now, invite: Invite) -> SessionId {
        self.core.begin(now);
        let settings = &self.core.settings;
        let full = self.sessions.len() >= settings.max_sessions || self.core.clients.len() >= settings.max_transactions;
        if full {
            let session = SessionId(self.sessions.spend().number());
            let event = SessionEvent::Failed { cause: Failure::Limit };
            self.core.emit(Event::Session { session, event });
            return session;
        }
        let core = &mut self.core;
        let id = self.sessions.insert_with(|id| Session::invite(core, SessionId(id.number()), invite));
        let session = SessionId(id.number());
        self.index(session);
        session
    }

    /// Settles what the session of an [`Event::Invited`] may use. Where the caller's wishes don't allow for it, the answer
    /// that says so is given back, to be refused with. With `credentials` challenges of the caller are answered, where our
    /// requests go to the very host that called.
    pub fn agree(
        &mut self,
        now: Now,
        id: SessionId,
        terms: Terms,
        credentials: Option<ClientCredentials>,
    ) -> Option<(u16, Headers)> {
        let mut refusal = None;
        self.act(now, id, |session, core| refusal = session.agree(core, terms, credentials));
        refusal
    }

    /// A provisional answer, 101 to 199, to the INVITE of an [`Event::Invited`]. The agent repeats it each minute.
    pub fn progress(
        &mut self,
        now: Now,
        id: SessionId,
        status: u16,
        reason: &str,
        headers: Headers,
        body: Option<Body>,
    ) {
        let answer = Answer { status, reason, headers: &headers, body: body.as_ref() };
        self.act(now, id, |session, core| session.progress(core, &answer));
    }

    /// Answers 200; [`SessionEvent::Acked`] follows, or [`Ending::NoAck`] after 64*T1.
    pub fn answer(&mut self, now: Now, id: SessionId, headers: Headers, body: Option<Body>) {
        let answer = Answer { status: 200, reason: "", headers: &headers, body: body.as_ref() };
        self.act(now, id, |session, core| session.answer(core, &answer));
    }

    /// A final answer of 300 or more. The session is gone.
    pub fn refuse(&mut self, now: Now, id: SessionId, status: u16, reason: &str, headers: Headers) {
        self.act(now, id, |session, core| session.refuse(core, status, reason, &headers));
    }

    /// The same for a caller who isn't known: nothing is kept, so that the answer goes out once for each INVITE that comes
    /// and never by itself to where a forged one points (RFC 3261 §8.2.7).
    pub fn turn_away(&mut self, now: Now, id: SessionId, status: u16, reason: &str, headers: Headers) {
        let mut asked = None;
        self.act(now, id, |session, core| asked = session.abandon(core));
        if let Some(asked) = asked {
            self.core.reply_statelessly(asked.flow, asked.request, status, reason, &headers);
        }
    }

    /// Answers a request outside a dialog once, and keeps nothing of it; as [`turn_away`](Self::turn_away).
    pub fn dismiss(&mut self, now: Now, id: ServerId, status: u16, reason: &str, headers: Headers) {
        self.core.begin(now);
        if let Some(asked) = self.core.servers.forget(&mut self.core.out, ServerTxId::from(id)) {
            self.core.reply_statelessly(asked.flow, asked.request, status, reason, &headers);
        }
        self.settle();
    }

    /// What share of new requests is refused from now on.
    pub fn shed(&mut self, shedding: Shedding) {
        self.shedding = shedding;
    }

    /// Whether a request is of a session that there is.
    pub fn knows(&self, request: &Message) -> bool {
        self.session_of(request).is_some()
    }

    /// Acknowledges the answer to our INVITE, with our answer in `body` where the offer was in theirs. The agent sends it
    /// again for each retransmission of that answer.
    pub fn ack(&mut self, now: Now, id: SessionId, body: Option<Body>) {
        self.act(now, id, |session, core| session.ack(core, body));
    }

    /// Sends a re-INVITE; after a glare it is tried again inside.
    pub fn reoffer(&mut self, now: Now, id: SessionId, body: Option<Body>) -> Result<(), Busy> {
        let mut result = Err(Busy);
        self.act(now, id, |session, core| result = session.reoffer(core, body));
        result
    }

    /// Gives up a re-INVITE that waits for its time after a glare; false where none does. One that is under way isn't made
    /// again after a refusal: [`SessionEvent::Settled`] or [`SessionEvent::Rerefused`] follows instead.
    pub fn withdraw(&mut self, now: Now, id: SessionId) -> bool {
        let mut withdrawn = false;
        self.act(now, id, |session, core| withdrawn = session.withdraw(core));
        withdrawn
    }

    /// Our answer to the re-INVITE or UPDATE of a [`SessionEvent::Reoffered`].
    pub fn reanswer(
        &mut self,
        now: Now,
        id: SessionId,
        status: u16,
        reason: &str,
        headers: Headers,
        body: Option<Body>,
    ) {
        let answer = Answer { status, reason, headers: &headers, body: body.as_ref() };
        self.act(now, id, |session, core| session.reanswer(core, &answer));
    }

    /// Gives our INVITE up, with a Reason header value (RFC 3326); [`Ending::Cancelled`] follows.
    pub fn cancel(&mut self, now: Now, id: SessionId, reason: Option<String>) {
        self.act(now, id, |session, core| session.cancel(core, reason));
    }

    /// Ends the session by whatever its state asks for: CANCEL, a refusal (480) or BYE. [`SessionEvent::Ended`] follows.
    pub fn bye(&mut self, now: Now, id: SessionId, reason: Option<String>) {
        self.part(now, id, reason.map(|reason| (Name::Reason, reason)).into_iter().collect());
    }

    /// The same with whatever the BYE is to say.
    pub fn part(&mut self, now: Now, id: SessionId, headers: Headers) {
        self.act(now, id, |session, core| session.bye(core, headers));
    }

    /// Our side of an answered session is called otherwise from now on (RFC 7989 §9).
    pub fn rename(&mut self, now: Now, id: SessionId, name: Uuid) {
        self.act(now, id, |session, _| session.rename(name));
    }

    /// Whether a call to us has its final answer. One that was given may wait for the acknowledgement of what came before.
    pub fn is_answered(&self, id: SessionId) -> bool {
        self.session(id).is_none_or(Session::is_answered)
    }

    /// Whether the caller is to acknowledge a provisional answer, which holds a description or doesn't.
    pub fn is_acknowledged(&self, id: SessionId, has_body: bool) -> bool {
        self.session(id).is_some_and(|session| session.is_acknowledged(&self.core, has_body))
    }

    /// Sends another request in the dialog of an answered session, such as INFO or REFER; challenges are answered inside.
    /// [`SessionEvent::Replied`] or [`SessionEvent::Unanswered`] follows, unless the session ends before. INVITE, ACK, BYE
    /// and UPDATE have verbs of their own.
    pub fn ask(&mut self, now: Now, id: SessionId, question: Question) -> Result<AskId, Busy> {
        let mut result = Err(Busy);
        self.act(now, id, |session, core| result = session.ask(core, question));
        result
    }

    /// What the peer is sent when it hangs up, whose answer nobody hears of; none for nothing.
    pub fn leave_behind(&mut self, now: Now, id: SessionId, question: Option<Question>) {
        self.act(now, id, |session, _| session.leave_behind(question));
    }

    /// The To tag that our answers to a request have: that of the dialog which a 2xx makes.
    pub fn local_tag(&self, id: ServerId) -> Option<&str> {
        self.core.servers.asked(ServerTxId::from(id)).map(|asked| asked.to_tag.as_str())
    }

    /// The way by which the session's requests come and go, unless its peer's Contact leads elsewhere.
    pub fn flow(&self, id: SessionId) -> Option<Flow> {
        self.session(id).map(Session::flow)
    }

    pub fn call_id(&self, id: SessionId) -> Option<&str> {
        self.session(id).map(|session| session.call_id.as_str())
    }

    /// The session whose dialog has this Call-ID, this tag of ours and this one of its peer.
    pub fn session_in(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<SessionId> {
        let id = *self.by_tag.get(local_tag)?;
        self.session(id).filter(|session| session.has_dialog(call_id, remote_tag)).map(|_| id)
    }

    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len(),
            requests: self.requests.len(),
            client_transactions: self.core.clients.len(),
            server_transactions: self.core.servers.len(),
            timers: self.core.out.timers.len(),
        }
    }

    fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(Id::from_number(id.0))
    }

    /// A verb of the owner's.
    fn act(&mut self, now: Now, id: SessionId, verb: impl FnOnce(&mut Session, &mut Core)) {
        self.core.begin(now);
        self.with(id, verb);
        self.settle();
    }

    fn with(&mut self, id: SessionId, verb: impl FnOnce(&mut Session, &mut Core)) {
        let place = Id::from_number(id.0);
        let Some(session) = self.sessions.get_mut(place) else { return };
        verb(session, &mut self.core);
        if session.is_over() {
            for timer in TIMERS {
                self.core.out.stop(TimerKey::Session(id, timer));
            }
            // Forks of one INVITE share its tag.
            if self.by_tag.get(&session.local_tag) == Some(&id) {
                self.by_tag.remove(&session.local_tag);
            }
            let flow = session.way();
            self.sessions.remove(place);
            self.unpin(flow, id);
        }
    }

    fn index(&mut self, id: SessionId) {
        let Some(session) = self.session(id) else { return };
        let (tag, flow) = (session.local_tag.clone(), session.way());
        self.by_tag.insert(tag, id);
        self.pin(flow, id);
    }

    /// What is left to do after each input: take in new forks, take out what is over.
    fn settle(&mut self) {
        while let Some(fork) = self.core.forks.pop() {
            let core = &mut self.core;
            self.sessions.insert_with(|id| fork(core, SessionId(id.number())));
        }
        self.core.clients.sweep(&mut self.core.out);
        self.core.servers.sweep(&mut self.core.out);
    }

    /// A request of ours has no answer and will have none.
    fn client_failed(&mut self, client: ClientId, cause: Failure) {
        match self.core.clients.owner_mut(client) {
            Some(&mut Owner::Request(id)) => {
                self.requests.remove(Id::from_number(id.0));
                self.core.emit(Event::Failed { id, cause });
            }
            Some(Owner::Invite(invitation)) => {
                let session = invitation.session;
                self.with(session, |session, core| session.invite_failed(core, client, cause));
            }
            Some(&mut Owner::Reoffer { session, .. }) => {
                self.with(session, |session, core| session.reoffer_failed(core, client, cause));
            }
            Some(&mut Owner::Bye(session)) => self.with(session, |session, core| session.bye_failed(core)),
            Some(&mut Owner::Probe(session)) => self.with(session, |session, core| session.probe_failed(core, cause)),
            Some(owner @ Owner::Ask(_)) => {
                let Owner::Ask(asking) = std::mem::replace(owner, Owner::Nobody) else { return };
                self.with(asking.session, |session, core| session.ask_failed(core, &asking, cause));
            }
            Some(Owner::Prack { .. } | Owner::Nobody) | None => {}
        }
    }
}

fn start_request(core: &mut Core, id: RequestId, request: OutgoingRequest) -> ClientId {
    let branch = core.mint.branch();
    let tag = request.local_tag.clone().unwrap_or_else(|| core.mint.tag());
    let from = format!("{};tag={tag}", request.from);
    let call_id = request.call_id.unwrap_or_else(|| core.mint.call_id());
    let host = request.contact_host.as_deref();
    let at = |user: &String| contact(user, request.flow, &core.settings.announce, host);
    let contact = request.contact.clone().or_else(|| request.contact_user.as_ref().map(at));
    let draft = Draft {
        method: &request.method,
        uri: &request.uri,
        flow: request.flow,
        announce: &core.settings.announce,
        host: host.or_else(|| name_in(contact.as_deref()?)),
        branch: &branch,
        max_forwards: request.max_forwards,
        from: &from,
        to: &request.to,
        call_id: &call_id,
        cseq: request.cseq.unwrap_or(1),
        contact: contact.as_deref(),
        routes: &request.routes,
        headers: &request.headers,
        credentials: &Headers::new(),
        body: request.body.as_ref(),
        user_agent: &core.settings.user_agent,
    };
    let bytes = draft.write();
    // An INVITE makes a session and an ACK no transaction: neither is sent this way.
    let method = match request.method {
        Method::Invite | Method::Ack => Method::Options,
        other => other,
    };
    let key = ClientKey::new(&branch, method);
    let is_new = request.local_tag.is_none();
    let course = Course { flow: request.flow, is_new, is_pinned: request.is_pinned };
    core.clients.start(&mut core.out, course, key, bytes, request.max_wait, Owner::Request(id))
}
