//! Recordings on their way to WAV files, written by a thread of their own: a slow disk loses samples and stops nobody.

use crate::call::tape::{RATE, Reel};
use crate::shell::disk;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Files at once, each of which takes one of those that the system lets us have open.
const FILES: usize = 1_000;
/// Where a file ends by itself: half a day is 1.3 GB.
const LONGEST: u32 = 12 * 3_600 * RATE;

/// What others are left of the disk, in bytes: the books are on it too.
const LEAST_FREE: u64 = 256 << 20;
/// How often that is looked at, in rounds.
const LOOK_EACH: u32 = 20;

/// How often the files get what has come meanwhile.
const EACH: Duration = Duration::from_millis(100);

pub struct Tapes {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Begin(Reel),
    End { folder: String },
}

impl Tapes {
    /// For files under `folder`.
    pub fn start(folder: PathBuf) -> Tapes {
        let (orders, taken) = channel();
        let thread = std::thread::Builder::new().name("tape".to_owned()).spawn(move || run(&folder, &taken));
        Tapes { orders: Some(orders), thread: thread.ok() }
    }

    pub fn begin(&self, reel: Reel) {
        self.order(Order::Begin(reel));
    }

    pub fn end(&self, folder: String) {
        self.order(Order::End { folder });
    }

    fn order(&self, order: Order) {
        // A thread that couldn't be started, or has ended, takes no orders: then nothing is recorded.
        let _ = self.orders.as_ref().map(|orders| orders.send(order));
    }
}

impl Drop for Tapes {
    /// Waits until all files are complete.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One file.
struct Take {
    folder: String,
    path: PathBuf,
    samples: rtrb::Consumer<i16>,
    writer: WavWriter<BufWriter<File>>,
}

#[allow(clippy::disallowed_methods, reason = "a thread of the shell that is woken by the clock")]
fn run(folder: &Path, orders: &Receiver<Order>) {
    let mut takes: Vec<Take> = Vec::new();
    let mut due = Instant::now() + EACH;
    let mut rounds = 0u32;
    loop {
        match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Order::Begin(reel)) if takes.len() >= FILES => {
                tracing::warn!("{}/{} isn't recorded: {FILES} files are being written", reel.folder, reel.file);
            }
            Ok(Order::Begin(reel)) if !has_room(folder) => {
                let least = LEAST_FREE >> 20;
                tracing::error!(
                    "{}/{} isn't recorded: the disk has less than {least} MiB left",
                    reel.folder,
                    reel.file
                );
            }
            Ok(Order::Begin(reel)) => takes.extend(begin(folder, reel)),
            Ok(Order::End { folder }) => {
                takes.extract_if(.., |take| take.folder == folder).for_each(finish);
            }
            Err(RecvTimeoutError::Timeout) => {
                due = Instant::now() + EACH;
                rounds = rounds.wrapping_add(1);
                if !takes.is_empty() && rounds.is_multiple_of(LOOK_EACH) && !has_room(folder) {
                    tracing::error!("recordings end here: the disk has less than {} MiB left", LEAST_FREE >> 20);
                    takes.drain(..).for_each(finish);
                }
                // Whoever is gone says no more than is here already.
                let ended = |take: &mut Take| take.samples.is_abandoned();
                takes.extract_if(.., ended).for_each(finish);
                takes.extract_if(.., |take| !drain(take) || take.writer.duration() >= LONGEST).for_each(finish);
            }
            Err(RecvTimeoutError::Disconnected) => break takes.into_iter().for_each(finish),
        }
    }
}

fn begin(folder: &Path, reel: Reel) -> Option<Take> {
    let Reel { folder: name, file, samples } = reel;
    let path = folder.join(&name).join(file);
    let spec = WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
    // What people say is nobody else's to read.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder.join(&name));
    let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let file = made.and_then(|()| open()).map_err(hound::Error::IoError);
    match file.and_then(|file| WavWriter::new(BufWriter::new(file), spec)) {
        Ok(writer) => Some(Take { folder: name, path, samples, writer }),
        Err(error) => {
            tracing::error!("{}: the recording can't be written: {error}", path.display());
            None
        }
    }
}

/// Whether the disk has more left than recordings may take. What can't be told is taken for enough.
fn has_room(folder: &Path) -> bool {
    // It is made with the first file.
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    disk::free_bytes(there).is_none_or(|free| free >= LEAST_FREE)
}

/// False where the disk takes no more.
fn drain(take: &mut Take) -> bool {
    let written =
        std::iter::from_fn(|| take.samples.pop().ok()).try_for_each(|sample| take.writer.write_sample(sample));
    if let Err(error) = &written {
        tracing::error!("{}: the recording ends here: {error}", take.path.display());
    }
    written.is_ok()
}

fn finish(mut take: Take) {
    drain(&mut take);
    if let Err(error) = take.writer.finalize() {
        tracing::error!("{}: the recording can't be ended: {error}", take.path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_written_until_nothing_more_can_come() {
        let folder = std::env::temp_dir().join(format!("tandem-tape-{}", std::process::id()));
        let tapes = Tapes::start(folder.clone());
        let reel = |name: &str, file: &str| {
            let (producer, samples) = rtrb::RingBuffer::new(1_000);
            tapes.begin(Reel { folder: name.to_owned(), file: file.to_owned(), samples });
            producer
        };
        let mut one = reel("a", "one.wav");
        let mut two = reel("a", "two.wav");
        one.push_entire_slice(&[1, 2, 3]).unwrap();
        drop(one);
        two.push_entire_slice(&[4; 500]).unwrap();
        drop(tapes);
        let read = |file: &str| -> Vec<i16> {
            hound::WavReader::open(folder.join("a").join(file)).unwrap().into_samples().map(Result::unwrap).collect()
        };
        assert_eq!((read("one.wav"), read("two.wav")), (vec![1, 2, 3], vec![4; 500]));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
