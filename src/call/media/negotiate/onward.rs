//! What one leg's peer says of a line, as far as the other leg's peer may learn it.

use crate::wire::description::Media;
use std::net::IpAddr;

/// Attributes that belong to one hop, tell who somebody is, or ask for something that isn't done here: addresses and their
/// keys, what groups or names lines and streams, extensions of the header, which aren't passed on. Private ones, which begin
/// with `x-`, stay too.
const KEPT_BACK: [&str; 33] = [
    "alt",
    "bundle-only",
    "candidate",
    "cname",
    "connection",
    "crypto",
    "end-of-candidates",
    "extmap",
    "extmap-allow-mixed",
    "fingerprint",
    "group",
    "ice-lite",
    "ice-mismatch",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "key-mgmt",
    "mid",
    "msid",
    "msid-semantic",
    "path",
    "remote-candidates",
    "rid",
    "rtcp-rsize",
    "rtcp-xr",
    "setup",
    "simulcast",
    "source-filter",
    "ssrc",
    "ssrc-group",
    "tls-id",
    "tool",
    "zrtp-hash",
];

/// The feedback that is passed on (RFC 4585 §4.2, RFC 5104 §7.1).
const FEEDBACK: [&str; 7] = ["nack", "nack pli", "nack sli", "nack rpsi", "ccm fir", "ccm tmmbr", "goog-remb"];

/// Attributes for a line of ours that stands for `line` on the other leg. `number` is what a payload type there is called
/// here; what speaks of others is left out.
pub fn attributes(line: &Media, number: impl Fn(u8) -> Option<u8>) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for (name, value) in &line.attributes {
        let is_private = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        let is_kept_back = is_private || KEPT_BACK.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_kept_back || value.as_deref().is_some_and(tells_address) {
            continue;
        }
        match (name.as_str(), value.as_deref()) {
            ("rtcp-fb", Some(value)) => {
                let Some(value) = feedback(value, &number) else { continue };
                all.push((name.clone(), Some(value)));
            }
            _ => all.push((name.clone(), value.clone())),
        }
    }
    all
}

/// `96 nack pli`, or `* nack` for all.
fn feedback(value: &str, number: impl Fn(u8) -> Option<u8>) -> Option<String> {
    let (which, what) = value.trim().split_once(' ')?;
    let words: Vec<&str> = what.split_ascii_whitespace().collect();
    let kind = words.join(" ");
    let is_known = FEEDBACK.iter().any(|known| kind.eq_ignore_ascii_case(known));
    let is_rate = words.len() == 3 && kind.starts_with("ccm tmmbr ");
    if !is_known && !is_rate {
        return None;
    }
    match which {
        "*" => Some(format!("* {kind}")),
        _ => Some(format!("{} {kind}", number(which.parse().ok()?)?)),
    }
}

/// Whether an address stands anywhere in a text.
fn tells_address(text: &str) -> bool {
    let words = text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '.' && letter != ':');
    words.into_iter().any(|word| {
        let bare = word.trim_matches(':').trim_end_matches('.');
        let without_port = bare.rsplit_once(':').map_or(bare, |(address, _)| address);
        let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
        is_address(word) || is_address(bare) || is_address(without_port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::description::Kind;
    use std::net::SocketAddr;

    #[test]
    fn unknown_attributes_pass_and_what_belongs_to_a_hop_stays() {
        let mut line = Media::new(Kind::Video, "RTP/AVPF", SocketAddr::from(([192, 0, 2, 1], 4_000)));
        for (name, value) in [
            ("framerate", Some("30")),
            ("flag", None),
            ("x-flag", None),
            ("X-Phone", Some("7")),
            ("content", Some("slides")),
            ("T38FaxMaxDatagram", Some("400")),
            ("candidate", Some("1 1 udp 1 10.0.0.1 9 typ host")),
            ("where", Some("from 10.0.0.1:4000")),
            ("six", Some("[2001:db8::5]:9")),
            ("ssrc", Some("5 cname:alice@home")),
            ("MID", Some("0")),
            ("rtcp-fb", Some("96 nack pli")),
            ("rtcp-fb", Some("97 nack")),
            ("rtcp-fb", Some("96 transport-cc")),
            ("rtcp-fb", Some("* ccm fir")),
            ("rtcp-fb", Some("96 ccm tmmbr smaxpr=120")),
            ("rtcp-fb", Some("x")),
        ] {
            line.attributes.push((name.to_owned(), value.map(str::to_owned)));
        }
        let passed = attributes(&line, |number| (number == 96).then_some(102));
        let text: Vec<String> =
            passed.iter().map(|(name, value)| format!("{name}:{}", value.as_deref().unwrap_or_default())).collect();
        assert_eq!(
            text,
            [
                "framerate:30",
                "flag:",
                "content:slides",
                "T38FaxMaxDatagram:400",
                "rtcp-fb:102 nack pli",
                "rtcp-fb:* ccm fir",
                "rtcp-fb:102 ccm tmmbr smaxpr=120",
            ]
        );
    }
}
