//! A transfer as the call sees it that somebody is to leave: what the referrer is told of it (RFC 3515 §2.4.4), and its
//! end. A transfer that fails leaves the call as it was.

pub(super) mod moving;
mod refer;
mod replace;
mod waiting;

use crate::base::time::{Now, Time};
use crate::call::admission::{self, Identity};
use crate::call::errand::Errand;
use crate::call::exchange::{CallKey, Exchange};
use crate::call::failure::Failure;
use crate::call::leg::Stage as LegStage;
use crate::call::reason::{passed_on, sip_reason};
use crate::call::record::EndedBy;
use crate::call::state::Call;
use crate::sip::agent::{AskId, Ending, Question, ServerId};
use crate::sip::flow::Body;
use crate::wire::sip::{Message, Method, Name, reason_phrase};
use std::time::Duration;

/// Seconds for which a subscription is said to last; it ends with its transfer, which no phone lets ring for longer.
const LASTS: u32 = 180;
const TERMINATED: &str = "terminated;reason=noresource";
const FRAGMENT: &str = "message/sipfrag;version=2.0";

/// A leg of ours is to move into another call.
pub struct Onward {
    pub call: CallKey,
    pub leg: usize,
    /// Where somebody asked for it; otherwise the leg is a caller's who takes another's place.
    pub referral: Option<Referral>,
}

impl Onward {
    /// Somebody took the place of a leg: what was begun for it goes on for them, but for news that they didn't ask for.
    pub fn inherit(&mut self, gone: usize, leg: usize) {
        if self.leg == gone {
            self.leg = leg;
        }
        if let Some(referral) = self.referral.as_mut().filter(|referral| referral.referrer == gone) {
            referral.referrer = leg;
            referral.subscription = None;
        }
    }
}

pub struct Referral {
    /// The leg that asked.
    pub referrer: usize,
    /// What it wants called.
    pub to: String,
    /// Whom it may concern how far we are; none where the referrer wants no news (RFC 4488), or takes none.
    pub subscription: Option<Subscription>,
}

/// The subscription that a REFER implies.
pub struct Subscription {
    /// The number of the REFER.
    id: u32,
    told: u16,
    ask: Option<AskId>,
}

impl Subscription {
    pub fn new(id: u32) -> Subscription {
        Subscription { id, told: 0, ask: None }
    }
}

/// A REFER that was passed on: whose NOTIFYs go to whom.
pub struct Passed {
    pub referrer: usize,
    pub referred: usize,
    ask: AskId,
    /// When no more news are waited for.
    until: Time,
}

impl Call {
    /// Who a leg is, for what it asks in the call.
    pub fn identity_of(&self, exchange: &Exchange, leg: usize) -> Identity {
        let target = self.record.legs[leg].target.as_str();
        match target.split_once(':') {
            Some(("user", name)) => admission::user_named(exchange, name).unwrap_or(Identity::Stranger),
            Some(("trunk", name)) => {
                let country = exchange.trunks.by_name(name).and_then(|trunk| trunk.settings.country.clone());
                Identity::Trunk { name: name.to_owned(), country }
            }
            _ => Identity::Stranger,
        }
    }

    /// Begins to wait for another call.
    pub fn go_onward(&mut self, exchange: &mut Exchange, now: Now, onward: Onward) {
        self.onward = Some(Box::new(onward));
        self.notify(exchange, now, 100, "");
    }

    /// The other call is as far as that.
    pub fn onward_told(&mut self, exchange: &mut Exchange, now: Now, call: CallKey, status: u16, reason: &str) {
        let Some(onward) = self.onward.as_ref().filter(|onward| onward.call == call) else { return };
        let referrer = onward.referral.as_ref().map(|referral| referral.referrer);
        self.notify(exchange, now, status, reason);
        if status < 300 {
            return;
        }
        self.onward = None;
        match referrer {
            Some(referrer) if self.legs[referrer].is_live() => {}
            Some(_) => {
                let reason = sip_reason(status, reason_phrase(status));
                self.end(
                    exchange,
                    now,
                    EndedBy::Gateway,
                    "the transfer failed, and the referrer is gone",
                    Some(reason),
                );
            }
            None => {
                self.failure = Some((status, Failure::new(status, reason)));
                self.target_failed(exchange, now);
            }
        }
    }

