//! What a trunk is told of callers, what of its word counts, and which header fields may pass to and from it.

use crate::config::problem::Wrong;
use crate::config::section::Section;

/// How a trunk and we speak of people.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TrunkIdentity {
    /// Inside our trust domain (RFC 3325 §2.4): who it says is calling counts, and it learns who calls even where that is
    /// to be kept from others.
    pub trusted: bool,
    pub caller_in: CallerIn,
    /// Stands as the user of From in place of the caller's number.
    pub from_user: Option<String>,
    pub forwards_in: ForwardsIn,
    pub pass_headers: HeaderPatterns,
}

/// The header field that has the caller's number, beside From.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CallerIn {
    #[default]
    From,
    Asserted,
    Preferred,
    RemoteParty,
}

/// The header fields that tell of forwards: RFC 5806 and RFC 7044.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ForwardsIn {
    pub diversion: bool,
    pub history_info: bool,
}

/// Names of header fields that may pass from one leg to another.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HeaderPatterns(Vec<String>);

/// What each leg has of its own, and what tells of the other side's machines or identity: none of it can be passed by a
/// rule.
const OWN: [&str; 63] = [
    "accept",
    "accept-encoding",
    "allow",
    "allow-events",
    "authentication-info",
    "authorization",
    "call-id",
    "contact",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "cseq",
    "date",
    "diversion",
    "event",
    "expires",
    "feature-caps",
    "flow-timer",
    "from",
    "history-info",
    "identity",
    "in-reply-to",
    "join",
    "max-forwards",
    "mime-version",
    "min-expires",
    "min-se",
    "p-access-network-info",
    "p-asserted-identity",
    "p-preferred-identity",
    "path",
    "privacy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-require",
    "rack",
    "reason",
    "record-route",
    "refer-to",
    "referred-by",
    "remote-party-id",
    "replaces",
    "reply-to",
    "require",
    "retry-after",
    "route",
    "rseq",
    "security-client",
    "server",
    "service-route",
    "session-expires",
    "session-id",
    "sip-etag",
    "sip-if-match",
    "subscription-state",
    "supported",
    "target-dialog",
    "timestamp",
    "to",
    "unsupported",
    "via",
];

impl TrunkIdentity {
    /// Reads the keys `trusted`, `caller_in`, `from_user`, `forwards_in` and `pass_headers` of a trunk.
    pub fn read(part: &Section<'_>) -> TrunkIdentity {
        let trusted = part.flag("trusted").unwrap_or(false);
        let usual = if trusted { CallerIn::Asserted } else { CallerIn::From };
        let forwards = part.list("forwards_in", |text| match text.to_ascii_lowercase().as_str() {
            "diversion" => Ok(ForwardsIn { diversion: true, history_info: false }),
            "history-info" => Ok(ForwardsIn { diversion: false, history_info: true }),
            _ => Err(Wrong::new(format!("`{text}` tells of no forwards"), "write \"Diversion\" or \"History-Info\"")),
        });
        TrunkIdentity {
            trusted,
            caller_in: part.read("caller_in", caller_in).unwrap_or(usual),
            from_user: part.read("from_user", from_user),
            forwards_in: match forwards {
                Some(named) => ForwardsIn {
                    diversion: named.iter().any(|(one, _)| one.diversion),
                    history_info: named.iter().any(|(one, _)| one.history_info),
                },
                None => ForwardsIn { diversion: trusted, history_info: trusted },
            },
            pass_headers: HeaderPatterns::read(part, "pass_headers"),
        }
    }
}

impl HeaderPatterns {
    pub fn read(part: &Section<'_>, key: &str) -> HeaderPatterns {
        let patterns = part.list(key, header_pattern).unwrap_or_default();
        HeaderPatterns(patterns.into_iter().map(|(pattern, _)| pattern).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of `texts` that may be patterns.
    pub fn read_all(texts: &[&str]) -> HeaderPatterns {
        HeaderPatterns(texts.iter().filter_map(|text| header_pattern(text).ok()).collect())
    }

    /// Whether a field of this name, in any case, may pass.
    pub fn takes(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)),
            None => name.eq_ignore_ascii_case(pattern),
        })
    }
}

fn caller_in(text: &str) -> Result<CallerIn, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "from" => Ok(CallerIn::From),
        "p-asserted-identity" => Ok(CallerIn::Asserted),
        "p-preferred-identity" => Ok(CallerIn::Preferred),
        "remote-party-id" => Ok(CallerIn::RemoteParty),
        _ => Err(Wrong::new(
            format!("`{text}` has no caller's number"),
            "write \"From\", \"P-Asserted-Identity\", \"P-Preferred-Identity\" or \"Remote-Party-ID\"",
        )),
    }
}

