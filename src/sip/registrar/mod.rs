//! The registrar (RFC 3261 §10.3): who can be reached where. Pure; the caller has authenticated the request and has
//! compared its To with the user ([`aor_of`]) before it comes here.
//!
//! An account has a limit of contacts. When a new contact exceeds it, an older binding gives way that looks like the
//! same phone before a restart: first one with the same `+sip.instance`, then the least recently refreshed one with the
//! same User-Agent from the same address. Where none looks so, the request is refused with 403: among phones that are
//! all alive, dropping the oldest would make them drive each other out in turn, and each would ring only sometimes.

mod binding;
mod gruu;
mod kept;
mod request;
mod ways;

pub use binding::Binding;
pub use gruu::Phone;

use crate::base::ids::IdMap;
use crate::base::time::{Now, Time};
use crate::base::timers::Timers;
use crate::sip::announce::Announce;
use crate::sip::flow::{Flow, Headers};
use crate::sip::registrar::request::{EXTENSIONS, Request, Wanted, Wish};
use crate::sip::registrar::ways::Ways;
use crate::wire::sip::{HeaderError, Message, Name, Uri, date};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

/// Changes that wait to be polled; older ones are dropped, as they only inform.
const CHANGES: usize = 4_096;
/// How often a phone has to be heard on a connection: what RFC 5626 §4.4.1 has where a registrar says nothing.
const CONNECTION_TIMER: Duration = Duration::from_secs(120);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrarLimits {
    /// The shortest registration that is granted; who asks for less is told by 423.
    pub min: Duration,
    /// The longest; who asks for more is granted this.
    pub max: Duration,
    /// Granted to those who don't ask.
    pub default: Duration,
    /// How often a phone that keeps flows has to be heard over UDP.
    pub flow_timer: Duration,
    /// Contacts of one account.
    pub contacts: usize,
    /// Bindings of all accounts together.
    pub bindings: usize,
    /// Of the addresses that lead to one phone.
    pub domain: String,
    /// What proxies are told of where their phones' requests go.
    pub announce: Announce,
}

impl Default for RegistrarLimits {
    fn default() -> RegistrarLimits {
        RegistrarLimits {
            min: Duration::from_secs(60),
            max: Duration::from_secs(7_200),
            default: Duration::from_secs(3_600),
            flow_timer: Duration::from_secs(29),
            contacts: 10,
            bindings: 100_000,
            domain: "localhost".to_owned(),
            announce: Announce::default(),
        }
    }
}

/// How a REGISTER is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub status: u16,
    /// Empty for the status' usual phrase.
    pub reason: &'static str,
    pub headers: Headers,
}

impl Outcome {
    pub(crate) fn refuse(status: u16, reason: &'static str) -> Outcome {
        Outcome { status, reason, headers: Headers::new() }
    }

    pub(crate) fn with(mut self, name: Name, value: String) -> Outcome {
        self.headers.push((name, value));
        self
    }
}

/// What happened to a binding, for logs and metrics. A refresh is no change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Added { user: String, binding: Binding },
    Removed { user: String, binding: Binding, why: Removal },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    Expired,
    /// The phone asked for it.
    Asked,
    /// Another contact of the same phone took its place.
    Replaced,
    /// The connection over which it came has closed.
    FlowClosed,
    /// The account is gone.
    Forgotten,
}

pub struct Registrar {
    limits: RegistrarLimits,
    users: BTreeMap<String, Vec<Binding>>,
    /// Whose a binding is, by its id.
    owners: IdMap<u64, Box<str>>,
    /// Bindings by their connection.
    flows: HashMap<Flow, Vec<u64>>,
    /// Bindings whose connection has closed, and to which something else leads, or may.
    cut_off: HashSet<u64>,
    /// How many bindings there are on each way.
    ways: Ways,
    expiry: Timers<u64>,
    last_id: u64,
    /// Signs temporary addresses of phones, of which so many were given out.
    secret: [u8; 32],
    given_out: u64,
    /// Bindings by their epoch.
    epochs: IdMap<u64, u64>,
    changes: VecDeque<Change>,
    /// Users whose bindings are others than those that are kept elsewhere; none where nobody keeps them.
    unkept: Option<BTreeSet<String>>,
}

