//! What the caller is told of a call that fails, with the true reason kept beside it (RFC 3326).

use crate::call::reason::{phrase, sip_reason, telling};
use crate::call::record::EndedBy;
use crate::wire::sip::{Message, Name, reason_phrase};

/// A final answer that isn't a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: u16,
    pub reason: String,
    /// Further header fields for the caller, `Reason` among them: ours first, then what the called side gave.
    pub headers: Vec<(Name, String)>,
    pub by: EndedBy,
    /// What the books say beside the status.
    pub why: Option<String>,
}

impl Failure {
    /// One of our own. An empty reason stands for the usual phrase.
    pub fn new(status: u16, reason: impl Into<String>) -> Failure {
        let reason: String = reason.into();
        let reason = if reason.is_empty() { reason_phrase(status).to_owned() } else { reason };
        Failure { status, reason, headers: Vec::new(), by: EndedBy::Gateway, why: None }
    }

    pub fn with(mut self, name: Name, value: impl Into<String>) -> Failure {
        self.headers.push((name, value.into()));
        self
    }

    pub fn because(mut self, why: impl Into<String>) -> Failure {
        self.why = Some(why.into());
        self
    }

    /// The called side's refusal as the caller is told it.
    pub fn translated(message: &Message) -> Failure {
        let (status, said) = (message.status(), phrase(message.status(), message.reason_phrase()));
        let told = told(status);
        let mut headers = vec![(Name::Reason, sip_reason(status, &said))];
        headers.extend(message.values(Name::Reason).filter_map(telling).map(|reason| (Name::Reason, reason)));
        let (reason, why) = match told == status {
            true => (said, None),
            false => (reason_phrase(told).to_owned(), Some(format!("the called side said {status} {said}"))),
        };
        Failure { status: told, reason, headers, by: EndedBy::Callee, why }
    }

    /// Nobody answered a leg of ours, or nothing could be sent there. The caller of a trunk learns that a machine failed,
    /// so that it may try another way; the caller of a person, that the phone is away.
    pub fn unreachable(seen: u16, is_trunk: bool) -> Failure {
        let told = match (is_trunk, seen) {
            (false, _) => 480,
            (true, 408) => 504,
            (true, _) => 500,
        };
        let reason = sip_reason(seen, reason_phrase(seen));
        let why = if seen == 408 { "no answer to our INVITE" } else { "our INVITE could not be sent" };
        Failure::new(told, "").with(Name::Reason, reason).because(why)
    }

    /// How much better an answer this is than others, when several phones of one user failed: the caller learns most from
    /// a person's own refusal, then from what a phone said of its state, least from silence.
    pub fn rank(&self) -> u32 {
        match self.status {
            600..=699 => 0,
            486 => 1,
            404 | 410 | 484 | 488 => 2,
            480 => 3,
            400..=407 | 409..=499 => 4,
            _ => 5,
        }
    }

    /// For the books.
    pub fn cause(&self) -> String {
        match &self.why {
            Some(why) => format!("{} {}: {why}", self.status, self.reason),
            None => format!("{} {}", self.status, self.reason),
        }
    }
}

/// What is said of the called person or number passes; whatever was meant for us, who placed the call (a challenge, a
/// redirection, a fault in our request), doesn't. A 503 would make the caller shun this gateway (RFC 3261 §16.7 step 6).
fn told(status: u16) -> u16 {
    match status {
        403 | 404 | 410 | 433 | 480 | 484 | 485 | 486 | 488 => status,
        500 | 502 | 504 | 600 | 603 | 604 | 606 | 607 | 608 => status,
        600..=699 => 603,
        // It may be asked for again, later or in another way; not by the caller, and not now.
        300..=399 | 408 | 430 => 480,
        406 | 415 => 488,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn answer(status: u16, reason: &str, more: &str) -> Message {
        Message::parse(Bytes::from(format!("SIP/2.0 {status} {reason}\r\n{more}\r\n"))).unwrap()
    }

    #[test]
    fn what_was_meant_for_us_is_not_passed_on() {
        for status in [302, 400, 401, 407, 408, 420, 481, 501, 503, 513] {
            let failure = Failure::translated(&answer(status, "x", ""));
            assert_ne!(failure.status, status);
            assert!(failure.headers[0].1.contains(&format!("cause={status}")));
        }
    }

    #[test]
    fn a_persons_word_passes() {
        for status in [403, 404, 480, 486, 488, 600, 603] {
            assert_eq!(Failure::translated(&answer(status, "x", "")).status, status);
        }
    }

    #[test]
    fn the_peers_reason_is_kept_and_a_strange_one_dropped() {
        let message = answer(486, "Busy Here", "Reason: Q.850;cause=17, Foo;cause=1\r\n");
        let reasons: Vec<String> = Failure::translated(&message).headers.into_iter().map(|(_, value)| value).collect();
        assert_eq!(reasons, ["SIP;cause=486;text=\"Busy Here\"", "Q.850;cause=17"]);
    }
}
