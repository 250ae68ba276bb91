//! The switch: all calls of one shard. Inputs come in with the clock's reading, outputs are drained; nothing else happens.

use crate::base::chance::Chance;
use crate::base::time::{Now, Time};
use crate::call::account::Accounts;
use crate::call::admission::{self, Admission, Identity};
use crate::call::exchange::{CallKey, Exchange, LegKey, Timer};
use crate::call::failure::sip_reason;
use crate::call::io::{Input, Notice, Output};
use crate::call::leg::{End, Leg, Media, Said, Stage as LegStage, description_of};
use crate::call::record::{CallRecord, EndedBy, LegRecord, State};
use crate::call::state::{Call, CallerSide, Stage};
use crate::call::trunk::Trunk;
use crate::call::view::{CallView, RegistrationView, TrunkView};
use crate::config::settings::Settings;
use crate::dialplan::plan::Plan;
use crate::dialplan::route::{Decision, Request, Target};
use crate::media::command::{Command, Event as MediaEvent};
use crate::sip::agent::{Agent, AgentSettings, Event, ServerId, SessionEvent, SessionId};
use crate::sip::digest::Verifier;
use crate::sip::flow::{Flow, Headers};
use crate::sip::registrar::{Change, Registrar, RegistrarLimits};
use crate::wire::sip::{Message, Method, Name};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What is answered to a caller who may come back, in seconds.
const RETRY_AFTER: &str = "10";

pub struct Switch {
    exchange: Exchange,
    calls: HashMap<CallKey, Call>,
    /// By the record's id.
    ids: HashMap<String, CallKey>,
    draining: bool,
    /// Why records can't be kept, while they can't.
    records_failing: Option<String>,
    attempts: u64,
}

/// How many of everything there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    pub calls: usize,
    pub sessions: usize,
    pub transactions: usize,
    pub ports: usize,
    pub timers: usize,
    pub questions: usize,
    pub registrations: usize,
    pub attempts: u64,
}

