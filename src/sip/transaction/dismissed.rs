//! INVITEs that were answered without keeping a transaction, and with what. A copy of one that comes late is answered the
//! same: were it taken by then, its caller, who gave up at the refusal, would have a phone ring for nobody (RFC 3261
//! §8.2.7 has who keeps no state answer a retransmission as the first one).

use super::ServerKey;
use crate::base::time::Time;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Of these the oldest are forgotten first.
const ANSWERS: usize = 4_096;

/// A request with another number is another one, whatever its branch.
type Key = (ServerKey, u32);

#[derive(Default)]
pub struct Dismissed {
    /// Each with the time until which it is given.
    answers: HashMap<Key, (Time, Bytes)>,
    /// When each ends, in the order of time.
    order: VecDeque<(Time, Key)>,
}

impl Dismissed {
    /// Keeps an answer for `span`, after which no copy of its request comes any more.
    pub fn keep(&mut self, now: Time, span: Duration, key: ServerKey, cseq: u32, answer: Bytes) {
        while self.order.len() >= ANSWERS || self.order.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, oldest)) = self.order.pop_front() else { break };
            self.answers.remove(&oldest);
        }
        let (key, until) = ((key, cseq), now + span);
        if self.answers.insert(key.clone(), (until, answer)).is_none() {
            self.order.push_back((until, key));
        }
    }

    /// What a copy of this request was answered.
    pub fn answer(&self, now: Time, key: &ServerKey, cseq: u32) -> Option<Bytes> {
        if self.answers.is_empty() {
            return None;
        }
        let (until, answer) = self.answers.get(&(key.clone(), cseq))?;
        (*until > now).then(|| answer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sip::{Message, Method};

    const SPAN: Duration = Duration::from_secs(32);

    fn key(number: usize) -> ServerKey {
        let text = format!("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{number}\r\n\r\n");
        let message = Message::parse(text.into()).expect("a message");
        ServerKey::of(&message, &Method::Invite).expect("a Via")
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn an_answer_is_kept_for_its_request_alone() {
        let mut dismissed = Dismissed::default();
        assert_eq!(dismissed.answer(at(0), &key(1), 7), None);
        dismissed.keep(at(0), SPAN, key(1), 7, Bytes::from_static(b"no"));
        assert_eq!(dismissed.answer(at(31), &key(1), 7).as_deref(), Some(&b"no"[..]));
        assert_eq!(dismissed.answer(at(1), &key(1), 8), None, "the same branch once more");
        assert_eq!(dismissed.answer(at(1), &key(2), 7), None);
        assert_eq!(dismissed.answer(at(32), &key(1), 7), None, "nobody sends it any more");
    }

    #[test]
    fn old_ones_and_too_many_are_forgotten() {
        let mut dismissed = Dismissed::default();
        dismissed.keep(at(0), SPAN, key(0), 1, Bytes::new());
        dismissed.keep(at(32), SPAN, key(1), 1, Bytes::new());
        assert_eq!((dismissed.answer(at(32), &key(0), 1), dismissed.order.len()), (None, 1));
        for number in 2..=ANSWERS + 1 {
            dismissed.keep(at(33), SPAN, key(number), 1, Bytes::new());
        }
        assert_eq!((dismissed.answer(at(33), &key(1), 1), dismissed.answers.len()), (None, ANSWERS));
        assert_eq!(dismissed.order.len(), ANSWERS);
    }
}
