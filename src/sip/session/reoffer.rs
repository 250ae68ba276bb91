//! Our offer in a session: a re-INVITE once it is answered, an UPDATE before (RFC 3261 §14.1, RFC 3311 §5.1).

use super::ack::Due;
use super::send::Request;
use super::{Session, SessionTimer, Stage};
use crate::sip::agent::{Busy, Failure, SessionEvent};
use crate::sip::core::{Core, Owner};
use crate::sip::dialog::Dialog;
use crate::sip::flow::{Body, Headers};
use crate::sip::transaction::ClientId;
use crate::wire::sip::{Message, Method, Name};
use std::time::Duration;

/// Glares after which an offer is given up: with waits of seconds, two sides that still meet don't wait at random.
const MAX_GLARES: u8 = 6;

/// How long a peer may have us wait that is in the middle of something (§14.2 says 10 s at most).
const MAX_WAIT: Duration = Duration::from_secs(10);

/// How long a re-INVITE may be in progress. A person is rarely asked, and a peer that never answers would block the
/// session for ever.
const PATIENCE: Duration = Duration::from_secs(180);

pub(super) struct Ours {
    body: Option<Body>,
    attempts: u8,
    glares: u8,
    /// A provisional answer came, since when its time is limited.
    is_limited: bool,
    credentials: Headers,
    /// It offers nothing: an UPDATE that refreshes the session.
    is_refresh: bool,
    /// Its owner has other things to say by now: once it is refused it isn't made again.
    is_stale: bool,
    /// The number of the re-INVITE that is under way; none for an UPDATE.
    invite: Option<u32>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Sent(ClientId),
    /// For the time of [`SessionTimer::Retry`].
    Waiting,
}

impl Ours {
    fn new(body: Option<Body>) -> Ours {
        let credentials = Headers::new();
        let state = State::Waiting;
        Ours {
            body,
            attempts: 0,
            glares: 0,
            is_limited: false,
            credentials,
            is_refresh: false,
            is_stale: false,
            invite: None,
            state,
        }
    }

    pub fn refresh() -> Ours {
        Ours { is_refresh: true, ..Ours::new(None) }
    }

    /// The ACK that a 2xx to it will have.
    pub fn ack_due(self) -> Option<Due> {
        Some(Due { client: self.client()?, cseq: self.invite?, credentials: self.credentials })
    }

    /// Its transaction, if it is under way.
    pub fn client(&self) -> Option<ClientId> {
        match self.state {
            State::Sent(client) => Some(client),
            State::Waiting => None,
        }
    }
}

impl Session {
    pub fn reoffer(&mut self, core: &mut Core, body: Option<Body>) -> Result<(), Busy> {
        if self.ours.is_some()
            || self.theirs.is_some()
            || negotiable(&mut self.stage, self.watch.allows_update).is_none()
        {
            return Err(Busy);
        }
        self.send_reoffer(core, Box::new(Ours::new(body)));
        Ok(())
    }

    pub(super) fn send_reoffer(&mut self, core: &mut Core, mut ours: Box<Ours>) {
        let headers = [self.supported()].into_iter().chain(self.lease_renewed()).collect();
        let Some((dialog, method)) = negotiable(&mut self.stage, self.watch.allows_update) else { return };
        let method = if ours.is_refresh { Method::Update } else { method };
        let is_invite = method == Method::Invite;
        let request = Request { method, headers, body: ours.body.as_ref() };
        let owner = Owner::Reoffer { session: self.id, ack: None };
        let (client, credentials) = request.send(core, dialog, &mut self.responder, &self.contact, owner);
        let cseq = dialog.local_cseq;
        if let Stage::Calling(calling) = &self.stage {
            core.note_cseq(calling.client, cseq);
        }
        ours.invite = is_invite.then_some(cseq);
        ours.state = State::Sent(client);
        ours.credentials = credentials;
        ours.is_limited = false;
        self.ours = Some(ours);
    }

    /// Whether an offer of ours waits for its answer, so that one of the peer would be a glare.
    pub(super) fn has_offer_out(&self) -> bool {
        self.ours.as_ref().is_some_and(|ours| ours.client().is_some())
    }

    pub fn reoffer_response(&mut self, core: &mut Core, client: ClientId, message: Message) {
        let Some(mut ours) = self.ours.take_if(|ours| ours.client() == Some(client)) else { return };
        match message.status() {
            100..=199 => {
                if !ours.is_limited {
                    core.clients.limit(&mut core.out, client, PATIENCE);
                }
                ours.is_limited = true;
                self.ours = Some(ours);
            }
            200..=299 => self.reoffer_accepted(core, *ours, message),
            491 if ours.glares < MAX_GLARES => {
                let wait = self.wait_after_glare(core);
                self.try_again(core, ours, wait);
            }
            500 if ours.glares < MAX_GLARES && retry_after(&message).is_some() => {
                self.try_again(core, ours, retry_after(&message).unwrap_or_default());
            }
            500 if ours.glares < MAX_GLARES && self.was_overtaken(&message) => {
                let wait = self.wait_after_glare(core);
                self.try_again(core, ours, wait);
            }
            481 if self.is_up() => self.peer_gone(core, true),
            408 if self.is_up() => self.peer_gone(core, false),
            _ if self.takes_challenge(&message, &mut ours.attempts) && !ours.is_stale => self.send_reoffer(core, ours),
            422 if self.is_raised(&message) && !ours.is_stale => self.send_reoffer(core, ours),
            status if ours.is_refresh => self.refresh_refused(core, status),
            _ => self.emit(core, SessionEvent::Rerefused { message: Some(message) }),
        }
    }

