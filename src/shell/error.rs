//! An error that names the place and the mend.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellError {
    /// A file, a folder or an address.
    pub place: String,
    pub what: String,
    pub mend: String,
}

impl ShellError {
    pub fn new(place: impl fmt::Display, what: impl fmt::Display, mend: impl fmt::Display) -> ShellError {
        ShellError { place: place.to_string(), what: what.to_string(), mend: mend.to_string() }
    }

    /// `doing` is what was tried, such as `can't write`.
    pub fn file(path: &Path, doing: &str, error: &io::Error) -> ShellError {
        let mend = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free some space on that disk (or raise the quota); calls go on, and this mends itself"
            }
            ErrorKind::PermissionDenied => "give the gateway's user the right to it (chown or chmod)",
            ErrorKind::ReadOnlyFilesystem => "mount that file system writable, or set `data` to a folder on another",
            ErrorKind::NotFound => "create it, or correct the path in the configuration",
            ErrorKind::NotADirectory | ErrorKind::IsADirectory => "move away what stands there, or correct the path",
            _ if error.raw_os_error() == Some(libc::EMFILE) => "raise the limit of open files (ulimit -n)",
            _ => "see to that disk; the system's log may say more",
        };
        ShellError::new(path.display(), format_args!("{doing}: {error}"), mend)
    }

    /// `place` is the address as a person writes it, such as `http 0.0.0.0:8080`; `setting` is where it is configured.
    pub fn bind(place: impl fmt::Display, setting: &str, error: &io::Error) -> ShellError {
        let mend = match error.kind() {
            ErrorKind::AddrInUse => {
                format!(
                    "another program (or a second Tandem) has it: stop that one, or set another address in {setting}"
                )
            }
            ErrorKind::AddrNotAvailable => {
                format!("this machine doesn't have that address: correct {setting} (`ip address` lists those it has)")
            }
            ErrorKind::PermissionDenied => {
                format!("ports below 1024 need a right: choose another in {setting}, or grant CAP_NET_BIND_SERVICE")
            }
            _ => format!("correct {setting}"),
        };
        ShellError::new(place, format_args!("can't listen: {error}"), mend)
    }
}

impl fmt::Display for ShellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.mend)
    }
}

impl std::error::Error for ShellError {}

/// Why the gateway didn't start, or what stopped a command: each problem on a line, with its place and its mend.
#[derive(Debug)]
pub struct Problems(pub Vec<String>);

impl From<Vec<ShellError>> for Problems {
    fn from(errors: Vec<ShellError>) -> Problems {
        Problems(errors.iter().map(ToString::to_string).collect())
    }
}

impl From<ShellError> for Problems {
    fn from(error: ShellError) -> Problems {
        Problems(vec![error.to_string()])
    }
}
