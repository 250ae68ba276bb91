//! A call's record as the journal and the store keep it: JSON with times in microseconds since 1970 (UTC).

use crate::base::time::Wall;
use crate::call::record::{CallRecord, EndedBy, LegRecord, State, StreamRecord, Unheard};
use crate::media::command::{Bursts, Report, VoipMetrics};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::SocketAddr;

#[derive(Serialize, Deserialize)]
pub struct RecordDocument<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    caller: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    dialled: Cow<'a, str>,
    #[serde(borrow)]
    number: Cow<'a, str>,
    #[serde(borrow)]
    rule: Option<Cow<'a, str>>,
    started: i64,
    ringing: Option<i64>,
    answered: Option<i64>,
    ended: Option<i64>,
    talk_ms: u64,
    #[serde(borrow)]
    legs: Vec<LegDocument<'a>>,
    status: u16,
    #[serde(borrow)]
    ended_by: Cow<'a, str>,
    #[serde(borrow)]
    cause: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
pub struct LegDocument<'a> {
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow)]
    number: Cow<'a, str>,
    #[serde(borrow)]
    call_id: Cow<'a, str>,
    #[serde(borrow)]
    address: Cow<'a, str>,
    started: i64,
    ringing: Option<i64>,
    answered: Option<i64>,
    status: u16,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    codec: Option<Cow<'a, str>>,
    media: Option<ReportDocument>,
    #[serde(default)]
    announced: Option<SocketAddr>,
    #[serde(default)]
    local: Option<SocketAddr>,
    #[serde(default)]
    unheard: Vec<UnheardDocument>,
    #[serde(default, borrow)]
    streams: Vec<StreamDocument<'a>>,
    #[serde(default, borrow)]
    session_id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    srtp: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    diverted: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct StreamDocument<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    codec: Option<Cow<'a, str>>,
    media: ReportDocument,
}

#[derive(Serialize, Deserialize)]
struct UnheardDocument {
    after_ms: u64,
    for_ms: Option<u64>,
    has_spoken: bool,
}

/// Of the peer's own report (RFC 3611 §4.7); the stream that it is about is known.
#[derive(Serialize, Deserialize)]
struct VoipDocument {
    loss: u8,
    discard: u8,
    burst_density: u8,
    gap_density: u8,
    burst_ms: u16,
    gap_ms: u16,
    round_trip_ms: u16,
    end_system_ms: u16,
    r_factor: Option<u8>,
    mos_listening: Option<u8>,
    mos_conversation: Option<u8>,
}

/// What stands for itself in records of earlier versions is absent there.
#[derive(Serialize, Deserialize)]
struct ReportDocument {
    received_packets: u64,
    received_bytes: u64,
    sent_packets: u64,
    sent_bytes: u64,
    lost_packets: u64,
    jitter_us: u32,
    round_trip_us: Option<u32>,
    remote_lost_packets: Option<u32>,
    remote_jitter_us: Option<u32>,
    #[serde(default)]
    remote_voip: Option<VoipDocument>,
    #[serde(default)]
    discarded_packets: u64,
    /// Runs, bursts, their packets, and how many of those were missing.
    #[serde(default)]
    bursts: [u64; 4],
    #[serde(default)]
    packet_ms: Option<u32>,
    dropped_packets: u64,
    #[serde(default)]
    strangers: u64,
    #[serde(default)]
    stranger: Option<SocketAddr>,
    #[serde(default)]
    foreign_payloads: u64,
    #[serde(default)]
    unauthentic: u64,
    source: Option<SocketAddr>,
}

impl<'a> From<&'a CallRecord> for RecordDocument<'a> {
    fn from(record: &'a CallRecord) -> RecordDocument<'a> {
        RecordDocument {
            id: Cow::from(&record.id),
            state: Cow::from(state_text(record.state)),
            caller: Cow::from(&record.caller),
            from: Cow::from(&record.from),
            dialled: Cow::from(&record.dialled),
            number: Cow::from(&record.number),
            rule: record.rule.as_deref().map(Cow::from),
            started: record.started.micros(),
            ringing: record.ringing.map(Wall::micros),
            answered: record.answered.map(Wall::micros),
            ended: record.ended.map(Wall::micros),
            talk_ms: record.talk_ms,
            legs: record.legs.iter().map(LegDocument::from).collect(),
            status: record.status,
            ended_by: Cow::from(ended_by_text(record.ended_by)),
            cause: Cow::from(&record.cause),
        }
    }
}

