//! The end of a call: both sides told, ports given back, the record closed.

use crate::base::time::Now;
use crate::call::errand::Errand;
use crate::call::exchange::{Exchange, Timer};
use crate::call::failure::Failure;
use crate::call::io::Notice;
use crate::call::leg::{End, Stage as LegStage};
use crate::call::listening::ended_legs;
use crate::call::media::{Carried, Media};
use crate::call::reason::{passed_on, sip_reason};
use crate::call::record::{EndedBy, State, StreamRecord};
use crate::call::state::{Call, PATIENCE, Stage};
use crate::media::command::{PortId, Report};
use crate::sip::agent::Ending;
use crate::wire::sip::Name;

impl Call {
    /// Gives the caller a final answer that isn't a success; the call is over.
    pub fn refuse_caller(&mut self, exchange: &mut Exchange, now: Now, failure: Failure) {
        let cause = failure.cause();
        self.refuse_caller_for(exchange, now, failure, &cause);
    }

    /// The same, with the cause as the books have it.
    fn refuse_caller_for(&mut self, exchange: &mut Exchange, now: Now, failure: Failure, cause: &str) {
        let Failure { status, reason, headers, by, .. } = failure;
        match self.caller_session().filter(|_| self.legs[0].is_live()) {
            // Whoever was transferred here has a call already, which ends.
            Some(session) if self.origin.is_some() => {
                exchange.agent.bye(now, session, Some(sip_reason(status, &reason)));
            }
            Some(session) => exchange.agent.refuse(now, session, status, &reason, headers),
            None => self.tell_origin(exchange, status, &reason),
        }
        self.record.status = status;
        self.record.legs[0].status = status;
        self.finish(exchange, now, by, cause);
    }

    /// The caller hung up before the answer; the agent has already told it 487.
    pub fn caller_gave_up(&mut self, exchange: &mut Exchange, now: Now, reason: Option<String>) {
        if let Stage::Talking { .. } = self.stage {
            // The answer was still kept back from it, until it had our provisional one.
            self.take_back_answer(487);
            return self.side_left(exchange, now, 0, Ending::Peer { reason });
        }
        self.abandon(exchange, now, "the caller gave up", reason.as_deref().and_then(passed_on));
    }

    /// Nobody waits for an answer any more, who could be told.
    pub fn abandon(&mut self, exchange: &mut Exchange, now: Now, cause: &str, reason: Option<String>) {
        let hopefuls: Vec<usize> = self.hopefuls().collect();
        for leg in hopefuls {
            self.record.legs[leg].status = 487;
            self.record.legs[leg].reason = cause.to_owned();
            self.hang_up_leg(exchange, now, leg, reason.clone());
        }
        self.record.status = 487;
        self.record.legs[0].status = 487;
        self.finish(exchange, now, EndedBy::Caller, cause);
    }

    /// The called side has answered, and the caller was told otherwise before our 200 could go out.
    pub fn take_back_answer(&mut self, status: u16) {
        self.answered_at = None;
        self.record.answered = None;
        self.record.status = status;
        self.record.legs[0].answered = None;
        self.record.legs[0].status = status;
    }

    /// One of the two that talk has left: the other one is sent home.
    pub fn side_left(&mut self, exchange: &mut Exchange, now: Now, leg: usize, by: Ending) {
        if self.referrer_left(exchange, leg, &by) {
            self.parting.clear();
            return;
        }
        let side = if leg == 0 { EndedBy::Caller } else { EndedBy::Callee };
        let name = if leg == 0 { "the caller" } else { "the called side" };
        let (by, cause, reason) = match by {
            Ending::Peer { reason } => (side, format!("{name} hung up"), reason.as_deref().and_then(passed_on)),
            Ending::NoAck => (EndedBy::Gateway, format!("{name} never acknowledged the answer"), None),
            Ending::NoPrack => (EndedBy::Gateway, format!("{name} never acknowledged our provisional answer"), None),
            Ending::Expired => (EndedBy::Gateway, format!("{name} did not refresh the session"), None),
            Ending::PeerGone => (EndedBy::Gateway, format!("{name} vanished"), None),
            Ending::Local | Ending::Cancelled { .. } => (EndedBy::Gateway, "ended here".to_owned(), None),
        };
        self.drop_leg(exchange, leg);
        self.end(exchange, now, by, &cause, reason);
    }

    /// Ends the call from our side.
    pub fn end(&mut self, exchange: &mut Exchange, now: Now, by: EndedBy, cause: &str, reason: Option<String>) {
        match self.stage {
            Stage::Ending => {}
            Stage::Talking { .. } => {
                let caller = self.caller_session().filter(|_| self.legs[0].is_live());
                if caller.is_some_and(|session| !exchange.agent.is_answered(session)) {
                    self.take_back_answer(480);
                }
                for leg in 0..self.legs.len() {
                    self.hang_up_leg(exchange, now, leg, reason.clone());
                }
                self.finish(exchange, now, by, cause);
            }
            Stage::Preparing | Stage::Trying => {
                let hopefuls: Vec<usize> = self.hopefuls().collect();
                for leg in hopefuls {
                    self.hang_up_leg(exchange, now, leg, reason.clone());
                }
                let mut failure = Failure { by, ..Failure::new(480, "") };
                failure.headers.extend(reason.map(|reason| (Name::Reason, reason)));
                self.refuse_caller_for(exchange, now, failure, cause);
            }
        }
    }

