//! A telephone or a provider: an agent of its own, and a script for each call that it has.

mod chat;
mod place;
mod refer;
mod session;
mod talk;
mod update;
mod watch;

pub use place::Call;
pub use talk::Side;
pub use watch::Watch;

use crate::ledger::{Ledger, Speech};
use crate::network::below;
use crate::office::{self, GATEWAY};
use crate::profile::Manners;
use crate::provider::Provider;
use crate::worker::Echo;
use chat::Asking;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use talk::Talk;
use tandem::base::chance::Chance;
use tandem::base::time::{Now, Time};
use tandem::base::timers::Timers;
use tandem::config::settings::Prack;
use tandem::sip::agent::{Agent, AgentSettings, Event, OutgoingRequest, RequestId, SessionId, Terms, TimerTerms};
use tandem::sip::digest::{ClientCredentials, Responder};
use tandem::sip::flow::{Flow, Transmit, Transport};
use tandem::wire::sip::{Message, Method, Name};

/// What a phone asks for when it registers.
const EXPIRES: u64 = 300;

pub struct Peer {
    pub name: String,
    /// As it knows it.
    pub address: SocketAddr,
    /// As the gateway sees it: another one where a NAT is between them.
    pub public: SocketAddr,
    transport: Transport,
    pub role: Role,
    agent: Agent,
    manners: Manners,
    chance: Chance,
    errands: Timers<Errand>,
    talks: BTreeMap<SessionId, Talk>,
    askings: BTreeMap<RequestId, Asking>,
    /// What it watches, by the Call-IDs of its subscriptions.
    watches: BTreeMap<String, Watch>,
    /// Answers that its agent doesn't write.
    outbox: VecDeque<Transmit>,
    /// Call-IDs of calls that it knows nothing of any more.
    forgotten: HashSet<String>,
    /// Nothing comes in or goes out until then.
    deaf_until: Time,
    next_port: u16,
    lives: u8,
    /// Its connection was closed, of which the gateway is to hear.
    pub is_cut_off: bool,
}

/// How a peer and the gateway reach each other.
#[derive(Clone, Copy)]
pub struct Way {
    address: SocketAddr,
    public: SocketAddr,
    transport: Transport,
}

pub enum Role {
    Phone(Phone),
    Provider(Provider),
    /// Calls without an account, or with a wrong password.
    Stranger(Option<ClientCredentials>),
}

pub struct Phone {
    pub user: String,
    pub credentials: ClientCredentials,
    responder: Responder,
    registering: Option<RequestId>,
    cseq: u32,
    challenges: u32,
    pub is_registered: bool,
    /// Has no phone there for now.
    is_away: bool,
    /// Lets its registration run out.
    pub is_leaving: bool,
}

/// What a peer does at a moment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Errand {
    Register,
    Chat,
    /// It is there again.
    Return,
    /// It loses all that it knows, or hears nothing for a while.
    Mishap,
    Ring(SessionId),
    /// Answers, or refuses.
    Decide(SessionId),
    GiveUp(SessionId),
    Speak(SessionId),
    Inspect(SessionId),
    HangUp(SessionId),
    Step(SessionId, usize),
    Early(SessionId),
    Reanswer(SessionId),
    Vanish(SessionId),
}

impl Way {
    pub fn udp(address: SocketAddr) -> Way {
        Way { address, public: address, transport: Transport::Udp }
    }

    pub fn tcp(address: SocketAddr) -> Way {
        Way { transport: Transport::Tcp, ..Way::udp(address) }
    }

    /// Behind a NAT that shows `public` to the world.
    pub fn hidden(address: SocketAddr, public: SocketAddr) -> Way {
        Way { public, ..Way::udp(address) }
    }
}

impl Phone {
    pub fn new(user: &str, password: &str) -> Phone {
        let credentials = ClientCredentials { username: user.to_owned(), password: password.to_owned(), realm: None };
        Phone {
            user: user.to_owned(),
            responder: Responder::new(credentials.clone()),
            credentials,
            registering: None,
            cseq: 0,
            challenges: 0,
            is_registered: false,
            is_away: false,
            is_leaving: false,
        }
    }

    fn restart(&mut self) {
        *self = Phone { is_leaving: self.is_leaving, ..Phone::new(&self.user, &self.credentials.password) };
    }
}

