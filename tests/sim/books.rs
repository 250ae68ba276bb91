//! The books, as the journal would have them: the last form of each record counts.

use crate::ledger::Ledger;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tandem::base::time::{Time, Wall};
use tandem::call::record::{CallRecord, EndedBy, State};

#[derive(Default)]
pub struct Books {
    records: BTreeMap<String, CallRecord>,
    /// When each was answered, and closed, as it became known.
    moments: BTreeMap<String, Moments>,
    /// Records by the Call-ID of their caller's leg.
    by_caller: HashMap<String, Vec<String>>,
}

#[derive(Clone, Copy, Default)]
pub struct Moments {
    pub answered: Option<Time>,
    pub closed: Option<Time>,
}

/// How long a record waits for the workers' reports once its call is over.
const REPORTS: Duration = Duration::from_secs(10);

impl Books {
    /// Takes a record; `is_right` says whether the clock with which its times were written only goes forward.
    pub fn keep(&mut self, at: Time, record: CallRecord, is_right: bool, ledger: &mut Ledger) {
        let call = call_of(&record, ledger);
        if let Some(call) = call {
            record.legs.iter().for_each(|leg| ledger.belongs(&leg.call_id, call));
        }
        // Whoever is transferred takes another one's place in the books.
        let moves = call.is_some_and(|call| ledger.stories[call].is_transferred);
        let mut wrong = |what: String| ledger.violation(at, call, format!("record {}: {what}", record.id));
        match self.records.get(&record.id) {
            None => {
                if record.state != State::Open || record.ended.is_some() {
                    wrong("it was not opened first".to_owned());
                }
                let caller = record.legs.first().map(|leg| leg.call_id.clone()).unwrap_or_default();
                self.by_caller.entry(caller).or_default().push(record.id.clone());
            }
            Some(before) => contradictions(before, &record, moves).into_iter().for_each(&mut wrong),
        }
        let moments = self.moments.entry(record.id.clone()).or_default();
        if record.answered.is_some() {
            moments.answered.get_or_insert(at);
        }
        if record.state != State::Open {
            moments.closed.get_or_insert(at);
            inconsistencies(&record, is_right, moves).into_iter().for_each(&mut wrong);
            if let (Some(_), Some(answered)) = (record.answered, moments.answered) {
                let talk = Duration::from_millis(record.talk_ms);
                if talk > at - answered + Duration::from_millis(1) || talk + REPORTS < at - answered {
                    wrong(format!("a talk of {talk:?}, and {:?} passed since the answer", at - answered));
                }
            }
        }
        self.records.insert(record.id.clone(), record);
    }

    pub fn moments(&self, id: &str) -> Moments {
        self.moments.get(id).copied().unwrap_or_default()
    }

    pub fn of_caller(&self, call_id: &str) -> Vec<&CallRecord> {
        let ids = self.by_caller.get(call_id).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.records.get(id)).collect()
    }

    /// The record that has a called leg of this Call-ID.
    pub fn of_leg(&self, call_id: &str) -> Option<&CallRecord> {
        self.records.values().find(|record| record.legs.iter().skip(1).any(|leg| leg.call_id == call_id))
    }

    pub fn open(&self) -> impl Iterator<Item = &CallRecord> {
        self.records.values().filter(|record| record.state == State::Open)
    }

    pub fn iter(&self) -> impl Iterator<Item = &CallRecord> {
        self.records.values()
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }
}

pub fn call_of(record: &CallRecord, ledger: &Ledger) -> Option<usize> {
    ledger.call_of(&record.legs.first()?.call_id)
}

/// What a later form of a record may not say.
fn contradictions(before: &CallRecord, after: &CallRecord, moves: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    must(before.state == State::Open, "it was written again after it was closed");
    must(before.started == after.started && before.caller == after.caller, "it is of another call now");
    must(before.dialled == after.dialled && before.number == after.number, "the dialled number changed");
    must(before.legs.len() <= after.legs.len(), "a leg disappeared");
    // An answer that waited for the caller's PRACK, and that the caller was never told, is taken back.
    let is_taken_back = after.answered.is_none() && after.state == State::Closed && after.status >= 300;
    let is_kept = before.answered.is_none_or(|at| after.answered == Some(at));
    must(is_kept || is_taken_back, "the time of the answer changed");
    must(before.ringing.is_none_or(|at| after.ringing == Some(at)), "the time of the ringing changed");
    let targets = before.legs.iter().zip(&after.legs).all(|(one, two)| one.target == two.target);
    must(targets || moves, "a leg has another target now");
    wrong
}

/// What a closed record may not say.
fn inconsistencies(record: &CallRecord, is_right: bool, moves: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    let Some(ended) = record.ended else { return vec!["it is closed and has no end".to_owned()] };
    let span_ms = |from: Wall| (ended.micros() - from.micros()) / 1_000;
    must(!is_right || span_ms(record.started) >= 0, "it ended before it began");
    must(record.status != 0, "it has no status");
    must(record.ended_by != EndedBy::Nobody, "nobody ended it");
    must(!record.cause.is_empty(), "it has no cause");
    must(record.answered.is_some() == (record.status == 200), "its status and its answer disagree");
    match record.answered {
        Some(answered) if is_right => {
            must(span_ms(answered) >= 0 && answered >= record.started, "it was answered outside of its time");
            must(record.talk_ms.abs_diff(span_ms(answered).unsigned_abs()) <= 1, "talk_ms is not from answer to end");
            must(record.ringing.is_none_or(|ringing| ringing <= answered), "it rang after the answer");
        }
        Some(_) => {}
        None => must(record.talk_ms == 0, "it has a talk without an answer"),
    }
    if let Some(answered) = record.answered {
        let winners = record.legs.iter().skip(1).filter(|leg| leg.answered == Some(answered)).count();
        let is_local = record.legs.iter().any(|leg| is_local(&leg.target));
        must(winners == 1 || is_local || moves, "not one leg was answered when the call was");
    }
    must(record.legs.first().is_some_and(|leg| leg.status == record.status), "the caller's leg has another status");
    for (index, leg) in record.legs.iter().enumerate() {
        let is_local = is_local(&leg.target);
        if leg.status == 0 && leg.reason.is_empty() && !is_local {
            wrong.push(format!("leg {index} ({}) has no outcome", leg.target));
        }
        if leg.media.is_none() && leg.streams.is_empty() && !is_local && !(index == 0 && record.legs.len() == 1) {
            wrong.push(format!("leg {index} ({}) has no report of its media", leg.target));
        }
    }
    wrong
}

/// An end of the gateway's own, which has no port.
fn is_local(target: &str) -> bool {
    target == "echo" || ["play:", "forward:", "conference:"].iter().any(|kind| target.starts_with(kind))
}
