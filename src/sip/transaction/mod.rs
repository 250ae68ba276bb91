//! The four transactions of RFC 3261 §17, with the Accepted states of RFC 6026.
//!
//! ```text
//!   request of ours ── Client ── bytes ──▶ peer ── bytes ──▶ Server ── request to its user
//!                        ▲                                      │
//!   response to its user ┘ ◀──────────────── bytes ─────────────┘ response of its user
//! ```
//!
//! Each machine turns one input into [`Effects`]; the tables [`Clients`] and [`Servers`] match messages with machines and
//! carry the effects out.

mod client;
mod clients;
mod dismissed;
mod invite_client;
mod invite_server;
mod key;
mod large;
mod server;
mod servers;
pub mod timer;

pub use client::Client;
pub(crate) use clients::Lost;
pub use clients::{ClientId, Clients, Course};
pub(crate) use dismissed::Dismissed;
pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use key::{ClientKey, ServerKey};
pub use server::Server;
pub use servers::{Arrival, Asked, ServerTxId, Servers};

use bytes::Bytes;
use smallvec::SmallVec;
use std::time::Duration;
use timer::Timer;

/// What a machine wants done, in order.
pub type Effects = SmallVec<[Effect; 4]>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    Send(Bytes),
    Start(Timer, Duration),
    Stop(Timer),
    /// The message that came is new and the user's.
    Deliver,
    /// No answer came in time; the user is told.
    TimedOut,
    /// The message could not be sent; the user is told.
    Failed,
    /// The transaction is terminated and goes.
    Over,
}

/// One row of a table: which transaction, which timer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TransactionTimer {
    Client(ClientId, Timer),
    Server(ServerTxId, Timer),
}
