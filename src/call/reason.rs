//! `Reason` header values (RFC 3326) and phrases, as they may pass from one side to the other.

use crate::wire::sip::{quote, reason_phrase, split_list};

/// The longest text that passes.
const TEXT: usize = 80;

/// `SIP;cause=486;text="Busy Here"`.
pub fn sip_reason(status: u16, text: &str) -> String {
    format!("SIP;cause={status};text={}", quote(text))
}

/// `Q.850;cause=16` and its text (ITU-T Q.850 §2.2.7).
pub fn q850_reason(cause: u8, text: &str) -> String {
    format!("Q.850;cause={cause};text={}", quote(text))
}

/// One value of the other side, rebuilt from what everyone reads: protocol, cause, and a text that tells of no machine.
pub fn telling(value: &str) -> Option<String> {
    let mut parts = value.split(';').map(str::trim);
    let protocol = parts.next()?;
    let protocol = ["SIP", "Q.850"].into_iter().find(|known| known.eq_ignore_ascii_case(protocol))?;
    let mut cause = None;
    let mut text = None;
    for part in parts {
        let Some((name, value)) = part.split_once('=') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "cause" => cause = value.trim().parse::<u16>().ok(),
            "text" => text = value.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"')),
            _ => {}
        }
    }
    let cause = cause.filter(|&cause| cause < 1_000)?;
    Some(match text.filter(|text| is_harmless(text)) {
        Some(text) => format!("{protocol};cause={cause};text=\"{text}\""),
        None => format!("{protocol};cause={cause}"),
    })
}

/// All values of a header field that may pass.
pub fn passed_on(field: &str) -> Option<String> {
    let values: Vec<String> = split_list(field).filter_map(telling).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// A peer's phrase, or the usual one where the peer's tells more than words.
pub fn phrase(status: u16, said: &str) -> String {
    match is_harmless(said) {
        true => said.to_owned(),
        false => reason_phrase(status).to_owned(),
    }
}

/// Words and numbers. Addresses, names of hosts and versions of programs have dots, colons or signs within a word.
fn is_harmless(text: &str) -> bool {
    let plain = |word: &str| {
        let word = word.trim_end_matches(['.', ',', ':', ';', '!', '?', ')']).trim_start_matches('(');
        word.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '\''))
    };
    !text.trim().is_empty() && text.len() <= TEXT && text.split(' ').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_escaped() {
        assert_eq!(sip_reason(500, "a \"b\""), "SIP;cause=500;text=\"a \\\"b\\\"\"");
    }

    #[test]
    fn a_reason_passes_without_what_tells_of_machines() {
        assert_eq!(telling("q.850 ; cause=17;text=\"User busy\";x=1").unwrap(), "Q.850;cause=17;text=\"User busy\"");
        assert_eq!(telling("SIP;cause=200;text=\"at 10.0.0.1\"").unwrap(), "SIP;cause=200");
        assert_eq!(telling("SIP;text=\"no cause\""), None);
        assert_eq!(telling("X.25;cause=1"), None);
        assert_eq!(telling("SIP;cause=99999"), None);
        assert_eq!(passed_on("Q.850;cause=16, Foo;cause=2, SIP;cause=200").unwrap(), "Q.850;cause=16, SIP;cause=200");
    }

    #[test]
    fn a_phrase_passes_when_it_is_words() {
        assert_eq!(phrase(486, "Gone fishing."), "Gone fishing.");
        for said in ["", "at sip:bob@x", "host pbx.example", "v1.2", "a@b", "<x>"] {
            assert_eq!(phrase(486, said), "Busy Here", "{said}");
        }
    }
}
