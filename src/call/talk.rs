//! While two legs talk: their media joined, changed by either side, and both watched.

use crate::base::time::{Now, Time};
use crate::call::exchange::{Exchange, Timer};
use crate::call::failure::q850_reason;
use crate::call::leg::{End, Said, SilenceLimits, description_of};
use crate::call::record::EndedBy;
use crate::call::state::{Call, Stage};
use crate::media::command::Source;
use crate::sip::flow::Body;
use crate::wire::description::{Description, Direction};
use crate::wire::sip::Message;
use std::time::Duration;

impl Call {
    /// Tells the worker what the caller and `leg` send and hear.
    pub fn wire(&self, exchange: &mut Exchange, leg: usize) {
        let (caller, called) = (&self.legs[0], &self.legs[leg]);
        let silence = self.silence_limits(exchange);
        if let Some(media) = &caller.media {
            media.configure(exchange, called.wish(), called.codec(), silence);
            let source = match (&called.end, &called.media) {
                (End::Echo, _) => Source::Echo,
                (End::Clip { clip: Some(clip), repeat }, _) => Source::Play { clip: clip.clone(), repeat: *repeat },
                (_, Some(peer)) => Source::Peer(peer.port),
                (_, None) => Source::Nothing,
            };
            media.connect(exchange, source);
        }
        if let (Some(media), Some(peer)) = (&called.media, &caller.media) {
            media.configure(exchange, caller.wish(), caller.codec(), silence);
            media.connect(exchange, Source::Peer(peer.port));
        }
    }

    /// Nobody is given up before the answer: early media is often one-way.
    fn silence_limits(&self, exchange: &Exchange) -> SilenceLimits {
        let some = |limit: Duration| (!limit.is_zero()).then_some(limit);
        match self.stage {
            Stage::Talking { .. } => SilenceLimits {
                talking: some(exchange.settings.media.silence_timeout),
                held: some(exchange.settings.media.hold_timeout),
            },
            _ => SilenceLimits::default(),
        }
    }

    /// The caller has acknowledged our 200; where the offer was ours, its answer is here.
    pub fn acknowledged(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        if !self.legs[leg].media.as_ref().is_some_and(|media| media.awaits_answer()) {
            return;
        }
        let taken = match (description_of(message), self.legs[leg].media.as_mut()) {
            (Said::Media(description), Some(media)) => media.accept(&description, false).map_err(|why| why.text()),
            _ => Err("no answer in the ACK"),
        };
        match (taken, self.stage) {
            (Ok(()), Stage::Talking { with }) => {
                self.wire(exchange, with);
                self.pass_on(exchange, now, leg);
            }
            (Ok(()), _) => {}
            (Err(why), _) => {
                self.end(
                    exchange,
                    now,
                    EndedBy::Gateway,
                    &format!("media not agreed: {why}"),
                    Some(q850_reason(79, why)),
                );
            }
        }
    }

    /// One side offers anew: it holds, resumes, moves, or changes its codec. It is answered at once, from what the other
    /// side last wanted; the other side is then told in an exchange of its own, so that no side waits for the other.
    pub fn reoffered(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let Some(session) = self.legs[leg].session() else { return };
        let Some(other) = self.other(leg) else {
            exchange.agent.reanswer(now, session, 491, "", Vec::new(), None);
            return;
        };
        let (status, reason, body) = match description_of(message) {
            Said::Nothing => (200, String::new(), self.late_offer(leg, other)),
            Said::Media(offer) => match self.answer_again(leg, other, &offer) {
                Ok(body) => (200, String::new(), Some(body)),
                Err(_) => (488, String::new(), None),
            },
            Said::Unreadable(_) => (400, "Unreadable SDP".to_owned(), None),
            Said::Foreign(_) => (415, String::new(), None),
        };
        exchange.agent.reanswer(now, session, status, &reason, Vec::new(), body);
        if let (200, Stage::Talking { with }) = (status, self.stage) {
            self.wire(exchange, with);
            self.pass_on(exchange, now, leg);
        }
    }

