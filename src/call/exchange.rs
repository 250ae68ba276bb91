//! What all calls of a shard share: the SIP agent, trunks, accounts, the plan, and the way out to the world.

use crate::base::chance::Chance;
use crate::base::ids::IdMap;
use crate::base::time::Now;
use crate::base::timers::Timers;
use crate::call::account::Accounts;
use crate::call::account::forwarding::Forwarding;
use crate::call::capacity::Capacity;
use crate::call::errand::Errand;
use crate::call::io::{Notice, Output, Ticket};
use crate::call::lamp::Lamps;
use crate::call::lamp::subscribed;
use crate::call::letter::post::{DeliveryKey, Post};
use crate::call::listening::Listening;
use crate::call::record::CallRecord;
use crate::call::room::Rooms;
use crate::call::talk::music::Music;
use crate::call::trunks::{Trunks, Work};
use crate::config::settings::Settings;
use crate::dialplan::plan::Plan;
use crate::dialplan::route::Target;
use crate::media::command::{Command, PortId};
use crate::sip::agent::{Agent, ClientId, SessionId};
use crate::sip::announce::Announce;
use crate::sip::digest::Verifier;
use crate::sip::flow::Flow;
use crate::sip::guessing::{GuessLimits, Guessing};
use crate::sip::locate::{Located, Target as Host};
use crate::sip::notifier::Notifier;
use crate::sip::publication::Publications;
use crate::sip::registrar::Registrar;
use crate::wire::description::Description;
use crate::wire::events::pidf::Presence;
use crate::wire::sip::Uuid;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// One call of this shard, never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);

/// One leg of a call: 0 is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegKey {
    pub call: CallKey,
    pub leg: usize,
}

/// Every timer of the call floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The called side has rung for long enough.
    Ring(CallKey),
    /// A worker owes an answer for too long.
    Patience(CallKey),
    /// Orders about the media of a call are given again that found a worker's ring full.
    Rewire(CallKey),
    /// The same for the order to close a port.
    Close { port: PortId, worker: usize },
    /// One leg of a call isn't heard, and by then the other has to be.
    OneWay(CallKey),
    /// The sender of a letter has waited for long enough.
    Letter(DeliveryKey),
    /// What the store keeps is looked through for what has expired.
    Sweep,
}

pub struct Exchange {
    pub settings: Arc<Settings>,
    pub plan: Arc<Plan>,
    pub accounts: Arc<Accounts>,
    pub agent: Agent,
    pub verifier: Verifier,
    pub registrar: Registrar,
    pub guessing: Guessing,
    pub trunks: Trunks,
    pub chance: Chance,
    pub timers: Timers<Timer>,
    pub outputs: VecDeque<Output>,
    /// What SDP calls our addresses.
    announce: Announce,
    /// What calls want of each other.
    pub errands: VecDeque<Errand>,
    pub music: Music,
    pub post: Post,
    pub notifier: Notifier,
    pub publications: Publications<Presence>,
    pub lamps: Lamps,
    pub listening: Listening,
    sessions: IdMap<SessionId, LegKey>,
    ports: IdMap<PortId, LegKey>,
    /// Ports whose worker had no room for the order to close them.
    closing: IdMap<PortId, usize>,
    tickets: IdMap<Ticket, LegKey>,
    /// Requests whose connection is gone, and whose host is being looked for.
    astray: HashMap<Ticket, ClientId>,
    /// Changes of users' settings that the store has yet to keep.
    keeping: HashMap<Ticket, (String, Forwarding)>,
    /// Calls in progress that each user sent on.
    forwards: HashMap<String, usize>,
    /// Call-IDs of legs that we placed, so that a call which comes back to us is known for a loop.
    placed: HashSet<String>,
    last_port: u64,
    last_ticket: u64,
    last_call: u64,
    /// What the media workers can carry.
    pub capacity: Capacity,
    pub rooms: Rooms,
    /// Told to no one but this process: part of each record's id, so that ids stay unique over restarts.
    pub run: String,
}

