//! How calls sound, as histograms over the legs that are over. The only names that a label has are those of configured trunks,
//! and none for all other legs.

use super::{Keeper, raise, signed};
use crate::call::listening::EndedLeg;
use crate::media::command::Report;
use prometheus::{CounterVec, HistogramVec, IntCounter, IntCounterVec, IntGauge};

const MOS: [f64; 8] = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
const JITTER_S: [f64; 8] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
const SHARE: [f64; 8] = [0.0, 0.001, 0.005, 0.01, 0.03, 0.05, 0.1, 0.3];
const ROUND_TRIP_S: [f64; 8] = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0];
const POST_DIAL_S: [f64; 8] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// Sound that came from a peer, and sound that went to it as its RTCP says.
const DIRECTIONS: [&str; 2] = ["received", "sent"];

#[derive(Debug)]
pub struct Sound {
    one_way: IntGauge,
    one_way_total: IntCounter,
    mos: HistogramVec,
    jitter: HistogramVec,
    loss: HistogramVec,
    discard: HistogramVec,
    round_trip: HistogramVec,
    attempts: IntCounterVec,
    answered: IntCounterVec,
    talk: CounterVec,
    post_dial: HistogramVec,
}

impl Sound {
    pub fn new(kept: &Keeper<'_>) -> Sound {
        let both = ["direction", "trunk"];
        Sound {
            one_way: kept.gauge("tandem_calls_one_way", "Calls of which one side isn't heard now, while the other is"),
            one_way_total: kept
                .counter("tandem_calls_one_way_total", "Times that a call came to be heard one way only"),
            mos: kept.histograms(
                "tandem_leg_mos",
                "Mean opinion score of a leg at its end (ITU-T G.107, narrow band), by direction",
                &both,
                &MOS,
            ),
            jitter: kept.histograms("tandem_leg_jitter_seconds", "Jitter of a leg at its end", &both, &JITTER_S),
            loss: kept.histograms("tandem_leg_loss_ratio", "Share of a leg's packets that were lost", &both, &SHARE),
            discard: kept.histograms(
                "tandem_leg_discard_ratio",
                "Share of a leg's packets that came too late to be played",
                &both,
                &SHARE,
            ),
            round_trip: kept.histograms(
                "tandem_leg_round_trip_seconds",
                "Round trip of a leg as RTCP tells it",
                &["trunk"],
                &ROUND_TRIP_S,
            ),
            attempts: kept.counters("tandem_trunk_attempts_total", "Calls that we placed on a trunk", "trunk"),
            answered: kept.counters("tandem_trunk_answered_total", "Those of them that were answered", "trunk"),
            talk: kept.sums("tandem_trunk_talk_seconds_total", "For how long those were talked on", "trunk"),
            post_dial: kept.histograms(
                "tandem_trunk_post_dial_delay_seconds",
                "From our INVITE until a trunk rang or answered",
                &["trunk"],
                &POST_DIAL_S,
            ),
        }
    }

    pub fn set_one_way(&self, calls: usize, total: u64) {
        self.one_way.set(signed(calls as u64));
        raise(&self.one_way_total, total);
    }

    pub fn count_leg(&self, leg: &EndedLeg) {
        let trunk = leg.trunk.as_deref().unwrap_or_default();
        if let (Some(attempt), Some(trunk)) = (leg.attempt, leg.trunk.as_deref()) {
            self.attempts.with_label_values(&[trunk]).inc();
            self.answered.with_label_values(&[trunk]).inc_by(u64::from(attempt.is_answered));
            self.talk.with_label_values(&[trunk]).inc_by(attempt.talk_ms as f64 / 1e3);
            if let Some(ms) = attempt.post_dial_ms {
                self.post_dial.with_label_values(&[trunk]).observe(ms as f64 / 1e3);
            }
        }
        let Some((report, quality)) = &leg.sound else { return };
        let observe = |histogram: &HistogramVec, values: [Option<f64>; 2]| {
            for (direction, value) in DIRECTIONS.into_iter().zip(values) {
                value.into_iter().for_each(|value| histogram.with_label_values(&[direction, trunk]).observe(value));
            }
        };
        let seconds = |micros: u32| f64::from(micros) / 1e6;
        let here = Some(()).filter(|()| report.received_packets > 0);
        observe(&self.mos, [quality.received, quality.sent]);
        observe(&self.jitter, [here.map(|()| seconds(report.jitter_us)), report.remote_jitter_us.map(seconds)]);
        observe(&self.loss, [here.map(|()| lost(report)), remote_lost(report)]);
        let remote_discard = report.remote_voip.map(|voip| f64::from(voip.discard) / 256.0);
        let discarded = share(report.discarded_packets, report.received_packets);
        observe(&self.discard, [here.map(|()| discarded), remote_discard]);
        if let Some(round_trip) = report.round_trip_us {
            self.round_trip.with_label_values(&[trunk]).observe(seconds(round_trip));
        }
    }

