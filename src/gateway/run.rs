//! The gateway from start to end: configuration, books, sockets, workers, the loop, the drain.

use crate::admin::metrics::Metrics;
use crate::admin::{self, AppState, router, token};
use crate::base::chance::Chance;
use crate::base::time::Wall;
use crate::call::io::Input;
use crate::call::switch::Switch;
use crate::call::view::RoomView;
use crate::config;
use crate::config::settings::Settings;
use crate::dialplan::route::Request;
use crate::gateway::accounts;
use crate::gateway::gauges::Gauges;
use crate::gateway::phones::Phones;
use crate::gateway::reading::{Everything, Read, Reading, read_plan, read_settings};
use crate::media::price::Prices;
use crate::media::worker::appraise::appraise;
use crate::shell::clock::Clock;
use crate::shell::control::{Control, ReloadReport, Status};
use crate::shell::drive::{HOUSEKEEPING, World};
use crate::shell::error::{Problems, ShellError};
use crate::shell::files;
use crate::shell::journal::{Journal, Recorder};
use crate::shell::priority::go_before_others;
use crate::shell::seed;
use crate::shell::store::Store;
use crate::shell::tls::{self, Tls};
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::simd::Level;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Caps the level of SIMD that kernels use.
const SIMD_VARIABLE: &str = "TANDEM_SIMD";
/// Questions of the API that wait at once.
const QUESTIONS: usize = 256;
/// After the last call has been told to end, BYEs and take-backs of registrations have so long to be answered.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs the gateway until it is told to end. `config` is none for the default file.
///
/// The calling thread is the loop's: it reads SIP's datagrams itself. HTTP, connections, DNS and the store have other threads.
pub fn run(config: Option<PathBuf>) -> Result<(), Problems> {
    choose_simd(std::env::var(SIMD_VARIABLE).ok())?;
    let trouble =
        |error: std::io::Error| ShellError::new("runtime", error, "see the system's limits of threads and files");
    let outside = Builder::new_multi_thread().enable_all().worker_threads(2).thread_name("tandem").build();
    let outside = outside.map_err(trouble)?;
    let inside = Builder::new_current_thread().enable_all().build().map_err(trouble)?;
    let gateway = outside.block_on(Gateway::start(config))?;
    go_before_others();
    inside.block_on(gateway.serve())
}

struct Gateway {
    reading: Reading,
    switch: Switch,
    world: World,
    store: Store,
    phones: Phones,
    recorder: Option<Recorder>,
    control: mpsc::Receiver<Control>,
    settings: Arc<ArcSwap<Settings>>,
    gauges: Gauges,
    started: Wall,
    draining_since: Option<tokio::time::Instant>,
    /// To end, so far.
    signals: u32,
    ended: bool,
}

impl Gateway {
    async fn start(config: Option<PathBuf>) -> Result<Gateway, Problems> {
        let settings = Arc::new(read_settings(config.as_deref())?);
        look_at_files(&settings);
        let clock = Clock::start();
        let mut chance = Chance::from_seed(seed::fresh()?);
        std::fs::create_dir_all(&settings.data)
            .map_err(|error| ShellError::file(&settings.data, "can't make the data folder", &error))?;
        let store = Store::open(&settings.store.url).await?;
        let (mut journal, recovered) = Journal::recover(&settings.data, &store).await?;
        if recovered.cut_off > 0 {
            tracing::warn!("{} calls of the last run were cut off; their records say so", recovered.cut_off);
        }
        let token = token::open(&settings.data)?;
        let recorder = Recorder::start(&mut journal, store.clone());
        let watch = journal.watch();
        let certificates = Tls::load(&settings)?;
        let mut world = World::open(&settings, clock, Some(journal)).await?.with_store(store.clone());
        world.tls().store(certificates.map(Arc::new));
        let (questions, control) = mpsc::channel(QUESTIONS);
        let metrics = Arc::new(Metrics::new());
        let shared = Arc::new(ArcSwap::from(Arc::clone(&settings)));
        let state = AppState {
            control: questions,
            store: store.clone(),
            journal: watch,
            metrics: Arc::clone(&metrics),
            settings: Arc::clone(&shared),
            token,
            sip: Some(world.guests()),
            ready: Arc::new(Vec::new),
        };
        let listen = settings.http.listen;
        let listener = admin::bind(listen).await?;
        let http = listener.local_addr().unwrap_or(listen);
        let router = router(state);
        let per_address = settings.limits.http_connections_per_address;
        let https = serve_https(settings.http.tls, world.tls(), router.clone(), per_address).await?;
        tokio::spawn(async move {
            if let Err(error) = admin::serve(listener, router, per_address, std::future::pending()).await {
                tracing::error!("the HTTP server ended: {error}");
            }
        });
        // Passwords are shown once, so nobody gets them from a start that fails for want of an address.
        greet_accounts(&accounts::make_ready(&settings, &store, &mut chance).await?);
        let accounts = Arc::new(accounts::load(&settings, &store).await?);
        let plan = Arc::new(read_plan(&settings, &accounts)?);
        let now = clock.now();
        let workers = world.workers.len();
        world.keep_letters(store.clone());
        let prices = appraise(&settings.media.codecs);
        let mut switch = Switch::new(Arc::clone(&settings), plan, accounts, chance, workers, now);
        let phones = Phones::restore(store.clone(), &mut switch, now, &world.listening()).await?;
        greet(&settings, http, https, &world, &prices);
        switch.handle(now, Input::MediaPrices(prices));
        Ok(Gateway {
            reading: Reading::new(Handle::current(), config, store.clone()),
            switch,
            world,
            store,
            phones,
            recorder,
            control,
            settings: shared,
            gauges: Gauges::new(metrics, now.wall),
            started: now.wall,
            draining_since: None,
            signals: 0,
            ended: false,
        })
    }

