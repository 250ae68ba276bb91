//! Who may use the machine at the same time: sound and crowds of calls want it for themselves.

use std::io::Write;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

static MACHINE: RwLock<()> = RwLock::new(());

/// For a test whose result depends on the machine's speed: no other test runs while the guard lives.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// For all other tests.
pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// How late a processor may be before what was heard meanwhile proves nothing: a phone's buffer for jitter begins with
/// two or three packets.
const STALL: Duration = Duration::from_millis(30);

/// Tries to hear well. Where it is told why it didn't, it tries again if the machine stood still meanwhile, as a virtual
/// one does when its host is busy; on a machine that ran all the time it tries just once more. Where the machine never
/// runs for long enough, nothing is proved, and that is said.
#[track_caller]
pub fn hearing(attempt: impl Fn() -> Result<(), String>) {
    let mut unexplained = 0;
    for _ in 0..5 {
        let (result, late) = watched(&attempt);
        let Err(why) = result else { return };
        unexplained += usize::from(late < STALL);
        assert!(unexplained < 2, "{why}; the machine was late by {late:?} at most");
        println!("again, for the machine was late by {late:?}: {why}");
    }
    skipped("the machine stands still too often to hear how well sound arrives");
}

/// Runs something, and tells by how much one of the processors was late meanwhile at most.
fn watched<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let watchers: Vec<_> = (0..processors).map(|processor| scope.spawn(move || latest(processor, over))).collect();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
        over.store(true, Relaxed);
        let late = watchers.into_iter().filter_map(|watcher| watcher.join().ok()).max().unwrap_or_default();
        (result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)), late)
    })
}

/// By how much a thread on one processor woke too late at most.
fn latest(processor: usize, over: &AtomicBool) -> Duration {
    // SAFETY: a set of no processors is all zeros, and the call reads as much of it as it is told.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
    let (step, mut worst) = (Duration::from_millis(5), Duration::ZERO);
    while !over.load(Relaxed) {
        let begin = Instant::now();
        thread::sleep(step);
        worst = worst.max(begin.elapsed().saturating_sub(step));
    }
    worst
}

/// Says that a test can't run here, past the harness, which keeps to itself what a test that passes prints.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
