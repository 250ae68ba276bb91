//! The time that this thread has had of a processor.

/// In µs.
pub fn thread_us() -> f64 {
    // SAFETY: the kernel writes to a value that outlives the call.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time);
        time
    };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
