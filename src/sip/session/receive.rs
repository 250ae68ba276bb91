//! Requests of the peer in a dialog: RFC 3261 §12.2.2.

use super::prack::Early;
use super::{Session, Stage};
use crate::sip::agent::SessionEvent;
use crate::sip::core::Core;
use crate::sip::dialog::Dialog;
use crate::sip::flow::Flow;
use crate::sip::transaction::ServerTxId;
use crate::wire::sip::{Message, Method, Name};

impl Session {
    /// Whether a request is of this session.
    pub fn is_of(&self, request: &Message) -> bool {
        match &self.stage {
            Stage::Alerting(alerting) => alerting.dialog.is_of(request),
            Stage::Up(up) => up.dialog.is_of(request),
            Stage::Leaving(leaving) => leaving.dialog().is_of(request),
            // Forks that were not heard of yet may be there: their answers were lost or are late.
            Stage::Calling(_) => request.call_id() == self.call_id,
            Stage::Over => false,
        }
    }

    /// Whether it has a dialog with this tag of the peer, be it an early one.
    pub fn has_dialog(&self, call_id: &str, remote_tag: &str) -> bool {
        let is_known = match &self.stage {
            Stage::Alerting(alerting) => alerting.dialog.remote_tag == remote_tag,
            Stage::Up(up) => up.dialog.remote_tag == remote_tag,
            Stage::Leaving(leaving) => leaving.dialog().remote_tag == remote_tag,
            Stage::Calling(calling) => calling.ringing.as_deref() == Some(remote_tag),
            Stage::Over => false,
        };
        is_known && self.call_id == call_id
    }

    pub fn receive(&mut self, core: &mut Core, server: ServerTxId, flow: Flow, message: Message) {
        if let Some(dialog) = self.dialog_of(&message) {
            let number = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
            if !dialog.admit(number) {
                return core.reply(server, 500, Vec::new());
            }
            dialog.seen_on(&message, flow);
            dialog.note_session(&message);
        }
        match message.method() {
            Method::Bye => self.bye_received(core, server, &message),
            Method::Options => core.reply(server, 200, vec![(Name::Accept, "application/sdp".to_owned())]),
            Method::Prack => self.pracked(core, server, message),
            Method::Invite | Method::Update => self.offered_again(core, server, message),
            Method::Other(_) => core.reply(server, 501, Vec::new()),
            _ if self.is_muted => core.reply(server, 481, Vec::new()),
            _ => self.emit(core, SessionEvent::Asked { id: server.into(), message }),
        }
    }

    /// The dialog that a request of the peer is in, if there is one by now.
    pub(super) fn dialog_of(&mut self, request: &Message) -> Option<&mut Dialog> {
        match &mut self.stage {
            Stage::Alerting(alerting) => Some(&mut alerting.dialog),
            Stage::Up(up) => Some(&mut up.dialog),
            Stage::Leaving(leaving) => Some(leaving.dialog_mut()),
            Stage::Calling(calling) => {
                let mut dialogs = calling.early.iter_mut().map(|early| &mut early.dialog);
                dialogs.find(|dialog| dialog.is_of(request))
            }
            Stage::Over => None,
        }
    }

    /// The early dialog of a fork that a request is in.
    pub(super) fn early_of(&self, request: &Message) -> Option<&Early> {
        let Stage::Calling(calling) = &self.stage else { return None };
        calling.early.iter().find(|early| early.dialog.is_of(request))
    }
}
