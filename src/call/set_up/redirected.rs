//! A called side answers 3xx (RFC 3261 §8.1.3.4): its contacts are called as if it called them itself, so that nobody
//! reaches by a redirection what the dialplan doesn't let the redirecting side call.

use crate::base::time::Now;
use crate::call::admission::is_ours;
use crate::call::exchange::Exchange;
use crate::call::failure::Failure;
use crate::call::party::Party;
use crate::call::party::diversion::Why;
use crate::call::reason::{phrase, sip_reason};
use crate::call::record::{EndedBy, LegRecord};
use crate::call::set_up::forward::Detour;
use crate::call::state::Call;
use crate::config::settings::Redirects;
use crate::dialplan::route::{Caller, Request, Route, Target};
use crate::sip::flow::Flow;
use crate::wire::sip::{Contacts, Message, Name, NameAddr, Scheme, Uri};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// Contacts of one answer that are looked at.
const CONTACTS: usize = 4;
/// A longer URI isn't passed on.
const URI: usize = 256;

/// What a redirection leads to.
pub enum Redirected {
    /// Nowhere: the leg has failed.
    Nowhere(&'static str),
    /// To routes that are tried once all phones have failed, or another address of the same trunk, where a leg is under way
    /// already.
    On,
    /// To the caller, who is told the contacts.
    Caller(Failure),
}

impl Call {
    /// Takes up the 3xx of a leg, or says why not.
    pub fn redirected(&mut self, exchange: &mut Exchange, now: Now, leg: usize, message: &Message) -> Redirected {
        let trunk = self.legs[leg].trunk.clone();
        let how = trunk.as_deref().and_then(|name| exchange.trunks.by_name(name)).map(|trunk| trunk.settings.redirects);
        let contacts = contacts(message);
        match how.unwrap_or_default() {
            Redirects::Refuse => return Redirected::Nowhere("redirections of this trunk are refused"),
            Redirects::Pass => return Redirected::Caller(passed(message, &contacts)),
            Redirects::Follow => {}
        }
        if self.redirects >= exchange.settings.limits.redirects {
            return Redirected::Nowhere("too many redirections");
        }
        self.redirects += 1;
        if let Some(name) = &trunk
            && self.same_trunk(exchange, now, leg, name, &contacts)
        {
            return Redirected::On;
        }
        let mut routes: VecDeque<Route> =
            contacts.iter().filter_map(|uri| self.permitted(exchange, now, leg, uri)).collect();
        if routes.is_empty() {
            return Redirected::Nowhere("no contact that may be called");
        }
        match &mut self.redirected_to {
            Some(detour) => detour.routes.append(&mut routes),
            None => self.redirected_to = self.redirecting(exchange, leg, routes).map(Box::new),
        }
        Redirected::On
    }

    /// The call is sent on by the side that `leg` leads to.
    fn redirecting(&self, exchange: &Exchange, leg: usize, routes: VecDeque<Route>) -> Option<Detour> {
        let LegRecord { target, number, .. } = &self.record.legs[leg];
        let party = match target.strip_prefix("user:") {
            Some(user) => exchange.accounts.by_name(user)?.party(),
            None => Party { user: number.clone(), ..Party::default() },
        };
        Some(Detour { by: target.clone(), party, why: Why::Deflected, routes })
    }

    /// Follows what the phones or the trunk that failed redirected to; false where that can't be, or nobody did.
    pub fn follow(&mut self, exchange: &mut Exchange, now: Now) -> bool {
        let Some(detour) = self.redirected_to.take() else { return false };
        match self.send_on(exchange, now, *detour) {
            Ok(()) => true,
            Err((_, what)) => {
                if let Some((_, told)) = &mut self.failure {
                    told.why = Some(format!("redirected, {what}"));
                }
                false
            }
        }
    }

    /// The same number at another address of the same trunk is no other call.
    fn same_trunk(&mut self, exchange: &mut Exchange, now: Now, leg: usize, name: &str, contacts: &[String]) -> bool {
        let Some(trunk) = exchange.trunks.by_name(name) else { return false };
        let number = self.record.legs[leg].number.clone();
        let tried = |way: Flow| self.record.legs.iter().any(|leg| leg.address == way.to_string());
        let ways: Vec<Flow> = contacts
            .iter()
            .filter_map(|contact| {
                let uri = Uri::parse(contact).ok().filter(|uri| uri.user_decoded() == number.as_str())?;
                let remote = SocketAddr::new(uri.host_ip()?, uri.port().unwrap_or(5060));
                trunk.way_to(remote).filter(|&way| !tried(way))
            })
            .collect();
        if ways.is_empty() {
            return false;
        }
        self.release_trunk(exchange, leg);
        self.dial_trunk(exchange, now, name, &number, ways.into()).is_ok()
    }

