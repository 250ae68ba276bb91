//! A call's record as the journal and the store keep it: JSON with times in microseconds since 1970 (UTC).

use crate::base::time::Wall;
use crate::call::record::{CallRecord, EndedBy, LegRecord, State, StreamRecord};
use crate::media::command::Report;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct RecordDocument {
    id: String,
    state: String,
    caller: String,
    from: String,
    dialled: String,
    number: String,
    rule: Option<String>,
    started: i64,
    ringing: Option<i64>,
    answered: Option<i64>,
    ended: Option<i64>,
    talk_ms: u64,
    legs: Vec<LegDocument>,
    status: u16,
    ended_by: String,
    cause: String,
}

#[derive(Serialize, Deserialize)]
pub struct LegDocument {
    target: String,
    number: String,
    call_id: String,
    address: String,
    started: i64,
    ringing: Option<i64>,
    answered: Option<i64>,
    status: u16,
    reason: String,
    codec: Option<String>,
    media: Option<ReportDocument>,
    #[serde(default)]
    streams: Vec<StreamDocument>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    diverted: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StreamDocument {
    kind: String,
    codec: Option<String>,
    media: ReportDocument,
}

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
    dropped_packets: u64,
    source: Option<std::net::SocketAddr>,
}

impl From<&CallRecord> for RecordDocument {
    fn from(record: &CallRecord) -> RecordDocument {
        RecordDocument {
            id: record.id.clone(),
            state: state_text(record.state).to_owned(),
            caller: record.caller.clone(),
            from: record.from.clone(),
            dialled: record.dialled.clone(),
            number: record.number.clone(),
            rule: record.rule.clone(),
            started: record.started.micros(),
            ringing: record.ringing.map(Wall::micros),
            answered: record.answered.map(Wall::micros),
            ended: record.ended.map(Wall::micros),
            talk_ms: record.talk_ms,
            legs: record.legs.iter().map(LegDocument::from).collect(),
            status: record.status,
            ended_by: ended_by_text(record.ended_by).to_owned(),
            cause: record.cause.clone(),
        }
    }
}

impl From<RecordDocument> for CallRecord {
    fn from(document: RecordDocument) -> CallRecord {
        CallRecord {
            id: document.id,
            state: state_from(&document.state),
            caller: document.caller,
            from: document.from,
            dialled: document.dialled,
            number: document.number,
            rule: document.rule,
            started: Wall::from_micros(document.started),
            ringing: document.ringing.map(Wall::from_micros),
            answered: document.answered.map(Wall::from_micros),
            ended: document.ended.map(Wall::from_micros),
            talk_ms: document.talk_ms,
            legs: document.legs.into_iter().map(LegRecord::from).collect(),
            status: document.status,
            ended_by: ended_by_from(&document.ended_by),
            cause: document.cause,
        }
    }
}

impl From<&LegRecord> for LegDocument {
    fn from(leg: &LegRecord) -> LegDocument {
        LegDocument {
            target: leg.target.clone(),
            number: leg.number.clone(),
            call_id: leg.call_id.clone(),
            address: leg.address.clone(),
            started: leg.started.micros(),
            ringing: leg.ringing.map(Wall::micros),
            answered: leg.answered.map(Wall::micros),
            status: leg.status,
            reason: leg.reason.clone(),
            codec: leg.codec.clone(),
            media: leg.media.as_ref().map(ReportDocument::from),
            streams: leg.streams.iter().map(StreamDocument::from).collect(),
            session_id: leg.session_id.clone(),
            diverted: leg.diverted.clone(),
        }
    }
}

impl From<LegDocument> for LegRecord {
    fn from(document: LegDocument) -> LegRecord {
        LegRecord {
            target: document.target,
            number: document.number,
            call_id: document.call_id,
            address: document.address,
            started: Wall::from_micros(document.started),
            ringing: document.ringing.map(Wall::from_micros),
            answered: document.answered.map(Wall::from_micros),
            status: document.status,
            reason: document.reason,
            codec: document.codec,
            media: document.media.map(Report::from),
            streams: document.streams.into_iter().map(StreamRecord::from).collect(),
            session_id: document.session_id,
            diverted: document.diverted,
        }
    }
}

impl From<&StreamRecord> for StreamDocument {
    fn from(stream: &StreamRecord) -> StreamDocument {
        let StreamRecord { kind, codec, media } = stream;
        StreamDocument { kind: kind.clone(), codec: codec.clone(), media: ReportDocument::from(media) }
    }
}

impl From<StreamDocument> for StreamRecord {
    fn from(document: StreamDocument) -> StreamRecord {
        let StreamDocument { kind, codec, media } = document;
        StreamRecord { kind, codec, media: Report::from(media) }
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
            dropped_packets: report.dropped_packets,
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
            dropped_packets: document.dropped_packets,
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
