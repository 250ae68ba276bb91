//! A thread that feeds one engine: it owns the sockets, reads the clock, and sleeps when nothing is to be done.
// The one place of the media floor that touches the world: here the clock is read, once for each batch.
#![allow(clippy::disallowed_methods)]

pub mod appraise;
mod idle;
mod mover;
mod name;
mod pace;
pub mod range;
pub mod sockets;
pub mod syscalls;
mod token;
mod uring;

use crate::base::chance::Chance;
use crate::base::time::{Time, Wall};
use crate::config::settings::Io;
use crate::media::batch::{Batch, Channel, Slot};
use crate::media::command::{Command, Event, PortId};
use crate::media::counters::{Counters, Reason};
use crate::media::engine::{Engine, TICK_ROOM};
use pace::Pace;
use rtrb::{Consumer, Producer, RingBuffer};
use sockets::{Ready, Sockets};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Packets that leave together.
const BATCH_PACKETS: usize = 256;
/// On fewer cores, the system's freedom to move threads is worth more than their staying.
const CORES: usize = 4;
/// Orders that are obeyed before packets have their turn again.
const COMMAND_RUN: usize = 64;
/// The longest sleep while anything is open.
const ALARM: Duration = Duration::from_secs(3_600);

/// How often the thread's CPU time is asked for.
const BOOKED_EACH: Duration = Duration::from_millis(1);

/// How long events wait for a full ring to be emptied.
const HELD_RETRY: Duration = Duration::from_millis(10);

pub struct WorkerSettings {
    /// The thread's.
    pub name: String,
    /// The worker's own share of the range, both ends included; see [`share`].
    pub ports: (u16, u16),
    /// How packets are to be moved.
    pub io: Io,
    /// The one core that the thread may use; none for all.
    pub core: Option<usize>,
    /// The zero of [`Time`], the same for all threads.
    pub epoch: Instant,
    /// For SSRCs and all else that a stranger mustn't guess.
    pub seed: [u8; 32],
    /// Called on the worker's thread after events were told. It mustn't block.
    pub wake: Box<dyn Fn() + Send>,
    /// Orders and events that may wait.
    pub commands: usize,
    pub events: usize,
}

/// The part of a port range that worker `index` of `workers` has to itself.
pub fn share((first, last): (u16, u16), index: usize, workers: usize) -> (u16, u16) {
    let first = u32::from(first).div_ceil(2) * 2;
    let pairs = (u32::from(last) + 1).saturating_sub(first) / 2;
    let each = pairs / u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
    let begin = first + 2 * each * u32::try_from(index).unwrap_or(0);
    let bound = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    if each == 0 { (1, 0) } else { (bound(begin), bound(begin + 2 * each - 1)) }
}

/// The core for worker `index` of `workers`, from the last one down, since the first ones have most of a system's other work.
/// Without a word for or against it, workers are pinned where the process may use [`CORES`] or more, and each has its own.
pub fn core(pin: Option<bool>, index: usize, workers: usize) -> Option<usize> {
    let cores = syscalls::cores();
    let wanted = pin.unwrap_or(cores.len() >= CORES) && workers < cores.len();
    cores.iter().rev().nth(index).copied().filter(|_| wanted)
}

/// What the switch holds of a worker. Dropping it ends the thread, and every port with it.
pub struct WorkerHandle {
    commands: Producer<Command>,
    events: Consumer<Event>,
    counters: Arc<Counters>,
    bell: Arc<Bell>,
    io: Io,
    thread: Option<JoinHandle<()>>,
}

impl WorkerHandle {
    /// Gives an order, and wakes the worker for it.
    ///
    /// # Errors
    /// The order comes back where too many wait already.
    pub fn send(&mut self, command: Command) -> Result<(), Command> {
        self.leave(command)?;
        self.ring();
        Ok(())
    }

    /// Gives an order that may wait for the next [`ring`](Self::ring), since a worker is woken at the cost of many orders.
    ///
    /// # Errors
    /// The order comes back where too many wait already.
    pub fn leave(&mut self, command: Command) -> Result<(), Command> {
        self.commands.push(command).map_err(|rtrb::PushError::Full(command)| command)
    }

    /// Wakes the worker if it sleeps.
    pub fn ring(&self) {
        self.bell.ring_if_asleep();
    }

    /// How many orders more can be given.
    pub fn room(&self) -> usize {
        self.commands.slots()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop().ok()
    }

