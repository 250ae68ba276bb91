//! Our registration with a trunk (RFC 3261 §10.2): refreshed for as long as it is wanted, pressed on through failures, and
//! taken back at the end. Pure: [`Registration::poll_action`] says what to send, and the caller brings back what came of
//! it.

use crate::base::chance::Chance;
use crate::base::time::Time;
use crate::sip::announce::Announce;
use crate::sip::digest::{ClientCredentials, Responder};
use crate::sip::flow::{Flow, Headers};
use crate::wire::sip::{Contacts, Message, Name, Uri, escape_user, reason_phrase};
use std::time::Duration;

/// How often one refresh answers a 401, how often a 407, and how often it takes a 423's word.
const CHALLENGES: u32 = 2;
const BRIEF: u32 = 2;
/// A registrar that asks for more than this isn't obeyed: 30 days.
const EXPIRES_MAX: u32 = 30 * 86_400;
/// Within which a Retry-After is obeyed.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(5);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// Refreshes are at least so far apart, whatever little is granted.
const REFRESH_MIN: Duration = Duration::from_secs(1);
/// How soon all trunks are tried again once the network is back, each at its own moment.
const QUICK_MS: u64 = 2_000;

#[derive(Clone, Debug, PartialEq)]
pub struct RegistrationSettings {
    /// The Request-URI, such as `sip:sip.acme.example`.
    pub registrar_uri: String,
    /// The address of record, such as `sip:4711@sip.acme.example`: To and From.
    pub aor: String,
    /// The user part of our Contact, unescaped.
    pub contact_user: String,
    /// Our name where the registrar knows us by one.
    pub contact_host: Option<String>,
    /// What we ask for.
    pub expires: Duration,
    pub credentials: Option<ClientCredentials>,
    /// What our address is called in Contact.
    pub announce: Announce,
    /// Whether proxies are told that they may add themselves to the way back (RFC 3327 §5.1). A registrar that requires
    /// it has it in any case.
    pub path: bool,
    /// Back-off by RFC 5626 §4.5: `base * 2^failures`, up to `max`, of which 50 to 100 % are waited.
    pub backoff_base: Duration,
    pub backoff_max: Duration,
    /// How long we wait after the registrar refused us, which a person has to mend; 50 to 100 % of it.
    pub refused_retry: Duration,
}

impl RegistrationSettings {
    pub fn new(registrar_uri: &str, aor: &str, contact_user: &str) -> RegistrationSettings {
        RegistrationSettings {
            registrar_uri: registrar_uri.to_owned(),
            aor: aor.to_owned(),
            contact_user: contact_user.to_owned(),
            contact_host: None,
            expires: Duration::from_secs(3_600),
            credentials: None,
            announce: Announce::default(),
            path: false,
            backoff_base: Duration::from_secs(30),
            backoff_max: Duration::from_secs(1_800),
            refused_retry: Duration::from_secs(1_800),
        }
    }
}

/// What the caller does for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    Register(Register),
}

/// A REGISTER to send; its outcome comes back by [`Registration::answered`] or [`Registration::failed`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Register {
    pub flow: Flow,
    /// The Request-URI.
    pub uri: String,
    /// To and From, as a name-addr without a tag.
    pub aor: String,
    pub call_id: String,
    pub cseq: u32,
    /// The value of Contact.
    pub contact: String,
    /// Seconds; also in `headers`. 0 takes the registration back.
    pub expires: u32,
    /// Expires, and the credentials if there are any.
    pub headers: Headers,
}

/// Why a request has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unanswered {
    Timeout,
    Transport,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistrationState {
    /// Not wanted, or taken back.
    Idle,
    Registering,
    Registered {
        until: Time,
    },
    /// Not registered, and tried again at `until`.
    Waiting {
        until: Time,
        why: String,
    },
    /// The registrar won't have us. Tried again at `until`, slowly, as somebody has to mend it.
    Refused {
        status: u16,
        why: String,
        until: Time,
    },
    Unregistering,
}

