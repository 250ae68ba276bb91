//! The peer's re-INVITE or UPDATE, and our answer: RFC 3261 §14.2, RFC 3311.

use super::{Session, Stage};
use crate::sip::agent::SessionEvent;
use crate::sip::core::Core;
use crate::sip::response::Answer;
use crate::sip::transaction::ServerTxId;
use crate::wire::sip::{Message, Method, Name};

impl Session {
    /// A re-INVITE or UPDATE in an answered session.
    pub(super) fn reoffered(&mut self, core: &mut Core, server: ServerTxId, message: Message) {
        let glare = self.has_reoffer_out();
        let Stage::Up(up) = &mut self.stage else { return };
        up.dialog.refresh_target(&message);
        if *message.method() == Method::Update && message.body().is_empty() {
            // Only a refresh: there is nothing to negotiate.
            return core.reply(server, 200, Vec::new());
        }
        if up.theirs.is_some() {
            return self.ask_later(core, server);
        }
        // While our 2xx has no ACK, the offer and answer in it aren't over either.
        if glare || up.unacked.is_some() || up.ack_due.is_some() || up.bye.is_some() {
            return core.reply(server, 491, Vec::new());
        }
        if *message.method() == Method::Invite {
            core.reply(server, 100, Vec::new());
        }
        up.theirs = Some(server);
        self.emit(core, SessionEvent::Reoffered { message });
    }

    /// §14.2: one after the other.
    pub(super) fn ask_later(&self, core: &mut Core, server: ServerTxId) {
        let seconds = core.mint.chance.below(11);
        core.reply(server, 500, vec![(Name::RetryAfter, seconds.to_string())]);
    }

    pub fn reanswer(&mut self, core: &mut Core, answer: &Answer<'_>) {
        let Stage::Up(up) = &mut self.stage else { return };
        let Some(server) = up.theirs else { return };
        if answer.status >= 200 {
            up.theirs = None;
        }
        let is_invite = core.servers.asked(server).is_some_and(|asked| *asked.request.method() == Method::Invite);
        if is_invite && (200..=299).contains(&answer.status) {
            let unacked = self.accept(core, server, answer, false);
            if let Stage::Up(up) = &mut self.stage {
                up.unacked = unacked;
            }
        } else {
            core.answer(server, answer);
        }
    }
}