impl Registrar {
    pub fn new(limits: RegistrarLimits) -> Registrar {
        Registrar {
            limits,
            users: BTreeMap::new(),
            owners: IdMap::default(),
            flows: HashMap::new(),
            cut_off: HashSet::new(),
            ways: Ways::default(),
            expiry: Timers::default(),
            last_id: 0,
            secret: [0; 32],
            given_out: 0,
            epochs: IdMap::default(),
            changes: VecDeque::new(),
            unkept: None,
        }
    }

    /// What temporary addresses of phones are made with; to be told before the first one is.
    pub fn with_secret(mut self, secret: [u8; 32]) -> Registrar {
        self.secret = secret;
        self
    }

    /// For a reload; what was granted before stays as it is.
    pub fn set_limits(&mut self, limits: RegistrarLimits) {
        self.limits = limits;
    }

    /// Processes a REGISTER of `user` that came over `flow`: all of it, or nothing.
    pub fn register(&mut self, now: Now, user: &str, message: &Message, flow: Flow) -> Outcome {
        self.handle_timeout(now);
        let request = match Request::read(message, flow, &self.limits) {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        let current = self.users.get(user).map(Vec::as_slice).unwrap_or_default();
        match self.stage(now.time, current, &request) {
            Ok(staged) => self.commit(user, staged),
            Err(outcome) => return outcome,
        }
        let mut outcome = self.listing(now, user, request.knows_gruu);
        extend(&mut outcome, &request, &self.limits);
        outcome
    }

    /// Where `user` can be reached: the highest `q` first, then the most recently refreshed.
    pub fn bindings(&self, now: Now, user: &str) -> Vec<Binding> {
        let current = self.users.get(user).map(Vec::as_slice).unwrap_or_default();
        let mut bindings: Vec<_> = current.iter().filter(|binding| binding.expires_at > now.time).cloned().collect();
        bindings.sort_by_key(|binding| (binding.q, binding.refreshed_at, binding.id));
        bindings.reverse();
        bindings
    }

    /// Where `user` is called, phone by phone: of one that keeps several flows (RFC 5626), the next is for when those before
    /// it have failed. None of the lists is empty.
    pub fn phones(&self, now: Now, user: &str) -> Vec<Vec<Binding>> {
        let mut phones: Vec<Vec<Binding>> = Vec::new();
        for binding in self.bindings(now, user) {
            let is_other_flow = |known: &Binding| known.reg_id.is_some() && known.instance == binding.instance;
            let same = phones.iter_mut().find(|flows| binding.reg_id.is_some() && flows.iter().any(is_other_flow));
            match same {
                Some(flows) => flows.push(binding),
                None => phones.push(vec![binding]),
            }
        }
        phones
    }

    /// The same for a call to one phone (RFC 5627), which names it among those of its own user only.
    pub fn phones_for(&self, now: Now, user: &str, wanted: Option<&Phone>) -> Vec<Vec<Binding>> {
        let mut phones = self.phones(now, user);
        if let Some(Phone { instance, .. }) = wanted.filter(|wanted| wanted.user == user) {
            phones.retain(|flows| flows.iter().any(|binding| binding.instance.as_ref() == Some(instance)));
        }
        phones
    }

    /// The phone that a URI of ours names (RFC 5627), public or temporary; whether it is there is another question.
    pub fn phone_at(&self, uri: &Uri<'_>) -> Option<Phone> {
        uri.param("gr")?;
        let user = uri.user_decoded();
        if let Some(instance) = gruu::instance_of(uri) {
            return Some(Phone { user: user.into_owned(), instance });
        }
        let id = *self.epochs.get(&gruu::epoch_of(&self.secret, &user)?)?;
        Some(Phone { user: self.owners.get(&id)?.to_string(), instance: self.binding(id)?.instance.clone()? })
    }

    fn binding(&self, id: u64) -> Option<&Binding> {
        self.users.get(&**self.owners.get(&id)?)?.iter().find(|binding| binding.id == id)
    }

    /// All bindings with their users, in the order of the users' names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.users.iter().flat_map(|(user, bindings)| bindings.iter().map(move |binding| (user.as_str(), binding)))
    }