    /// How packets are moved: what was asked for, or what the kernel lets us have.
    pub fn io(&self) -> Io {
        self.io
    }

    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Ends the thread and waits for it.
    pub fn shutdown(&mut self) {
        self.bell.ended.store(true, Ordering::SeqCst);
        syscalls::ring(self.bell.fd.as_fd());
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Wakes a worker that sleeps, and costs nothing while it is awake.
struct Bell {
    fd: OwnedFd,
    asleep: AtomicBool,
    ended: AtomicBool,
}

impl Bell {
    /// Either the worker sees the order before it sleeps, or we see that it sleeps: the fences rule out that both miss.
    fn ring_if_asleep(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            syscalls::ring(self.fd.as_fd());
        }
    }
}

pub struct Worker {
    engine: Engine,
    sockets: Sockets,
    batch: Batch,
    commands: Consumer<Command>,
    events: Producer<Event>,
    /// An event that the full ring didn't take.
    held: Option<Event>,
    pace: Pace,
    /// When the turns began that followed the last sleep.
    begun: Time,
    /// When the last sleep was to end at the latest.
    wanted: Time,
    /// More may be there than the last wait told.
    is_behind: bool,
    /// When CPU time was last booked.
    booked: Time,
    counters: Arc<Counters>,
    bell: Arc<Bell>,
    wake: Box<dyn Fn() + Send>,
    epoch: Instant,
    core: Option<usize>,
}

impl Worker {
    /// Starts a worker on a thread of its own.
    ///
    /// # Errors
    /// The system has no descriptor or thread left, or no io_uring for us where that is asked for.
    pub fn spawn(settings: WorkerSettings) -> io::Result<WorkerHandle> {
        let fd = syscalls::eventfd()?;
        let bell = Arc::new(Bell { fd, asleep: AtomicBool::new(false), ended: AtomicBool::new(false) });
        let counters = Arc::new(Counters::default());
        let (commands, orders) = RingBuffer::new(settings.commands.max(1));
        let (told, events) = RingBuffer::new(settings.events.max(1));
        let (counted, rung) = (counters.clone(), bell.clone());
        let (began, begun) = mpsc::sync_channel(1);
        let name = settings.name.clone();
        // The thread makes what is its own: a ring of io_uring belongs to one thread.
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            match Worker::new(settings, orders, told, counted, rung) {
                Ok(mut worker) => {
                    let _ = began.send(Ok(worker.sockets.io()));
                    worker.run();
                }
                Err(error) => drop(began.send(Err(error))),
            }
        })?;
        let io = begun.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
        Ok(WorkerHandle { commands, events, counters, bell, io, thread: Some(thread) })
    }

    fn new(
        settings: WorkerSettings,
        commands: Consumer<Command>,
        events: Producer<Event>,
        counters: Arc<Counters>,
        bell: Arc<Bell>,
    ) -> io::Result<Worker> {
        let chance = Chance::from_seed(settings.seed);
        Ok(Worker {
            engine: Engine::new(chance, wall_at(settings.epoch), counters.clone()),
            sockets: Sockets::new(settings.io, settings.ports, bell.fd.as_fd(), BATCH_PACKETS)?,
            batch: Batch::new(BATCH_PACKETS),
            commands,
            events,
            held: None,
            pace: Pace::default(),
            begun: Time::ZERO,
            wanted: Time::NEVER,
            is_behind: false,
            booked: Time::ZERO,
            counters,
            bell,
            wake: settings.wake,
            epoch: settings.epoch,
            core: settings.core,
        })
    }

    fn run(&mut self) {
        syscalls::wake_in_time();
        if let Some(core) = self.core {
            syscalls::pin(core);
        }
        while !self.bell.ended.load(Ordering::SeqCst) {
            let ready = self.sleep();
            let now = self.now();
            if !self.is_behind {
                self.begun = now;
            }
            self.note_sleep(self.wanted);
            self.is_behind = self.sockets.is_full();
            // Orders first: what was ordered before a packet was sent holds for it.
            self.obey(now);
            for index in 0..ready {
                match self.sockets.ready(index) {
                    Some(Ready::Socket(slot, channel)) => self.receive(now, index, slot, channel),
                    Some(Ready::Idle(number, channel)) => {
                        for _ in 0..self.sockets.discard(index, number, channel) {
                            self.counters.count_drop(Reason::NoPort);
                        }
                    }
                    Some(Ready::Bell) => {
                        syscalls::silence(self.bell.fd.as_fd());
                        self.sockets.heard_bell(index);
                    }
                    None => {}
                }
            }
            self.tick(now);
            self.flush();
            self.tell();
            self.sockets.close_old(now);
            self.pace.count(now, ready);
            self.book(now);
        }
    }

    /// Notes how late a sleep has ended that was to end at `due`, or before.
    fn note_sleep(&mut self, due: Time) {
        self.counters.late_ns.add((self.now() - due).as_nanos() as u64);
        self.counters.sleeps.add(1);
    }

    /// Notes now and then how much CPU time the thread has had.
    fn book(&mut self, now: Time) {
        if now - self.booked >= BOOKED_EACH {
            self.booked = now;
            self.counters.busy_ns.set(syscalls::cpu_ns());
        }
    }

    fn now(&self) -> Time {
        let nanos = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Time::from_nanos(nanos)
    }

    fn obey(&mut self, now: Time) {
        for _ in 0..COMMAND_RUN {
            let Ok(command) = self.commands.pop() else { return };
            match command {
                Command::Open { port, local } => self.open(now, port, local),
                Command::Close { port } => {
                    let slot = self.engine.slot(port);
                    self.engine.command(now, Command::Close { port }, &mut self.batch);
                    // The goodbye has to leave before its socket goes.
                    self.flush();
                    if let Some(slot) = slot {
                        self.sockets.close(now, slot);
                    }
                }
                other => self.engine.command(now, other, &mut self.batch),
            }
        }
    }

    fn open(&mut self, now: Time, port: PortId, local: IpAddr) {
        let pair = match self.sockets.bind(now, local) {
            Ok(pair) => pair,
            Err(why) => return self.engine.open_failed(port, why),
        };
        let number = pair.number;
        match self.sockets.insert(self.engine.vacant_slot(), pair) {
            Ok(()) => {
                self.engine.open(now, port, number);
            }
            Err(error) => {
                self.sockets.give_back(now, number);
                self.engine.open_failed(port, format!("can't watch port {number}: {error}"));
            }
        }
    }

    fn tick(&mut self, now: Time) {
        while self.engine.tick(now, &mut self.batch) {
            self.flush();
        }
    }

    fn receive(&mut self, now: Time, index: usize, slot: Slot, channel: Channel) {
        let Worker { engine, sockets, batch, counters, .. } = self;
        sockets.receive(index, slot, channel, |datagram| match datagram {
            Some((from, bytes)) => engine.receive(now, slot, channel, from, bytes, batch),
            None => counters.count_drop(Reason::Malformed),
        });
        if self.batch.room() < BATCH_PACKETS - TICK_ROOM {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            for _ in 0..self.sockets.send_batch(&self.batch) {
                self.counters.count_drop(Reason::Unsent);
            }
            self.batch.clear();
        }
    }

    fn tell(&mut self) {
        let mut told = false;
        while let Some(event) = self.held.take().or_else(|| self.engine.poll_event()) {
            if let Err(rtrb::PushError::Full(event)) = self.events.push(event) {
                self.held = Some(event);
                break;
            }
            told = true;
        }
        if told {
            (self.wake)();
        }
    }

    /// Waits for input until something else is due; tells how many sockets are ready.
    fn sleep(&mut self) -> usize {
        let due = self.engine.next_due().min(self.sockets.next_due());
        self.wanted = due.max(self.now());
        let gathered = self.rest(due);
        if gathered > 0 {
            return gathered;
        }
        let mut timeout = (due != Time::NEVER).then(|| (due - self.now()).min(ALARM));
        if self.held.is_some() {
            // The switch is behind with our events and doesn't ring when it has caught up.
            timeout = Some(timeout.map_or(HELD_RETRY, |timeout| timeout.min(HELD_RETRY)));
        }
        if self.is_behind || !self.may_sleep() {
            timeout = Some(Duration::ZERO);
        }
        let ready = self.sockets.wait(timeout);
        self.bell.asleep.store(false, Ordering::Relaxed);
        ready
    }

    /// Has the bell ring for what is ordered from now on, unless something was ordered already.
    fn may_sleep(&self) -> bool {
        self.bell.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.commands.is_empty() && !self.bell.ended.load(Ordering::SeqCst)
    }

    /// Lets packets gather while many come; tells how many sockets are known to be ready.
    fn rest(&mut self, due: Time) -> usize {
        let now = self.now();
        let span = self.pace.rest(self.begun, now).min(due - now);
        if span.is_zero() || self.is_behind || self.held.is_some() || !self.may_sleep() {
            return 0;
        }
        let ready = self.sockets.gather(span, self.bell.fd.as_fd());
        self.bell.asleep.store(false, Ordering::Relaxed);
        self.note_sleep(now + span);
        ready
    }
}

/// The time of day at `epoch`.
fn wall_at(epoch: Instant) -> Wall {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let micros = since.saturating_sub(epoch.elapsed()).as_micros();
    Wall::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
