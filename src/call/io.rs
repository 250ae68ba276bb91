//! What the call floor takes from the world and gives to it. The shell carries each item out; a simulator does the same.

use crate::call::account::forwarding::Forwarding;
use crate::call::account::{Account, Accounts};
use crate::call::letter::{PostNews, PostOrder};
use crate::call::record::CallRecord;
use crate::call::room::Steering;
use crate::call::tape::Reel;
use crate::config::settings::Settings;
use crate::dialplan::plan::Plan;
use crate::media::command::{Clip, Command, Event, Prices};
use crate::sip::agent::ClientId;
use crate::sip::flow::{Flow, Transmit};
use crate::sip::locate::{Located, Target};
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub enum Input {
    /// A datagram, or one message of a stream.
    Received {
        flow: Flow,
        bytes: Bytes,
    },
    /// A connection is gone, or couldn't be made.
    FlowFailed {
        flow: Flow,
    },
    /// A request of ours can't have arrived: it couldn't be sent, or its connection, which `was_open`, is gone.
    Unsent {
        id: ClientId,
        was_open: bool,
    },
    /// A host has said that nobody listens where a datagram of ours went; this is how it began.
    Returned {
        beginning: Bytes,
    },
    /// The answer to `Output::Locate`: where to send, with our own address on each way.
    Located {
        ticket: Ticket,
        result: Result<Located<Flow>, String>,
    },
    /// The answer to `Output::Load`.
    Loaded {
        ticket: Ticket,
        result: Result<Arc<Clip>, String>,
    },
    /// The answer to `Output::Keep`.
    Kept {
        ticket: Ticket,
        result: Result<(), String>,
    },
    Media(Event),
    /// A worker's ring is full: the order was not taken.
    MediaRefused(Command),
    Timeout,
    /// How long something that arrives now waits for its turn, as the loop measures itself.
    Load {
        lag: Duration,
    },
    /// How much of each second a media worker is busy, and how late it comes to what is due.
    MediaLoad {
        worker: usize,
        busy: Duration,
        late: Duration,
    },
    /// What media costs on this processor.
    MediaPrices(Prices),
    Accounts(Arc<Accounts>),
    /// One user was added or changed; without an account there is no such user any more.
    User {
        name: String,
        account: Option<Box<Account>>,
    },
    Reload {
        settings: Arc<Settings>,
        plan: Arc<Plan>,
    },
    /// Ends a call by its record's id.
    HangUp {
        id: String,
    },
    /// Changes what a member of a conference room hears and says, by the id of its call's record.
    Steer {
        id: String,
        steering: Steering,
    },
    /// Has a conference room recorded, or no longer.
    RecordRoom {
        room: String,
        on: bool,
    },
    /// No new calls from now on; at `SIGTERM`.
    Drain,
    /// Ends all calls, at the end of a drain.
    EndAll,
    /// What the store says of the letters that it keeps.
    Post(PostNews),
    /// Whether records can be kept; without a reason calls are taken.
    RecordsFailing {
        why: Option<String>,
    },
}

#[derive(Debug)]
pub enum Output {
    Send(Transmit),
    Media {
        worker: usize,
        command: Command,
    },
    /// To be kept before any later `Send` goes out.
    Record(Box<CallRecord>),
    /// Find the servers of a host (RFC 3263).
    Locate {
        ticket: Ticket,
        target: Target,
    },
    /// Read a sound file of the prompts folder.
    Load {
        ticket: Ticket,
        file: String,
    },
    /// Write down where a user's calls go.
    Keep {
        ticket: Ticket,
        user: String,
        forwarding: Box<Forwarding>,
    },
    /// Sound to be written to a file.
    Tape(Reel),
    /// No more is written to the files of this folder.
    EndTape {
        folder: String,
    },
    /// Letters to be kept, read or forgotten, in the order of these.
    Post(PostOrder),
    Notice(Notice),
}

/// Names a question to the world, so that its answer finds who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What an operator may want to read in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Registered {
        user: String,
        contact: String,
        flow: Flow,
    },
    Unregistered {
        user: String,
        contact: String,
    },
    Denied {
        user: Option<String>,
        flow: Flow,
        what: &'static str,
    },
    CallStarted {
        id: String,
        caller: String,
        dialled: String,
    },
    CallAnswered {
        id: String,
        target: String,
    },
    CallEnded {
        id: String,
        status: u16,
        cause: String,
    },
    /// One side of a call isn't heard, and the other is.
    OneWay {
        id: String,
        /// `caller` or `callee`.
        silent: &'static str,
        for_ms: u64,
        /// Whether it was heard since the answer.
        has_spoken: bool,
    },
    /// Both sides are heard again.
    BothWays {
        id: String,
    },
    TrunkChanged {
        trunk: String,
        state: String,
    },
    Malformed {
        flow: Flow,
        why: String,
    },
    /// An account or an address has to wait before its credentials are judged again.
    Guessing {
        account: String,
        source: IpAddr,
    },
}
