//! What a phone does beside its calls: it writes to others, watches their lamps, and goes away for a while.

use super::watch::Watch;
use super::{Errand, Peer, Role};
use crate::ledger::{Ledger, Letter};
use crate::network::below;
use crate::office;
use std::time::Duration;
use tandem::base::time::Now;
use tandem::sip::agent::{OutgoingRequest, RequestId, ServerId};
use tandem::sip::digest::Responder;
use tandem::sip::flow::{Body, Headers};
use tandem::wire::sip::{Message, Method, Name};

/// A request of a phone's that isn't about a call.
pub struct Asking {
    request: OutgoingRequest,
    responder: Responder,
    /// The letter that it carries.
    letter: Option<usize>,
}

impl Peer {
    /// Writes to somebody, or has somebody watched.
    pub(super) fn chat(&mut self, now: Now, ledger: &mut Ledger) {
        self.errands.set(Errand::Chat, now.time + below(&mut self.chance, self.manners.chats * 2));
        let Role::Phone(phone) = &self.role else { return };
        if phone.is_leaving {
            return self.errands.cancel(Errand::Chat);
        }
        let users = office::users();
        let other = users[self.chance.below(users.len() as u64) as usize].clone();
        match self.chance.below(5) {
            0 if phone.is_registered => self.go_away(now),
            0..3 => {
                let letter = ledger.letters.len();
                ledger.letters.push(Letter { to: other.clone(), ..Letter::default() });
                let body = Body { content_type: "text/plain".into(), bytes: format!("letter {letter}").into() };
                self.ask(now, Method::Message, &other, Headers::new(), Some(body), Some(letter));
            }
            _ => {
                let package = ["dialog", "presence", "message-summary"][self.chance.below(3) as usize];
                let target = if package == "message-summary" { phone.user.clone() } else { other };
                let expires = 60 + self.chance.below(500);
                let headers = vec![(Name::Event, package.to_owned()), (Name::Expires, expires.to_string())];
                let call_id = self.ask(now, Method::Subscribe, &target, headers, None, None);
                if let Some(call_id) = call_id.filter(|_| package == "dialog") {
                    // Whoever asks a second time has begun anew, and isn't told twice.
                    self.watches.retain(|_, watch| watch.user != target);
                    self.watches.insert(call_id, Watch::new(&target, Duration::from_secs(expires)));
                }
            }
        }
    }

    fn ask(
        &mut self,
        now: Now,
        method: Method,
        user: &str,
        headers: Headers,
        body: Option<Body>,
        letter: Option<usize>,
    ) -> Option<String> {
        let flow = self.flow();
        let Role::Phone(phone) = &self.role else { return None };
        let call_id = format!("chat-{}@{}", self.chance.token(10), self.address.ip());
        let uri = format!("sip:{user}@{}", office::DOMAIN);
        let own = format!("<sip:{}@{}>", phone.user, office::DOMAIN);
        let request = OutgoingRequest {
            headers,
            body,
            call_id: Some(call_id.clone()),
            contact: Some(format!("<sip:{}@{}{}>", phone.user, self.address, self.transport.parameter())),
            ..OutgoingRequest::new(method, uri.clone(), flow, own, format!("<{uri}>"))
        };
        let responder = Responder::new(phone.credentials.clone());
        let id = self.agent.request(now, request.clone());
        self.askings.insert(id, Asking { request, responder, letter });
        Some(call_id)
    }

    /// The answer to such a request, if it is one.
    pub(super) fn told(&mut self, now: Now, id: RequestId, message: &Message, ledger: &mut Ledger) -> bool {
        let Some(mut asking) = self.askings.remove(&id) else { return false };
        let status = message.status();
        let cseq = asking.request.cseq.unwrap_or(1);
        match status {
            100..200 => _ = self.askings.insert(id, asking),
            401 | 407 if cseq < 3 && asking.responder.challenged(message).is_ok() => {
                let OutgoingRequest { method, uri, body, .. } = &asking.request;
                let bytes = body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
                let proof = asking.responder.headers(method.as_str(), uri, &bytes, &mut self.chance);
                asking.request.cseq = Some(cseq + 1);
                let mut request = asking.request.clone();
                request.headers.extend(proof.unwrap_or_default());
                let id = self.agent.request(now, request);
                self.askings.insert(id, asking);
            }
            200..300 => {
                if let Some(letter) = asking.letter {
                    ledger.letters[letter].promised = Some(now.time);
                }
                self.watching(now.time, message.call_id());
            }
            _ => {}
        }
        true
    }

    pub(super) fn letter_came(&mut self, now: Now, id: ServerId, message: &Message, ledger: &mut Ledger) {
        let text = String::from_utf8_lossy(&message.body()).into_owned();
        match text.strip_prefix("letter ").and_then(|number| number.parse::<usize>().ok()) {
            Some(letter) if letter < ledger.letters.len() => {
                let user = self.user().unwrap_or_default();
                if ledger.letters[letter].to != user {
                    let what = format!("letter {letter} to {} came to {}", ledger.letters[letter].to, self.name);
                    ledger.violation(now.time, None, what);
                }
                ledger.letters[letter].arrived.get_or_insert(now.time);
            }
            _ => ledger.violation(now.time, None, format!("{} has a letter that nobody wrote: {text}", self.name)),
        }
        self.agent.respond(now, id, 200, "", Headers::new(), None);
    }

    /// Unregisters, and is back after a while.
    fn go_away(&mut self, now: Now) {
        if let Role::Phone(phone) = &mut self.role {
            phone.is_away = !phone.is_away;
        }
        self.errands.set(Errand::Register, now.time);
        self.errands.set(Errand::Return, now.time + below(&mut self.chance, Duration::from_secs(40)));
    }

    pub(super) fn come_back(&mut self, now: Now) {
        if let Role::Phone(phone) = &mut self.role {
            phone.is_away = false;
        }
        self.errands.set(Errand::Register, now.time);
    }
}