    async fn serve(mut self) -> Result<(), Problems> {
        let trouble = |error: std::io::Error| ShellError::new("signals", error, "see the system's limits");
        let mut hang_up = signal(SignalKind::hangup()).map_err(trouble)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(trouble)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(trouble)?;
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        self.world.watch()?;
        self.world.tell(&mut self.switch, Input::Timeout);
        while !self.is_over() {
            let timeout = self.switch.poll_timeout();
            tokio::select! {
                arrival = self.world.wait(timeout) => self.world.turn(&mut self.switch, arrival),
                Some(control) = self.control.recv() => self.answer(control),
                read = self.reading.next() => self.take_on(read),
                _ = hang_up.recv() => self.reading.reload(None, self.switch.settings()),
                _ = terminate.recv() => self.told_to_end(),
                _ = interrupt.recv() => self.told_to_end(),
                _ = housekeeping.tick() => self.keep_house().await,
            }
        }
        self.stop().await;
        Ok(())
    }

    /// Over when a drain has come to its end: no call left, or no patience.
    fn is_over(&mut self) -> bool {
        let Some(since) = self.draining_since else { return false };
        let calls = self.switch.counts().calls;
        let limit = self.switch.settings().drain_timeout;
        let patience = if self.ended { LAST_WORDS } else { limit };
        if calls == 0 && !self.ended {
            // Tells the trunks that we are gone.
            self.end_all();
            return false;
        }
        if since.elapsed() < patience {
            let counts = self.switch.counts();
            return self.ended && counts.calls == 0 && counts.sessions == 0 && counts.requests == 0;
        }
        if self.ended {
            return true;
        }
        tracing::warn!("{calls} calls are still up after {} s: they are ended", limit.as_secs());
        self.end_all();
        false
    }

    fn end_all(&mut self) {
        self.ended = true;
        self.draining_since = Some(tokio::time::Instant::now());
        self.world.tell(&mut self.switch, Input::EndAll);
    }

    /// The first signal lets the calls in progress end, be it that the API asked for that before; the second ends them.
    fn told_to_end(&mut self) {
        self.signals += 1;
        if self.signals > 1 {
            tracing::info!("told to end a second time: all calls are ended");
            return self.end_all();
        }
        self.drain();
    }

    /// Takes no new calls from now on.
    fn drain(&mut self) {
        if self.draining_since.is_some() {
            return;
        }
        let calls = self.switch.counts().calls;
        tracing::info!("draining: no new calls, {calls} in progress");
        self.draining_since = Some(tokio::time::Instant::now());
        self.world.tell(&mut self.switch, Input::Drain);
    }

    async fn stop(mut self) {
        self.world.flush();
        self.gauges.update(&mut self.switch, &mut self.world);
        self.phones.finish(&mut self.switch, self.world.clock.now()).await;
        drop(self.world.close());
        if let Some(recorder) = self.recorder {
            recorder.stop().await;
        }
        self.store.close().await;
        tracing::info!("ended");
    }

    async fn keep_house(&mut self) {
        self.world.flush();
        let why = match self.world.journal() {
            Some(journal) if !journal.has_room() => Some("the books can't be kept".to_owned()),
            _ => None,
        };
        self.world.tell(&mut self.switch, Input::RecordsFailing { why });
        self.gauges.update(&mut self.switch, &mut self.world);
        self.phones.keep(&mut self.switch, self.world.clock.now()).await;
    }

