//! Requests within a call that aren't about its media: answered here, or carried to the other side.

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::reason::phrase;
use crate::call::state::Call;
use crate::sip::agent::{AskId, Question, ServerId};
use crate::sip::flow::{Body, Headers};
use crate::wire::sip::{Message, Method, Name};

/// Seconds after which a peer may ask again that asks for too much at once.
const RETRY_AFTER: &str = "5";
/// What a message without a type is (RFC 3428 §10 has no other use for one).
const TEXT: &str = "text/plain";

/// A request of one side that waits for the other side's answer.
pub struct Carried {
    ask: AskId,
    server: ServerId,
    /// Who was asked.
    leg: usize,
    /// A REFER whose sender wants no news.
    declines_news: bool,
}

impl Call {
    /// A request of `leg`, which `id` is to answer.
    pub fn asked(&mut self, exchange: &mut Exchange, now: Now, leg: usize, id: ServerId, message: &Message) {
        match message.method() {
            Method::Info => self.informed(exchange, now, leg, id, message),
            Method::Message => self.carry(exchange, now, leg, id, message),
            Method::Notify if self.pass_notify(exchange, now, leg, id, message) => {}
            // It is of no subscription here (RFC 6665 §4.1.3).
            Method::Notify => exchange.agent.respond(now, id, 481, "", Headers::new(), None),
            Method::Subscribe if self.resubscribed(exchange, now, leg, id, message) => {}
            Method::Subscribe => exchange.agent.respond(now, id, 489, "", Headers::new(), None),
            _ => exchange.agent.respond(now, id, 405, "", Headers::new(), None),
        }
    }

    /// Asks the other side the same, of which only the body and its type pass, and what a rule lets pass.
    pub fn carry(&mut self, exchange: &mut Exchange, now: Now, leg: usize, id: ServerId, message: &Message) {
        let Some(other) = self.other(leg) else {
            return exchange.agent.respond(now, id, 480, "", Headers::new(), None);
        };
        let body = message.body();
        let content_type = message.content_type().unwrap_or(TEXT);
        let body = (!body.is_empty()).then(|| Body { content_type: content_type.into(), bytes: body });
        let headers = self.passing_on(exchange, leg, message);
        let question = Question { method: message.method().clone(), headers, body };
        self.carry_to(exchange, now, other, id, question);
    }

    /// Asks a side something, whose answer is the one to `id`.
    pub fn carry_to(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        leg: usize,
        id: ServerId,
        question: Question,
    ) -> Option<AskId> {
        let Some(session) = self.legs[leg].session() else {
            exchange.agent.respond(now, id, 480, "", Headers::new(), None);
            return None;
        };
        let declines_news = question.headers.iter().any(|(name, _)| *name == Name::ReferSub);
        match exchange.agent.ask(now, session, question) {
            Ok(ask) => {
                self.carried.push(Carried { ask, server: id, leg, declines_news });
                Some(ask)
            }
            Err(_) => {
                let headers = vec![(Name::RetryAfter, RETRY_AFTER.to_owned())];
                exchange.agent.respond(now, id, 500, "", headers, None);
                None
            }
        }
    }

    /// The answer to a request of ours in a leg's dialog: where it was carried there, whoever asked has it.
    pub fn replied(&mut self, exchange: &mut Exchange, now: Now, ask: AskId, message: &Message) {
        self.notified(exchange, now, ask, message.status());
        self.refer_passed(ask, message.status());
        let Some(Carried { server, leg, declines_news, .. }) = self.take_carried(ask) else { return };
        let status = told(message.status(), message.method());
        let reason = if status == message.status() { phrase(status, message.reason_phrase()) } else { String::new() };
        let mut headers = self.passing_on(exchange, leg, message);
        if declines_news && (200..300).contains(&status) {
            headers.push((Name::ReferSub, "false".to_owned()));
        }
        exchange.agent.respond(now, server, status, &reason, headers, None);
    }

    /// It has no answer.
    pub fn unanswered(&mut self, exchange: &mut Exchange, now: Now, ask: AskId) {
        self.notified(exchange, now, ask, 408);
        self.refer_passed(ask, 408);
        if let Some(Carried { server, .. }) = self.take_carried(ask) {
            exchange.agent.respond(now, server, 504, "", Headers::new(), None);
        }
    }

    /// The call is over: nobody waits for an answer that can't come any more (RFC 3261 §15.1.2).
    pub fn answer_carried(&mut self, exchange: &mut Exchange, now: Now) {
        for carried in self.carried.drain(..) {
            exchange.agent.respond(now, carried.server, 487, "", Headers::new(), None);
        }
    }

    /// A side is replaced, and its answers are nobody's any more.
    pub fn answer_for(&mut self, exchange: &mut Exchange, now: Now, gone: usize) {
        for Carried { server, .. } in self.carried.extract_if(.., |carried| carried.leg == gone) {
            exchange.agent.respond(now, server, 480, "", Headers::new(), None);
        }
    }

    fn take_carried(&mut self, ask: AskId) -> Option<Carried> {
        let at = self.carried.iter().position(|carried| carried.ask == ask)?;
        Some(self.carried.swap_remove(at))
    }
}

/// What was meant for the message or its reader passes; what was meant for us, who sent it, doesn't.
fn told(status: u16, method: &Method) -> u16 {
    match status {
        200..=299 if *method == Method::Refer => 202,
        200..=299 => 200,
        403 | 405 | 406 | 413 | 415 | 469 | 480 | 486 | 488 | 489 | 501 | 600 | 603 | 606 => status,
        _ => 500,
    }
}