    /// Whether a phone registered by this way.
    pub fn is_on(&self, flow: Flow) -> bool {
        self.ways.has(flow)
    }

    pub fn count(&self) -> usize {
        self.owners.len()
    }

    /// Removes the bindings that nothing but a connection which has closed leads to (RFC 5626 §5.3). The others are reached
    /// by their Path (RFC 3327 §5.4), or where their Contact says.
    pub fn drop_flow(&mut self, flow: Flow) {
        for id in self.flows.remove(&flow).unwrap_or_default() {
            match self.binding(id).is_some_and(Binding::ends_with_flow) {
                true => self.remove(id, Removal::FlowClosed),
                false => _ = self.cut_off.insert(id),
            }
        }
    }

    /// Removes all bindings of an account that is gone.
    pub fn forget(&mut self, user: &str) {
        let bindings = self.users.get(user).map(Vec::as_slice).unwrap_or_default();
        let ids: Vec<_> = bindings.iter().map(|binding| binding.id).collect();
        for id in ids {
            self.remove(id, Removal::Forgotten);
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(id) = self.expiry.expire(now.time) {
            self.remove(id, Removal::Expired);
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.expiry.next()
    }

    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// What the account's bindings would be after the request.
    fn stage(&self, now: Time, current: &[Binding], request: &Request) -> Result<Staged, Outcome> {
        let touched = |binding: &&Binding| match &request.wish {
            Wish::List => false,
            Wish::RemoveAll => true,
            Wish::Update(wanted) => wanted.iter().any(|wanted| binding.is_meant_by(wanted)),
        };
        // RFC 3261 §10.3 step 7: a request that is not newer than what it would change fails as a whole.
        if current.iter().filter(touched).any(|binding| !request.is_newer_than(binding)) {
            return Err(Outcome::refuse(500, "Out of Order CSeq"));
        }
        let mut staged = Staged { bindings: current.to_vec(), removed: Vec::new() };
        match &request.wish {
            Wish::List => {}
            Wish::RemoveAll => staged.removed = staged.bindings.drain(..).map(|gone| (gone, Removal::Asked)).collect(),
            Wish::Update(wanted) => {
                wanted.iter().for_each(|wanted| staged.apply(now, request, wanted));
                self.keep_limits(current, &mut staged, request)?;
            }
        }
        Ok(staged)
    }

    fn keep_limits(&self, current: &[Binding], staged: &mut Staged, request: &Request) -> Result<(), Outcome> {
        // An account whose limit was lowered may still refresh what it has.
        let limit = self.limits.contacts.max(1).max(current.len());
        while staged.bindings.len() > limit {
            let Some(at) = staged.gives_way(request, &self.cut_off) else {
                let warning = format!("399 tandem \"Already {limit} contacts: remove one or wait until it expires\"");
                return Err(Outcome::refuse(403, "Too Many Contacts").with(Name::Warning, warning));
            };
            let gone = staged.bindings.remove(at);
            staged.removed.push((gone, Removal::Replaced));
        }
        let grown = staged.bindings.len().saturating_sub(current.len());
        if grown > 0 && self.count() + grown > self.limits.bindings {
            let retry = self.limits.min.as_secs().max(1).to_string();
            return Err(Outcome::refuse(503, "Registrar Full").with(Name::RetryAfter, retry));
        }
        Ok(())
    }

    fn commit(&mut self, user: &str, staged: Staged) {
        self.mark(user);
        for (gone, why) in staged.removed {
            // What was added and removed by one and the same request was never there.
            if gone.id != 0 {
                self.remove(gone.id, why);
            }
        }
        let mut bindings = staged.bindings;
        for binding in &mut bindings {
            if self.binding(binding.id) == Some(binding) {
                continue;
            }
            if binding.id == 0 {
                self.last_id += 1;
                binding.id = self.last_id;
                binding.epoch = self.last_id;
                self.note(Change::Added { user: user.to_owned(), binding: binding.clone() });
            } else {
                self.unlink(binding.id);
                if binding.epoch == 0 {
                    self.last_id += 1;
                    binding.epoch = self.last_id;
                }
            }
            self.link(user, binding);
        }
        // Most have one phone, and there may be a million of them.
        bindings.shrink_to_fit();
        match self.users.get_mut(user) {
            _ if bindings.is_empty() => drop(self.users.remove(user)),
            Some(known) => *known = bindings,
            None => drop(self.users.insert(user.to_owned(), bindings)),
        }
    }

    fn remove(&mut self, id: u64, why: Removal) {
        let Some(user) = self.owners.get(&id).map(|user| user.to_string()) else { return };
        self.mark(&user);
        self.unlink(id);
        let Some(bindings) = self.users.get_mut(&user) else { return };
        let position = bindings.iter().position(|binding| binding.id == id);
        let gone = position.map(|at| bindings.remove(at));
        if bindings.is_empty() {
            self.users.remove(&user);
        }
        if let Some(binding) = gone {
            self.note(Change::Removed { user, binding, why });
        }
    }

    fn link(&mut self, user: &str, binding: &Binding) {
        self.owners.insert(binding.id, user.into());
        if binding.instance.is_some() {
            self.epochs.insert(binding.epoch, binding.id);
        }
        self.expiry.set(binding.id, binding.expires_at);
        self.ways.add(binding.flow);
        if binding.flow.transport.is_reliable() {
            self.flows.entry(binding.flow).or_default().push(binding.id);
        }
    }

    /// Takes a binding out of the indexes, as it stands in the list of its user.
    fn unlink(&mut self, id: u64) {
        self.expiry.cancel(id);
        self.cut_off.remove(&id);
        let Some(user) = self.owners.remove(&id) else { return };
        let bindings = self.users.get(&*user).map(Vec::as_slice).unwrap_or_default();
        let Some((flow, epoch)) =
            bindings.iter().find(|binding| binding.id == id).map(|binding| (binding.flow, binding.epoch))
        else {
            return;
        };
        self.epochs.remove(&epoch);
        self.ways.remove(flow);
        if let Some(ids) = self.flows.get_mut(&flow) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.flows.remove(&flow);
            }
        }
    }

