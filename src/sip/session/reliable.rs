//! Our provisional answers that the caller acknowledges by PRACK: RFC 3262 §3.
//!
//! One is under way at a time. What comes meanwhile waits, the newest in place of an older one, and so does a 200 while
//! the caller may not have the description that came before it.

use super::{Session, SessionTimer, Stage};
use crate::config::settings::Prack;
use crate::sip::agent::{Ending, SessionEvent};
use crate::sip::core::Core;
use crate::sip::flow::{Body, Headers};
use crate::sip::response::Answer;
use crate::sip::transaction::ServerTxId;
use crate::wire::sip::{Message, Method, Name};
use bytes::Bytes;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Reliable {
    /// RSeq of the last one; zero before the first.
    last: u32,
    unacked: Option<Unpracked>,
    /// The next provisional answer.
    next: Option<Held>,
    /// The last one without its description, where none went out unreliably since: the caller's proxies hear it again.
    said: Option<Held>,
    /// Our 2xx, until the descriptions before it are acknowledged.
    answer: Option<Held>,
    /// An offer and its answer are complete, one of them in a reliable answer of ours: no later answer describes anything.
    pub described: bool,
}

struct Unpracked {
    status: u16,
    response: Bytes,
    pause: Duration,
    has_body: bool,
}

/// An answer that waits.
pub(super) struct Held {
    status: u16,
    reason: String,
    headers: Headers,
    body: Option<Body>,
}

impl Held {
    fn of(answer: &Answer<'_>) -> Held {
        let Answer { status, reason, headers, body } = answer;
        Held { status: *status, reason: (*reason).to_owned(), headers: (*headers).clone(), body: body.cloned() }
    }

    pub fn as_answer(&self) -> Answer<'_> {
        Answer { status: self.status, reason: &self.reason, headers: &self.headers, body: self.body.as_ref() }
    }
}

impl Reliable {
    /// RSeq of an answer that the caller hasn't acknowledged yet.
    pub fn outstanding(&self) -> Option<u32> {
        self.unacked.as_ref().map(|_| self.last)
    }

    /// Whether a description of ours is on its way to the caller.
    pub fn describes(&self) -> bool {
        self.unacked.as_ref().is_some_and(|unacked| unacked.has_body)
    }
}

impl Session {
    /// Whether the caller is to acknowledge this answer: where either side insists, and where it carries a description
    /// that must not get lost and the caller is able to.
    pub fn is_acknowledged(&self, core: &Core, has_body: bool) -> bool {
        let Stage::Alerting(alerting) = &self.stage else { return false };
        let Some(asked) = core.servers.asked(alerting.server) else { return false };
        match self.terms.prack {
            Prack::Never => false,
            Prack::Required => true,
            Prack::Supported => {
                let insists = asked.request.has_token(Name::Require, "100rel");
                insists || (has_body && asked.request.has_token(Name::Supported, "100rel"))
            }
        }
    }

    /// Sends a provisional answer, once the one before it is acknowledged.
    pub(super) fn progress_reliably(&mut self, core: &mut Core, answer: &Answer<'_>) {
        let Stage::Alerting(alerting) = &mut self.stage else { return };
        let reliable = &mut alerting.reliable;
        if reliable.unacked.is_some() {
            let described = reliable.next.take().and_then(|before| before.body);
            let held = reliable.next.insert(Held::of(answer));
            held.body = held.body.take().or(described);
            return;
        }
        let body = answer.body.filter(|_| !reliable.described);
        reliable.last = match reliable.last {
            // Somewhere in the lower part of what §3 allows, so that it can grow.
            0 => 1 + core.mint.chance.below(1 << 16) as u32,
            last => last.saturating_add(1),
        };
        let mut headers = answer.headers.clone();
        headers.push((Name::Require, "100rel".to_owned()));
        headers.push((Name::RSeq, reliable.last.to_string()));
        reliable.said = Some(Held::of(&Answer { body: None, ..*answer }));
        let answer = Answer { headers: &headers, body, ..*answer };
        let Some(response) = core.answer(alerting.server, &answer) else { return };
        let timing = core.timing();
        reliable.unacked =
            Some(Unpracked { status: answer.status, response, pause: timing.t1, has_body: body.is_some() });
        self.start(core, SessionTimer::Provisional, timing.t1);
        self.start(core, SessionTimer::ProvisionalLimit, timing.lifetime());
    }

    /// An unreliable answer is the last that was said.
    pub(super) fn progressed_unreliably(&mut self) {
        if let Stage::Alerting(alerting) = &mut self.stage {
            alerting.reliable.said = None;
        }
    }

