//! The loop that drives a machine of the call floor: what arrives goes in with the clock's reading, what comes out is
//! carried out. Records reach the journal before any datagram of the same turn leaves.

use crate::base::plain::Plain;
use crate::base::time::{Now, Time};
use crate::call::io::{Input, Notice, Output};
use crate::call::phone::Phone;
use crate::call::switch::Switch;
use crate::config::settings::Settings;
use crate::media::command::Command;
use crate::media::worker::{Worker, WorkerHandle, WorkerSettings, core, share};
use crate::shell::clock::Clock;
use crate::shell::error::ShellError;
use crate::shell::journal::Journal;
use crate::shell::postman::Postman;
use crate::shell::resolver::Resolver;
use crate::shell::store::Store;
use crate::shell::tape::Tapes;
use crate::shell::transport::{Arrival, Guests, QUEUE, Transports};
use crate::shell::{paths, prompt, seed, tls};
use crate::sip::flow::{Flow, Transport};
use crate::sip::locate::{Located, Target};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};

/// Messages in one turn, so that media and timers are never far behind a flood.
const TURN: usize = 128;
/// Orders to a worker that may wait, and its news.
const ORDERS: usize = 16_384;

/// Lines that strangers can write into the log, in a second.
const WARNINGS: u32 = 20;

/// How often a machine is told how far the loop lags behind.
const MEASURE: Duration = Duration::from_millis(50);

/// How often what isn't urgent is looked after.
pub const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What can be driven.
pub trait Machine {
    fn handle(&mut self, now: Now, input: Input);
    fn poll_output(&mut self) -> Option<Output>;
    fn poll_timeout(&self) -> Option<Time>;
}

impl Machine for Switch {
    fn handle(&mut self, now: Now, input: Input) {
        Switch::handle(self, now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Switch::poll_output(self)
    }

    fn poll_timeout(&self) -> Option<Time> {
        Switch::poll_timeout(self)
    }
}

impl Machine for Phone {
    fn handle(&mut self, now: Now, input: Input) {
        Phone::handle(self, now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Phone::poll_output(self)
    }

    fn poll_timeout(&self) -> Option<Time> {
        Phone::poll_timeout(self)
    }
}

/// The world of one machine.
pub struct World {
    pub clock: Clock,
    transports: Transports,
    arrivals: mpsc::Receiver<Arrival>,
    answers: mpsc::Sender<Arrival>,
    /// Where questions to the world are answered.
    runtime: Handle,
    pub workers: Vec<WorkerHandle>,
    media_news: Arc<Notify>,
    journal: Option<Journal>,
    store: Option<Store>,
    postman: Option<Postman>,
    prompts: PathBuf,
    recordings: PathBuf,
    /// Writes recordings, since there was one.
    tapes: Option<Tapes>,
    resolver: Resolver,
    pub messages: Messages,
    /// Calls that ended since the last look, by their final status.
    endings: BTreeMap<u16, u64>,
    /// The longest lag since it was last told, and when that was.
    lag: Duration,
    measured: Time,
    /// What each worker had counted then: how long it was busy and late, in nanoseconds, and how often it slept.
    media_measures: Vec<[u64; 3]>,
    /// Lines about strangers that were logged, and in which second.
    warned: (u64, u32),
}

/// SIP messages since the start.
#[derive(Clone, Copy, Default)]
pub struct Messages {
    pub received: u64,
    pub sent: u64,
    pub damaged: u64,
}

impl World {
    /// Binds the sockets and starts the media workers. What the world is asked is answered on the runtime that calls this.
    pub async fn open(settings: &Settings, clock: Clock, journal: Option<Journal>) -> Result<World, ShellError> {
        let (answers, arrivals) = mpsc::channel(QUEUE);
        let transports = Transports::open(settings, clock, answers.clone()).await?;
        let media_news = Arc::new(Notify::new());
        let mut workers = Vec::new();
        let count = settings.media.workers.max(1);
        for index in 0..count {
            let news = Arc::clone(&media_news);
            let worker = Worker::spawn(WorkerSettings {
                name: format!("media-{index}"),
                ports: share(settings.media.ports, index, count),
                io: settings.media.io,
                core: core(settings.media.pin, index, count),
                epoch: clock.epoch(),
                seed: seed::fresh()?,
                wake: Box::new(move || news.notify_one()),
                commands: ORDERS,
                events: ORDERS,
            })
            .map_err(|error| {
                ShellError::new(
                    "media worker",
                    format!("can't start: {error}"),
                    "see the system's limits of threads and files, or write io = \"epoll\" in [media]",
                )
            })?;
            workers.push(worker);
        }
        let prompts = settings.media.prompts.clone();
        let messages = Messages::default();
        Ok(World {
            clock,
            transports,
            arrivals,
            answers,
            runtime: Handle::current(),
            workers,
            media_news,
            journal,
            store: None,
            postman: None,
            prompts,
            recordings: settings.data.join("recordings"),
            tapes: None,
            resolver: Resolver::open(settings),
            messages,
            endings: BTreeMap::new(),
            lag: Duration::ZERO,
            media_measures: vec![[0; 3]; count],
            measured: Time::default(),
            warned: (0, 0),
        })
    }

