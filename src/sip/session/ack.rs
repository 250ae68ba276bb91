//! The ACK of a 2xx to our INVITE, of whichever fork: RFC 3261 §13.2.2.4.

use super::send::Request;
use super::watch::Watch;
use super::{Session, Stage};
use crate::sip::agent::{SessionId, Terms};
use crate::sip::core::{Core, Owner};
use crate::sip::dialog::{Dialog, Sent};
use crate::sip::digest::{ClientCredentials, Responder};
use crate::sip::flow::{Body, Flow, Headers, Kind};
use crate::sip::transaction::ClientId;
use crate::wire::sip::{Message, Method, Uuid};
use bytes::Bytes;
use smallvec::SmallVec;

/// Forks of one INVITE that may answer with 2xx; further ones get no ACK and give up by themselves.
const MAX_FORKS: usize = 16;

/// What stays with the transaction of our INVITE for as long as a 2xx may come, be the session over or not.
pub(crate) struct Invitation {
    pub session: SessionId,
    pub uri: String,
    pub flow: Flow,
    pub from: String,
    pub local_tag: String,
    pub contact: String,
    pub cseq: u32,
    /// What the INVITE said that our side of the session is called (RFC 7989).
    pub session_name: Uuid,
    /// The highest number that any of its early dialogs has used.
    pub last_cseq: u32,
    /// What the INVITE carried, and its ACK carries too (§22.1).
    pub credentials: Headers,
    pub account: Option<ClientCredentials>,
    /// The forks that answered, with their ACK once it was sent.
    pub acks: SmallVec<[Acked; 1]>,
}

pub(crate) struct Acked {
    tag: String,
    ack: Option<(Flow, Bytes)>,
}

/// What a 2xx means to its INVITE.
pub(crate) enum Accepted {
    /// The first: it is the session's.
    First(SessionId),
    /// Known: its ACK goes out again, if it went already.
    Again(Option<(Flow, Bytes)>),
    /// Another fork, which is hung up.
    Fork,
    TooMany,
}

impl Invitation {
    pub fn accepted(&mut self, message: &Message) -> Accepted {
        let tag = message.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        if let Some(known) = self.acks.iter().find(|acked| acked.tag == tag) {
            return Accepted::Again(known.ack.clone());
        }
        if self.acks.len() >= MAX_FORKS {
            return Accepted::TooMany;
        }
        self.acks.push(Acked { tag: tag.to_owned(), ack: None });
        if self.acks.len() == 1 { Accepted::First(self.session) } else { Accepted::Fork }
    }
}

/// An ACK that isn't sent yet.
pub(super) struct Due {
    pub client: ClientId,
    pub cseq: u32,
    pub credentials: Headers,
}

impl Due {
    pub fn acknowledge(self, core: &mut Core, contact: &str, dialog: &Dialog, body: Option<&Body>) {
        let (flow, bytes) = self.prepare(core, contact, dialog, body);
        core.out.send(flow, bytes, Kind::Plain);
    }

    /// Has it ready for each 2xx that comes, and not for one that was here.
    pub fn prepare(self, core: &mut Core, contact: &str, dialog: &Dialog, body: Option<&Body>) -> (Flow, Bytes) {
        let branch = core.mint.branch();
        let request = Request { method: Method::Ack, headers: Headers::new(), body };
        let way = dialog.way();
        let flow = way.flow;
        let bytes = request.write(core, dialog, &way, self.cseq, &branch, contact, &self.credentials);
        match core.clients.owner_mut(self.client) {
            Some(Owner::Invite(invitation)) => {
                if let Some(acked) = invitation.acks.iter_mut().find(|acked| acked.tag == dialog.remote_tag) {
                    acked.ack = Some((flow, bytes.clone()));
                }
            }
            Some(Owner::Reoffer { ack, .. }) => *ack = Some((flow, bytes.clone())),
            _ => {}
        }
        (flow, bytes)
    }
}

impl Session {
    pub fn ack(&mut self, core: &mut Core, body: Option<Body>) {
        let Stage::Up(up) = &mut self.stage else { return };
        if let Some(due) = up.ack_due.take() {
            due.acknowledge(core, &self.contact, &up.dialog, body.as_ref());
        }
    }
}

/// Another fork answered as well: it gets its ACK and then a BYE (§13.2.2.4).
pub(crate) fn hang_up_fork(core: &mut Core, client: ClientId, message: &Message) {
    let Some(Owner::Invite(invitation)) = core.clients.owner_mut(client) else { return };
    let flow = invitation.flow;
    let Invitation { uri, from, local_tag, last_cseq, session_name, .. } = &**invitation;
    let sent = Sent { uri, flow, from, local_tag, cseq: *last_cseq, session: *session_name };
    let dialog = Dialog::caller(message, sent);
    let contact = invitation.contact.clone();
    let account = invitation.account.clone();
    let due = Due { client, cseq: invitation.cseq, credentials: invitation.credentials.clone() };
    due.acknowledge(core, &contact, &dialog, None);
    core.forks.push(Box::new(move |core, id| {
        let mut session = Session {
            id,
            call_id: dialog.call_id.clone(),
            local_tag: dialog.local_tag.clone(),
            flow,
            contact,
            is_caller: true,
            responder: account.map(Responder::new),
            is_muted: true,
            terms: Terms::default(),
            watch: Watch::default(),
            ours: None,
            theirs: None,
            stage: Stage::Over,
        };
        session.leave(core, dialog, Headers::new(), None);
        session
    }));
}
