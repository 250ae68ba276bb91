//! What waits to be written to one connection, between the loop that fills it and the task that empties it. Its length is
//! counted in bytes. A peer that leaves more unread than that is cut off for good, so that it knows as well.

use crate::base::time::Time;
use crate::sip::agent::ClientId;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A whole exchange's goodbyes to a trunk of thousands of calls.
const MOST_BYTES: usize = 8 << 20;
/// Of all connections together. Beyond it, each still has its [`SHARE`].
const MOST_BYTES_OF_ALL: usize = 64 << 20;
const SHARE: usize = 256 << 10;

/// Bytes that wait on all connections.
pub type Waiting = Arc<AtomicUsize>;

#[derive(Clone)]
pub struct Line(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    wake: Notify,
    all: Waiting,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    /// Nothing more is taken, and what waits is written.
    is_ending: bool,
    /// Nothing more is written.
    is_closed: bool,
    /// The connection stands, or stood.
    is_open: bool,
    /// The requests that went by it within the time in which they may stay without any answer.
    requests: VecDeque<(Time, ClientId)>,
}

impl Line {
    pub fn new(all: &Waiting) -> Line {
        Line(Arc::new(Inner { state: Mutex::default(), wake: Notify::new(), all: Arc::clone(all) }))
    }

    /// Has a message written, unless the connection is closed.
    pub fn push(&self, bytes: Bytes) -> bool {
        let mut state = self.state();
        let held = state.bytes + bytes.len();
        let is_long = held > MOST_BYTES || held > SHARE && self.0.all.load(Ordering::Relaxed) > MOST_BYTES_OF_ALL;
        if is_long {
            self.finish(&mut state);
        }
        if state.is_closed || state.is_ending {
            return false;
        }
        state.bytes = held;
        self.0.all.fetch_add(bytes.len(), Ordering::Relaxed);
        state.waiting.push_back(bytes);
        drop(state);
        self.0.wake.notify_one();
        true
    }

    /// The same for a request, which is told of should the connection be lost within `lifetime`.
    pub fn push_request(&self, bytes: Bytes, id: ClientId, now: Time, lifetime: Duration) -> bool {
        if !self.push(bytes) {
            return false;
        }
        let requests = &mut self.state().requests;
        while requests.front().is_some_and(|&(at, _)| now - at > lifetime) {
            requests.pop_front();
        }
        requests.push_back((now, id));
        true
    }

    /// The requests that may be lost with the connection, once, and whether it ever stood.
    pub fn take_requests(&self) -> (Vec<ClientId>, bool) {
        let mut state = self.state();
        (state.requests.drain(..).map(|(_, id)| id).collect(), state.is_open)
    }

    pub fn opened(&self) {
        self.state().is_open = true;
    }

    /// Closes the connection once all that waits is written.
    pub fn hang_up(&self) {
        self.state().is_ending = true;
        self.0.wake.notify_one();
    }

    /// Closes the connection at once.
    pub fn close(&self) {
        self.finish(&mut self.state());
    }

    pub fn is_closed(&self) -> bool {
        let state = self.state();
        state.is_closed || state.is_ending
    }

    pub fn is(&self, other: &Line) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The next message to write; none once the connection is to be closed.
    pub async fn next(&self) -> Option<Bytes> {
        self.some(|state| state.waiting.pop_front().map(|bytes| (bytes.len(), bytes))).await
    }

    /// All that waits; none once the connection is to be closed.
    pub async fn all(&self) -> Option<VecDeque<Bytes>> {
        let all = |state: &mut State| (state.bytes, std::mem::take(&mut state.waiting));
        self.some(|state| Some(all(state)).filter(|(_, all)| !all.is_empty())).await
    }

    /// Waits for what `take` takes, with its length in bytes.
    async fn some<T>(&self, take: impl Fn(&mut State) -> Option<(usize, T)>) -> Option<T> {
        loop {
            {
                let mut state = self.state();
                if state.is_closed {
                    return None;
                }
                if let Some((bytes, taken)) = take(&mut state) {
                    state.bytes -= bytes;
                    self.0.all.fetch_sub(bytes, Ordering::Relaxed);
                    return Some(taken);
                }
                if state.is_ending {
                    return None;
                }
            }
            // A wake that comes between the look and the wait is kept.
            self.0.wake.notified().await;
        }
    }

    fn finish(&self, state: &mut State) {
        state.is_closed = true;
        state.waiting.clear();
        self.0.all.fetch_sub(std::mem::take(&mut state.bytes), Ordering::Relaxed);
        self.0.wake.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::new(&Waiting::default())
    }

    #[tokio::test]
    async fn a_burst_waits_in_its_order_and_is_written_before_the_end() {
        let line = line();
        for number in 0..10_000u32 {
            assert!(line.push(Bytes::from(number.to_string())));
        }
        line.hang_up();
        assert!(!line.push(Bytes::from_static(b"late")));
        assert_eq!(line.next().await.unwrap(), "0");
        let rest = line.all().await.unwrap();
        assert_eq!((rest.len(), &rest[9_998][..]), (9_999, &b"9999"[..]));
        assert_eq!(line.all().await, None);
        assert_eq!(line.0.all.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_cut_off() {
        let line = line();
        let message = Bytes::from(vec![b'x'; 1 << 20]);
        assert_eq!((0..10).filter(|_| line.push(message.clone())).count(), 8);
        assert!(line.is_closed());
        assert_eq!((line.next().await, line.0.all.load(Ordering::Relaxed)), (None, 0));
    }

    #[test]
    fn all_together_have_a_limit_and_each_has_its_share() {
        let all = Waiting::default();
        let lines: Vec<Line> = (0..20).map(|_| Line::new(&all)).collect();
        let message = Bytes::from(vec![b'x'; 4 << 20]);
        assert_eq!(lines.iter().filter(|line| line.push(message.clone())).count(), 17);
        let fresh = Line::new(&all);
        assert!(fresh.push(Bytes::from(vec![b'x'; SHARE])) && !fresh.push(Bytes::from_static(b"x")));
    }
}