impl Exchange {
    #[expect(clippy::too_many_arguments, reason = "one place puts the switch together")]
    pub fn new(
        settings: Arc<Settings>,
        plan: Arc<Plan>,
        accounts: Arc<Accounts>,
        agent: Agent,
        verifier: Verifier,
        registrar: Registrar,
        mut chance: Chance,
        workers: usize,
        now: Now,
    ) -> Exchange {
        let run = chance.token(10);
        let announce = Announce::media(&settings);
        let trunks = Trunks::new(&settings, now, &mut chance);
        let (notifier_limits, publication_limits) =
            (subscribed::notifier_limits(&settings), subscribed::publication_limits(&settings));
        let guessing = Guessing::new(guess_limits(&settings));
        Exchange {
            settings,
            plan,
            accounts,
            agent,
            verifier,
            registrar,
            guessing,
            trunks,
            chance,
            timers: Timers::default(),
            outputs: VecDeque::new(),
            announce,
            errands: VecDeque::new(),
            music: Music::default(),
            post: Post::default(),
            notifier: Notifier::new(notifier_limits),
            publications: Publications::new(publication_limits),
            lamps: Lamps::default(),
            listening: Listening::default(),
            sessions: IdMap::default(),
            ports: IdMap::default(),
            closing: IdMap::default(),
            tickets: IdMap::default(),
            astray: HashMap::new(),
            keeping: HashMap::new(),
            forwards: HashMap::new(),
            placed: HashSet::new(),
            last_port: 0,
            last_ticket: 0,
            last_call: 0,
            capacity: Capacity::new(workers),
            rooms: Rooms::default(),
            run,
        }
    }

    /// A key and a record id for a new call, and the worker that carries its media: where it leads to a room, that of the
    /// room.
    pub fn new_call(&mut self, targets: &[Target]) -> (CallKey, String, usize) {
        self.last_call += 1;
        let key = CallKey(self.last_call);
        // A room that others fail over to is gone to when it comes to that.
        let room = targets.first().and_then(Target::room);
        let worker = self.capacity.begin(key, room.and_then(|name| self.rooms.worker(name)));
        if let Some(name) = room {
            self.rooms.expect(name, key, worker, self.settings.limits.rooms);
        }
        (key, format!("{}-{}", self.run, self.last_call), worker)
    }

    /// A name for a session whose end gives none (RFC 7989).
    pub fn new_uuid(&mut self) -> Uuid {
        Uuid::from_random(u128::from(self.chance.u64()) << 64 | u128::from(self.chance.u64()))
    }

    pub fn own_session(&mut self, session: SessionId, leg: LegKey) {
        self.sessions.insert(session, leg);
    }

    pub fn session_owner(&self, session: SessionId) -> Option<LegKey> {
        self.sessions.get(&session).copied()
    }

    pub fn forget_session(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    pub fn note_placed(&mut self, call_id: &str) {
        self.placed.insert(call_id.to_owned());
    }

    pub fn forget_placed(&mut self, call_id: &str) {
        self.placed.remove(call_id);
    }

    /// Whether an INVITE with this Call-ID is one of ours that came back.
    pub fn is_placed(&self, call_id: &str) -> bool {
        self.placed.contains(call_id)
    }

    /// Asks the worker for a port; `Opened` or `OpenFailed` follows.
    pub fn open_port(&mut self, leg: LegKey, worker: usize, local: IpAddr) -> PortId {
        self.last_port += 1;
        let port = PortId(self.last_port);
        self.ports.insert(port, leg);
        self.command(worker, Command::Open { port, local });
        port
    }

    pub fn port_owner(&self, port: PortId) -> Option<LegKey> {
        self.ports.get(&port).copied()
    }

    /// Gives a port to another leg.
    pub fn own_port(&mut self, port: PortId, leg: LegKey) {
        self.ports.insert(port, leg);
    }

    pub fn forget_port(&mut self, port: PortId) {
        self.ports.remove(&port);
    }

    /// The worker that has yet to be told to close a port; `worker` where it is known by its call.
    pub fn closing(&mut self, port: PortId, worker: Option<usize>) -> Option<usize> {
        if let Some(worker) = worker {
            self.closing.insert(port, worker);
        }
        self.closing.get(&port).copied()
    }

    pub fn forget_closing(&mut self, port: PortId) {
        self.closing.remove(&port);
    }

    pub fn command(&mut self, worker: usize, command: Command) {
        self.outputs.push_back(Output::Media { worker, command });
    }

    pub fn load(&mut self, leg: LegKey, file: String) {
        let ticket = self.load_for_all(file);
        self.tickets.insert(ticket, leg);
    }

    /// Has a file read that is no one leg's.
    pub fn load_for_all(&mut self, file: String) -> Ticket {
        let ticket = self.new_ticket();
        self.outputs.push_back(Output::Load { ticket, file });
        ticket
    }

    pub fn new_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    pub fn take_ticket(&mut self, ticket: Ticket) -> Option<LegKey> {
        self.tickets.remove(&ticket)
    }

    /// Has the host of a request that went astray looked for.
    pub fn look_for(&mut self, id: ClientId, target: Host) {
        let ticket = self.new_ticket();
        self.astray.insert(ticket, id);
        self.outputs.push_back(Output::Locate { ticket, target });
    }

    /// Leads such a request to where its host was found; false where the answer is to another question.
    pub fn lead(&mut self, now: Now, ticket: Ticket, result: &Result<Located<Flow>, String>) -> bool {
        let Some(id) = self.astray.remove(&ticket) else { return false };
        let ways = result.as_ref().map(|located| located.order(&mut self.chance)).unwrap_or_default();
        self.agent.lead(now, id, ways.first().copied());
        true
    }

    /// Asks the store to keep where a user's calls go; `Input::Kept` follows.
    pub fn keep_forwarding(&mut self, leg: LegKey, user: String, forwarding: Forwarding) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.tickets.insert(ticket, leg);
        self.keeping.insert(ticket, (user.clone(), forwarding.clone()));
        self.outputs.push_back(Output::Keep { ticket, user, forwarding: Box::new(forwarding) });
    }