impl Switch {
    pub fn new(
        settings: Arc<Settings>,
        plan: Arc<Plan>,
        accounts: Arc<Accounts>,
        mut chance: Chance,
        workers: usize,
        now: Now,
    ) -> Switch {
        let agent = Agent::new(
            AgentSettings {
                t1: settings.sip.t1,
                user_agent: format!("Tandem/{}", env!("CARGO_PKG_VERSION")),
                max_transactions: settings.limits.transactions,
                ..AgentSettings::default()
            },
            Chance::from_seed(seed(&mut chance)),
        );
        let verifier = Verifier::new(seed(&mut chance), settings.sip.nonce_lifetime);
        let registrar = Registrar::new(RegistrarLimits {
            contacts: settings.limits.contacts,
            min: settings.sip.registration_min,
            max: settings.sip.registration_max,
            default: settings.sip.registration_default,
            ..Default::default()
        });
        let exchange = Exchange::new(settings, plan, accounts, agent, verifier, registrar, chance, workers, now);
        Switch {
            exchange,
            calls: HashMap::new(),
            ids: HashMap::new(),
            draining: false,
            records_failing: None,
            attempts: 0,
        }
    }

    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Received { flow, bytes } => match Message::parse(bytes) {
                Ok(message) => self.exchange.agent.receive(now, flow, message),
                Err(error) => self.exchange.notice(Notice::Malformed { flow, why: error.to_string() }),
            },
            Input::FlowFailed { flow } => {
                self.exchange.agent.flow_failed(now, flow);
                self.exchange.registrar.drop_flow(flow);
            }
            Input::Located { ticket, result } => {
                let (trunks, mut work) = self.exchange.trunk_work();
                trunks.located(now, ticket, &result, &mut work);
            }
            Input::Loaded { ticket, result } => {
                if let Some(leg) = self.exchange.take_ticket(ticket) {
                    self.with_call(leg.call, |call, exchange| call.loaded(exchange, now, leg.leg, result));
                }
            }
            Input::Media(event) => self.media(now, event),
            Input::MediaRefused(command) => self.media_refused(now, command),
            Input::Timeout => self.time_out(now),
            Input::Accounts(accounts) => self.exchange.accounts = accounts,
            Input::Reload { settings, plan } => self.reload(now, settings, plan),
            Input::HangUp { id } => {
                if let Some(&call) = self.ids.get(&id) {
                    self.with_call(call, |call, exchange| {
                        call.end(
                            exchange,
                            now,
                            EndedBy::Gateway,
                            "hung up by an operator",
                            Some(sip_reason(200, "Ended by an operator")),
                        );
                    });
                }
            }
            Input::Drain => {
                self.draining = true;
            }
            Input::EndAll => self.end_all(now),
            Input::RecordsFailing { why } => self.records_failing = why,
        }
        self.pump(now);
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.exchange.outputs.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        [
            self.exchange.agent.poll_timeout(),
            self.exchange.registrar.poll_timeout(),
            self.exchange.trunks.poll_timeout(),
            self.exchange.timers.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub fn counts(&self) -> Counts {
        let agent = self.exchange.agent.counts();
        let (owned, ports, questions) = self.exchange.held();
        Counts {
            calls: self.calls.len(),
            sessions: agent.sessions.max(owned),
            transactions: agent.client_transactions + agent.server_transactions,
            ports,
            timers: self.exchange.timers.len() + agent.timers,
            questions,
            registrations: self.exchange.registrar.count(),
            attempts: self.attempts,
        }
    }

    pub fn is_draining(&self) -> bool {
        self.draining
    }

    pub fn settings(&self) -> &Arc<Settings> {
        &self.exchange.settings
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.exchange.plan
    }

    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.exchange.accounts
    }

    pub fn has_call(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    pub fn calls(&self) -> Vec<CallView> {
        let mut views: Vec<CallView> =
            self.calls.values().filter(|call| call.stage != Stage::Ending).map(Call::view).collect();
        views.sort_by(|one, two| one.started.cmp(&two.started).then_with(|| one.id.cmp(&two.id)));
        views
    }

    pub fn trunks(&self, now: Now) -> Vec<TrunkView> {
        self.exchange.trunks.iter().map(|trunk| trunk.view(now)).collect()
    }

    pub fn registrations(&self, now: Now) -> Vec<RegistrationView> {
        let mut names: Vec<&str> = self.exchange.accounts.names().collect();
        names.sort_unstable();
        let mut views = Vec::new();
        for name in names {
            for binding in self.exchange.registrar.bindings(now, name) {
                views.push(RegistrationView {
                    user: name.to_owned(),
                    contact: binding.uri.clone(),
                    address: binding.flow.to_string(),
                    expires_in_s: (binding.expires_at - now.time).as_secs(),
                    user_agent: binding.user_agent.clone(),
                });
            }
        }
        views
    }

    /// Lets the agent's news reach the calls, until there is none left, and its bytes reach the outputs.
    fn pump(&mut self, now: Now) {
        while let Some(event) = self.exchange.agent.poll_event() {
            self.sip(now, event);
        }
        while let Some(change) = self.exchange.registrar.poll_change() {
            let notice = match change {
                Change::Added { user, binding } => {
                    Notice::Registered { user, contact: binding.uri.clone(), flow: binding.flow }
                }
                Change::Removed { user, binding, .. } => Notice::Unregistered { user, contact: binding.uri.clone() },
            };
            self.exchange.notice(notice);
        }
        while let Some(transmit) = self.exchange.agent.poll_transmit() {
            self.exchange.outputs.push_back(Output::Send(transmit));
        }
    }

    fn sip(&mut self, now: Now, event: Event) {
        match event {
            Event::Invited { session, flow, message } => self.invited(now, session, flow, &message),
            Event::Request { id, flow, message } => self.requested(now, id, flow, &message),
            Event::Response { id, message } => {
                let (trunks, mut work) = self.exchange.trunk_work();
                trunks.answered(now, id, &message, &mut work);
            }
            Event::Failed { id, cause } => {
                let (trunks, mut work) = self.exchange.trunk_work();
                trunks.failed(now, id, cause, &mut work);
            }
            Event::Session { session, event } => self.session(now, session, event),
        }
    }

    fn session(&mut self, now: Now, session: SessionId, event: SessionEvent) {
        let Some(LegKey { call, leg }) = self.exchange.session_owner(session) else {
            // A session that no call looks after any more: whatever it still asks is turned down.
            match event {
                SessionEvent::Reoffered { .. } => self.exchange.agent.reanswer(now, session, 481, "", Vec::new(), None),
                SessionEvent::Info { id, .. } => self.exchange.agent.respond(now, id, 481, "", Vec::new(), None),
                SessionEvent::Answered { .. } => {
                    self.exchange.agent.ack(now, session, None);
                    self.exchange.agent.bye(now, session, None);
                }
                _ => {}
            }
            return;
        };
        self.with_call(call, |call, exchange| match event {
            SessionEvent::Progress { message } => call.progressed(exchange, now, leg, &message),
            SessionEvent::Answered { message } => call.answered(exchange, now, leg, &message),
            SessionEvent::Refused { message } => call.leg_refused(exchange, now, leg, &message),
            SessionEvent::Failed { cause } => call.leg_unreachable(exchange, now, leg, cause),
            SessionEvent::Acked { message } => call.acknowledged(exchange, now, leg, &message),
            SessionEvent::Cancelled { reason } => call.caller_gave_up(exchange, now, reason),
            SessionEvent::Reoffered { message } => call.reoffered(exchange, now, leg, &message),
            SessionEvent::ReAcked { message } => {
                call.acknowledged(exchange, now, leg, &message);
                call.settle(exchange, now, leg);
            }
            SessionEvent::Reanswered { message } => call.reanswered(exchange, now, leg, &message),
            SessionEvent::Rerefused { .. } => call.rerefused(exchange, now, leg),
            SessionEvent::Info { id, .. } => {
                exchange.agent.respond(now, id, 405, "", vec![(Name::Allow, ALLOW.to_owned())], None);
            }
            SessionEvent::Ended { by } => call.leg_ended(exchange, now, leg, by),
        });
    }

    /// Runs `work` on a call, and lets go of it when it is done.
    fn with_call(&mut self, key: CallKey, work: impl FnOnce(&mut Call, &mut Exchange)) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        work(call, &mut self.exchange);
        if call.is_done()
            && let Some(call) = self.calls.remove(&key)
        {
            self.ids.remove(&call.record.id);
        }
    }

    fn invited(&mut self, now: Now, session: SessionId, flow: Flow, message: &Message) {
        self.attempts += 1;
        if let Some((status, reason, headers)) = self.unwilling(message) {
            self.exchange.agent.refuse(now, session, status, reason, headers);
            return;
        }
        let identity = match admission::admit(&mut self.exchange, now, flow, message) {
            Admission::Admitted(identity) => identity,
            Admission::Unknown { stale } => {
                let headers = admission::challenge(&mut self.exchange, now, message, stale);
                self.exchange.agent.refuse(now, session, 401, "", headers);
                return;
            }
            Admission::Denied { user } => {
                self.exchange.notice(Notice::Denied { user, flow, what: "INVITE" });
                self.exchange.agent.refuse(now, session, 403, "", Vec::new());
                return;
            }
        };
        let offer = match description_of(message) {
            Said::Nothing => None,
            Said::Media(description) => Some(description),
            Said::Unreadable(_) => return self.exchange.agent.refuse(now, session, 400, "Unreadable SDP", Vec::new()),
            Said::Foreign(_) => {
                let headers = vec![(Name::Accept, crate::call::leg::SDP.to_owned())];
                return self.exchange.agent.refuse(now, session, 415, "", headers);
            }
        };
        let Some(dialled) = admission::dialled(&self.exchange, flow, message) else {
            return self.exchange.agent.refuse(now, session, 484, "Address Incomplete", Vec::new());
        };
        self.begin(now, session, flow, message, identity, dialled, offer);
    }

    /// Reasons to take no call at all.
    fn unwilling(&self, message: &Message) -> Option<(u16, &'static str, Headers)> {
        let retry = || vec![(Name::RetryAfter, RETRY_AFTER.to_owned())];
        if self.draining {
            return Some((503, "Draining", retry()));
        }
        if self.records_failing.is_some() {
            return Some((503, "No Records", retry()));
        }
        if self.calls.len() >= self.exchange.settings.limits.calls {
            return Some((503, "Too Many Calls", retry()));
        }
        if self.exchange.is_placed(message.call_id()) {
            return Some((482, "Loop Detected", Vec::new()));
        }
        None
    }

    #[expect(clippy::too_many_arguments, reason = "everything that an INVITE said, on its way into a call")]
    fn begin(
        &mut self,
        now: Now,
        session: SessionId,
        flow: Flow,
        message: &Message,
        identity: Identity,
        dialled: String,
        offer: Option<crate::wire::description::Description>,
    ) {
        let (said, display_name) = admission::calling(message);
        let from = match &identity {
            Identity::User { name, number, .. } => number.clone().unwrap_or_else(|| name.clone()),
            _ => said,
        };
        let display_name = match &identity {
            Identity::User { name, .. } => {
                self.exchange.accounts.by_name(name).and_then(|account| account.display_name.clone()).or(display_name)
            }
            _ => display_name,
        };
        let request = Request { caller: identity.as_caller(), from: &from, to: &dialled, at: now.wall };
        let decision = self.exchange.plan.route(&request);
        let is_full = matches!(&identity, Identity::Trunk { name, .. }
            if self.exchange.trunks.by_name(name).is_some_and(Trunk::is_full));
        let (key, id, worker) = self.exchange.new_call();
        let mut call = Call {
            key,
            worker,
            record: open_record(now, id.clone(), &identity, &from, dialled.clone(), &decision),
            stage: Stage::Preparing,
            legs: Vec::new(),
            caller: CallerSide {
                offer,
                number: decision.route.as_ref().and_then(|route| route.caller.clone()).unwrap_or_else(|| from.clone()),
                display_name,
                max_forwards: message.max_forwards().unwrap_or(70).saturating_sub(1).min(70),
                told: None,
            },
            targets: match decision.route {
                // A trunk's limit counts both ways.
                Some(_) if is_full => VecDeque::from([Target::Reject { status: 503, reason: "Trunk Full".to_owned() }]),
                route => route.map(|route| VecDeque::from(route.targets)).unwrap_or_default(),
            },
            target: None,
            failure: None,
            answered_at: None,
        };
        let leg = LegKey { call: key, leg: 0 };
        self.exchange.own_session(session, leg);
        let codecs = self.caller_codecs(&identity);
        let silent = call.targets.iter().all(|target| matches!(target, Target::Reject { .. }));
        let media = (!silent).then(|| Media::open(&mut self.exchange, leg, worker, flow.local.ip(), codecs, None));
        let record = LegRecord {
            target: identity.text(),
            number: dialled.clone(),
            call_id: message.call_id().to_owned(),
            address: flow.to_string(),
            started: now.wall,
            ..LegRecord::default()
        };
        let end = End::Sip { flow, session: Some(session) };
        call.add_leg(Leg { key: leg, end, stage: LegStage::Trying, trunk: None, media, dialling: None }, record);
        if let Identity::Trunk { name, .. } = &identity {
            call.hold_trunk(&mut self.exchange, 0, name);
        }
        self.exchange.keep(&call.record);
        self.exchange.notice(Notice::CallStarted { id: id.clone(), caller: call.record.caller.clone(), dialled });
        self.calls.insert(key, call);
        self.ids.insert(id, key);
        if silent {
            self.with_call(key, |call, exchange| call.start(exchange, now));
        }
    }

    fn caller_codecs(&self, identity: &Identity) -> Vec<tandem_codecs::Codec> {
        let own = match identity {
            Identity::Trunk { name, .. } => {
                self.exchange.trunks.by_name(name).map(|trunk| trunk.settings.codecs.clone())
            }
            _ => None,
        };
        own.filter(|codecs| !codecs.is_empty()).unwrap_or_else(|| self.exchange.settings.media.codecs.clone())
    }

    /// Requests outside a call.
    fn requested(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message) {
        match message.method() {
            Method::Register => self.register(now, id, flow, message),
            Method::Options => {
                let status = if self.draining { 503 } else { 200 };
                let headers = vec![(Name::Allow, ALLOW.to_owned()), (Name::Accept, crate::call::leg::SDP.to_owned())];
                self.exchange.agent.respond(now, id, status, "", headers, None);
            }
            _ => {
                let headers = vec![(Name::Allow, ALLOW.to_owned())];
                self.exchange.agent.respond(now, id, 405, "", headers, None);
            }
        }
    }

    fn register(&mut self, now: Now, id: ServerId, flow: Flow, message: &Message) {
        let name = match admission::authenticate(&mut self.exchange, now, message) {
            Admission::Admitted(Identity::User { name, .. }) => name,
            Admission::Unknown { stale } => {
                let headers = admission::challenge(&mut self.exchange, now, message, stale);
                return self.exchange.agent.respond(now, id, 401, "", headers, None);
            }
            Admission::Admitted(_) => return self.exchange.agent.respond(now, id, 403, "", Vec::new(), None),
            Admission::Denied { user } => {
                self.exchange.notice(Notice::Denied { user, flow, what: "REGISTER" });
                return self.exchange.agent.respond(now, id, 403, "", Vec::new(), None);
            }
        };
        let aor = message.to().ok().and_then(|to| Some(to.parse_uri().ok()?.user_decoded().into_owned()));
        if aor.as_deref() != Some(name.as_str()) {
            self.exchange.notice(Notice::Denied { user: Some(name), flow, what: "REGISTER for another" });
            return self.exchange.agent.respond(now, id, 403, "", Vec::new(), None);
        }
        let outcome = self.exchange.registrar.register(now, &name, message, flow);
        self.exchange.agent.respond(now, id, outcome.status, outcome.reason, outcome.headers, None);
    }

    fn media(&mut self, now: Now, event: MediaEvent) {
        let port = match &event {
            MediaEvent::Opened { port, .. }
            | MediaEvent::OpenFailed { port, .. }
            | MediaEvent::Learnt { port, .. }
            | MediaEvent::Silent { port, .. }
            | MediaEvent::Digit { port, .. }
            | MediaEvent::Finished { port }
            | MediaEvent::Closed { port, .. } => *port,
        };
        let Some(LegKey { call, leg }) = self.exchange.port_owner(port) else { return };
        self.with_call(call, |call, exchange| match event {
            MediaEvent::Opened { number, .. } => call.port_opened(exchange, now, leg, number),
            MediaEvent::OpenFailed { .. } => {
                call.port_closed(exchange, leg, Default::default());
                call.port_failed(exchange, now, leg);
            }
            MediaEvent::Silent { since, .. } => call.silent(exchange, now, leg, since),
            MediaEvent::Finished { .. } => call.clip_ended(exchange, now),
            MediaEvent::Closed { report, .. } => call.port_closed(exchange, leg, report),
            MediaEvent::Learnt { .. } | MediaEvent::Digit { .. } => {}
        });
    }

    /// A full ring refuses new calls and never stops one in progress: only an order to open a port is given up.
    fn media_refused(&mut self, now: Now, command: Command) {
        match command {
            Command::Open { port, .. } => {
                self.media(now, MediaEvent::OpenFailed { port, why: "the media worker is overloaded".to_owned() });
            }
            Command::Close { port } => self.media(now, MediaEvent::Closed { port, report: Default::default() }),
            _ => {}
        }
    }

    fn time_out(&mut self, now: Now) {
        self.exchange.agent.handle_timeout(now);
        self.exchange.registrar.handle_timeout(now);
        let (trunks, mut work) = self.exchange.trunk_work();
        trunks.advance(now, &mut work);
        while let Some(timer) = self.exchange.timers.expire(now.time) {
            match timer {
                Timer::Ring(call) => self.with_call(call, |call, exchange| call.rang_out(exchange, now)),
                Timer::Probe(call) => self.with_call(call, |call, exchange| call.probe(exchange, now)),
                Timer::Patience(call) => self.with_call(call, |call, exchange| call.lose_patience(exchange)),
            }
        }
    }

    fn reload(&mut self, now: Now, settings: Arc<Settings>, plan: Arc<Plan>) {
        self.exchange.settings = Arc::clone(&settings);
        self.exchange.plan = plan;
        let Exchange { trunks, chance, .. } = &mut self.exchange;
        trunks.reload(&settings, now, chance);
        // A trunk that was gone for a while has calls from before.
        for trunk in trunks.iter_mut() {
            let name = Some(trunk.settings.name.as_str());
            let legs = self.calls.values().flat_map(|call| &call.legs);
            trunk.calls = legs.filter(|leg| leg.trunk.as_deref() == name).count();
        }
        let (trunks, mut work) = self.exchange.trunk_work();
        trunks.advance(now, &mut work);
    }

    fn end_all(&mut self, now: Now) {
        let keys: Vec<CallKey> = self.calls.keys().copied().collect();
        for key in keys {
            self.with_call(key, |call, exchange| {
                call.end(
                    exchange,
                    now,
                    EndedBy::Gateway,
                    "the gateway was stopped",
                    Some(sip_reason(503, "Gateway stopped")),
                );
            });
        }
        let (trunks, mut work) = self.exchange.trunk_work();
        trunks.unregister(now, &mut work);
    }
}

const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE";

fn seed(chance: &mut Chance) -> [u8; 32] {
    let mut seed = [0; 32];
    for word in seed.chunks_mut(8) {
        word.copy_from_slice(&chance.u64().to_ne_bytes());
    }
    seed
}

fn open_record(
    now: Now,
    id: String,
    identity: &Identity,
    from: &str,
    dialled: String,
    decision: &Decision,
) -> CallRecord {
    CallRecord {
        id,
        state: State::Open,
        caller: identity.text(),
        from: from.to_owned(),
        dialled,
        number: decision.number.clone(),
        rule: decision.route.as_ref().map(|route| route.rule.clone()),
        started: now.wall,
        ringing: None,
        answered: None,
        ended: None,
        talk_ms: 0,
        legs: Vec::new(),
        status: 0,
        ended_by: EndedBy::Nobody,
        cause: String::new(),
    }
}
