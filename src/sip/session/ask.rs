//! Requests of ours in an answered session that change nothing of it: INFO, NOTIFY, REFER, MESSAGE (RFC 3261 §12.2.1).

use super::send::Request;
use super::{Session, Stage};
use crate::sip::agent::{AskId, Busy, Failure, Question, SessionEvent, SessionId};
use crate::sip::core::{Core, Owner};
use crate::wire::sip::{Message, Method};

/// Requests that may wait for their answers in one session. What a peer sends us may make us send something to another,
/// and a session whose peer is silent must not collect them.
const MAX_ASKING: usize = 16;

/// What stays with the transaction of a request until its final answer.
pub(crate) struct Asking {
    pub session: SessionId,
    id: AskId,
    question: Question,
    attempts: u8,
}

impl Session {
    pub fn ask(&mut self, core: &mut Core, question: Question) -> Result<AskId, Busy> {
        let Stage::Up(up) = &mut self.stage else { return Err(Busy) };
        if up.asking >= MAX_ASKING || core.clients.len() >= core.settings.max_transactions {
            return Err(Busy);
        }
        up.asking += 1;
        core.asks += 1;
        let id = AskId(core.asks);
        self.send_question(core, Asking { session: self.id, id, question, attempts: 0 });
        Ok(id)
    }

    pub fn leave_behind(&mut self, question: Option<Question>) {
        if let Stage::Up(up) = &mut self.stage {
            up.farewell = question.map(Box::new);
        }
    }

    fn send_question(&mut self, core: &mut Core, asking: Asking) {
        let Stage::Up(up) = &mut self.stage else { return };
        let Question { method, headers, body } = asking.question.clone();
        let request = Request { method, headers, body: body.as_ref() };
        let owner = Owner::Ask(Box::new(asking));
        request.send(core, &mut up.dialog, &mut self.responder, &self.contact, owner);
    }

    /// A final answer. A peer that doesn't know the dialog any more has left it (RFC 5057 §5.1), unless what it doesn't
    /// know is the subscription of a NOTIFY.
    pub fn ask_response(&mut self, core: &mut Core, mut asking: Asking, message: Message) {
        if !matches!(self.stage, Stage::Up(_)) {
            return;
        }
        if self.takes_challenge(&message, &mut asking.attempts) {
            return self.send_question(core, asking);
        }
        let is_gone = message.status() == 481 && asking.question.method != Method::Notify;
        self.asked(core, SessionEvent::Replied { id: asking.id, message });
        if is_gone {
            self.peer_gone(core, true);
        }
    }

    pub fn ask_failed(&mut self, core: &mut Core, asking: &Asking, cause: Failure) {
        self.asked(core, SessionEvent::Unanswered { id: asking.id, cause });
    }

    fn asked(&mut self, core: &mut Core, event: SessionEvent) {
        let Stage::Up(up) = &mut self.stage else { return };
        up.asking = up.asking.saturating_sub(1);
        self.emit(core, event);
    }
}
