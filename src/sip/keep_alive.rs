//! When to ask on a connection whether the peer is still there (RFC 5626 §4.4.1). Only peers that have answered once are
//! taken for gone when they don't: others may not know the question.

use crate::base::time::Time;
use std::time::Duration;

/// How long a peer that knows the question may take.
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Send a double CRLF.
    Ping,
    /// The connection leads nowhere.
    Dead,
}

#[derive(Clone, Debug)]
pub struct KeepAlive {
    interval: Duration,
    /// When to ask, or until when to be answered.
    due: Time,
    is_asked: bool,
    knows: bool,
}

impl KeepAlive {
    /// RFC 5626 §4.4.1 wants 80 to 100 % of 120 s, by chance, where the peer says nothing else.
    pub const LONGEST: Duration = Duration::from_secs(120);

    pub fn new(now: Time, interval: Duration) -> KeepAlive {
        KeepAlive { interval, due: now + interval, is_asked: false, knows: false }
    }

    /// Something came. `is_answer` where it can only be the answer to a ping.
    pub fn heard(&mut self, now: Time, is_answer: bool) {
        self.knows |= self.is_asked && is_answer;
        self.is_asked = false;
        self.due = now + self.interval;
    }

    pub fn handle_timeout(&mut self, now: Time) -> Option<Action> {
        if now < self.due {
            return None;
        }
        if self.is_asked && self.knows {
            return Some(Action::Dead);
        }
        self.is_asked = true;
        self.due = now + if self.knows { ANSWER } else { self.interval };
        Some(Action::Ping)
    }

    pub fn poll_timeout(&self) -> Time {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(100);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_peer_that_has_answered_before_is_dead_when_it_does_not() {
        let mut flow = KeepAlive::new(at(0), INTERVAL);
        assert_eq!(flow.handle_timeout(at(99)), None);
        assert_eq!(flow.handle_timeout(at(100)), Some(Action::Ping));
        flow.heard(at(101), true);
        assert_eq!(flow.poll_timeout(), at(201));
        assert_eq!(flow.handle_timeout(at(201)), Some(Action::Ping));
        assert_eq!(flow.handle_timeout(at(210)), None);
        assert_eq!(flow.handle_timeout(at(211)), Some(Action::Dead));
    }

    #[test]
    fn a_peer_that_never_answers_may_not_know_the_question() {
        let mut flow = KeepAlive::new(at(0), INTERVAL);
        for round in 1..10 {
            assert_eq!(flow.handle_timeout(at(100 * round)), Some(Action::Ping));
        }
        flow.heard(at(901), false);
        assert_eq!(flow.handle_timeout(at(1_001)), Some(Action::Ping));
        assert_eq!(flow.handle_timeout(at(1_101)), Some(Action::Ping));
    }

    #[test]
    fn a_busy_connection_is_not_asked() {
        let mut flow = KeepAlive::new(at(0), INTERVAL);
        for second in (0..1_000).step_by(50) {
            assert_eq!(flow.handle_timeout(at(second)), None);
            flow.heard(at(second), false);
        }
    }
}