    fn answer(&mut self, control: Control) {
        // A client that went away needs no answer.
        match control {
            Control::Calls { reply } => drop(reply.send(self.switch.calls())),
            Control::Hangup { id, reply } => {
                let known = self.switch.has_call(&id);
                if known {
                    self.world.tell(&mut self.switch, Input::HangUp { id });
                }
                let _ = reply.send(known);
            }
            Control::Rooms { reply } => drop(reply.send(self.switch.rooms())),
            Control::Room { name, reply } => drop(reply.send(self.switch.room(&name))),
            Control::Steer { room, id, steering, reply } => {
                let known = self.switch.has_member(&room, &id);
                let before = self.switch.room(&room).filter(|_| known);
                if known {
                    self.world.tell(&mut self.switch, Input::Steer { id, steering });
                }
                // Whoever was the last leaves nothing to be shown.
                let _ = reply.send(before.map(|before| {
                    let empty = RoomView { members: Vec::new(), recording: None, ..before };
                    self.switch.room(&room).unwrap_or(empty)
                }));
            }
            Control::RecordRoom { name, on, reply } => {
                self.world.tell(&mut self.switch, Input::RecordRoom { room: name.clone(), on });
                let _ = reply.send(self.switch.room(&name));
            }
            Control::Trunks { reply } => drop(reply.send(self.switch.trunks(self.world.clock.now()))),
            Control::Registrations { reply } => drop(reply.send(self.switch.registrations(self.world.clock.now()))),
            Control::Reload { reply } => self.reading.reload(Some(reply), self.switch.settings()),
            Control::Drain { reply } => {
                self.drain();
                let _ = reply.send(());
            }
            Control::Status { reply } => drop(reply.send(self.status())),
            Control::Explain { from, to, at, reply } => drop(reply.send(self.explain(&from, &to, at))),
            Control::UserChanged { name } => self.reading.user_changed(name, self.switch.settings()),
        }
    }

    fn status(&self) -> Status {
        let now = self.world.clock.now();
        let counts = self.switch.counts();
        let trunks = self.switch.trunks(now);
        Status {
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            uptime: now.time - crate::base::time::Time::ZERO,
            closed: self.switch.closed(),
            calls: counts.calls,
            max_calls: self.switch.settings().limits.calls,
            registrations: counts.registrations,
            trunks_up: trunks.iter().filter(|trunk| trunk.up).count(),
            trunks: trunks.len(),
            workers: self.world.workers.len(),
            listening: self
                .world
                .listening()
                .into_iter()
                .map(|(transport, address)| format!("{}:{address}", transport.as_str().to_lowercase()))
                .collect(),
        }
    }

    fn explain(&self, from: &str, to: &str, at: Option<Wall>) -> Result<crate::dialplan::route::Decision, String> {
        let settings = self.switch.settings();
        let at = at.unwrap_or_else(|| self.world.clock.now().wall);
        let (caller, number) = self.switch.plan().caller(settings, from)?;
        Ok(self.switch.plan().explain(&Request { caller, from: &number, to, at }))
    }

    /// Takes on what was read, at once and whole.
    fn take_on(&mut self, read: Read) {
        match read {
            Read::Users(users) => {
                for (name, account) in users {
                    self.world.tell(&mut self.switch, Input::User { name, account: account.map(Box::new) });
                }
            }
            Read::Failed(why) => tracing::error!("the accounts could not be read again: {why}"),
            Read::All(waiting, everything) => {
                let result = everything.map(|everything| self.reload(*everything));
                say_reloaded(&result);
                for reply in waiting {
                    // A client that went away needs no answer.
                    let _ = reply.send(result.as_ref().map(ReloadReport::clone).map_err(|problems| problems.0.clone()));
                }
            }
        }
        self.reading.begin(self.switch.settings());
    }

    fn reload(&mut self, everything: Everything) -> ReloadReport {
        let Everything { settings, accounts, plan, certificates } = everything;
        let before = Arc::clone(self.switch.settings());
        let report = ReloadReport {
            rules: plan.rule_count(),
            users: accounts.len(),
            trunks: settings.trunks.len(),
            after_restart: after_restart(&before, &settings),
        };
        self.world.tls().store(certificates.map(Arc::new));
        self.world.reload(&before, &settings);
        self.world.tell(&mut self.switch, Input::Accounts(accounts));
        self.world.tell(&mut self.switch, Input::Reload { settings: Arc::clone(&settings), plan });
        self.settings.store(settings);
        report
    }
}

fn say_reloaded(result: &Result<ReloadReport, Problems>) {
    match result {
        Ok(report) => {
            tracing::info!("reloaded: {} rules, {} users, {} trunks", report.rules, report.users, report.trunks);
        }
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!("{problem}");
            }
            tracing::error!("nothing was changed: what ran before goes on");
        }
    }
}

