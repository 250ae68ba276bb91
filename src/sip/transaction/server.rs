//! The server transaction of every method but INVITE: RFC 3261 §17.2.2.
//!
//! ```text
//!   Trying ─1xx─▶ Proceeding ─200-699─▶ Completed ─J─▶ over
//!      └──────────200-699──────────────────┘
//! ```

use super::timer::{Timer, Timing};
use super::{Effect, Effects};
use bytes::Bytes;
use smallvec::smallvec;

pub struct Server {
    state: State,
    timing: Timing,
    reliable: bool,
}

enum State {
    Trying,
    Proceeding { last: Bytes },
    Completed { last: Bytes },
    Over,
}

impl Server {
    pub fn start(timing: Timing, reliable: bool) -> (Server, Effects) {
        let effects = smallvec![Effect::Start(Timer::Unanswered, timing.lifetime())];
        (Server { state: State::Trying, timing, reliable }, effects)
    }

    /// The request came again.
    pub fn request(&mut self) -> Effects {
        match &self.state {
            State::Proceeding { last } | State::Completed { last } => smallvec![Effect::Send(last.clone())],
            _ => Effects::new(),
        }
    }

    pub fn respond(&mut self, status: u16, response: Bytes) -> Effects {
        match (&self.state, status) {
            (State::Trying | State::Proceeding { .. }, 100..=199) => {
                self.state = State::Proceeding { last: response.clone() };
                smallvec![Effect::Send(response)]
            }
            (State::Trying | State::Proceeding { .. }, 200..=699) => {
                let mut effects: Effects = smallvec![Effect::Stop(Timer::Unanswered), Effect::Send(response.clone())];
                if self.reliable {
                    self.state = State::Over;
                    effects.push(Effect::Over);
                } else {
                    self.state = State::Completed { last: response };
                    effects.push(Effect::Start(Timer::J, self.timing.lifetime()));
                }
                effects
            }
            _ => Effects::new(),
        }
    }

    pub fn timer(&mut self, timer: Timer) -> Effects {
        match (&self.state, timer) {
            (State::Completed { .. }, Timer::J) | (State::Trying | State::Proceeding { .. }, Timer::Unanswered) => {
                self.state = State::Over;
                smallvec![Effect::Over]
            }
            _ => Effects::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIFETIME: Duration = Duration::from_secs(32);

    fn answer(status: u16) -> Bytes {
        Bytes::from(status.to_string())
    }

    #[test]
    fn the_last_answer_answers_a_retransmission() {
        let (mut machine, effects) = Server::start(Timing::default(), false);
        assert_eq!(effects.as_slice(), [Effect::Start(Timer::Unanswered, LIFETIME)]);
        assert!(machine.request().is_empty());
        machine.respond(100, answer(100));
        assert_eq!(machine.request().as_slice(), [Effect::Send(answer(100))]);
        let effects = machine.respond(200, answer(200));
        assert_eq!(effects[1..], [Effect::Send(answer(200)), Effect::Start(Timer::J, LIFETIME)]);
        assert_eq!(machine.request().as_slice(), [Effect::Send(answer(200))]);
        assert!(machine.respond(404, answer(404)).is_empty());
        assert_eq!(machine.timer(Timer::J).as_slice(), [Effect::Over]);
    }

    #[test]
    fn a_reliable_transport_keeps_nothing() {
        let (mut machine, _) = Server::start(Timing::default(), true);
        assert_eq!(machine.respond(200, answer(200)).last(), Some(&Effect::Over));
    }

    #[test]
    fn an_owner_that_never_answers_leaves_nothing_behind() {
        let (mut machine, _) = Server::start(Timing::default(), false);
        assert_eq!(machine.timer(Timer::Unanswered).as_slice(), [Effect::Over]);
    }
}
