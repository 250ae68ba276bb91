//! The configured peers: where they are, whether they answer, whether we are registered there, how many calls they carry.

use crate::base::chance::Chance;
use crate::base::time::{Now, Time, Wall};
use crate::call::io::{Notice, Output, Ticket};
use crate::call::view::TrunkView;
use crate::config::settings::{self, ClientCertificate, TrunkTransport};
use crate::sip::agent::{Agent, Failure, OutgoingRequest, RequestId};
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::{Flow, Transport};
use crate::sip::qualify::{Qualify, QualifyState};
use crate::sip::registration::{Action, Registration, RegistrationSettings, RegistrationState, Unanswered};
use crate::wire::sip::{Message, Method, escape_user, reason_phrase};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Addresses are looked up again after so long, and sooner while there are none.
const LOCATE_INTERVAL: Duration = Duration::from_secs(60);
const LOCATE_RETRY: Duration = Duration::from_secs(10);

pub struct Trunk {
    pub settings: settings::Trunk,
    /// Where it is, best first; empty until it was found.
    flows: Vec<Flow>,
    locate_at: Time,
    locating: Option<Ticket>,
    /// Why it wasn't found.
    lost: Option<String>,
    registration: Option<Registration>,
    qualify: Qualify,
    /// Calls in progress, both ways.
    pub calls: usize,
    /// The last final answer to a call of ours.
    pub last_answer: Option<(u16, Wall)>,
    told: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Register,
    Options,
}

#[derive(Default)]
pub struct Trunks {
    trunks: Vec<Trunk>,
    requests: HashMap<RequestId, (String, Purpose)>,
}

impl Trunks {
    pub fn new(settings: &settings::Settings, now: Now, chance: &mut Chance) -> Trunks {
        let mut trunks = Trunks::default();
        trunks.reload(settings, now, chance);
        trunks
    }

    /// Takes on new settings. A trunk whose own settings are unchanged keeps its state; one that is new or changed is begun
    /// anew, and its calls in progress are for the owner to count.
    pub fn reload(&mut self, settings: &settings::Settings, now: Now, chance: &mut Chance) {
        let mut before: Vec<Trunk> = std::mem::take(&mut self.trunks);
        for trunk in &settings.trunks {
            let known = before.iter().position(|known| known.settings.name == trunk.name);
            match known.map(|at| before.swap_remove(at)) {
                Some(known) if known.settings == *trunk => self.trunks.push(known),
                known => {
                    let mut fresh = Trunk::new(trunk.clone(), settings, now, chance);
                    if let Some(known) = known {
                        fresh.take_over(known, chance);
                    }
                    // What was asked in its name before concerns it no more.
                    self.requests.retain(|_, (name, _)| *name != trunk.name);
                    self.trunks.push(fresh);
                }
            }
        }
    }

    pub fn by_name(&self, name: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.settings.name == name)
    }

    pub fn by_name_mut(&mut self, name: &str) -> Option<&mut Trunk> {
        self.trunks.iter_mut().find(|trunk| trunk.settings.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Trunk> {
        self.trunks.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Trunk> {
        self.trunks.iter_mut()
    }

    /// The trunk that is at this very address and port.
    pub fn at(&self, remote: SocketAddr) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.flows.iter().any(|flow| same(flow.remote, remote)))
    }

    /// The trunk that may call from this address, whatever the port: carriers send from many.
    pub fn reaching_from(&self, remote: IpAddr) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| {
            trunk.flows.iter().any(|flow| flow.remote.ip().to_canonical() == remote.to_canonical())
                || trunk.settings.from.iter().any(|network| network.contains(remote))
        })
    }

    /// Does what is due: look-ups, registrations, OPTIONS.
    pub fn advance(&mut self, now: Now, work: &mut Work) {
        for trunk in &mut self.trunks {
            trunk.advance(now, work, &mut self.requests);
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.trunks.iter().filter_map(Trunk::poll_timeout).min()
    }

    /// Takes the answer to a look-up; false if no trunk had asked.
    pub fn located(&mut self, now: Now, ticket: Ticket, result: &Result<Vec<Flow>, String>, work: &mut Work) -> bool {
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.locating == Some(ticket)) else { return false };
        trunk.located(now, result, work.chance);
        trunk.advance(now, work, &mut self.requests);
        true
    }

    /// Takes an answer to a request of ours; false if it was no trunk's.
    pub fn answered(&mut self, now: Now, id: RequestId, message: &Message, work: &mut Work) -> bool {
        let Some((name, purpose)) = self.requests.get(&id).cloned() else { return false };
        if message.status() >= 200 {
            self.requests.remove(&id);
        }
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.settings.name == name) else { return true };
        match (purpose, &mut trunk.registration) {
            (Purpose::Register, Some(registration)) => registration.answered(now.time, message, work.chance),
            (Purpose::Options, _) => {
                let changed = trunk.qualify.answered(now.time, message.status(), work.chance);
                // It was away and is back, perhaps without knowing us any more.
                if let Some(registration) = trunk.registration.as_mut().filter(|_| changed && trunk.qualify.is_usable())
                {
                    registration.network_is_back(now.time, work.chance);
                }
            }
            _ => {}
        }
        trunk.advance(now, work, &mut self.requests);
        true
    }

    pub fn failed(&mut self, now: Now, id: RequestId, cause: Failure, work: &mut Work) -> bool {
        let Some((name, purpose)) = self.requests.remove(&id) else { return false };
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.settings.name == name) else { return true };
        let why = match cause {
            Failure::Timeout => Unanswered::Timeout,
            Failure::Transport | Failure::Limit => Unanswered::Transport,
        };
        match (purpose, &mut trunk.registration) {
            (Purpose::Register, Some(registration)) => registration.failed(now.time, why, work.chance),
            (Purpose::Options, _) => {
                let why = if why == Unanswered::Timeout { "no answer to OPTIONS" } else { "OPTIONS could not be sent" };
                trunk.qualify.failed(now.time, why, work.chance);
            }
            _ => {}
        }
        trunk.advance(now, work, &mut self.requests);
        true
    }

    /// Takes our contacts back, before the process ends.
    pub fn unregister(&mut self, now: Now, work: &mut Work) {
        for trunk in &mut self.trunks {
            if let Some(registration) = &mut trunk.registration {
                registration.unregister(now.time, work.chance);
            }
            trunk.advance(now, work, &mut self.requests);
        }
    }
}

