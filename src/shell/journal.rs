//! The journal: call records on their way to the store.
//!
//! ```text
//! loop: append … append, flush (one write(2)) → datagrams go out
//!                 ↓ records-1.journal, records-2.journal (one is appended to, the other is imported and emptied)
//! recorder thread: fdatasync → one transaction of the store → an emptied file goes back to the loop
//! ```
//! What `flush` has written survives the end of the process however it comes, and a power failure about a second later.
//! The next start reads both files again; the store takes a record twice without harm. The loop never waits for the
//! recorder: while the store can't be written, the file grows.
//!
//! When the disk is full, a reserve file is given up for the records; after that they wait in memory, up to a limit. The
//! gateway takes no new calls from the moment that half of that is used, so that those in progress find room.

mod line;
mod recorder;
mod reserve;
mod segment;

pub use recorder::Recorder;

use crate::base::time::Wall;
use crate::call::record::CallRecord;
use crate::shell::error::ShellError;
use crate::shell::store::Store;
use reserve::Reserve;
use segment::Segment;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes of a file after which the other one is used, if it is empty by then.
const ROTATE_BYTES: u64 = 4 << 20;
/// Bytes of records that wait in memory while the disk takes none: about 4,000 records.
const HELD_BYTES: usize = 4 << 20;
/// A batch of so many bytes is written before its turn is over.
const BATCH_BYTES: usize = 256 << 10;
/// How long a reader of the books waits for the last records.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The loop's end of the journal.
#[derive(Debug)]
pub struct Journal {
    active: Arc<Segment>,
    /// Emptied by the recorder, to be used next.
    spares: Receiver<Arc<Segment>>,
    /// Lines that aren't in the file yet.
    buffer: Vec<u8>,
    reserve: Arc<Reserve>,
    shared: Arc<Shared>,
    /// What the recorder takes when it starts.
    start: Option<Start>,
    last_alive: Option<Wall>,
    torn: u64,
}

/// Another thread's view of the journal, for `/readyz` and `/metrics`.
#[derive(Clone, Debug)]
pub struct JournalWatch(Arc<Shared>);

/// What a start found of the process before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Records that were still in the journal.
    pub replayed: usize,
    /// Calls that were open.
    pub cut_off: u64,
    /// Damaged lines.
    pub torn: u64,
}

#[derive(Debug)]
struct Start {
    /// The file to import first, and the one after it.
    first: Arc<Segment>,
    second: Arc<Segment>,
    spares: SyncSender<Arc<Segment>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Why the journal can't be written.
    spool: Mutex<Option<ShellError>>,
    /// Why the store can't be written.
    store: Mutex<Option<ShellError>>,
    spool_fails: AtomicBool,
    /// Half of the memory for waiting records is used.
    crowded: AtomicBool,
    lost: AtomicU64,
    /// Records written, each form of a call's counted, and those that the store has.
    written: AtomicU64,
    imported: AtomicU64,
    recorder: OnceLock<Thread>,
    /// The recorder waits for records, rather than for the end of the pause between two batches.
    resting: AtomicBool,
    /// Somebody waits for what is written to be in the store.
    hurry: AtomicBool,
    /// Told after each batch.
    caught_up: Notify,
}

