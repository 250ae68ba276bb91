//! How good a leg's sound is likely to have been, from what was counted of it: the E-model (ITU-T G.107, Annex B) in the
//! simplified form for telephones (R. G. Cole and J. H. Rosenbluth, "Voice over IP performance monitoring", 2001).
//!
//! The scale is that of a narrow band, where 4.4 is the best that there is: what a wide band adds isn't counted, and its codecs
//! are taken to bear loss as G.711 does. Losses count as if they came singly.

use crate::media::command::Report;

/// The rating factor of a connection that has nothing but the usual noise (G.107 §7.7).
const BEST: f64 = 93.2;
/// A packet's time, and what a phone's buffer keeps at least, in milliseconds.
const PACKET_MS: f64 = 20.0;
const BUFFER_MS: f64 = 20.0;

/// On the scale of listeners, from 1 to 4.5; none where nothing went that way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Of what came from the peer, as it was when it came here.
    pub received: Option<f64>,
    /// Of what we sent, as the peer's RTCP says that it came there; none where it says nothing.
    pub sent: Option<f64>,
}

impl Quality {
    /// `codec` is what was agreed, as `PCMA/8000`.
    pub fn of(codec: &str, report: &Report) -> Quality {
        // Each way has half of the round trip.
        let way_ms = f64::from(report.round_trip_us.unwrap_or(0)) / 2_000.0;
        let judge = |arrived: u64, lost: u64, jitter_us: u32| {
            let expected = arrived + lost;
            let loss = lost as f64 / expected.max(1) as f64;
            (expected > 0).then(|| mos(rating(codec, loss, way_ms, f64::from(jitter_us) / 1_000.0)))
        };
        let received = judge(report.received_packets, report.lost_packets, report.jitter_us);
        let sent = report.remote_lost_packets.and_then(|lost| {
            let lost = u64::from(lost).min(report.sent_packets);
            judge(report.sent_packets - lost, lost, report.remote_jitter_us.unwrap_or(0))
        });
        Quality { received, sent }
    }
}

/// The rating factor R. `loss` is a share, `way_ms` the delay of the network, one way.
fn rating(codec: &str, loss: f64, way_ms: f64, jitter_ms: f64) -> f64 {
    // Late packets are waited for up to about twice the jitter.
    let delay = way_ms + PACKET_MS + BUFFER_MS.max(2.0 * jitter_ms);
    let impatience = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let (impairment, robustness) = codec_factors(codec);
    let percent = 100.0 * loss;
    BEST - impatience - impairment - (95.0 - impairment) * percent / (percent + robustness)
}

/// Ie and Bpl of a codec (G.113 Appendix I), with concealment of losses where it has any.
fn codec_factors(codec: &str) -> (f64, f64) {
    let name = codec.split('/').next().unwrap_or_default();
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match () {
        () if is("G729") => (11.0, 19.0),
        () if is("G723") => (15.0, 16.1),
        () if is("GSM") => (26.0, 43.0),
        () if is("GSM-EFR") || is("AMR") => (5.0, 10.0),
        () => (0.0, 25.1),
    }
}

/// What listeners would say of it (G.107 Annex B).
fn mos(rating: f64) -> f64 {
    match rating {
        ..0.0 => 1.0,
        100.0.. => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 0.01
    }

    /// G.107 Annex B, Table B.1.
    #[test]
    fn ratings_are_turned_into_opinions_as_the_table_has_them() {
        for (rating, opinion) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!(near(mos(rating), opinion), "{rating}: {}", mos(rating));
        }
        assert_eq!((mos(-3.0), mos(120.0)), (1.0, 4.5));
    }

    #[test]
    fn loss_and_delay_and_codecs_cost_what_they_should() {
        let clean = Report { received_packets: 1_000, ..Report::default() };
        let of = |codec: &str, report: &Report| Quality::of(codec, report).received.expect("something came");
        let best = of("PCMA/8000", &clean);
        assert!((4.35..4.42).contains(&best), "{best}");
        let lossy = Report { received_packets: 950, lost_packets: 50, ..clean };
        // Ie-eff = 95 * 5 / (5 + 25.1) = 15.8.
        assert!((3.8..3.95).contains(&of("PCMU/8000", &lossy)), "{}", of("PCMU/8000", &lossy));
        assert!(of("G729/8000", &clean) < best - 0.2 && of("G729/8000", &lossy) < of("PCMU/8000", &lossy));
        let far = Report { round_trip_us: Some(600_000), ..clean };
        assert!((3.4..3.8).contains(&of("PCMA/8000", &far)), "{}", of("PCMA/8000", &far));
        let unsteady = Report { jitter_us: 200_000, ..clean };
        assert!(of("PCMA/8000", &unsteady) < 3.7);
    }

    #[test]
    fn each_way_is_judged_by_what_is_known_of_it() {
        assert_eq!(Quality::of("PCMA/8000", &Report::default()), Quality { received: None, sent: None });
        let told = Report { sent_packets: 100, remote_lost_packets: Some(1_000_000), ..Report::default() };
        let quality = Quality::of("PCMA/8000", &told);
        assert_eq!(quality.received, None);
        assert!(quality.sent.is_some_and(|mos| (1.0..1.6).contains(&mos)), "all of it lost: {quality:?}");
    }
}
