//! BYE, both ways: RFC 3261 §15.

use super::send::Request;
use super::{Session, Stage, TIMERS, Up};
use crate::sip::agent::{Ending, Question, SessionEvent};
use crate::sip::core::{Core, Owner};
use crate::sip::dialog::Dialog;
use crate::sip::flow::Headers;
use crate::sip::transaction::ServerTxId;
use crate::wire::sip::{Message, Method, Name};

/// Our BYE is under way.
pub(super) struct Leaving {
    dialog: Dialog,
    headers: Headers,
    attempts: u8,
    /// What the owner is told once it is over; none where it was told before.
    ending: Option<Ending>,
}

impl Leaving {
    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub fn dialog_mut(&mut self) -> &mut Dialog {
        &mut self.dialog
    }
}

impl Session {
    /// Ends the session by whatever its stage asks for.
    pub fn bye(&mut self, core: &mut Core, headers: Headers) {
        match &mut self.stage {
            Stage::Calling(_) => {
                let reason = headers.into_iter().find(|(name, _)| *name == Name::Reason);
                return self.cancel(core, reason.map(|(_, reason)| reason));
            }
            Stage::Alerting(_) => {
                let ending = SessionEvent::ended(Ending::Local);
                self.conclude(core, ending);
                return self.refuse(core, 480, "", &Vec::new());
            }
            // The callee waits for the ACK, or for the time in which it should have come (§15).
            Stage::Up(up) if up.unacked.as_ref().is_some_and(|unacked| unacked.is_first()) => {
                up.bye.get_or_insert(headers);
                return;
            }
            Stage::Up(_) => {}
            Stage::Leaving(_) | Stage::Over => return,
        }
        self.ack(core, None);
        let left = std::mem::replace(&mut self.stage, Stage::Over);
        self.close_offers(core, &left);
        if let Stage::Up(up) = left {
            self.leave(core, up.dialog, headers, Some(Ending::Local));
        }
    }

    /// Sends BYE and stays until it is answered.
    pub(super) fn leave(&mut self, core: &mut Core, dialog: Dialog, headers: Headers, ending: Option<Ending>) {
        for timer in TIMERS {
            self.stop(core, timer);
        }
        let mut leaving = Leaving { dialog, headers, attempts: 0, ending };
        self.send_bye(core, &mut leaving);
        self.stage = Stage::Leaving(Box::new(leaving));
    }

    fn send_bye(&mut self, core: &mut Core, leaving: &mut Leaving) {
        let request = Request { headers: leaving.headers.clone(), ..Request::new(Method::Bye) };
        request.send(core, &mut leaving.dialog, &mut self.responder, &self.contact, Owner::Bye(self.id));
    }

    pub fn bye_response(&mut self, core: &mut Core, message: &Message) {
        if message.status() < 200 {
            return;
        }
        let Stage::Leaving(mut leaving) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        if self.takes_challenge(message, &mut leaving.attempts) {
            self.send_bye(core, &mut leaving);
            self.stage = Stage::Leaving(leaving);
            return;
        }
        self.left(core, leaving.ending);
    }

    /// Nobody answered our BYE: the session is over all the same (§15.1.1).
    pub fn bye_failed(&mut self, core: &mut Core) {
        if let Stage::Leaving(leaving) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.left(core, leaving.ending);
        }
    }

    fn left(&mut self, core: &mut Core, ending: Option<Ending>) {
        if let Some(by) = ending {
            self.conclude(core, SessionEvent::ended(by));
        }
        self.stage = Stage::Over;
    }

    /// The dialog goes on for as long as another usage of it does (RFC 5057 §4.1): this is the last that it carries.
    fn say_farewell(&mut self, core: &mut Core, up: &mut Up) {
        let Some(question) = up.farewell.take() else { return };
        let Question { method, headers, body } = *question;
        let request = Request { method, headers, body: body.as_ref() };
        request.send(core, &mut up.dialog, &mut self.responder, &self.contact, Owner::Nobody);
    }

    /// The peer's BYE, in any stage (§15.1.2).
    pub(super) fn bye_received(&mut self, core: &mut Core, server: ServerTxId, message: &Message) {
        core.reply(server, 200, Vec::new());
        let left = std::mem::replace(&mut self.stage, Stage::Over);
        self.close_offers(core, &left);
        let reason = message.header(Name::Reason).map(str::to_owned);
        match left {
            // The caller hangs up before our final answer: the INVITE needs one all the same.
            Stage::Alerting(alerting) => {
                core.reply(alerting.server, 487, Vec::new());
                self.conclude(core, SessionEvent::Cancelled { reason });
            }
            Stage::Up(mut up) => {
                self.say_farewell(core, &mut up);
                let bye = Some(message.clone());
                self.conclude(core, SessionEvent::Ended { by: Ending::Peer { reason }, bye });
            }
            // It overtook the 2xx on which it rests. That is waited for in silence, to be hung up as well.
            Stage::Calling(calling) => {
                self.conclude(core, SessionEvent::ended(Ending::Peer { reason }));
                self.stage = Stage::Calling(calling);
                self.cancel(core, None);
            }
            // Both hang up at once; the answer to our BYE tells nothing more.
            Stage::Leaving(leaving) => self.left(core, leaving.ending),
            Stage::Over => {}
        }
    }
}
