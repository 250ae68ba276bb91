//! What is asked of DNS, and what it answers.

use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Question {
    /// Without the dot at the end.
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Naptr,
    Srv,
    A,
    Aaaa,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// RFC 3403 §4; names without the dot at the end.
    Naptr {
        order: u16,
        preference: u16,
        flags: String,
        services: String,
        regexp: String,
        replacement: String,
    },
    /// RFC 2782. The target is empty where the service is not offered.
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: String,
    },
    Address(IpAddr),
}

/// What DNS knows; no records where it knows that there are none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub records: Vec<Record>,
    pub ttl: Duration,
}
