//! A call is sent on by the one it was for: always, when busy, when nobody answers (the services of RFC 5359 §2.5 to
//! §2.7), or by a redirection. It goes on through the dialplan with the rights of whoever sends it on.

use crate::base::time::Now;
use crate::call::account::Account;
use crate::call::exchange::Exchange;
use crate::call::failure::Failure;
use crate::call::party::Party;
use crate::call::party::diversion::{Diversion, Why};
use crate::call::state::Call;
use crate::config::identity::HeaderPatterns;
use crate::dialplan::route::{Caller, Request, Route, Target};
use std::collections::VecDeque;

/// How a call is sent on.
pub struct Detour {
    /// Who sends it on, as records have it: `user:bob`, `trunk:acme`.
    pub by: String,
    /// The same as others are told.
    pub party: Party,
    pub why: Why,
    /// Where to, one after the other.
    pub routes: VecDeque<Route>,
}

/// One time that this call was sent on here.
pub struct Forward {
    by: String,
    why: Why,
    /// Where else it may go.
    routes: VecDeque<Route>,
    /// What is left of the way that it came off, and how the caller was shown there.
    rest: VecDeque<Target>,
    shown: Party,
    pass_headers: HeaderPatterns,
}

impl Forward {
    /// As records have it.
    pub fn text(&self) -> String {
        format!("{}, {}", self.by, self.why.as_str())
    }

    fn is_by(&self, user: &str) -> bool {
        user_of(&self.by) == Some(user)
    }
}

impl Call {
    /// Sends the call on before any phone rings; none where the phones are to ring.
    pub fn forward_at_once(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        target: &Target,
    ) -> Option<Result<(), Failure>> {
        let account = self.user_of(exchange, target)?;
        let forwarding = &account.forwarding;
        let (to, why) = match (&forwarding.always, &forwarding.busy) {
            (Some(to), _) => (to, Why::Always),
            // Who is not to be disturbed counts as busy.
            (None, Some(to)) if forwarding.do_not_disturb => (to, Why::DoNotDisturb),
            _ if forwarding.do_not_disturb => {
                let why = format!("{} does not want to be disturbed", account.name);
                return Some(Err(Failure::new(480, "").because(why)));
            }
            _ => {
                let is_absent = exchange.registrar.bindings(now, &account.name).is_empty();
                (forwarding.no_answer.as_ref().filter(|_| is_absent && !self.has_more())?, Why::Unavailable)
            }
        };
        Some(self.forward(exchange, now, &account, to, why))
    }

    /// Sends the call on after the phones of a user have failed with `seen`; false where it stays with the failure.
    pub fn forward_after(&mut self, exchange: &mut Exchange, now: Now, seen: u16) -> bool {
        let Some(account) = self.target.as_ref().and_then(|target| self.user_of(exchange, target)) else {
            return false;
        };
        let forwarding = &account.forwarding;
        let (to, why) = match seen {
            486 | 600 => (&forwarding.busy, Why::Busy),
            408 => (&forwarding.no_answer, Why::NoAnswer),
            480 | 503 => (&forwarding.no_answer, Why::Unavailable),
            _ => return false,
        };
        let Some(to) = to else { return false };
        match self.forward(exchange, now, &account, to, why) {
            Ok(()) => true,
            Err(failure) => {
                if let Some((_, told)) = &mut self.failure {
                    told.why = failure.why;
                }
                false
            }
        }
    }

    /// Whether the plan has more for this call, be it on a way that was left for a forward.
    pub fn has_more(&self) -> bool {
        !self.targets.is_empty()
            || self.forwards.iter().any(|forward| !forward.rest.is_empty() || !forward.routes.is_empty())
    }

    /// The next target. Where a forward has led nowhere, the way that it came off goes on as if it hadn't been.
    pub fn next_target(&mut self, exchange: &mut Exchange) -> Option<Target> {
        loop {
            if let Some(target) = self.targets.pop_front() {
                return Some(target);
            }
            let forward = self.forwards.last_mut()?;
            if let Some(route) = forward.routes.pop_front() {
                let shown = forward.shown.clone();
                self.take_route(route, shown);
                continue;
            }
            let forward = self.forwards.pop()?;
            count_forward(exchange, &forward.by, false);
            self.diversions.pop();
            self.caller.shown = forward.shown;
            self.pass_headers = forward.pass_headers;
            self.targets = forward.rest;
        }
    }

    pub fn forget_forwards(&mut self, exchange: &mut Exchange) {
        for forward in self.forwards.drain(..) {
            count_forward(exchange, &forward.by, false);
        }
    }

