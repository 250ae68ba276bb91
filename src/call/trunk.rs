//! A configured peer: where it is, whether it answers, whether we are registered there, how many calls it carries.

mod asking;
mod place;
pub(super) mod rests;
pub mod statistics;

use crate::base::chance::Chance;
use crate::base::time::{Now, Time, Wall};
use crate::call::io::{Notice, Output, Ticket};
use crate::call::trunk::place::Place;
use crate::call::trunk::rests::{Fault, Rests};
use crate::call::trunk::statistics::Statistics;
use crate::call::trunks::{Requests, TrunkKey, Work};
use crate::call::view::{AddressView, TrunkView};
use crate::config::settings::{self, ClientCertificate, TrunkTransport};
use crate::sip::announce::Announce;
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::{Flow, Transport};
use crate::sip::locate::{Located, Target};
use crate::sip::qualify::{Qualify, QualifyState};
use crate::sip::registration::{Registration, RegistrationSettings, RegistrationState};
use crate::wire::sip::{NameAddr, escape_user, reason_phrase};
use std::net::{IpAddr, SocketAddr};

pub struct Trunk {
    pub key: TrunkKey,
    pub settings: settings::Trunk,
    announce: Announce,
    /// Where all that begins with us goes: its proxy, or the host itself.
    hop: Place,
    /// The host behind a proxy: calls may come from there.
    home: Option<Place>,
    /// Where calls go as its registrar wants it (RFC 3608).
    service: Option<Place>,
    rests: Rests,
    /// By which REGISTER and OPTIONS go.
    current: Option<Flow>,
    registration: Option<Registration>,
    qualify: Qualify,
    /// Calls in progress, both ways.
    pub calls: usize,
    /// The last final answer to a call of ours.
    pub last_answer: Option<(u16, Wall)>,
    pub statistics: Statistics,
    told: String,
}

impl Trunk {
    pub fn new(
        key: TrunkKey,
        trunk: settings::Trunk,
        all: &settings::Settings,
        now: Now,
        chance: &mut Chance,
    ) -> Trunk {
        let domain = trunk.domain.clone().unwrap_or_else(|| host_text(&trunk.host));
        let announce = Announce::signalling(all);
        let registration = trunk.credentials.as_ref().filter(|_| trunk.register).map(|credentials| {
            let user = escape_user(&credentials.username);
            let aor = format!("sip:{user}@{domain}");
            let settings = RegistrationSettings {
                expires: trunk.expires,
                credentials: Some(credentials_of(credentials)),
                announce: announce.clone(),
                path: trunk.path,
                contact_host: trunk.contact_host.clone(),
                ..RegistrationSettings::new(&format!("sip:{domain}"), &aor, &user)
            };
            Registration::new(settings, format!("{}@{domain}", chance.token(24)))
        });
        let qualify = Qualify::new(now.time, all.sip.options_interval, chance);
        let transport = trunk.transport.map(transport);
        let home = Target::new(&trunk.host, trunk.port, transport);
        let proxy = trunk.outbound_proxy.as_ref().map(|proxy| Target::new(&proxy.host, proxy.port, transport));
        let (hop, home) = match proxy {
            Some(proxy) => (proxy, Some(Place::new(home, now.time))),
            None => (home, None),
        };
        Trunk {
            key,
            settings: trunk,
            announce,
            hop: Place::new(hop, now.time),
            home,
            service: None,
            rests: Rests::default(),
            current: None,
            registration,
            qualify,
            calls: 0,
            last_answer: None,
            statistics: Statistics::default(),
            told: String::new(),
        }
    }

    /// Whether it would be no other with these settings.
    pub fn is_as(&self, trunk: &settings::Trunk, all: &settings::Settings) -> bool {
        self.settings == *trunk && self.announce == Announce::signalling(all)
    }

    /// Keeps what new settings don't change: where the trunk is, without which its own calls would be a stranger's until
    /// it is found again.
    pub fn take_over(&mut self, known: &Trunk, now: Now, chance: &mut Chance) {
        (self.last_answer, self.statistics) = (known.last_answer, known.statistics);
        if self.hop.target() == known.hop.target() {
            (self.hop, self.rests) = (known.hop.clone(), known.rests.clone());
        }
        if let (Some(home), Some(known)) = (&mut self.home, &known.home)
            && home.target() == known.target()
        {
            *home = known.clone();
        }
        if let (Some(flow), Some(registration)) = (self.pick(now.time, chance), &mut self.registration) {
            registration.start(flow, chance);
        }
    }

