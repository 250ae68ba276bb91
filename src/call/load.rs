//! Overload, measured: how far the loop that drives this switch lags behind, and what is refused then (RFC 3261
//! §21.5.4). New calls go first, registrations and what else strangers ask later, requests inside dialogs never.
//!
//! The share that is refused grows with the lag, from nothing at its threshold to all at twice that, so that what is
//! taken is still served in time.

use crate::base::time::Time;
use crate::sip::agent::Shedding;
use std::time::Duration;

/// Over what time lags are averaged, so that one slow turn refuses nobody.
const MEMORY: Duration = Duration::from_millis(500);
/// A measure that is older says nothing: the loop had nothing to do since.
const STALE: Duration = Duration::from_secs(2);

/// So many times later it begins for those who are known: trunks, and phones that are registered. Strangers are what a flood
/// is made of.
const KNOWN: u32 = 4;

/// Where refusing begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadLimits {
    pub calls: Duration,
    pub registrations: Duration,
}

#[derive(Default)]
pub struct Load {
    lag: Duration,
    at: Time,
}

impl Load {
    /// How long something that arrives now would wait.
    pub fn measure(&mut self, now: Time, lag: Duration) {
        let elapsed = (now - self.at).min(MEMORY);
        self.at = now;
        // Minutes of lag are as bad as one.
        let lag = lag.min(Duration::from_secs(60)).as_micros();
        let (before, weight, whole) = (self.lag.as_micros(), elapsed.as_micros(), MEMORY.as_micros());
        let lag = (before * (whole - weight) + lag * weight) / whole;
        self.lag = Duration::from_micros(u64::try_from(lag).unwrap_or(u64::MAX));
    }

    /// `is_known` tells of whoever asks, and is asked where it matters.
    pub fn shedding(&self, now: Time, limits: LoadLimits, is_known: impl FnOnce() -> bool) -> Shedding {
        if now - self.at > STALE || self.lag <= limits.calls.min(limits.registrations) {
            return Shedding::default();
        }
        let times = if is_known() { KNOWN } else { 1 };
        let share = |threshold: Duration| self.share(threshold.saturating_mul(times));
        Shedding { calls: share(limits.calls), others: share(limits.registrations) }
    }

    /// In thousandths.
    fn share(&self, threshold: Duration) -> u64 {
        let (lag, threshold) = (self.lag.as_micros(), threshold.as_micros().max(1));
        u64::try_from(lag.saturating_sub(threshold).saturating_mul(1_000) / threshold).unwrap_or(1_000).min(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LoadLimits =
        LoadLimits { calls: Duration::from_millis(100), registrations: Duration::from_millis(400) };

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn shed_after(lags: &[u64]) -> (u64, u64) {
        let mut load = Load::default();
        let mut now = 10_000;
        for &lag in lags {
            now += 50;
            load.measure(at(now), Duration::from_millis(lag));
        }
        let shedding = load.shedding(at(now), LIMITS, || false);
        (shedding.calls, shedding.others)
    }

    #[test]
    fn one_slow_turn_refuses_nobody() {
        assert_eq!(shed_after(&[5; 20]), (0, 0));
        let mut lags = [5; 20];
        lags[19] = 800;
        assert_eq!(shed_after(&lags), (0, 0));
    }

    #[test]
    fn calls_go_first_and_registrations_later() {
        let (calls, others) = shed_after(&[150; 100]);
        assert!((450..=500).contains(&calls), "{calls}");
        assert_eq!(others, 0);
        assert_eq!(shed_after(&[399; 100]), (1_000, 0));
        let (calls, others) = shed_after(&[600; 100]);
        assert_eq!(calls, 1_000);
        assert!((450..=500).contains(&others), "{others}");
        assert_eq!(shed_after(&[100_000; 100]), (1_000, 1_000));
    }

    #[test]
    fn strangers_go_first() {
        let mut load = Load::default();
        for turn in 0..100 {
            load.measure(at(turn * 50), Duration::from_millis(390));
        }
        let calls = |is_known| load.shedding(at(5_000), LIMITS, || is_known).calls;
        assert_eq!((calls(false), calls(true)), (1_000, 0));
        for turn in 100..200 {
            load.measure(at(turn * 50), Duration::from_millis(600));
        }
        let calls = load.shedding(at(10_000), LIMITS, || true).calls;
        assert!((450..=500).contains(&calls), "{calls}");
    }

    #[test]
    fn it_is_over_soon_after_the_load_is() {
        let mut load = Load::default();
        for turn in 0..100 {
            load.measure(at(turn * 50), Duration::from_secs(1));
        }
        assert_eq!(load.shedding(at(5_000), LIMITS, || false).calls, 1_000);
        assert_eq!(load.shedding(at(8_000), LIMITS, || false), Shedding::default(), "nothing came since");
        for turn in 100..140 {
            load.measure(at(turn * 50), Duration::ZERO);
        }
        assert_eq!(load.shedding(at(7_000), LIMITS, || false), Shedding::default());
    }
}
