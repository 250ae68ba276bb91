//! Over whom a call came: Diversion (RFC 5806) and History-Info (RFC 7044), read and written, and made of one another as
//! RFC 7544 §7 says.

use crate::call::party::{Audience, Party};
use crate::config::identity::ForwardsIn;
use crate::sip::flow::Headers;
use crate::wire::sip::{Message, Name, NameAddr, Uri, escape_user};

/// Once a call was forwarded: away from whom, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    pub by: Party,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Always,
    Busy,
    NoAnswer,
    DoNotDisturb,
    /// No phone was there.
    Unavailable,
    /// The called person, or their phone, sent it on.
    Deflected,
    Unknown,
}

impl Why {
    /// RFC 5806 §9.1.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Always => "unconditional",
            Why::Busy => "user-busy",
            Why::NoAnswer => "no-answer",
            Why::DoNotDisturb => "do-not-disturb",
            Why::Unavailable => "unavailable",
            Why::Deflected => "deflection",
            Why::Unknown => "unknown",
        }
    }

    fn parse(text: &str) -> Why {
        let all = [Why::Always, Why::Busy, Why::NoAnswer, Why::DoNotDisturb, Why::Unavailable, Why::Deflected];
        all.into_iter().find(|why| why.as_str().eq_ignore_ascii_case(text)).unwrap_or(Why::Unknown)
    }

    /// RFC 4458 §2.1, and RFC 7544 §7.1 for the rest.
    fn cause(self) -> u16 {
        match self {
            Why::Always => 302,
            Why::Busy => 486,
            Why::NoAnswer => 408,
            Why::Deflected => 480,
            Why::Unavailable => 503,
            Why::DoNotDisturb | Why::Unknown => 404,
        }
    }

    fn of_cause(cause: u16) -> Why {
        match cause {
            302 => Why::Always,
            486 => Why::Busy,
            408 => Why::NoAnswer,
            480 | 487 => Why::Deflected,
            503 => Why::Unavailable,
            _ => Why::Unknown,
        }
    }
}

/// What a message says of forwards, the latest last, and how many they were in all.
pub fn read(message: &Message, most: usize) -> (Vec<Diversion>, usize) {
    let (told, older) = (from_history(message), from_diversion(message));
    let (mut diversions, count) = if told.is_empty() { older } else { (told.clone(), told.len()) };
    // The latest tell most.
    diversions.drain(..diversions.len().saturating_sub(most));
    (diversions, count)
}

/// RFC 5806 §9: the latest is on top, and each may stand for several.
fn from_diversion(message: &Message) -> (Vec<Diversion>, usize) {
    let mut diversions = Vec::new();
    let mut count = 0usize;
    for address in message.addresses(Name::Diversion).flatten() {
        let is_private = address.param("privacy").flatten().is_some_and(|privacy| !privacy.eq_ignore_ascii_case("off"));
        let Some(by) = party(&address, is_private) else { continue };
        let times = address.param("counter").flatten().and_then(|times| times.parse::<u16>().ok()).unwrap_or(1);
        count = count.saturating_add(usize::from(times.max(1)));
        let why = Why::parse(address.param("reason").flatten().unwrap_or_default());
        diversions.push(Diversion { by, why });
    }
    diversions.reverse();
    (diversions, count)
}

/// RFC 7044 §5: an entry whose successor has a cause, or that has a reason itself, was left for that successor.
fn from_history(message: &Message) -> Vec<Diversion> {
    let entries: Vec<NameAddr<'_>> = message.addresses(Name::HistoryInfo).flatten().collect();
    let mut diversions = Vec::new();
    for pair in entries.windows(2) {
        let (Ok(left), Ok(next)) = (pair[0].parse_uri(), pair[1].parse_uri()) else { continue };
        let cause = next.param("cause").flatten().and_then(|cause| cause.parse().ok());
        let headers = left.headers().unwrap_or_default();
        let Some(cause) = cause.or_else(|| reason_of(headers)) else { continue };
        let is_private = headers.to_ascii_lowercase().contains("privacy=");
        if let Some(by) = party(&pair[0], is_private) {
            diversions.push(Diversion { by, why: Why::of_cause(cause) });
        }
    }
    diversions
}

/// The cause in `Reason=SIP%3Bcause%3D486`.
fn reason_of(headers: &str) -> Option<u16> {
    let reason = headers.split('&').find_map(|header| {
        let (name, value) = header.split_once('=')?;
        name.eq_ignore_ascii_case("reason").then(|| value.to_ascii_lowercase())
    })?;
    let (_, cause) = reason.split_once("cause%3d")?;
    let digits = cause.find(|letter: char| !letter.is_ascii_digit()).map_or(cause, |end| &cause[..end]);
    digits.parse().ok()
}

fn party(address: &NameAddr<'_>, is_private: bool) -> Option<Party> {
    let uri = Uri::parse(address.uri()).ok()?;
    let user = uri.user_decoded().into_owned();
    (!user.is_empty()).then(|| Party { user, is_private, ..Party::default() })
}

/// The header fields that tell someone of forwards. `target` is what is called now.
pub fn headers(diversions: &[Diversion], target: &str, domain: &str, audience: Audience<'_>) -> Headers {
    let (form, trusted) = match audience {
        Audience::Phone => (ForwardsIn { diversion: true, history_info: true }, false),
        Audience::Trunk(trunk) => (trunk.forwards_in, trunk.trusted),
        Audience::Stranger => (ForwardsIn::default(), false),
    };
    let mut headers = Headers::new();
    if diversions.is_empty() {
        return headers;
    }
    if form.diversion {
        let values = diversions.iter().rev().map(|diversion| diversion.field(domain, trusted));
        headers.extend(values.map(|value| (Name::Diversion, value)));
    }
    if form.history_info {
        headers.push((Name::HistoryInfo, history(diversions, target, domain, trusted)));
    }
    headers
}