/// Listens where `http.tls` says, and tells where that is.
async fn serve_https(
    listen: Option<SocketAddr>,
    certificates: tls::Current,
    router: axum::Router,
    per_address: usize,
) -> Result<Option<SocketAddr>, ShellError> {
    let Some(listen) = listen else { return Ok(None) };
    let listener = admin::bind_tls(listen).await?;
    let https = listener.local_addr().unwrap_or(listen);
    tokio::spawn(async move {
        if let Err(error) = admin::serve_tls(listener, certificates, router, per_address).await {
            tracing::error!("the HTTPS server ended: {error}");
        }
    });
    Ok(Some(https))
}

/// A gateway with too few files runs: it takes fewer calls.
fn look_at_files(settings: &Settings) {
    let limits = &settings.limits;
    match files::raise_limit() {
        Ok(files) => {
            if let Some(shortage) = files::shortage(files, limits.calls, limits.tcp_connections) {
                tracing::warn!("{shortage}");
            }
        }
        Err(error) => tracing::warn!("the limit of open files can't be raised: {error}"),
    }
}

/// Chooses the kernels of this run, before anything is heard: the best that the processor has, or as `cap` says.
fn choose_simd(cap: Option<String>) -> Result<(), Problems> {
    let cap = cap.filter(|cap| !cap.is_empty()).map(|cap| cap.parse::<Level>()).transpose();
    let cap = cap.map_err(|error| Problems(vec![format!("environment {SIMD_VARIABLE}: {error}")]))?;
    tracing::info!("the level of SIMD is {}", tandem_codecs::simd::choose(cap));
    Ok(())
}

/// What only a new process can do.
fn after_restart(before: &Settings, after: &Settings) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut say = |changed: bool, what: &str| {
        if changed {
            sentences.push(format!("{what} changed: this is done at the next start"));
        }
    };
    let listening = |sip: &config::settings::Sip| (sip.udp.clone(), sip.tcp.clone(), sip.tls.clone());
    say(listening(&before.sip) != listening(&after.sip), "the listening addresses");
    say((before.http.listen, before.http.tls) != (after.http.listen, after.http.tls), "http.listen or http.tls");
    let working = |media: &config::settings::Media| (media.ports, media.workers, media.io, media.pin);
    say(working(&before.media) != working(&after.media), "media.ports, media.workers, media.io or media.pin");
    say(before.store != after.store || before.data != after.data, "store.url or data");
    let timing = |sip: &config::settings::Sip| (sip.t1, sip.nonce_lifetime);
    say(timing(&before.sip) != timing(&after.sip), "sip.t1 or sip.nonce_lifetime");
    let connections = |limits: &config::settings::Limits| {
        let most = (limits.tcp_connections, limits.tcp_connections_per_address, limits.message_bytes);
        (most, limits.http_connections_per_address, limits.connection_idle, limits.message_time)
    };
    say(connections(&before.limits) != connections(&after.limits), "a limit of connections in [limits]");
    say(before.limits.transactions != after.limits.transactions, "limits.transactions");
    sentences
}

fn greet_accounts(made: &[(String, String)]) {
    if !made.is_empty() {
        println!("Two accounts to begin with (shown once; `tandem user password NAME` makes a new password):");
    }
    for (name, password) in made {
        println!("  user {name:<8} password {password}");
    }
}

/// What a newcomer needs next.
fn greet(settings: &Settings, http: SocketAddr, https: Option<SocketAddr>, world: &World, prices: &Prices) {
    println!("Tandem {} is up.", env!("CARGO_PKG_VERSION"));
    println!("  API, health and metrics   http://{}/", admin::reachable(http));
    if let Some(https) = https {
        println!("  the same over TLS         https://{}/", admin::reachable(https));
    }
    println!("  SIP over WebSocket        ws://{}/sip", admin::reachable(http));
    for (transport, address) in world.listening() {
        println!("  SIP over {}              {address}", transport.as_str());
    }
    let (first, last) = settings.media.ports;
    let io = world.workers.first().map_or("", |worker| worker.io().name());
    let workers = match world.workers.len() {
        1 => "1 worker".to_owned(),
        workers => format!("{workers} workers"),
    };
    println!("  media                     UDP ports {first}-{last}, {workers} by {io}");
    for ((one, other), ns) in &prices.transcode_ns {
        tracing::debug!("{} to {} and back costs {} µs of CPU a packet", one.name(), other.name(), ns / 1_000);
    }
    println!("  SIP domain                {}", settings.sip.domain);
    println!(
        "  dial                      *43 echo   *880 to *889 conference rooms   *60 speaking clock and *65 your number come with a later release"
    );
}
