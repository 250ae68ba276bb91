//! How calls sound, for whoever runs the gateway: sums of a shard, and what is to be counted of legs that are over.

use crate::call::record::{CallRecord, LegRecord};
use crate::media::command::{Quality, Report};
use std::collections::VecDeque;

/// Legs whose figures wait to be fetched; a shard that ends more in a second leaves some out.
const ENDED_LIMIT: usize = 16_384;

#[derive(Default)]
pub struct Listening {
    /// Calls of which one side isn't heard now, and all that ever were so.
    pub one_way: usize,
    pub one_way_total: u64,
    ended: VecDeque<EndedLeg>,
}

/// A leg of a call that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedLeg {
    /// Where it went or came from, if that was a trunk.
    pub trunk: Option<String>,
    /// None where no sound went through it.
    pub sound: Option<(Report, Quality)>,
    /// None for the caller's own leg.
    pub attempt: Option<Attempt>,
}

/// What came of a leg that we called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub is_answered: bool,
    /// From the answer to the end of the call.
    pub talk_ms: u64,
    /// From the INVITE to ringing or the answer; none where neither came.
    pub post_dial_ms: Option<u64>,
}

impl Listening {
    pub fn begin_one_way(&mut self) {
        self.one_way += 1;
        self.one_way_total += 1;
    }

    pub fn end_one_way(&mut self) {
        self.one_way = self.one_way.saturating_sub(1);
    }

    /// Takes note of a leg that is over.
    pub fn ended(&mut self, leg: EndedLeg) {
        if self.ended.len() < ENDED_LIMIT {
            self.ended.push_back(leg);
        }
    }

    pub fn take_ended(&mut self) -> VecDeque<EndedLeg> {
        std::mem::take(&mut self.ended)
    }
}

/// The legs of a record that is closed.
pub fn ended_legs(record: &CallRecord) -> impl Iterator<Item = EndedLeg> {
    record.legs.iter().enumerate().map(|(index, leg)| EndedLeg {
        trunk: leg.target.strip_prefix("trunk:").map(str::to_owned),
        sound: sound_of(leg),
        attempt: (index > 0).then(|| attempt_of(record, leg)),
    })
}

fn sound_of(leg: &LegRecord) -> Option<(Report, Quality)> {
    let report = leg.media.filter(|report| report.received_packets + report.sent_packets > 0)?;
    Some((report, Quality::of(leg.codec.as_deref().unwrap_or_default(), &report)))
}

fn attempt_of(record: &CallRecord, leg: &LegRecord) -> Attempt {
    let began = leg.ringing.or(leg.answered);
    Attempt {
        is_answered: leg.answered.is_some(),
        talk_ms: if leg.answered.is_some() { record.talk_ms } else { 0 },
        post_dial_ms: began.and_then(|began| u64::try_from((began.micros() - leg.started.micros()) / 1_000).ok()),
    }
}
