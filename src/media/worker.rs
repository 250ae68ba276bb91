//! A thread that feeds one engine: it owns the sockets, reads the clock, and sleeps when nothing is to be done.
// The one place of the media floor that touches the world: here the clock is read, once for each batch.
#![allow(clippy::disallowed_methods)]

mod idle;
pub mod range;
pub mod sockets;
pub mod syscalls;

use crate::base::chance::Chance;
use crate::base::time::{Time, Wall};
use crate::media::batch::{Batch, Channel, Slot};
use crate::media::command::{Command, Event, PortId};
use crate::media::counters::{Counters, Reason};
use crate::media::engine::{Engine, TICK_ROOM};
use rtrb::{Consumer, Producer, RingBuffer};
use sockets::{Ready, Sockets};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Packets that leave together.
const BATCH_PACKETS: usize = 256;
/// Orders that are obeyed before packets have their turn again.
const COMMAND_RUN: usize = 64;
/// The longest sleep while anything is open.
const ALARM: Duration = Duration::from_secs(3_600);

/// How long events wait for a full ring to be emptied.
const HELD_RETRY: Duration = Duration::from_millis(10);

pub struct WorkerSettings {
    /// The thread's.
    pub name: String,
    /// The worker's own share of the range, both ends included; see [`share`].
    pub ports: (u16, u16),
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

/// What the switch holds of a worker. Dropping it ends the thread, and every port with it.
pub struct WorkerHandle {
    commands: Producer<Command>,
    events: Consumer<Event>,
    counters: Arc<Counters>,
    bell: Arc<Bell>,
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
    counters: Arc<Counters>,
    bell: Arc<Bell>,
    wake: Box<dyn Fn() + Send>,
    epoch: Instant,
}

impl Worker {
    /// Starts a worker on a thread of its own.
    ///
    /// # Errors
    /// The system has no descriptor or thread left.
    pub fn spawn(settings: WorkerSettings) -> io::Result<WorkerHandle> {
        let fd = syscalls::eventfd()?;
        let bell = Arc::new(Bell { fd, asleep: AtomicBool::new(false), ended: AtomicBool::new(false) });
        let counters = Arc::new(Counters::default());
        let (commands, orders) = RingBuffer::new(settings.commands.max(1));
        let (told, events) = RingBuffer::new(settings.events.max(1));
        let chance = Chance::from_seed(settings.seed);
        let mut worker = Worker {
            engine: Engine::new(chance, wall_at(settings.epoch), counters.clone()),
            sockets: Sockets::new(settings.ports, bell.fd.as_fd())?,
            batch: Batch::new(BATCH_PACKETS),
            commands: orders,
            events: told,
            held: None,
            counters: counters.clone(),
            bell: bell.clone(),
            wake: settings.wake,
            epoch: settings.epoch,
        };
        let thread = std::thread::Builder::new().name(settings.name).spawn(move || worker.run())?;
        Ok(WorkerHandle { commands, events, counters, bell, thread: Some(thread) })
    }

    fn run(&mut self) {
        while !self.bell.ended.load(Ordering::SeqCst) {
            let ready = self.sleep();
            let now = self.now();
            // Orders first: what was ordered before a packet was sent holds for it.
            self.obey(now);
            for index in 0..ready {
                match self.sockets.ready(index) {
                    Some(Ready::Socket(slot, channel)) => self.receive(now, slot, channel),
                    Some(Ready::Idle(number, channel)) => {
                        for _ in 0..self.sockets.discard(number, channel) {
                            self.counters.count_drop(Reason::NoPort);
                        }
                    }
                    Some(Ready::Bell) => syscalls::silence(self.bell.fd.as_fd()),
                    None => {}
                }
            }
            self.tick(now);
            self.flush();
            self.tell();
            self.sockets.close_old(now);
            self.counters.busy_ns.add((self.now() - now).as_nanos() as u64);
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

    fn receive(&mut self, now: Time, slot: Slot, channel: Channel) {
        let Worker { engine, sockets, batch, counters, .. } = self;
        sockets.receive_batch(slot, channel, |datagram| match datagram {
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
        let mut timeout = (due != Time::NEVER).then(|| (due - self.now()).min(ALARM));
        if self.held.is_some() {
            // The switch is behind with our events and doesn't ring when it has caught up.
            timeout = Some(timeout.map_or(HELD_RETRY, |timeout| timeout.min(HELD_RETRY)));
        }
        self.bell.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !self.commands.is_empty() || self.bell.ended.load(Ordering::SeqCst) {
            timeout = Some(Duration::ZERO);
        }
        let ready = self.sockets.wait(timeout);
        self.bell.asleep.store(false, Ordering::Relaxed);
        ready
    }
}

/// The time of day at `epoch`.
fn wall_at(epoch: Instant) -> Wall {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let micros = since.saturating_sub(epoch.elapsed()).as_micros();
    Wall::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
