use super::segment::{Segment, Sink};
use super::*;
use crate::call::record::{EndedBy, State};
use crate::shell::store::Filter;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn record(id: &str, state: State) -> CallRecord {
    CallRecord {
        id: id.to_owned(),
        state,
        caller: "user:alice".to_owned(),
        from: "+15550100001".to_owned(),
        dialled: "bob".to_owned(),
        number: "bob".to_owned(),
        rule: None,
        started: Wall::from_micros(1_000_000),
        ringing: None,
        answered: None,
        ended: None,
        talk_ms: 0,
        legs: Vec::new(),
        status: 0,
        ended_by: EndedBy::Nobody,
        cause: "a \"cause\"\nof two lines".to_owned(),
    }
}

fn write(journal: &mut Journal, ids: std::ops::Range<usize>, state: State) {
    for id in ids {
        journal.append(&record(&id.to_string(), state));
    }
    assert!(journal.flush());
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("tandem.db").display())
}

async fn all(store: &Store) -> Vec<CallRecord> {
    store.records(&Filter { limit: 1_000_000, ..Filter::default() }).await.unwrap()
}

/// Waits for the recorder to bring about `state`.
async fn until(what: &str, mut state: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if state() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("after a minute it still isn't so: {what}");
}

async fn caught_up(watch: &JournalWatch) {
    until("the recorder has caught up", || watch.pending() == 0).await;
}

#[test]
fn what_was_flushed_is_replayed_once_in_its_last_form() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, replayed) = Journal::open(folder.path()).unwrap();
    assert!(replayed.is_empty() && journal.last_alive().is_none());
    write(&mut journal, 0..3, State::Open);
    write(&mut journal, 1..2, State::Closed);
    journal.append(&record("never flushed", State::Open));
    drop(journal);
    for _ in 0..2 {
        let (journal, replayed) = Journal::open(folder.path()).unwrap();
        let states: Vec<_> = replayed.iter().map(|record| (record.id.as_str(), record.state)).collect();
        assert_eq!(states, [("0", State::Open), ("1", State::Closed), ("2", State::Open)]);
        assert_eq!(replayed[0], record("0", State::Open));
        assert_eq!(journal.torn(), 0);
        assert!(journal.last_alive().is_some());
    }
}

#[test]
fn a_torn_last_line_and_damage_inside_cost_only_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    write(&mut journal, 0..3, State::Open);
    let path = journal.active.path().to_owned();
    drop(journal);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = memchr::memmem::find(&bytes, b"\"id\":\"1\"").unwrap();
    bytes[middle + 6] = b'7';
    bytes.extend_from_within(bytes.len() - 40..bytes.len() - 5);
    std::fs::write(&path, &bytes).unwrap();
    let (mut journal, replayed) = Journal::open(folder.path()).unwrap();
    assert_eq!(replayed.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["0", "2"]);
    assert_eq!(journal.torn(), 2);
    write(&mut journal, 3..4, State::Open);
    drop(journal);
    let (journal, replayed) = Journal::open(folder.path()).unwrap();
    assert_eq!(replayed.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["0", "2", "3"]);
    assert_eq!(journal.torn(), 1);
}