    /// The same with a store, which keeps what users change by phone.
    pub fn with_store(self, store: Store) -> World {
        World { store: Some(store), ..self }
    }

    pub fn listening(&self) -> Vec<(Transport, SocketAddr)> {
        let of = |transport| self.transports.listening(transport).into_iter().map(move |address| (transport, address));
        Transport::ALL.into_iter().flat_map(of).collect()
    }

    /// What TLS handshakes go by.
    pub fn tls(&self) -> tls::Current {
        self.transports.tls()
    }

    /// For SIP over WebSocket, which comes by the HTTP server.
    pub fn guests(&self) -> Guests {
        self.transports.guests()
    }

    /// Has letters kept in a store. What it tells comes as inputs of later turns, a count of all that it has first.
    pub fn keep_letters(&mut self, store: Store) {
        self.postman = Some(Postman::start(store, self.answers.clone()));
    }

    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Reads datagrams from now on, on the runtime that calls this: the one that waits and turns.
    pub fn watch(&mut self) -> Result<(), ShellError> {
        self.transports.watch()
    }

    /// Waits until the machine has something to do.
    pub async fn wait(&mut self, timeout: Option<Time>) -> Option<Arrival> {
        let clock = self.clock;
        if self.transports.waiting() > 0 {
            // Sockets, clocks and signals are looked at all the same.
            tokio::task::yield_now().await;
            return None;
        }
        let due = async {
            match timeout {
                Some(time) => tokio::time::sleep_until(clock.instant(time).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            arrival = self.arrivals.recv() => arrival,
            () = self.transports.readable() => None,
            () = self.media_news.notified() => None,
            () = due => None,
        }
    }

    /// One turn: everything that has arrived, then everything that came of it.
    pub fn turn(&mut self, machine: &mut impl Machine, first: Option<Arrival>) {
        let now = self.clock.now();
        self.transports.receive();
        let mut next = first;
        for _ in 0..TURN {
            // Each has its share, so that a flood of one kind doesn't keep the other out.
            let one = next.take().or_else(|| self.arrivals.try_recv().ok());
            let other = self.transports.take();
            if one.is_none() && other.is_none() {
                break;
            }
            for arrival in one.into_iter().chain(other) {
                self.arrived(machine, now, arrival);
            }
        }
        for index in 0..self.workers.len() {
            while let Some(event) = self.workers[index].poll_event() {
                machine.handle(now, Input::Media(event));
            }
        }
        if machine.poll_timeout().is_some_and(|at| at <= now.time) {
            machine.handle(now, Input::Timeout);
        }
        self.carry_out(machine, now);
        self.measure(machine, now);
    }

    /// Tells the machine how busy the media workers have been since this was last asked.
    fn measure_media(&mut self, machine: &mut impl Machine, now: Now) {
        let span = (now.time - self.measured).as_nanos().max(1);
        for (index, worker) in self.workers.iter().enumerate() {
            let counters = worker.counters();
            let read = [&counters.busy_ns, &counters.late_ns, &counters.sleeps].map(|count| count.value());
            let before = std::mem::replace(&mut self.media_measures[index], read);
            let [busy, late, sleeps] = [0, 1, 2].map(|figure| read[figure].saturating_sub(before[figure]));
            let busy = u64::try_from(u128::from(busy) * 1_000_000_000 / span).unwrap_or(u64::MAX);
            let (busy, late) = (Duration::from_nanos(busy), Duration::from_nanos(late / sleeps.max(1)));
            machine.handle(now, Input::MediaLoad { worker: index, busy, late });
        }
    }

    /// Tells the machine how far the loop lags behind: a turn's length, for each turn that what waits will take.
    fn measure(&mut self, machine: &mut impl Machine, begun: Now) {
        let now = self.clock.now();
        let turns = 1 + u32::try_from((self.arrivals.len() + self.transports.waiting()) / TURN).unwrap_or(u32::MAX);
        self.lag = self.lag.max((now.time - begun.time).saturating_mul(turns));
        if now.time - self.measured >= MEASURE {
            machine.handle(now, Input::Load { lag: std::mem::take(&mut self.lag) });
            self.measure_media(machine, now);
            self.measured = now.time;
        }
    }

    /// Hands one input in, and carries out what comes of it.
    pub fn tell(&mut self, machine: &mut impl Machine, input: Input) {
        let now = self.clock.now();
        machine.handle(now, input);
        self.carry_out(machine, now);
    }

    fn arrived(&mut self, machine: &mut impl Machine, now: Now, arrival: Arrival) {
        match arrival {
            Arrival::Message { flow, bytes } => {
                self.messages.received += 1;
                machine.handle(now, Input::Received { flow, bytes });
            }
            Arrival::Connected { flow, line, is_proven } => self.transports.connected(flow, line, is_proven),
            Arrival::Returned { beginning } => machine.handle(now, Input::Returned { beginning }),
            Arrival::Alias { flow, address } => self.transports.alias(flow, address),
            Arrival::Found { host, flows } => self.transports.found(&host, &flows),
            Arrival::Closed { flow, line } => {
                if self.transports.closed(flow, &line) {
                    machine.handle(now, Input::FlowFailed { flow });
                }
                let (requests, was_open) = line.take_requests();
                for id in requests {
                    machine.handle(now, Input::Unsent { id, was_open });
                }
            }
            Arrival::Answer(input) => machine.handle(now, input),
        }
    }

    fn carry_out(&mut self, machine: &mut impl Machine, now: Now) {
        let mut sends = Vec::new();
        let mut ordered = false;
        // Carrying out may give the machine more to say: a full ring, a flow that fails.
        for _ in 0..TURN {
            while let Some(output) = machine.poll_output() {
                match output {
                    Output::Send(transmit) => sends.push(transmit),
                    Output::Media { worker, command } => {
                        self.order(machine, now, worker, command);
                        ordered = true;
                    }
                    Output::Record(record) => {
                        if let Some(journal) = &mut self.journal {
                            journal.append(&record);
                        }
                    }
                    Output::Locate { ticket, target } => {
                        let (resolver, listening) = (self.resolver.clone(), self.listening());
                        let answers = self.answers.clone();
                        self.runtime.spawn(async move {
                            let result = paths::locate(&resolver, &target, &listening).await;
                            if let Ok(located) = &result {
                                let (host, flows) = (target.host, located.ways().collect());
                                let _ = answers.send(Arrival::Found { host, flows }).await;
                            }
                            let _ = answers.send(Arrival::Answer(Input::Located { ticket, result })).await;
                        });
                    }
                    Output::Load { ticket, file } => {
                        let (answers, folder) = (self.answers.clone(), self.prompts.clone());
                        self.runtime.spawn(async move {
                            let read = tokio::task::spawn_blocking(move || prompt::load(&folder, &file)).await;
                            let result = read.unwrap_or_else(|_| Err("reading it failed".to_owned())).map(Arc::new);
                            let _ = answers.send(Arrival::Answer(Input::Loaded { ticket, result })).await;
                        });
                    }
                    Output::Keep { ticket, user, forwarding } => {
                        let (answers, store) = (self.answers.clone(), self.store.clone());
                        self.runtime.spawn(async move {
                            let result = match store {
                                Some(store) => store.set_forwarding(&user, &forwarding).await,
                                None => Err(ShellError::new("store", "there is none", "ask a gateway")),
                            };
                            let result = result.map_err(|error| error.to_string());
                            let _ = answers.send(Arrival::Answer(Input::Kept { ticket, result })).await;
                        });
                    }
                    Output::Post(order) => {
                        if let Some(news) = self.postman.as_ref().and_then(|postman| postman.take(order)) {
                            machine.handle(now, Input::Post(news));
                        }
                    }
                    Output::Tape(reel) => {
                        let recordings = self.recordings.clone();
                        self.tapes.get_or_insert_with(|| Tapes::start(recordings)).begin(reel);
                    }
                    Output::EndTape { folder } => {
                        if let Some(tapes) = &self.tapes {
                            tapes.end(folder);
                        }
                    }
                    Output::Notice(notice) => self.note(&notice),
                }
            }
            if let Some(journal) = &mut self.journal {
                journal.flush();
            }
            if std::mem::take(&mut ordered) {
                self.workers.iter().for_each(WorkerHandle::ring);
            }
            if sends.is_empty() {
                break;
            }
            for transmit in sends.drain(..) {
                self.messages.sent += 1;
                let transaction = transmit.kind.transaction();
                let is_sent = self.transports.send(transmit);
                if let Some(id) = transaction.filter(|_| !is_sent) {
                    machine.handle(now, Input::Unsent { id, was_open: false });
                }
            }
        }
    }

    fn order(&mut self, machine: &mut impl Machine, now: Now, worker: usize, command: Command) {
        let index = worker.min(self.workers.len() - 1);
        if let Err(command) = self.workers[index].leave(command) {
            machine.handle(now, Input::MediaRefused(command));
        }
    }

    fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::CallEnded { status, .. } => *self.endings.entry(*status).or_default() += 1,
            Notice::Malformed { .. } => self.messages.damaged += 1,
            // Whoever tries thousands of passwords doesn't fill the disk with them.
            Notice::Denied { .. } | Notice::Guessing { .. } if !self.may_warn() => return,
            _ => {}
        }
        log(notice);
    }

