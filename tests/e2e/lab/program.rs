//! Other programs: found, started, listened to, ended.

use super::wait::{self, seconds};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Fails the test, with the line that installs it, if a program isn't there.
#[track_caller]
pub fn need(program: &str, package: &str) {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').chain(["/usr/sbin", "/sbin"]).any(|folder| Path::new(folder).join(program).is_file());
    assert!(found, "{program} is missing; `make tools` installs it, and so does: apt-get install {package}");
}

/// A process of a test. What it prints goes to a file. It ends with the test.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; both its outputs go to `log`.
    #[track_caller]
    pub fn start(mut command: Command, log: PathBuf) -> Program {
        let out = File::options().create(true).append(true).open(&log).expect("a log can be made");
        let err = out.try_clone().expect("a log can be shared");
        command.stdin(Stdio::piped()).stdout(out).stderr(err);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} can't be started: {error}"));
        Program { input: child.stdin.take(), child, log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it printed.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its input is open");
        // A program that ended shows itself by what it didn't do.
        let _ = writeln!(input, "{line}").and_then(|()| input.flush());
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn await_log(&self, text: &str, limit: Duration) {
        if wait::within(limit, || self.log().contains(text).then_some(())).is_none() {
            panic!("in {limit:?} it did not print {text:?}, but:\n{}", self.log());
        }
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a process's number is small");
        // SAFETY: kill(2) takes two numbers. The child was not waited for, so that its number is still its own.
        unsafe { libc::kill(pid, signal) };
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let ended = wait::within(limit, || self.child.try_wait().ok().flatten());
        ended.unwrap_or_else(|| panic!("it did not end in {limit:?}; its log:\n{}", self.log()))
    }

    /// Ends it, at once if it doesn't heed.
    pub fn end(&mut self) {
        if self.is_running() {
            self.signal(libc::SIGTERM);
            if wait::within(seconds(2), || self.child.try_wait().ok().flatten()).is_none() {
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end, and returns what it printed to both outputs. The test fails if the command does.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed ({}):\n{text}", output.status);
    text
}