impl From<RecordDocument<'_>> for CallRecord {
    fn from(document: RecordDocument<'_>) -> CallRecord {
        CallRecord {
            id: document.id.into_owned(),
            state: state_from(&document.state),
            caller: document.caller.into_owned(),
            from: document.from.into_owned(),
            dialled: document.dialled.into_owned(),
            number: document.number.into_owned(),
            rule: document.rule.map(Cow::into_owned),
            started: Wall::from_micros(document.started),
            ringing: document.ringing.map(Wall::from_micros),
            answered: document.answered.map(Wall::from_micros),
            ended: document.ended.map(Wall::from_micros),
            talk_ms: document.talk_ms,
            legs: document.legs.into_iter().map(LegRecord::from).collect(),
            status: document.status,
            ended_by: ended_by_from(&document.ended_by),
            cause: document.cause.into_owned(),
        }
    }
}

impl<'a> From<&'a LegRecord> for LegDocument<'a> {
    fn from(leg: &'a LegRecord) -> LegDocument<'a> {
        LegDocument {
            target: Cow::from(&leg.target),
            number: Cow::from(&leg.number),
            call_id: Cow::from(&leg.call_id),
            address: Cow::from(&leg.address),
            started: leg.started.micros(),
            ringing: leg.ringing.map(Wall::micros),
            answered: leg.answered.map(Wall::micros),
            status: leg.status,
            reason: Cow::from(&leg.reason),
            codec: leg.codec.as_deref().map(Cow::from),
            media: leg.media.as_ref().map(ReportDocument::from),
            announced: leg.announced,
            local: leg.local,
            unheard: leg.unheard.iter().map(UnheardDocument::from).collect(),
            streams: leg.streams.iter().map(StreamDocument::from).collect(),
            session_id: leg.session_id.as_deref().map(Cow::from),
            srtp: leg.srtp.as_deref().map(Cow::from),
            diverted: leg.diverted.as_deref().map(Cow::from),
        }
    }
}

impl From<LegDocument<'_>> for LegRecord {
    fn from(document: LegDocument<'_>) -> LegRecord {
        LegRecord {
            target: document.target.into_owned(),
            number: document.number.into_owned(),
            call_id: document.call_id.into_owned(),
            address: document.address.into_owned(),
            started: Wall::from_micros(document.started),
            ringing: document.ringing.map(Wall::from_micros),
            answered: document.answered.map(Wall::from_micros),
            status: document.status,
            reason: document.reason.into_owned(),
            codec: document.codec.map(Cow::into_owned),
            media: document.media.map(Report::from),
            announced: document.announced,
            local: document.local,
            unheard: document.unheard.into_iter().map(Unheard::from).collect(),
            streams: document.streams.into_iter().map(StreamRecord::from).collect(),
            session_id: document.session_id.map(Cow::into_owned),
            srtp: document.srtp.map(Cow::into_owned),
            diverted: document.diverted.map(Cow::into_owned),
        }
    }
}

impl<'a> From<&'a StreamRecord> for StreamDocument<'a> {
    fn from(stream: &'a StreamRecord) -> StreamDocument<'a> {
        let StreamRecord { kind, codec, media } = stream;
        StreamDocument {
            kind: Cow::from(kind),
            codec: codec.as_deref().map(Cow::from),
            media: ReportDocument::from(media),
        }
    }
}

impl From<StreamDocument<'_>> for StreamRecord {
    fn from(document: StreamDocument<'_>) -> StreamRecord {
        let StreamDocument { kind, codec, media } = document;
        StreamRecord { kind: kind.into_owned(), codec: codec.map(Cow::into_owned), media: Report::from(media) }
    }
}

impl From<&Unheard> for UnheardDocument {
    fn from(&Unheard { after_ms, for_ms, has_spoken }: &Unheard) -> UnheardDocument {
        UnheardDocument { after_ms, for_ms, has_spoken }
    }
}

impl From<UnheardDocument> for Unheard {
    fn from(UnheardDocument { after_ms, for_ms, has_spoken }: UnheardDocument) -> Unheard {
        Unheard { after_ms, for_ms, has_spoken }
    }
}

