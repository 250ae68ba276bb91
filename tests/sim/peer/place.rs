//! A call that a peer places.

use super::talk::{Stage, Talk};
use super::{Errand, Peer, Role};
use crate::ledger::{Ledger, Story};
use crate::office::{DOMAIN, GATEWAY};
use crate::script::{Offer, Placing};
use crate::sound::Tag;
use crate::voice::Voice;
use tandem::base::time::Now;
use tandem::sip::agent::Invite;
use tandem::sip::flow::Body;
use tandem::wire::description::Direction;

/// What is dialled, and how the caller behaves.
pub struct Call {
    pub dialled: String,
    pub placing: Placing,
}

impl Peer {
    pub fn place(&mut self, now: Now, call: Call, ledger: &mut Ledger) {
        let number = ledger.stories.len();
        let Call { dialled, placing } = call;
        let tag = Tag { call: number, is_caller: true };
        let mut voice = Voice::new(self.port(), placing.codecs.clone(), placing.shows.clone(), tag);
        if placing.shows_at_once && placing.offer == Offer::InInvite {
            voice.show();
        }
        let body = match placing.offer {
            Offer::InInvite => Some(voice.offer(Direction::SendRecv, false)),
            Offer::Late | Offer::LateUnanswered => None,
            Offer::Foreign => Some(voice.foreign_offer()),
            Offer::Unreadable => Some(Body::sdp("v=0\r\nm=audio is broken\r\n")),
        };
        let call_id = format!("c{number}-{}@{}", self.chance.token(8), self.address.ip());
        let flow = self.flow();
        let (user, host, uri, credentials) = match &self.role {
            Role::Phone(phone) => {
                (phone.user.clone(), DOMAIN, format!("sip:{dialled}@{DOMAIN}"), Some(phone.credentials.clone()))
            }
            Role::Provider(provider) => (
                "+4930123456".to_owned(),
                "provider.test",
                provider.contact(now.time).unwrap_or_else(|| format!("sip:{dialled}@{}", GATEWAY.ip())),
                None,
            ),
            Role::Stranger(credentials) => {
                ("user1".to_owned(), DOMAIN, format!("sip:{dialled}@{DOMAIN}"), credentials.clone())
            }
        };
        // An offer of the gateway's in a provisional answer is nothing that this phone could answer.
        let terms = self.terms(placing.offer == Offer::InInvite);
        let from = format!("\"c{number}\" <sip:{user}@{host}>");
        let id = self.agent.invite(
            now,
            Invite {
                contact_user: user,
                body,
                credentials,
                call_id: Some(call_id.clone()),
                terms,
                ..Invite::new(flow, uri, from, format!("<sip:{dialled}@{DOMAIN}>"))
            },
        );
        let call = ledger.place(Story::new(&self.name, dialled, placing.offer, call_id.clone(), now.time));
        self.errands.set(Errand::GiveUp(id), now.time + placing.patience);
        self.talks.insert(
            id,
            Talk {
                call,
                call_id,
                is_caller: true,
                stage: Stage::Calling,
                tags: None,
                voice,
                talking: placing.talk,
                offer: placing.offer,
                taking: None,
                asked: None,
                early: None,
                is_described: false,
                changed: now.time,
                asking: false,
                updating: None,
                is_behind: false,
                is_updated: false,
            },
        );
        self.pump(now, ledger);
    }
}