    /// Says the last answer again under a new number, as one that is acknowledged already tells nothing (§3). False where
    /// it wasn't reliable.
    pub(super) fn progress_again(&mut self, core: &mut Core) -> bool {
        let Stage::Alerting(alerting) = &mut self.stage else { return false };
        let Some(said) = alerting.reliable.said.take() else { return false };
        match alerting.reliable.unacked {
            Some(_) => alerting.reliable.said = Some(said),
            None => self.progress_reliably(core, &said.as_answer()),
        }
        true
    }

    /// Twice as late each time, without an upper bound (§3).
    pub(super) fn repeat_reliable(&mut self, core: &mut Core) {
        let Stage::Alerting(alerting) = &mut self.stage else { return };
        let Some(unacked) = &mut alerting.reliable.unacked else { return };
        core.servers.respond(&mut core.out, alerting.server, unacked.status, unacked.response.clone());
        unacked.pause = unacked.pause.saturating_mul(2);
        let pause = unacked.pause;
        self.start(core, SessionTimer::Provisional, pause);
    }

    /// §3: nobody acknowledged it within 64*T1, so that the caller has no use of what follows.
    pub(super) fn reliable_unacknowledged(&mut self, core: &mut Core) {
        let Stage::Alerting(alerting) = &self.stage else { return };
        core.reply(alerting.server, 504, Headers::new());
        self.finish(core, SessionEvent::ended(Ending::NoPrack));
    }

    /// Whether our 2xx may go out now; otherwise it is kept until it may (§3).
    pub(super) fn may_answer(&mut self, answer: &Answer<'_>) -> bool {
        let theirs = self.theirs.is_some();
        let Stage::Alerting(alerting) = &mut self.stage else { return false };
        let reliable = &mut alerting.reliable;
        // What wasn't said yet, the answer says.
        reliable.next = None;
        if !reliable.describes() && !theirs {
            return true;
        }
        reliable.answer = Some(Held::of(answer));
        false
    }

    pub(super) fn pracked(&mut self, core: &mut Core, server: ServerTxId, message: Message) {
        if !self.is_prack_expected(core, &message) {
            return core.reply(server, 481, Headers::new());
        }
        let Stage::Alerting(alerting) = &mut self.stage else {
            // The answer came before it, and made it needless.
            return core.reply(server, 200, Headers::new());
        };
        let unacked = alerting.reliable.unacked.take();
        let describes = unacked.is_some_and(|unacked| unacked.has_body);
        let offers = !(message.body().is_empty() || describes && alerting.has_our_offer(core));
        alerting.reliable.described |= describes;
        self.stop(core, SessionTimer::Provisional);
        self.stop(core, SessionTimer::ProvisionalLimit);
        if offers {
            // A new offer, whose answer is in our answer to the PRACK (§5).
            return self.offered_in_prack(core, server, message);
        }
        core.reply(server, 200, Headers::new());
        if describes {
            self.emit(core, SessionEvent::Pracked { message });
        }
        self.say_what_waits(core);
    }

    fn offered_in_prack(&mut self, core: &mut Core, server: ServerTxId, message: Message) {
        let Stage::Alerting(alerting) = &self.stage else { return };
        if !alerting.reliable.described {
            // The offer of the INVITE has no answer yet.
            core.reply(server, 488, Headers::new());
            return self.say_what_waits(core);
        }
        self.theirs = Some(server);
        self.emit(core, SessionEvent::Reoffered { message });
    }

    /// What had to wait for a PRACK, or for our answer to an offer in one.
    pub(super) fn say_what_waits(&mut self, core: &mut Core) {
        let Stage::Alerting(alerting) = &mut self.stage else { return };
        if self.theirs.is_some() || alerting.reliable.unacked.is_some() {
            return;
        }
        if let Some(held) = alerting.reliable.answer.take() {
            self.answer(core, &held.as_answer());
        } else if let Some(held) = alerting.reliable.next.take() {
            self.progress(core, &held.as_answer());
        }
    }

    /// Whether a PRACK is of an answer of ours that waits for it (§3).
    fn is_prack_expected(&self, core: &Core, message: &Message) -> bool {
        let Some(rack) = message.rack() else { return false };
        let expected = match &self.stage {
            Stage::Alerting(alerting) => {
                let number =
                    core.servers.asked(alerting.server).and_then(|asked| Some(asked.request.cseq().ok()?.number));
                alerting.reliable.outstanding().zip(number)
            }
            Stage::Up(up) => up.unpracked,
            _ => None,
        };
        rack.method == Method::Invite.as_str() && expected == Some((rack.rseq, rack.cseq))
    }
}