    fn may_warn(&mut self) -> bool {
        let second = self.clock.now().time.millis() / 1_000;
        if self.warned.0 != second {
            self.warned = (second, 0);
        }
        self.warned.1 += 1;
        self.warned.1 <= WARNINGS
    }

    pub fn take_endings(&mut self) -> BTreeMap<u16, u64> {
        std::mem::take(&mut self.endings)
    }

    /// Tries again what the journal could not take, and looks for datagrams that came back while nothing was sent.
    pub fn flush(&mut self) {
        self.transports.take_returned();
        if let Some(journal) = &mut self.journal {
            journal.flush();
        }
    }

    /// Takes on what settings say of the world beside sockets and workers.
    pub fn reload(&mut self, before: &Settings, settings: &Settings) {
        self.prompts.clone_from(&settings.media.prompts);
        // Who asks the same servers keeps what they said.
        if before.sip.dns != settings.sip.dns {
            self.resolver = Resolver::open(settings);
        }
    }

    /// Where a host is, with our side of the way there.
    pub async fn locate(&mut self, target: &Target) -> Result<Located<Flow>, String> {
        let located = paths::locate(&self.resolver, target, &self.listening()).await?;
        let flows: Vec<Flow> = located.ways().collect();
        self.transports.found(&target.host, &flows);
        Ok(located)
    }