impl Journal {
    /// Opens the journal in the folder `dir`, and makes what is missing. Returns the records that the files hold, each
    /// once in its latest form, in the order in which they were first written; some of them the store may have.
    ///
    /// One process at a time: a second one is refused while the first lives.
    pub fn open(dir: &Path) -> Result<(Journal, Vec<CallRecord>), ShellError> {
        std::fs::create_dir_all(dir).map_err(|error| ShellError::file(dir, "can't make the data folder", &error))?;
        let (one, one_read) = Segment::open(&dir.join("records-1.journal"))?;
        let (two, two_read) = Segment::open(&dir.join("records-2.journal"))?;
        let last_alive = one_read.modified.max(two_read.modified);
        let torn = one_read.torn + two_read.torn;
        let (older, newer) = if one.generation() <= two.generation() {
            ((one, one_read), (two, two_read))
        } else {
            ((two, two_read), (one, one_read))
        };
        let count = older.1.records.len() + newer.1.records.len();
        let replayed = latest(older.1.records.into_iter().chain(newer.1.records));
        let reserve = Reserve::open(&dir.join("records.reserve"));
        let journal = Journal::new(Arc::new(older.0), Arc::new(newer.0), reserve, last_alive, torn)?;
        journal.shared.written.store(count as u64, Ordering::Relaxed);
        Ok((journal, replayed))
    }

    /// Opens the journal, brings the store up to date with it, and marks as cut off the calls that the process before
    /// this one left open. To be done before the recorder starts, whose heartbeat says that this process lives.
    pub async fn recover(dir: &Path, store: &Store) -> Result<(Journal, Recovered), ShellError> {
        let (journal, replayed) = Journal::open(dir)?;
        store.put_records(&replayed).await?;
        let cut_off = store.close_open(journal.last_alive()).await?;
        let recovered = Recovered { replayed: replayed.len(), cut_off, torn: journal.torn() };
        Ok((journal, recovered))
    }

    /// Takes a record into the next batch. Nothing is written before `flush`, unless the batch is large.
    pub fn append(&mut self, record: &CallRecord) {
        let before = self.buffer.len();
        line::write_record(&mut self.buffer, record);
        let length = self.buffer.len() - before;
        // A turn that ends thousands of calls is no reason to lose any: only what can't be written waits.
        if self.buffer.len() > BATCH_BYTES && !self.shared.spool_fails.load(Ordering::Relaxed) {
            self.flush();
        }
        if self.buffer.len() > HELD_BYTES {
            self.buffer.truncate(self.buffer.len() - length);
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!(call = %record.id, "the record of a call is lost: the disk takes none, and memory for them is full");
        }
    }

    /// Writes the batch with one system call. After a failure the batch is kept and tried again at the next flush, of
    /// which there should be one a second even without records; `watch().troubles()` says why.
    pub fn flush(&mut self) -> bool {
        if self.buffer.is_empty() {
            return true;
        }
        self.rotate_if_due();
        let mut written = self.write();
        if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::StorageFull) && self.reserve.release() {
            written = self.write();
        }
        self.shared.crowded.store(self.buffer.len() > HELD_BYTES / 2, Ordering::Relaxed);
        match written {
            Ok(()) => self.shared.spool_works(),
            Err(error) => self.shared.spool_fails(self.active.path(), &error),
        }
        self.shared.wake_recorder();
        self.buffer.is_empty()
    }

    /// Records that could not be written yet.
    pub fn held(&self) -> usize {
        memchr::memchr_iter(b'\n', &self.buffer).count()
    }

    /// Why the books can't be kept as they should, each with its mend; empty when all is well.
    pub fn health(&self) -> Vec<ShellError> {
        self.watch().troubles()
    }

    /// Whether a new call's record is sure to find room.
    pub fn has_room(&self) -> bool {
        self.buffer.len() <= HELD_BYTES / 2
    }

    pub fn watch(&self) -> JournalWatch {
        JournalWatch(self.shared.clone())
    }

    /// When the process before this one wrote last, by the files' dates.
    pub fn last_alive(&self) -> Option<Wall> {
        self.last_alive
    }

    /// Lines that were damaged when the journal was opened; the last one of a process that was killed may be.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    fn new(
        older: Arc<Segment>,
        newer: Arc<Segment>,
        reserve: Reserve,
        last_alive: Option<Wall>,
        torn: u64,
    ) -> Result<Journal, ShellError> {
        if newer.generation() == 0 {
            newer.reset(1)?;
        }
        older.seal();
        let (spares, received) = sync_channel(1);
        let start = Start { first: older, second: newer.clone(), spares };
        Ok(Journal {
            active: newer,
            spares: received,
            buffer: Vec::with_capacity(64 << 10),
            reserve: Arc::new(reserve),
            shared: Arc::default(),
            start: Some(start),
            last_alive,
            torn,
        })
    }

    fn write(&mut self) -> std::io::Result<()> {
        let (taken, result) = self.active.append(&self.buffer);
        let lines = memchr::memchr_iter(b'\n', &self.buffer[..taken]).count();
        self.shared.written.fetch_add(lines as u64, Ordering::Release);
        self.buffer.drain(..taken);
        result
    }

    fn rotate_if_due(&mut self) {
        if self.active.written() < ROTATE_BYTES {
            return;
        }
        if let Ok(spare) = self.spares.try_recv() {
            self.active.seal();
            self.active = spare;
        }
    }
}

