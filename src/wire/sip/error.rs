//! What can be wrong with a message, from "not SIP at all" to one value in it.

use super::Name;
use std::fmt;

/// The bytes hold no message that could be answered or matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Nothing but line ends, as keep-alives are (RFC 5626 §4.4.1).
    Empty,
    /// The first line is neither a request line nor a status line.
    NotSip,
    /// A status line whose code isn't of 100 to 699.
    Status,
    /// A bound of [`super::Limits`] is exceeded, named here.
    TooLarge(&'static str),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::Empty => f.write_str("empty message"),
            ParseError::NotSip => f.write_str("the first line is neither a SIP request nor a SIP response"),
            ParseError::Status => f.write_str("the status code is not of 100 to 699"),
            ParseError::TooLarge(what) => write!(f, "{what} exceeds its limit"),
        }
    }
}

impl std::error::Error for ParseError {}

/// A text that isn't the value which it should be; says in which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

impl Malformed {
    pub(super) fn within(self, name: Name) -> HeaderError {
        HeaderError { name, what: self.0 }
    }
}

/// A header field that is missing or whose value can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderError {
    pub name: Name,
    pub what: &'static str,
}

impl HeaderError {
    pub(super) fn missing(name: Name) -> HeaderError {
        HeaderError { name, what: "missing" }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

impl std::error::Error for HeaderError {}