    /// The 200 that lists what is bound now (RFC 3261 §10.3 step 8).
    fn listing(&mut self, now: Now, user: &str, knows_gruu: bool) -> Outcome {
        let mut headers = Headers::new();
        for binding in self.bindings(now, user) {
            let mut contact = binding.contact(now.time);
            if let Some(instance) = binding.instance.as_ref().filter(|_| knows_gruu) {
                self.given_out += 1;
                let domain = &self.limits.domain;
                let public = gruu::public(user, domain, instance);
                let temporary = gruu::temporary(&self.secret, binding.epoch, self.given_out, domain);
                contact.push_str(&format!(";pub-gruu=\"{public}\";temp-gruu=\"{temporary}\""));
            }
            headers.push((Name::Contact, contact));
        }
        headers.push((Name::Date, date(now.wall)));
        Outcome { status: 200, reason: "", headers }
    }

    fn note(&mut self, change: Change) {
        if self.changes.len() >= CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }
}

/// What the answer says of extensions: the way that was noted (RFC 3327 §5.3) and the way to us for requests of the phone
/// (RFC 3608), that flows are kept apart and how soon a silent one is taken for dead (RFC 5626 §6).
fn extend(outcome: &mut Outcome, request: &Request, limits: &RegistrarLimits) {
    if outcome.status != 200 {
        return;
    }
    outcome.headers.push((Name::Supported, EXTENSIONS.join(", ")));
    outcome.headers.extend(request.path.iter().map(|value| (Name::Path, value.clone())));
    if !request.path.is_empty() {
        let ours = limits.announce.socket(request.flow);
        let route = format!("<sip:{ours}{};lr>", request.flow.transport.parameter());
        outcome.headers.push((Name::ServiceRoute, route));
    }
    if request.keeps_flows {
        outcome.headers.push((Name::Require, "outbound".to_owned()));
        let is_connection = request.flow.transport.is_reliable();
        let timer = if is_connection { CONNECTION_TIMER } else { limits.flow_timer };
        outcome.headers.push((Name::FlowTimer, timer.as_secs().to_string()));
    }
}