/// What a trunk needs of the switch in order to act.
pub struct Work<'a> {
    pub agent: &'a mut Agent,
    pub chance: &'a mut Chance,
    pub outputs: &'a mut VecDeque<Output>,
    pub tickets: &'a mut u64,
}

impl Trunk {
    fn new(trunk: settings::Trunk, all: &settings::Settings, now: Now, chance: &mut Chance) -> Trunk {
        let domain = trunk.domain.clone().unwrap_or_else(|| host_text(&trunk.host));
        let registration = trunk.credentials.as_ref().filter(|_| trunk.register).map(|credentials| {
            let user = escape_user(&credentials.username);
            let aor = format!("sip:{user}@{domain}");
            let settings = RegistrationSettings {
                expires: trunk.expires,
                credentials: Some(credentials_of(credentials)),
                ..RegistrationSettings::new(&format!("sip:{domain}"), &aor, &user)
            };
            Registration::new(settings, format!("{}@{domain}", chance.token(24)))
        });
        let qualify = Qualify::new(now.time, all.sip.options_interval, chance);
        Trunk {
            settings: trunk,
            flows: Vec::new(),
            locate_at: now.time,
            locating: None,
            lost: None,
            registration,
            qualify,
            calls: 0,
            last_answer: None,
            told: String::new(),
        }
    }

    /// Keeps what new settings don't change: where the trunk is, without which its own calls would be a stranger's until
    /// it is found again.
    fn take_over(&mut self, known: Trunk, chance: &mut Chance) {
        self.last_answer = known.last_answer;
        let place = |of: &settings::Trunk| (of.host.clone(), of.port, of.transport);
        if place(&self.settings) == place(&known.settings) {
            self.flows = known.flows;
        }
        if let (Some(registration), Some(&flow)) = (&mut self.registration, self.flows.first()) {
            registration.start(flow, chance);
        }
    }

    /// Whether a request from its address over this transport may be its own. Where it has to show a certificate, the
    /// shell lets no TLS connection of it stand that didn't.
    pub fn may_come_by(&self, transport: Transport) -> bool {
        self.settings.tls.client_certificate != ClientCertificate::Required || transport == Transport::Tls
    }

    /// Where calls to it go.
    pub fn flow(&self) -> Option<Flow> {
        self.flows.first().copied()
    }

    pub fn is_full(&self) -> bool {
        self.settings.max_calls.is_some_and(|most| self.calls >= most)
    }

    /// Whether a call may be tried there before others: it is found, and doesn't leave our OPTIONS without an answer.
    pub fn is_up(&self) -> bool {
        !self.flows.is_empty() && self.qualify.is_usable()
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
        let transport = transport(self.settings.transport).parameter();
        format!("sip:{}@{host}{port}{transport}", escape_user(number))
    }

    pub fn credentials(&self) -> Option<ClientCredentials> {
        self.settings.credentials.as_ref().map(credentials_of)
    }

