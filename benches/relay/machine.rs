//! What the bench asks of the machine: cores, the real-time class, CPU time of threads, memory.

use std::path::Path;
use std::time::Duration;

/// The core of what is measured.
pub const SERVER_CORE: usize = 0;
/// The core of the load.
pub const LOAD_CORE: usize = 1;

/// Puts a thread on one core; 0 is the caller. False where the machine has no such core.
pub fn pin(thread: libc::pid_t, core: usize) -> bool {
    // SAFETY: the set is a plain bit field that lives through the call.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut cores);
        libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &cores) == 0
    }
}

/// Puts a thread before all ordinary ones, so that other work on the machine doesn't hold it up. False where that isn't
/// allowed.
pub fn hurry(thread: libc::pid_t) -> bool {
    // SAFETY: the parameter is a plain structure that lives through the call.
    unsafe {
        let mut parameter: libc::sched_param = std::mem::zeroed();
        parameter.sched_priority = 1;
        libc::sched_setscheduler(thread, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameter) == 0
    }
}

/// The threads of this process whose name begins so.
pub fn threads(name: &str) -> Vec<libc::pid_t> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let named = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end().starts_with(name))
    });
    named.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

/// CPU time of one thread of any process, from its start on.
pub fn cpu_of(task: &Path) -> Duration {
    let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanos)
}

/// CPU time of the calling thread.
pub fn own_cpu() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Nanoseconds since 1970, as the kernel stamps packets.
pub fn wall_ns() -> u64 {
    clock(libc::CLOCK_REALTIME).as_nanos() as u64
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure lives through the call.
    unsafe { libc::clock_gettime(id, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How often a thread gave its core away because it had nothing to do.
pub fn sleeps_of(task: &Path) -> u64 {
    let text = std::fs::read_to_string(task.join("status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// What a process has in memory, in KiB; it is named as under /proc.
pub fn resident_kib_of(process: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

/// As many open files as the system lets us have.
pub fn raise_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure lives through both calls.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        let wanted = libc::rlimit { rlim_cur: 100_000, rlim_max: limit.rlim_max.max(100_000) };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) != 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
