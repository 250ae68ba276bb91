//! The log's way to standard error: lines wait in memory for a thread that writes them, so that neither a slow terminal nor
//! a log service that hangs ever holds up a call.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait at most. Lines that find no room are counted, and the count is said.
const ROOM: usize = 1 << 20;
/// What is logged in so long is written together. A line after a pause is written at once.
const GATHER: Duration = Duration::from_millis(50);
/// How long the end of the process waits for a reader that doesn't read.
const PATIENCE: Duration = Duration::from_secs(2);

/// Clones share the lines that wait. Dropping the first one, which [`Log::start`] gives, writes what is left.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// Told when there is something to write, and when the end is wanted.
    more: Condvar,
    /// Told when all is written.
    done: Condvar,
    ending: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lost: usize,
    is_writing: bool,
}

/// Writes what is left when it is dropped.
pub struct Flush(Log);

impl Log {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(Log, Flush)> {
        let shared = Shared {
            waiting: Mutex::default(),
            more: Condvar::new(),
            done: Condvar::new(),
            ending: AtomicBool::new(false),
        };
        let log = Log(Arc::new(shared));
        let writer = log.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_all(out))?;
        Ok((log.clone(), Flush(log)))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.bytes.len() + line.len() > ROOM {
            waiting.lost += 1;
            return;
        }
        let was_empty = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        if was_empty && !waiting.is_writing {
            self.0.more.notify_one();
        }
    }

    fn write_all(&self, mut out: impl Write) {
        let mut bytes = Vec::new();
        let mut waiting = self.waiting();
        loop {
            waiting.is_writing = false;
            while waiting.bytes.is_empty() {
                self.0.done.notify_all();
                if self.0.ending.load(Ordering::Relaxed) {
                    return;
                }
                waiting = self.0.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut waiting.bytes, &mut bytes);
            let lost = std::mem::take(&mut waiting.lost);
            waiting.is_writing = true;
            drop(waiting);
            // Where even this can't be written, there is nobody to be told.
            let _ = out.write_all(&bytes);
            bytes.clear();
            if lost > 0 {
                let _ = writeln!(out, "{lost} lines of the log were lost: whoever reads it is too slow");
            }
            let _ = out.flush();
            waiting = self.waiting();
            if !self.0.ending.load(Ordering::Relaxed) {
                let until = |_: &mut Waiting| !self.0.ending.load(Ordering::Relaxed);
                let rested = self.0.more.wait_timeout_while(waiting, GATHER, until);
                waiting = rested.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let Log(shared) = &self.0;
        let waiting = self.0.waiting();
        shared.ending.store(true, Ordering::Relaxed);
        shared.more.notify_one();
        let left = |waiting: &mut Waiting| waiting.is_writing || !waiting.bytes.is_empty();
        drop(shared.done.wait_timeout_while(waiting, PATIENCE, left));
    }
}

/// One event's line.
pub struct Line<'log>(&'log Log);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'log> MakeWriter<'log> for Log {
    type Writer = Line<'log>;

    fn make_writer(&'log self) -> Line<'log> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// Takes a piece each time that it is asked for one.
    struct Reader(SyncSender<Vec<u8>>);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (Log, Flush, Receiver<Vec<u8>>) {
        let (to, from) = sync_channel(0);
        let (log, flush) = Log::start(Reader(to)).unwrap();
        (log, flush, from)
    }

    fn say(log: &Log, line: &str) {
        log.make_writer().write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn a_line_is_written_at_once_and_the_end_loses_none() {
        let (log, flush, read) = log();
        say(&log, "one\n");
        assert_eq!(read.recv().unwrap(), b"one\n");
        say(&log, "two\n");
        say(&log, "three\n");
        let ended = std::thread::spawn(move || drop(flush));
        assert_eq!(read.recv().unwrap(), b"two\nthree\n");
        ended.join().unwrap();
    }

    #[test]
    fn a_reader_that_hangs_holds_nobody_up() {
        let (log, flush, read) = log();
        let line = "x".repeat(999) + "\n";
        for _ in 0..10_000 {
            say(&log, &line);
        }
        let ended = std::thread::spawn(move || drop(flush));
        let all: Vec<u8> = read.iter().flatten().collect();
        ended.join().unwrap();
        let text = String::from_utf8(all).unwrap();
        assert!(text.contains("lines of the log were lost"), "{}", &text[text.len() - 100..]);
        assert!(text.len() < 3 << 20);
    }
}
