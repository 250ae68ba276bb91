//! The INVITE client transaction: RFC 3261 §17.1.1 with RFC 6026 §7.2.
//!
//! ```text
//!   Calling ─1xx─▶ Proceeding ─300-699─▶ Completed ─D─▶ over
//!      │               │ 2xx                ▲
//!      ├──────2xx──────┴──▶ Accepted ─M─▶ over
//!      └──────300-699──────────────────────┘      B, transport error: over
//! ```
//!
//! A user that waits for less than Timer B is told so when its patience is over. The transaction goes on until Timer B all
//! the same: a peer that has the INVITE, and whose answers were lost, answers the next one and can then be cancelled.

use super::timer::{Timer, Timing};
use super::{Effect, Effects};
use bytes::Bytes;
use smallvec::smallvec;
use std::time::Duration;

pub struct InviteClient {
    state: State,
    timing: Timing,
    reliable: bool,
    request: Bytes,
    /// What is left of Timer B when its user's own patience is over.
    rest: Option<Duration>,
    /// How long it may ring, where that was said before it did.
    limit: Option<Duration>,
}

enum State {
    Calling { pause: Duration },
    Proceeding,
    Completed { ack: Bytes },
    Accepted,
    Over,
}

impl InviteClient {
    /// After `patience` the user is told what 64*T1 (Timer B) would tell.
    pub fn start(
        request: Bytes,
        timing: Timing,
        reliable: bool,
        patience: Option<Duration>,
    ) -> (InviteClient, Effects) {
        let mut effects: Effects = smallvec![Effect::Send(request.clone())];
        if !reliable {
            effects.push(Effect::Start(Timer::A, timing.t1));
        }
        effects.push(Effect::Start(Timer::B, patience.unwrap_or(timing.lifetime())));
        let rest = patience.and_then(|patience| timing.lifetime().checked_sub(patience)).filter(|rest| !rest.is_zero());
        let state = State::Calling { pause: timing.t1 };
        (InviteClient { state, timing, reliable, request, rest, limit: None }, effects)
    }

    /// `ack` makes the ACK for a final answer other than 2xx (§17.1.1.3); it is asked once.
    pub fn response(&mut self, status: u16, ack: impl FnOnce() -> Bytes) -> Effects {
        match (&self.state, status) {
            (State::Calling { .. }, 100..=199) => {
                self.state = State::Proceeding;
                let patience = self.limit.map_or(Effect::Stop(Timer::B), |after| Effect::Start(Timer::B, after));
                smallvec![Effect::Stop(Timer::A), patience, Effect::Deliver]
            }
            (State::Proceeding, 100..=199) => smallvec![Effect::Deliver],
            (State::Calling { .. } | State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                // It is never sent again, and half a minute is long.
                self.request = Bytes::new();
                smallvec![
                    Effect::Stop(Timer::A),
                    Effect::Stop(Timer::B),
                    Effect::Start(Timer::M, self.timing.lifetime()),
                    Effect::Deliver,
                ]
            }
            (State::Accepted, 200..=299) => smallvec![Effect::Deliver],
            (State::Calling { .. } | State::Proceeding, 300..=699) => self.refused(ack()),
            (State::Completed { ack }, 300..=699) => smallvec![Effect::Send(ack.clone())],
            _ => Effects::new(),
        }
    }

    fn refused(&mut self, ack: Bytes) -> Effects {
        let mut effects: Effects =
            smallvec![Effect::Stop(Timer::A), Effect::Stop(Timer::B), Effect::Send(ack.clone()), Effect::Deliver];
        if self.reliable {
            self.state = State::Over;
            effects.push(Effect::Over);
        } else {
            self.state = State::Completed { ack };
            effects.push(Effect::Start(Timer::D, self.timing.d()));
        }
        effects
    }

    pub fn timer(&mut self, timer: Timer) -> Effects {
        match (&mut self.state, timer) {
            (State::Calling { pause }, Timer::A) => {
                // §17.1.1.2 knows no upper bound for A: Timer B ends it.
                *pause = pause.saturating_mul(2);
                smallvec![Effect::Send(self.request.clone()), Effect::Start(Timer::A, *pause)]
            }
            (State::Calling { .. }, Timer::B) if self.rest.is_some() => {
                let rest = self.rest.take().unwrap_or_default();
                smallvec![Effect::TimedOut, Effect::Start(Timer::B, rest)]
            }
            (State::Calling { .. } | State::Proceeding, Timer::B) => {
                self.state = State::Over;
                smallvec![Effect::TimedOut, Effect::Over]
            }
            (State::Completed { .. }, Timer::D) | (State::Accepted, Timer::M) => {
                self.state = State::Over;
                smallvec![Effect::Over]
            }
            _ => Effects::new(),
        }
    }

    /// A call that rings ends `after` that time as Timer B ends one that nobody answers: after a CANCEL (§9.1), or where
    /// its user doesn't wait for ever.
    pub fn limit(&mut self, after: Duration) -> Effects {
        self.limit = Some(after);
        match self.state {
            State::Proceeding => smallvec![Effect::Start(Timer::B, after)],
            _ => Effects::new(),
        }
    }

