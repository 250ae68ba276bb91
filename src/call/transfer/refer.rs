//! REFER within a call (RFC 3515): one side wants the other to talk to somebody else. We call that somebody with the
//! referrer's rights, so that the other side, a trunk above all, sees no more of it than a re-INVITE; or the REFER is
//! passed on, where the trunk or a rule of the dialplan says so.

use crate::base::time::Now;
use crate::call::admission::{self, Identity};
use crate::call::exchange::{LegKey, Timer};
use crate::call::leg::{End, Leg, Stage as LegStage};
use crate::call::media::Media;
use crate::call::media::stream::Bond;
use crate::call::record::{CallRecord, EndedBy, State};
use crate::call::state::{Call, CallerSide, Origin, PATIENCE, Stage};
use crate::call::switch::Switch;
use crate::call::transfer::moving::{Arrival, Guest};
use crate::call::transfer::{Onward, Referral, Subscription};
use crate::config::settings::Transfer;
use crate::dialplan::route::{Decision, Request, Target};
use crate::sip::agent::{Question, ServerId};
use crate::sip::flow::Headers;
use crate::sip::registrar::Phone;
use crate::wire::description::Kind;
use crate::wire::sip::{Message, Method, Name, NameAddr, Replaces, escape_user};
use std::collections::VecDeque;

/// What a REFER is answered that isn't carried out.
struct Refusal {
    status: u16,
    reason: &'static str,
}

/// A REFER that makes sense.
#[derive(Clone)]
struct Order {
    referrer: LegKey,
    transferee: usize,
    identity: Identity,
    dialled: String,
    /// The one phone that is meant.
    phone: Option<Phone>,
    replaces: Option<Replaces>,
    wants_news: bool,
    /// Of the REFER, which tells its subscription from others in the dialog.
    cseq: u32,
}

impl Switch {
    pub(in crate::call) fn referred(&mut self, now: Now, leg: LegKey, id: ServerId, message: &Message) {
        let order = match self.understand(now, leg, message) {
            Ok(order) => order,
            Err(Refusal { status, reason }) => {
                return self.exchange.agent.respond(now, id, status, reason, Headers::new(), None);
            }
        };
        let decision = self.route_transfer(now, &order);
        if let Some(uri) = self.passes(&order, &decision) {
            return self.with_call(leg.call, |call, exchange| {
                let refer_sub = (!order.wants_news).then(|| (Name::ReferSub, "false".to_owned()));
                let passing = call.passing_on(exchange, leg.leg, message);
                let headers =
                    [(Name::ReferTo, format!("<{uri}>"))].into_iter().chain(refer_sub).chain(passing).collect();
                let question = Question { method: Method::Refer, headers, body: None };
                call.pass_refer(exchange, now, leg.leg, order.transferee, id, question);
            });
        }
        let headers = if order.wants_news { Headers::new() } else { vec![(Name::ReferSub, "false".to_owned())] };
        self.exchange.agent.respond(now, id, 202, "", headers, None);
        match &order.replaces {
            Some(replaces) => self.transfer_attended(now, &order, replaces),
            None => self.transfer_blind(now, &order, decision),
        }
    }

