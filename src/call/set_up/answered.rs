//! A called side has answered: the others are told so, and the two are joined.

use crate::base::time::Now;
use crate::call::errand::Errand;
use crate::call::exchange::{Exchange, Timer};
use crate::call::failure::Failure;
use crate::call::io::Notice;
use crate::call::leg::{Said, Stage as LegStage, description_of};
use crate::call::media::negotiate::Disagreement;
use crate::call::reason::{phrase, sip_reason};
use crate::call::state::{Call, Stage};
use crate::sip::flow::Body;
use crate::wire::sip::Message;

impl Call {
    pub fn answered(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let Some(session) = self.legs[leg].session() else { return };
        exchange.agent.ack(now, session, None);
        if self.stage != Stage::Trying {
            exchange.agent.bye(now, session, Some(completed_elsewhere()));
            return;
        }
        self.note_answer(exchange, leg, message);
        self.record.legs[leg].reason = phrase(message.status(), message.reason_phrase());
        self.note_outcome(exchange, now, leg, message.status(), None);
        if let Err(why) = self.take_answer(leg, message) {
            exchange.agent.bye(now, session, Some(sip_reason(488, &why)));
            self.record.legs[leg].reason.clone_from(&why);
            self.leg_failed(exchange, now, leg, 488, Failure::new(488, "").because(why));
            return;
        }
        self.join(exchange, now, leg);
    }

    fn take_answer(&mut self, leg: usize, message: &Message) -> Result<(), String> {
        let Some(media) = self.legs[leg].media.as_mut() else { return Err("no media".to_owned()) };
        let fork = message.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        media.answered_by(&fork).map_err(|why| why.text().to_owned())?;
        match description_of(message) {
            // Its answer was given and acknowledged before; a further one tells nothing (RFC 6337 §3.1.1).
            Said::Media(_) | Said::Nothing if media.is_settled_with(&fork) => Ok(()),
            Said::Media(description) => media.accept(&description, false).map_err(|why| why.text().to_owned()),
            Said::Nothing if media.is_agreed() => {
                media.withdraw();
                Ok(())
            }
            Said::Nothing => Err("an answer without SDP".to_owned()),
            Said::Unreadable(_) => Err("an answer in SDP that can't be read".to_owned()),
            Said::Foreign(_) => Err("an answer that isn't SDP".to_owned()),
        }
    }

    /// Answers the caller's leg and joins it with `leg`.
    pub fn join(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        // Who is transferred to this call comes first.
        if self.origin.is_some() && self.caller_session().is_none() {
            return exchange.errands.push_back(Errand::Join { onward: self.key, leg });
        }
        let body = match self.final_answer(leg) {
            Ok(body) => body,
            Err(why) => {
                self.record.legs[leg].status = 200;
                self.hang_up_leg(exchange, now, leg, Some(sip_reason(488, why.text())));
                self.refuse_caller(exchange, now, Failure::new(488, "").because(why.text()));
                return;
            }
        };
        self.dismiss_others(exchange, now, leg);
        self.turn_away(exchange, 480, "Answered Elsewhere");
        for timer in [Timer::Ring(self.key), Timer::Patience(self.key)] {
            exchange.timers.cancel(timer);
        }
        for joined in [0, leg] {
            self.legs[joined].stage = LegStage::Talking;
            self.record.legs[joined].status = 200;
            self.record.legs[joined].answered = Some(now.wall);
        }
        self.stage = Stage::Talking { with: leg };
        if let Some(media) = &mut self.legs[leg].media {
            media.settled();
        }
        self.answered_at = Some(now.time);
        self.record.answered = Some(now.wall);
        self.record.status = 200;
        exchange.keep(&self.record);
        let headers = self.told_caller(exchange, leg);
        if self.origin.is_some() {
            self.introduce(exchange, now, 0, leg);
        }
        if let Some(session) = self.caller_session() {
            match self.origin {
                // Who waited here for the answer has heard of its port already.
                Some(_) if body.is_none() => {}
                Some(_) => self.reoffer_moved(exchange, now, 0, body),
                None => exchange.agent.answer(now, session, headers, body),
            }
        }
        self.wire(exchange, leg);
        // What early media promised the caller may be otherwise by now.
        self.pass_on(exchange, now, leg);
        self.pass_on(exchange, now, 0);
        self.settle(exchange, now, leg);
        let target = self.record.legs[leg].target.clone();
        exchange.notice(Notice::CallAnswered { id: self.record.id.clone(), target });
    }

    /// The media of our 200: the answer to the caller's offer, or our own offer where the caller left it to us.
    fn final_answer(&mut self, leg: usize) -> Result<Option<Body>, Disagreement> {
        let called = self.legs[leg].opposites();
        let media = self.legs[0].media.as_mut().ok_or(Disagreement::NoAudio)?;
        match &self.caller.offer {
            Some(_) if media.is_agreed() => Ok(media.repeated()),
            Some(offer) => media.answer(offer, &called).map(Some),
            // Our offer went with a reliable provisional answer.
            None if media.is_agreed() || media.awaits_answer() => Ok(None),
            None => Ok(media.offer(&called)),
        }
    }

    /// The other phones stop ringing and learn that the call was taken (RFC 3326 §3.1).
    fn dismiss_others(&mut self, exchange: &mut Exchange, now: Now, winner: usize) {
        let others: Vec<usize> = self.hopefuls().filter(|&leg| leg != winner).collect();
        for other in others {
            self.record.legs[other].reason = "answered elsewhere".to_owned();
            self.hang_up_leg(exchange, now, other, Some(completed_elsewhere()));
        }
    }
}

fn completed_elsewhere() -> String {
    sip_reason(200, "Call completed elsewhere")
}
