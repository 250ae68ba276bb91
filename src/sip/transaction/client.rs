//! The client transaction of every method but INVITE: RFC 3261 §17.1.2.
//!
//! ```text
//!   Trying ─1xx─▶ Proceeding ─200-699─▶ Completed ─K─▶ over
//!      └──────────200-699──────────────────┘      F, transport error: over
//! ```

use super::timer::{Timer, Timing};
use super::{Effect, Effects};
use bytes::Bytes;
use smallvec::smallvec;
use std::time::Duration;

pub struct Client {
    state: State,
    timing: Timing,
    reliable: bool,
    request: Bytes,
}

#[derive(PartialEq)]
enum State {
    Trying { pause: Duration },
    Proceeding,
    Completed,
    Over,
}

impl Client {
    /// `patience` replaces the 64*T1 of Timer F.
    pub fn start(request: Bytes, timing: Timing, reliable: bool, patience: Option<Duration>) -> (Client, Effects) {
        let mut effects: Effects = smallvec![Effect::Send(request.clone())];
        if !reliable {
            effects.push(Effect::Start(Timer::E, timing.t1));
        }
        effects.push(Effect::Start(Timer::F, patience.unwrap_or(timing.lifetime())));
        (Client { state: State::Trying { pause: timing.t1 }, timing, reliable, request }, effects)
    }

    pub fn response(&mut self, status: u16) -> Effects {
        match (&self.state, status) {
            (State::Trying { .. } | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                smallvec![Effect::Deliver]
            }
            (State::Trying { .. } | State::Proceeding, 200..=699) => {
                let mut effects: Effects = smallvec![Effect::Stop(Timer::E), Effect::Stop(Timer::F), Effect::Deliver];
                if self.reliable {
                    self.state = State::Over;
                    effects.push(Effect::Over);
                } else {
                    self.state = State::Completed;
                    effects.push(Effect::Start(Timer::K, self.timing.t4));
                }
                effects
            }
            _ => Effects::new(),
        }
    }

    pub fn timer(&mut self, timer: Timer) -> Effects {
        match (&mut self.state, timer) {
            (State::Trying { pause }, Timer::E) => {
                *pause = self.timing.next(*pause);
                smallvec![Effect::Send(self.request.clone()), Effect::Start(Timer::E, *pause)]
            }
            (State::Proceeding, Timer::E) => {
                smallvec![Effect::Send(self.request.clone()), Effect::Start(Timer::E, self.timing.t2)]
            }
            (State::Trying { .. } | State::Proceeding, Timer::F) => {
                self.state = State::Over;
                smallvec![Effect::TimedOut, Effect::Over]
            }
            (State::Completed, Timer::K) => {
                self.state = State::Over;
                smallvec![Effect::Over]
            }
            _ => Effects::new(),
        }
    }

    /// Sends it once more, by another way; its time goes on.
    pub fn again(&mut self, request: Bytes, reliable: bool) -> Effects {
        let State::Trying { pause } = &mut self.state else { return Effects::new() };
        *pause = self.timing.t1;
        (self.request, self.reliable) = (request.clone(), reliable);
        let mut effects: Effects = smallvec![Effect::Send(request)];
        if !reliable {
            effects.push(Effect::Start(Timer::E, self.timing.t1));
        }
        effects
    }

    pub fn request(&self) -> &Bytes {
        &self.request
    }

    /// Whether nothing at all was answered yet.
    pub fn is_trying(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// The transport could not deliver (§17.1.4).
    pub fn failed(&mut self) -> Effects {
        match self.state {
            State::Trying { .. } => {
                self.state = State::Over;
                smallvec![Effect::Failed, Effect::Over]
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

    fn bye() -> Bytes {
        Bytes::from_static(b"BYE")
    }

    #[test]
    fn it_doubles_up_to_t2_until_timer_f() {
        let (mut machine, effects) = Client::start(bye(), Timing::default(), false, None);
        assert_eq!(
            effects.as_slice(),
            [Effect::Send(bye()), Effect::Start(Timer::E, T1), Effect::Start(Timer::F, T1 * 64)]
        );
        for pause in [T1 * 2, T1 * 4, T2, T2, T2] {
            let effects = machine.timer(Timer::E);
            assert_eq!(effects.as_slice(), [Effect::Send(bye()), Effect::Start(Timer::E, pause)]);
        }
        assert_eq!(machine.timer(Timer::F).as_slice(), [Effect::TimedOut, Effect::Over]);
    }

    #[test]
    fn after_a_provisional_it_repeats_each_t2() {
        let (mut machine, _) = Client::start(bye(), Timing::default(), false, None);
        assert_eq!(machine.response(100).as_slice(), [Effect::Deliver]);
        assert_eq!(machine.timer(Timer::E).as_slice(), [Effect::Send(bye()), Effect::Start(Timer::E, T2)]);
        assert!(machine.failed().is_empty());
        assert_eq!(machine.timer(Timer::F).as_slice(), [Effect::TimedOut, Effect::Over]);
    }

    #[test]
    fn an_answer_is_delivered_once() {
        let (mut machine, _) = Client::start(bye(), Timing::default(), false, None);
        let effects = machine.response(200);
        assert_eq!(effects[2..], [Effect::Deliver, Effect::Start(Timer::K, Duration::from_secs(5))]);
        assert!(machine.response(200).is_empty());
        assert_eq!(machine.timer(Timer::K).as_slice(), [Effect::Over]);
    }

    #[test]
    fn a_reliable_transport_repeats_nothing() {
        let (mut machine, effects) = Client::start(bye(), Timing::default(), true, Some(T2));
        assert_eq!(effects.as_slice(), [Effect::Send(bye()), Effect::Start(Timer::F, T2)]);
        assert_eq!(machine.response(481).last(), Some(&Effect::Over));
    }
}
