//! Targets tried in order, until one is under way.

mod answered;
pub(super) mod dial;
pub(super) mod forward;
mod invited;
mod local_end;
mod progress;
mod redirected;
mod refused;
mod setting;
pub(super) mod tone;

use crate::base::time::Now;
use crate::call::errand::Errand;
use crate::call::exchange::{Exchange, Timer};
use crate::call::failure::Failure;
use crate::call::hop::Hop;
use crate::call::leg::End;
use crate::call::media::negotiate;
use crate::call::media::stream::Repertoire;
use crate::call::party::Audience;
use crate::call::reason::q850_reason;
use crate::call::record::EndedBy;
use crate::call::set_up::dial::Destination;
use crate::call::state::{Call, Stage};
use crate::config::settings::{self, Dtmf, Settings};
use crate::dialplan::route::Target;
use crate::sip::flow::Flow;
use crate::wire::sip::{Name, escape_user};
use std::collections::VecDeque;
use std::sync::Arc;

impl Call {
    /// The caller's port is open, or none is needed: tries the first target.
    pub fn start(&mut self, exchange: &mut Exchange, now: Now) {
        exchange.timers.cancel(Timer::Patience(self.key));
        self.stage = Stage::Trying;
        if let Some(replaces) = self.replaces.take() {
            exchange.errands.push_back(Errand::Replace { call: self.key, replaces: *replaces });
            return;
        }
        self.try_next(exchange, now);
        self.keep_company(exchange, now);
    }

    /// Tries targets until one is under way; when none is left, the caller is told why. What the called side said counts
    /// for more than what we couldn't do, and what a rule says at last for most.
    pub fn try_next(&mut self, exchange: &mut Exchange, now: Now) {
        self.redirected_to = None;
        let mut last = self.failure.take().map(|(_, failure)| failure);
        while let Some(target) = self.next_target(exchange) {
            let tried = match self.forward_at_once(exchange, now, &target) {
                Some(Ok(())) => continue,
                Some(Err(failure)) => Err(failure),
                None => self.try_target(exchange, now, &target),
            };
            match tried {
                Ok(()) => {
                    self.target = Some(target);
                    return;
                }
                Err(mut failure) => {
                    // Where no leg tells so, the books say here that the call was sent on.
                    if let Some(forward) = self.forwards.last() {
                        let why = failure.why.unwrap_or_else(|| failure.reason.clone());
                        failure.why = Some(format!("sent on ({}): {why}", forward.text()));
                    }
                    let decides = matches!(target, Target::Reject { .. });
                    if decides || last.as_ref().is_none_or(|last| last.by != EndedBy::Callee) {
                        last = Some(failure);
                    }
                }
            }
        }
        let failure = last.unwrap_or_else(|| Failure::new(404, ""));
        self.refuse_caller(exchange, now, failure);
    }

    fn try_target(&mut self, exchange: &mut Exchange, now: Now, target: &Target) -> Result<(), Failure> {
        match target {
            Target::User { name } => self.ring_user(exchange, now, name),
            Target::Trunk { name, number, .. } => self.call_trunk(exchange, now, name, number),
            Target::Echo => {
                let leg = self.add_local(exchange, now, End::Echo, "echo");
                self.join(exchange, now, leg.leg);
                Ok(())
            }
            Target::Conference { name, record } => self.enter_room(exchange, now, name, *record),
            Target::Play { file, repeat } => {
                let end = End::Clip { clip: None, repeat: *repeat };
                let leg = self.add_local(exchange, now, end, &format!("play:{file}"));
                exchange.load(leg, file.clone());
                Ok(())
            }
            // Who is transferred has no call of their own that could be picked up, nor settings for others to change.
            Target::PickUp { .. } | Target::Change(_) if self.origin.is_some() => Err(Failure::new(403, "")),
            Target::PickUp { user } => {
                exchange.errands.push_back(Errand::PickUp { call: self.key, user: user.clone() });
                Ok(())
            }
            Target::Change(change) => self.change_setting(exchange, now, change),
            Target::Reject { status, reason } => Err(Failure::new(*status, reason.clone())),
        }
    }

