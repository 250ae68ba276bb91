//! How good a leg's sound is likely to have been, from what was counted of it: the E-model (ITU-T G.107, Annex B) in the
//! simplified form for telephones (R. G. Cole and J. H. Rosenbluth, "Voice over IP performance monitoring", 2001).
//!
//! The scale is that of a narrow band, where 4.4 is the best that there is: what a wide band adds isn't counted, and its codecs
//! are taken to bear loss as G.711 does. Losses that come in a row count for more, as the burst ratio says (G.107 §7.5).

use crate::media::command::{Report, VoipMetrics};

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

/// What a stream suffered on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Suffered {
    /// The share of packets that were of no use: lost, or too late to be played.
    missing: f64,
    /// How long stretches of those are beside what chance alone would make of them; at least 1 (G.107 §7.5).
    burst_ratio: f64,
    /// The delay of the network, one way.
    way_ms: f64,
    jitter_ms: f64,
}

impl Quality {
    /// `codec` is what was agreed, as `PCMA/8000`.
    pub fn of(codec: &str, report: &Report) -> Quality {
        let mos_of = |suffered: Suffered| mos(rating(codec, suffered, true));
        Quality { received: received(report).map(mos_of), sent: sent(report).map(mos_of) }
    }
}

/// What the peer's sound suffered until it was here; none where nothing came.
fn received(report: &Report) -> Option<Suffered> {
    let expected = report.received_packets + report.lost_packets;
    let missing = report.lost_packets + report.discarded_packets;
    let share = (missing as f64 / expected.max(1) as f64).min(1.0);
    // Stretches of losses that come by chance have a mean length of 1 / (1 - share).
    let run = if report.bursts.runs > 0 { missing as f64 / report.bursts.runs as f64 } else { 1.0 };
    (expected > 0).then(|| Suffered {
        missing: share,
        burst_ratio: (run * (1.0 - share)).max(1.0),
        way_ms: way_ms(report),
        jitter_ms: f64::from(report.jitter_us) / 1_000.0,
    })
}

/// What our sound suffered until it was there, as the peer says.
fn sent(report: &Report) -> Option<Suffered> {
    let lost = report.remote_lost_packets.map(|lost| u64::from(lost).min(report.sent_packets));
    let by_report = lost.map(|lost| lost as f64 / report.sent_packets.max(1) as f64);
    // Whoever sends these knows what came too late as well.
    let by_metrics = report.remote_voip.map(|voip| (f64::from(voip.loss) + f64::from(voip.discard)) / 256.0);
    (report.sent_packets > 0).then(|| by_metrics.or(by_report)).flatten().map(|missing| Suffered {
        missing: missing.min(1.0),
        burst_ratio: 1.0,
        way_ms: way_ms(report),
        jitter_ms: f64::from(report.remote_jitter_us.unwrap_or(0)) / 1_000.0,
    })
}

/// Each way has half of the round trip.
fn way_ms(report: &Report) -> f64 {
    f64::from(report.round_trip_us.unwrap_or(0)) / 2_000.0
}

/// How densely and how long losses and discards lie, from the sums of a report (RFC 3611 §4.7.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Density {
    /// Shares of the packets in bursts, and of those in gaps, that were of no use.
    pub burst: f64,
    pub gap: f64,
    /// Means; 0 without a burst.
    pub burst_ms: f64,
    pub gap_ms: f64,
}

impl Density {
    pub fn of(report: &Report) -> Density {
        let bursts = report.bursts;
        let expected = report.received_packets + report.lost_packets;
        let missing = report.lost_packets + report.discarded_packets;
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let packet_ms = f64::from(report.packet_ms.unwrap_or(PACKET_MS as u32));
        let gap_packets = expected.saturating_sub(bursts.packets);
        Density {
            burst: share(bursts.missing, bursts.packets),
            gap: share(missing.saturating_sub(bursts.missing), gap_packets).min(1.0),
            burst_ms: share(bursts.packets, bursts.count) * packet_ms,
            // A gap lies before each burst, and one after the last.
            gap_ms: share(gap_packets, bursts.count + 1) * packet_ms,
        }
    }
}