pub struct Registration {
    settings: RegistrationSettings,
    call_id: String,
    cseq: u32,
    flow: Option<Flow>,
    /// What we ask for, in seconds; a 423 raises it.
    expires: u32,
    responder: Option<Responder>,
    phase: Phase,
    /// Until when the registrar knows us.
    bound_until: Option<Time>,
    /// In a row.
    failures: u32,
    /// Answered in this round: of the registrar and of a proxy before it.
    challenges: [u32; 2],
    /// 423 obeyed in this round.
    brief: u32,
    /// Whether to take the registration back once the request in flight has ended.
    leaving: bool,
    /// Whether to try again soon once the request in flight has failed.
    hurry: bool,
    action: Option<Register>,
    /// Where the registrar wants requests of ours to go.
    service_route: Vec<String>,
    /// Whether the registrar insisted on the extension of RFC 3327.
    path: bool,
}

#[derive(Clone, PartialEq, Debug)]
enum Phase {
    Idle,
    /// A request is in flight or waits to be polled. Only one at a time (RFC 3261 §10.2).
    Asking,
    /// Nothing is in flight until `wake`.
    Resting {
        wake: Time,
        because: Rest,
    },
    Leaving,
}

#[derive(Clone, PartialEq, Debug)]
enum Rest {
    Refresh,
    BackOff(String),
    Refused(u16, String),
}

impl Registration {
    /// `call_id` stays the same for the registration's life, and is best minted anew in each process.
    pub fn new(settings: RegistrationSettings, call_id: String) -> Registration {
        let expires = u32::try_from(settings.expires.as_secs()).unwrap_or(EXPIRES_MAX).clamp(1, EXPIRES_MAX);
        let responder = settings.credentials.clone().map(Responder::new);
        Registration {
            call_id,
            cseq: 0,
            flow: None,
            expires,
            responder,
            phase: Phase::Idle,
            bound_until: None,
            failures: 0,
            challenges: [0; 2],
            brief: 0,
            leaving: false,
            hurry: false,
            action: None,
            service_route: Vec::new(),
            path: settings.path,
            settings,
        }
    }

    /// Registers over `flow` from now on. Has no effect while a registration is being taken back.
    pub fn start(&mut self, flow: Flow, chance: &mut Chance) {
        self.flow = Some(flow);
        self.leaving = false;
        if matches!(self.phase, Phase::Idle | Phase::Resting { .. }) {
            self.begin(chance);
        }
    }

    /// The trunk is reached by another flow from the next request on, as after a new resolution of its name.
    pub fn set_flow(&mut self, flow: Flow) {
        self.flow = Some(flow);
    }

    /// The last request failed on its way, and another address is tried at once.
    pub fn try_flow(&mut self, flow: Flow, chance: &mut Chance) {
        self.flow = Some(flow);
        if matches!(self.phase, Phase::Resting { because: Rest::BackOff(_), .. }) {
            self.begin(chance);
        }
    }

    /// Values of Route for requests that begin with us, by the registrar's last word (RFC 3608).
    pub fn service_route(&self) -> &[String] {
        &self.service_route
    }

    /// The network was away and is back: whatever waits is tried soon, and what is registered is refreshed, since our
    /// address may have changed.
    pub fn network_is_back(&mut self, now: Time, chance: &mut Chance) {
        self.failures = 0;
        match &mut self.phase {
            Phase::Resting { wake, .. } => *wake = (*wake).min(soon(now, chance)),
            Phase::Asking => self.hurry = true,
            Phase::Idle | Phase::Leaving => {}
        }
    }

