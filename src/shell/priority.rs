//! Which of our threads the processor is given to first.

use crate::media::worker::syscalls;

/// Lets the calling thread, which is the loop's, go before those that want the processor for longer, as the media workers
/// do. Threads that it starts later would too.
pub fn go_before_others() {
    syscalls::wake_in_time();
}

/// Lets all threads of usual priority go before the calling one, and before those that it starts. What it does has to be
/// done soon, and not at once: it still gets a tenth of a processor that others would take whole.
pub fn yield_to_calls() {
    const NICE: libc::c_int = 10;
    // SAFETY: takes no pointers. On Linux the "process" 0 is the calling thread. A system that refuses leaves it as it was.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}
