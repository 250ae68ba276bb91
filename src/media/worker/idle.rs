//! Pairs of sockets that no call uses: kept open for a while, since to make and close them costs more than all else that a
//! worker does for a short call.

use crate::base::time::Time;
use crate::media::worker::sockets::Pair;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// A pair that nobody has needed for so long is closed: somewhat longer than a number rests before its next turn.
const KEPT: Duration = Duration::from_secs(45);

/// To close a socket takes some microseconds.
const CLOSED_AT_ONCE: usize = 8;

#[derive(Default)]
pub struct Idle {
    pairs: HashMap<u16, (Time, Pair)>,
    /// The pair that has been idle longest first; some may be in use again.
    order: VecDeque<(Time, u16)>,
}

impl Idle {
    pub fn put(&mut self, now: Time, pair: Pair) {
        self.order.push_back((now, pair.number));
        self.pairs.insert(pair.number, (now, pair));
    }

    pub fn take(&mut self, number: u16) -> Option<Pair> {
        self.pairs.remove(&number).map(|(_, pair)| pair)
    }

    pub fn get(&self, number: u16) -> Option<&Pair> {
        self.pairs.get(&number).map(|(_, pair)| pair)
    }

    /// Closes all of them, each after `before`, and tells whether there were any.
    pub fn close_all(&mut self, mut before: impl FnMut(&Pair)) -> bool {
        self.order.clear();
        let some = !self.pairs.is_empty();
        self.pairs.values().for_each(|(_, pair)| before(pair));
        self.pairs.clear();
        some
    }

    /// When there may be pairs to close.
    pub fn next_due(&self) -> Time {
        self.order.front().map_or(Time::NEVER, |&(since, _)| since + KEPT)
    }

    /// Closes a few that are due, each after `before`: packets have their turn before the next ones.
    pub fn close_old(&mut self, now: Time, mut before: impl FnMut(&Pair)) {
        for _ in 0..CLOSED_AT_ONCE {
            let Some(&(since, number)) = self.order.front().filter(|(since, _)| now - *since >= KEPT) else { return };
            self.order.pop_front();
            if let Some((_, pair)) = self.pairs.get(&number).filter(|(at, _)| *at == since) {
                before(pair);
                self.pairs.remove(&number);
            }
        }
    }
}