impl JournalWatch {
    pub fn troubles(&self) -> Vec<ShellError> {
        let spool = self.0.spool.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let store = self.0.store.lock().unwrap_or_else(PoisonError::into_inner).clone();
        spool.into_iter().chain(store).collect()
    }

    /// Entries that the store doesn't have yet.
    pub fn pending(&self) -> u64 {
        self.0.written.load(Ordering::Acquire).saturating_sub(self.0.imported.load(Ordering::Acquire))
    }

    /// Waits until the store has what is written by now, a moment at most: after a failure of the store it may stay behind.
    pub async fn catch_up(&self) {
        let wanted = self.0.written.load(Ordering::Acquire);
        let reached = async {
            loop {
                let told = self.0.caught_up.notified();
                if self.0.imported.load(Ordering::Acquire) >= wanted {
                    return;
                }
                self.0.hurry.store(true, Ordering::SeqCst);
                self.0.wake_recorder();
                told.await;
            }
        };
        let _ = tokio::time::timeout(CATCH_UP, reached).await;
    }

    /// Records that neither disk nor memory could take.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Whether a new call's record is sure to find room.
    pub fn has_room(&self) -> bool {
        !self.0.crowded.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn wake_recorder(&self) {
        // A wake-up costs more than a record, so there is one for a batch. The fence stands against that of the recorder,
        // between what it says and what it looks at.
        fence(Ordering::SeqCst);
        if (self.resting.load(Ordering::SeqCst) || self.hurry.load(Ordering::SeqCst))
            && let Some(recorder) = self.recorder.get()
        {
            recorder.unpark();
        }
    }

    fn spool_works(&self) {
        if self.spool_fails.swap(false, Ordering::Relaxed) {
            *self.spool.lock().unwrap_or_else(PoisonError::into_inner) = None;
            tracing::info!("the journal of call records is written again");
        }
    }

    fn spool_fails(&self, path: &Path, error: &std::io::Error) {
        if !self.spool_fails.swap(true, Ordering::Relaxed) {
            let trouble = ShellError::file(path, "can't write the journal of call records", error);
            tracing::error!("{trouble}");
            *self.spool.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
        }
    }

    fn store_is(&self, trouble: Option<ShellError>) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*store, &trouble) {
            (None, Some(trouble)) => tracing::error!("{trouble}; the records wait in the journal"),
            (Some(_), None) => tracing::info!("the store takes call records again"),
            _ => {}
        }
        *store = trouble;
    }
}

/// Each record once, in its last form, in the order of the first.
fn latest(records: impl Iterator<Item = CallRecord>) -> Vec<CallRecord> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut latest: Vec<CallRecord> = Vec::new();
    for record in records {
        match places.entry(record.id.clone()) {
            Entry::Occupied(place) => latest[*place.get()] = record,
            Entry::Vacant(place) => {
                place.insert(latest.len());
                latest.push(record);
            }
        }
    }
    latest
}

#[cfg(test)]
mod tests;
