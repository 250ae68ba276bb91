//! Via values (RFC 3261 §20.42, RFC 3581).

use super::error::Malformed;
use super::params::Params;
use super::token::{is_space, is_token, split_list, trim};
use super::uri::{host_and_port, ip};
use std::fmt::Write;
use std::net::SocketAddr;

/// One hop that a message has gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// As written, such as `UDP`.
    pub transport: &'a str,
    /// The host that the sender says it is, without the brackets of an IPv6 reference.
    pub host: &'a str,
    pub port: Option<u16>,
    version: &'a str,
    sent_by: &'a str,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    pub fn parse(text: &'a str) -> Result<Via<'a>, Malformed> {
        let text = trim(text);
        let (protocol, rest) = text.split_once('/').ok_or(Malformed("a Via has no protocol"))?;
        let (version, rest) = rest.split_once('/').ok_or(Malformed("a Via has no transport"))?;
        let rest = trim(rest);
        let (transport, rest) = rest.split_at(rest.find([' ', '\t']).unwrap_or(rest.len()));
        let (protocol, version) = (trim(protocol), trim(version));
        if !protocol.eq_ignore_ascii_case("SIP") || !is_token(version) || !is_token(transport) {
            return Err(Malformed("the protocol of a Via is malformed"));
        }
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let sent_by = trim(sent_by);
        let (host, port) = host_and_port(sent_by)?;
        let params = Params::new(params);
        if !params.is_balanced() {
            return Err(Malformed("the quotes of a parameter are not closed"));
        }
        Ok(Via { transport, host, port, version, sent_by, params })
    }

    /// Host and port as written.
    pub fn sent_by(&self) -> &'a str {
        self.sent_by
    }

    /// The protocol's version, `2.0`.
    pub fn version(&self) -> &'a str {
        self.version
    }

    pub fn branch(&self) -> Option<&'a str> {
        self.param("branch").flatten().filter(|branch| !branch.is_empty())
    }

    /// The address that the message came from, if it wasn't the one in the Via; without brackets.
    pub fn received(&self) -> Option<&'a str> {
        let received = self.param("received").flatten()?;
        Some(received.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(received))
    }

    /// Asked for without a value, answered with one (RFC 3581 §3).
    pub fn rport(&self) -> Option<Option<u16>> {
        self.param("rport").map(|port| port.and_then(|port| port.parse().ok()))
    }

    pub fn params(&self) -> Params<'a> {
        self.params
    }

    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }
}

/// The text of a Via field whose first value says where its message came from (RFC 3261 §18.2.1, RFC 3581 §4): the
/// address where it differs from sent-by, address and port where the sender asks for `rport`. What the sender claims
/// itself about either is dropped.
pub(super) fn stamped(field: &str, source: SocketAddr) -> Option<String> {
    let mut values = split_list(field);
    let top = values.next()?;
    let rest = values.rest();
    let via = Via::parse(top).ok()?;
    let wants_port = via.rport().is_some();
    let head = top.len() - via.params.as_str().len();
    let mut text = String::with_capacity(field.len() + 48);
    text.push_str(top.get(..head)?.trim_end_matches(|c: char| u8::try_from(c).is_ok_and(is_space)));
    // Writing to memory doesn't fail.
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case("received") {
            continue;
        }
        text.push(';');
        text.push_str(name);
        match value {
            _ if name.eq_ignore_ascii_case("rport") => drop(write!(text, "={}", source.port())),
            Some(value) if is_token(value) || value.is_empty() || ip(value).is_some() => {
                text.push('=');
                text.push_str(value);
            }
            Some(value) => drop(write!(text, "=\"{value}\"")),
            None => {}
        }
    }
    if wants_port || ip(via.host) != Some(source.ip()) {
        let _ = write!(text, ";received={}", source.ip());
    }
    if !trim(rest).is_empty() {
        text.push_str(", ");
        text.push_str(trim(rest));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Via<'_> {
        Via::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn white_space_and_case_wherever_they_may_be() {
        let via = parsed("SIP  / 2.0 /\tUDP  first.example.com : 4000 ; ttl=16;maddr=224.2.0.1 ; Branch = z9hG4bKa7c6");
        assert_eq!((via.transport, via.host, via.port), ("UDP", "first.example.com", Some(4000)));
        assert_eq!((via.branch(), via.param("TTL")), (Some("z9hG4bKa7c6"), Some(Some("16"))));
        assert_eq!(via.sent_by(), "first.example.com : 4000");
        assert_eq!(parsed("SIP/2.0/UDP h ;branch=x (comment)").branch(), Some("x"));
    }

    #[test]
    fn addresses_of_version_six() {
        let via = parsed("SIP/2.0/UDP [2001:db8::9:1]:5061;received=[2001:db8::9:255];rport=9;branch=z");
        assert_eq!((via.host, via.port, via.sent_by()), ("2001:db8::9:1", Some(5061), "[2001:db8::9:1]:5061"));
        assert_eq!((via.received(), via.rport()), (Some("2001:db8::9:255"), Some(Some(9))));
        assert_eq!(parsed("SIP/2.0/UDP [::1];received=2001:db8::1").received(), Some("2001:db8::1"));
    }

    #[test]
    fn rport_asked_and_absent() {
        assert_eq!(parsed("SIP/2.0/UDP h;rport").rport(), Some(None));
        assert_eq!(parsed("SIP/2.0/UDP h").rport(), None);
    }

    #[test]
    fn what_is_no_via() {
        for text in
            ["", ";", "SIP/2.0", "SIP/2.0/UDP", "HTTP/2.0/UDP h", "SIP/2.0/ h", "SIP/2.0/UDP h:x", "SIP/2.0/U@ h"]
        {
            assert!(Via::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_source_is_stamped_on_the_top_value_only() {
        let source = "192.0.2.9:1024".parse().unwrap();
        let stamp = |text| stamped(text, source).unwrap();
        assert_eq!(
            stamp("SIP/2.0/UDP h:5060 ;rport; branch=z1;received=6.6.6.6 , SIP/2.0/UDP b;branch=z2;rport"),
            "SIP/2.0/UDP h:5060;rport=1024;branch=z1;received=192.0.2.9, SIP/2.0/UDP b;branch=z2;rport"
        );
        assert_eq!(stamp("SIP/2.0/UDP 192.0.2.9;branch=z"), "SIP/2.0/UDP 192.0.2.9;branch=z");
        assert_eq!(stamp("SIP/2.0/UDP 10.0.0.1;x=\"a;b\""), "SIP/2.0/UDP 10.0.0.1;x=\"a;b\";received=192.0.2.9");
        assert_eq!(stamped(",", source), None);
        let six = "[2001:db8::5]:7".parse().unwrap();
        assert_eq!(
            stamped("SIP/2.0/UDP [2001:db8::5];rport", six).unwrap(),
            "SIP/2.0/UDP [2001:db8::5];rport=7;received=2001:db8::5"
        );
    }
}