    /// Takes the registration back, if there is one. [`RegistrationState::Idle`] tells that this is done.
    pub fn unregister(&mut self, now: Time, chance: &mut Chance) {
        match self.phase {
            Phase::Idle | Phase::Leaving => {}
            // A request that nobody has sent yet is as good as none.
            Phase::Asking if self.action.is_none() => self.leaving = true,
            Phase::Asking | Phase::Resting { .. } => {
                self.action = None;
                self.leave(now, chance);
            }
        }
    }

    /// The address that it binds to our contact.
    pub fn aor(&self) -> &str {
        &self.settings.aor
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.action.take().map(Action::Register)
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        let wake = match self.phase {
            Phase::Resting { wake, .. } => Some(wake),
            Phase::Idle | Phase::Asking | Phase::Leaving => None,
        };
        wake.into_iter().chain(self.bound_until).min()
    }

    pub fn handle_timeout(&mut self, now: Time, chance: &mut Chance) {
        self.bound_until = self.bound_until.filter(|&until| until > now);
        if matches!(self.phase, Phase::Resting { wake, .. } if wake <= now) {
            self.begin(chance);
        }
    }

    pub fn state(&self) -> RegistrationState {
        match (&self.phase, self.bound_until) {
            (Phase::Idle, _) => RegistrationState::Idle,
            (Phase::Leaving, _) => RegistrationState::Unregistering,
            (Phase::Resting { wake, because: Rest::Refused(status, why) }, _) => {
                RegistrationState::Refused { status: *status, why: why.clone(), until: *wake }
            }
            (Phase::Asking | Phase::Resting { .. }, Some(until)) => RegistrationState::Registered { until },
            (Phase::Asking, None) => RegistrationState::Registering,
            (Phase::Resting { wake, because }, None) => {
                let why = match because {
                    Rest::BackOff(why) => why.clone(),
                    Rest::Refresh | Rest::Refused(..) => "expired".to_owned(),
                };
                RegistrationState::Waiting { until: *wake, why }
            }
        }
    }

    /// Takes the answer to the last REGISTER; any other is ignored.
    pub fn answered(&mut self, now: Time, message: &Message, chance: &mut Chance) {
        let of_last = message.cseq().is_ok_and(|cseq| cseq.number == self.cseq) && message.call_id() == self.call_id;
        if !of_last || !self.is_in_flight() || message.status() < 200 {
            return;
        }
        if self.phase == Phase::Leaving {
            return self.answered_leaving(message, chance);
        }
        match message.status() {
            200..=299 => self.accepted(now, message, chance),
            401 | 407 => self.challenged(now, message, chance),
            423 => self.too_brief(now, message, chance),
            421 if !self.path && wants_path(message) => {
                self.path = true;
                self.ask(self.expires, chance);
            }
            // Whether we are there is for the trunk's own registrar to say, so a redirection is not followed.
            300..=399 => {
                let to = message.header(Name::Contact).unwrap_or("nowhere");
                self.refused(now, message, &format!("redirected to {to}"), chance);
            }
            408 | 430 | 480 | 500..=599 => self.back_off(now, &told(message), retry_after(message), chance),
            _ if retry_after(message).is_some() => self.back_off(now, &told(message), retry_after(message), chance),
            _ => self.refused(now, message, &told(message), chance),
        }
    }

    /// The last REGISTER has no answer.
    pub fn failed(&mut self, now: Time, why: Unanswered, chance: &mut Chance) {
        if !self.is_in_flight() {
            return;
        }
        if self.phase == Phase::Leaving {
            return self.gone();
        }
        let why = match why {
            Unanswered::Timeout => "no answer",
            Unanswered::Transport => "could not be sent",
        };
        self.back_off(now, why, None, chance);
    }

    fn is_in_flight(&self) -> bool {
        matches!(self.phase, Phase::Asking | Phase::Leaving) && self.action.is_none()
    }

    /// A new round: the first request of a refresh.
    fn begin(&mut self, chance: &mut Chance) {
        (self.challenges, self.brief, self.hurry) = ([0; 2], 0, false);
        self.phase = Phase::Asking;
        self.ask(self.expires, chance);
    }

