//! The switch: all calls of one shard. Inputs come in with the clock's reading, outputs are drained; nothing else happens.

use crate::base::chance::Chance;
use crate::base::time::{Now, Time};
use crate::call::account::Accounts;
use crate::call::exchange::{CallKey, Exchange, LegKey, Timer};
use crate::call::io::{Input, Notice, Output};
use crate::call::reason::sip_reason;
use crate::call::record::EndedBy;
use crate::call::state::{Call, Stage};
use crate::call::view::{CallView, RegistrationView, TrunkView};
use crate::config::settings::Settings;
use crate::dialplan::plan::Plan;
use crate::media::command::{Command, Event as MediaEvent};
use crate::sip::agent::{Agent, AgentSettings, Event, SessionEvent, SessionId};
use crate::sip::digest::Verifier;
use crate::sip::registrar::{Change, Registrar, RegistrarLimits};
use crate::wire::sip::Message;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// After so long, orders are given again that found a worker's ring full.
const AGAIN: Duration = Duration::from_millis(100);
/// Sessions for each call that the limit allows: the caller's, and the phones that ring together. A few more serve small
/// limits, and callers who are only asked who they are.
const SESSIONS: usize = 4;
const SPARE_SESSIONS: usize = 1_000;

pub struct Switch {
    pub(super) exchange: Exchange,
    pub(super) calls: HashMap<CallKey, Call>,
    /// By the record's id.
    pub(super) ids: HashMap<String, CallKey>,
    pub(super) draining: bool,
    /// Why records can't be kept, while they can't.
    pub(super) records_failing: Option<String>,
    pub(super) attempts: u64,
}