impl Peer {
    pub fn new(name: &str, way: Way, role: Role, manners: Manners, mut chance: Chance) -> Peer {
        let mut errands = Timers::default();
        if let Role::Phone(_) = &role {
            errands.set(Errand::Register, Time::from_millis(chance.below(3_000)));
            if !manners.chats.is_zero() {
                errands.set(Errand::Chat, Time::from_millis(8_000) + below(&mut chance, manners.chats));
            }
        }
        if !manners.restarts.is_zero() {
            // Not before the phones had time to register.
            let after = Duration::from_secs(10) + below(&mut chance, manners.restarts * 2);
            errands.set(Errand::Mishap, Time::ZERO + after);
        }
        let agent = agent(0, &mut chance);
        Peer {
            name: name.to_owned(),
            address: way.address,
            public: way.public,
            transport: way.transport,
            role,
            agent,
            manners,
            chance,
            errands,
            talks: BTreeMap::new(),
            askings: BTreeMap::new(),
            watches: BTreeMap::new(),
            outbox: VecDeque::new(),
            forgotten: HashSet::new(),
            deaf_until: Time::ZERO,
            next_port: 30_000,
            lives: 0,
            is_cut_off: false,
        }
    }

    pub fn receive(&mut self, now: Now, flow: Flow, message: Message, ledger: &mut Ledger) {
        if self.is_deaf(now.time) || self.forgotten.contains(message.call_id()) {
            return;
        }
        // The agent leaves the dialogs of subscriptions to its owner.
        if *message.method() == Method::Notify && watch::is_of_subscription(&message) {
            return self.news(now, flow, &message, ledger);
        }
        self.agent.receive(now, flow, message);
        self.pump(now, ledger);
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Now, ledger: &mut Ledger) {
        self.agent.handle_timeout(now);
        self.pump(now, ledger);
        while let Some(errand) = self.errands.expire(now.time) {
            match errand {
                Errand::Register => self.register(now),
                Errand::Chat => self.chat(now, ledger),
                Errand::Return => self.come_back(now),
                Errand::Mishap => self.mishap(now, ledger),
                Errand::Ring(id) => self.ring(now, id, ledger),
                Errand::Decide(id) => self.decide(now, id, ledger),
                Errand::GiveUp(id) => self.give_up(now, id, ledger),
                Errand::Speak(id) => self.speak(now, id, ledger),
                Errand::Inspect(id) => self.inspect(now, id, ledger),
                Errand::HangUp(id) => self.hang_up(now, id, ledger),
                Errand::Step(id, step) => self.step(now, id, step, ledger),
                Errand::Early(id) => self.update_early(now, id),
                Errand::Reanswer(id) => self.reanswer(now, id, ledger),
                Errand::Vanish(id) => self.vanish(now, id, ledger),
            }
            self.pump(now, ledger);
        }
    }