/// The address of record that a REGISTER is for: its To.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aor {
    /// Unescaped; empty where the URI has no user part.
    pub user: String,
    /// In lower case.
    pub host: String,
}

/// Reads the address of record, which the caller compares with the user that digest proved.
pub fn aor_of(message: &Message) -> Result<Aor, HeaderError> {
    let to = message.to()?;
    let uri = to.parse_uri().map_err(|_| HeaderError { name: Name::To, what: "no URI" })?;
    Ok(Aor { user: uri.user_decoded().into_owned(), host: uri.host().to_ascii_lowercase() })
}

/// An account's bindings while a request is applied to them. A binding with the id 0 is new.
struct Staged {
    bindings: Vec<Binding>,
    removed: Vec<(Binding, Removal)>,
}

impl Staged {
    fn apply(&mut self, now: Time, request: &Request, wanted: &Wanted) {
        let position = self.bindings.iter().position(|binding| binding.is_meant_by(wanted));
        match (position, wanted.granted.is_zero()) {
            (Some(at), true) => {
                let gone = self.bindings.remove(at);
                self.removed.push((gone, Removal::Asked));
            }
            (None, true) => {}
            (Some(at), false) => {
                if let Some(binding) = self.bindings.get_mut(at) {
                    // Temporary addresses hold while the Call-ID stays (RFC 5627 §3.2).
                    let epoch = if binding.call_id == request.call_id { binding.epoch } else { 0 };
                    *binding = Binding { id: binding.id, epoch, ..request.binding(now, wanted) };
                }
            }
            (None, false) => self.bindings.push(request.binding(now, wanted)),
        }
    }

    /// The binding that looks like an earlier life of the phone that asks, or else of another one.
    fn gives_way(&self, request: &Request, cut_off: &HashSet<u64>) -> Option<usize> {
        let Wish::Update(wanted) = &request.wish else { return None };
        let instances = || wanted.iter().filter_map(|wanted| wanted.instance.as_deref());
        let oldest = |alike: &dyn Fn(&Binding) -> bool| {
            let untouched = |binding: &Binding| !wanted.iter().any(|wanted| binding.is_meant_by(wanted));
            let candidates =
                self.bindings.iter().enumerate().filter(|(_, binding)| untouched(binding) && alike(binding));
            candidates.min_by_key(|(_, binding)| (binding.refreshed_at, binding.id)).map(|(at, _)| at)
        };
        oldest(&|binding| instances().any(|instance| binding.instance.as_deref() == Some(instance)))
            .or_else(|| {
                oldest(&|binding| {
                    binding.user_agent == request.user_agent && binding.flow.remote.ip() == request.flow.remote.ip()
                })
            })
            .or_else(|| oldest(&|binding| cut_off.contains(&binding.id)))
    }
}

#[cfg(test)]
mod tests;
