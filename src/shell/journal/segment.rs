//! One file of the journal. The loop appends to it, the recorder reads it and empties it, never both at its end.

use super::line::{self, LINE_BYTES, Line};
use crate::base::time::Wall;
use crate::call::record::CallRecord;
use crate::shell::error::ShellError;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a segment's bytes go: a file, or in tests one that fails when it is told to.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Writes some of `bytes`, and says how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    fn set_len(&self, length: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Dates the last change.
    fn set_modified(&self, time: SystemTime) -> io::Result<()>;
}

#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    sink: Box<dyn Sink>,
    generation: AtomicU64,
    /// Bytes of whole lines. What stands after them in the file counts for nothing.
    written: AtomicU64,
    /// Nothing will be appended until it is emptied.
    sealed: AtomicBool,
}

/// What a file held when it was opened.
#[derive(Debug, Default)]
pub struct Replay {
    pub records: Vec<CallRecord>,
    pub torn: u64,
    /// When it was last written; none for a new file.
    pub modified: Option<Wall>,
}

/// What was read at once.
#[derive(Debug)]
pub struct Batch {
    /// Each once, in its last form.
    pub records: Vec<CallRecord>,
    /// How many forms of records that were.
    pub count: u64,
    /// Where the reading stopped.
    pub end: u64,
}

impl Batch {
    /// Only the last form of a record is read in full.
    fn read<'a>(lines: impl Iterator<Item = &'a [u8]>, end: u64) -> Batch {
        let mut batch = Batch { records: Vec::new(), count: 0, end };
        let mut last: Vec<&[u8]> = Vec::new();
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for line in lines {
            let Some(id) = line::id(line) else { continue };
            batch.count += 1;
            match places.entry(id) {
                Entry::Occupied(place) => last[*place.get()] = line,
                Entry::Vacant(place) => {
                    place.insert(last.len());
                    last.push(line);
                }
            }
        }
        for line in last {
            if let Line::Record(record) = line::read(line) {
                batch.records.push(*record);
            }
        }
        batch
    }
}

impl Segment {
    /// Opens and locks the file, or makes it, and reads what it holds. A torn last line is cut off.
    pub fn open(path: &Path) -> Result<(Segment, Replay), ShellError> {
        let failed = |doing: &str, error: &io::Error| ShellError::file(path, doing, error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed("can't open the journal of call records", &error))?;
        lock(&file, path)?;
        let modified = modified(&file);
        let mut replay = Replay::default();
        let (generation, length) = replay_file(&file, path, &mut replay)?;
        if generation > 0 || length > 0 {
            replay.modified = modified;
        }
        file.set_len(length).map_err(|error| failed("can't cut a torn line off the journal", &error))?;
        Ok((Segment::over(path, Box::new(file), generation, length), replay))
    }

    pub fn over(path: &Path, sink: Box<dyn Sink>, generation: u64, written: u64) -> Segment {
        Segment {
            path: path.to_owned(),
            sink,
            generation: generation.into(),
            written: written.into(),
            sealed: false.into(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// 0 for a file that holds nothing.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    pub fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// Appends `lines`, in one system call unless the disk fills up in mid-way. Says how many bytes of whole lines were
    /// taken; a part of a line is overwritten by the next try, which begins with the same line.
    pub fn append(&self, lines: &[u8]) -> (usize, io::Result<()>) {
        let start = self.written.load(Ordering::Relaxed);
        let mut taken = 0;
        let result = loop {
            if taken == lines.len() {
                break Ok(());
            }
            match self.sink.write_at(&lines[taken..], start + taken as u64) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => taken = (taken + count).min(lines.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let whole = memchr::memrchr(b'\n', &lines[..taken]).map_or(0, |last| last + 1);
        self.written.store(start + whole as u64, Ordering::Release);
        (whole, result)
    }

    /// The records between `offset` and what is written by now, about `limit` bytes of them at most.
    pub fn read_from(&self, offset: u64, limit: usize) -> io::Result<Batch> {
        let available = usize::try_from(self.written().saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; available.min(limit.max(LINE_BYTES))];
        let count = self.fill(&mut bytes, offset)?;
        // Where there is no line feed in so much, there is damage, which is passed over.
        let whole = memchr::memrchr(b'\n', &bytes[..count]).map_or(count, |last| last + 1);
        let lines = bytes[..whole].split(|&byte| byte == b'\n');
        Ok(Batch::read(lines, offset + whole as u64))
    }

    /// Empties the file and gives it a new header, to be appended to.
    pub fn reset(&self, generation: u64) -> Result<(), ShellError> {
        let failed = |error: &io::Error| ShellError::file(&self.path, "can't empty the journal of call records", error);
        self.sink.set_len(0).map_err(|error| failed(&error))?;
        self.written.store(0, Ordering::Release);
        let (_, result) = self.append(&line::header(generation));
        result.map_err(|error| failed(&error))?;
        self.generation.store(generation, Ordering::Relaxed);
        self.sealed.store(false, Ordering::Release);
        self.sink.sync().map_err(|error| failed(&error))
    }

    pub fn sync(&self) -> io::Result<()> {
        self.sink.sync()
    }

    /// Says by the file's date that the process lives. What can't be dated is no worse than a file without news.
    pub fn touch(&self, time: SystemTime) {
        let _ = self.sink.set_modified(time);
    }

    fn fill(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut count = 0;
        while count < bytes.len() {
            match self.sink.read_at(&mut bytes[count..], offset + count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

impl Sink for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        File::set_modified(self, time)
    }
}

fn lock(file: &File, path: &Path) -> Result<(), ShellError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(ShellError::new(
            path.display(),
            "another Tandem is running with this data folder",
            "stop that one, or give this one another folder with `data` in its configuration",
        )),
        Err(TryLockError::Error(error)) => {
            Err(ShellError::file(path, "can't lock the journal of call records", &error))
        }
    }
}

fn modified(file: &File) -> Option<Wall> {
    let time = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
    let micros = time.duration_since(UNIX_EPOCH).ok()?.as_micros();
    i64::try_from(micros).ok().map(Wall::from_micros)
}

/// Reads all lines; returns the generation (1 for a file with records that lost its header, 0 for one without any) and
/// the length up to the last line feed.
fn replay_file(file: &File, path: &Path, replay: &mut Replay) -> Result<(u64, u64), ShellError> {
    let failed = |error: &io::Error| ShellError::file(path, "can't read the journal of call records", error);
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let (mut generation, mut length) = (0, 0);
    loop {
        line.clear();
        let count = reader.by_ref().take(LINE_BYTES as u64).read_until(b'\n', &mut line).map_err(|e| failed(&e))?;
        if count == 0 {
            break;
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            // The end of a process that was killed in mid-write, or a line longer than any of ours.
            replay.torn += 1;
            if count < LINE_BYTES {
                break;
            }
            length += count as u64;
            continue;
        };
        length += count as u64;
        match line::read(text) {
            Line::Header { generation: written } => generation = written.max(1),
            Line::Foreign { format } => return Err(foreign(path, format)),
            Line::Record(record) => {
                generation = generation.max(1);
                replay.records.push(*record);
            }
            Line::Damaged => replay.torn += 1,
        }
    }
    Ok((generation, length))
}

fn foreign(path: &Path, format: u32) -> ShellError {
    ShellError::new(
        path.display(),
        format_args!("the journal is in format {format}, which this release doesn't know: a newer Tandem wrote it"),
        "start that newer Tandem once, so that it empties the journal, or move the file away",
    )
}
