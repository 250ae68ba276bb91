//! A letter is brought to where the plan says: to all phones of a user at once, or to a trunk. The first that takes it
//! settles the matter; a user who can't be reached is written to by way of the store.

use crate::base::time::Now;
use crate::call::exchange::{Exchange, Timer};
use crate::call::hop::Hop;
use crate::call::letter::Letter;
use crate::call::letter::post::{Again, Attempt, Delivery, DeliveryKey, is_away};
use crate::call::party::{Audience, Side};
use crate::call::trunk::rests::Fault;
use crate::dialplan::route::Target;
use crate::sip::agent::{Failure, OutgoingRequest, RequestId};
use crate::sip::digest;
use crate::sip::flow::{Body, Headers, Transport};
use crate::wire::sip::{Message, Method, Name, date, escape_user};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long phones may take to answer; RFC 4320 §4 wants the sender answered before its own 32 seconds are over.
const ANSWER: Duration = Duration::from_secs(8);
/// How long all targets together may take.
const PATIENCE: Duration = Duration::from_secs(24);
/// The largest request that may go by a way without congestion control (RFC 3428 §8).
const DATAGRAM: usize = 1_300;
/// What else a request has, at least: Via, tags, Call-ID, and names of fields.
const FRAME: usize = 300;

/// Why a target takes no letter.
enum Obstacle {
    /// The user has no phone that could be asked.
    Away(String),
    Refused(u16),
}

impl Exchange {
    /// Tries targets until one is under way, or none is left.
    pub fn deliver(&mut self, now: Now, key: DeliveryKey) {
        if self.post.deliveries.get(&key).is_some_and(|delivery| delivery.asked.is_some()) {
            self.timers.set(Timer::Letter(key), now.time + PATIENCE);
        }
        while let Some(target) = self.post.deliveries.get_mut(&key).and_then(|delivery| delivery.targets.pop_front()) {
            let obstacle = match self.carry(now, key, &target) {
                Ok(()) => return,
                Err(obstacle) => obstacle,
            };
            let Some(delivery) = self.post.deliveries.get_mut(&key) else { return };
            match obstacle {
                Obstacle::Away(user) => _ = delivery.away.get_or_insert(user),
                Obstacle::Refused(status) => _ = delivery.refusal.get_or_insert(status),
            }
        }
        self.undeliverable(now, key);
    }

    /// Takes an answer to a request that carries a letter; false where it carries none.
    pub fn letter_answered(&mut self, now: Now, id: RequestId, message: &Message) -> bool {
        if message.status() < 200 {
            return self.post.attempts.contains_key(&id);
        }
        let Some(Attempt { delivery, again, .. }) = self.post.attempts.remove(&id) else { return false };
        let trunk = again.as_ref().and_then(|again| again.trunk.as_deref());
        let fault = match message.status() {
            503 if trunk.is_some() => Some(Fault::Busy { retry_after: message.retry_after() }),
            430 if trunk.is_none() => Some(Fault::Silent),
            _ => None,
        };
        self.note_way(now, again.as_deref(), fault);
        match message.status() {
            status @ 200..=299 => self.accepted(now, delivery, status),
            status if fault.is_some() => {
                if !self.sent_elsewhere(now, again, delivery) {
                    self.declined(now, delivery, status);
                }
            }
            status => {
                if !self.signed_again(now, again, delivery, message) {
                    self.declined(now, delivery, status);
                }
            }
        }
        true
    }

    /// A request that carries a letter has no answer and will have none; false where it carries none.
    pub fn letter_failed(&mut self, now: Now, id: RequestId, cause: Failure) -> bool {
        let Some(Attempt { delivery, is_large, again }) = self.post.attempts.remove(&id) else { return false };
        if cause != Failure::Limit {
            self.note_way(now, again.as_deref(), Some(Fault::Silent));
            if self.sent_elsewhere(now, again, delivery) {
                return true;
            }
        }
        // Who takes no connection never can have it.
        let status = if is_large && cause == Failure::Transport { 513 } else { 408 };
        self.declined(now, delivery, status);
        true
    }

    /// The sender has waited for long enough.
    pub fn letter_timed_out(&mut self, now: Now, key: DeliveryKey) {
        if let Some(delivery) = self.post.deliveries.get_mut(&key) {
            delivery.targets.clear();
            if let Some(user) = delivery.user.take() {
                delivery.away.get_or_insert(user);
            }
            self.undeliverable(now, key);
        }
    }

    fn carry(&mut self, now: Now, key: DeliveryKey, target: &Target) -> Result<(), Obstacle> {
        match target {
            Target::User { name } => self.carry_to_user(now, key, name),
            Target::Trunk { name, number, .. } => self.carry_to_trunk(now, key, name, number),
            Target::Reject { status, .. } => Err(Obstacle::Refused(*status)),
            // Sounds are no readers.
            _ => Err(Obstacle::Refused(405)),
        }
    }

