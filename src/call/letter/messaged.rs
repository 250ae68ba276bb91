//! A MESSAGE outside a call (RFC 3428): who writes, and where it goes. Routes are the dialplan's, as for calls.

use crate::base::time::Now;
use crate::call::admission::{self, Admission, Identity};
use crate::call::io::Notice;
use crate::call::letter::Letter;
use crate::call::letter::post::Posted;
use crate::call::party::Party;
use crate::call::switch::Switch;
use crate::dialplan::route::Request;
use crate::sip::agent::ServerId;
use crate::sip::flow::Flow;
use crate::wire::sip::Message;
use std::collections::VecDeque;

/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u32 = 70;

impl Switch {
    pub(in crate::call) fn messaged(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message) {
        let identity = match admission::admit(&mut self.exchange, now, flow, message) {
            Admission::Admitted(identity) => identity,
            Admission::Unknown { stale } => {
                let headers = admission::challenge(&mut self.exchange, now, message, stale);
                return self.exchange.agent.dismiss(now, id, 401, "", headers);
            }
            Admission::Denied { user } => {
                self.exchange.notice(Notice::Denied { user, flow, what: "MESSAGE" });
                return self.exchange.agent.dismiss(now, id, 403, "", Vec::new());
            }
        };
        match self.posted(now, id, flow, message, &identity) {
            Ok(posted) => {
                let key = self.exchange.post.insert(posted.into_delivery());
                self.exchange.deliver(now, key);
            }
            Err(status) => self.exchange.agent.respond(now, id, status, "", Vec::new(), None),
        }
    }

    /// What is to be delivered and where; the status of the refusal otherwise.
    fn posted(
        &mut self,
        now: Now,
        asked: ServerId,
        flow: Flow,
        message: &Message,
        identity: &Identity,
    ) -> Result<Posted, u16> {
        let dialled = admission::dialled(&self.exchange, flow, message, identity).ok_or(484u16)?;
        let calling = Party::calling(&self.exchange, message, identity);
        let request = Request { caller: identity.as_caller(), from: &calling.text(), to: &dialled, at: now.wall };
        let decision = self.exchange.plan.route(&request);
        let route = decision.route.ok_or(404u16)?;
        let from = match route.caller {
            Some(shown) => calling.shown_as(shown),
            None => calling,
        };
        let age = self.exchange.settings.limits.stored_message_age;
        let letter = Letter::read(message, from, now.wall, age)?;
        Ok(Posted {
            letter: Letter { to: decision.number, ..letter },
            asked,
            hops: message.max_forwards().map_or(MAX_FORWARDS, |hops| hops.saturating_sub(1)).min(MAX_FORWARDS),
            targets: VecDeque::from(route.targets),
            phone: admission::phone_dialled(&self.exchange, message),
        })
    }
}
