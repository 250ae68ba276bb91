//! What a trunk's calls were like since the gateway started: how many were answered, how soon they rang, how long people
//! talked and how that sounded.

use crate::call::listening::EndedLeg;
use crate::media::command::Quality;

/// Sums over the legs that are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Calls that we placed there, and those of them that were answered.
    pub attempts: u64,
    pub answered: u64,
    talk_ms: u64,
    post_dial: Mean,
    received: Mean,
    sent: Mean,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: u64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}

/// Opinions are added up in thousandths.
const MOS_UNITS: f64 = 1_000.0;

impl Statistics {
    pub fn note(&mut self, leg: &EndedLeg) {
        if let Some(attempt) = leg.attempt {
            self.attempts += 1;
            self.answered += u64::from(attempt.is_answered);
            self.talk_ms += attempt.talk_ms;
            attempt.post_dial_ms.into_iter().for_each(|ms| self.post_dial.add(ms));
        }
        let Some((_, Quality { received, sent })) = leg.sound else { return };
        received.into_iter().for_each(|mos| self.received.add((mos * MOS_UNITS) as u64));
        sent.into_iter().for_each(|mos| self.sent.add((mos * MOS_UNITS) as u64));
    }

    /// The share of our calls that were answered (ITU-T E.411); none without one.
    pub fn answer_seizure_ratio(&self) -> Option<f64> {
        (self.attempts > 0).then(|| self.answered as f64 / self.attempts as f64)
    }

    /// The mean length of those that were answered, in seconds.
    pub fn mean_call_s(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.talk_ms as f64 / 1e3 / self.answered as f64)
    }

    /// The mean time until one rang or was answered.
    pub fn post_dial_ms(&self) -> Option<f64> {
        self.post_dial.value()
    }

    /// The mean opinion of what came from there, and of what went there, as far as its RTCP says.
    pub fn mos(&self) -> Quality {
        let mean = |mean: Mean| mean.value().map(|sum| sum / MOS_UNITS);
        Quality { received: mean(self.received), sent: mean(self.sent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::listening::Attempt;
    use crate::media::command::Report;

    #[test]
    fn means_are_of_what_is_known() {
        let mut statistics = Statistics::default();
        assert_eq!((statistics.answer_seizure_ratio(), statistics.mean_call_s()), (None, None));
        let leg = |attempt: Option<Attempt>, mos: Option<(f64, Option<f64>)>| EndedLeg {
            trunk: Some("acme".to_owned()),
            sound: mos.map(|(received, sent)| (Report::default(), Quality { received: Some(received), sent })),
            attempt,
        };
        let attempt = |is_answered, talk_ms, post_dial_ms| Some(Attempt { is_answered, talk_ms, post_dial_ms });
        statistics.note(&leg(attempt(true, 60_000, Some(2_000)), Some((4.0, None))));
        statistics.note(&leg(attempt(true, 20_000, Some(1_000)), Some((3.0, Some(2.0)))));
        statistics.note(&leg(attempt(false, 0, Some(3_000)), None));
        statistics.note(&leg(attempt(false, 0, None), None));
        // One that came from there is no attempt of ours.
        statistics.note(&leg(None, Some((2.0, Some(4.0)))));
        assert_eq!(statistics.answer_seizure_ratio(), Some(0.5));
        assert_eq!((statistics.mean_call_s(), statistics.post_dial_ms()), (Some(40.0), Some(2_000.0)));
        assert_eq!(statistics.mos(), Quality { received: Some(3.0), sent: Some(3.0) });
    }
}