    fn ask(&mut self, expires: u32, chance: &mut Chance) {
        let Some(flow) = self.flow else { return };
        self.cseq += 1;
        let uri = self.settings.registrar_uri.clone();
        let mut headers: Headers = vec![(Name::Expires, expires.to_string())];
        if self.path {
            headers.push((Name::Supported, "path".to_owned()));
        }
        if let Some(responder) = &mut self.responder {
            // What can't be answered is reported when the challenge comes, not here.
            headers.extend(responder.headers("REGISTER", &uri, b"", chance).unwrap_or_default());
        }
        self.action = Some(Register {
            flow,
            uri,
            aor: format!("<{}>", self.settings.aor),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            contact: format!("<{}>", self.contact_uri(flow)),
            expires,
            headers,
        });
    }

    fn contact_uri(&self, flow: Flow) -> String {
        let user = escape_user(&self.settings.contact_user);
        let ours = self.settings.announce.socket(flow);
        let host = self.settings.contact_host.as_ref().map(|host| format!("{host}:{}", ours.port()));
        format!("sip:{user}@{}{}", host.unwrap_or_else(|| ours.to_string()), flow.transport.parameter())
    }

    fn accepted(&mut self, now: Time, message: &Message, chance: &mut Chance) {
        let granted = Duration::from_secs(self.granted(message).into());
        if granted.is_zero() {
            return self.back_off(now, "accepted for no time at all", None, chance);
        }
        self.failures = 0;
        self.service_route = service_route::read(message);
        self.bound_until = Some(now + granted);
        let share = 500 + chance.below(401) as u32;
        let wake = now + (granted * share / 1_000).max(REFRESH_MIN);
        let wake = if self.hurry { wake.min(soon(now, chance)) } else { wake };
        self.rest(now, wake, Rest::Refresh, chance);
    }

    /// What the registrar granted, in seconds: the expiry of our own Contact in its answer, since it lists those of others
    /// too, otherwise the Expires header, otherwise what we asked for.
    fn granted(&self, message: &Message) -> u32 {
        let listed = match message.contacts() {
            Ok(Contacts::List(list)) => list,
            Ok(Contacts::Star) | Err(_) => Default::default(),
        };
        let ours = self.flow.map(|flow| self.contact_uri(flow)).unwrap_or_default();
        let ours = Uri::parse(&ours).ok();
        let is_ours = |uri: &Uri<'_>| ours.as_ref().is_some_and(|ours| ours.equivalent(uri));
        // A registrar that mends NAT writes another host into our contact, and leaves the user.
        let has_our_user = |uri: &Uri<'_>| uri.user_decoded() == self.settings.contact_user.as_str();
        let expiry = |fits: &dyn Fn(&Uri<'_>) -> bool| {
            let fitting = listed.iter().filter(|contact| contact.parse_uri().is_ok_and(|uri| fits(&uri)));
            fitting.filter_map(|contact| contact.expires()).max()
        };
        let granted = expiry(&is_ours).or_else(|| expiry(&has_our_user)).or(message.expires()).unwrap_or(self.expires);
        granted.min(EXPIRES_MAX)
    }

    fn challenged(&mut self, now: Time, message: &Message, chance: &mut Chance) {
        match self.respond(message) {
            Err(why) => self.refused(now, message, &why, chance),
            Ok(()) if self.leaving => self.leave(now, chance),
            Ok(()) => self.ask(self.expires, chance),
        }
    }

    /// Takes up a challenge, or says why not. A second one is answered only where it says that the nonce was old: else
    /// the password is wrong, and a registrar with ever new nonces would keep us busy.
    fn respond(&mut self, message: &Message) -> Result<(), String> {
        let Some(responder) = &mut self.responder else {
            return Err("asks for a password, and none is configured".to_owned());
        };
        let stale = responder.challenged(message).map_err(|why| why.to_string())?;
        let [of_registrar, of_proxy] = &mut self.challenges;
        let answered = if message.status() == 407 { of_proxy } else { of_registrar };
        if *answered >= CHALLENGES || (*answered > 0 && !stale) {
            return Err("username or password not accepted".to_owned());
        }
        *answered += 1;
        Ok(())
    }

