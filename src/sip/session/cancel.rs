//! CANCEL, both ways: RFC 3261 §9.

use super::{Session, Stage};
use crate::sip::agent::SessionEvent;
use crate::sip::core::{Core, Owner};
use crate::sip::request;
use crate::sip::transaction::{ClientId, ClientKey, Course, ServerTxId};
use crate::wire::sip::{Message, Method, Name};

/// Our wish to cancel.
pub(super) struct Cancel {
    pub reason: Option<String>,
    sent: bool,
}

impl Cancel {
    /// The INVITE has a provisional answer, without which a CANCEL may not be sent (§9.1).
    pub fn provisional(&mut self, core: &mut Core, client: ClientId) {
        if self.sent {
            return;
        }
        let Some((invite, key, flow)) = core.clients.proceeding(client) else { return };
        let key = ClientKey::new(key.branch(), Method::Cancel);
        let bytes = request::cancel(invite.clone(), self.reason.as_deref());
        self.sent = true;
        // A peer that doesn't know CANCEL may never answer the INVITE (§9.1).
        let lifetime = core.timing().lifetime();
        core.clients.limit(&mut core.out, client, lifetime);
        let course = Course { flow, is_new: false, is_pinned: true };
        core.clients.start(&mut core.out, course, key, bytes, None, Owner::Nobody);
    }
}

impl Session {
    pub fn cancel(&mut self, core: &mut Core, reason: Option<String>) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        let client = calling.client;
        let cancel = calling.cancel.get_or_insert(Cancel { reason, sent: false });
        cancel.provisional(core, client);
    }

    /// The peer's CANCEL of the INVITE that `server` answers. It has no effect after our final answer (§9.2), and leaves a
    /// session as it was before a re-INVITE.
    pub fn cancelled(&mut self, core: &mut Core, server: ServerTxId, cancel: &Message) {
        match &self.stage {
            Stage::Alerting(alerting) if alerting.server == server => {}
            Stage::Up(_) if self.theirs == Some(server) => {
                self.theirs = None;
                core.reply(server, 487, Vec::new());
                return self.emit(core, SessionEvent::Withdrawn);
            }
            _ => return,
        }
        core.reply(server, 487, Vec::new());
        let reason = cancel.header(Name::Reason).map(str::to_owned);
        self.finish(core, SessionEvent::Cancelled { reason });
    }
}