fn from_user(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.' | '~' | '=' | '&' | '*' | '#');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` can't be the user of an address"), "write the account's name or number"))
}

/// A name, or the beginning of names of which no field of our own has one. The star alone would copy blindly.
fn header_pattern(text: &str) -> Result<String, Wrong> {
    let start = text.strip_suffix('*').unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    // A single letter may be the compact form of any field (RFC 3261 §7.3.3).
    if start.len() < 2 || start.len() > 64 || !start.chars().all(plain) {
        let mend = "write a name, or how names begin, like \"X-*\" or \"Alert-Info\"";
        return Err(Wrong::new(format!("`{text}` is no header field"), mend));
    }
    let start = start.to_ascii_lowercase();
    let own = OWN.iter().find(|own| if text.ends_with('*') { own.starts_with(&start) } else { **own == start });
    match own {
        Some(own) => Err(Wrong::new(
            format!("`{text}` would pass {own}, which each leg has of its own"),
            "name fields like \"X-*\", \"Alert-Info\" or \"User-to-User\"",
        )),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;
    use crate::config::problem::Problems;
    use crate::config::section::Keys;

    fn patterns(texts: &[&str]) -> HeaderPatterns {
        HeaderPatterns::read_all(texts)
    }

    fn read(text: &str) -> (TrunkIdentity, Vec<String>) {
        const KEYS: Keys =
            Keys { known: &["trusted", "caller_in", "from_user", "forwards_in", "pass_headers"], later: &[] };
        let problems = Problems::default();
        let node = document::parse("t.toml", text, &problems);
        let identity = TrunkIdentity::read(&Section::open(&node, "the trunk", &KEYS, &problems));
        (identity, problems.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_trunk_that_is_trusted_is_told_all() {
        let (stranger, problems) = read("");
        assert_eq!((stranger, problems.len()), (TrunkIdentity::default(), 0));
        let (trusted, _) = read("trusted = true");
        assert_eq!(trusted.caller_in, CallerIn::Asserted);
        assert!(trusted.forwards_in.diversion && trusted.forwards_in.history_info);
        let text = "trusted = true\ncaller_in = \"Remote-Party-ID\"\nfrom_user = \"4711\"\n\
                    forwards_in = [\"diversion\"]\npass_headers = [\"X-*\"]\n";
        let (chosen, problems) = read(text);
        assert_eq!((chosen.caller_in, chosen.from_user.as_deref()), (CallerIn::RemoteParty, Some("4711")));
        assert_eq!(chosen.forwards_in, ForwardsIn { diversion: true, history_info: false });
        assert!(chosen.pass_headers.takes("X-A") && problems.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let text = "caller_in = \"To\"\nfrom_user = \"a b\"\nforwards_in = \"302\"\npass_headers = [\"*\", \"Via\"]\n";
        let (_, problems) = read(text);
        assert_eq!(
            problems,
            [
                "t.toml:1: `caller_in`: `To` has no caller's number; write \"From\", \"P-Asserted-Identity\", \"P-Preferred-Identity\" or \"Remote-Party-ID\"",
                "t.toml:2: `from_user`: `a b` can't be the user of an address; write the account's name or number",
                "t.toml:3: `forwards_in`: `302` tells of no forwards; write \"Diversion\" or \"History-Info\"",
                "t.toml:4: `pass_headers`: `*` is no header field; write a name, or how names begin, like \"X-*\" or \"Alert-Info\"",
                "t.toml:4: `pass_headers`: `Via` would pass via, which each leg has of its own; name fields like \"X-*\", \"Alert-Info\" or \"User-to-User\"",
            ]
        );
    }

    #[test]
    fn names_and_beginnings_in_any_case() {
        let patterns = patterns(&["X-*", "alert-info"]);
        for name in ["X-Note", "x-a", "Alert-Info"] {
            assert!(patterns.takes(name), "{name}");
        }
        for name in ["X", "Alert-Info2", "\u{e9}-x", "Subject"] {
            assert!(!patterns.takes(name), "{name}");
        }
    }

    #[test]
    fn what_each_leg_has_of_its_own_is_not_passed() {
        for text in ["*", "P-*", "via", "P-Asserted-Identity", "Re*", "i", "", "X-\u{e9}", "a b"] {
            assert!(header_pattern(text).is_err(), "{text}");
        }
        for text in ["X-*", "X-Foo", "Alert-Info", "User-to-User", "P-Charging-*"] {
            assert!(header_pattern(text).is_ok(), "{text}");
        }
    }
}