    fn answer_again(&mut self, leg: usize, other: usize, offer: &Description) -> Result<Body, &'static str> {
        let (wish, towards) = (self.legs[other].wish(), self.legs[other].codec());
        let media = self.legs[leg].media.as_mut().ok_or("no media")?;
        media.answer(offer, wish, towards).map_err(|why| why.text())
    }

    /// The peer asks us to offer (an INVITE without SDP): all that we have, its present codec first, free of any hold of
    /// its own.
    fn late_offer(&mut self, leg: usize, other: usize) -> Option<Body> {
        let wish = self.legs[other].wish();
        let present = self.legs[leg].codec();
        let media = self.legs[leg].media.as_mut()?;
        let codecs = crate::call::negotiate::order(&media.codecs, present.as_slice());
        media.offer(&codecs, wish)
    }

    /// Tells the other side of a hold or its end.
    fn pass_on(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let Some(other) = self.other(leg) else { return };
        let wish = self.legs[leg].wish();
        let Some(told) = self.legs[other].media.as_ref().map(|media| media.told) else { return };
        if told != wish {
            self.offer_again(exchange, now, other, wish);
        }
    }

    fn offer_again(&mut self, exchange: &mut Exchange, now: Now, leg: usize, wish: Direction) {
        let present = self.legs[leg].codec();
        let Some(session) = self.legs[leg].session() else { return };
        let Some(media) = self.legs[leg].media.as_mut() else { return };
        if media.awaits_answer() {
            media.change_due = true;
            return;
        }
        let told = media.told;
        let codecs = crate::call::negotiate::order(&media.codecs, present.as_slice());
        let body = media.offer(&codecs, wish);
        if exchange.agent.reoffer(now, session, body).is_err() {
            media.withdraw();
            media.told = told;
            media.change_due = true;
        }
    }

    /// A leg has answered our offer.
    pub fn reanswered(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        if let Some(media) = self.legs[leg].media.as_mut() {
            match description_of(message) {
                Said::Media(description) => {
                    // An answer that can't be used leaves what was agreed before.
                    let _ = media.accept(&description, false);
                }
                _ => media.withdraw(),
            }
        }
        if let Stage::Talking { with } = self.stage {
            self.wire(exchange, with);
        }
        self.settle(exchange, now, leg);
    }

    /// A leg refused our offer: all stays as it was there.
    pub fn rerefused(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        if let Some(media) = self.legs[leg].media.as_mut() {
            media.withdraw();
        }
        self.settle(exchange, now, leg);
    }

    /// An exchange on a leg has ended: what had to wait for it is said now.
    pub fn settle(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        let due = self.legs[leg].media.as_mut().is_some_and(|media| std::mem::take(&mut media.change_due));
        if let (true, Some(other)) = (due, self.other(leg)) {
            self.pass_on(exchange, now, other);
        }
    }

    /// The clip that the caller was to hear is over.
    pub fn clip_ended(&mut self, exchange: &mut Exchange, now: Now) {
        if matches!(self.stage, Stage::Talking { .. }) {
            self.end(
                exchange,
                now,
                EndedBy::Gateway,
                "the announcement was over",
                Some(q850_reason(16, "Normal call clearing")),
            );
        }
    }

    /// A port has heard nothing for longer than its limit.
    pub fn silent(&mut self, exchange: &mut Exchange, now: Now, leg: usize, since: Time) {
        if !matches!(self.stage, Stage::Talking { .. }) {
            return;
        }
        let who = if leg == 0 { "caller" } else { "called side" };
        let cause = format!("no media from the {who} for {} s", (now.time - since).as_secs());
        self.end(exchange, now, EndedBy::Gateway, &cause, Some(q850_reason(27, "Media timeout")));
    }

    /// Sees to it that a peer which vanished without a word is noticed.
    pub fn plan_probe(&self, exchange: &mut Exchange, now: Now) {
        let interval = exchange.settings.sip.dialog_interval;
        if !interval.is_zero() {
            exchange.timers.set(Timer::Probe(self.key), now.time + interval);
        }
    }

    pub fn probe(&mut self, exchange: &mut Exchange, now: Now) {
        let Stage::Talking { with } = self.stage else { return };
        for leg in [0, with] {
            if let Some(session) = self.legs[leg].session() {
                exchange.agent.probe(now, session);
            }
        }
        self.plan_probe(exchange, now);
    }
}