    /// Gives the journal back, and ends the workers. What it couldn't write by now is lost.
    pub fn close(self) -> Option<Journal> {
        if let Some(held @ 1..) = self.journal.as_ref().map(Journal::held) {
            tracing::error!("{held} records of calls are lost: the disk takes none");
        }
        drop(self.workers);
        drop(self.tapes);
        self.journal
    }
}

/// What strangers write doesn't look like a line of ours.
fn log(notice: &Notice) {
    match notice {
        Notice::Registered { user, contact, flow } => {
            tracing::info!("{} registered {} from {flow}", Plain(user), Plain(contact));
        }
        Notice::Unregistered { user, contact } => {
            tracing::info!("{} is no longer at {}", Plain(user), Plain(contact));
        }
        Notice::Denied { user, flow, what } => {
            let user = user.as_deref().unwrap_or("nobody");
            tracing::warn!("{what} from {flow} denied: wrong credentials for {}", Plain(user));
        }
        Notice::CallStarted { id, caller, dialled } => {
            tracing::info!("call {id}: {} dials {}", Plain(caller), Plain(dialled));
        }
        Notice::CallAnswered { id, target } => tracing::info!("call {id}: answered by {}", Plain(target)),
        Notice::CallEnded { id, status, cause } => tracing::info!("call {id}: ended {status}: {}", Plain(cause)),
        Notice::OneWay { id, silent, for_ms, has_spoken } => {
            let other = if *silent == "caller" { "callee" } else { "caller" };
            let seconds = *for_ms as f64 / 1e3;
            let never = if *has_spoken { "" } else { ", nor ever since the answer" };
            tracing::warn!(
                "call {id}: only the {other} is heard: no sound from the {silent} for {seconds:.1} s{never}; \
                 `tandem explain {id}` says what to look at"
            );
        }
        Notice::BothWays { id } => tracing::info!("call {id}: both sides are heard again"),
        Notice::TrunkChanged { trunk, state } => tracing::info!("trunk {trunk}: {}", Plain(state)),
        Notice::Guessing { account, source } => {
            tracing::warn!("passwords of {} are being guessed from {source}: it has to wait", Plain(account));
        }
        Notice::Malformed { flow, why } => tracing::debug!("unreadable message from {flow}: {}", Plain(why)),
    }
}
