//! The callee's provisional answers that we acknowledge by PRACK, and the early dialogs of its forks: RFC 3262 §4.

use super::send::Request;
use super::{Session, Stage};
use crate::sip::core::{Core, Owner};
use crate::sip::dialog::{Dialog, Sent};
use crate::sip::session::invite::session_name;
use crate::wire::sip::{Message, Method, Name};

/// Forks whose early dialogs are kept; more than any caller wants to hear. Answers of further ones are dropped.
const MAX_EARLY: usize = 16;

/// An early dialog with a fork that wants its answers acknowledged.
pub(super) struct Early {
    pub dialog: Dialog,
    /// Of the last answer that came in its order.
    rseq: u32,
    /// It answered our offer, so that each side may make another (RFC 3311 §5.1).
    pub described: bool,
    pub allows_update: bool,
}

/// A PRACK of ours.
pub(crate) struct Acknowledgement {
    tag: String,
    rack: String,
    attempts: u8,
}

impl Session {
    /// Acknowledges a provisional answer that wants it. False for one that says nothing new: it came again, or one before
    /// it is missing and will be sent again (§4).
    pub(super) fn takes_progress(&mut self, core: &mut Core, message: &Message) -> bool {
        let Some(rseq) = message.rseq() else { return true };
        let Stage::Calling(calling) = &mut self.stage else { return false };
        let Some(tag) = message.to().ok().and_then(|to| to.tag().map(str::to_owned)) else { return true };
        let early = match calling.early.iter().position(|early| early.dialog.remote_tag == tag) {
            Some(known) => {
                let Some(early) = calling.early.get_mut(known) else { return false };
                if early.rseq.checked_add(1) != Some(rseq) {
                    return false;
                }
                early.rseq = rseq;
                early
            }
            None if calling.early.len() >= MAX_EARLY => return false,
            None => {
                let sent = Sent {
                    uri: &calling.invite.uri,
                    flow: calling.invite.flow,
                    from: &calling.from,
                    local_tag: &self.local_tag,
                    cseq: calling.cseq,
                    session: session_name(&calling.invite.headers),
                };
                let dialog = Dialog::caller(message, sent);
                calling.early.push(Early { dialog, rseq, described: false, allows_update: false });
                let Some(early) = calling.early.last_mut() else { return false };
                early
            }
        };
        early.described |= calling.invite.body.is_some() && !message.body().is_empty();
        early.allows_update |= message.has_token(Name::Allow, "UPDATE");
        let number = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let rack = format!("{rseq} {number} INVITE");
        self.send_prack(core, Acknowledgement { tag, rack, attempts: 0 });
        true
    }

    fn send_prack(&mut self, core: &mut Core, prack: Acknowledgement) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        let early = calling.early.iter_mut().find(|early| early.dialog.remote_tag == prack.tag);
        let Some(Early { dialog, .. }) = early else { return };
        let mut request = Request::new(Method::Prack);
        request.headers.push((Name::RAck, prack.rack.clone()));
        let owner = Owner::Prack { session: self.id, prack: Box::new(prack) };
        request.send(core, dialog, &mut self.responder, &self.contact, owner);
        let cseq = dialog.local_cseq;
        core.note_cseq(calling.client, cseq);
    }

    /// Whatever else the answer is, the callee sends its own again or gives up.
    pub fn prack_response(&mut self, core: &mut Core, mut prack: Acknowledgement, message: &Message) {
        if self.takes_challenge(message, &mut prack.attempts) {
            self.send_prack(core, prack);
        }
    }
}

impl Acknowledgement {
    pub fn copy(&self) -> Acknowledgement {
        Acknowledgement { tag: self.tag.clone(), rack: self.rack.clone(), attempts: self.attempts }
    }
}
