//! The thread that carries records from the journal to the store.

use super::reserve::Reserve;
use super::segment::Batch;
use super::{Journal, Shared, Start};
use crate::base::time::Wall;
use crate::shell::error::ShellError;
use crate::shell::priority::yield_to_calls;
use crate::shell::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::{Builder, Runtime};

/// The least time between two batches: records of a busy gateway share a transaction, and a short call is written once. A
/// single record doesn't wait, nor does one that somebody asks for.
const BATCH_INTERVAL: Duration = Duration::from_millis(500);
/// The longest time without a look at the file, and without a sign of life on it.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// How soon a store that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// How well the end of a call is known that a power failure cuts off. After the death of the process alone, the date of
/// the journal says it to `IDLE_INTERVAL`.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);
const RESERVE_INTERVAL: Duration = Duration::from_secs(30);
/// Bytes of the journal in one transaction.
const BATCH_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub struct Recorder {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// Starts the thread. None where the journal has a recorder already, or the system no thread left.
    pub fn start(journal: &mut Journal, store: Store) -> Option<Recorder> {
        let start = journal.start.take()?;
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let carrier = Carrier {
            store,
            runtime,
            shared: journal.shared.clone(),
            reserve: journal.reserve.clone(),
            start,
            offset: 0,
            stopping: stopping.clone(),
        };
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(|| carrier.run()).ok()?;
        // The journal wakes the thread after each batch.
        let _ = journal.shared.recorder.set(thread.thread().clone());
        Some(Recorder { stopping, thread })
    }

    /// Imports what the journal holds, and ends the thread. Flush the journal before.
    pub async fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

struct Carrier {
    store: Store,
    /// Of this thread alone.
    runtime: Runtime,
    shared: Arc<Shared>,
    reserve: Arc<Reserve>,
    /// `first` is being imported from `offset` on; `second` is appended to after it, or waits to be.
    start: Start,
    offset: u64,
    stopping: Arc<AtomicBool>,
}

#[allow(clippy::disallowed_methods, reason = "the recorder is a thread of the shell, with a clock of its own")]
impl Carrier {
    fn run(mut self) {
        yield_to_calls();
        // A connection made here has a thread that yields too. Where there is none to be had, the shared ones do.
        if let Ok(store) = self.runtime.block_on(self.store.another()) {
            self.store = store;
        }
        self.carry_until_stopped();
        self.runtime.block_on(self.store.close());
    }

    fn carry_until_stopped(&mut self) {
        let mut heartbeat: Option<Instant> = None;
        let mut reserve = Instant::now();
        loop {
            let last = self.stopping.load(Ordering::Acquire);
            let began = Instant::now();
            self.start.first.touch(SystemTime::now());
            let mut result = self.carry_all();
            if result.is_ok() && heartbeat.is_none_or(|at| at.elapsed() >= HEARTBEAT_INTERVAL) {
                result = self.runtime.block_on(self.store.heartbeat(wall()));
                heartbeat = Some(began);
            }
            let failed = result.is_err();
            self.shared.store_is(result.err());
            self.shared.caught_up.notify_waiters();
            if last {
                return;
            }
            if !failed && reserve.elapsed() >= RESERVE_INTERVAL {
                self.reserve.restore();
                reserve = Instant::now();
            }
            self.rest(began + if failed { RETRY_INTERVAL } else { BATCH_INTERVAL });
        }
    }

    /// Lets the least interval pass, then waits for a batch, for the end, or for the longest interval.
    fn rest(&self, until: Instant) {
        let wanted = || self.stopping.load(Ordering::Acquire) || self.shared.hurry.swap(false, Ordering::SeqCst);
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if wanted() {
                return;
            }
            std::thread::park_timeout(left);
        }
        // Said before the file is looked at, so that what is written after the look wakes this thread.
        self.shared.resting.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.offset == self.start.first.written() && !self.start.first.is_sealed() && !wanted() {
            std::thread::park_timeout(IDLE_INTERVAL);
        }
        self.shared.resting.store(false, Ordering::SeqCst);
    }

    /// Imports all that is written, and gives back the files that are done with.
    fn carry_all(&mut self) -> Result<(), ShellError> {
        loop {
            // Asked first: after a file is sealed, nothing is appended to it.
            let sealed = self.start.first.is_sealed();
            self.carry()?;
            if !sealed {
                return Ok(());
            }
            self.turn()?;
        }
    }

    fn carry(&mut self) -> Result<(), ShellError> {
        let segment = self.start.first.clone();
        let failed = |doing: &str, error| ShellError::file(segment.path(), doing, &error);
        while self.offset < segment.written() {
            segment.sync().map_err(|error| failed("can't sync the journal of call records", error))?;
            let batch = segment
                .read_from(self.offset, BATCH_BYTES)
                .map_err(|error| failed("can't read the journal of call records", error))?;
            if batch.end == self.offset {
                return Ok(());
            }
            self.offset = self.import(batch)?;
        }
        Ok(())
    }

    /// Returns where the batch ends.
    fn import(&self, Batch { records, count, end }: Batch) -> Result<u64, ShellError> {
        if !records.is_empty() {
            self.runtime.block_on(self.store.put_records(&records))?;
        }
        self.shared.imported.fetch_add(count, Ordering::Release);
        Ok(end)
    }

    /// Empties the file that was imported, hands it to the loop, and goes on with the other one.
    fn turn(&mut self) -> Result<(), ShellError> {
        self.start.first.reset(self.start.second.generation() + 1)?;
        // There are two files, so there is room for one spare; a loop that is gone needs none.
        let _ = self.start.spares.try_send(self.start.first.clone());
        std::mem::swap(&mut self.start.first, &mut self.start.second);
        self.offset = 0;
        Ok(())
    }
}

#[allow(clippy::disallowed_methods, reason = "the heartbeat is a time of day, read where it is written")]
fn wall() -> Wall {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    Wall::from_micros(i64::try_from(micros).unwrap_or(0))
}