    fn ring_user(&mut self, exchange: &mut Exchange, now: Now, name: &str) -> Result<(), Failure> {
        let accounts = Arc::clone(&exchange.accounts);
        let Some(account) = accounts.find(name) else { return Err(Failure::new(404, "")) };
        let phones = exchange.registrar.phones_for(now, &account.name, self.caller.phone.as_ref());
        if phones.is_empty() {
            return Err(Failure::new(480, "").because(format!("{} has no phone registered", account.name)));
        }
        let settings = Arc::clone(&exchange.settings);
        let domain = &settings.sip.domain;
        let speaks = self.offered(&settings, None);
        for flows in phones {
            let mut hops = flows.into_iter().map(Hop::to_phone);
            let Some(Hop { flow, uri, route, is_pinned }) = hops.next() else { continue };
            let more: VecDeque<Hop> = hops.collect();
            // A flow that is left is not to wait for as long as one that is the last.
            let no_response = (!more.is_empty()).then_some(settings.sip.trunk_timeout);
            let destination = Destination {
                flow,
                more,
                uri,
                to: format!("<sip:{}@{domain}>", escape_user(&account.name)),
                from: self.caller.shown.from(domain, Audience::Phone),
                contact_user: self.caller.shown.contact_user(),
                party: Some(account.party()),
                speaks: speaks.clone(),
                credentials: None,
                route,
                is_pinned,
                no_response,
            };
            self.dial(exchange, now, destination, format!("user:{}", account.name), account.name.clone(), None);
        }
        let forwarding = &account.forwarding;
        let patience = match forwarding.no_answer.as_ref().filter(|_| !self.has_more()) {
            Some(_) => forwarding.after.unwrap_or(settings.sip.forward_after).min(settings.sip.ring_timeout),
            None => settings.sip.ring_timeout,
        };
        exchange.timers.set(Timer::Ring(self.key), now.time + patience);
        Ok(())
    }

    fn call_trunk(&mut self, exchange: &mut Exchange, now: Now, name: &str, number: &str) -> Result<(), Failure> {
        let settings = Arc::clone(&exchange.settings);
        let Some(trunk) = exchange.trunks.by_name(name) else { return Err(Failure::new(500, "Unknown Trunk")) };
        if trunk.is_full() {
            // Cause 34 is "no circuit or channel available"; RFC 3398 §7.2.4.1 makes it a 503.
            return Err(Failure::new(503, "Trunk Full").with(Name::Reason, q850_reason(34, "No circuit available")));
        }
        if !trunk.is_found() {
            return Err(Failure::new(503, "Trunk Not Found"));
        }
        let mut ways = VecDeque::from(trunk.ways(now.time, &mut exchange.chance));
        ways.truncate(settings.limits.addresses);
        let Some(&flow) = ways.front() else { return Err(Failure::new(503, "Trunk Busy")) };
        // A trunk that is silent, or was of late at all of its addresses, is passed over while another is left.
        if (!trunk.is_up() || trunk.is_silent(now.time, flow)) && self.has_more() {
            return Err(Failure::new(503, "Trunk Down"));
        }
        self.dial_trunk(exchange, now, name, number, ways)?;
        exchange.timers.set(Timer::Ring(self.key), now.time + settings.sip.ring_timeout);
        Ok(())
    }

    /// Calls a number of a trunk by the first of these ways, and by the next where that fails.
    pub fn dial_trunk(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        name: &str,
        number: &str,
        mut ways: VecDeque<Flow>,
    ) -> Result<(), Failure> {
        let settings = Arc::clone(&exchange.settings);
        let Some(trunk) = exchange.trunks.by_name(name) else { return Err(Failure::new(500, "Unknown Trunk")) };
        let Some(flow) = ways.pop_front() else { return Err(Failure::new(503, "Trunk Not Found")) };
        let domain = trunk.domain();
        let credentials = trunk.settings.credentials.as_ref();
        let (uri, route) = (trunk.uri(number), trunk.routes());
        let hop = |flow| Hop::to_trunk(flow, &uri, &route);
        let destination = Destination {
            flow,
            more: ways.into_iter().map(hop).collect(),
            uri: uri.clone(),
            route: route.clone(),
            is_pinned: true,
            to: format!("<sip:{}@{domain}>", escape_user(number)),
            from: self.caller.shown.from(&trunk.own_domain(&settings), Audience::Trunk(&trunk.settings.identity)),
            contact_user: credentials
                .map_or_else(|| self.caller.shown.contact_user(), |known| escape_user(&known.username).into_owned()),
            party: None,
            speaks: self.offered(&settings, Some(&trunk.settings)),
            credentials: trunk.credentials(),
            no_response: Some(settings.sip.trunk_timeout),
        };
        self.dial(exchange, now, destination, format!("trunk:{name}"), number.to_owned(), Some(name));
        Ok(())
    }

    /// A trunk's own list is offered as it stands; otherwise what the caller also has, and may have, comes first.
    fn offered(&self, settings: &Settings, trunk: Option<&settings::Trunk>) -> Repertoire {
        if let Some(trunk) = trunk.filter(|trunk| trunk.lists_codecs()) {
            return Repertoire::of_trunk(trunk);
        }
        let allowed = self.legs[0].media.as_ref().map(|media| media.speaks.codecs.as_slice()).unwrap_or_default();
        let offer = self.caller.offer.as_ref();
        let mut theirs = offer.map_or_else(|| self.caller.speaks.clone(), negotiate::codecs_of);
        theirs.retain(|codec| allowed.contains(codec));
        let codecs = negotiate::order(&settings.media.codecs, &theirs);
        let srtp = trunk.map_or(settings.sip.srtp, |trunk| trunk.srtp);
        let events = trunk.is_none_or(|trunk| trunk.dtmf != Dtmf::Inband);
        Repertoire { ptime_ms: trunk.map(|trunk| trunk.ptime_ms), events, ..Repertoire::of(codecs, srtp) }
    }
}
