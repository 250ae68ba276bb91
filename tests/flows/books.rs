//! The records that the switch gives out, and what a ladder says of the last one.

use crate::line::{rest, span};
use tandem::call::record::{CallRecord, EndedBy, State};

#[derive(Default)]
pub struct Books {
    /// As they were last kept, in the order in which they were opened.
    pub records: Vec<CallRecord>,
}

impl Books {
    pub fn keep(&mut self, record: CallRecord) {
        match self.records.iter_mut().find(|known| known.id == record.id) {
            Some(known) => {
                assert_eq!(known.state, State::Open, "a closed record is written again: {record:#?}");
                *known = record;
            }
            None => {
                assert_eq!(record.state, State::Open, "a record begins closed: {record:#?}");
                self.records.push(record);
            }
        }
    }

    pub fn open(&self) -> usize {
        self.records.iter().filter(|record| record.state == State::Open).count()
    }

    /// Closed records that don't add up.
    pub fn objection(&self) -> Option<String> {
        self.records.iter().find_map(|record| {
            let wrong = record.state != State::Closed
                || record.ended.is_none()
                || record.ended_by == EndedBy::Nobody
                || record.cause.is_empty()
                || record.status == 0
                || record.legs.is_empty()
                || (record.answered.is_some() != (record.status == 200));
            wrong.then(|| format!("{record:#?}"))
        })
    }
}

/// What is wrong with a record by one item of a ladder.
pub fn objection(record: &CallRecord, item: &str) -> Option<String> {
    let of = |index: &str| record.legs.get(index.parse::<usize>().expect("a leg's number"));
    let words: Vec<&str> = item.split_whitespace().collect();
    let is = match words.as_slice() {
        ["open"] => record.state == State::Open,
        ["closed"] => record.state == State::Closed,
        ["caller", caller] => record.caller == *caller,
        ["from", from] => record.from == *from,
        ["dialled", dialled] => record.dialled == *dialled,
        ["number", number] => record.number == *number,
        ["status", status] => record.status.to_string() == *status,
        ["by", by] => format!("{:?}", record.ended_by).eq_ignore_ascii_case(by),
        ["ringing"] => record.ringing.is_some(),
        ["never", "ringing"] => record.ringing.is_none(),
        ["answered"] => record.answered.is_some(),
        ["never", "answered"] => record.answered.is_none(),
        ["talk", time] => u128::from(record.talk_ms) == span(time).as_millis(),
        ["legs", number] => record.legs.len().to_string() == *number,
        ["leg", index, "codec", codec] => of(index).is_some_and(|leg| leg.codec.as_deref().unwrap_or("-") == *codec),
        ["leg", index, "session", name] => of(index).is_some_and(|leg| leg.session_id.as_deref() == Some(*name)),
        ["leg", index, "diverted", ..] => {
            let diverted = item.split_once("diverted").map(|(_, diverted)| diverted.trim());
            let diverted = diverted.filter(|diverted| !diverted.is_empty());
            of(index).is_some_and(|leg| leg.diverted.as_deref() == diverted)
        }
        ["leg", index, "reason", ..] => {
            let reason = item.split_once("reason").map(|(_, reason)| reason.trim()).unwrap_or_default();
            of(index).is_some_and(|leg| leg.reason.contains(reason))
        }
        ["leg", index, "heard"] => of(index).is_some_and(|leg| leg.unheard.is_empty()),
        // `leg 1 unheard after 3s for 2s`; a stretch that went on to the end has no length.
        ["leg", index, "unheard", "after", after, length @ ..] => of(index).is_some_and(|leg| {
            let ms = |text: &str| u64::try_from(span(text).as_millis()).ok();
            let for_ms = length.get(1).and_then(|text| ms(text));
            let last = leg.unheard.last();
            last.is_some_and(|last| Some(last.after_ms) == ms(after) && last.for_ms == for_ms)
        }),
        ["leg", index, target, status] => {
            of(index).is_some_and(|leg| leg.target == *target && leg.status.to_string() == *status)
        }
        ["rule", ..] => record.rule.as_deref() == rest(item, "rule"),
        ["cause", ..] => rest(item, "cause").is_some_and(|cause| record.cause.contains(cause)),
        _ => panic!("`{item}` of a record"),
    };
    (!is).then(|| format!("{record:#?}"))
}
