//! The record of one attempt to call (CDR): opened before anything rings, closed at the end.

use crate::base::time::Wall;
use crate::media::command::Report;
use std::net::SocketAddr;

#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// Ours, unique over restarts; what `tandem hangup` and `tandem explain` take.
    pub id: String,
    pub state: State,
    /// `user:alice`, `trunk:acme`, `anyone`.
    pub caller: String,
    /// The caller's number or address.
    pub from: String,
    /// As dialled, and as the rules saw it.
    pub dialled: String,
    pub number: String,
    /// The rule that matched.
    pub rule: Option<String>,
    pub started: Wall,
    pub ringing: Option<Wall>,
    pub answered: Option<Wall>,
    pub ended: Option<Wall>,
    /// From answer to end on the monotonic clock, in milliseconds; 0 for a call without an answer.
    pub talk_ms: u64,
    /// The caller's leg first, then each leg that was tried, in order.
    pub legs: Vec<LegRecord>,
    /// The final status that the caller was given.
    pub status: u16,
    pub ended_by: EndedBy,
    pub cause: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
    /// The process ended before the call did.
    CutOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    Nobody,
    Caller,
    Callee,
    Gateway,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LegRecord {
    /// `user:bob`, `trunk:acme`, `echo`.
    pub target: String,
    /// What was called there.
    pub number: String,
    /// The Call-ID of this leg.
    pub call_id: String,
    /// Where its signalling goes, such as `udp:192.0.2.1:5060`.
    pub address: String,
    pub started: Wall,
    pub ringing: Option<Wall>,
    pub answered: Option<Wall>,
    /// Its final answer; 0 where none came.
    pub status: u16,
    pub reason: String,
    /// What it sends and what it receives, as `PCMA/8000`.
    pub codec: Option<String>,
    /// What protects its sound, as `AES_CM_128_HMAC_SHA1_80`; none where it goes in clear.
    pub srtp: Option<String>,
    pub media: Option<Report>,
    /// Where its peer said that it wants its sound, and where we said that we want it.
    pub announced: Option<SocketAddr>,
    pub local: Option<SocketAddr>,
    /// When nothing was heard of it while the other side was heard.
    pub unheard: Vec<Unheard>,
    /// What went beside the sound: pictures, text, fax.
    pub streams: Vec<StreamRecord>,
    /// What this end calls the session, on whichever side of a gateway it is seen (RFC 7989).
    pub session_id: Option<String>,
    /// Who sent the call on to here and why: `user:bob, no-answer`.
    pub diverted: Option<String>,
}

/// A stretch of a call in which sound went one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unheard {
    /// From the answer to its beginning.
    pub after_ms: u64,
    /// None where it went on to the end.
    pub for_ms: Option<u64>,
    /// Whether anything was heard of this side since the answer.
    pub has_spoken: bool,
}

/// What was relayed of one kind.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StreamRecord {
    /// `video`, `text`, `image`.
    pub kind: String,
    /// `H264/90000`, `T38`; none where it was never agreed.
    pub codec: Option<String>,
    pub media: Report,
}