    fn carry_to_user(&mut self, now: Now, key: DeliveryKey, name: &str) -> Result<(), Obstacle> {
        let accounts = Arc::clone(&self.accounts);
        let Some(account) = accounts.find(name) else { return Err(Obstacle::Refused(404)) };
        let user = account.name.clone();
        let Some(delivery) = self.post.deliveries.get_mut(&key) else { return Ok(()) };
        // It comes after those that came before it.
        if delivery.kept.is_none() && self.post.rounds.contains_key(&user) {
            return Err(Obstacle::Away(user));
        }
        delivery.user = Some(user.clone());
        let domain = &self.settings.sip.domain;
        let to = format!("<sip:{}@{domain}>", escape_user(&user));
        let from = delivery.letter.from.from(domain, Audience::Phone);
        let told = delivery.letter.from.headers(domain, Audience::Phone, Side::Calling);
        let phones = self.registrar.phones_for(now, &user, delivery.phone.as_ref());
        if phones.is_empty() {
            return Err(Obstacle::Away(user));
        }
        let letters = phones.into_iter().filter_map(|flows| {
            let mut more: VecDeque<Hop> = flows.into_iter().map(Hop::to_phone).collect();
            let request = request(now, delivery, more.pop_front()?, from.clone(), to.clone(), told.clone());
            Some(Again { request, trunk: None, credentials: None, is_signed: false, more })
        });
        let letters: Vec<Again> = letters.collect();
        self.send_letters(now, key, letters);
        Ok(())
    }

    fn carry_to_trunk(&mut self, now: Now, key: DeliveryKey, name: &str, number: &str) -> Result<(), Obstacle> {
        let Some(trunk) = self.trunks.by_name(name) else { return Err(Obstacle::Refused(500)) };
        let (uri, route) = (trunk.uri(number), trunk.routes());
        let ways = trunk.ways(now.time, &mut self.chance).into_iter().take(self.settings.limits.addresses);
        let mut more: VecDeque<Hop> = ways.map(|flow| Hop::to_trunk(flow, &uri, &route)).collect();
        let Some(hop) = more.pop_front() else { return Err(Obstacle::Refused(503)) };
        let Some(delivery) = self.post.deliveries.get_mut(&key) else { return Ok(()) };
        delivery.user = None;
        let domain = trunk.domain();
        let credentials = trunk.credentials();
        let ours = trunk.own_domain(&self.settings);
        let audience = Audience::Trunk(&trunk.settings.identity);
        let from = delivery.letter.from.from(&ours, audience);
        let told = delivery.letter.from.headers(&ours, audience, Side::Calling);
        let to = format!("<sip:{}@{domain}>", escape_user(number));
        let contact_host = trunk.settings.contact_host.clone();
        let request = OutgoingRequest { contact_host, ..request(now, delivery, hop, from, to, told) };
        let trunk = Some(name.to_owned());
        self.send_letters(now, key, vec![Again { request, trunk, credentials, is_signed: false, more }]);
        Ok(())
    }

    fn send_letters(&mut self, now: Now, key: DeliveryKey, letters: Vec<Again>) {
        if let Some(delivery) = self.post.deliveries.get_mut(&key) {
            delivery.waiting = letters.len();
        }
        for letter in letters {
            self.attempt(now, key, Box::new(letter));
        }
    }

    fn attempt(&mut self, now: Now, key: DeliveryKey, again: Box<Again>) {
        let request = again.request.clone();
        let is_useful = !again.more.is_empty() || again.trunk.is_some();
        self.attempt_with(now, key, request, is_useful.then_some(again));
    }

    fn attempt_with(&mut self, now: Now, key: DeliveryKey, request: OutgoingRequest, again: Option<Box<Again>>) {
        let hurry = self.settings.sip.trunk_timeout.min(ANSWER);
        let has_more = again.as_ref().is_some_and(|again| !again.more.is_empty());
        let request = OutgoingRequest { max_wait: Some(if has_more { hurry } else { ANSWER }), ..request };
        let is_large = is_large(&request);
        let id = self.agent.request(now, request);
        self.post.attempts.insert(id, Attempt { delivery: key, is_large, again });
    }

    /// What a trunk's address did with a letter.
    fn note_way(&mut self, now: Now, again: Option<&Again>, fault: Option<Fault>) {
        let Some(again) = again else { return };
        let Some(trunk) = again.trunk.as_deref().and_then(|name| self.trunks.by_name_mut(name)) else { return };
        match fault {
            Some(fault) => trunk.way_failed(now.time, again.request.flow, fault, &mut self.chance),
            None => trunk.way_answered(again.request.flow),
        }
    }

    /// Sends a letter by the next way to the same trunk or phone; false where there is none.
    fn sent_elsewhere(&mut self, now: Now, again: Option<Box<Again>>, key: DeliveryKey) -> bool {
        let Some(mut again) = again else { return false };
        if let Some(trunk) = again.trunk.as_deref().and_then(|name| self.trunks.by_name(name)) {
            again.more.retain(|hop| !trunk.is_resting(now.time, hop.flow));
        }
        let Some(Hop { flow, uri, route, is_pinned }) = again.more.pop_front() else { return false };
        again.request = OutgoingRequest { flow, uri, routes: route, is_pinned, ..again.request };
        again.is_signed = false;
        self.attempt(now, key, again);
        true
    }