#[test]
fn whatever_the_files_hold_the_journal_opens() {
    let mut chance = crate::base::chance::Chance::from_number(4);
    for _ in 0..60 {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        write(&mut journal, 0..5, State::Open);
        drop(journal);
        for name in ["records-1.journal", "records-2.journal"] {
            let path = folder.path().join(name);
            let mut bytes = std::fs::read(&path).unwrap();
            for _ in 0..chance.below(4) {
                let length = bytes.len() as u64;
                match chance.below(3) {
                    0 => bytes.truncate(chance.below(length + 1) as usize),
                    1 if length > 0 => bytes[chance.below(length) as usize] ^= 1 << chance.below(8),
                    _ => bytes.extend((0..chance.below(3_000)).map(|_| chance.u32() as u8)),
                }
            }
            std::fs::write(&path, bytes).unwrap();
        }
        if let Ok((mut journal, replayed)) = Journal::open(folder.path()) {
            assert!(replayed.len() <= 5);
            write(&mut journal, 9..10, State::Closed);
            drop(journal);
            let (_, replayed) = Journal::open(folder.path()).unwrap();
            assert!(replayed.iter().any(|record| record.id == "9"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_writes_nothing_is_known_to_live() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path())).await.unwrap();
    let (mut journal, _) = Journal::recover(folder.path(), &store).await.unwrap();
    let path = journal.active.path().to_owned();
    let date = || std::fs::metadata(&path).unwrap().modified().unwrap();
    let recorder = Recorder::start(&mut journal, store).unwrap();
    let before = date();
    until("the file is dated anew", || date() > before).await;
    recorder.stop().await;
}

#[test]
fn a_second_gateway_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let (_journal, _) = Journal::open(folder.path()).unwrap();
    let error = Journal::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("another Tandem") && error.contains("records-1.journal"), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let json = br#"{"journal":2,"generation":1}"#;
    let line = format!("{:08x} {}\n", crc32fast::hash(json), std::str::from_utf8(json).unwrap());
    std::fs::write(folder.path().join("records-1.journal"), line).unwrap();
    let error = Journal::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("newer Tandem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorder_carries_everything_over_many_rotations_and_keeps_the_files_small() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path())).await.unwrap();
    let (mut journal, recovered) = Journal::recover(folder.path(), &store).await.unwrap();
    assert_eq!(recovered, Recovered { replayed: 0, cut_off: 0, torn: 0 });
    let recorder = Recorder::start(&mut journal, store.clone()).unwrap();
    assert!(Recorder::start(&mut journal, store.clone()).is_none());
    let watch = journal.watch();
    let padding = "x".repeat(100_000);
    for round in 0..120 {
        for state in [State::Open, State::Closed] {
            journal.append(&CallRecord { cause: padding.clone(), ..record(&round.to_string(), state) });
            assert!(journal.flush());
        }
        if round % 20 == 19 {
            caught_up(&watch).await;
        }
    }
    caught_up(&watch).await;
    recorder.stop().await;
    let records = all(&store).await;
    assert_eq!(records.len(), 120);
    assert!(records.iter().all(|record| record.state == State::Closed));
    assert!(journal.active.generation() > 2, "{:?}", journal.active);
    for name in ["records-1.journal", "records-2.journal"] {
        assert!(std::fs::metadata(folder.path().join(name)).unwrap().len() < 3 * ROTATE_BYTES);
    }
    assert_eq!((journal.health(), watch.lost()), (vec![], 0));
    assert!(store.note("heartbeat").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_told_and_made_up_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path())).await.unwrap();
    let (mut journal, _) = Journal::recover(folder.path(), &store).await.unwrap();
    let watch = journal.watch();
    store.close().await;
    let (file, aside) = (folder.path().join("tandem.db"), folder.path().join("aside.db"));
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap();
    let recorder = Recorder::start(&mut journal, store).unwrap();
    write(&mut journal, 0..10, State::Open);
    until("the store's trouble is told", || !watch.troubles().is_empty()).await;
    assert!(watch.troubles()[0].place.ends_with("tandem.db"));
    recorder.stop().await;
    drop(journal);
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    let store = Store::open(&url(folder.path())).await.unwrap();
    let (_journal, recovered) = Journal::recover(folder.path(), &store).await.unwrap();
    assert_eq!(recovered, Recovered { replayed: 10, cut_off: 10, torn: 0 });
    let records = all(&store).await;
    assert_eq!(records.len(), 10);
    // The end is the moment at which the dead process wrote last, which was just now and not in 1970.
    assert!(records.iter().all(|record| record.state == State::CutOff && record.ended > Some(record.started)));
}

/// Run by the test below in a process of its own, which never comes to its end.
#[test]
#[ignore = "the child of `nothing_is_lost_and_nothing_doubled_by_kill_9`"]
fn child_that_writes_until_it_is_killed() {
    let folder = PathBuf::from(std::env::var("TANDEM_TEST_JOURNAL").unwrap());
    let first: usize = std::env::var("TANDEM_TEST_FIRST").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let store = runtime.block_on(Store::open(&url(&folder))).unwrap();
    let (mut journal, _) = runtime.block_on(Journal::recover(&folder, &store)).unwrap();
    let _recorder = Recorder::start(&mut journal, store).unwrap();
    let mut said = io::stdout().lock();
    let cause = "y".repeat(2_000);
    for id in first.. {
        for state in [State::Open, State::Closed] {
            journal.append(&CallRecord { cause: cause.clone(), ..record(&id.to_string(), state) });
            assert!(journal.flush());
            writeln!(said, "\nwritten {id} {state:?}").unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_doubled_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut promised = std::collections::HashMap::new();
    let mut first = 0;
    for lines in [1, 40, 700, 9_000] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "shell::journal::tests::child_that_writes_until_it_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("TANDEM_TEST_JOURNAL", folder.path())
            .env("TANDEM_TEST_FIRST", first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: String| {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["written", id, state @ ("Open" | "Closed")] = words[..] {
                promised.insert(id.to_owned(), state == "Closed");
                // The call after it was begun, whether that was told or not.
                first = first.max(id.parse::<usize>().unwrap() + 2);
                return true;
            }
            false
        };
        let mut count = 0;
        while count < lines {
            count += usize::from(take(said.next().unwrap().unwrap()));
        }
        child.kill().unwrap();
        // What the pipe still holds was written too, but for a last line that may be torn.
        let rest: Vec<String> = said.map_while(Result::ok).collect();
        for line in rest.iter().take(rest.len().saturating_sub(1)) {
            take(line.clone());
        }
        child.wait().unwrap();
    }
    let store = Store::open(&url(folder.path())).await.unwrap();
    Journal::recover(folder.path(), &store).await.unwrap();
    let records = all(&store).await;
    let found: std::collections::HashMap<_, _> =
        records.iter().map(|record| (record.id.clone(), record.state)).collect();
    assert_eq!(found.len(), records.len());
    for (id, was_closed) in &promised {
        assert!(found.contains_key(id), "{id} is lost");
        assert!(!was_closed || found[id] == State::Closed, "the end of {id} is lost");
    }
    assert!(records.iter().all(|record| record.state != State::Open));
    // Each child leaves at most one call that nobody was told of, and one that it had not closed.
    assert!(found.len() <= promised.len() + 4, "{} of {}", found.len(), promised.len());
    assert!(records.iter().filter(|record| record.state == State::CutOff).count() <= 8);
}

/// A file on a disk with little room, which removing the reserve makes larger.
#[derive(Debug)]
struct SmallDisk {
    file: std::fs::File,
    room: u64,
    reserve: PathBuf,
    reserved: u64,
}

impl Sink for SmallDisk {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let room = self.room + if self.reserve.exists() { 0 } else { self.reserved };
        let fits = room.saturating_sub(offset).min(bytes.len() as u64) as usize;
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        FileExt::write_at(&self.file, &bytes[..fits], offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.file, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_modified(&self, time: std::time::SystemTime) -> io::Result<()> {
        self.file.set_modified(time)
    }
}

fn on_small_disk(folder: &Path, room: u64) -> Journal {
    let (journal, _) = Journal::open(folder).unwrap();
    let path = journal.active.path().to_owned();
    drop(journal);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let written = file.metadata().unwrap().len();
    let reserve = folder.join("records.reserve");
    let disk = SmallDisk { file, room, reserve: reserve.clone(), reserved: 30_000 };
    let older = Segment::open(&folder.join("records-1.journal")).unwrap().0;
    let active = Segment::over(&path, Box::new(disk), 1, written);
    Journal::new(Arc::new(older), Arc::new(active), Reserve::open(&reserve), None, 0).unwrap()
}

#[test]
fn a_full_disk_takes_the_reserve_then_memory_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = on_small_disk(folder.path(), 10_000);
    let reserve = folder.path().join("records.reserve");
    assert!(reserve.exists());
    let mut id = 0;
    while reserve.exists() {
        write(&mut journal, id..id + 1, State::Open);
        assert!(journal.health().is_empty());
        id += 1;
    }
    let with_reserve = id;
    loop {
        journal.append(&record(&id.to_string(), State::Open));
        id += 1;
        if !journal.flush() {
            break;
        }
    }
    assert!(id > with_reserve + 50);
    let trouble = journal.health().remove(0);
    assert!(trouble.place.ends_with(".journal") && trouble.mend.contains("free some space"), "{trouble}");
    assert!(journal.has_room() && journal.watch().lost() == 0);
    while journal.has_room() {
        journal.append(&record(&id.to_string(), State::Open));
        id += 1;
    }
    assert!(!journal.flush() && !journal.watch().has_room());
    assert_eq!(journal.watch().lost(), 0);
    // What is in the file is whole lines, of which none is missing.
    let records = journal.active.read_from(0, usize::MAX).unwrap().records;
    let ids: Vec<usize> = records.iter().map(|record| record.id.parse().unwrap()).collect();
    assert_eq!(ids, (0..ids.len()).collect::<Vec<_>>());
    let waiting = memchr::memchr_iter(b'\n', &journal.buffer).count();
    assert_eq!(ids.len() + waiting, id);
}

#[test]
fn a_disk_with_room_again_takes_what_waited_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = on_small_disk(folder.path(), 2_000);
    std::fs::remove_file(folder.path().join("records.reserve")).unwrap();
    let mut journal_small = true;
    for id in 0..500 {
        journal.append(&record(&id.to_string(), State::Open));
        journal_small &= journal.flush();
    }
    assert!(!journal_small && !journal.health().is_empty());
    let path = journal.active.path().to_owned();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let written = journal.active.written();
    journal.active = Arc::new(Segment::over(&path, Box::new(file), 1, written));
    assert!(journal.flush() && journal.health().is_empty());
    drop(journal);
    let (_, replayed) = Journal::open(folder.path()).unwrap();
    assert_eq!(replayed.len(), 500);
}

#[test]
fn memory_for_waiting_records_has_an_end_that_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = on_small_disk(folder.path(), 100);
    std::fs::remove_file(folder.path().join("records.reserve")).unwrap();
    let large = CallRecord { cause: "z".repeat(500_000), ..record("large", State::Closed) };
    for _ in 0..20 {
        journal.append(&large);
        journal.flush();
    }
    assert!(journal.buffer.len() <= HELD_BYTES);
    assert!(journal.watch().lost() > 0);
}

/// A file system of its own with 20 MiB, which is let go of at the end of the test.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// None where this user may not mount.
    fn mount() -> Option<Tmpfs> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Tmpfs(folder))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// The same as with `SmallDisk`, on a real file system that journal and store share, where this user may mount one.
