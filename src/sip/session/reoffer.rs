//! Our re-INVITE: RFC 3261 §14.1.

use super::ack::Due;
use super::send::Request;
use super::{Session, SessionTimer, Stage};
use crate::sip::agent::{Busy, SessionEvent};
use crate::sip::core::{Core, Owner};
use crate::sip::flow::{Body, Headers};
use crate::sip::transaction::ClientId;
use crate::wire::sip::{Message, Method};
use std::time::Duration;

/// Glares after which a re-INVITE is given up: with waits of seconds, two sides that still meet don't wait at random.
const MAX_GLARES: u8 = 6;

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
    pub state: State,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum State {
    Sent(ClientId),
    /// For the time of [`SessionTimer::Retry`].
    Waiting,
}

impl Session {
    pub fn reoffer(&mut self, core: &mut Core, body: Option<Body>) -> Result<(), Busy> {
        let Stage::Up(up) = &self.stage else { return Err(Busy) };
        let pending = up.ours.is_some() || up.theirs.is_some() || up.bye.is_some();
        if pending || up.unacked.is_some() || up.ack_due.is_some() {
            return Err(Busy);
        }
        let credentials = Headers::new();
        let ours = Ours { body, attempts: 0, glares: 0, is_limited: false, credentials, state: State::Waiting };
        self.send_reoffer(core, ours);
        Ok(())
    }

    fn send_reoffer(&mut self, core: &mut Core, mut ours: Ours) {
        let Stage::Up(up) = &mut self.stage else { return };
        let request = Request { method: Method::Invite, headers: Headers::new(), body: ours.body.as_ref() };
        let owner = Owner::Reoffer { session: self.id, ack: None };
        let (client, credentials) = request.send(core, &mut up.dialog, &mut self.responder, &self.contact, owner);
        ours.state = State::Sent(client);
        ours.credentials = credentials;
        ours.is_limited = false;
        up.ours = Some(ours);
    }

    /// Whether a re-INVITE of ours waits for its answer, so that one of the peer would be a glare.
    pub(super) fn has_reoffer_out(&self) -> bool {
        matches!(&self.stage, Stage::Up(up) if up.ours.as_ref().is_some_and(|ours| ours.state != State::Waiting))
    }

    pub fn reoffer_response(&mut self, core: &mut Core, client: ClientId, message: Message) {
        let Stage::Up(up) = &mut self.stage else { return };
        let Some(mut ours) = up.ours.take_if(|ours| ours.state == State::Sent(client)) else { return };
        match message.status() {
            100..=199 => {
                if !ours.is_limited {
                    core.clients.limit(&mut core.out, client, PATIENCE);
                }
                ours.is_limited = true;
                up.ours = Some(ours);
            }
            200..=299 => {
                up.dialog.refresh_target(&message);
                let cseq = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
                Due { client, cseq, credentials: ours.credentials }.acknowledge(core, &up.dialog, None);
                self.emit(core, SessionEvent::Reanswered { message });
            }
            491 if ours.glares < MAX_GLARES => {
                ours.glares += 1;
                ours.state = State::Waiting;
                up.ours = Some(ours);
                self.wait_after_glare(core);
            }
            481 => self.peer_gone(core, true),
            408 => self.peer_gone(core, false),
            _ if self.takes_challenge(&message, &mut ours.attempts) => self.send_reoffer(core, ours),
            _ => self.emit(core, SessionEvent::Rerefused { message }),
        }
    }

    /// §14.1: the owner of the Call-ID waits longer, so that the two don't meet again. In steps of 10 ms.
    fn wait_after_glare(&self, core: &mut Core) {
        let steps = match self.is_caller {
            true => 210 + core.mint.chance.below(191),
            false => core.mint.chance.below(201),
        };
        self.start(core, SessionTimer::Retry, Duration::from_millis(10 * steps));
    }

    pub(super) fn retry_reoffer(&mut self, core: &mut Core) {
        let Stage::Up(up) = &mut self.stage else { return };
        if up.theirs.is_some() || up.unacked.is_some() {
            return self.wait_after_glare(core);
        }
        if let Some(ours) = up.ours.take_if(|ours| ours.state == State::Waiting) {
            self.send_reoffer(core, ours);
        }
    }

    pub fn withdraw(&mut self, core: &mut Core) -> bool {
        let Stage::Up(up) = &mut self.stage else { return false };
        let withdrawn = up.ours.take_if(|ours| ours.state == State::Waiting).is_some();
        if withdrawn {
            self.stop(core, SessionTimer::Retry);
        }
        withdrawn
    }

    pub fn reoffer_failed(&mut self, core: &mut Core, client: ClientId) {
        if let Stage::Up(up) = &mut self.stage
            && up.ours.take_if(|ours| ours.state == State::Sent(client)).is_some()
        {
            self.peer_gone(core, false);
        }
    }
}