    /// The leg has moved into the call of this id, or couldn't.
    pub fn moved_out(&mut self, exchange: &mut Exchange, now: Now, id: &str, result: Result<(), Failure>) {
        let Some(onward) = self.onward.as_ref() else { return };
        let (leg, referral) = (onward.leg, onward.referral.as_ref());
        let by = referral.map(|referral| (referral.referrer, referral.to.clone()));
        let status = result.as_ref().map_or_else(|failure| failure.status, |()| 200);
        self.notify(exchange, now, status, "");
        self.onward = None;
        let Some((referrer, to)) = by else { return self.took_place(exchange, now, id, result) };
        let who = self.record.legs[leg].target.clone();
        let cause = match result {
            Ok(()) => format!("{} transferred {who} to {to}, call {id}", self.record.legs[referrer].target),
            Err(failure) => format!("the transfer of {who} to {to} failed: {}", failure.cause()),
        };
        self.record.legs[leg].reason = "transferred".to_owned();
        let by = if referrer == 0 { EndedBy::Caller } else { EndedBy::Callee };
        self.end(exchange, now, by, &cause, Some(sip_reason(200, "Call transferred")));
    }

    /// A caller who took another's place is in that call from now on.
    fn took_place(&mut self, exchange: &mut Exchange, now: Now, id: &str, result: Result<(), Failure>) {
        let (status, cause) = match result {
            Ok(()) => (200, format!("took a place in call {id}")),
            Err(failure) => (failure.status, failure.cause()),
        };
        self.record.status = status;
        self.record.legs[0].status = status;
        if status == 200 {
            self.record.answered = Some(now.wall);
            self.record.legs[0].answered = Some(now.wall);
        }
        self.finish(exchange, now, EndedBy::Gateway, &cause);
    }

    /// The referrer hangs up while the target rings: whoever is transferred goes on alone. False where it is another
    /// matter.
    pub fn referrer_left(&mut self, exchange: &mut Exchange, leg: usize, by: &Ending) -> bool {
        let referral = self.onward.as_ref().and_then(|onward| onward.referral.as_ref());
        if referral.is_none_or(|referral| referral.referrer != leg) {
            return false;
        }
        if let Ending::Peer { reason: Some(reason) } = by
            && let Some(reason) = passed_on(reason)
        {
            self.record.legs[leg].reason = reason;
        }
        self.drop_leg(exchange, leg);
        exchange.errands.push_back(Errand::TakeIn { from: self.key });
        true
    }

    /// Tells the call that waits for this one how far it is.
    pub fn tell_origin(&self, exchange: &mut Exchange, status: u16, reason: &str) {
        if let Some(origin) = self.origin.as_ref().filter(|_| self.caller_session().is_none()) {
            let (call, reason) = (origin.from, reason.to_owned());
            exchange.errands.push_back(Errand::Tell { call, onward: self.key, status, reason });
        }
    }

    fn notify(&mut self, exchange: &mut Exchange, now: Now, status: u16, reason: &str) {
        let Some(referral) = self.onward.as_mut().and_then(|onward| onward.referral.as_mut()) else { return };
        let leg = &self.legs[referral.referrer];
        let Some(session) = leg.session().filter(|_| leg.stage == LegStage::Talking) else { return };
        let Some(subscription) = referral.subscription.as_mut().filter(|mine| mine.told != status) else { return };
        subscription.told = status;
        let reason = if reason.is_empty() { reason_phrase(status) } else { reason };
        let id = subscription.id;
        let question = |state: &str| Question {
            method: Method::Notify,
            headers: vec![(Name::Event, format!("refer;id={id}")), (Name::SubscriptionState, state.to_owned())],
            body: Some(fragment(status, reason)),
        };
        let active = format!("active;expires={LASTS}");
        let state = if status < 200 { &active } else { TERMINATED };
        subscription.ask = exchange.agent.ask(now, session, question(state)).ok();
        // A referrer that hangs up before the end hears how far it was, and that there will be no more news.
        exchange.agent.leave_behind(now, session, (status < 200).then(|| question(TERMINATED)));
    }