    /// What is kept is in force from now on, be the caller still there or not.
    pub fn take_kept(&mut self, ticket: Ticket, is_kept: bool) {
        if let Some((user, forwarding)) = self.keeping.remove(&ticket).filter(|_| is_kept) {
            Arc::make_mut(&mut self.accounts).set_forwarding(&user, forwarding);
        }
    }

    pub fn forwards_of(&self, user: &str) -> usize {
        self.forwards.get(user).copied().unwrap_or(0)
    }

    /// A user has sent a call on, or it is over.
    pub fn count_forward(&mut self, user: &str, begins: bool) {
        let count = self.forwards.entry(user.to_owned()).or_default();
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.forwards.remove(user);
        }
    }

    pub fn keep(&mut self, record: &CallRecord) {
        self.outputs.push_back(Output::Record(Box::new(record.clone())));
    }

    pub fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    /// Whether a trunk or a registered phone is at the other end.
    pub fn knows(&self, now: Now, flow: Flow) -> bool {
        self.trunks.at(flow).is_some()
            || self.registrar.is_on(flow)
            || self.trunks.reaching_from(flow, now.time).is_some()
    }

    /// The trunks beside what they need in order to act.
    pub fn trunk_work(&mut self) -> (&mut Trunks, Work<'_>) {
        let work = Work {
            agent: &mut self.agent,
            chance: &mut self.chance,
            outputs: &mut self.outputs,
            tickets: &mut self.last_ticket,
            patience: self.settings.sip.trunk_timeout,
        };
        (&mut self.trunks, work)
    }

    /// Our address for the media of a caller: that of the way its INVITE came, unless its offer is of the other family and
    /// we listen at an address of that.
    pub fn media_address(&self, flow: Flow, offer: Option<&Description>) -> IpAddr {
        let own = flow.local.ip();
        let media = offer.and_then(|offer| offer.media.iter().find(|media| !media.is_refused()));
        let theirs = media.map(|media| media.address.ip()).filter(|ip| !ip.is_unspecified());
        let fits = |ip: &IpAddr| theirs.is_none_or(|theirs| theirs.is_ipv4() == ip.is_ipv4());
        let others = self.settings.sip.udp.iter().chain(&self.settings.sip.tcp).map(|socket| socket.ip());
        let other = || others.filter(|ip| !ip.is_unspecified()).find(fits);
        if fits(&own) { own } else { other().unwrap_or(own) }
    }

    /// What SDP announces to a peer: our address on the way to it, or the public one to whoever is outside.
    pub fn announced(&self, local: IpAddr, remote: IpAddr) -> IpAddr {
        self.announce.address(local, remote)
    }

    /// Takes on what our addresses are called from now on.
    pub fn set_announce(&mut self) {
        self.announce = Announce::media(&self.settings);
        self.agent.set_announce(Announce::signalling(&self.settings));
    }

    /// What is still held for calls: sessions, ports and questions. All zero when no call is left.
    pub fn held(&self) -> (usize, usize, usize) {
        (
            self.sessions.len(),
            self.ports.len() + self.closing.len(),
            self.tickets.len()
                + self.astray.len()
                + self.placed.len()
                + self.keeping.len()
                + self.forwards.len()
                + self.errands.len(),
        )
    }
}

pub fn guess_limits(settings: &Settings) -> GuessLimits {
    let security = &settings.security;
    GuessLimits {
        free: security.guesses,
        free_per_source: security.guesses_per_address,
        free_per_account: security.guesses_per_account,
        lockout: security.lockout,
        trusted_for: security.trusted_for,
        missing: security.silent_after,
        memory: security.guessers,
    }
}
