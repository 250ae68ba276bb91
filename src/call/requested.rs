//! Requests outside a call: phones that register, peers that ask whether we are there.

use crate::base::time::Now;
use crate::call::admission::{self, Admission, Identity};
use crate::call::io::Notice;
use crate::call::media::SDP;
use crate::call::switch::Switch;
use crate::sip::agent::ServerId;
use crate::sip::flow::Flow;
use crate::wire::sip::{Message, Method, Name};

impl Switch {
    pub(super) fn requested(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message) {
        match message.method() {
            Method::Register => self.register(now, id, flow, message),
            Method::Options => {
                let status = if self.draining { 503 } else { 200 };
                self.exchange.agent.respond(now, id, status, "", vec![(Name::Accept, SDP.to_owned())], None);
            }
            // Nobody is here whom it could send elsewhere, and to call two parties at a third one's word is an API's affair.
            Method::Refer => self.exchange.agent.respond(now, id, 403, "Only Within A Call", Vec::new(), None),
            Method::Message => self.messaged(now, id, flow, message),
            Method::Subscribe => self.subscribed(now, id, flow, message),
            Method::Publish => self.published(now, id, flow, message),
            _ => self.exchange.agent.respond(now, id, 405, "", Vec::new(), None),
        }
    }

    fn register(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message) {
        let name = match admission::authenticate(&mut self.exchange, now, message) {
            Admission::Admitted(Identity::User { name, .. }) => name,
            Admission::Unknown { stale } => {
                let headers = admission::challenge(&mut self.exchange, now, message, stale);
                return self.exchange.agent.dismiss(now, id, 401, "", headers);
            }
            Admission::Admitted(_) => return self.exchange.agent.respond(now, id, 403, "", Vec::new(), None),
            Admission::Denied { user } => {
                self.exchange.notice(Notice::Denied { user, flow, what: "REGISTER" });
                return self.exchange.agent.dismiss(now, id, 403, "", Vec::new());
            }
        };
        let aor = message.to().ok().and_then(|to| Some(to.parse_uri().ok()?.user_decoded().into_owned()));
        if aor.as_deref() != Some(name.as_str()) {
            self.exchange.notice(Notice::Denied { user: Some(name), flow, what: "REGISTER for another" });
            return self.exchange.agent.respond(now, id, 403, "", Vec::new(), None);
        }
        let outcome = self.exchange.registrar.register(now, &name, message, flow);
        let is_there = outcome.status == 200;
        self.exchange.agent.respond(now, id, outcome.status, outcome.reason, outcome.headers, None);
        if is_there {
            self.exchange.user_arrived(now, &name, false);
        }
    }
}