#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_over_a_disk_that_is_full_and_then_is_not() {
    let Some(disk) = Tmpfs::mount() else {
        return eprintln!("not tested: only root may mount a small file system");
    };
    let folder = disk.0.path();
    let store = Store::open(&url(folder)).await.unwrap();
    let (mut journal, _) = Journal::recover(folder, &store).await.unwrap();
    let recorder = Recorder::start(&mut journal, store.clone()).unwrap();
    let watch = journal.watch();
    let filler = folder.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    let large = "x".repeat(2_000);
    for id in 0..1_000 {
        journal.append(&CallRecord { cause: large.clone(), ..record(&id.to_string(), State::Closed) });
        journal.flush();
    }
    assert!(!folder.join("records.reserve").exists());
    let troubles = watch.troubles();
    assert!(troubles.iter().any(|trouble| trouble.place.ends_with(".journal")), "{troubles:?}");
    assert!(troubles.iter().all(|trouble| trouble.mend.contains("free some space")), "{troubles:?}");
    std::fs::remove_file(&filler).unwrap();
    assert!(journal.flush());
    until("all is well again", || watch.troubles().is_empty()).await;
    caught_up(&watch).await;
    recorder.stop().await;
    assert_eq!((all(&store).await.len(), watch.lost()), (1_000, 0));
    store.close().await;
}