impl From<VoipMetrics> for VoipDocument {
    fn from(metrics: VoipMetrics) -> VoipDocument {
        VoipDocument {
            loss: metrics.loss,
            discard: metrics.discard,
            burst_density: metrics.burst_density,
            gap_density: metrics.gap_density,
            burst_ms: metrics.burst_ms,
            gap_ms: metrics.gap_ms,
            round_trip_ms: metrics.round_trip_ms,
            end_system_ms: metrics.end_system_ms,
            r_factor: metrics.r_factor,
            mos_listening: metrics.mos_listening,
            mos_conversation: metrics.mos_conversation,
        }
    }
}

impl From<VoipDocument> for VoipMetrics {
    fn from(document: VoipDocument) -> VoipMetrics {
        VoipMetrics {
            ssrc: 0,
            loss: document.loss,
            discard: document.discard,
            burst_density: document.burst_density,
            gap_density: document.gap_density,
            burst_ms: document.burst_ms,
            gap_ms: document.gap_ms,
            round_trip_ms: document.round_trip_ms,
            end_system_ms: document.end_system_ms,
            r_factor: document.r_factor,
            mos_listening: document.mos_listening,
            mos_conversation: document.mos_conversation,
        }
    }
}

impl From<&Report> for ReportDocument {
    fn from(report: &Report) -> ReportDocument {
        ReportDocument {
            received_packets: report.received_packets,
            received_bytes: report.received_bytes,
            sent_packets: report.sent_packets,
            sent_bytes: report.sent_bytes,
            lost_packets: report.lost_packets,
            jitter_us: report.jitter_us,
            round_trip_us: report.round_trip_us,
            remote_lost_packets: report.remote_lost_packets,
            remote_jitter_us: report.remote_jitter_us,
            remote_voip: report.remote_voip.map(VoipDocument::from),
            discarded_packets: report.discarded_packets,
            bursts: [report.bursts.runs, report.bursts.count, report.bursts.packets, report.bursts.missing],
            packet_ms: report.packet_ms,
            dropped_packets: report.dropped_packets,
            strangers: report.strangers,
            stranger: report.stranger,
            foreign_payloads: report.foreign_payloads,
            unauthentic: report.unauthentic,
            source: report.source,
        }
    }
}

impl From<ReportDocument> for Report {
    fn from(document: ReportDocument) -> Report {
        Report {
            received_packets: document.received_packets,
            received_bytes: document.received_bytes,
            sent_packets: document.sent_packets,
            sent_bytes: document.sent_bytes,
            lost_packets: document.lost_packets,
            jitter_us: document.jitter_us,
            round_trip_us: document.round_trip_us,
            remote_lost_packets: document.remote_lost_packets,
            remote_jitter_us: document.remote_jitter_us,
            remote_voip: document.remote_voip.map(VoipMetrics::from),
            discarded_packets: document.discarded_packets,
            bursts: {
                let [runs, count, packets, missing] = document.bursts;
                Bursts { runs, count, packets, missing }
            },
            packet_ms: document.packet_ms,
            dropped_packets: document.dropped_packets,
            strangers: document.strangers,
            stranger: document.stranger,
            foreign_payloads: document.foreign_payloads,
            unauthentic: document.unauthentic,
            source: document.source,
        }
    }
}

/// The word for a state in the books, in the API and on the command line.
pub const fn state_text(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Closed => "closed",
        State::CutOff => "cut-off",
    }
}

/// A word that isn't known, which only a newer version can have written, counts as closed.
pub fn state_from(text: &str) -> State {
    match text {
        "open" => State::Open,
        "cut-off" => State::CutOff,
        _ => State::Closed,
    }
}

pub const fn ended_by_text(ended_by: EndedBy) -> &'static str {
    match ended_by {
        EndedBy::Nobody => "nobody",
        EndedBy::Caller => "caller",
        EndedBy::Callee => "callee",
        EndedBy::Gateway => "gateway",
    }
}

pub fn ended_by_from(text: &str) -> EndedBy {
    match text {
        "caller" => EndedBy::Caller,
        "callee" => EndedBy::Callee,
        "gateway" => EndedBy::Gateway,
        _ => EndedBy::Nobody,
    }
}
