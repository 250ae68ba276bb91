//! The notifier's side of subscriptions (RFC 6665 §4.2). Pure: the owner has authenticated the request and has decided
//! whether the watcher may watch before it comes here, and writes the documents that are sent.
//!
//! ```text
//!   subscribe, refresh, changed ──▶ poll_due ──▶ the owner's document ──▶ notify ──▶ the owner's agent
//!   sent, answered, failed ◀────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A subscription has one NOTIFY on its way at a time, and a pause between two of them; what changes in between is told by
//! the next one. The last NOTIFY ends it, whatever comes of it.

mod package;
mod subscription;

pub use package::{Package, allow_events};
pub use subscription::{Ending, unsolicited};

use crate::base::time::Time;
use crate::base::timers::Timers;
use crate::sip::agent::{Failure, OutgoingRequest, RequestId};
use crate::sip::dialog::Dialog;
use crate::sip::flow::{Body, Flow};
use crate::sip::registrar::Outcome;
use crate::wire::sip::{Contacts, Message, Name};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use subscription::Subscription;

/// Bound of what an Event header's `id` may be, in bytes.
const EVENT_ID: usize = 128;
const TARGET: usize = 1_024;
/// Notifications in a row after which a subscription is given up, of those that met a refusal which doesn't end it by
/// itself, or a connection that broke.
const PATIENCE: u8 = 3;
/// When a NOTIFY is tried again for which there was no room.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotifierLimits {
    /// The shortest subscription that is granted; who asks for less is told by 423.
    pub min: Duration,
    /// The longest; who asks for more, or for none, is granted this.
    pub max: Duration,
    /// Of all watchers together.
    pub subscriptions: usize,
    pub per_watcher: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubscriptionId(u64);

/// A SUBSCRIBE outside a dialog, of somebody who may watch.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    pub watcher: &'a str,
    pub resource: &'a str,
    pub package: Package,
    pub message: &'a Message,
    pub flow: Flow,
    /// The To tag of our answer.
    pub local_tag: &'a str,
}

/// A subscription whose watcher is to be told the present state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    pub id: SubscriptionId,
    pub package: Package,
    pub watcher: String,
    pub resource: String,
    /// The number of the document, from 0.
    pub version: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Timer {
    Expiry(SubscriptionId),
    /// The pause after a notification is over.
    Pause(SubscriptionId),
}

pub struct Notifier {
    limits: NotifierLimits,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    by_tag: HashMap<String, SubscriptionId>,
    watched: BTreeMap<(Package, String), BTreeSet<SubscriptionId>>,
    watchers: HashMap<String, BTreeSet<SubscriptionId>>,
    requests: HashMap<RequestId, SubscriptionId>,
    timers: Timers<Timer>,
    /// Whose NOTIFY may be sent now.
    due: BTreeSet<SubscriptionId>,
    last: u64,
}

impl Notifier {
    pub fn new(limits: NotifierLimits) -> Notifier {
        Notifier {
            limits,
            subscriptions: BTreeMap::new(),
            by_tag: HashMap::new(),
            watched: BTreeMap::new(),
            watchers: HashMap::new(),
            requests: HashMap::new(),
            timers: Timers::default(),
            due: BTreeSet::new(),
            last: 0,
        }
    }

    /// For a reload; what was granted before stays as it is.
    pub fn set_limits(&mut self, limits: NotifierLimits) {
        self.limits = limits;
    }

    /// Takes a SUBSCRIBE outside a dialog (RFC 6665 §4.2.1). With `Expires: 0` the state is told once.
    pub fn subscribe(&mut self, now: Time, wish: Wish<'_>) -> Outcome {
        let asked = match read(wish.message, wish.package, &self.limits) {
            Ok(asked) => asked,
            Err(outcome) => return outcome,
        };
        let Asked { target, event_id, granted } = asked;
        if !granted.is_zero() {
            if self.full(wish.watcher).is_some() {
                self.drop_earlier_life(&wish, &target, event_id.as_deref());
            }
            if let Some(refusal) = self.full(wish.watcher) {
                return refusal;
            }
        }
        self.last += 1;
        let id = SubscriptionId(self.last);
        let subscription = Subscription {
            watcher: wish.watcher.to_owned(),
            resource: wish.resource.to_owned(),
            package: wish.package,
            event_id,
            dialog: Dialog::callee(wish.message, wish.flow, wish.local_tag.to_owned()),
            target,
            expires_at: now + granted,
            ending: granted.is_zero().then_some(Ending::Timeout),
            due: true,
            in_flight: false,
            request: None,
            notified_at: None,
            version: 0,
            failures: 0,
        };
        self.insert(id, subscription);
        self.timers.set(Timer::Expiry(id), now + granted);
        self.due.insert(id);
        taken(granted)
    }

