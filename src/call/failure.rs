//! What the caller is told of the called side's failure, with the true reason kept beside it (RFC 3326).

/// A final answer that isn't a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: u16,
    pub reason: String,
    /// `Reason` header values for the caller: ours first, then what the called side gave.
    pub reasons: Vec<String>,
}

impl Failure {
    pub fn new(status: u16, reason: impl Into<String>) -> Failure {
        Failure { status, reason: reason.into(), reasons: Vec::new() }
    }

    /// A failure of the called side, translated where the caller could misread the original: a challenge or a redirection
    /// was meant for us, and a 503 would make the caller shun this gateway (RFC 3261 §16.7 step 6).
    pub fn translated(status: u16, reason: &str, peer_reasons: &[String]) -> Failure {
        let (told, phrase) = match status {
            300..=399 => (480, "Temporarily Unavailable"),
            401 | 407 => (500, "Server Internal Error"),
            402
            | 405
            | 406
            | 413..=417
            | 420..=428
            | 429
            | 436..=440
            | 469
            | 481..=483
            | 487
            | 489
            | 491
            | 493
            | 494 => (500, "Server Internal Error"),
            503 => (500, "Server Internal Error"),
            _ => (status, reason),
        };
        let mut reasons = vec![sip_reason(status, reason)];
        reasons.extend(peer_reasons.iter().filter(|reason| passable(reason)).cloned());
        Failure { status: told, reason: phrase.to_owned(), reasons }
    }

    /// How much better an answer this is than others, when several phones of one user failed: the caller learns most from
    /// a person's own refusal, then from what a phone said of its state, least from silence.
    pub fn rank(&self) -> u32 {
        match self.status {
            600..=699 => 0,
            486 => 1,
            480 | 404 | 410 | 484 | 488 => 2,
            400..=407 | 409..=499 => 3,
            500..=599 => 4,
            _ => 5,
        }
    }
}

/// `SIP;cause=486;text="Busy Here"`.
pub fn sip_reason(status: u16, text: &str) -> String {
    let mut reason = format!("SIP;cause={status};text=\"");
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\') {
            reason.push('\\');
        }
        reason.push(letter);
    }
    reason.push('"');
    reason
}

/// `Q.850;cause=16` and its text (ITU-T Q.850 §2.2.7).
pub fn q850_reason(cause: u8, text: &str) -> String {
    format!("Q.850;cause={cause};text=\"{text}\"")
}

/// Whether a `Reason` value may pass from one side to the other: a protocol that everyone reads, and nothing long.
pub fn passable(reason: &str) -> bool {
    reason.len() <= 200
        && !reason.contains(char::is_control)
        && ["SIP", "Q.850"]
            .iter()
            .any(|protocol| reason.get(..protocol.len()).is_some_and(|head| head.eq_ignore_ascii_case(protocol)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_for_us_is_not_passed_on() {
        for status in [302, 401, 407, 503, 420] {
            let failure = Failure::translated(status, "x", &[]);
            assert_ne!(failure.status, status);
            assert!(failure.reasons[0].contains(&format!("cause={status}")));
        }
        assert_eq!(Failure::translated(486, "Busy Here", &[]).status, 486);
    }

    #[test]
    fn the_peers_reason_is_kept_and_a_hostile_one_dropped() {
        let given = ["Q.850;cause=17".to_owned(), "SIP\r\nX: y".to_owned(), "Foo;cause=1".to_owned()];
        assert_eq!(Failure::translated(486, "Busy", &given).reasons[1..], ["Q.850;cause=17".to_owned()]);
    }

    #[test]
    fn quotes_are_escaped() {
        assert_eq!(sip_reason(500, "a \"b\"\r\n"), "SIP;cause=500;text=\"a \\\"b\\\"\"");
    }
}
