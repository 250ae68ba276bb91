//! How a verb ends.

use std::fmt;
use tandem::config::problem::Problem;
use tandem::shell::error::ShellError;

pub enum Answer {
    Yes,
    No,
}

/// The question could not be asked. A line each: what is wrong, and the mend.
pub struct Failure {
    pub lines: Vec<String>,
}

pub type Outcome = Result<Answer, Failure>;

impl Failure {
    pub fn new(line: impl fmt::Display) -> Failure {
        Failure { lines: vec![line.to_string()] }
    }

    /// A name that is kept for what isn't there yet.
    pub fn later(what: &str) -> Failure {
        Failure::new(format_args!("{what} comes with a later release"))
    }
}

impl From<ShellError> for Failure {
    fn from(error: ShellError) -> Failure {
        Failure::new(error)
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Failure {
        Failure { lines: problems.iter().map(ToString::to_string).collect() }
    }
}
