//! What machines leave for the world: bytes, deadlines, events.

use crate::base::time::{Now, Time};
use crate::base::timers::Timers;
use crate::sip::agent::{Event, SessionId};
use crate::sip::flow::{Flow, Kind, Transmit};
use crate::sip::session::SessionTimer;
use crate::sip::transaction::TransactionTimer;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Every timer of an agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum TimerKey {
    Transaction(TransactionTimer),
    Session(SessionId, SessionTimer),
}

#[derive(Default)]
pub(crate) struct Outbox {
    /// The time of the input that is being handled.
    pub now: Now,
    pub timers: Timers<TimerKey>,
    pub transmits: VecDeque<Transmit>,
    pub events: VecDeque<Event>,
}

impl Outbox {
    pub fn send(&mut self, flow: Flow, bytes: Bytes, kind: Kind) {
        if !bytes.is_empty() {
            self.transmits.push_back(Transmit { flow, bytes, kind });
        }
    }

    pub fn start(&mut self, key: TimerKey, after: Duration) {
        let at = self.now.time + after;
        // A deadline past the end of the clock never comes.
        if at != Time::NEVER {
            self.timers.set(key, at);
        }
    }

    pub fn stop(&mut self, key: TimerKey) {
        self.timers.cancel(key);
    }
}
