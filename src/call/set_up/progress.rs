//! The called side is being alerted, perhaps with sound.

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::leg::{Said, description_of};
use crate::call::reason::phrase;
use crate::call::state::{Call, Stage};
use crate::sip::flow::Body;
use crate::wire::sip::Message;

impl Call {
    /// A provisional answer of a called phone: the caller is told where it says something new.
    pub fn progressed(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let status = message.status();
        // 199 tells of one fork's end (RFC 6228), which isn't the caller's business.
        if self.stage != Stage::Trying || status == 199 {
            return;
        }
        let rings_first = self.record.ringing.replace(self.record.ringing.unwrap_or(now.wall)).is_none();
        self.record.legs[leg].ringing.get_or_insert(now.wall);
        self.tell_origin(exchange, status, &phrase(status, message.reason_phrase()));
        self.note_answer(exchange, leg, message);
        let has_sound = self.takes_early_sound(leg, message);
        let session = self.caller_session();
        let is_acknowledged = session.is_some_and(|session| exchange.agent.is_acknowledged(session, has_sound));
        let body = match has_sound || is_acknowledged {
            true => self.describe_early(leg, has_sound, is_acknowledged),
            false => None,
        };
        if body.is_some() && has_sound {
            self.heard = Some(leg);
            self.wire(exchange, leg);
        } else if rings_first {
            self.comfort(exchange);
        }
        let told = (status, body.is_some());
        let is_news = match self.caller.told {
            None => true,
            // "Session progress" without the session's sound says nothing.
            Some(_) if told == (183, false) => false,
            Some(before) => before != told,
        };
        if let Some(session) = session.filter(|_| is_news) {
            self.caller.told = Some(told);
            let headers = self.told_caller(exchange, leg);
            exchange.agent.progress(now, session, status, &phrase(status, message.reason_phrase()), headers, body);
        }
    }

    /// Takes the media of a provisional answer; only one leg at a time is heard before the answer.
    fn takes_early_sound(&mut self, leg: usize, message: &Message) -> bool {
        let Said::Media(description) = description_of(message) else { return false };
        if self.heard.is_some_and(|heard| heard != leg && self.legs[heard].is_live()) {
            return false;
        }
        let Some(media) = self.legs[leg].media.as_mut() else { return false };
        let fork = message.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        let is_new = media.accept_early(&fork, description, message.rseq().is_some());
        is_new || self.heard == Some(leg)
    }

    /// What the caller is told of early media: the answer to its offer, said once and then repeated word for word, whoever
    /// is heard, or our own offer where it left that to us and is able to answer before the call is answered.
    fn describe_early(&mut self, leg: usize, has_sound: bool, is_acknowledged: bool) -> Option<Body> {
        let called = self.legs[leg].opposites();
        let media = self.legs[0].media.as_mut()?;
        match &self.caller.offer {
            _ if media.is_agreed() => media.repeated().filter(|_| has_sound),
            Some(_) if !has_sound => None,
            Some(offer) => media.answer(offer, &called).ok(),
            None if is_acknowledged && !media.awaits_answer() => media.offer(&called),
            None => None,
        }
    }

    /// The caller has our description; where the offer was ours, its answer is here.
    pub fn pracked(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        self.acknowledged(exchange, now, leg, message);
    }
}
