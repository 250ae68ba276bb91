//! What the HTTP API asks of the running gateway. The loop answers each between two batches; a sender whose receiver has
//! gone is no error.

use crate::base::time::Wall;
use crate::call::room::Steering;
use crate::call::view::{CallView, Closed, RegistrationView, RoomView, TrunkView};
use crate::dialplan::route::Decision;
use std::time::Duration;
use tokio::sync::oneshot;

/// One question or order, with the place for its answer.
#[derive(Debug)]
pub enum Control {
    Calls {
        reply: oneshot::Sender<Vec<CallView>>,
    },
    /// Ends a call by the id of its record. Answers false where no such call is up.
    Hangup {
        id: String,
        reply: oneshot::Sender<bool>,
    },
    Rooms {
        reply: oneshot::Sender<Vec<RoomView>>,
    },
    /// Nothing where nobody is in such a room.
    Room {
        name: String,
        reply: oneshot::Sender<Option<RoomView>>,
    },
    /// Changes what a member hears and says. Answers the room as it is then; nothing where the call isn't in it.
    Steer {
        room: String,
        id: String,
        steering: Steering,
        reply: oneshot::Sender<Option<RoomView>>,
    },
    /// Has a room recorded, or no longer, and answers in the same way.
    RecordRoom {
        name: String,
        on: bool,
        reply: oneshot::Sender<Option<RoomView>>,
    },
    Trunks {
        reply: oneshot::Sender<Vec<TrunkView>>,
    },
    Registrations {
        reply: oneshot::Sender<Vec<RegistrationView>>,
    },
    /// Reads configuration and dialplan again, all or nothing. The error is every problem as `tandem check` prints it,
    /// and what ran before goes on.
    Reload {
        reply: oneshot::Sender<Result<ReloadReport, Vec<String>>>,
    },
    /// Takes no new calls from now on; the process ends after the last one, or after the drain's time limit.
    Drain {
        reply: oneshot::Sender<()>,
    },
    Status {
        reply: oneshot::Sender<Status>,
    },
    /// What would happen to this call. `from` is a user's name, `trunk:NAME`, or a stranger's number or address; `at` is
    /// now where it isn't given. The error is a sentence.
    Explain {
        from: String,
        to: String,
        at: Option<Wall>,
        reply: oneshot::Sender<Result<Decision, String>>,
    },
    /// A user of the store, or where their calls go, was changed, and is to be read again.
    UserChanged {
        name: String,
    },
}

/// What a reload changed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReloadReport {
    pub rules: usize,
    pub users: usize,
    pub trunks: usize,
    /// What the new configuration asks for and only a restart can do, a sentence each.
    pub after_restart: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub version: &'static str,
    pub started: Wall,
    pub uptime: Duration,
    /// Why no new call is taken; none while calls are.
    pub closed: Option<Closed>,
    pub calls: usize,
    pub max_calls: usize,
    pub registrations: usize,
    pub trunks_up: usize,
    pub trunks: usize,
    pub workers: usize,
    /// `udp:0.0.0.0:5060` and the like.
    pub listening: Vec<String>,
}