    fn too_brief(&mut self, now: Time, message: &Message, chance: &mut Chance) {
        let min = message.header(Name::MinExpires).and_then(|text| text.parse().ok());
        match min.filter(|min| (self.expires + 1..=EXPIRES_MAX).contains(min)) {
            Some(min) if self.brief < BRIEF && !self.leaving => {
                self.brief += 1;
                self.expires = min;
                self.ask(min, chance);
            }
            _ => self.refused(now, message, &told(message), chance),
        }
    }

    fn refused(&mut self, now: Time, message: &Message, why: &str, chance: &mut Chance) {
        self.failures = self.failures.saturating_add(1);
        self.bound_until = None;
        let wake = if self.hurry { soon(now, chance) } else { now + spread(self.settings.refused_retry, chance) };
        self.rest(now, wake, Rest::Refused(message.status(), why.to_owned()), chance);
    }

    fn back_off(&mut self, now: Time, why: &str, at_least: Option<Duration>, chance: &mut Chance) {
        self.failures = self.failures.saturating_add(1);
        let doubled = self.settings.backoff_base.saturating_mul(1 << self.failures.min(16));
        let wait = spread(doubled.min(self.settings.backoff_max), chance);
        let wait = at_least.map_or(wait, |least| least + least - spread(least, chance));
        let wake = if self.hurry { soon(now, chance) } else { now + wait };
        self.rest(now, wake, Rest::BackOff(why.to_owned()), chance);
    }

    fn rest(&mut self, now: Time, wake: Time, because: Rest, chance: &mut Chance) {
        self.hurry = false;
        self.phase = Phase::Resting { wake, because };
        if self.leaving {
            self.leave(now, chance);
        }
    }

    fn leave(&mut self, now: Time, chance: &mut Chance) {
        self.leaving = false;
        self.challenges = [0; 2];
        if self.bound_until.is_some_and(|until| until > now) {
            self.phase = Phase::Leaving;
            self.ask(0, chance);
        } else {
            self.gone();
        }
    }

    fn answered_leaving(&mut self, message: &Message, chance: &mut Chance) {
        if matches!(message.status(), 401 | 407) && self.respond(message).is_ok() {
            self.ask(0, chance);
        } else {
            self.gone();
        }
    }

    fn gone(&mut self) {
        self.phase = Phase::Idle;
        self.bound_until = None;
        self.service_route.clear();
    }
}

/// Whether a 421 asks for nothing but Path (RFC 3327 §5.1).
fn wants_path(message: &Message) -> bool {
    let mut required = message.values(Name::Require).peekable();
    required.peek().is_some() && required.all(|token| token.eq_ignore_ascii_case("path"))
}

/// How an answer is told to people.
fn told(message: &Message) -> String {
    let (status, phrase) = (message.status(), message.reason_phrase());
    let phrase = if phrase.is_empty() { reason_phrase(status) } else { phrase };
    format!("{status} {phrase}")
}

/// How long the registrar wants us to wait (RFC 3261 §20.33).
fn retry_after(message: &Message) -> Option<Duration> {
    Some(message.retry_after()?.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX))
}

/// 50 to 100 % of a span, so that those who failed together don't come back together.
fn spread(span: Duration, chance: &mut Chance) -> Duration {
    span / 2 + span.mul_f64(chance.below(1_000) as f64 / 2_000.0)
}

fn soon(now: Time, chance: &mut Chance) -> Time {
    now + Duration::from_millis(chance.below(QUICK_MS))
}

mod service_route;
#[cfg(test)]
mod tests;