/// Who asks for the books right after a call finds the call in them, though batches are further apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_waits_finds_the_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path())).await.unwrap();
    let (mut journal, _) = Journal::recover(folder.path(), &store).await.unwrap();
    let recorder = Recorder::start(&mut journal, store.clone()).unwrap();
    for id in 0..20 {
        write(&mut journal, id..id + 1, State::Open);
        write(&mut journal, id..id + 1, State::Closed);
        journal.watch().catch_up().await;
        assert_eq!(journal.watch().pending(), 0);
        assert_eq!(all(&store).await.len(), id + 1);
    }
    recorder.stop().await;
}

#[test]
fn lines_of_one_record_are_known_by_its_id_even_with_quotes_in_it() {
    let line = |id: &str, state| {
        let mut buffer = Vec::new();
        line::write_record(&mut buffer, &record(id, state));
        buffer.pop();
        buffer
    };
    let ids = ["a", "a\"", "a\"b", "a\\", "a\\\"", ""];
    for one in ids {
        let (open, closed) = (line(one, State::Open), line(one, State::Closed));
        assert!(line::id(&open).is_some() && line::id(&open) == line::id(&closed), "{one}");
        for other in ids.iter().filter(|other| **other != one) {
            assert_ne!(line::id(&open), line::id(&line(other, State::Open)), "{one} and {other}");
        }
    }
    assert_eq!(line::id(line::header(3).trim_ascii_end()), None);
    assert_eq!(line::id(b"00000000 {\"id\":\"a\"}"), None);
}
