//! The INVITE server transaction: RFC 3261 §17.2.1 with RFC 6026 §7.1.
//!
//! ```text
//!   Proceeding ─300-699─▶ Completed ─ACK─▶ Confirmed ─I─▶ over
//!       │ 2xx                 └─H─▶ over (no ACK came)
//!       └──▶ Accepted ─L─▶ over
//! ```

use super::timer::{Timer, Timing};
use super::{Effect, Effects};
use bytes::Bytes;
use smallvec::smallvec;
use std::time::Duration;

pub struct InviteServer {
    state: State,
    timing: Timing,
    reliable: bool,
}

enum State {
    Proceeding { last: Option<Bytes> },
    Completed { last: Bytes, pause: Duration },
    Confirmed,
    Accepted,
    Over,
}

impl InviteServer {
    pub fn new(timing: Timing, reliable: bool) -> InviteServer {
        InviteServer { state: State::Proceeding { last: None }, timing, reliable }
    }

    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Proceeding { last: None })
    }

    /// The INVITE came again.
    pub fn request(&mut self) -> Effects {
        match &self.state {
            State::Proceeding { last: Some(last) } | State::Completed { last, .. } => {
                smallvec![Effect::Send(last.clone())]
            }
            _ => Effects::new(),
        }
    }

    /// An answer of the user's. After a 2xx the user repeats it by this until the ACK comes (§13.3.1.4).
    pub fn respond(&mut self, status: u16, response: Bytes) -> Effects {
        match (&self.state, status) {
            (State::Proceeding { .. }, 100..=199) => {
                self.state = State::Proceeding { last: Some(response.clone()) };
                smallvec![Effect::Send(response)]
            }
            (State::Proceeding { .. }, 200..=299) => {
                self.state = State::Accepted;
                smallvec![Effect::Send(response), Effect::Start(Timer::L, self.timing.lifetime())]
            }
            (State::Accepted, 200..=299) => smallvec![Effect::Send(response)],
            (State::Proceeding { .. }, 300..=699) => {
                self.state = State::Completed { last: response.clone(), pause: self.timing.t1 };
                let mut effects: Effects = smallvec![Effect::Send(response)];
                if !self.reliable {
                    effects.push(Effect::Start(Timer::G, self.timing.t1));
                }
                effects.push(Effect::Start(Timer::H, self.timing.lifetime()));
                effects
            }
            _ => Effects::new(),
        }
    }

    /// An ACK that matches the INVITE.
    pub fn ack(&mut self) -> Effects {
        match self.state {
            State::Completed { .. } if self.reliable => {
                self.state = State::Over;
                smallvec![Effect::Over]
            }
            State::Completed { .. } => {
                self.state = State::Confirmed;
                smallvec![Effect::Stop(Timer::G), Effect::Stop(Timer::H), Effect::Start(Timer::I, self.timing.t4)]
            }
            State::Accepted => smallvec![Effect::Deliver],
            _ => Effects::new(),
        }
    }

    pub fn timer(&mut self, timer: Timer) -> Effects {
        match (&mut self.state, timer) {
            (State::Completed { last, pause }, Timer::G) => {
                *pause = self.timing.next(*pause);
                smallvec![Effect::Send(last.clone()), Effect::Start(Timer::G, *pause)]
            }
            // The last copy of the INVITE was sent just before that, and may take as long as any message does.
            (State::Completed { .. }, Timer::H) if !self.reliable => {
                self.state = State::Confirmed;
                smallvec![Effect::Stop(Timer::G), Effect::Start(Timer::I, self.timing.t4)]
            }
            (State::Completed { .. }, Timer::H) | (State::Confirmed, Timer::I) | (State::Accepted, Timer::L) => {
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

    const T1: Duration = Duration::from_millis(500);
    const T2: Duration = Duration::from_secs(4);

    fn answer(status: u16) -> Bytes {
        Bytes::from(status.to_string())
    }

    #[test]
    fn the_last_provisional_answers_a_retransmission() {
        let mut machine = InviteServer::new(Timing::default(), false);
        assert!(machine.request().is_empty());
        machine.respond(100, answer(100));
        machine.respond(180, answer(180));
        assert_eq!(machine.request().as_slice(), [Effect::Send(answer(180))]);
    }

    #[test]
    fn a_refusal_doubles_up_to_t2_until_timer_h() {
        let mut machine = InviteServer::new(Timing::default(), false);
        let effects = machine.respond(486, answer(486));
        assert_eq!(
            effects.as_slice(),
            [Effect::Send(answer(486)), Effect::Start(Timer::G, T1), Effect::Start(Timer::H, T1 * 64)]
        );
        for pause in [T1 * 2, T1 * 4, T2, T2] {
            let effects = machine.timer(Timer::G);
            assert_eq!(effects.as_slice(), [Effect::Send(answer(486)), Effect::Start(Timer::G, pause)]);
        }
        assert_eq!(machine.request().as_slice(), [Effect::Send(answer(486))]);
        let absorbs = Effect::Start(Timer::I, Duration::from_secs(5));
        assert_eq!(machine.timer(Timer::H).as_slice(), [Effect::Stop(Timer::G), absorbs]);
        assert!(machine.request().is_empty(), "a copy that was long on its way");
        assert_eq!(machine.timer(Timer::I).as_slice(), [Effect::Over]);
    }

    #[test]
    fn an_ack_ends_a_refusal_and_further_ones_are_absorbed() {
        let mut machine = InviteServer::new(Timing::default(), false);
        machine.respond(486, answer(486));
        assert_eq!(machine.ack().last(), Some(&Effect::Start(Timer::I, Duration::from_secs(5))));
        assert!(machine.ack().is_empty() && machine.request().is_empty());
        assert_eq!(machine.timer(Timer::I).as_slice(), [Effect::Over]);
    }

    #[test]
    fn an_accepted_invite_absorbs_retransmissions_until_timer_l() {
        let mut machine = InviteServer::new(Timing::default(), false);
        let effects = machine.respond(200, answer(200));
        assert_eq!(effects.as_slice(), [Effect::Send(answer(200)), Effect::Start(Timer::L, T1 * 64)]);
        assert!(machine.request().is_empty());
        assert_eq!(machine.respond(200, answer(200)).as_slice(), [Effect::Send(answer(200))]);
        assert!(machine.respond(486, answer(486)).is_empty());
        assert_eq!(machine.ack().as_slice(), [Effect::Deliver]);
        assert_eq!(machine.timer(Timer::L).as_slice(), [Effect::Over]);
    }

    #[test]
    fn a_reliable_transport_ends_with_the_ack() {
        let mut machine = InviteServer::new(Timing::default(), true);
        let effects = machine.respond(404, answer(404));
        assert_eq!(effects.as_slice(), [Effect::Send(answer(404)), Effect::Start(Timer::H, T1 * 64)]);
        assert_eq!(machine.ack().as_slice(), [Effect::Over]);
    }
}
