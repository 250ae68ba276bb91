//! SUBSCRIBE and PUBLISH (RFC 6665, RFC 3903): who may watch whom, and who says what of themself. Users only: trunks and
//! strangers watch nobody.

use crate::base::time::Now;
use crate::call::account::Account;
use crate::call::admission::{self, Admission, Identity};
use crate::call::io::Notice;
use crate::call::switch::Switch;
use crate::config::settings::Settings;
use crate::dialplan::route::Request;
use crate::sip::agent::ServerId;
use crate::sip::flow::Flow;
use crate::sip::notifier::{Ending, NotifierLimits, Package, Wish, bad_event};
use crate::sip::publication::PublicationLimits;
use crate::sip::registrar::Outcome;
use crate::wire::events::pidf;
use crate::wire::sip::{Message, Name};

impl Switch {
    pub(in crate::call) fn subscribed(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message) {
        let Some(watcher) = self.user_of(now, id, flow, message, "SUBSCRIBE") else { return };
        let outcome = match message.to().is_ok_and(|to| to.tag().is_some()) {
            true => self.refreshed(now, flow, message, &watcher),
            false => self.watch(now, id, flow, message, &watcher),
        };
        self.exchange.agent.respond(now, id, outcome.status, outcome.reason, outcome.headers, None);
    }

    pub(in crate::call) fn published(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message) {
        let Some(publisher) = self.user_of(now, id, flow, message, "PUBLISH") else { return };
        let outcome = self.publish(now, flow, message, &publisher);
        if outcome.status == 200 {
            let Identity::User { name, .. } = &publisher else { return };
            self.exchange.notifier.changed(now.time, Package::Presence, name);
        }
        self.exchange.agent.respond(now, id, outcome.status, outcome.reason, outcome.headers, None);
    }

    /// Ends the subscriptions of those who no longer may watch, and of whom they watched, after the accounts or the
    /// settings changed.
    pub(in crate::call) fn judge_watchers(&mut self) {
        let exchange = &mut self.exchange;
        let (accounts, settings) = (&exchange.accounts, &exchange.settings);
        exchange.notifier.end(|watcher, resource, package| {
            let is_gone = |user: &str| accounts.by_name(user).is_none();
            if is_gone(watcher) || is_gone(resource) {
                return Some(Ending::NoResource);
            }
            (!may_watch(settings, watcher, resource, package)).then_some(Ending::Rejected)
        });
        exchange.publications.retain(|user| accounts.by_name(user).is_some());
    }

    fn watch(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message, watcher: &Identity) -> Outcome {
        let Identity::User { name, .. } = watcher else { return refuse(403) };
        let event = message.header(Name::Event).unwrap_or_default();
        let Some(package) = Package::parse(event) else { return bad_event() };
        let Some(account) = self.account_in(now, flow, message, watcher) else { return refuse(404) };
        let resource = account.name.clone();
        if !may_watch(&self.exchange.settings, name, &resource, package) {
            return refuse(403);
        }
        let exchange = &mut self.exchange;
        let Some(local_tag) = exchange.agent.local_tag(id) else { return refuse(500) };
        let wish = Wish { watcher: name, resource: &resource, package, message, flow, local_tag };
        exchange.notifier.subscribe(now.time, wish)
    }

    fn refreshed(&mut self, now: Now, flow: Flow, message: &Message, watcher: &Identity) -> Outcome {
        let Identity::User { name, .. } = watcher else { return refuse(403) };
        match self.exchange.notifier.find(message) {
            Some((known, ..)) if known == name => self.exchange.notifier.refresh(now.time, message, flow),
            _ => refuse(481),
        }
    }

    fn publish(&mut self, now: Now, flow: Flow, message: &Message, publisher: &Identity) -> Outcome {
        let Identity::User { name, .. } = publisher else { return refuse(403) };
        let event = message.header(Name::Event).unwrap_or_default();
        // What we know of calls, registrations and letters, we know best ourselves.
        if Package::parse(event) != Some(Package::Presence) {
            let events = (Name::AllowEvents, Package::Presence.as_str().to_owned());
            return Outcome { headers: vec![events], ..refuse(489) };
        }
        if self.account_in(now, flow, message, publisher).is_none_or(|account| account.name != *name) {
            return refuse(403);
        }
        let body = message.body();
        let kind = message.content_type().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let state = match body.is_empty() {
            true => None,
            false if message.is_encoded() || !kind.eq_ignore_ascii_case(Package::Presence.content_type()) => {
                let accept = (Name::Accept, Package::Presence.content_type().to_owned());
                return Outcome { headers: vec![accept], ..refuse(415) };
            }
            false => match pidf::read(&body) {
                Ok(presence) => Some(presence),
                Err(_) => return Outcome { reason: "Unreadable Presence", ..refuse(400) },
            },
        };
        let exchange = &mut self.exchange;
        exchange.publications.publish(now.time, name, message, state, &mut exchange.chance)
    }

    /// The user who signed a request; where nobody did, it is answered.
    fn user_of(
        &mut self,
        now: Now,
        id: ServerId,
        flow: Flow,
        message: &Message,
        what: &'static str,
    ) -> Option<Identity> {
        let exchange = &mut self.exchange;
        match admission::authenticate(exchange, now, message) {
            Admission::Admitted(identity @ Identity::User { .. }) => return Some(identity),
            Admission::Unknown { stale } => {
                let headers = admission::challenge(exchange, now, message, stale);
                exchange.agent.dismiss(now, id, 401, "", headers);
            }
            Admission::Denied { user } => {
                exchange.notice(Notice::Denied { user, flow, what });
                exchange.agent.dismiss(now, id, 403, "", Vec::new());
            }
            Admission::Admitted(_) => exchange.agent.respond(now, id, 403, "", Vec::new(), None),
        }
        None
    }

    /// The account that a request's URI names, by its name or its number as this user dials it.
    fn account_in(&self, now: Now, flow: Flow, message: &Message, user: &Identity) -> Option<&Account> {
        let exchange = &self.exchange;
        let dialled = admission::dialled(exchange, flow, message, user)?;
        exchange.accounts.find(&dialled).or_else(|| {
            let request = Request { caller: user.as_caller(), from: "", to: &dialled, at: now.wall };
            exchange.accounts.find(&exchange.plan.route(&request).number)
        })
    }
}

/// Everyone may watch themself, and nobody else may see letters and contacts.
fn may_watch(settings: &Settings, watcher: &str, resource: &str, package: Package) -> bool {
    let is_shared = matches!(package, Package::Presence | Package::Dialog);
    watcher == resource || is_shared && settings.sip.watchers.include(watcher)
}

pub fn notifier_limits(settings: &Settings) -> NotifierLimits {
    NotifierLimits {
        min: settings.sip.subscription_min,
        max: settings.sip.subscription_max,
        subscriptions: settings.limits.subscriptions,
        per_watcher: settings.limits.subscriptions_per_account,
    }
}

pub fn publication_limits(settings: &Settings) -> PublicationLimits {
    PublicationLimits {
        min: settings.sip.subscription_min,
        max: settings.sip.subscription_max,
        per_user: settings.limits.publications,
    }
}

fn refuse(status: u16) -> Outcome {
    Outcome { status, reason: "", headers: Vec::new() }
}