    pub fn forget_trunk(&self, trunk: &str) {
        // One of which nothing was counted has nothing to forget.
        for histogram in [&self.mos, &self.jitter, &self.loss, &self.discard] {
            for direction in DIRECTIONS {
                let _ = histogram.remove_label_values(&[direction, trunk]);
            }
        }
        for histogram in [&self.round_trip, &self.post_dial] {
            let _ = histogram.remove_label_values(&[trunk]);
        }
        for counter in [&self.attempts, &self.answered] {
            let _ = counter.remove_label_values(&[trunk]);
        }
        let _ = self.talk.remove_label_values(&[trunk]);
    }
}

fn lost(report: &Report) -> f64 {
    share(report.lost_packets, report.received_packets + report.lost_packets)
}

fn remote_lost(report: &Report) -> Option<f64> {
    report.remote_lost_packets.map(|lost| share(u64::from(lost), report.sent_packets).min(1.0))
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use crate::admin::metrics::Metrics;
    use crate::call::listening::{Attempt, EndedLeg};
    use crate::media::command::{Quality, Report};

    #[test]
    fn legs_are_counted_by_trunk_and_direction() {
        let metrics = Metrics::new();
        let report =
            Report { received_packets: 95, lost_packets: 5, sent_packets: 100, jitter_us: 3_000, ..Report::default() };
        let sound =
            Some((Report { round_trip_us: Some(40_000), ..report }, Quality { received: Some(3.4), sent: None }));
        let attempt = Some(Attempt { is_answered: true, talk_ms: 2_500, post_dial_ms: Some(1_500) });
        metrics.count_leg(&EndedLeg { trunk: Some("acme".to_owned()), sound, attempt });
        metrics.count_leg(&EndedLeg { trunk: None, sound, attempt });
        metrics.set_one_way(1, 7);
        let text = metrics.text().unwrap();
        for line in [
            "tandem_calls_one_way 1",
            "tandem_calls_one_way_total 7",
            "tandem_leg_mos_bucket{direction=\"received\",trunk=\"acme\",le=\"3\"} 0",
            "tandem_leg_mos_bucket{direction=\"received\",trunk=\"acme\",le=\"3.5\"} 1",
            "tandem_leg_mos_count{direction=\"received\",trunk=\"\"} 1",
            "tandem_leg_loss_ratio_sum{direction=\"received\",trunk=\"acme\"} 0.05",
            "tandem_leg_jitter_seconds_sum{direction=\"received\",trunk=\"acme\"} 0.003",
            "tandem_leg_round_trip_seconds_sum{trunk=\"acme\"} 0.04",
            "tandem_trunk_attempts_total{trunk=\"acme\"} 1",
            "tandem_trunk_answered_total{trunk=\"acme\"} 1",
            "tandem_trunk_talk_seconds_total{trunk=\"acme\"} 2.5",
            "tandem_trunk_post_dial_delay_seconds_sum{trunk=\"acme\"} 1.5",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("direction=\"sent\""), "nothing is known of that");
        assert!(!text.contains("tandem_trunk_attempts_total{trunk=\"\"}"));
        metrics.forget_trunk("acme");
        assert!(!metrics.text().unwrap().contains("acme"));
    }
}
