//! One side changes its media while two legs talk: it holds, resumes, moves, or changes its codec.

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::leg::{Said, description_of};
use crate::call::media::SDP;
use crate::call::media::negotiate::Disagreement;
use crate::call::media::stream::Opposite;
use crate::call::reason::q850_reason;
use crate::call::record::EndedBy;
use crate::call::state::{Call, Stage};
use crate::sip::flow::Body;
use crate::wire::description::{Description, Direction};
use crate::wire::sip::{Message, Name};

/// Offers of ours that may follow from one change of a side's own. Two sides that answer each offer with another wish
/// would have us offer for ever.
const MAX_OFFERS: u8 = 4;

impl Call {
    /// The offer of one side is answered at once, from what the other side last wanted; the other side is then told in an
    /// exchange of its own, so that no side waits for the other.
    pub fn reoffered(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let Some(session) = self.legs[leg].session() else { return };
        let other = self.across(leg);
        // While a line is being added, the whole call has an offer without an answer (RFC 3261 §14.2).
        if other.is_none() && self.stage != Stage::Trying || self.change.is_some() {
            exchange.agent.reanswer(now, session, 491, "", Vec::new(), None);
            return;
        }
        self.let_through(exchange, now, leg);
        let (status, reason, body) = match description_of(message) {
            Said::Nothing => (200, "", self.late_offer(exchange, leg, other)),
            Said::Media(offer) if self.adds_lines(exchange, leg, message, &offer) => {
                return self.begin_change(exchange, now, leg, offer);
            }
            Said::Media(offer) => match self.answer_again(exchange, leg, other, &offer) {
                Ok(body) => (200, "", Some(body)),
                Err(_) => (488, "", None),
            },
            Said::Unreadable(_) => (400, "Unreadable SDP", None),
            Said::Foreign(_) => (415, "", None),
        };
        let headers = if status == 415 { vec![(Name::Accept, SDP.to_owned())] } else { Vec::new() };
        exchange.agent.reanswer(now, session, status, reason, headers, body);
        if status == 200 {
            self.offers = 0;
            self.rewire(exchange);
            self.pass_on(exchange, now, leg);
        }
    }

    /// An offer of ours that waits after a glare gives way; what it had to say is said anew when this exchange is over.
    fn let_through(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let Some(session) = self.legs[leg].session() else { return };
        let Some(media) = self.legs[leg].media.as_mut().filter(|media| media.awaits_answer()) else { return };
        exchange.agent.withdraw(now, session);
        media.withdraw();
        media.change_due = true;
    }

    pub fn answer_again(
        &mut self,
        exchange: &Exchange,
        leg: usize,
        other: Option<usize>,
        offer: &Description,
    ) -> Result<Body, Disagreement> {
        let opposites = self.beside(exchange, leg, other);
        self.legs[leg].media.as_mut().ok_or(Disagreement::NoAudio)?.answer(offer, &opposites)
    }

    /// What a leg is told of the other side. Before there is one, it is taken to want all that the leg itself has.
    pub fn beside(&self, exchange: &Exchange, leg: usize, other: Option<usize>) -> Vec<Opposite> {
        let mut opposites = self.heard_of(exchange, other.unwrap_or(if leg > 0 { 0 } else { leg }));
        if other.is_none() {
            for opposite in &mut opposites {
                (opposite.wish, opposite.format) = (Direction::SendRecv, None);
            }
        }
        opposites
    }

    /// The peer asks us to offer (an INVITE without SDP): all that we have, its present codec first.
    fn late_offer(&mut self, exchange: &Exchange, leg: usize, other: Option<usize>) -> Option<Body> {
        let opposites = self.beside(exchange, leg, other);
        self.legs[leg].media.as_mut()?.offer(&opposites)
    }

    /// An ACK; where the offer was ours, its answer is here.
    pub fn acknowledged(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        if self.legs[leg].media.as_ref().is_some_and(|media| media.awaits_answer()) {
            self.take_late_answer(exchange, now, leg, message);
        }
        self.settle(exchange, now, leg);
    }