    /// Whether a later request of ours may have come first, after which the peer can't take the one that this answers
    /// (§12.2.2).
    fn was_overtaken(&self, answer: &Message) -> bool {
        let Stage::Up(up) = &self.stage else { return false };
        answer.cseq().is_ok_and(|cseq| cseq.number < up.dialog.local_cseq)
    }

    fn reoffer_accepted(&mut self, core: &mut Core, ours: Ours, message: Message) {
        // Where another fork has answered the call since, the one that we asked is none of its business any more.
        let tag = message.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        let dialog = match &mut self.stage {
            Stage::Up(up) => Some(&mut up.dialog),
            Stage::Alerting(alerting) => Some(&mut alerting.dialog),
            Stage::Calling(calling) => {
                calling.early.iter_mut().map(|early| &mut early.dialog).find(|dialog| dialog.remote_tag == tag)
            }
            Stage::Leaving(_) | Stage::Over => None,
        };
        let Some(dialog) = dialog.filter(|dialog| dialog.remote_tag == tag) else { return };
        dialog.refresh_target(&message);
        let is_refresh = ours.is_refresh;
        if let Some(due) = ours.ack_due() {
            due.acknowledge(core, &self.contact, dialog, None);
        }
        if self.is_up() {
            self.lease_answered(&message);
            self.look_after(core);
        }
        match is_refresh {
            true => self.emit(core, SessionEvent::Settled),
            false => self.emit(core, SessionEvent::Reanswered { message }),
        }
    }

    /// §14.1: the owner of the Call-ID waits longer, so that the two don't meet again. In steps of 10 ms.
    fn wait_after_glare(&self, core: &mut Core) -> Duration {
        let steps = match self.is_caller {
            true => 210 + core.mint.chance.below(191),
            false => core.mint.chance.below(201),
        };
        Duration::from_millis(10 * steps)
    }

    fn try_again(&mut self, core: &mut Core, mut ours: Box<Ours>, wait: Duration) {
        ours.glares += 1;
        ours.state = State::Waiting;
        self.ours = Some(ours);
        self.start(core, SessionTimer::Retry, wait);
    }

    pub(super) fn retry_reoffer(&mut self, core: &mut Core) {
        if self.theirs.is_some() || negotiable(&mut self.stage, self.watch.allows_update).is_none() {
            let wait = self.wait_after_glare(core);
            return self.start(core, SessionTimer::Retry, wait);
        }
        match self.ours.take_if(|ours| ours.client().is_none()) {
            Some(ours) if ours.is_stale => self.emit(core, SessionEvent::Settled),
            Some(ours) => self.send_reoffer(core, ours),
            None => {}
        }
    }

    pub fn withdraw(&mut self, core: &mut Core) -> bool {
        let withdrawn = self.ours.take_if(|ours| ours.client().is_none()).is_some();
        if withdrawn {
            self.stop(core, SessionTimer::Retry);
        }
        if let Some(ours) = &mut self.ours {
            ours.is_stale = !ours.is_refresh;
        }
        withdrawn
    }

    /// No answer ends the session. One that couldn't be sent is as if it had been refused; where nobody can refresh the
    /// session any more, that ends it in time.
    pub fn reoffer_failed(&mut self, core: &mut Core, client: ClientId, cause: Failure) {
        let Some(ours) = self.ours.take_if(|ours| ours.client() == Some(client)) else { return };
        match cause {
            _ if !self.is_up() => {}
            Failure::Transport if ours.is_refresh => self.emit(core, SessionEvent::Settled),
            Failure::Transport => self.emit(core, SessionEvent::Rerefused { message: None }),
            Failure::Timeout | Failure::Limit => self.peer_gone(core, false),
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up(_))
    }
}

/// The dialog in which we may make an offer now, and by which method.
fn negotiable(stage: &mut Stage, allows_update: bool) -> Option<(&mut Dialog, Method)> {
    match stage {
        Stage::Up(up) => {
            let is_settled = up.unacked.is_none() && up.ack_due.is_none() && up.bye.is_none();
            is_settled.then_some((&mut up.dialog, Method::Invite))
        }
        Stage::Alerting(alerting) => {
            let is_settled = alerting.reliable.described && alerting.reliable.outstanding().is_none();
            (is_settled && allows_update).then_some((&mut alerting.dialog, Method::Update))
        }
        // Of several forks the one that was heard of last.
        Stage::Calling(calling) if calling.cancel.is_none() => {
            let early = calling.early.iter_mut().rfind(|early| early.described)?;
            early.allows_update.then_some((&mut early.dialog, Method::Update))
        }
        Stage::Calling(_) | Stage::Leaving(_) | Stage::Over => None,
    }
}

/// How long a peer asks us to wait that can't take an offer just now.
fn retry_after(message: &Message) -> Option<Duration> {
    let value = message.header(Name::RetryAfter)?;
    let digits = value.split([' ', ';', '(']).next()?;
    digits.parse().ok().map(Duration::from_secs).filter(|&wait| wait <= MAX_WAIT)
}
