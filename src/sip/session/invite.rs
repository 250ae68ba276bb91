//! Our INVITE until its final answer: RFC 3261 §13.2.

use super::ack::Due;
use super::prack::Early;
use super::send::credentials;
use super::watch::Watch;
use super::{Session, SessionTimer, Stage, Up};
use crate::sip::agent::{Ending, Failure, Invite, SessionEvent, SessionId};
use crate::sip::core::{Core, Owner};
use crate::sip::dialog::{Dialog, Sent};
use crate::sip::digest::Responder;
use crate::sip::flow::Headers;
use crate::sip::request::{Draft, contact};
use crate::sip::session::Invitation;
use crate::sip::transaction::{ClientId, ClientKey, Course};
use crate::wire::sip::{Message, Method, Name, SessionPair, Uuid};

pub(crate) struct Calling {
    pub(super) invite: Invite,
    /// The From value, with our tag.
    pub(super) from: String,
    pub(super) client: ClientId,
    pub(super) cseq: u32,
    credentials: Headers,
    attempts: u8,
    /// Those of the forks that want their provisional answers acknowledged.
    pub(super) early: Vec<Early>,
    /// The tag of the last fork that answered provisionally.
    pub(super) ringing: Option<String>,
    pub(super) cancel: Option<super::cancel::Cancel>,
}

/// What header fields of ours say that our side of the session is called (RFC 7989).
pub(super) fn session_name(headers: &Headers) -> Uuid {
    let field = headers.iter().find(|(name, _)| *name == Name::SessionId);
    field.and_then(|(_, value)| SessionPair::parse(value)).unwrap_or_default().local
}

impl Session {
    pub fn invite(core: &mut Core, id: SessionId, mut invite: Invite) -> Session {
        let local_tag = core.mint.tag();
        let call_id = invite.call_id.take().unwrap_or_else(|| core.mint.call_id());
        let from = format!("{};tag={local_tag}", invite.from);
        let cseq = core.mint.cseq();
        let mut session = Session {
            id,
            call_id,
            local_tag,
            flow: invite.flow,
            contact: contact(
                &invite.contact_user,
                invite.flow,
                &core.settings.announce,
                invite.contact_host.as_deref(),
            ),
            is_caller: true,
            responder: invite.credentials.clone().map(Responder::new),
            is_muted: false,
            terms: invite.terms,
            watch: Watch::default(),
            ours: None,
            theirs: None,
            stage: Stage::Over,
        };
        if let Some(patience) = invite.no_answer {
            session.start(core, SessionTimer::NoAnswer, patience);
        }
        let (client, credentials) = session.send_invite(core, &invite, &from, cseq);
        session.stage = Stage::Calling(Box::new(Calling {
            invite,
            from,
            client,
            cseq,
            credentials,
            attempts: 0,
            early: Vec::new(),
            ringing: None,
            cancel: None,
        }));
        session
    }

    fn send_invite(&mut self, core: &mut Core, invite: &Invite, from: &str, cseq: u32) -> (ClientId, Headers) {
        let branch = core.mint.branch();
        let body = invite.body.as_ref();
        let headers: Headers = self.proposal().into_iter().chain(invite.headers.iter().cloned()).collect();
        let credentials = credentials(core, &mut self.responder, &Method::Invite, &invite.uri, body);
        let draft = Draft {
            method: &Method::Invite,
            uri: &invite.uri,
            flow: invite.flow,
            announce: &core.settings.announce,
            host: invite.contact_host.as_deref(),
            branch: &branch,
            max_forwards: invite.max_forwards,
            from,
            to: &invite.to,
            call_id: &self.call_id,
            cseq,
            contact: Some(&self.contact),
            routes: &invite.route,
            headers: &headers,
            credentials: &credentials,
            body,
            user_agent: &core.settings.user_agent,
        };
        let owner = Owner::Invite(Box::new(Invitation {
            session: self.id,
            uri: invite.uri.clone(),
            flow: invite.flow,
            from: from.to_owned(),
            local_tag: self.local_tag.clone(),
            contact: self.contact.clone(),
            cseq,
            session_name: session_name(&invite.headers),
            last_cseq: cseq,
            credentials: credentials.clone(),
            account: invite.credentials.clone(),
            acks: Default::default(),
        }));
        let bytes = draft.write();
        let key = ClientKey::new(&branch, Method::Invite);
        let course = Course { flow: invite.flow, is_new: true, is_pinned: invite.is_pinned };
        let client = core.clients.start(&mut core.out, course, key, bytes, invite.no_response, owner);
        (client, credentials)
    }