    /// Sends it once more, by another way; its time goes on.
    pub fn again(&mut self, request: Bytes, reliable: bool) -> Effects {
        let State::Calling { pause } = &mut self.state else { return Effects::new() };
        *pause = self.timing.t1;
        (self.request, self.reliable) = (request.clone(), reliable);
        let mut effects: Effects = smallvec![Effect::Send(request)];
        if !reliable {
            effects.push(Effect::Start(Timer::A, self.timing.t1));
        }
        effects
    }

    /// The transport could not deliver (§17.1.4). Once anything has answered, the peer is there and its final answer may
    /// still come another way.
    pub fn failed(&mut self) -> Effects {
        match self.state {
            State::Calling { .. } => {
                self.state = State::Over;
                smallvec![Effect::Failed, Effect::Over]
            }
            _ => Effects::new(),
        }
    }

    /// Whether nothing at all was answered yet.
    pub fn is_calling(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// Whether a provisional answer came and no final one, which is when CANCEL makes sense (§9.1).
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    pub fn request(&self) -> &Bytes {
        &self.request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: Duration = Duration::from_millis(500);

    fn invite() -> Bytes {
        Bytes::from_static(b"INVITE")
    }

    fn ack() -> Bytes {
        Bytes::from_static(b"ACK")
    }

    fn start(reliable: bool) -> (InviteClient, Effects) {
        InviteClient::start(invite(), Timing::default(), reliable, None)
    }

    #[test]
    fn it_doubles_until_timer_b() {
        let (mut machine, effects) = start(false);
        assert_eq!(
            effects.as_slice(),
            [Effect::Send(invite()), Effect::Start(Timer::A, T1), Effect::Start(Timer::B, T1 * 64)]
        );
        for factor in [2, 4, 8, 16, 32, 64] {
            let effects = machine.timer(Timer::A);
            assert_eq!(effects.as_slice(), [Effect::Send(invite()), Effect::Start(Timer::A, T1 * factor)]);
        }
        assert_eq!(machine.timer(Timer::B).as_slice(), [Effect::TimedOut, Effect::Over]);
        assert!(machine.response(200, ack).is_empty());
    }

    #[test]
    fn a_reliable_transport_repeats_nothing() {
        let (mut machine, effects) = start(true);
        assert_eq!(effects.as_slice(), [Effect::Send(invite()), Effect::Start(Timer::B, T1 * 64)]);
        let effects = machine.response(486, ack);
        assert_eq!(effects.last(), Some(&Effect::Over));
        assert!(effects.contains(&Effect::Send(ack())));
    }

    #[test]
    fn a_provisional_stops_both_timers() {
        let (mut machine, _) = start(false);
        let effects = machine.response(180, ack);
        assert_eq!(effects.as_slice(), [Effect::Stop(Timer::A), Effect::Stop(Timer::B), Effect::Deliver]);
        assert!(machine.is_proceeding());
        assert!(machine.timer(Timer::A).is_empty() && machine.failed().is_empty());
        assert_eq!(machine.response(183, ack).as_slice(), [Effect::Deliver]);
    }

    #[test]
    fn a_limit_ends_what_only_rings() {
        let (mut machine, _) = start(false);
        machine.response(180, ack);
        assert_eq!(machine.limit(T1).as_slice(), [Effect::Start(Timer::B, T1)]);
        assert_eq!(machine.timer(Timer::B).as_slice(), [Effect::TimedOut, Effect::Over]);
    }

    #[test]
    fn a_limit_that_was_set_before_the_ringing_holds_from_then_on() {
        let (mut machine, _) = start(false);
        assert!(machine.limit(T1).is_empty());
        assert!(machine.response(100, ack).contains(&Effect::Start(Timer::B, T1)));
        assert_eq!(machine.timer(Timer::B).as_slice(), [Effect::TimedOut, Effect::Over]);
    }

    #[test]
    fn a_refusal_is_acknowledged_each_time() {
        let (mut machine, _) = start(false);
        let effects = machine.response(404, ack);
        assert_eq!(
            effects[2..],
            [Effect::Send(ack()), Effect::Deliver, Effect::Start(Timer::D, Duration::from_secs(32))]
        );
        assert_eq!(machine.response(404, ack).as_slice(), [Effect::Send(ack())]);
        assert!(machine.response(200, ack).is_empty());
        assert_eq!(machine.timer(Timer::D).as_slice(), [Effect::Over]);
    }

    #[test]
    fn every_2xx_is_delivered_until_timer_m() {
        let (mut machine, _) = start(false);
        let effects = machine.response(200, ack);
        assert_eq!(effects[2..], [Effect::Start(Timer::M, T1 * 64), Effect::Deliver]);
        assert_eq!(machine.response(200, ack).as_slice(), [Effect::Deliver]);
        assert!(machine.response(486, ack).is_empty());
        assert_eq!(machine.timer(Timer::M).as_slice(), [Effect::Over]);
    }

    #[test]
    fn a_transport_error_ends_only_what_nobody_answered() {
        let (mut machine, _) = start(false);
        assert_eq!(machine.failed().as_slice(), [Effect::Failed, Effect::Over]);
        assert!(machine.failed().is_empty());
    }
}