    /// Sends a letter once more with the credentials that a trunk asks for. False where there are none, or they were of no
    /// use before.
    fn signed_again(&mut self, now: Now, again: Option<Box<Again>>, key: DeliveryKey, refusal: &Message) -> bool {
        let (asks, signs) = match refusal.status() {
            401 => (Name::WwwAuthenticate, Name::Authorization),
            407 => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return false,
        };
        let Some(mut again) = again.filter(|again| !again.is_signed) else { return false };
        let (mut request, Some(credentials)) = (again.request.clone(), again.credentials.as_ref()) else {
            return false;
        };
        let challenges = refusal.fields().filter(|field| field.kind() == asks).map(|field| field.value());
        let body = request.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
        let cnonce = self.chance.token(16);
        let signed = digest::answer(challenges, credentials, request.method.as_str(), &request.uri, &body, 1, &cnonce);
        let Ok(signature) = signed else { return false };
        request.headers.push((signs, signature));
        request.call_id = Some(refusal.call_id().to_owned());
        request.cseq = refusal.cseq().ok().map(|cseq| cseq.number.saturating_add(1));
        again.is_signed = true;
        self.attempt_with(now, key, request, Some(again));
        true
    }

    fn accepted(&mut self, now: Now, key: DeliveryKey, status: u16) {
        let Some(delivery) = self.post.deliveries.remove(&key) else { return };
        self.timers.cancel(Timer::Letter(key));
        if let Some(asked) = delivery.asked {
            // A phone that keeps it for later says so (RFC 3428 §7).
            let status = if status == 202 { 202 } else { 200 };
            self.agent.respond(now, asked, status, "", Headers::new(), None);
        }
        if let Some((user, id)) = delivery.kept {
            self.delivered_out_of_store(now, &user, id, &delivery.letter);
        }
    }

    /// One phone or trunk takes no letter; when it was the last that could, the next target is tried.
    fn declined(&mut self, now: Now, key: DeliveryKey, status: u16) {
        let Some(delivery) = self.post.deliveries.get_mut(&key) else { return };
        match &delivery.user {
            Some(user) if is_away(status) => _ = delivery.away.get_or_insert(user.clone()),
            _ => _ = delivery.refusal.get_or_insert(status),
        }
        delivery.waiting = delivery.waiting.saturating_sub(1);
        if delivery.waiting == 0 {
            self.deliver(now, key);
        }
    }

    /// Nobody took it, and nobody is left who could.
    fn undeliverable(&mut self, now: Now, key: DeliveryKey) {
        let Some(delivery) = self.post.deliveries.remove(&key) else { return };
        self.timers.cancel(Timer::Letter(key));
        let Delivery { letter, asked, kept, away, refusal, .. } = delivery;
        if let Some((user, _)) = kept {
            return self.left_in_store(now, &user, away.is_none());
        }
        let Some(asked) = asked else { return };
        // Who was reached and said no is not written to behind their back.
        match (refusal, away) {
            (None, Some(user)) if !letter.is_fleeting() => self.keep_letter(now, user, letter, asked),
            (refusal, away) => {
                let status = refusal.unwrap_or(if away.is_some() { 480 } else { 404 });
                self.agent.respond(
                    now,
                    asked,
                    if is_challenge(status) { 403 } else { status },
                    "",
                    Headers::new(),
                    None,
                );
            }
        }
    }
}

/// The MESSAGE on one way.
fn request(now: Now, of: &Delivery, hop: Hop, from: String, to: String, told: Headers) -> OutgoingRequest {
    let letter = &of.letter;
    let Hop { flow, uri, route, is_pinned } = hop;
    OutgoingRequest {
        max_forwards: of.hops,
        headers: told.into_iter().chain(headers(now, letter)).collect(),
        body: Some(Body { content_type: letter.content_type.as_str().into(), bytes: letter.body.clone() }),
        routes: route,
        is_pinned,
        ..OutgoingRequest::new(Method::Message, uri, flow, from, to)
    }
}

/// Whether a request can hardly go by datagrams, so that the agent asks the peer for a connection (RFC 3428 §8).
fn is_large(request: &OutgoingRequest) -> bool {
    let body = request.body.as_ref().map_or(0, |body| body.bytes.len() + body.content_type.len());
    let headers = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    let addresses = request.uri.len() + request.from.len() + request.to.len();
    request.flow.transport == Transport::Udp && FRAME + body + headers + addresses > DATAGRAM
}

fn headers(now: Now, letter: &Letter) -> Headers {
    let mut headers = Headers::new();
    let mut say = |name, text: &Option<String>| {
        if let Some(text) = text {
            headers.push((name, text.clone()));
        }
    };
    say(Name::Subject, &letter.subject);
    say(Name::ContentLanguage, &letter.language);
    say(Name::ContentEncoding, &letter.content_encoding);
    // When it was written is news only of one that was kept.
    if letter.sent.seconds() != now.wall.seconds() {
        headers.push((Name::Date, date(letter.sent)));
    }
    headers
}

/// A challenge that we couldn't answer is none of the sender's business.
fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407)
}
