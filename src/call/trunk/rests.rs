//! Addresses of a trunk that failed, and are left alone for a while.

use crate::base::chance::Chance;
use crate::base::time::Time;
use crate::sip::flow::Flow;
use std::collections::HashMap;
use std::time::Duration;

/// The rest of an address that says 503 without a time. Some carriers say so of one number only, so that it is short.
const SHORT: Duration = Duration::from_secs(10);
/// The first rest of an address that is silent, doubled with each failure that follows, up to the longest.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);
/// A server may ask for more than our own longest rest, and not for ever.
const RETRY_AFTER: Duration = Duration::from_secs(3_600);
/// Failures are forgotten when so long has passed since the last rest.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Addresses whose failures are remembered; a trunk with more begins anew.
const REMEMBERED: usize = 256;

/// How an address failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No answer, or its connection broke.
    Silent,
    /// 503. With Retry-After nothing is sent there until then (RFC 3261 §21.5.4).
    Busy { retry_after: Option<Duration> },
}

impl Fault {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Fault::Silent => "no answer",
            Fault::Busy { retry_after: None } => "busy (503)",
            Fault::Busy { retry_after: Some(_) } => "busy (503), and says for how long",
        }
    }
}

#[derive(Clone, Default)]
pub struct Rests(HashMap<Flow, Rest>);

#[derive(Clone)]
struct Rest {
    until: Time,
    failures: u32,
    fault: Fault,
}

impl Rests {
    /// Takes note of a failure. Rests are drawn, so that those who failed together aren't tried again together.
    pub fn failed(&mut self, now: Time, way: Flow, fault: Fault, chance: &mut Chance) {
        self.0.retain(|_, rest| rest.until + FORGOTTEN > now);
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let rest = self.0.entry(way).or_insert(Rest { until: now, failures: 0, fault });
        // Calls that were under way together fail together, which counts as once.
        if rest.until <= now {
            rest.failures = rest.failures.saturating_add(1);
        }
        let doubled = FIRST.saturating_mul(1 << (rest.failures.saturating_sub(1)).min(8)).min(LONGEST);
        let drawn = 0.8 + chance.below(401) as f64 / 1_000.0;
        let span = match fault {
            Fault::Busy { retry_after: Some(asked) } => asked.min(RETRY_AFTER),
            Fault::Busy { retry_after: None } => SHORT.mul_f64(drawn),
            Fault::Silent => doubled.mul_f64(drawn),
        };
        rest.until = rest.until.max(now + span);
        // What the server asked for isn't outweighed by a request that was under way.
        if !matches!(rest.fault, Fault::Busy { retry_after: Some(_) }) || rest.until <= now {
            rest.fault = fault;
        }
    }

    /// It has answered. Who said by 503 that it is busy may well answer OPTIONS, so that only a call that it takes shows
    /// otherwise (`took`); and a time that it asked for itself is kept.
    pub fn answered(&mut self, way: Flow, took: bool) {
        let over = |rest: &Rest| match rest.fault {
            Fault::Silent => true,
            Fault::Busy { retry_after } => took && retry_after.is_none(),
        };
        if self.0.get(&way).is_some_and(over) {
            self.0.remove(&way);
        }
    }

    /// Until when it is left alone, if it is.
    pub fn until(&self, now: Time, way: Flow) -> Option<Time> {
        self.0.get(&way).map(|rest| rest.until).filter(|&until| until > now)
    }

    pub fn fault(&self, way: Flow) -> Option<Fault> {
        self.0.get(&way).map(|rest| rest.fault)
    }

    /// Ways that may be tried: those that don't rest in their order, and then, as a last resort, those that do, the next
    /// to end its rest first. A server that said when to come back isn't asked before.
    pub fn sort(&self, now: Time, mut ways: Vec<Flow>) -> Vec<Flow> {
        let asked = |way: &Flow| matches!(self.fault(*way), Some(Fault::Busy { retry_after: Some(_) }));
        ways.retain(|way| self.until(now, *way).is_none() || !asked(way));
        ways.sort_by_key(|way| self.until(now, *way).unwrap_or(Time::ZERO));
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::flow::Transport;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn way(last: u8) -> Flow {
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow { transport: Transport::Udp, local, remote: ([198, 51, 100, last], 5060).into() }
    }

    const BUSY: Fault = Fault::Busy { retry_after: None };

    fn busy_for(seconds: u64) -> Fault {
        Fault::Busy { retry_after: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn rests_grow_with_each_failure_and_have_an_end() {
        let (mut rests, mut chance) = (Rests::default(), Chance::from_number(1));
        let mut now = at(100);
        for most in [36, 72, 144, 288, 576, 720, 720, 720] {
            rests.failed(now, way(1), Fault::Silent, &mut chance);
            rests.failed(now, way(1), BUSY, &mut chance);
            let until = rests.until(now, way(1)).unwrap();
            assert!(
                (until - now).as_secs() <= most && (until - now).as_secs() >= most / 2,
                "{most}: {:?}",
                until - now
            );
            now = until;
            assert_eq!(rests.until(now, way(1)), None);
        }
        now += Duration::from_secs(601);
        rests.failed(now, way(1), Fault::Silent, &mut chance);
        assert!(rests.until(now + Duration::from_secs(37), way(1)).is_none(), "the past is forgotten");
    }

    #[test]
    fn who_rests_comes_last_and_who_asked_for_time_has_it() {
        let (mut rests, mut chance) = (Rests::default(), Chance::from_number(1));
        let all = vec![way(1), way(2), way(3), way(4)];
        rests.failed(at(0), way(1), Fault::Silent, &mut chance);
        rests.failed(at(5), way(2), busy_for(1_000), &mut chance);
        rests.failed(at(0), way(3), Fault::Silent, &mut chance);
        let sorted = rests.sort(at(6), all.clone());
        assert_eq!((sorted[0], sorted.len()), (way(4), 3));
        rests.answered(way(2), true);
        rests.answered(way(1), false);
        assert_eq!(rests.sort(at(6), all.clone()), [way(1), way(4), way(3)]);
        assert_eq!(rests.sort(at(1_005), all), [way(1), way(2), way(3), way(4)]);
    }

    #[test]
    fn a_busy_server_that_answers_options_is_still_busy() {
        let (mut rests, mut chance) = (Rests::default(), Chance::from_number(1));
        rests.failed(at(0), way(1), BUSY, &mut chance);
        rests.answered(way(1), false);
        assert!(rests.until(at(1), way(1)).is_some() && rests.until(at(12), way(1)).is_none());
        rests.answered(way(1), true);
        assert!(rests.until(at(1), way(1)).is_none());
    }

    #[test]
    fn nobody_is_kept_out_for_ever() {
        let (mut rests, mut chance) = (Rests::default(), Chance::from_number(1));
        rests.failed(at(0), way(1), busy_for(u64::from(u32::MAX)), &mut chance);
        assert_eq!(rests.until(at(0), way(1)), Some(at(3_600)));
        for port in 1..2_000 {
            let mut way = way(2);
            way.remote.set_port(port);
            rests.failed(at(0), way, BUSY, &mut chance);
        }
        assert!(rests.0.len() <= REMEMBERED);
    }
}