    /// Whether our contact at its registrar, if there is one, is that of `other` too.
    pub fn has_account_of(&self, other: &Trunk) -> bool {
        let Some(registration) = &self.registration else { return true };
        let same = other.registration.as_ref().is_some_and(|other| other.aor() == registration.aor());
        same && self.hop.target() == other.hop.target()
    }

    /// The hosts at which it is, or was until lately.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        self.callers().flat_map(Place::hosts)
    }

    /// Whether a request from its address over this transport may be its own. A browser's connection may end at a proxy on
    /// the trunk's own machine, and an address is proven by nothing but a connection, so that whoever is reached by
    /// connections comes by them. Where it has to show a certificate, the shell lets no TLS connection of it stand that
    /// didn't.
    pub fn may_come_by(&self, transport: Transport) -> bool {
        let needs_certificate = self.settings.tls.client_certificate == ClientCertificate::Required;
        match self.settings.transport {
            _ if needs_certificate => transport == Transport::Tls,
            Some(TrunkTransport::Tls) => transport == Transport::Tls,
            Some(TrunkTransport::Tcp) => matches!(transport, Transport::Tcp | Transport::Tls),
            Some(TrunkTransport::Udp) | None => !transport.is_websocket(),
        }
    }

    /// Ways to it for one call, those to be tried first in front; none where it isn't found, or wants to be left alone.
    pub fn ways(&self, now: Time, chance: &mut Chance) -> Vec<Flow> {
        let place = self.service.as_ref().unwrap_or(&self.hop);
        self.rests.sort(now, place.order(chance))
    }

    /// Whether a way has failed of late.
    pub fn is_resting(&self, now: Time, way: Flow) -> bool {
        self.rests.until(now, way).is_some()
    }

    /// Whether a way has had no answer of late, or wants to be left alone.
    pub fn is_silent(&self, now: Time, way: Flow) -> bool {
        self.is_resting(now, way) && self.rests.fault(way) != Some(Fault::Busy { retry_after: None })
    }

    /// Values of Route for a call: its proxy, then what its registrar wants (RFC 3608).
    pub fn routes(&self) -> Vec<String> {
        let mut routes = self.proxy_route();
        let wanted = self.registration.as_ref().map(Registration::service_route).unwrap_or_default();
        // A proxy that the registrar names as well is passed once.
        let named = |route: &String| !routes.is_empty() && target_of(route).as_ref().is_some_and(|at| self.is_hop(at));
        let twice = wanted.first().is_some_and(named);
        routes.extend(wanted.iter().skip(usize::from(twice)).cloned());
        routes
    }

    /// A call of ours failed on its way to an address.
    pub fn way_failed(&mut self, now: Time, way: Flow, fault: Fault, chance: &mut Chance) {
        self.rests.failed(now, way, fault, chance);
    }

    /// An address took a call of ours, whatever its answer was.
    pub fn way_answered(&mut self, way: Flow) {
        self.rests.answered(way, true);
    }

    pub fn is_found(&self) -> bool {
        self.service.as_ref().unwrap_or(&self.hop).is_known()
    }

    pub fn is_at(&self, remote: SocketAddr) -> bool {
        let same = |way: Flow| {
            way.remote.port() == remote.port() && way.remote.ip().to_canonical() == remote.ip().to_canonical()
        };
        self.callers().any(|place| place.ways().any(same))
    }

    pub fn calls_from(&self, remote: IpAddr, now: Time) -> bool {
        self.callers().any(|place| place.was_at(remote, now))
            || self.settings.from.iter().any(|network| network.contains(remote))
    }

    /// The way to one of its addresses.
    pub fn way_to(&self, remote: SocketAddr) -> Option<Flow> {
        self.places().find_map(|place| place.ways().find(|way| way.remote == remote))
    }

    pub fn is_full(&self) -> bool {
        self.settings.max_calls.is_some_and(|most| self.calls >= most)
    }

    /// Whether a call may be tried there before others: it is found, and doesn't leave our OPTIONS without an answer.
    pub fn is_up(&self) -> bool {
        self.is_found() && self.qualify.is_usable()
    }

    pub fn is_registered(&self) -> bool {
        self.registration
            .as_ref()
            .is_some_and(|registration| matches!(registration.state(), RegistrationState::Registered { .. }))
    }

    pub fn registered_until(&self) -> Option<Time> {
        match self.registration.as_ref()?.state() {
            RegistrationState::Registered { until } => Some(until),
            _ => None,
        }
    }

    /// The domain that its addresses carry.
    pub fn domain(&self) -> String {
        self.settings.domain.clone().unwrap_or_else(|| host_text(&self.settings.host))
    }

    /// The domain in which it is told of our people: its own where we have an account there.
    pub fn own_domain(&self, settings: &settings::Settings) -> String {
        match self.settings.credentials {
            Some(_) => self.domain(),
            None => settings.sip.domain.clone(),
        }
    }

    /// A request URI for one of its numbers.
    pub fn uri(&self, number: &str) -> String {
        let host = host_text(&self.settings.host);
        let port = self.settings.port.map(|port| format!(":{port}")).unwrap_or_default();
        let transport = self.settings.transport.map_or("", |named| transport(named).parameter());
        format!("sip:{}@{host}{port}{transport}", escape_user(number))
    }

    pub fn credentials(&self) -> Option<ClientCredentials> {
        self.settings.credentials.as_ref().map(credentials_of)
    }

    /// In words, for people: `registered`, `up`, `down: no answer to OPTIONS`, …
    pub fn state(&self) -> String {
        match (self.hop.lost(), self.hop.is_known()) {
            (Some(why), false) => format!("not found: {why}"),
            (None, false) => "looking it up".to_owned(),
            (None, true) => self.answering(),
            (Some(why), true) => format!("{}; where it was, since DNS fails: {why}", self.answering()),
        }
    }

    fn answering(&self) -> String {
        if let Some(registration) = &self.registration {
            return match registration.state() {
                RegistrationState::Registered { .. } => "registered".to_owned(),
                RegistrationState::Waiting { why, .. } => format!("not registered: {why}"),
                RegistrationState::Refused { why, .. } => format!("registration refused: {why}"),
                RegistrationState::Registering => "registering".to_owned(),
                RegistrationState::Unregistering | RegistrationState::Idle => "not registered".to_owned(),
            };
        }
        match self.qualify.state() {
            QualifyState::Down { why, .. } => format!("down: {why}"),
            QualifyState::Up { .. } => "up".to_owned(),
            QualifyState::Unknown => "known by its address".to_owned(),
        }
    }

    /// For people.
    pub fn view(&self, now: Now) -> TrunkView {
        let until = self.registered_until().map(|until| {
            Wall::from_micros(now.wall.micros() + i64::try_from((until - now.time).as_micros()).unwrap_or(0))
        });
        TrunkView {
            name: self.settings.name.clone(),
            host: self.settings.host.clone(),
            up: self.is_up() && (self.registration.is_none() || self.is_registered()),
            state: self.state(),
            addresses: self.addresses(now.time),
            lookup_failing: self.hop.lost().is_some(),
            registered_until: until,
            calls: self.calls,
            max_calls: self.settings.max_calls,
            last_answer: self.last_answer.map(|(status, _)| format!("{status} {}", reason_phrase(status))),
            last_answer_at: self.last_answer.map(|(_, at)| at),
            statistics: self.statistics,
        }
    }

    fn addresses(&self, now: Time) -> Vec<AddressView> {
        let place = self.service.as_ref().unwrap_or(&self.hop);
        let mut ways: Vec<Flow> = place.ways().collect();
        ways.sort_by_key(|&way| (place.rank(way), way.transport, way.remote));
        ways.dedup();
        let view = |way: Flow| AddressView {
            address: way.to_string(),
            out_for_s: self.rests.until(now, way).map(|until| (until - now).as_secs().max(1)),
            why: self.rests.until(now, way).and_then(|_| self.rests.fault(way)).map(Fault::text),
        };
        ways.into_iter().map(view).collect()
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        let registration = self.registration.as_ref().and_then(Registration::poll_timeout);
        let qualify = self.qualify.poll_timeout();
        // Nothing can be sent while there is no address.
        let asked = if self.hop.is_known() { [registration, qualify].into_iter().flatten().min() } else { None };
        asked.into_iter().chain(self.places().filter_map(Place::poll_timeout)).min()
    }

    pub fn has_asked(&self, ticket: Ticket) -> bool {
        self.places().any(|place| place.is_asking(ticket))
    }

    pub fn located(&mut self, now: Time, ticket: Ticket, result: &Result<Located<Flow>, String>, chance: &mut Chance) {
        let was_lost = self.hop.lost().is_some();
        let Some(place) = self.places_mut().find(|place| place.is_asking(ticket)) else { return };
        place.found(now, result);
        if !self.hop.is_known() {
            return;
        }
        let before = self.current;
        let gone = before.is_none_or(|way| self.hop.rank(way).is_none());
        let way = if gone { self.pick(now, chance) } else { before };
        let (Some(way), Some(registration)) = (way, &mut self.registration) else { return };
        match before {
            None => registration.start(way, chance),
            Some(_) => registration.set_flow(way),
        }
        // The registrar that knew us is no more, or has been out of sight.
        if before.is_some() && (gone || was_lost && self.hop.lost().is_none()) {
            registration.network_is_back(now, chance);
        }
    }

    pub fn unregister(&mut self, now: Now, chance: &mut Chance) {
        if let Some(registration) = &mut self.registration {
            registration.unregister(now.time, chance);
        }
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Now, work: &mut Work, requests: &mut Requests) {
        self.follow_service_route(now.time);
        for place in self.places_mut() {
            let ticket = Ticket(*work.tickets + 1);
            if place.handle_timeout(now.time, ticket) {
                *work.tickets += 1;
                work.outputs.push_back(Output::Locate { ticket, target: place.target().clone() });
            }
        }
        self.register(now, work, requests);
        self.ask(now, work, requests);
        let state = self.state();
        if state != self.told && !state.starts_with("registering") && !state.starts_with("looking") {
            self.told.clone_from(&state);
            let trunk = self.settings.name.clone();
            work.outputs.push_back(Output::Notice(Notice::TrunkChanged { trunk, state }));
        }
    }

    /// The way for what isn't a call: the best one that doesn't rest; among equals the one that is in use.
    fn pick(&mut self, now: Time, chance: &mut Chance) -> Option<Flow> {
        let order = self.rests.sort(now, self.hop.order(chance));
        let best = order.first().copied().or_else(|| self.hop.ways().next())?;
        let kept = self.current.filter(|&way| {
            !self.is_resting(now, way) && self.hop.rank(way).is_some_and(|rank| Some(rank) == self.hop.rank(best))
        });
        self.current = Some(kept.unwrap_or(best));
        self.current
    }

    /// Where the registrar wants calls to go; a proxy before it passes them on itself.
    fn follow_service_route(&mut self, now: Time) {
        let routes = self.registration.as_ref().map(Registration::service_route).unwrap_or_default();
        let first = routes.first().filter(|_| self.settings.outbound_proxy.is_none());
        let wanted = first.and_then(|route| target_of(route)).filter(|at| !self.is_hop(at));
        if wanted.as_ref() != self.service.as_ref().map(Place::target) {
            self.service = wanted.map(|target| Place::new(target, now));
        }
    }

    fn is_hop(&self, target: &Target) -> bool {
        let hop = self.hop.target();
        hop.host.eq_ignore_ascii_case(&target.host) && hop.port.unwrap_or(5060) == target.port.unwrap_or(5060)
    }

    fn proxy_route(&self) -> Vec<String> {
        let Some(proxy) = &self.settings.outbound_proxy else { return Vec::new() };
        let port = proxy.port.map(|port| format!(":{port}")).unwrap_or_default();
        let transport = self.settings.transport.map_or("", |named| transport(named).parameter());
        vec![format!("<sip:{}{port}{transport};lr>", host_text(&proxy.host))]
    }

    /// The places from which its calls come. Where it has to show a certificate, the shell asks for that at the addresses of
    /// its own name only.
    fn callers(&self) -> impl Iterator<Item = &Place> {
        let is_free = self.settings.tls.client_certificate != ClientCertificate::Required;
        self.places().filter(move |place| is_free || place.target().host.eq_ignore_ascii_case(&self.settings.host))
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        [Some(&self.hop), self.home.as_ref(), self.service.as_ref()].into_iter().flatten()
    }

    fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        [Some(&mut self.hop), self.home.as_mut(), self.service.as_mut()].into_iter().flatten()
    }
}

fn credentials_of(credentials: &settings::TrunkCredentials) -> ClientCredentials {
    ClientCredentials { username: credentials.username.clone(), password: credentials.password.clone(), realm: None }
}

fn transport(transport: TrunkTransport) -> Transport {
    match transport {
        TrunkTransport::Udp => Transport::Udp,
        TrunkTransport::Tcp => Transport::Tcp,
        TrunkTransport::Tls => Transport::Tls,
    }
}

/// Where a Route value leads.
fn target_of(route: &str) -> Option<Target> {
    Target::of_uri(&NameAddr::parse(route).ok()?.parse_uri().ok()?)
}

/// A host as it stands in a URI: an IPv6 address in brackets.
fn host_text(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}