/// How many of everything there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    pub calls: usize,
    pub sessions: usize,
    pub transactions: usize,
    /// Requests of ours outside calls that wait for an answer.
    pub requests: usize,
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
                max_sessions: settings.limits.calls.saturating_mul(SESSIONS).saturating_add(SPARE_SESSIONS),
                ..AgentSettings::default()
            },
            Chance::from_seed(seed(&mut chance)),
        );
        let verifier = Verifier::new(seed(&mut chance), settings.sip.nonce_lifetime);
        let registrar = Registrar::new(registrar_limits(&settings));
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
                // A datagram that couldn't be sent tells nothing of later ones.
                if flow.transport.is_reliable() {
                    self.exchange.registrar.drop_flow(flow);
                }
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
            Input::Accounts(accounts) => self.take_accounts(accounts),
            Input::Reload { settings, plan } => self.reload(now, settings, plan),
            Input::HangUp { id } => {
                if let Some(&call) = self.ids.get(&id) {
                    let reason = sip_reason(200, "Ended by an operator");
                    self.with_call(call, |call, exchange| {
                        call.end(exchange, now, EndedBy::Gateway, "hung up by an operator", Some(reason));
                    });
                }
            }
            Input::Drain => self.draining = true,
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
            requests: agent.requests,
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
            SessionEvent::ReAcked { message } => call.acknowledged(exchange, now, leg, &message),
            SessionEvent::Reanswered { message } => call.reanswered(exchange, now, leg, &message),
            SessionEvent::Rerefused { .. } => call.rerefused(exchange, now, leg),
            SessionEvent::Info { id, .. } => exchange.agent.respond(now, id, 405, "", Vec::new(), None),
            SessionEvent::Ended { by } => call.leg_ended(exchange, now, leg, by),
        });
    }

    /// Runs `work` on a call, and lets go of it when it is done.
    pub(super) fn with_call(&mut self, key: CallKey, work: impl FnOnce(&mut Call, &mut Exchange)) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        work(call, &mut self.exchange);
        if call.is_done()
            && let Some(call) = self.calls.remove(&key)
        {
            self.ids.remove(&call.record.id);
        }
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
        if matches!(event, MediaEvent::Closed { .. }) {
            self.exchange.forget_closing(port);
        }
        let Some(LegKey { call, leg }) = self.exchange.port_owner(port) else { return };
        self.with_call(call, |call, exchange| match event {
            MediaEvent::Opened { number, .. } => call.port_opened(exchange, now, leg, number),
            MediaEvent::OpenFailed { why, .. } => {
                call.port_closed(exchange, leg, Default::default());
                call.port_failed(exchange, now, leg, &why);
            }
            MediaEvent::Silent { since, .. } => call.silent(exchange, now, leg, since),
            MediaEvent::Finished { .. } => call.clip_ended(exchange, now),
            MediaEvent::Closed { report, .. } => call.port_closed(exchange, leg, report),
            MediaEvent::Learnt { .. } | MediaEvent::Digit { .. } => {}
        });
    }

    /// A full ring refuses new calls and never stops one in progress: an order to open a port is given up, the others are
    /// given again.
    fn media_refused(&mut self, now: Now, command: Command) {
        match command {
            Command::Open { port, .. } => {
                self.media(now, MediaEvent::OpenFailed { port, why: "the media worker is overloaded".to_owned() });
            }
            Command::Configure { port, .. } | Command::Connect { port, .. } => {
                if let Some(LegKey { call, .. }) = self.exchange.port_owner(port) {
                    self.exchange.timers.set(Timer::Rewire(call), now.time + AGAIN);
                }
            }
            Command::Close { port } => {
                let owner = self.exchange.port_owner(port).and_then(|leg| self.calls.get(&leg.call));
                let worker = owner.map(|call| call.worker);
                if let Some(worker) = self.exchange.closing(port, worker) {
                    self.exchange.timers.set(Timer::Close { port, worker }, now.time + AGAIN);
                }
            }
            Command::Dial { .. } | Command::Tap { .. } => {}
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
                Timer::Patience(call) => self.with_call(call, |call, exchange| call.lose_patience(exchange, now)),
                Timer::Rewire(call) => self.with_call(call, |call, exchange| call.rewire(exchange)),
                Timer::Close { port, worker } => self.exchange.command(worker, Command::Close { port }),
            }
        }
    }

    /// Who is no longer a user has no phones any more either.
    fn take_accounts(&mut self, accounts: Arc<Accounts>) {
        let registered = self.exchange.registrar.iter().map(|(user, _)| user);
        let mut gone: Vec<String> =
            registered.filter(|user| accounts.by_name(user).is_none()).map(str::to_owned).collect();
        gone.dedup();
        for user in gone {
            self.exchange.registrar.forget(&user);
        }
        self.exchange.accounts = accounts;
    }

    fn reload(&mut self, now: Now, settings: Arc<Settings>, plan: Arc<Plan>) {
        self.exchange.settings = Arc::clone(&settings);
        self.exchange.plan = plan;
        self.exchange.registrar.set_limits(registrar_limits(&settings));
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
        let mut keys: Vec<CallKey> = self.calls.keys().copied().collect();
        // In an order of their own, so that a run can be replayed.
        keys.sort_unstable();
        for key in keys {
            let reason = sip_reason(503, "Gateway stopped");
            self.with_call(key, |call, exchange| {
                call.end(exchange, now, EndedBy::Gateway, "the gateway was stopped", Some(reason));
            });
        }
        let (trunks, mut work) = self.exchange.trunk_work();
        trunks.unregister(now, &mut work);
    }
}

fn registrar_limits(settings: &Settings) -> RegistrarLimits {
    RegistrarLimits {
        contacts: settings.limits.contacts,
        bindings: settings.limits.registrations,
        min: settings.sip.registration_min,
        max: settings.sip.registration_max,
        default: settings.sip.registration_default,
        ..Default::default()
    }
}

fn seed(chance: &mut Chance) -> [u8; 32] {
    let mut seed = [0; 32];
    for word in seed.chunks_mut(8) {
        word.copy_from_slice(&chance.u64().to_ne_bytes());
    }
    seed
}