    /// Leaves the way that the call is on for another, by which it goes as a call of whoever sends it on. Says with which
    /// status and why that can't be.
    pub fn send_on(&mut self, exchange: &mut Exchange, now: Now, detour: Detour) -> Result<(), (u16, &'static str)> {
        let limits = &exchange.settings.limits;
        let Detour { by, party, why, routes } = detour;
        let user = user_of(&by);
        if user.is_some_and(|user| self.forwards.iter().any(|forward| forward.is_by(user))) {
            return Err((482, "and came back from there"));
        }
        if self.forwards_before + self.forwards.len() >= limits.forwards || self.caller.max_forwards == 0 {
            return Err((483, "but this one was forwarded too often already"));
        }
        if user.is_some_and(|user| exchange.forwards_of(user) >= limits.forwarded_calls) {
            return Err((480, "but too many are forwarded there already"));
        }
        count_forward(exchange, &by, true);
        self.caller.max_forwards -= 1;
        self.forwards.push(Forward {
            by,
            why,
            routes,
            rest: std::mem::take(&mut self.targets),
            shown: self.caller.shown.clone(),
            pass_headers: std::mem::take(&mut self.pass_headers),
        });
        self.diversions.push(Diversion { by: party, why });
        self.tell_forwarded(exchange, now);
        Ok(())
    }

    fn take_route(&mut self, route: Route, shown: Party) {
        self.caller.shown = match route.caller {
            Some(number) => shown.shown_as(number),
            None => shown,
        };
        self.pass_headers = route.pass_headers;
        self.targets = route.targets.into();
        self.targets.retain(|target| target.takes_calls() || matches!(target, Target::Reject { .. }));
    }

    fn user_of(&self, exchange: &Exchange, target: &Target) -> Option<Account> {
        let Target::User { name } = target else { return None };
        exchange.accounts.find(name).filter(|account| !account.forwarding.is_off()).cloned()
    }

    fn forward(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        account: &Account,
        to: &str,
        why: Why,
    ) -> Result<(), Failure> {
        let refused = |status, what: &str| {
            Err(Failure::new(status, "").because(format!("{}'s calls go to {to}, {what}", account.name)))
        };
        let number = account.number.as_deref();
        let country = account.country.as_deref().or(exchange.settings.sip.country.as_deref());
        let decision = exchange.plan.route(&Request {
            caller: Caller::User { name: &account.name, number, country },
            from: number.unwrap_or(&account.name),
            to,
            at: now.wall,
        });
        let Some(mut route) = decision.route.filter(|route| route.targets.iter().any(Target::takes_calls)) else {
            return refused(480, "which the dialplan doesn't let that user call");
        };
        // Who was busy isn't called again by another way.
        route.targets.retain(|target| !self.was_busy(exchange, target));
        if !route.targets.iter().any(Target::takes_calls) {
            return refused(482, "and came from there");
        }
        let routes = VecDeque::from([route]);
        let detour = Detour { by: format!("user:{}", account.name), party: account.party(), why, routes };
        if let Err((status, what)) = self.send_on(exchange, now, detour) {
            return refused(status, what);
        }
        self.failure = None;
        Ok(())
    }

    fn was_busy(&self, exchange: &Exchange, target: &Target) -> bool {
        let Target::User { name } = target else { return false };
        let Some(account) = exchange.accounts.find(name) else { return false };
        self.forwards.iter().any(|forward| forward.why == Why::Busy && forward.is_by(&account.name))
    }

    /// 181 Call Is Being Forwarded (RFC 3261 §21.1.3). Who left the offer to us and acknowledges what we say hears it first
    /// from an answer that has that offer (§13.2.1, RFC 3262 §5).
    fn tell_forwarded(&mut self, exchange: &mut Exchange, now: Now) {
        let awaits_offer = |session| self.caller.offer.is_none() && exchange.agent.is_acknowledged(session, false);
        if let Some(session) = self.caller_session().filter(|&session| !awaits_offer(session)) {
            self.caller.told = Some((181, false));
            exchange.agent.progress(now, session, 181, "", Vec::new(), None);
        }
    }
}

/// The user who is meant by `user:bob`.
fn user_of(by: &str) -> Option<&str> {
    by.strip_prefix("user:")
}

/// How many calls a user has forwarded is counted; what a trunk sends on counts against the limits of trunks.
fn count_forward(exchange: &mut Exchange, by: &str, more: bool) {
    if let Some(user) = user_of(by) {
        exchange.count_forward(user, more);
    }
}