    /// In words, for people: `registered`, `up`, `down: no answer to OPTIONS`, …
    pub fn state(&self) -> String {
        if let (Some(why), true) = (&self.lost, self.flows.is_empty()) {
            return format!("not found: {why}");
        }
        if self.flows.is_empty() {
            return "looking it up".to_owned();
        }
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
            registered_until: until,
            calls: self.calls,
            max_calls: self.settings.max_calls,
            last_answer: self.last_answer.map(|(status, _)| format!("{status} {}", reason_phrase(status))),
            last_answer_at: self.last_answer.map(|(_, at)| at),
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let registration = self.registration.as_ref().and_then(Registration::poll_timeout);
        let qualify = self.qualify.poll_timeout();
        let locate = self.locating.is_none().then_some(self.locate_at);
        // Nothing can be sent while there is no address.
        let asked = if self.flows.is_empty() { None } else { [registration, qualify].into_iter().flatten().min() };
        [asked, locate].into_iter().flatten().min()
    }

    fn located(&mut self, now: Now, result: &Result<Vec<Flow>, String>, chance: &mut Chance) {
        self.locating = None;
        match result {
            Ok(flows) if !flows.is_empty() => {
                let first = self.flows.is_empty();
                let was_lost = self.lost.take().is_some();
                self.flows.clone_from(flows);
                self.locate_at = now.time + LOCATE_INTERVAL;
                match (&mut self.registration, flows.first()) {
                    (Some(registration), Some(&flow)) if first => registration.start(flow, chance),
                    (Some(registration), Some(&flow)) => registration.set_flow(flow),
                    _ => {}
                }
                if let Some(registration) = self.registration.as_mut().filter(|_| was_lost) {
                    registration.network_is_back(now.time, chance);
                }
            }
            Ok(_) => self.not_found(now, "the name has no address".to_owned()),
            Err(why) => self.not_found(now, why.clone()),
        }
    }

    /// Addresses once known stay in use while the look-up fails.
    fn not_found(&mut self, now: Now, why: String) {
        self.lost = Some(why);
        self.locate_at = now.time + LOCATE_RETRY;
    }

    fn advance(&mut self, now: Now, work: &mut Work, requests: &mut HashMap<RequestId, (String, Purpose)>) {
        if self.locating.is_none() && self.locate_at <= now.time {
            *work.tickets += 1;
            let ticket = Ticket(*work.tickets);
            self.locating = Some(ticket);
            work.outputs.push_back(Output::Locate {
                ticket,
                host: self.settings.host.clone(),
                port: self.settings.port,
                transport: transport(self.settings.transport),
            });
        }
        self.register(now, work, requests);
        if let Some(flow) = self.flow() {
            self.ask(now, flow, work, requests);
        }
        let state = self.state();
        if state != self.told && !state.starts_with("registering") && !state.starts_with("looking") {
            self.told.clone_from(&state);
            let trunk = self.settings.name.clone();
            work.outputs.push_back(Output::Notice(Notice::TrunkChanged { trunk, state }));
        }
    }

    fn register(&mut self, now: Now, work: &mut Work, requests: &mut HashMap<RequestId, (String, Purpose)>) {
        let Some(registration) = &mut self.registration else { return };
        registration.handle_timeout(now.time, work.chance);
        while let Some(Action::Register(register)) = registration.poll_action() {
            let request = OutgoingRequest {
                call_id: Some(register.call_id),
                cseq: Some(register.cseq),
                headers: register.headers,
                contact: Some(register.contact),
                ..OutgoingRequest::new(
                    Method::Register,
                    register.uri,
                    register.flow,
                    register.aor.clone(),
                    register.aor,
                )
            };
            let id = work.agent.request(now, request);
            requests.insert(id, (self.settings.name.clone(), Purpose::Register));
        }
    }

    fn ask(&mut self, now: Now, flow: Flow, work: &mut Work, requests: &mut HashMap<RequestId, (String, Purpose)>) {
        let uri = self.uri("").replacen("sip:@", "sip:", 1);
        let domain = self.domain();
        self.qualify.handle_timeout(now.time);
        while self.qualify.poll_action().is_some() {
            let (from, to) = (format!("<sip:tandem@{domain}>"), format!("<{uri}>"));
            let request = OutgoingRequest {
                contact: Some(format!("<sip:tandem@{}>", flow.local)),
                ..OutgoingRequest::new(Method::Options, uri.clone(), flow, from, to)
            };
            let id = work.agent.request(now, request);
            requests.insert(id, (self.settings.name.clone(), Purpose::Options));
        }
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

fn same(one: SocketAddr, two: SocketAddr) -> bool {
    one.port() == two.port() && one.ip().to_canonical() == two.ip().to_canonical()
}

/// A host as it stands in a URI: an IPv6 address in brackets.
fn host_text(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}
