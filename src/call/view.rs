//! What a running gateway shows of its calls, trunks and phones: copies for people, taken at one moment.

use crate::base::time::Wall;
use crate::call::record::Unheard;
pub use crate::call::trunk::statistics::Statistics;
use crate::media::command::Report;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// The record's id, which `tandem hangup` takes.
    pub id: String,
    /// `user:alice`, `trunk:acme`, `anyone`.
    pub caller: String,
    /// The caller's number or address.
    pub from: String,
    /// As dialled, and as the rules saw it.
    pub dialled: String,
    pub number: String,
    /// Where the call goes, or is being tried: `user:bob`, `trunk:acme`, `echo`; none while it is being routed.
    pub target: Option<String>,
    pub phase: Phase,
    pub started: Wall,
    pub answered: Option<Wall>,
    /// What each side sends and receives, as `PCMA/8000`.
    pub caller_codec: Option<String>,
    pub callee_codec: Option<String>,
    /// What went through each side as sound, some seconds ago; none before the first of it is told.
    pub caller_sound: Option<Report>,
    pub callee_sound: Option<Report>,
    /// The side that isn't heard while the other is.
    pub one_way: Option<(Side, Unheard)>,
}

/// A side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Caller,
    Callee,
}

/// A conference room in which somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomView {
    pub name: String,
    pub since: Wall,
    /// The media worker that it is on.
    pub worker: usize,
    /// The folder of its recording, under that of all recordings.
    pub recording: Option<String>,
    /// Those who came first, first.
    pub members: Vec<MemberView>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its call's record.
    pub id: String,
    /// `user:alice`, `trunk:acme`, `anyone`.
    pub who: String,
    /// Its number or address.
    pub from: String,
    pub since: Wall,
    /// Whether the others hear it now.
    pub talks: bool,
    /// How loud it is, against the loudest that there is: 0 to -127, which is silence.
    pub level_db: i16,
    pub muted: bool,
    pub deaf: bool,
    pub gain_db: i8,
    /// Frames of 10 ms that it sent and that weren't here when their turn came.
    pub missing_frames: u64,
}

/// Why no new call is taken, whoever calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    Draining,
    /// Their records couldn't be kept.
    NoRecords,
    /// As many are up as may be.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Routing,
    Ringing,
    Talking,
    Ending,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Routing => "routing",
            Phase::Ringing => "ringing",
            Phase::Talking => "talking",
            Phase::Ending => "ending",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkView {
    pub name: String,
    pub host: String,
    /// Whether a call would be sent there now.
    pub up: bool,
    /// In words, such as `registered`, `known by its address`, `waiting: 403 Forbidden`.
    pub state: String,
    /// Where calls go, those of the best rank first.
    pub addresses: Vec<AddressView>,
    /// Whether the last look-up of its name failed; what was found before may still be in use.
    pub lookup_failing: bool,
    /// None for a trunk that we don't register with, or aren't registered with now.
    pub registered_until: Option<Wall>,
    pub calls: usize,
    /// None for no limit.
    pub max_calls: Option<usize>,
    /// The last answer to our REGISTER, OPTIONS or INVITE, such as `200 OK`, and when it came.
    pub last_answer: Option<String>,
    pub last_answer_at: Option<Wall>,
    pub statistics: Statistics,
}

/// One address of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressView {
    /// Such as `udp:192.0.2.1:5060`.
    pub address: String,
    /// For how long it is left alone, and why; none where it is in use.
    pub out_for_s: Option<u64>,
    pub why: Option<&'static str>,
}

/// One contact of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationView {
    pub user: String,
    /// The URI as registered.
    pub contact: String,
    /// Where its requests come from, such as `udp:192.0.2.1:5060`.
    pub address: String,
    pub expires_in_s: u64,
    pub user_agent: String,
}
