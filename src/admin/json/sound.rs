//! How a leg sounds, as the API says it. Shares are in 0 to 1, opinions on the narrow-band scale of 1 to 4.5 (ITU-T G.107).

use crate::call::record::{CallRecord, Unheard};
use crate::call::view::Side;
use crate::media::command::{Report, VoipMetrics};
use crate::media::quality::{Density, Quality};
use serde_json::{Value, json};

/// With how good it is likely to have been.
pub fn sound(codec: &str, media: &Report) -> Value {
    let Quality { received, sent } = Quality::of(codec, media);
    let Density { burst, gap, burst_ms, gap_ms } = Density::of(media);
    let mut value = report(media);
    let more = json!({
        "mos_received": received.map(hundredths),
        "mos_sent": sent.map(hundredths),
        "bursts": media.bursts.count,
        "burst_density": hundredths(burst),
        "burst_ms": burst_ms.round() as u64,
        "gap_density": hundredths(gap),
        "gap_ms": gap_ms.round() as u64,
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

pub fn report(report: &Report) -> Value {
    json!({
        "received_packets": report.received_packets,
        "received_bytes": report.received_bytes,
        "sent_packets": report.sent_packets,
        "sent_bytes": report.sent_bytes,
        "lost_packets": report.lost_packets,
        "discarded_packets": report.discarded_packets,
        "jitter_us": report.jitter_us,
        "packet_ms": report.packet_ms,
        "round_trip_us": report.round_trip_us,
        "remote_lost_packets": report.remote_lost_packets,
        "remote_jitter_us": report.remote_jitter_us,
        "remote_voip": report.remote_voip.as_ref().map(remote),
        "dropped_packets": report.dropped_packets,
        "strangers": report.strangers,
        "stranger": report.stranger.map(|stranger| stranger.to_string()),
        "foreign_payloads": report.foreign_payloads,
        "unauthentic": report.unauthentic,
        "source": report.source.map(|source| source.to_string()),
    })
}

/// What the peer's own reports say of our sound there (RFC 3611 §4.7).
fn remote(metrics: &VoipMetrics) -> Value {
    let share = |fraction: u8| hundredths(f64::from(fraction) / 256.0);
    let mos = |tenths: Option<u8>| tenths.map(|tenths| f64::from(tenths) / 10.0);
    json!({
        "loss": share(metrics.loss),
        "discard": share(metrics.discard),
        "burst_density": share(metrics.burst_density),
        "burst_ms": metrics.burst_ms,
        "gap_density": share(metrics.gap_density),
        "gap_ms": metrics.gap_ms,
        "round_trip_ms": metrics.round_trip_ms,
        "end_system_ms": metrics.end_system_ms,
        "r_factor": metrics.r_factor,
        "mos_listening": mos(metrics.mos_listening),
        "mos_conversation": mos(metrics.mos_conversation),
    })
}

pub fn unheard(stretch: &Unheard) -> Value {
    json!({ "after_ms": stretch.after_ms, "for_ms": stretch.for_ms, "has_spoken": stretch.has_spoken })
}

/// That sound went one way only, in words; none where it never did. Of several stretches the first is told.
pub fn one_way_of(record: &CallRecord) -> Option<String> {
    let stretches = record.legs.iter().enumerate().flat_map(|(index, leg)| {
        let silent = if index == 0 { Side::Caller } else { Side::Callee };
        leg.unheard.iter().map(move |stretch| (silent, stretch))
    });
    let first = stretches.clone().min_by_key(|(_, stretch)| stretch.after_ms);
    let more = stretches.count().saturating_sub(1);
    first.map(|(silent, stretch)| match more {
        0 => one_way(silent, stretch),
        more => format!("{} (and {more} more)", one_way(silent, stretch)),
    })
}

/// `from the callee only, 3.2 s after the answer`
pub fn one_way(silent: Side, stretch: &Unheard) -> String {
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1e3);
    let heard = side(match silent {
        Side::Caller => Side::Callee,
        Side::Callee => Side::Caller,
    });
    let when = match stretch.has_spoken {
        true => format!("{} after the answer", seconds(stretch.after_ms)),
        false => "from the answer on".to_owned(),
    };
    let span = stretch.for_ms.map(|ms| format!(", for {}", seconds(ms))).unwrap_or_default();
    format!("from the {heard} only, {when}{span}")
}

pub fn side(side: Side) -> &'static str {
    match side {
        Side::Caller => "caller",
        Side::Callee => "callee",
    }
}

pub fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_sound_is_told_in_words() {
        let stretch = Unheard { after_ms: 3_240, for_ms: None, has_spoken: true };
        assert_eq!(one_way(Side::Caller, &stretch), "from the callee only, 3.2 s after the answer");
        let stretch = Unheard { after_ms: 12, for_ms: Some(7_000), has_spoken: false };
        assert_eq!(one_way(Side::Callee, &stretch), "from the caller only, from the answer on, for 7.0 s");
    }
}
