//! How many files and sockets the system lets us have open.

use std::io;

/// Files that a call in progress may have open: a pair of sockets for each side.
const FILES_PER_CALL: usize = 4;
/// For all else: connections have limits of their own.
const OTHERS: usize = 256;

/// Asks for as many as this user may have, and tells how many that are. What a shell or a service manager sets is made for
/// programs with a handful of files.
pub fn raise_limit() -> io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes to a value that outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } < 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the kernel only reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

/// The sentence that an operator needs where `files` are too few for `calls` and `connections`.
pub fn shortage(files: usize, calls: usize, connections: usize) -> Option<String> {
    let needed = calls.saturating_mul(FILES_PER_CALL).saturating_add(connections).saturating_add(OTHERS);
    (files < needed).then(|| {
        format!(
            "{files} open files are too few for {calls} calls and {connections} connections: allow {needed} \
             (LimitNOFILE of the service, or `ulimit -Hn`), or lower [limits] calls and tcp_connections"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_may_be_had() {
        let files = raise_limit().unwrap();
        assert!(files >= 256);
        assert_eq!(raise_limit().unwrap(), files);
    }

    #[test]
    fn a_shortage_names_what_is_needed() {
        assert_eq!(shortage(20_256, 2_500, 10_000), None);
        assert!(shortage(1_024, 2_500, 10_000).unwrap().contains("allow 20256"));
    }
}