    pub fn poll_transmit(&mut self, now: Now) -> Option<Transmit> {
        loop {
            let transmit = self.outbox.pop_front().or_else(|| self.agent.poll_transmit())?;
            let silent = self.is_deaf(now.time)
                || !self.forgotten.is_empty()
                    && Message::parse(transmit.bytes.clone())
                        .is_ok_and(|message| self.forgotten.contains(message.call_id()));
            if !silent {
                return Some(transmit);
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.agent.poll_timeout().into_iter().chain(self.errands.next()).min()
    }

    pub fn is_idle(&self) -> bool {
        self.talks.is_empty() && self.agent.counts().sessions == 0
    }

    fn flow(&self) -> Flow {
        Flow { transport: self.transport, local: self.address, remote: GATEWAY }
    }

    fn pump(&mut self, now: Now, ledger: &mut Ledger) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::Invited { session, message, .. } => self.invited(now, session, message, ledger),
                Event::Session { session, event } => self.session(now, session, event, ledger),
                Event::Request { id, message, .. } if *message.method() == Method::Message => {
                    self.letter_came(now, id, &message, ledger);
                }
                Event::Request { id, message, .. } => {
                    let (status, headers) = match (&mut self.role, message.method()) {
                        (Role::Provider(provider), Method::Register) => {
                            provider.registered(now, &message, &self.name, ledger)
                        }
                        (_, Method::Options) => (200, Vec::new()),
                        _ => (405, Vec::new()),
                    };
                    self.agent.respond(now, id, status, "", headers, None);
                }
                Event::Astray { id, .. } => self.agent.lead(now, id, None),
                Event::Response { id, message } if self.told(now, id, &message, ledger) => {}
                Event::Response { id, message } => self.enrolled(now, id, &message, ledger),
                Event::Failed { id, .. } => {
                    self.askings.remove(&id);
                    if let Role::Phone(phone) = &mut self.role
                        && phone.registering == Some(id)
                    {
                        phone.registering = None;
                        phone.is_registered = false;
                        self.errands.set(Errand::Register, now.time + Duration::from_secs(5));
                    }
                }
            }
        }
    }

    fn register(&mut self, now: Now) {
        let flow = self.flow();
        let Role::Phone(phone) = &mut self.role else { return };
        if phone.is_leaving {
            return;
        }
        phone.cseq += 1;
        let transport = self.transport.parameter();
        let contact = format!("<sip:{}@{}{transport}>", phone.user, self.address);
        let uri = format!("sip:{}", office::DOMAIN);
        let aor = format!("<sip:{}@{}>", phone.user, office::DOMAIN);
        let expires = if phone.is_away { 0 } else { EXPIRES };
        let mut headers = vec![(Name::Expires, expires.to_string())];
        headers.extend(phone.responder.headers("REGISTER", &uri, b"", &mut self.chance).unwrap_or_default());
        let request = OutgoingRequest {
            call_id: Some(format!("register-{}@{}", self.lives, self.address.ip())),
            cseq: Some(phone.cseq),
            headers,
            contact: Some(contact),
            ..OutgoingRequest::new(Method::Register, uri, flow, aor.clone(), aor)
        };
        phone.registering = Some(self.agent.request(now, request));
    }

    /// The gateway's answer to our REGISTER.
    fn enrolled(&mut self, now: Now, id: RequestId, message: &Message, ledger: &mut Ledger) {
        let Role::Phone(phone) = &mut self.role else { return };
        if phone.registering != Some(id) || message.status() < 200 {
            return;
        }
        phone.registering = None;
        let again = match message.status() {
            200 if phone.is_away => {
                (phone.is_registered, phone.challenges) = (false, 0);
                return;
            }
            200 => {
                (phone.is_registered, phone.challenges) = (true, 0);
                Duration::from_secs(EXPIRES / 2) + below(&mut self.chance, Duration::from_secs(30))
            }
            401 if phone.challenges < 3 && phone.responder.challenged(message).is_ok() => {
                phone.challenges += 1;
                Duration::ZERO
            }
            // It isn't a user any more, for a while.
            401 | 403 if phone.user == office::LEAVER => {
                (phone.is_registered, phone.challenges) = (false, 0);
                Duration::from_secs(10)
            }
            status => {
                ledger.violation(now.time, None, format!("REGISTER of {} was answered {status}", self.name));
                phone.challenges = 0;
                Duration::from_secs(10)
            }
        };
        self.errands.set(Errand::Register, now.time + again);
    }

    /// It restarts and has forgotten everything, or is deaf and dumb for a while.
    fn mishap(&mut self, now: Now, ledger: &mut Ledger) {
        self.errands.set(Errand::Mishap, now.time + below(&mut self.chance, self.manners.restarts * 2));
        self.deaf_until = now.time + below(&mut self.chance, Duration::from_secs(12));
        // What is lost on a connection is lost for good, so that a phone with one doesn't just fall silent.
        if self.chance.below(2) == 0 && self.transport == Transport::Udp {
            return;
        }
        for (_, talk) in std::mem::take(&mut self.talks) {
            talk.abandon(now.time, ledger);
        }
        ledger.restarts.insert(self.name.clone(), now.time);
        self.lives = self.lives.wrapping_add(1);
        self.is_cut_off = self.transport.is_reliable();
        self.move_on();
        self.agent = agent(self.lives, &mut self.chance);
        self.askings.clear();
        self.watches.clear();
        let stays = [Errand::Mishap, Errand::Chat].map(|errand| (errand, self.errands.deadline(errand)));
        self.errands = Timers::default();
        for (errand, at) in stays {
            at.into_iter().for_each(|at| self.errands.set(errand, at));
        }
        match &mut self.role {
            Role::Provider(provider) => provider.restart(now.time, &mut self.chance),
            Role::Phone(phone) => {
                phone.restart();
                self.errands.set(Errand::Register, self.deaf_until);
            }
            Role::Stranger(_) => {}
        }
    }

    pub fn is_connected(&self) -> bool {
        self.transport.is_reliable()
    }

    /// Its connection is closed. A phone makes a new one from another port; what became of its calls is uncertain.
    pub fn break_off(&mut self, now: Now, ledger: &mut Ledger) {
        for talk in self.talks.values() {
            talk.abandon(now.time, ledger);
        }
        self.is_cut_off = true;
        self.move_on();
        // Nothing leads to it by the address that it gave, so it will ask again for what it watches.
        self.watches.clear();
        if let Role::Phone(_) = &self.role {
            self.errands.set(Errand::Register, now.time + below(&mut self.chance, Duration::from_secs(2)));
        }
    }

    /// The next connection of a phone comes from another port; a provider's is made by the gateway.
    fn move_on(&mut self) {
        if self.transport.is_reliable() && matches!(self.role, Role::Phone(_)) {
            self.address.set_port(self.address.port() + 1);
            self.public = self.address;
        }
    }

    /// What its side of a new session uses beyond RFC 3261.
    fn terms(&mut self, acknowledges: bool) -> Terms {
        if !self.chance.happens(self.manners.extended) {
            return Terms::default();
        }
        let span = Duration::from_secs(90);
        Terms {
            prack: if acknowledges { Prack::Supported } else { Prack::Never },
            timer: Some(TimerTerms { expires: span, min: span }),
            probe: Duration::ZERO,
        }
    }

    /// An address for sound, and what the gateway sees of it.
    fn port(&mut self) -> (SocketAddr, SocketAddr) {
        // With room for lines beside the sound.
        self.next_port = if self.next_port >= 60_000 { 30_000 } else { self.next_port + 8 };
        let port = self.next_port;
        let is_hidden = self.address.ip() != self.public.ip();
        let public = SocketAddr::new(self.public.ip(), if is_hidden { port + 1 } else { port });
        (SocketAddr::new(self.address.ip(), port), public)
    }

    /// Until when it hears nothing; none where it does.
    pub fn deaf_until(&self, now: Time) -> Option<Time> {
        self.is_deaf(now).then_some(self.deaf_until)
    }

    fn is_deaf(&self, now: Time) -> bool {
        now < self.deaf_until
    }

    /// Says something in some calls, where it is to be heard.
    pub fn say(&mut self, now: Time, calls: &[usize]) -> Vec<Speech> {
        let talks = self.talks.values_mut().filter(|talk| calls.contains(&talk.call) && talk.is_up());
        let mut speech = Vec::new();
        for talk in talks {
            let sound = talk.voice.say(now).map(|(to, packet)| (talk.voice.public, to, packet));
            let said = sound.into_iter().chain(talk.voice.show_all(now));
            speech.extend(said.map(|(from, to, packet)| Speech { from, to, packet }));
        }
        speech
    }

    /// Hears what a port of the gateway's sends.
    pub fn hear(&mut self, now: Time, echo: &Echo, ledger: &mut Ledger) {
        let &Echo { number, to, ref packet } = echo;
        let Some(talk) = self.talks.values_mut().find(|talk| talk.voice.is_at(to)) else { return };
        // Who is transferred may hear of its new port later than from it.
        let is_moving = ledger.stories.get(talk.call).is_none_or(|story| story.is_transferred);
        if now >= self.deaf_until
            && let Err(why) = talk.voice.listen(now, to, number, packet)
            && !is_moving
        {
            ledger.violation(now, Some(talk.call), format!("{} hears: {why}", self.name));
        }
    }
}

fn agent(shard: u8, chance: &mut Chance) -> Agent {
    let extensions = vec!["100rel", "timer"];
    let takes = vec![Method::Register, Method::Options, Method::Message];
    let settings = AgentSettings { takes, shard, user_agent: String::new(), extensions, ..AgentSettings::default() };
    Agent::new(settings, Chance::from_number(chance.u64()))
}
