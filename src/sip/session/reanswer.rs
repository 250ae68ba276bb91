//! The peer's offer in a re-INVITE, UPDATE or PRACK, and our answer: RFC 3261 §14.2, RFC 3311 §5.2.

use super::{Session, Stage};
use crate::sip::agent::SessionEvent;
use crate::sip::core::Core;
use crate::sip::flow::Headers;
use crate::sip::response::Answer;
use crate::sip::transaction::ServerTxId;
use crate::wire::sip::{Message, Method, Name};

impl Session {
    /// A re-INVITE or UPDATE.
    pub(super) fn offered_again(&mut self, core: &mut Core, server: ServerTxId, message: Message) {
        let is_update = *message.method() == Method::Update;
        if let (Stage::Up(_), Some(headers)) = (&self.stage, self.finds_too_short(&message)) {
            return core.reply(server, 422, headers);
        }
        match &self.stage {
            Stage::Leaving(_) | Stage::Over => core.reply(server, 481, Vec::new()),
            // Only a refresh: there is nothing to negotiate.
            _ if is_update && message.body().is_empty() => self.refreshed(core, server, &message),
            _ if self.theirs.is_some() => self.ask_later(core, server),
            _ if self.has_offer_out() => core.reply(server, 491, Vec::new()),
            Stage::Up(up) => {
                // While our 2xx has no ACK, the offer and answer in it aren't over either.
                if up.unacked.is_some() || up.ack_due.is_some() || up.bye.is_some() {
                    return core.reply(server, 491, Vec::new());
                }
                if !is_update {
                    core.reply(server, 100, Vec::new());
                }
                self.take_offer(core, server, message);
            }
            // The offer of our INVITE has no answer yet from this fork, unless by a reliable answer.
            Stage::Calling(_) => match is_update && self.early_of(&message).is_some_and(|early| early.described) {
                true => self.take_offer(core, server, message),
                false => core.reply(server, 491, Vec::new()),
            },
            Stage::Alerting(alerting) if !is_update || !alerting.reliable.described => {
                match alerting.reliable.describes() && is_update && alerting.has_our_offer(core) {
                    true => core.reply(server, 491, Vec::new()),
                    false => self.ask_later(core, server),
                }
            }
            Stage::Alerting(_) => self.take_offer(core, server, message),
        }
    }

    fn take_offer(&mut self, core: &mut Core, server: ServerTxId, message: Message) {
        self.theirs = Some(server);
        self.emit(core, SessionEvent::Reoffered { message });
    }

    fn refreshed(&mut self, core: &mut Core, server: ServerTxId, message: &Message) {
        if let Some(dialog) = self.dialog_of(message) {
            dialog.refresh_target(message);
        }
        let headers = self.renewed(core, server);
        core.reply(server, 200, headers);
    }

    /// What our 2xx to an UPDATE says of the session's time.
    fn renewed(&mut self, core: &mut Core, server: ServerTxId) -> Headers {
        if !matches!(self.stage, Stage::Up(_)) {
            return Headers::new();
        }
        let headers = self.lease_granted(core, server);
        self.look_after(core);
        headers
    }

    /// §14.2: one after the other.
    pub(super) fn ask_later(&self, core: &mut Core, server: ServerTxId) {
        let seconds = core.mint.chance.below(11);
        core.reply(server, 500, vec![(Name::RetryAfter, seconds.to_string())]);
    }

    pub fn reanswer(&mut self, core: &mut Core, answer: &Answer<'_>) {
        let Some(server) = self.theirs else { return };
        if answer.status >= 200 {
            self.theirs = None;
        }
        let Some(request) = core.servers.asked(server).map(|asked| asked.request.clone()) else { return };
        let accepts = (200..=299).contains(&answer.status);
        // Who is refused stays where it was (RFC 6141 §4.6).
        if let Some(dialog) = self.dialog_of(&request).filter(|_| accepts) {
            dialog.refresh_target(&request);
        }
        if accepts && *request.method() == Method::Invite {
            let unacked = self.accept(core, server, answer, false);
            if let Stage::Up(up) = &mut self.stage {
                up.unacked = unacked;
            }
            self.look_after(core);
        } else if accepts && *request.method() == Method::Update {
            let headers: Headers = self.renewed(core, server).into_iter().chain(answer.headers.clone()).collect();
            core.answer(server, &Answer { headers: &headers, ..*answer });
        } else {
            core.answer(server, answer);
        }
        self.say_what_waits(core);
    }
}