    /// Whose subscription a request within a dialog belongs to, and what it watches.
    pub fn find(&self, message: &Message) -> Option<(&str, &str, Package)> {
        let subscription = self.subscriptions.get(&self.id_of(message)?)?;
        Some((&subscription.watcher, &subscription.resource, subscription.package))
    }

    /// Takes a SUBSCRIBE within a dialog (§4.2.1.2): a refresh, or with `Expires: 0` the end.
    pub fn refresh(&mut self, now: Time, message: &Message, flow: Flow) -> Outcome {
        let limits = self.limits.clone();
        let Some(id) = self.id_of(message) else { return Outcome::refuse(481, "") };
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return Outcome::refuse(481, "") };
        // One that has ended but for its last word.
        if subscription.ending.is_some() {
            return Outcome::refuse(481, "");
        }
        let asked = match read(message, subscription.package, &limits) {
            Ok(asked) if asked.event_id == subscription.event_id => asked,
            Ok(_) => return Outcome::refuse(481, ""),
            Err(outcome) => return outcome,
        };
        if !message.cseq().is_ok_and(|cseq| subscription.dialog.admit(cseq.number)) {
            return Outcome::refuse(500, "Out of Order CSeq");
        }
        subscription.dialog.refresh_target(message);
        subscription.dialog.seen_on(message, flow);
        subscription.target = asked.target;
        subscription.expires_at = now + asked.granted;
        if asked.granted.is_zero() {
            subscription.ending = Some(Ending::Timeout);
        }
        self.timers.set(Timer::Expiry(id), now + asked.granted);
        // The answer to a refresh is the whole state, at once (§4.2.1.2).
        self.tell_now(id);
        taken(asked.granted)
    }

    /// The state of `resource` is another one than before.
    pub fn changed(&mut self, now: Time, package: Package, resource: &str) {
        let Some(ids) = self.watched.get(&(package, resource.to_owned())) else { return };
        for id in ids.clone() {
            self.tell_soon(now, id);
        }
    }

    /// Whether anybody watches `resource`.
    pub fn is_watched(&self, package: Package, resource: &str) -> bool {
        self.watched.contains_key(&(package, resource.to_owned()))
    }

    /// Ends subscriptions by their watcher, what they watch and how; none of `verdict` for those that go on.
    pub fn end(&mut self, verdict: impl Fn(&str, &str, Package) -> Option<Ending>) {
        let judge =
            |subscription: &Subscription| verdict(&subscription.watcher, &subscription.resource, subscription.package);
        let ended: Vec<_> =
            self.subscriptions.iter().filter_map(|(id, subscription)| Some((*id, judge(subscription)?))).collect();
        for (id, ending) in ended {
            self.finish(id, ending);
        }
    }

    /// The next watcher who is to be told. The owner calls [`Notifier::notify`] with what there is to tell.
    pub fn poll_due(&mut self) -> Option<Due> {
        loop {
            let id = self.due.pop_first()?;
            let Some(subscription) = self.subscriptions.get(&id) else { continue };
            return Some(Due {
                id,
                package: subscription.package,
                watcher: subscription.watcher.clone(),
                resource: subscription.resource.clone(),
                version: subscription.version,
            });
        }
    }

    /// The NOTIFY for a watcher who is due; the owner's agent sends it, and [`Notifier::sent`] is told under which number.
    pub fn notify(&mut self, now: Time, id: SubscriptionId, body: Option<Body>) -> Option<OutgoingRequest> {
        let subscription = self.subscriptions.get_mut(&id)?;
        let request = subscription.notify(now, body);
        if subscription.ending.is_some() {
            self.remove(id);
        }
        Some(request)
    }

    pub fn sent(&mut self, id: SubscriptionId, request: RequestId) {
        // The last NOTIFY is nobody's any more.
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            subscription.request = Some(request);
            self.requests.insert(request, id);
        }
    }

    /// Takes the answer to a NOTIFY; false where it answers none of a subscription that goes on.
    pub fn answered(&mut self, now: Time, request: RequestId, status: u16) -> bool {
        let Some(&id) = self.requests.get(&request) else { return false };
        if status < 200 {
            return true;
        }
        self.requests.remove(&request);
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return true };
        subscription.in_flight = false;
        subscription.request = None;
        subscription.failures = if status < 300 { 0 } else { subscription.failures.saturating_add(1) };
        // RFC 5057 §5.1 lists what ends a dialog or the one usage of it that a subscription is.
        let gone = matches!(status, 404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 502 | 604);
        if gone || subscription.failures >= PATIENCE {
            self.remove(id);
        } else if subscription.ending.is_some() {
            self.due.insert(id);
        } else if subscription.due {
            self.tell_soon(now, id);
        }
        true
    }

    /// A NOTIFY has no answer and will have none: nobody is there (§4.2.2). One that a limit of ours kept back says nothing of
    /// the watcher, and is sent later; one whose connection broke is too, for the watcher may have another by then.
    pub fn failed(&mut self, now: Time, request: RequestId, cause: Failure) -> bool {
        let Some(id) = self.requests.remove(&request) else { return false };
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return true };
        subscription.failures = subscription.failures.saturating_add(u8::from(cause == Failure::Transport));
        if cause == Failure::Timeout || subscription.failures >= PATIENCE {
            self.remove(id);
            return true;
        }
        (subscription.in_flight, subscription.request, subscription.due) = (false, None, true);
        self.timers.set(Timer::Pause(id), now + AGAIN);
        true
    }

    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Expiry(id) => self.finish(id, Ending::Timeout),
                Timer::Pause(id) => self.tell_soon(now, id),
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub fn count(&self) -> usize {
        self.subscriptions.len()
    }

    /// Tells after the pause that the package asks for, or once the NOTIFY before is answered.
    fn tell_soon(&mut self, now: Time, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        subscription.due = true;
        if subscription.in_flight {
            return;
        }
        match subscription.notified_at.map(|at| at + subscription.package.pause()) {
            Some(at) if at > now => self.timers.set(Timer::Pause(id), at),
            _ => _ = self.due.insert(id),
        }
    }

    fn tell_now(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        subscription.due = true;
        self.timers.cancel(Timer::Pause(id));
        if !subscription.in_flight {
            self.due.insert(id);
        }
    }

    fn finish(&mut self, id: SubscriptionId, ending: Ending) {
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            subscription.ending.get_or_insert(ending);
            self.tell_now(id);
        }
    }

    /// Makes room where there is none: a phone that forgot its subscriptions, after a restart, makes them anew, and the old
    /// ones are told in vain until it denies them. While there is room, two that look the same may be two keys of one phone.
    fn drop_earlier_life(&mut self, wish: &Wish<'_>, target: &str, event_id: Option<&str>) {
        let ids = self.watchers.get(wish.watcher).cloned().unwrap_or_default();
        for id in ids {
            let same = self.subscriptions.get(&id).is_some_and(|known| {
                (known.package, known.resource.as_str()) == (wish.package, wish.resource)
                    && (known.target.as_str(), known.event_id.as_deref()) == (target, event_id)
            });
            if same {
                self.remove(id);
            }
        }
    }

    fn full(&self, watcher: &str) -> Option<Outcome> {
        if self.watchers.get(watcher).map_or(0, BTreeSet::len) >= self.limits.per_watcher {
            return Some(Outcome::refuse(403, "Too Many Subscriptions"));
        }
        (self.subscriptions.len() >= self.limits.subscriptions)
            .then(|| Outcome::refuse(503, "Too Many Subscriptions").with(Name::RetryAfter, "60".to_owned()))
    }

    fn id_of(&self, message: &Message) -> Option<SubscriptionId> {
        let to = message.to().ok()?;
        let id = *self.by_tag.get(to.tag()?)?;
        self.subscriptions.get(&id).filter(|subscription| subscription.dialog.is_of(message)).map(|_| id)
    }

    fn insert(&mut self, id: SubscriptionId, subscription: Subscription) {
        self.by_tag.insert(subscription.dialog.local_tag.clone(), id);
        self.watched.entry((subscription.package, subscription.resource.clone())).or_default().insert(id);
        self.watchers.entry(subscription.watcher.clone()).or_default().insert(id);
        self.subscriptions.insert(id, subscription);
    }

    fn remove(&mut self, id: SubscriptionId) {
        let Some(gone) = self.subscriptions.remove(&id) else { return };
        self.timers.cancel(Timer::Expiry(id));
        self.timers.cancel(Timer::Pause(id));
        self.due.remove(&id);
        if let Some(request) = gone.request {
            self.requests.remove(&request);
        }
        self.by_tag.remove(&gone.dialog.local_tag);
        let watched = (gone.package, gone.resource);
        if let Some(ids) = self.watched.get_mut(&watched) {
            ids.remove(&id);
            if ids.is_empty() {
                self.watched.remove(&watched);
            }
        }
        if let Some(ids) = self.watchers.get_mut(&gone.watcher) {
            ids.remove(&id);
            if ids.is_empty() {
                self.watchers.remove(&gone.watcher);
            }
        }
    }
}