/// What we tell a peer of the sound of its stream `ssrc` (RFC 3611 §4.7); none where nothing came.
pub fn voip_metrics(codec: &str, ssrc: u32, report: &Report) -> Option<VoipMetrics> {
    let suffered = received(report)?;
    let expected = (report.received_packets + report.lost_packets).max(1);
    let share = |part: u64| fraction(part as f64 / expected as f64);
    let density = Density::of(report);
    let millis = |value: f64| value.min(f64::from(u16::MAX)) as u16;
    let tenths = |with_delay: bool| Some((10.0 * mos(rating(codec, suffered, with_delay))).round() as u8);
    Some(VoipMetrics {
        ssrc,
        loss: share(report.lost_packets),
        discard: share(report.discarded_packets),
        burst_density: fraction(density.burst),
        gap_density: fraction(density.gap),
        burst_ms: millis(density.burst_ms),
        gap_ms: millis(density.gap_ms),
        round_trip_ms: millis(2.0 * suffered.way_ms),
        // What is relayed waits nowhere, and what is transcoded is heard elsewhere.
        end_system_ms: 0,
        r_factor: Some(rating(codec, suffered, true).clamp(0.0, 100.0).round() as u8),
        mos_listening: tenths(false),
        mos_conversation: tenths(true),
    })
}

/// A share in 1/256, as reports have it.
fn fraction(share: f64) -> u8 {
    (share * 256.0).clamp(0.0, 255.0) as u8
}

/// The rating factor R: of a conversation, or without the delay that only spoils those.
fn rating(codec: &str, suffered: Suffered, with_delay: bool) -> f64 {
    // Late packets are waited for up to about twice the jitter.
    let delay = suffered.way_ms + PACKET_MS + BUFFER_MS.max(2.0 * suffered.jitter_ms);
    let impatience = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let impatience = if with_delay { impatience } else { 0.0 };
    let (impairment, robustness) = codec_factors(codec);
    let percent = 100.0 * suffered.missing;
    BEST - impatience
        - impairment
        - (95.0 - impairment) * percent / (percent / suffered.burst_ratio.max(1.0) + robustness)
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
    use crate::media::command::Bursts;

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
    fn losses_in_a_row_cost_more_than_those_by_chance() {
        let of = |bursts: Bursts| {
            let report = Report { received_packets: 900, lost_packets: 100, bursts, ..Report::default() };
            Quality::of("PCMA/8000", &report).received.unwrap()
        };
        let by_chance = of(Bursts { runs: 90, ..Bursts::default() });
        // Ten in a row are nine times as many as chance makes: 95 * 10 / (10 / 9 + 25.1) instead of 95 * 10 / (10 + 25.1).
        let in_rows = of(Bursts { runs: 10, ..Bursts::default() });
        assert!(near(by_chance, mos(BEST - 0.96 - 27.07)) && near(in_rows, mos(BEST - 0.96 - 36.25)), "{in_rows}");
    }

    #[test]
    fn what_comes_too_late_counts_as_lost_and_not_as_absent() {
        let report = Report { received_packets: 1_000, discarded_packets: 50, ..Report::default() };
        let lost = Report { received_packets: 950, lost_packets: 50, ..Report::default() };
        assert_eq!(Quality::of("PCMA", &report).received, Quality::of("PCMA", &lost).received);
    }

    #[test]
    fn density_is_of_bursts_and_of_what_lies_between_them() {
        let bursts = Bursts { runs: 9, count: 2, packets: 20, missing: 10 };
        let report =
            Report { received_packets: 988, lost_packets: 12, bursts, packet_ms: Some(30), ..Report::default() };
        let density = Density::of(&report);
        assert_eq!((density.burst, density.burst_ms), (0.5, 300.0));
        assert!(near(density.gap, 2.0 / 980.0) && near(density.gap_ms, 9_800.0), "{density:?}");
        let metrics = voip_metrics("PCMU/8000", 7, &report).unwrap();
        assert_eq!((metrics.ssrc, metrics.loss, metrics.burst_density, metrics.gap_density), (7, 3, 128, 0));
        assert_eq!(voip_metrics("PCMU/8000", 7, &Report::default()), None);
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
