//! Our 2xx until its ACK: RFC 3261 §13.3.1.4.

use super::invite::session_name;
use super::{Session, SessionTimer, Stage, Up};
use crate::sip::agent::{Ending, SessionEvent};
use crate::sip::core::Core;
use crate::sip::flow::Headers;
use crate::sip::response::Answer;
use crate::sip::transaction::ServerTxId;
use crate::wire::sip::{Message, Uuid};
use bytes::Bytes;
use std::time::Duration;

pub(super) struct Unacked {
    server: ServerTxId,
    response: Bytes,
    /// Of the INVITE and its ACK.
    cseq: u32,
    pause: Duration,
    is_first: bool,
}

impl Unacked {
    /// Whether it answers the INVITE that began the session, and not a re-INVITE.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    pub fn cseq(&self) -> u32 {
        self.cseq
    }
}

impl Session {
    pub fn answer(&mut self, core: &mut Core, answer: &Answer<'_>) {
        if !self.may_answer(answer) {
            return;
        }
        let Stage::Alerting(alerting) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        self.stop(core, SessionTimer::Progress);
        self.stop(core, SessionTimer::Provisional);
        self.stop(core, SessionTimer::ProvisionalLimit);
        // An offer and answer that are complete aren't said again (RFC 6337 §3.1.1).
        let body = answer.body.filter(|_| !alerting.reliable.described);
        let mut up = Up::new(alerting.dialog);
        up.dialog.session.local = session_name(answer.headers);
        up.unacked = self.accept(core, alerting.server, &Answer { body, ..*answer }, true);
        up.unpracked = alerting.reliable.outstanding().zip(up.unacked.as_ref().map(Unacked::cseq));
        self.stage = Stage::Up(up);
        self.look_after(core);
    }

    /// Somebody else is on the other side from now on.
    pub fn rename(&mut self, name: Uuid) {
        if let Stage::Up(up) = &mut self.stage {
            up.dialog.session.local = name;
        }
    }

    /// Sends a 2xx and begins to wait for its ACK.
    pub(super) fn accept(
        &mut self,
        core: &mut Core,
        server: ServerTxId,
        answer: &Answer<'_>,
        is_first: bool,
    ) -> Option<Unacked> {
        let cseq = core.servers.asked(server)?.request.cseq().ok()?.number;
        let headers: Headers = self
            .lease_granted(core, server)
            .into_iter()
            .chain([self.supported()])
            .chain(answer.headers.clone())
            .collect();
        let response = core.answer(server, &Answer { headers: &headers, ..*answer })?;
        let timing = core.timing();
        self.start(core, SessionTimer::Answer, timing.t1);
        self.start(core, SessionTimer::AnswerLimit, timing.lifetime());
        Some(Unacked { server, response, cseq, pause: timing.t1, is_first })
    }

    pub(super) fn repeat_answer(&mut self, core: &mut Core) {
        let Stage::Up(up) = &mut self.stage else { return };
        let Some(unacked) = &mut up.unacked else { return };
        core.servers.respond(&mut core.out, unacked.server, 200, unacked.response.clone());
        unacked.pause = core.timing().next(unacked.pause);
        let pause = unacked.pause;
        self.start(core, SessionTimer::Answer, pause);
    }

    /// An ACK in the dialog. One that is late or of another INVITE tells nothing.
    pub fn acked(&mut self, core: &mut Core, message: Message) {
        let Stage::Up(up) = &mut self.stage else { return };
        let number = message.cseq().ok().map(|cseq| cseq.number);
        let Some(unacked) = up.unacked.take_if(|unacked| Some(unacked.cseq) == number) else { return };
        let bye = up.bye.take();
        self.stop(core, SessionTimer::Answer);
        self.stop(core, SessionTimer::AnswerLimit);
        match bye {
            Some(headers) => self.bye(core, headers),
            None if unacked.is_first => self.emit(core, SessionEvent::Acked { message }),
            None => self.emit(core, SessionEvent::ReAcked { message }),
        }
    }

    pub(super) fn answer_unacknowledged(&mut self, core: &mut Core) {
        self.stop(core, SessionTimer::Answer);
        let left = std::mem::replace(&mut self.stage, Stage::Over);
        self.close_offers(core, &left);
        let Stage::Up(up) = left else { return };
        let bye = up.bye;
        let dialog = up.dialog;
        match bye {
            Some(headers) => self.leave(core, dialog, headers, Some(Ending::Local)),
            None => {
                self.conclude(core, SessionEvent::ended(Ending::NoAck));
                self.leave(core, dialog, Headers::new(), None);
            }
        }
    }
}
