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
        self.record.ringing.get_or_insert(now.wall);
        self.record.legs[leg].ringing.get_or_insert(now.wall);
        self.tell_origin(exchange, status, &phrase(status, message.reason_phrase()));
        let body = match self.takes_early_sound(leg, message) {
            true => self.answer_caller_early(leg),
            false => None,
        };
        if body.is_some() {
            self.heard = Some(leg);
            self.wire(exchange, leg);
        }
        let told = (status, body.is_some());
        let is_news = match self.caller.told {
            None => true,
            // "Session progress" without the session's sound says nothing.
            Some(_) if told == (183, false) => false,
            Some(before) => before != told,
        };
        if let Some(session) = self.caller_session().filter(|_| is_news) {
            self.caller.told = Some(told);
            exchange.agent.progress(now, session, status, &phrase(status, message.reason_phrase()), Vec::new(), body);
        }
    }

    /// Takes the media of a provisional answer; only one leg at a time is heard before the answer.
    fn takes_early_sound(&mut self, leg: usize, message: &Message) -> bool {
        let Said::Media(description) = description_of(message) else { return false };
        if self.heard.is_some_and(|heard| heard != leg && self.legs[heard].is_live()) {
            return false;
        }
        let Some(media) = self.legs[leg].media.as_mut() else { return false };
        media.accept(&description, true).is_ok()
    }

    /// The caller's answer for early media. It is said once, and then repeated word for word, whoever is heard: the
    /// caller made one offer.
    fn answer_caller_early(&mut self, leg: usize) -> Option<Body> {
        let (towards, wish) = (self.legs[leg].codec(), self.legs[leg].wish());
        let offer = self.caller.offer.as_ref()?;
        let media = self.legs[0].media.as_mut()?;
        match media.agreed {
            Some(_) => media.repeated(),
            None => media.answer(offer, wish, towards).ok(),
        }
    }
}
