//! What a trunk is asked outside of calls: REGISTER and OPTIONS, at the next address where one fails.

use super::Trunk;
use crate::base::chance::Chance;
use crate::base::time::{Now, Time};
use crate::call::trunk::rests::Fault;
use crate::call::trunks::{Asked, Purpose, Requests, Work};
use crate::sip::agent::{Failure, OutgoingRequest};
use crate::sip::flow::Flow;
use crate::sip::registration::{Action, Unanswered};
use crate::wire::sip::{Message, Method};

impl Trunk {
    /// Takes an answer to what was asked.
    pub fn answered(&mut self, now: Now, asked: &Asked, message: &Message, work: &mut Work, requests: &mut Requests) {
        let status = message.status();
        match status {
            0..200 => {}
            503 => {
                let fault = Fault::Busy { retry_after: message.retry_after() };
                self.rests.failed(now.time, asked.way, fault, work.chance);
            }
            _ => self.rests.answered(asked.way, false),
        }
        match asked.purpose {
            Purpose::Register => {
                let Some(registration) = &mut self.registration else { return };
                registration.answered(now.time, message, work.chance);
                if status == 503 {
                    self.register_elsewhere(now.time, asked.way, work.chance);
                }
            }
            Purpose::Options => {
                if status == 503 && self.ask_elsewhere(now, asked.way, work, requests) {
                    return;
                }
                let changed = self.qualify.answered(now.time, status, work.chance);
                // It was away and is back, perhaps without knowing us any more.
                if let Some(registration) = self.registration.as_mut().filter(|_| changed && self.qualify.is_usable()) {
                    registration.network_is_back(now.time, work.chance);
                }
            }
        }
    }

    /// There is no answer to what was asked.
    pub fn unanswered(&mut self, now: Now, asked: &Asked, cause: Failure, work: &mut Work, requests: &mut Requests) {
        let why = match cause {
            Failure::Timeout => Unanswered::Timeout,
            Failure::Transport | Failure::Limit => Unanswered::Transport,
        };
        if cause != Failure::Limit {
            self.rests.failed(now.time, asked.way, Fault::Silent, work.chance);
        }
        match asked.purpose {
            Purpose::Register => {
                let Some(registration) = &mut self.registration else { return };
                registration.failed(now.time, why, work.chance);
                self.register_elsewhere(now.time, asked.way, work.chance);
            }
            Purpose::Options if self.ask_elsewhere(now, asked.way, work, requests) => {}
            Purpose::Options => {
                let why = if why == Unanswered::Timeout { "no answer to OPTIONS" } else { "OPTIONS could not be sent" };
                self.qualify.failed(now.time, why, work.chance);
            }
        }
    }

    /// Sends the REGISTER that is due, if any.
    pub fn register(&mut self, now: Now, work: &mut Work, requests: &mut Requests) {
        let due = self.registration.as_ref().and_then(|registration| registration.poll_timeout());
        if due.is_some_and(|due| due <= now.time) {
            let way = self.pick(now.time, work.chance);
            if let Some(registration) = &mut self.registration {
                way.into_iter().for_each(|way| registration.set_flow(way));
                registration.handle_timeout(now.time, work.chance);
            }
        }
        let route = self.proxy_route();
        while let Some(Action::Register(register)) = self.registration.as_mut().and_then(|own| own.poll_action()) {
            let way = register.flow;
            let request = OutgoingRequest {
                call_id: Some(register.call_id),
                cseq: Some(register.cseq),
                headers: register.headers,
                contact: Some(register.contact),
                routes: route.clone(),
                contact_host: self.settings.contact_host.clone(),
                max_wait: self.another(now.time, way, work.chance).map(|_| work.patience),
                ..OutgoingRequest::new(Method::Register, register.uri, way, register.aor.clone(), register.aor)
            };
            let id = work.agent.request(now, request);
            requests.insert(id, Asked { trunk: self.key, purpose: Purpose::Register, way });
        }
    }

    /// Sends the OPTIONS that is due, if any.
    pub(super) fn ask(&mut self, now: Now, work: &mut Work, requests: &mut Requests) {
        if !self.hop.is_known() {
            return;
        }
        self.qualify.handle_timeout(now.time);
        while self.qualify.poll_action().is_some() {
            if let Some(way) = self.pick(now.time, work.chance) {
                self.send_options(now, way, work, requests);
            }
        }
    }

    fn send_options(&mut self, now: Now, way: Flow, work: &mut Work, requests: &mut Requests) {
        let uri = self.uri("").replacen("sip:@", "sip:", 1);
        let domain = self.domain();
        let (from, to) = (format!("<sip:tandem@{domain}>"), format!("<{uri}>"));
        let request = OutgoingRequest {
            contact_user: Some("tandem".to_owned()),
            contact_host: self.settings.contact_host.clone(),
            routes: self.proxy_route(),
            max_wait: self.another(now.time, way, work.chance).map(|_| work.patience),
            ..OutgoingRequest::new(Method::Options, uri, way, from, to)
        };
        let id = work.agent.request(now, request);
        requests.insert(id, Asked { trunk: self.key, purpose: Purpose::Options, way });
    }

    /// Asks at another address, if there is one that hasn't failed of late: whether the trunk is there isn't decided yet.
    fn ask_elsewhere(&mut self, now: Now, failed: Flow, work: &mut Work, requests: &mut Requests) -> bool {
        let Some(way) = self.another(now.time, failed, work.chance) else { return false };
        self.current = Some(way);
        self.send_options(now, way, work, requests);
        true
    }

    fn register_elsewhere(&mut self, now: Time, failed: Flow, chance: &mut Chance) {
        let Some(way) = self.another(now, failed, chance) else { return };
        self.current = Some(way);
        if let Some(registration) = &mut self.registration {
            registration.try_flow(way, chance);
        }
    }

    /// The next way that doesn't rest.
    fn another(&self, now: Time, than: Flow, chance: &mut Chance) -> Option<Flow> {
        let ways = self.rests.sort(now, self.hop.order(chance));
        ways.into_iter().find(|&way| way != than && !self.is_resting(now, way))
    }
}
