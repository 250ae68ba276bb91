//! The switch: all calls of one shard. Inputs come in with the clock's reading, outputs are drained; nothing else happens.

mod worker;

use crate::base::chance::Chance;
use crate::base::ids::IdMap;
use crate::base::time::{Now, Time};
use crate::call::account::{Account, Accounts};
use crate::call::exchange::{CallKey, Exchange, LegKey, Timer, guess_limits};
use crate::call::io::{Input, Notice, Output};
use crate::call::lamp::subscribed;
use crate::call::listening::EndedLeg;
use crate::call::load::{Load, LoadLimits};
use crate::call::reason::sip_reason;
use crate::call::record::EndedBy;
use crate::call::state::{Call, Stage};
use crate::call::talk::music::Music;
use crate::call::terms::EXTENSIONS;
use crate::call::view::{CallView, Closed, RegistrationView, TrunkView};
use crate::config::settings::Settings;
use crate::dialplan::directory::PlanUser;
use crate::dialplan::plan::Plan;
use crate::media::command::Command;
use crate::sip::agent::{Agent, AgentSettings, Event, SessionEvent, SessionId};
use crate::sip::announce::Announce;
use crate::sip::digest::Verifier;
use crate::sip::flow::Flow;
use crate::sip::notifier::{Ending, Package};
use crate::sip::registrar::{Binding, Change, Registrar, RegistrarLimits};
use crate::wire::sip::{Limits, Message, Method, ParseError};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
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
    pub(super) calls: IdMap<CallKey, Box<Call>>,
    /// By the record's id.
    pub(super) ids: HashMap<String, CallKey>,
    pub(super) draining: bool,
    /// Why records can't be kept, while they can't.
    pub(super) records_failing: Option<String>,
    pub(super) attempts: u64,
    /// Requests that got no answer, by the operator's wish.
    pub(super) ignored: u64,
    load: Load,
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
    /// Text messages that wait for a phone, a trunk or the store.
    pub letters: usize,
    /// Text messages that are kept for users who are away.
    pub stored_messages: usize,
    pub subscriptions: usize,
    pub publications: usize,
    /// Calls, or their users if those are more, that light lamps.
    pub lamps: usize,
    /// Requests that got no answer, by the operator's wish.
    pub ignored: u64,
    /// What is remembered of guessers and of real users.
    pub guessers: usize,
    /// Calls that count for what the media workers can carry.
    pub shares: usize,
    /// Calls that were refused because those can carry no more.
    pub refused_for_media: u64,
    /// Calls of which one side isn't heard now, and all that ever were so.
    pub one_way: usize,
    pub one_way_total: u64,
    /// Conference rooms, and calls in them.
    pub rooms: usize,
    pub room_members: usize,
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
                announce: Announce::signalling(&settings),
                names: our_names(&settings),
                user_agent: format!("Tandem/{}", env!("CARGO_PKG_VERSION")),
                max_transactions: settings.limits.transactions,
                extensions: EXTENSIONS.to_vec(),
                max_sessions: max_sessions(&settings),
                takes: vec![
                    Method::Register,
                    Method::Options,
                    Method::Message,
                    Method::Subscribe,
                    Method::Publish,
                    Method::Refer,
                ],
                ..AgentSettings::default()
            },
            Chance::from_seed(seed(&mut chance)),
        );
        // A phone that counts refreshes its registration by the nonce with which it registered.
        let verifier = Verifier::new(seed(&mut chance), settings.sip.nonce_lifetime)
            .remembering(settings.limits.registrations, settings.sip.registration_max);
        let registrar = Registrar::new(registrar_limits(&settings)).with_secret(seed(&mut chance));
        let exchange = Exchange::new(settings, plan, accounts, agent, verifier, registrar, chance, workers, now);
        Switch {
            exchange,
            calls: IdMap::default(),
            ids: HashMap::new(),
            draining: false,
            records_failing: None,
            attempts: 0,
            ignored: 0,
            load: Load::default(),
        }
    }

    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Received { flow, bytes } => self.received(now, flow, bytes),
            Input::Load { lag } => self.load.measure(now.time, lag),
            Input::MediaLoad { worker, busy, late } => self.exchange.capacity.measure(now.time, worker, busy, late),
            Input::MediaPrices(prices) => self.exchange.capacity.set_prices(prices),
            Input::FlowFailed { flow } => {
                self.exchange.registrar.drop_flow(flow);
                self.exchange.agent.flow_failed(now, flow);
            }
            Input::Unsent { id, was_open } => self.exchange.agent.unsent(now, id, was_open),
            Input::Returned { beginning } => self.exchange.agent.returned(now, &beginning),
            Input::Located { ticket, result } => {
                if self.exchange.lead(now, ticket, &result) {
                    return self.pump(now);
                }
                let (trunks, mut work) = self.exchange.trunk_work();
                trunks.located(now, ticket, &result, &mut work);
            }
            Input::Loaded { ticket, result } => {
                if self.exchange.music_loaded(ticket, &result) {
                    // Several calls may have been held meanwhile.
                    let mut calls: Vec<CallKey> = self.calls.keys().copied().collect();
                    calls.sort_unstable();
                    for call in calls {
                        self.with_call(call, |call, exchange| call.music_ready(exchange, now));
                    }
                }
                if let Some(leg) = self.exchange.take_ticket(ticket) {
                    self.with_call(leg.call, |call, exchange| call.loaded(exchange, now, leg.leg, result));
                }
            }
            Input::Kept { ticket, result } => {
                self.exchange.take_kept(ticket, result.is_ok());
                if let Some(leg) = self.exchange.take_ticket(ticket) {
                    self.with_call(leg.call, |call, exchange| call.kept(exchange, now, leg.leg, result));
                }
            }
            Input::Media(event) => self.media(now, event),
            Input::MediaRefused(command) => self.media_refused(now, command),
            Input::Timeout => self.time_out(now),
            Input::Accounts(accounts) => self.take_accounts(accounts),
            Input::User { name, account } => self.take_user(name, account.map(|account| *account)),
            Input::Reload { settings, plan } => self.reload(now, settings, plan),
            Input::HangUp { id } => {
                if let Some(&call) = self.ids.get(&id) {
                    let reason = sip_reason(200, "Ended by an operator");
                    self.with_call(call, |call, exchange| {
                        call.end(exchange, now, EndedBy::Gateway, "hung up by an operator", Some(reason));
                    });
                }
            }
            Input::Steer { id, steering } => self.steer(now, &id, &steering),
            Input::RecordRoom { room, on } => self.record_room(now, &room, on),
            Input::Drain => self.draining = true,
            Input::EndAll => self.end_all(now),
            Input::Post(news) => self.exchange.post_news(now, news),
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
            self.exchange.notifier.poll_timeout(),
            self.exchange.publications.poll_timeout(),
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
            letters: self.exchange.post.pending(),
            stored_messages: self.exchange.post.stored(),
            subscriptions: self.exchange.notifier.count(),
            publications: self.exchange.publications.count(),
            lamps: self.exchange.lamps.count(),
            ignored: self.ignored,
            guessers: self.exchange.guessing.len(),
            shares: self.exchange.capacity.len(),
            refused_for_media: self.exchange.capacity.refused,
            one_way: self.exchange.listening.one_way,
            one_way_total: self.exchange.listening.one_way_total,
            rooms: self.exchange.rooms.count(),
            room_members: self.exchange.rooms.members(),
        }
    }

    /// What each media worker has to do, measured and expected, in thousandths of a core.
    pub fn media_loads(&self) -> impl Iterator<Item = u64> {
        self.exchange.capacity.loads()
    }

    /// What went through the legs of calls that ended since this was last asked.
    pub fn take_ended_legs(&mut self) -> VecDeque<EndedLeg> {
        self.exchange.listening.take_ended()
    }

    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Why no new call is taken; none while calls are.
    pub fn closed(&self) -> Option<Closed> {
        if self.draining {
            Some(Closed::Draining)
        } else if self.records_failing.is_some() {
            Some(Closed::NoRecords)
        } else {
            (self.calls.len() >= self.exchange.settings.limits.calls).then_some(Closed::Full)
        }
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
            self.calls.values().filter(|call| call.stage != Stage::Ending).map(|call| call.view()).collect();
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

    /// Takes back the phones of users that an earlier process knew, the least recently refreshed ones first, and from now on
    /// says which have changed. Returns how many are registered again.
    pub fn restore_phones(&mut self, now: Now, phones: impl Iterator<Item = (String, Binding)>) -> usize {
        let Exchange { registrar, accounts, .. } = &mut self.exchange;
        registrar.tell_unkept();
        let mut count = 0;
        for (user, binding) in phones {
            let is_user = accounts.by_name(&user).is_some_and(|account| account.name == user);
            if is_user && registrar.restore(now, &user, binding) {
                count += 1;
            } else {
                registrar.mark(&user);
            }
        }
        count
    }

    /// At most so many users whose phones have changed since they were asked for, with those that outlive this process.
    pub fn take_unkept_phones(&mut self, limit: usize) -> Vec<(String, Vec<Binding>)> {
        self.exchange.registrar.take_unkept(limit)
    }

    /// The phones of `user` could not be kept: they are told again.
    pub fn keep_phones_again(&mut self, user: &str) {
        self.exchange.registrar.mark(user);
    }

    /// Lets the agent's news reach the calls, until there is none left, and its bytes reach the outputs.
    fn pump(&mut self, now: Now) {
        loop {
            self.run_errands(now);
            let mut busy = false;
            while let Some(event) = self.exchange.agent.poll_event() {
                self.sip(now, event);
                self.run_errands(now);
                busy = true;
            }
            while let Some(change) = self.exchange.registrar.poll_change() {
                self.registration_changed(now, change);
                busy = true;
            }
            self.light_lamps(now);
            // Who is told may turn out to be gone.
            if !(self.exchange.tell_watchers(now) || busy) {
                break;
            }
        }
        while let Some(transmit) = self.exchange.agent.poll_transmit() {
            self.exchange.outputs.push_back(Output::Send(transmit));
        }
    }

    fn registration_changed(&mut self, now: Now, change: Change) {
        let (Change::Added { user, .. } | Change::Removed { user, .. }) = &change;
        for package in [Package::Presence, Package::Reg] {
            self.exchange.notifier.changed(now.time, package, user);
        }
        let notice = match change {
            Change::Added { user, binding } => {
                self.exchange.user_arrived(now, &user, true);
                Notice::Registered { user, contact: binding.uri.clone(), flow: binding.flow }
            }
            Change::Removed { user, binding, .. } => Notice::Unregistered { user, contact: binding.uri.clone() },
        };
        self.exchange.notice(notice);
    }

    /// Shows what became of the calls that something happened to.
    fn light_lamps(&mut self, now: Now) {
        let mut touched = self.exchange.lamps.take_touched();
        for key in touched.drain(..) {
            let lamps = self.calls.get(&key).map(|call| call.lamps()).unwrap_or_default();
            for change in self.exchange.lamps.set(key, lamps) {
                self.exchange.notifier.changed(now.time, Package::Dialog, &change.user);
                if change.turned {
                    self.exchange.notifier.changed(now.time, Package::Presence, &change.user);
                }
            }
        }
        self.exchange.lamps.give_back(touched);
    }

    fn received(&mut self, now: Now, flow: Flow, bytes: Bytes) {
        let message = match Message::parse_with(bytes.clone(), &message_limits(&self.exchange.settings)) {
            Ok(message) => message,
            Err(error) => {
                if let (ParseError::TooLarge(_), Some(beginning)) = (error, beginning(&bytes)) {
                    self.exchange.agent.refuse_large(now, flow, beginning);
                }
                return self.exchange.notice(Notice::Malformed { flow, why: error.to_string() });
            }
        };
        if self.ignores(now, flow, &message) {
            return;
        }
        let limits = &self.exchange.settings.limits;
        let limits = LoadLimits { calls: limits.call_lag, registrations: limits.registration_lag };
        let shedding = self.load.shedding(now.time, limits, || self.exchange.knows(now, flow));
        self.exchange.agent.shed(shedding);
        self.exchange.agent.receive(now, flow, message);
    }

    fn sip(&mut self, now: Now, event: Event) {
        match event {
            Event::Invited { session, flow, message } => self.invited(now, session, flow, &message),
            Event::Request { id, flow, message } => self.requested(now, id, flow, &message),
            Event::Response { id, message } => {
                let notifier = &mut self.exchange.notifier;
                if notifier.answered(now.time, id, message.status()) || self.exchange.letter_answered(now, id, &message)
                {
                    return;
                }
                let (trunks, mut work) = self.exchange.trunk_work();
                trunks.answered(now, id, &message, &mut work);
            }
            Event::Failed { id, cause } => {
                if self.exchange.notifier.failed(now.time, id, cause) || self.exchange.letter_failed(now, id, cause) {
                    return;
                }
                let (trunks, mut work) = self.exchange.trunk_work();
                trunks.failed(now, id, cause, &mut work);
            }
            Event::Astray { id, target } => self.exchange.look_for(id, target),
            Event::Session { session, event } => self.session(now, session, event),
        }
    }

    fn session(&mut self, now: Now, session: SessionId, event: SessionEvent) {
        let Some(LegKey { call, leg }) = self.exchange.session_owner(session) else {
            // A session that no call looks after any more: whatever it still asks is turned down.
            match event {
                SessionEvent::Reoffered { .. } => self.exchange.agent.reanswer(now, session, 481, "", Vec::new(), None),
                SessionEvent::Asked { id, .. } => self.exchange.agent.respond(now, id, 481, "", Vec::new(), None),
                SessionEvent::Answered { .. } => {
                    self.exchange.agent.ack(now, session, None);
                    self.exchange.agent.bye(now, session, None);
                }
                _ => {}
            }
            return;
        };
        if let SessionEvent::Asked { id, message } = &event
            && *message.method() == Method::Refer
        {
            return self.referred(now, LegKey { call, leg }, *id, message);
        }
        self.with_call(call, |call, exchange| match event {
            SessionEvent::Progress { message } => call.progressed(exchange, now, leg, &message),
            SessionEvent::Answered { message } => call.answered(exchange, now, leg, &message),
            SessionEvent::Refused { message } => call.leg_refused(exchange, now, leg, &message),
            SessionEvent::Failed { cause } => call.leg_unreachable(exchange, now, leg, cause),
            SessionEvent::Acked { message } => call.acknowledged(exchange, now, leg, &message),
            SessionEvent::Pracked { message } => call.pracked(exchange, now, leg, &message),
            SessionEvent::Cancelled { reason } => call.caller_gave_up(exchange, now, reason),
            SessionEvent::Reoffered { message } => call.reoffered(exchange, now, leg, &message),
            SessionEvent::Withdrawn => call.change_withdrawn(exchange, now, leg),
            SessionEvent::ReAcked { message } => call.acknowledged(exchange, now, leg, &message),
            SessionEvent::Reanswered { message } => call.reanswered(exchange, now, leg, &message),
            SessionEvent::Rerefused { .. } => call.rerefused(exchange, now, leg),
            SessionEvent::RefreshDue => call.refresh(exchange, now, leg),
            SessionEvent::Settled => call.settle(exchange, now, leg),
            SessionEvent::Asked { id, message } => call.asked(exchange, now, leg, id, &message),
            SessionEvent::Replied { id, message } => call.replied(exchange, now, id, &message),
            SessionEvent::Unanswered { id, .. } => call.unanswered(exchange, now, id),
            SessionEvent::Ended { by, bye } => {
                call.note_bye(exchange, leg, bye.as_ref());
                call.leg_ended(exchange, now, leg, by);
            }
        });
    }

    /// Runs `work` on a call, and lets go of it when it is done.
    pub(super) fn with_call(&mut self, key: CallKey, work: impl FnOnce(&mut Call, &mut Exchange)) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        work(call, &mut self.exchange);
        self.exchange.lamps.touch(key);
        if call.is_done()
            && let Some(call) = self.calls.remove(&key)
        {
            self.ids.remove(&call.record.id);
            self.exchange.capacity.end(key);
        }
    }

    fn time_out(&mut self, now: Now) {
        self.exchange.agent.handle_timeout(now);
        self.exchange.registrar.handle_timeout(now);
        self.exchange.notifier.handle_timeout(now.time);
        for user in self.exchange.publications.handle_timeout(now.time) {
            self.exchange.notifier.changed(now.time, Package::Presence, &user);
        }
        let (trunks, mut work) = self.exchange.trunk_work();
        trunks.advance(now, &mut work);
        while let Some(timer) = self.exchange.timers.expire(now.time) {
            match timer {
                Timer::Ring(call) => self.with_call(call, |call, exchange| call.rang_out(exchange, now)),
                Timer::Patience(call) => self.with_call(call, |call, exchange| call.lose_patience(exchange, now)),
                Timer::Rewire(call) => self.with_call(call, |call, exchange| call.rewire(exchange)),
                Timer::OneWay(call) => self.with_call(call, |call, exchange| call.begin_one_way(exchange, now)),
                Timer::Close { port, worker } => self.exchange.command(worker, Command::Close { port }),
                Timer::Letter(letter) => self.exchange.letter_timed_out(now, letter),
                Timer::Sweep => self.exchange.sweep_letters(now),
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
        self.exchange.forget_letters();
        self.judge_watchers();
    }

    /// The same of one user, at a cost that doesn't grow with the number of all.
    fn take_user(&mut self, name: String, account: Option<Account>) {
        let Exchange { accounts, plan, registrar, .. } = &mut self.exchange;
        let (accounts, plan) = (Arc::make_mut(accounts), Arc::make_mut(plan));
        if let Some(account) = account {
            let Account { name, number, country, .. } = account.clone();
            plan.insert_user(PlanUser { name, number, country });
            return accounts.insert(account);
        }
        plan.remove_user(&name);
        accounts.remove(&name);
        registrar.forget(&name);
        self.exchange.forget_letters();
        self.judge_watchers();
    }

    fn reload(&mut self, now: Now, settings: Arc<Settings>, plan: Arc<Plan>) {
        self.exchange.settings = Arc::clone(&settings);
        self.exchange.plan = plan;
        self.exchange.set_announce();
        self.exchange.agent.set_max_sessions(max_sessions(&settings));
        self.exchange.agent.set_names(our_names(&settings));
        self.exchange.music = Music::default();
        self.exchange.registrar.set_limits(registrar_limits(&settings));
        self.exchange.notifier.set_limits(subscribed::notifier_limits(&settings));
        self.exchange.publications.set_limits(subscribed::publication_limits(&settings));
        self.judge_watchers();
        self.exchange.guessing.set_limits(guess_limits(&settings));
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
        self.exchange.notifier.end(|_, _, _| Some(Ending::Probation));
    }
}

/// By which trunks know us.
fn our_names(settings: &Settings) -> Vec<String> {
    settings.trunks.iter().filter_map(|trunk| trunk.contact_host.clone()).collect()
}

fn max_sessions(settings: &Settings) -> usize {
    settings.limits.calls.saturating_mul(SESSIONS).saturating_add(SPARE_SESSIONS)
}

fn registrar_limits(settings: &Settings) -> RegistrarLimits {
    RegistrarLimits {
        contacts: settings.limits.contacts,
        bindings: settings.limits.registrations,
        min: settings.sip.registration_min,
        max: settings.sip.registration_max,
        default: settings.sip.registration_default,
        flow_timer: settings.sip.flow_timer,
        domain: settings.sip.domain.clone(),
        announce: Announce::signalling(settings),
    }
}

/// As much of a message that is too large as an answer to it needs, where it begins with that.
fn beginning(bytes: &Bytes) -> Option<Message> {
    const ENOUGH: usize = 2_048;
    const LINES: usize = 64;
    let start = bytes.get(..ENOUGH.min(bytes.len()))?;
    let end = start.windows(2).enumerate().filter(|(_, pair)| pair == b"\r\n").take(LINES).last()?.0;
    Message::parse([start.get(..end)?, b"\r\n\r\n"].concat().into()).ok()
}

fn message_limits(settings: &Settings) -> Limits {
    let limits = &settings.limits;
    Limits { headers: limits.headers, header_bytes: limits.header_bytes, ..Limits::DEFAULT }
}

fn seed(chance: &mut Chance) -> [u8; 32] {
    let mut seed = [0; 32];
    for word in seed.chunks_mut(8) {
        word.copy_from_slice(&chance.u64().to_ne_bytes());
    }
    seed
}
