//! A leg fails before anyone answered: others may still answer, the next target is tried, or the caller is told.

use crate::base::time::Now;
use crate::call::exchange::{Exchange, Timer};
use crate::call::failure::Failure;
use crate::call::reason::{phrase, q850_reason, sip_reason};
use crate::call::set_up::redirected::Redirected;
use crate::call::state::{Call, Stage};
use crate::call::trunk::rests::Fault;
use crate::sip::agent::{Ending, Failure as SipFailure};
use crate::wire::sip::{Message, Name, reason_phrase};

impl Call {
    /// A leg got a final answer that isn't a success.
    pub fn leg_refused(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) {
        let status = message.status();
        let fault = match status {
            503 if self.legs[leg].trunk.is_some() => Some(Fault::Busy { retry_after: message.retry_after() }),
            // The flow to a phone is gone at the proxy that kept it (RFC 5626 §11.5).
            430 if self.legs[leg].trunk.is_none() => Some(Fault::Silent),
            _ => None,
        };
        self.note_outcome(exchange, now, leg, status, fault);
        self.record.legs[leg].reason = phrase(status, message.reason_phrase());
        self.note_answer(exchange, leg, message);
        let mut failure = Failure::translated(message);
        if (300..400).contains(&status) && self.stage == Stage::Trying {
            match self.redirected(exchange, now, leg, message) {
                Redirected::On => {}
                Redirected::Caller(told) => failure = told,
                Redirected::Nowhere(why) => failure = failure.because(format!("{status}: {why}")),
            }
        }
        failure.headers.extend(self.told_of_refusal(exchange, leg));
        self.leg_failed(exchange, now, leg, status, failure);
    }

    /// A leg got no answer, or couldn't be asked.
    pub fn leg_unreachable(&mut self, exchange: &mut Exchange, now: Now, leg: usize, cause: SipFailure) {
        let seen = if cause == SipFailure::Timeout { 408 } else { 503 };
        let failure = Failure::unreachable(seen, self.legs[leg].trunk.is_some());
        match cause {
            SipFailure::Limit => self.legs[leg].again = None,
            SipFailure::Timeout | SipFailure::Transport => {
                self.note_outcome(exchange, now, leg, seen, Some(Fault::Silent));
            }
        }
        self.leg_failed(exchange, now, leg, seen, failure);
    }

    /// What an address did with our call; where it didn't fail itself, its answer holds for the other addresses of that
    /// trunk, or flows of that phone, too.
    pub fn note_outcome(&mut self, exchange: &mut Exchange, now: Now, leg: usize, seen: u16, fault: Option<Fault>) {
        if fault.is_none() {
            self.legs[leg].again = None;
        }
        let Some(way) = self.legs[leg].flow() else { return };
        let Exchange { trunks, chance, .. } = exchange;
        let Some(trunk) = self.legs[leg].trunk.as_deref().and_then(|name| trunks.by_name_mut(name)) else { return };
        trunk.last_answer = Some((seen, now.wall));
        match fault {
            Some(fault) => trunk.way_failed(now.time, way, fault, chance),
            None => trunk.way_answered(way),
        }
    }

    /// `seen` is the status that the leg failed with, `failure` what the caller would be told of it.
    pub fn leg_failed(&mut self, exchange: &mut Exchange, now: Now, leg: usize, seen: u16, failure: Failure) {
        self.record.legs[leg].status = seen;
        if self.record.legs[leg].reason.is_empty() {
            self.record.legs[leg].reason = failure.why.clone().unwrap_or_else(|| failure.reason.clone());
        }
        let trunk = self.legs[leg].trunk.clone();
        self.drop_leg(exchange, leg);
        if self.stage != Stage::Trying {
            return;
        }
        if self.failure.as_ref().is_none_or(|(_, best)| failure.rank() < best.rank()) {
            self.failure = Some((seen, failure));
        }
        // Who declines for everyone ends it for all phones (RFC 3261 §16.7 step 5).
        if (600..700).contains(&seen) {
            self.dismiss_all(exchange, now);
        }
        if !self.dial_next_way(exchange, now, leg, trunk.as_deref()) && self.hopefuls().next().is_none() {
            self.target_failed(exchange, now);
        }
    }

    fn dismiss_all(&mut self, exchange: &mut Exchange, now: Now) {
        let hopefuls: Vec<usize> = self.hopefuls().collect();
        for leg in hopefuls {
            self.record.legs[leg].status = 487;
            self.record.legs[leg].reason = "declined elsewhere".to_owned();
            self.hang_up_leg(exchange, now, leg, None);
        }
    }

    /// All legs of a target have failed: the next target is tried where the answer leads on. A trunk that doesn't
    /// believe us, or finds fault with our request, has failed like one that says 500.
    pub fn target_failed(&mut self, exchange: &mut Exchange, now: Now) {
        exchange.timers.cancel(Timer::Ring(self.key));
        let Some((seen, failure)) = self.failure.clone() else { return self.try_next(exchange, now) };
        // Who declines for everyone declines for those that others divert to as well.
        if !(600..700).contains(&seen) && self.follow(exchange, now) {
            return self.try_next(exchange, now);
        }
        let target = self.target.as_ref();
        let leads_on = target.is_some_and(|target| target.leads_on(seen) || target.leads_on(failure.status));
        if leads_on && self.has_more() || self.forward_after(exchange, now, seen) {
            return self.try_next(exchange, now);
        }
        let failure = self.failure.take().map_or(failure, |(_, failure)| failure);
        self.refuse_caller(exchange, now, failure);
    }

    /// Nobody answered in time.
    pub fn rang_out(&mut self, exchange: &mut Exchange, now: Now) {
        if self.stage != Stage::Trying {
            return;
        }
        let hopefuls: Vec<usize> = self.hopefuls().collect();
        for leg in hopefuls {
            self.record.legs[leg].status = 408;
            self.record.legs[leg].reason = "no answer".to_owned();
            self.hang_up_leg(exchange, now, leg, Some(sip_reason(480, "No answer")));
        }
        let failure = Failure::new(480, "No Answer").with(Name::Reason, q850_reason(19, "No answer"));
        self.failure = Some((408, failure));
        self.target_failed(exchange, now);
    }

    /// A session ended of itself: the call is over if it was one of the two that talk.
    pub fn leg_ended(&mut self, exchange: &mut Exchange, now: Now, leg: usize, by: Ending) {
        match self.stage {
            Stage::Talking { .. } if leg == 0 && by == Ending::NoPrack => {
                self.take_back_answer(504);
                self.side_left(exchange, now, leg, by);
            }
            Stage::Talking { with } if leg == 0 || leg == with => self.side_left(exchange, now, leg, by),
            Stage::Talking { .. } | Stage::Ending => self.drop_leg(exchange, leg),
            Stage::Preparing | Stage::Trying if leg == 0 && by == Ending::NoPrack => {
                self.drop_leg(exchange, 0);
                let why = "the caller never acknowledged our provisional answer";
                self.refuse_caller(exchange, now, Failure::new(504, "").because(why));
            }
            Stage::Preparing | Stage::Trying if leg == 0 => self.caller_gave_up(exchange, now, None),
            // A BYE that overtook its answer.
            Stage::Preparing | Stage::Trying => {
                self.legs[leg].again = None;
                let failure = Failure::new(480, reason_phrase(480)).because("the called side hung up at once");
                self.leg_failed(exchange, now, leg, 480, failure);
            }
        }
    }
}