    /// BYE or CANCEL, whichever fits; the agent sees it through alone from here on.
    pub fn hang_up_leg(&mut self, exchange: &mut Exchange, now: Now, leg: usize, reason: Option<String>) {
        if !self.legs[leg].is_live() {
            return;
        }
        let record = &mut self.record.legs[leg];
        if record.status == 0 && record.reason.is_empty() {
            record.reason = "the call was over".to_owned();
        }
        if let Some(session) = self.legs[leg].session() {
            let reason = reason.map(|reason| (Name::Reason, reason));
            exchange.agent.part(now, session, self.parting.iter().cloned().chain(reason).collect());
        }
        self.drop_leg(exchange, leg);
    }

    /// A leg is over: nothing of it is looked for any more but its media report.
    pub fn drop_leg(&mut self, exchange: &mut Exchange, leg: usize) {
        self.legs[leg].stage = LegStage::Gone;
        self.listen_again(exchange);
        self.release_trunk(exchange, leg);
        if let Some(media) = &mut self.legs[leg].media {
            media.close(exchange);
        }
        if let Some(session) = self.legs[leg].session() {
            exchange.forget_session(session);
        }
        if std::mem::take(&mut self.legs[leg].is_placed) {
            exchange.forget_placed(&self.record.legs[leg].call_id);
        }
        if let End::Sip { session, .. } = &mut self.legs[leg].end
            && leg > 0
        {
            *session = None;
        }
        if self.heard == Some(leg) {
            self.heard = None;
            if let Some(media) = self.legs[0].media.as_ref().filter(|_| self.legs[0].is_live()) {
                media.disconnect(exchange);
            }
            self.comfort(exchange);
        }
    }

    /// Nobody is left to be told: what remains is the workers' last word.
    pub fn finish(&mut self, exchange: &mut Exchange, now: Now, by: EndedBy, cause: &str) {
        self.stop_listening(exchange);
        self.turn_away(exchange, 481, "");
        if let Some(onward) = self.onward.take() {
            exchange.errands.push_back(Errand::GiveUp { onward: onward.call, from: self.key });
        }
        // Whoever still rings is told, whatever the way that led here.
        for leg in 1..self.legs.len() {
            self.hang_up_leg(exchange, now, leg, None);
        }
        self.drop_leg(exchange, 0);
        exchange.rooms.leave(self.key);
        self.forget_forwards(exchange);
        self.answer_carried(exchange, now);
        self.stage = Stage::Ending;
        for timer in [Timer::Ring(self.key), Timer::Rewire(self.key)] {
            exchange.timers.cancel(timer);
        }
        exchange.timers.set(Timer::Patience(self.key), now.time + PATIENCE);
        self.record.ended = Some(now.wall);
        self.record.talk_ms = self.answered_at.map_or(0, |at| (now.time - at).as_millis() as u64);
        self.record.ended_by = by;
        self.record.cause = cause.to_owned();
        self.close_if_done(exchange);
    }

    /// A worker has closed a port, and says what went through it.
    pub fn port_closed(&mut self, exchange: &mut Exchange, leg: usize, port: PortId, report: Report) {
        let Some(media) = self.legs[leg].media.as_mut() else { return };
        let (announced, local) = media.sound_addresses();
        media.closed(exchange, port, report);
        let record = &mut self.record.legs[leg];
        (record.announced, record.local) = (announced.or(record.announced), local.or(record.local));
        record.streams.clear();
        for Carried { kind, is_sound, codec, srtp, report } in media.reports().iter().cloned() {
            if is_sound {
                (record.codec, record.srtp, record.media) = (codec, srtp, Some(report));
            } else {
                record.streams.push(StreamRecord { kind: kind.as_str().to_owned(), codec, media: report });
            }
        }
        self.close_if_done(exchange);
    }

    /// The record is closed without what a worker owes.
    pub fn forgo_reports(&mut self, exchange: &mut Exchange) {
        for leg in 0..self.legs.len() {
            let ports: Vec<PortId> = self.legs[leg].media.iter().flat_map(Media::ports).collect();
            for port in ports {
                self.port_closed(exchange, leg, port, Report::default());
            }
        }
    }

    fn close_if_done(&mut self, exchange: &mut Exchange) {
        if !self.is_done() || self.record.state != State::Open {
            return;
        }
        exchange.timers.cancel(Timer::Patience(self.key));
        self.record.state = State::Closed;
        exchange.keep(&self.record);
        for leg in ended_legs(&self.record) {
            if let Some(trunk) = leg.trunk.as_deref().and_then(|name| exchange.trunks.by_name_mut(name)) {
                trunk.statistics.note(&leg);
            }
            exchange.listening.ended(leg);
        }
        exchange.notice(Notice::CallEnded {
            id: self.record.id.clone(),
            status: self.record.status,
            cause: self.record.cause.clone(),
        });
    }
}