    /// An answer to our INVITE; of the 2xx only the first one comes here.
    pub fn invite_response(&mut self, core: &mut Core, client: ClientId, message: Message) {
        match &self.stage {
            Stage::Calling(calling) if calling.client == client => {}
            _ => return,
        }
        match message.status() {
            100..=199 => self.invite_progress(core, message),
            200..=299 => self.invite_accepted(core, message),
            _ => self.invite_refused(core, message),
        }
    }

    fn invite_progress(&mut self, core: &mut Core, message: Message) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        if let Some(cancel) = &mut calling.cancel {
            return cancel.provisional(core, calling.client);
        }
        if let Some(tag) = message.to().ok().and_then(|to| to.tag()) {
            calling.ringing = Some(tag.to_owned());
        }
        if message.status() > 100 && self.takes_progress(core, &message) {
            self.emit(core, SessionEvent::Progress { message });
        }
    }

    fn invite_accepted(&mut self, core: &mut Core, message: Message) {
        let Stage::Calling(mut calling) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        self.stop(core, SessionTimer::NoAnswer);
        let sent = Sent {
            uri: &calling.invite.uri,
            flow: calling.invite.flow,
            from: &calling.from,
            local_tag: &self.local_tag,
            cseq: calling.cseq,
            session: session_name(&calling.invite.headers),
        };
        let tag = message.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        let early = calling.early.iter().position(|early| early.dialog.remote_tag == tag);
        let dialog = match early.map(|early| calling.early.swap_remove(early).dialog) {
            Some(dialog) => dialog.confirmed(&message),
            None => Dialog::caller(&message, sent),
        };
        let due = Due { client: calling.client, cseq: calling.cseq, credentials: calling.credentials };
        if let Some(cancel) = calling.cancel {
            // The answer crossed our CANCEL: it stands, and is ended the regular way (§9.1).
            due.acknowledge(core, &self.contact, &dialog, None);
            self.conclude(core, SessionEvent::ended(Ending::Cancelled { status: message.status() }));
            let headers = cancel.reason.map(|reason| (Name::Reason, reason)).into_iter().collect();
            return self.leave(core, dialog, headers, None);
        }
        let mut up = Up::new(dialog);
        up.ack_due = Some(due);
        self.stage = Stage::Up(up);
        self.lease_answered(&message);
        self.look_after(core);
        self.emit(core, SessionEvent::Answered { message });
    }

    fn invite_refused(&mut self, core: &mut Core, message: Message) {
        let Stage::Calling(mut calling) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        let again = self.takes_challenge(&message, &mut calling.attempts) || self.is_raised(&message);
        if calling.cancel.is_none() && again {
            if let Some(owner) = core.clients.owner_mut(calling.client) {
                *owner = Owner::Nobody;
            }
            calling.cseq += 1;
            calling.early.clear();
            self.ours = None;
            (calling.client, calling.credentials) =
                self.send_invite(core, &calling.invite, &calling.from, calling.cseq);
            self.stage = Stage::Calling(calling);
            return;
        }
        let event = match calling.cancel {
            Some(_) => SessionEvent::ended(Ending::Cancelled { status: message.status() }),
            None => SessionEvent::Refused { message },
        };
        self.finish(core, event);
    }

    /// No final answer came in time. Where one may still come, it is cancelled, or ended, without the owner.
    pub fn invite_failed(&mut self, core: &mut Core, client: ClientId, cause: Failure) {
        let event = match &self.stage {
            Stage::Calling(calling) if calling.client != client => return,
            Stage::Calling(calling) if calling.cancel.is_some() => {
                SessionEvent::ended(Ending::Cancelled { status: 408 })
            }
            Stage::Calling(_) => SessionEvent::Failed { cause },
            _ => return,
        };
        if core.clients.is_open(client) {
            self.conclude(core, event);
            return self.cancel(core, None);
        }
        self.finish(core, event);
    }

    /// The owner's patience is over: it is told at once, and the peer's phone stops ringing in its own time.
    pub(super) fn unanswered(&mut self, core: &mut Core) {
        if matches!(self.stage, Stage::Calling(_)) {
            self.conclude(core, SessionEvent::Failed { cause: Failure::Timeout });
            self.cancel(core, None);
        }
    }
}