    fn understand(&self, now: Now, leg: LegKey, message: &Message) -> Result<Order, Refusal> {
        let refusal = |status, reason| Err(Refusal { status, reason });
        let Some(call) = self.calls.get(&leg.call) else { return refusal(481, "") };
        let mut targets = message.fields().filter(|field| field.kind() == Name::ReferTo);
        let (Some(target), None) = (targets.next(), targets.next()) else {
            return refusal(400, "One Refer-To Is Needed");
        };
        let uri = NameAddr::parse(target.value()).and_then(|target| target.parse_uri());
        let Ok(uri) = uri else { return refusal(400, "Unreadable Refer-To") };
        if uri.param("method").flatten().is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
            return refusal(403, "Only Calls Are Transferred");
        }
        let Ok(replaces) = Replaces::of_uri(&uri) else { return refusal(400, "Unreadable Replaces") };
        let Some(transferee) = call.other(leg.leg) else { return refusal(403, "Only After The Answer") };
        if call.legs[transferee].session().is_none() {
            return refusal(403, "Nobody To Transfer");
        }
        if call.onward.is_some() || call.is_being_passed(now) {
            return refusal(491, "");
        }
        let identity = call.identity_of(&self.exchange, leg.leg);
        if !matches!(identity, Identity::User { .. }) {
            return refusal(403, "Only Users Transfer");
        }
        if call.transfers >= self.exchange.settings.limits.transfers || call.caller.max_forwards == 0 {
            return refusal(403, "Too Many Transfers");
        }
        if replaces.is_none() && self.closed().is_some() {
            return refusal(503, "No New Calls");
        }
        let flow = call.legs[leg.leg].flow();
        let dialled = flow.and_then(|flow| admission::dialled_uri(&self.exchange, flow, &uri));
        let Some(dialled) = dialled else { return refusal(416, "") };
        Ok(Order {
            referrer: leg,
            transferee,
            identity,
            dialled,
            phone: admission::phone_at(&self.exchange, &uri),
            replaces,
            wants_news: !message.header(Name::ReferSub).is_some_and(|value| value.trim().eq_ignore_ascii_case("false")),
            cseq: message.cseq().map(|cseq| cseq.number).unwrap_or_default(),
        })
    }

    fn route_transfer(&self, now: Now, order: &Order) -> Decision {
        let shown = self.calls.get(&order.referrer.call).map(|call| call.shown(&self.exchange, order.referrer.leg));
        let from = shown.map(|shown| shown.text()).unwrap_or_default();
        let caller = order.identity.as_caller();
        self.exchange.plan.route(&Request { caller, from: &from, to: &order.dialled, at: now.wall })
    }

    /// The target as the other side is told of it, where the REFER is passed on. A trunk is told of numbers only that it
    /// would be called with; a dialog of ours that is to be replaced means nothing to anybody else.
    fn passes(&self, order: &Order, decision: &Decision) -> Option<String> {
        let route = decision.route.as_ref().filter(|_| order.replaces.is_none())?;
        let call = self.calls.get(&order.referrer.call)?;
        let Some(name) = call.legs[order.transferee].trunk.as_deref() else {
            let domain = &self.exchange.settings.sip.domain;
            let uri = format!("sip:{}@{domain}", escape_user(&order.dialled));
            return (route.transfer == Transfer::Pass && !order.dialled.contains('@')).then_some(uri);
        };
        let trunk = self.exchange.trunks.by_name(name)?;
        let passes = Transfer::Pass == route.transfer || Transfer::Pass == trunk.settings.transfer;
        match route.targets.first() {
            Some(Target::Trunk { name: first, number, .. }) if passes && first == name => Some(trunk.uri(number)),
            _ => None,
        }
    }

    /// A call of its own to the target, whose caller is whoever is transferred, and stays where they are until it is
    /// answered.
    fn transfer_blind(&mut self, now: Now, order: &Order, decision: Decision) {
        let LegKey { call: from, leg: referrer } = order.referrer;
        let Some(old) = self.calls.get(&from) else { return };
        self.attempts += 1;
        let targets = decision.route.as_ref().map(|route| route.targets.as_slice()).unwrap_or_default();
        let (key, id, worker) = self.exchange.new_call(targets);
        let old_leg = &old.legs[order.transferee];
        let Some(flow) = old_leg.flow() else { return };
        let shown = old.shown(&self.exchange, order.transferee);
        let by = old.record.legs[referrer].target.clone();
        let reason = format!("transferred by {by} out of call {}", old.record.id);
        let guest = old.record_of_guest(now, order.transferee, reason);
        let speaks = old.repertoire_of(&self.exchange, order.transferee);
        // The new call is about the same lines.
        let lines = old.lines_of(order.transferee, &speaks, &old.bonds_of(order.transferee));
        let local = old.media_address_of(&self.exchange, order.transferee, flow);
        let brought = old_leg.brought.clone();
        let chosen = decision.route.as_ref().and_then(|route| route.caller.clone());
        let record = open_record(now, &id, by, shown.text(), order, &decision);
        let caller = CallerSide {
            identity: old.identity_of(&self.exchange, order.transferee),
            offer: None,
            shown: match chosen {
                Some(number) => shown.shown_as(number),
                None => shown,
            },
            max_forwards: old.caller.max_forwards.saturating_sub(1),
            speaks: old_leg
                .media
                .as_ref()
                .and_then(Media::agreed)
                .and_then(|agreed| agreed.format.codec())
                .into_iter()
                .collect(),
            phone: order.phone.clone(),
            told: None,
        };
        let mut call = Call {
            transfers: old.transfers + 1,
            origin: Some(Box::new(Origin { from, referred_by: self.referred_by(&order.identity) })),
            pass_headers: decision.route.as_ref().map(|route| route.pass_headers.clone()).unwrap_or_default(),
            ..Call::new(key, worker, record, caller)
        };
        call.targets = decision.route.map(|route| VecDeque::from(route.targets)).unwrap_or_default();
        let is_silent = call.targets.iter().all(Target::is_silent);
        let leg = LegKey { call: key, leg: 0 };
        let media = (!is_silent).then(|| Media::open(&mut self.exchange, leg, worker, local, speaks, lines).told());
        let end = End::Sip { flow, session: None };
        call.add_leg(Leg { media, brought, ..Leg::new(leg, end, LegStage::Trying) }, guest);
        self.exchange.keep(&call.record);
        self.exchange.timers.set(Timer::Patience(key), now.time + PATIENCE);
        self.calls.insert(key, Box::new(call));
        self.ids.insert(id, key);
        let onward = Onward { call: key, leg: order.transferee, referral: Some(order.referral()) };
        self.with_call(from, |call, exchange| call.go_onward(exchange, now, onward));
        if is_silent {
            self.with_call(key, |call, exchange| call.start(exchange, now));
        }
    }

    /// The referrer has two calls, and joins them (RFC 5589 §7): whoever is transferred takes the referrer's place in the
    /// other one.
    fn transfer_attended(&mut self, now: Now, order: &Order, replaces: &Replaces) {
        let LegKey { call: from, leg: referrer } = order.referrer;
        let place = self.replaced(replaces).filter(|place| place.call != from);
        let theirs = place.filter(|place| {
            let call = self.calls.get(&place.call);
            call.is_some_and(|call| call.identity_of(&self.exchange, place.leg) == order.identity)
        });
        // A call that still rings is given up, and its target called anew.
        if let Some(place) = theirs
            && let Some(ringing) = self.calls.get(&place.call)
            && place.leg == 0
            && matches!(ringing.stage, Stage::Preparing | Stage::Trying)
        {
            let dialled = ringing.record.dialled.clone();
            self.with_call(place.call, |call, exchange| {
                let by = EndedBy::Caller;
                call.end(exchange, now, by, "the caller transferred another call to its target", None);
            });
            let order = Order { dialled, phone: None, replaces: None, ..order.clone() };
            let decision = self.route_transfer(now, &order);
            return self.transfer_blind(now, &order, decision);
        }
        let joinable = theirs.filter(|place| {
            self.calls
                .get(&place.call)
                .is_some_and(|call| call.other(place.leg).is_some_and(|other| call.legs[other].session().is_some()))
        });
        let referral = order.referral();
        let Some(place) = joinable else {
            let status = if theirs.is_some() { 403 } else { 481 };
            let onward = Onward { call: from, leg: order.transferee, referral: Some(referral) };
            return self.with_call(from, |call, exchange| {
                call.go_onward(exchange, now, onward);
                call.onward_told(exchange, now, from, status, "");
            });
        };
        let Some(old) = self.calls.get(&from) else { return };
        let Some(flow) = old.legs[order.transferee].flow() else { return };
        let by = &old.record.legs[referrer].target;
        let record =
            old.record_of_guest(now, order.transferee, format!("transferred by {by} out of call {}", old.record.id));
        let speaks = old.repertoire_of(&self.exchange, order.transferee);
        let fellows = self.fellows_in(place);
        let lines = old.lines_of(order.transferee, &speaks, &fellows);
        let shown = old.shown(&self.exchange, order.transferee);
        let transfers = old.transfers + 1;
        let arrival = Arrival { from, instead_of: place.leg, shown };
        let local = old.media_address_of(&self.exchange, order.transferee, flow);
        let guest = Guest { arrival, flow, local, speaks, lines, record };
        let onward = Onward { call: place.call, leg: order.transferee, referral: Some(referral) };
        self.with_call(from, |call, exchange| call.go_onward(exchange, now, onward));
        self.with_call(place.call, |call, exchange| {
            call.transfers = call.transfers.max(transfers);
            call.expect(exchange, now, guest);
        });
    }

    /// The open lines of whoever is on the other side of a place.
    pub(in crate::call) fn fellows_in(&self, place: LegKey) -> Vec<(Kind, Bond)> {
        let Some(call) = self.calls.get(&place.call) else { return Vec::new() };
        let other = call.other(place.leg).or((place.leg > 0).then_some(0));
        other.map(|other| call.bonds_of(other)).unwrap_or_default()
    }

    /// Who referred, as a target of ours may be told (RFC 3892): our own word, not the phone's.
    fn referred_by(&self, identity: &Identity) -> Option<String> {
        let Identity::User { name, .. } = identity else { return None };
        Some(format!("<sip:{}@{}>", escape_user(name), self.exchange.settings.sip.domain))
    }
}

impl Order {
    fn referral(&self) -> Referral {
        let subscription = self.wants_news.then(|| Subscription::new(self.cseq));
        Referral { referrer: self.referrer.leg, to: self.dialled.clone(), subscription }
    }
}

fn open_record(now: Now, id: &str, by: String, from: String, order: &Order, decision: &Decision) -> CallRecord {
    CallRecord {
        id: id.to_owned(),
        state: State::Open,
        caller: by,
        from,
        dialled: order.dialled.clone(),
        number: decision.number.clone(),
        rule: decision.route.as_ref().map(|route| route.rule.clone()),
        started: now.wall,
        ringing: None,
        answered: None,
        ended: None,
        talk_ms: 0,
        legs: Vec::with_capacity(2),
        status: 0,
        ended_by: EndedBy::Nobody,
        cause: String::new(),
    }
}