    fn take_late_answer(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let Some(media) = self.legs[leg].media.as_mut() else { return };
        let wishes: Vec<Direction> = media.streams.iter().map(|stream| stream.wish).collect();
        let taken = match description_of(message) {
            Said::Media(description) => {
                // Whatever hold it had is over, unless the answer says so again.
                media.streams.iter_mut().for_each(|stream| stream.wish = Direction::SendRecv);
                media.accept(&description, false).map_err(Disagreement::text)
            }
            _ => Err("no answer in the ACK"),
        };
        match taken {
            Ok(()) => {
                self.rewire(exchange);
                self.pass_on(exchange, now, leg);
            }
            // What was agreed before stands.
            Err(_) if media.is_agreed() => {
                media.withdraw();
                for (stream, wish) in media.streams.iter_mut().zip(wishes) {
                    stream.wish = wish;
                }
            }
            Err(why) => {
                let reason = q850_reason(88, "Incompatible destination");
                self.end(exchange, now, EndedBy::Gateway, &format!("media not agreed: {why}"), Some(reason));
            }
        }
    }

    /// Tells the other side what this one wants by now, where it was told otherwise.
    pub fn pass_on(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        // Whoever isn't heard yet has nothing to say to the caller.
        let Some(other) = self.across(leg).filter(|&other| other > 0 || self.is_heard(leg)) else { return };
        let opposites = self.heard_of(exchange, leg);
        let media = self.legs[other].media.as_ref();
        let is_news = media.is_some_and(|media| media.is_told_otherwise(&opposites) || media.is_unheard_of());
        if is_news && self.change.is_none() && self.offers < MAX_OFFERS {
            self.offer_again(exchange, now, other, &opposites);
        }
    }

    fn offer_again(&mut self, exchange: &mut Exchange, now: Now, leg: usize, opposites: &[Opposite]) {
        let Some(session) = self.legs[leg].session() else { return };
        let Some(media) = self.legs[leg].media.as_mut() else { return };
        if media.awaits_answer() {
            media.change_due = true;
            return;
        }
        let before = media.streams.clone();
        let body = media.offer(opposites);
        if body.is_none() {
            return;
        }
        match exchange.agent.reoffer(now, session, body) {
            Ok(()) => self.offers += 1,
            Err(_) => {
                media.unsay();
                media.streams = before;
                media.change_due = true;
            }
        }
    }

    /// A session has to be refreshed by an offer, which changes nothing.
    pub fn refresh(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let Some(session) = self.legs[leg].session() else { return };
        let Some(media) = self.legs[leg].media.as_mut() else { return };
        let Some(body) = media.offer_the_same() else { return };
        if exchange.agent.reoffer(now, session, Some(body)).is_err() {
            media.withdraw();
        }
    }

    /// A leg has answered our offer.
    pub fn reanswered(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        if self.is_changing_beside(leg) {
            return self.change_answered(exchange, now, message);
        }
        if let Some(media) = self.legs[leg].media.as_mut() {
            match description_of(message) {
                Said::Media(description) => {
                    // An answer that can't be used leaves what was agreed before.
                    let _ = media.accept(&description, false);
                }
                _ => media.withdraw(),
            }
        }
        self.rewire(exchange);
        self.pass_on(exchange, now, leg);
        self.settle(exchange, now, leg);
        self.check_move(exchange, now, leg);
    }

    /// A leg that was moved here can't be kept where it didn't follow: its old port is gone.
    fn check_move(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let is_lost = self.legs[leg].media.as_ref().is_some_and(|media| media.is_unheard_of() && !media.change_due);
        if is_lost && self.other(leg).is_some() {
            let reason = q850_reason(88, "Incompatible destination");
            self.end(exchange, now, EndedBy::Gateway, "the transferred side did not take its new media", Some(reason));
        }
    }

    /// A leg refused our offer: all stays as it was there.
    pub fn rerefused(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        if let Some(media) = self.legs[leg].media.as_mut() {
            media.withdraw();
        }
        if self.is_changing_beside(leg) {
            return self.abandon_change(exchange, now, 488);
        }
        self.settle(exchange, now, leg);
        self.check_move(exchange, now, leg);
    }

    /// An exchange on a leg has ended: what had to wait for it is said now.
    pub fn settle(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let due = self.legs[leg].media.as_mut().is_some_and(|media| std::mem::take(&mut media.change_due));
        match self.across(leg) {
            Some(other) if due => self.pass_on(exchange, now, other),
            // Whoever was transferred and waits alone had yet to hear of its port.
            None if due => self.keep_company(exchange, now),
            _ => {}
        }
    }
}
