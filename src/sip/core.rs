//! What all sessions and requests of an agent share.

use crate::base::chance::Chance;
use crate::base::time::Now;
use crate::sip::agent::{AgentSettings, Event, RequestId, ServerId, SessionId};
use crate::sip::flow::{Flow, Headers, Kind};
use crate::sip::mint::Mint;
use crate::sip::outbox::Outbox;
use crate::sip::response::{Answer, way_back};
use crate::sip::session::{Acknowledgement, Asking, Invitation, Session};
use crate::sip::transaction::timer::Timing;
use crate::sip::transaction::{Asked, ClientId, Clients, Dismissed, ServerKey, ServerTxId, Servers};
use crate::wire::sip::{Message, Method};
use bytes::Bytes;

pub(crate) struct Core {
    pub settings: AgentSettings,
    pub mint: Mint,
    pub out: Outbox,
    pub clients: Clients<Owner>,
    /// INVITE transactions know their session.
    pub servers: Servers<Option<SessionId>>,
    pub dismissed: Dismissed,
    /// Further answers of a forked INVITE, to be hung up.
    pub forks: Vec<Fork>,
    /// Questions that were ever asked in sessions, by which they are numbered.
    pub asks: u64,
}

/// A session that its owner never hears of; made once the agent has a number for it.
pub(crate) type Fork = Box<dyn FnOnce(&mut Core, SessionId) -> Session>;

/// Whom the answer to a request of ours concerns.
pub(crate) enum Owner {
    Nobody,
    Request(RequestId),
    Invite(Box<Invitation>),
    /// A re-INVITE or UPDATE, with the ACK of its 2xx once that came.
    Reoffer {
        session: SessionId,
        ack: Option<(Flow, Bytes)>,
    },
    Bye(SessionId),
    Prack {
        session: SessionId,
        prack: Box<Acknowledgement>,
    },
    Probe(SessionId),
    Ask(Box<Asking>),
}

impl Core {
    pub fn new(settings: AgentSettings, chance: Chance) -> Core {
        let timing = Timing { t1: settings.t1, t2: settings.t2, t4: settings.t4 };
        Core {
            mint: Mint::new(chance, settings.shard),
            settings,
            out: Outbox::default(),
            clients: Clients::new(timing),
            servers: Servers::new(timing),
            dismissed: Dismissed::default(),
            forks: Vec::new(),
            asks: 0,
        }
    }

    pub fn timing(&self) -> Timing {
        Timing { t1: self.settings.t1, t2: self.settings.t2, t4: self.settings.t4 }
    }

    pub fn begin(&mut self, now: Now) {
        self.out.now = now;
    }

    /// An early dialog of our INVITE has used a number, which a fork's dialog must not use again.
    pub fn note_cseq(&mut self, invite: ClientId, cseq: u32) {
        if let Some(Owner::Invite(invitation)) = self.clients.owner_mut(invite) {
            invitation.last_cseq = invitation.last_cseq.max(cseq);
        }
    }

    pub fn emit(&mut self, event: Event) {
        self.out.events.push_back(event);
    }

    /// Answers by a transaction; the bytes are given back for a session that repeats them.
    pub fn answer(&mut self, id: ServerTxId, answer: &Answer<'_>) -> Option<Bytes> {
        let bytes = answer.write(self.servers.asked(id)?, &self.settings);
        // What is no status is written as 500 as well.
        let status = if (100..=699).contains(&answer.status) { answer.status } else { 500 };
        self.servers.respond(&mut self.out, id, status, bytes.clone());
        Some(bytes)
    }

    /// An answer of the agent's own, without a body.
    pub fn reply(&mut self, id: ServerTxId, status: u16, headers: Headers) {
        self.answer(id, &Answer { status, reason: "", headers: &headers, body: None });
    }

    /// An answer to a request of which nothing is kept, but for what a late copy of an INVITE has to be told.
    pub fn reply_statelessly(&mut self, flow: Flow, request: Message, status: u16, reason: &str, headers: &Headers) {
        let to_tag = self.mint.stable_tag(&request);
        let (back, listens) = way_back(&request, flow);
        let asked = Asked { request, flow, back, listens, to_tag };
        let answer = Answer { status, reason, headers, body: None };
        let bytes = answer.write(&asked, &self.settings);
        if *asked.request.method() == Method::Invite
            && !flow.transport.is_reliable()
            && let Some(key) = ServerKey::of(&asked.request, &Method::Invite)
            && let Ok(cseq) = asked.request.cseq()
        {
            // For as long as a copy may be sent, and be on its way.
            let span = self.timing().lifetime() + self.settings.t4;
            self.dismissed.keep(self.out.now.time, span, key, cseq.number, bytes.clone());
        }
        self.out.send(asked.back, bytes, Kind::Answer { listens: asked.listens });
    }

    /// The answer to a request of which nothing was kept, once more for a copy of it; false for any other request.
    pub fn reply_as_before(&mut self, flow: Flow, key: &ServerKey, request: &Message) -> bool {
        let answer = request.cseq().ok().and_then(|cseq| self.dismissed.answer(self.out.now.time, key, cseq.number));
        let Some(bytes) = answer else { return false };
        let (back, listens) = way_back(request, flow);
        self.out.send(back, bytes, Kind::Answer { listens });
        true
    }
}

impl From<ServerTxId> for ServerId {
    fn from(id: ServerTxId) -> ServerId {
        ServerId(id.number())
    }
}

impl From<ServerId> for ServerTxId {
    fn from(id: ServerId) -> ServerTxId {
        ServerTxId::from_number(id.0)
    }
}
