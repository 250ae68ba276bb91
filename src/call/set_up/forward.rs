//! A call is sent on by the one it was for: always, when busy, when nobody answers (the services of RFC 5359 §2.5 to
//! §2.7). It goes on through the dialplan with the rights of the user who sends it on.

use crate::base::time::Now;
use crate::call::account::Account;
use crate::call::exchange::Exchange;
use crate::call::failure::Failure;
use crate::call::party::Party;
use crate::call::party::diversion::{Diversion, Why};
use crate::call::state::Call;
use crate::config::identity::HeaderPatterns;
use crate::dialplan::route::{Caller, Request, Target};
use std::collections::VecDeque;

/// One time that this call was sent on here.
pub struct Forward {
    pub user: String,
    pub why: Why,
    /// What is left of the way that it came off, and how the caller was shown there.
    rest: VecDeque<Target>,
    shown: Party,
    pass_headers: HeaderPatterns,
}

impl Forward {
    /// As records have it.
    pub fn text(&self) -> String {
        format!("user:{}, {}", self.user, self.why.as_str())
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
        !self.targets.is_empty() || self.forwards.iter().any(|forward| !forward.rest.is_empty())
    }

    /// The next target. Where a forward has led nowhere, the way that it came off goes on as if it hadn't been.
    pub fn next_target(&mut self, exchange: &mut Exchange) -> Option<Target> {
        loop {
            if let Some(target) = self.targets.pop_front() {
                return Some(target);
            }
            let forward = self.forwards.pop()?;
            exchange.count_forward(&forward.user, false);
            self.diversions.pop();
            self.caller.shown = forward.shown;
            self.pass_headers = forward.pass_headers;
            self.targets = forward.rest;
        }
    }

    pub fn forget_forwards(&mut self, exchange: &mut Exchange) {
        for forward in self.forwards.drain(..) {
            exchange.count_forward(&forward.user, false);
        }
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
        let limits = &exchange.settings.limits;
        if self.forwards.iter().any(|forward| forward.user == account.name) {
            return refused(482, "and came back from there");
        }
        if self.forwards_before + self.forwards.len() >= limits.forwards || self.caller.max_forwards == 0 {
            return refused(483, "but this one was forwarded too often already");
        }
        if exchange.forwards_of(&account.name) >= limits.forwarded_calls {
            return refused(480, "but too many are forwarded there already");
        }
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
        exchange.count_forward(&account.name, true);
        self.caller.max_forwards -= 1;
        let shown = self.caller.shown.clone();
        if let Some(number) = route.caller {
            self.caller.shown = shown.clone().shown_as(number);
        }
        let pass_headers = std::mem::replace(&mut self.pass_headers, route.pass_headers);
        let rest = std::mem::replace(&mut self.targets, route.targets.into());
        self.targets.retain(|target| target.takes_calls() || matches!(target, Target::Reject { .. }));
        self.forwards.push(Forward { user: account.name.clone(), why, rest, shown, pass_headers });
        self.diversions.push(Diversion { by: account.party(), why });
        self.failure = None;
        self.tell_forwarded(exchange, now);
        Ok(())
    }

    fn was_busy(&self, exchange: &Exchange, target: &Target) -> bool {
        let Target::User { name } = target else { return false };
        let Some(account) = exchange.accounts.find(name) else { return false };
        self.forwards.iter().any(|forward| forward.why == Why::Busy && forward.user == account.name)
    }

    /// 181 Call Is Being Forwarded (RFC 3261 §21.1.3).
    fn tell_forwarded(&mut self, exchange: &mut Exchange, now: Now) {
        if let Some(session) = self.caller_session() {
            self.caller.told = Some((181, false));
            exchange.agent.progress(now, session, 181, "", Vec::new(), None);
        }
    }
}