/// What a SUBSCRIBE asks for.
struct Asked {
    target: String,
    event_id: Option<String>,
    granted: Duration,
}

fn read(message: &Message, package: Package, limits: &NotifierLimits) -> Result<Asked, Outcome> {
    let event = message.header(Name::Event).unwrap_or_default();
    if Package::parse(event) != Some(package) {
        return Err(bad_event());
    }
    let event_id = event.split(';').skip(1).find_map(|param| param.trim().strip_prefix("id=")).map(str::to_owned);
    if event_id.as_ref().is_some_and(|id| id.len() > EVENT_ID) {
        return Err(Outcome::refuse(400, "Event Too Long"));
    }
    if !accepts(message, package) {
        return Err(Outcome::refuse(406, "").with(Name::Accept, package.content_type().to_owned()));
    }
    let target = match message.contacts() {
        Ok(Contacts::List(list)) => list.first().map(|contact| contact.uri().to_owned()),
        _ => None,
    };
    let target = target.filter(|target| target.len() <= TARGET).ok_or_else(|| Outcome::refuse(400, "Bad Contact"))?;
    let granted = match message.header(Name::Expires) {
        None => limits.max,
        Some(_) => message.expires().map_or(limits.max, |seconds| Duration::from_secs(seconds.into())),
    };
    if !granted.is_zero() && granted < limits.min {
        return Err(Outcome::refuse(423, "").with(Name::MinExpires, limits.min.as_secs().to_string()));
    }
    Ok(Asked { target, event_id, granted: granted.min(limits.max) })
}

/// Who doesn't say what it accepts takes what the package has (RFC 6665 §3.1.3, §5.4.5).
fn accepts(message: &Message, package: Package) -> bool {
    let mut accepted = message.values(Name::Accept).peekable();
    let subtype = |kind: &str| kind.split('/').next().map(|family| format!("{family}/*"));
    accepted.peek().is_none()
        || accepted.any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            let kind = package.content_type();
            range == "*/*"
                || range.eq_ignore_ascii_case(kind)
                || subtype(kind).is_some_and(|family| range.eq_ignore_ascii_case(&family))
        })
}

/// For an event that we don't know (§4.2.1.1).
pub fn bad_event() -> Outcome {
    Outcome::refuse(489, "").with(Name::AllowEvents, allow_events())
}

fn taken(granted: Duration) -> Outcome {
    Outcome::refuse(200, "").with(Name::Expires, granted.as_secs().to_string())
}

#[cfg(test)]
mod tests;