impl Diversion {
    fn field(&self, domain: &str, trusted: bool) -> String {
        let privacy = if self.by.is_private { "full" } else { "off" };
        let address = self.address(domain, trusted);
        format!("<sip:{address}>;reason={};counter=1;privacy={privacy}", self.why.as_str())
    }

    /// `bob@example.net`.
    fn address(&self, domain: &str, trusted: bool) -> String {
        match trusted || !self.by.is_private {
            true => format!("{}@{domain}", escape_user(&self.by.user)),
            false => "anonymous@anonymous.invalid".to_owned(),
        }
    }
}

/// One entry for each who was called, the one who is called now last (RFC 7044 §10.2).
fn history(diversions: &[Diversion], target: &str, domain: &str, trusted: bool) -> String {
    let mut entries = Vec::with_capacity(diversions.len() + 1);
    let mut index = "1".to_owned();
    let mut came = String::new();
    let mut mapped = String::new();
    for diversion in diversions {
        let address = diversion.address(domain, trusted);
        let cause = diversion.why.cause();
        let mut headers = Vec::new();
        if matches!(diversion.why, Why::Busy | Why::NoAnswer) {
            headers.push(format!("Reason=SIP%3Bcause%3D{cause}"));
        }
        if diversion.by.is_private && trusted {
            headers.push("Privacy=history".to_owned());
        }
        let mark = if headers.is_empty() { "" } else { "?" };
        entries.push(format!("<sip:{address}{came}{mark}{}>;index={index}{mapped}", headers.join("&")));
        came = format!(";cause={cause}");
        mapped = format!(";mp={index}");
        index.push_str(".1");
    }
    entries.push(format!("<sip:{}@{domain}{came}>;index={index}{mapped}", escape_user(target)));
    entries.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::identity::TrunkIdentity;
    use bytes::Bytes;

    fn message(fields: &str) -> Message {
        Message::parse(Bytes::from(format!("INVITE sip:b@h SIP/2.0\r\n{fields}\r\n"))).unwrap()
    }

    fn by(user: &str, why: Why, is_private: bool) -> Diversion {
        Diversion { by: Party { user: user.into(), is_private, ..Party::default() }, why }
    }

    fn told(diversions: &[Diversion], trusted: bool) -> Vec<String> {
        let forwards_in = ForwardsIn { diversion: true, history_info: true };
        let trunk = TrunkIdentity { trusted, forwards_in, ..TrunkIdentity::default() };
        let headers = headers(diversions, "carol", "d", Audience::Trunk(&trunk));
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let twice = [by("bob", Why::Busy, false), by("+1555", Why::NoAnswer, false)];
        let lines = told(&twice, false);
        assert_eq!(
            lines,
            [
                "Diversion: <sip:+1555@d>;reason=no-answer;counter=1;privacy=off",
                "Diversion: <sip:bob@d>;reason=user-busy;counter=1;privacy=off",
                "History-Info: <sip:bob@d?Reason=SIP%3Bcause%3D486>;index=1, \
                 <sip:+1555@d;cause=486?Reason=SIP%3Bcause%3D408>;index=1.1;mp=1, \
                 <sip:carol@d;cause=408>;index=1.1.1;mp=1.1",
            ]
        );
        assert_eq!(read(&message(&format!("{}\r\n{}\r\n", lines[0], lines[1])), 5), (twice.to_vec(), 2));
        assert_eq!(read(&message(&format!("{}\r\n", lines[2])), 5), (twice.to_vec(), 2));
        assert_eq!(read(&message(&format!("{}\r\n", lines[2])), 1), (twice[1..].to_vec(), 2));
    }

    #[test]
    fn who_is_private_is_told_to_the_trusted_only() {
        let once = [by("bob", Why::Always, true)];
        assert_eq!(
            told(&once, false),
            [
                "Diversion: <sip:anonymous@anonymous.invalid>;reason=unconditional;counter=1;privacy=full",
                "History-Info: <sip:anonymous@anonymous.invalid>;index=1, <sip:carol@d;cause=302>;index=1.1;mp=1",
            ]
        );
        let lines = told(&once, true);
        assert_eq!(
            lines[1],
            "History-Info: <sip:bob@d?Privacy=history>;index=1, <sip:carol@d;cause=302>;index=1.1;mp=1"
        );
        assert_eq!(read(&message(&format!("{}\r\n", lines[1])), 5).0, once);
        assert_eq!(read(&message(&format!("{}\r\n", lines[0])), 5).0, once);
    }

    #[test]
    fn a_counter_counts_and_nonsense_does_not() {
        let (diversions, count) = read(&message("Diversion: <tel:+1555>;reason=away;counter=4, x;reason=y\r\n"), 5);
        assert_eq!((diversions.len(), count), (1, 4));
        assert_eq!(diversions[0].why, Why::Unknown);
        let plain = "History-Info: <sip:bob@d>;index=1, <sip:bob@192.0.2.4>;index=1.1;rc=1\r\n";
        assert_eq!(read(&message(plain), 5), (Vec::new(), 0));
        assert_eq!(read(&message(""), 5), (Vec::new(), 0));
    }

    proptest::proptest! {
        #[test]
        fn any_history_is_read(text in "\\PC{0,120}") {
            read(&message(&format!("History-Info: {text}\r\nDiversion: {text}\r\n")), 3);
        }
    }
}