    /// Nobody is told any more.
    fn end_subscription(&mut self, exchange: &mut Exchange, now: Now) {
        let Some(referral) = self.onward.as_mut().and_then(|onward| onward.referral.as_mut()) else { return };
        referral.subscription = None;
        if let Some(session) = self.legs[referral.referrer].session() {
            exchange.agent.leave_behind(now, session, None);
        }
    }

    /// A SUBSCRIBE of the referrer, which prolongs its subscription or ends it (RFC 3515 §2.4.4). False where it has none.
    pub fn resubscribed(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        leg: usize,
        id: ServerId,
        message: &Message,
    ) -> bool {
        let event = message.header(Name::Event).unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let referral = self.onward.as_ref().and_then(|onward| onward.referral.as_ref());
        if !referral.is_some_and(|mine| mine.referrer == leg && mine.subscription.is_some()) {
            return false;
        }
        if !event.eq_ignore_ascii_case("refer") {
            return false;
        }
        let expires = message.expires().unwrap_or(LASTS).min(LASTS);
        if expires == 0 {
            self.end_subscription(exchange, now);
        }
        exchange.agent.respond(now, id, 200, "", vec![(Name::Expires, expires.to_string())], None);
        true
    }

    /// The answer to a NOTIFY of ours: who doesn't take it, isn't told any more.
    pub fn notified(&mut self, exchange: &mut Exchange, now: Now, ask: AskId, status: u16) {
        let referral = self.onward.as_ref().and_then(|onward| onward.referral.as_ref());
        let subscription = referral.and_then(|referral| referral.subscription.as_ref());
        if status >= 300 && subscription.is_some_and(|subscription| subscription.ask == Some(ask)) {
            self.end_subscription(exchange, now);
        }
    }

    /// Lets the other side carry a transfer out.
    pub fn pass_refer(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        referrer: usize,
        referred: usize,
        id: ServerId,
        question: Question,
    ) {
        let wants_news = question.headers.iter().all(|(name, _)| *name != Name::ReferSub);
        let ask = self.carry_to(exchange, now, referred, id, question);
        let until = now.time + Duration::from_secs(LASTS.into());
        self.passed = ask.filter(|_| wants_news).map(|ask| Passed { referrer, referred, ask, until });
    }

    /// Whether a REFER that was passed on is still being carried out, as far as that is told.
    pub fn is_being_passed(&self, now: Now) -> bool {
        self.passed.as_ref().is_some_and(|passed| passed.until > now.time)
    }

    /// What came of a REFER that was passed on.
    pub fn refer_passed(&mut self, ask: AskId, status: u16) {
        if self.passed.as_ref().is_some_and(|passed| passed.ask == ask) && status >= 300 {
            self.passed = None;
        }
    }

    /// A NOTIFY about a REFER that was passed on: of it only the status passes. False where there is none.
    pub fn pass_notify(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        leg: usize,
        id: ServerId,
        message: &Message,
    ) -> bool {
        let Some(passed) = self.passed.as_mut().filter(|passed| passed.referred == leg) else { return false };
        let event = message.header(Name::Event).unwrap_or_default();
        let Some(status) = fragment_status(message).filter(|_| event.trim_start().starts_with("refer")) else {
            return false;
        };
        let referrer = passed.referrer;
        passed.until = now.time + Duration::from_secs(LASTS.into());
        let is_over =
            message.header(Name::SubscriptionState).is_some_and(|state| state.trim().starts_with("terminated"));
        let state = if is_over { TERMINATED.to_owned() } else { format!("active;expires={LASTS}") };
        let headers = vec![(Name::Event, "refer".to_owned()), (Name::SubscriptionState, state)];
        let body = Some(fragment(status, reason_phrase(status)));
        self.carry_to(exchange, now, referrer, id, Question { method: Method::Notify, headers, body });
        if is_over {
            self.passed = None;
        }
        true
    }
}

fn fragment(status: u16, reason: &str) -> Body {
    Body { content_type: FRAGMENT.into(), bytes: format!("SIP/2.0 {status} {reason}\r\n").into_bytes().into() }
}

/// The status in the first line of a message fragment (RFC 3420).
fn fragment_status(message: &Message) -> Option<u16> {
    let body = message.body();
    let line = std::str::from_utf8(&body).ok()?.lines().next()?;
    let status = line.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}
