//! A user changes a setting by phone: it is kept, and the caller hears that it is.

use crate::base::time::Now;
use crate::call::admission::Identity;
use crate::call::exchange::Exchange;
use crate::call::failure::Failure;
use crate::call::leg::End;
use crate::call::set_up::tone;
use crate::call::state::Call;
use crate::dialplan::change::Change;
use crate::dialplan::route::{Request, Target};

impl Call {
    /// Asks for a change of the caller's own settings to be kept; `kept` follows.
    pub fn change_setting(&mut self, exchange: &mut Exchange, now: Now, change: &Change) -> Result<(), Failure> {
        let account = match &self.caller.identity {
            // Whoever was forwarded here is not the one who set up the forward.
            Identity::User { name, .. } if self.forwards.is_empty() => exchange.accounts.by_name(name).cloned(),
            _ => None,
        };
        let Some(account) = account else {
            return Err(Failure::new(403, "").because("only a user has settings to change"));
        };
        if let Change::Forward { to: Some(to), .. } = change {
            let caller = self.caller.identity.as_caller();
            let from = account.number.as_deref().unwrap_or(&account.name);
            let route = exchange.plan.route(&Request { caller, from, to, at: now.wall }).route;
            let targets = route.map(|route| route.targets).unwrap_or_default();
            if targets.iter().any(|target| *target == Target::User { name: account.name.clone() }) {
                return Err(Failure::new(482, "").because("calls can't be forwarded to where they come from"));
            }
            if !targets.iter().any(Target::takes_calls) {
                return Err(Failure::new(403, "").because(format!("the dialplan doesn't let the caller call {to}")));
            }
        }
        let end = End::Clip { clip: None, repeat: false };
        let leg = self.add_local(exchange, now, end, change.kind());
        exchange.keep_forwarding(leg, account.name.clone(), account.forwarding.with(change));
        Ok(())
    }

    /// The store has kept the change, or couldn't.
    pub fn kept(&mut self, exchange: &mut Exchange, now: Now, leg: usize, result: Result<(), String>) {
        let clip = result.map(|()| tone::confirmation());
        self.loaded(exchange, now, leg, clip);
    }
}
