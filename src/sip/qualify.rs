//! Whether a peer is there, asked by OPTIONS (RFC 3261 §11). Pure: [`Qualify::poll_action`] says what to send, and the
//! caller brings back what came of it.

use crate::base::chance::Chance;
use crate::base::time::Time;
use crate::wire::sip::reason_phrase;
use std::time::Duration;

/// Requests in a row without a good answer after which a peer is down: one is lost now and then.
const PATIENCE: u32 = 2;
/// How soon it is asked again after the first of them.
const AGAIN: Duration = Duration::from_secs(2);
/// While a peer is down, intervals double up to this, or stay as they are where they are longer: it should be of use again
/// soon after it is back.
const SLOWEST: Duration = Duration::from_secs(120);
/// How soon peers are asked once the network is back.
const QUICK_MS: u64 = 2_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QualifyAction {
    /// Send OPTIONS. What comes of it comes back by [`Qualify::answered`] or [`Qualify::failed`].
    Options,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QualifyState {
    /// Not asked yet, or never: the interval is zero.
    Unknown,
    Up {
        since: Time,
    },
    Down {
        since: Time,
        why: String,
    },
}

pub struct Qualify {
    interval: Duration,
    state: QualifyState,
    phase: Phase,
    /// Requests in a row without a good answer.
    failures: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The interval is zero.
    Never,
    Resting {
        wake: Time,
    },
    /// The request waits to be polled.
    Due,
    InFlight,
}

impl Qualify {
    /// Asks every `interval`, give or take a tenth; never where it is zero. The first request comes within two seconds,
    /// at a moment of its own so that a start doesn't ask all peers at once.
    pub fn new(now: Time, interval: Duration, chance: &mut Chance) -> Qualify {
        let phase = match interval.is_zero() {
            true => Phase::Never,
            false => Phase::Resting { wake: soon(now, chance) },
        };
        Qualify { interval, state: QualifyState::Unknown, phase, failures: 0 }
    }

    pub fn state(&self) -> &QualifyState {
        &self.state
    }

    /// Whether calls may be sent there: not known to be down.
    pub fn is_usable(&self) -> bool {
        !matches!(self.state, QualifyState::Down { .. })
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        match self.phase {
            Phase::Resting { wake } => Some(wake),
            Phase::Never | Phase::Due | Phase::InFlight => None,
        }
    }

    pub fn handle_timeout(&mut self, now: Time) {
        if matches!(self.phase, Phase::Resting { wake } if wake <= now) {
            self.phase = Phase::Due;
        }
    }

    pub fn poll_action(&mut self) -> Option<QualifyAction> {
        if self.phase != Phase::Due {
            return None;
        }
        self.phase = Phase::InFlight;
        Some(QualifyAction::Options)
    }

    /// Takes the status of the answer. True where this changes whether the peer is usable.
    ///
    /// Who answers at all is there, even by 404 or 401; only 408 and the failures of a server (5xx) tell otherwise, except
    /// 501, which says that OPTIONS isn't known.
    pub fn answered(&mut self, now: Time, status: u16, chance: &mut Chance) -> bool {
        match status {
            _ if self.phase != Phase::InFlight || status < 200 => false,
            408 => self.bad(now, told(status), chance),
            501 | 200..=499 | 600.. => self.good(now, chance),
            _ => self.bad(now, told(status), chance),
        }
    }

    /// There is no answer, or the request could not be sent. True where this changes whether the peer is usable.
    pub fn failed(&mut self, now: Time, why: &str, chance: &mut Chance) -> bool {
        self.phase == Phase::InFlight && self.bad(now, why.to_owned(), chance)
    }

    /// The peer was heard by other means, such as a call from it or an answered registration.
    pub fn heard(&mut self, now: Time, chance: &mut Chance) -> bool {
        let waits = matches!(self.phase, Phase::Resting { .. });
        waits && self.good(now, chance)
    }

    /// The network was away and is back: ask soon.
    pub fn network_is_back(&mut self, now: Time, chance: &mut Chance) {
        if let Phase::Resting { wake } = &mut self.phase {
            *wake = (*wake).min(soon(now, chance));
        }
    }

    fn good(&mut self, now: Time, chance: &mut Chance) -> bool {
        let was_usable = self.is_usable();
        self.failures = 0;
        if !matches!(self.state, QualifyState::Up { .. }) {
            self.state = QualifyState::Up { since: now };
        }
        self.rest(now, self.interval, chance);
        !was_usable
    }

    fn bad(&mut self, now: Time, why: String, chance: &mut Chance) -> bool {
        let was_usable = self.is_usable();
        self.failures = self.failures.saturating_add(1);
        if self.failures < PATIENCE {
            self.rest(now, AGAIN.min(self.interval), chance);
            return false;
        }
        let since = match self.state {
            QualifyState::Down { since, .. } => since,
            QualifyState::Unknown | QualifyState::Up { .. } => now,
        };
        self.state = QualifyState::Down { since, why };
        let doubled = self.interval.saturating_mul(1 << (self.failures - PATIENCE).min(16));
        self.rest(now, doubled.min(SLOWEST.max(self.interval)), chance);
        was_usable
    }

    /// Waits 90 to 110 % of `span`.
    fn rest(&mut self, now: Time, span: Duration, chance: &mut Chance) {
        let wait = span.mul_f64(0.9 + chance.below(1_001) as f64 / 5_000.0);
        self.phase = Phase::Resting { wake: now + wait };
    }
}

fn told(status: u16) -> String {
    format!("{status} {}", reason_phrase(status))
}

fn soon(now: Time, chance: &mut Chance) -> Time {
    now + Duration::from_millis(chance.below(QUICK_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    struct Desk {
        qualify: Qualify,
        chance: Chance,
        now: Time,
    }

    impl Desk {
        fn new(seed: u64) -> Desk {
            let mut chance = Chance::from_number(seed);
            Desk { qualify: Qualify::new(Time::ZERO, INTERVAL, &mut chance), chance, now: Time::ZERO }
        }

        /// Lets time pass until the next request; returns how much.
        fn ask(&mut self) -> Duration {
            let wake = self.qualify.poll_timeout().unwrap();
            let waited = wake - self.now;
            self.now = wake;
            self.qualify.handle_timeout(wake);
            assert_eq!(self.qualify.poll_action(), Some(QualifyAction::Options));
            assert_eq!(self.qualify.poll_action(), None);
            waited
        }

        fn answer(&mut self, status: u16) -> bool {
            self.ask();
            self.qualify.answered(self.now, status, &mut self.chance)
        }

        fn fail(&mut self) -> bool {
            self.ask();
            self.qualify.failed(self.now, "no answer", &mut self.chance)
        }
    }

    #[test]
    fn who_answers_is_there() {
        for status in [200, 401, 404, 405, 486, 501, 603] {
            let mut desk = Desk::new(1);
            assert!(desk.ask() <= Duration::from_secs(2));
            assert!(!desk.qualify.answered(desk.now, 100, &mut desk.chance));
            assert_eq!(desk.qualify.state(), &QualifyState::Unknown);
            desk.qualify.answered(desk.now, status, &mut desk.chance);
            assert_eq!(desk.qualify.state(), &QualifyState::Up { since: desk.now }, "{status}");
        }
    }

    #[test]
    fn two_failures_in_a_row_are_down_and_one_answer_is_up() {
        for status in [408, 500, 503] {
            let mut desk = Desk::new(1);
            assert!(!desk.answer(200));
            assert!(!desk.answer(status));
            assert!(!desk.answer(200), "one is forgiven");
            assert!(!desk.fail());
            assert!(desk.answer(status));
            let down = desk.now;
            assert!(matches!(desk.qualify.state(), QualifyState::Down { since, .. } if *since == down));
            assert!(!desk.fail(), "and stays so since then");
            let state = QualifyState::Down { since: down, why: "no answer".to_owned() };
            assert_eq!(desk.qualify.state(), &state);
            assert!(desk.answer(200));
            assert!(desk.qualify.is_usable());
        }
    }

    #[test]
    fn a_peer_that_is_down_is_asked_less_and_less() {
        let mut desk = Desk::new(1);
        desk.fail();
        assert!(desk.ask() < Duration::from_secs(3), "the second request comes soon");
        desk.qualify.failed(desk.now, "no answer", &mut desk.chance);
        for factor in [1, 2, 4, 4] {
            let waited = desk.ask();
            assert!((27 * factor..=33 * factor).contains(&waited.as_secs()), "{factor}: {waited:?}");
            desk.qualify.failed(desk.now, "no answer", &mut desk.chance);
        }
        desk.qualify.network_is_back(desk.now, &mut desk.chance);
        assert!(desk.ask() <= Duration::from_secs(2));
    }

    #[test]
    fn a_peer_heard_by_other_means_is_up() {
        let mut desk = Desk::new(1);
        desk.fail();
        desk.fail();
        assert!(desk.qualify.heard(desk.now, &mut desk.chance));
        assert!(desk.qualify.is_usable());
        assert!(desk.ask() >= Duration::from_secs(27));
    }

    #[test]
    fn an_interval_of_zero_never_asks() {
        let mut chance = Chance::from_number(1);
        let mut qualify = Qualify::new(Time::ZERO, Duration::ZERO, &mut chance);
        qualify.handle_timeout(Time::from_millis(1_000_000));
        assert_eq!((qualify.poll_action(), qualify.poll_timeout()), (None, None));
        assert!(qualify.is_usable());
    }

    #[test]
    fn a_late_answer_changes_nothing() {
        let mut desk = Desk::new(1);
        desk.answer(200);
        assert!(!desk.qualify.answered(desk.now, 503, &mut desk.chance));
        assert!(!desk.qualify.failed(desk.now, "x", &mut desk.chance));
        assert_eq!(desk.qualify.failures, 0);
    }
}