    /// What the dialplan makes of a contact when the redirecting side calls it; without what this call has tried already.
    fn permitted(&self, exchange: &Exchange, now: Now, leg: usize, contact: &str) -> Option<Route> {
        let accounts = Arc::clone(&exchange.accounts);
        let flow = self.legs[leg].flow()?;
        let by = self.record.legs[leg].target.as_str();
        let (caller, is_trunk) = if let Some(name) = by.strip_prefix("trunk:") {
            let country = exchange.trunks.by_name(name).and_then(|trunk| trunk.settings.country.as_deref());
            (Caller::Trunk { name, country }, true)
        } else if let Some(account) = by.strip_prefix("user:").and_then(|name| accounts.by_name(name)) {
            let country = account.country.as_deref().or(exchange.settings.sip.country.as_deref());
            (Caller::User { name: &account.name, number: account.number.as_deref(), country }, false)
        } else {
            return None;
        };
        let to = dialled(exchange, flow, contact, is_trunk)?;
        let request = Request { caller, from: &self.record.from, to: &to, at: now.wall };
        let mut route = exchange.plan.route(&request).route?;
        // What changes the settings of whoever dials it is no place to send another one to.
        route.targets.retain(|target| target.takes_calls() && !self.has_tried(exchange, target));
        (!route.targets.is_empty()).then_some(route)
    }

    /// Whether a target was tried, or waits for its turn: who is called twice by redirections runs in a circle.
    fn has_tried(&self, exchange: &Exchange, target: &Target) -> bool {
        let legs = || self.record.legs.iter().skip(1);
        self.targets.contains(target)
            || match target {
                Target::User { name } => exchange.accounts.find(name).is_some_and(|account| {
                    let text = format!("user:{}", account.name);
                    legs().any(|leg| leg.target == text)
                }),
                Target::Trunk { name, number, .. } => {
                    let text = format!("trunk:{name}");
                    legs().any(|leg| leg.target == text && leg.number == *number)
                }
                Target::Echo
                | Target::Conference { .. }
                | Target::Play { .. }
                | Target::Reject { .. }
                | Target::Change(_)
                | Target::PickUp { .. } => false,
            }
    }
}

/// The contacts of an answer, those that it prefers first.
fn contacts(message: &Message) -> Vec<String> {
    let Ok(Contacts::List(list)) = message.contacts() else { return Vec::new() };
    let mut list: Vec<&NameAddr<'_>> = list.iter().collect();
    list.sort_by_key(|contact| std::cmp::Reverse(contact.q().unwrap_or(1_000)));
    let uris = list.into_iter().take(CONTACTS).map(|contact| contact.uri());
    uris.filter(|uri| uri.len() <= URI && is_callable(uri)).map(str::to_owned).collect()
}

fn is_callable(uri: &str) -> bool {
    Uri::parse(uri).is_ok_and(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel))
}

/// What the redirecting side would have dialled. A trunk speaks of numbers, whatever host it writes behind them.
fn dialled(exchange: &Exchange, flow: Flow, contact: &str, is_trunk: bool) -> Option<String> {
    let uri = Uri::parse(contact).ok()?;
    let user = uri.user_decoded().into_owned();
    match uri.scheme {
        _ if user.is_empty() => None,
        Scheme::Tel => Some(user),
        Scheme::Sip | Scheme::Sips if is_trunk || is_ours(exchange, flow, uri.host()) => Some(user),
        Scheme::Sip | Scheme::Sips => Some(format!("{user}@{}", uri.host())),
        Scheme::Urn | Scheme::Other => None,
    }
}

/// The 3xx as the caller is told it: the contacts alone, of which an operator said that they may pass.
fn passed(message: &Message, contacts: &[String]) -> Failure {
    let (status, said) = (message.status(), phrase(message.status(), message.reason_phrase()));
    let mut headers = vec![(Name::Reason, sip_reason(status, &said))];
    headers.extend(contacts.iter().map(|uri| (Name::Contact, format!("<{uri}>"))));
    Failure { status, reason: said, headers, by: EndedBy::Callee, why: None }
}
