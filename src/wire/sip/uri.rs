//! URIs (RFC 3261 §19.1, RFC 3966, RFC 8141).

use super::error::Malformed;
use super::params::Params;
use super::token::{is_unfit_uri, number};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    Urn,
    /// Any other, whose rest isn't looked into.
    Other,
}

/// A URI in its parts, each as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    pub scheme: Scheme,
    text: &'a str,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    params: Params<'a>,
    headers: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// The text must be the whole URI, without `<>` and without white space.
    pub fn parse(text: &'a str) -> Result<Uri<'a>, Malformed> {
        if is_unfit_uri(text) {
            return Err(Malformed("a URI holds a space, a quote, a bracket or a control character"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(Malformed("a URI has no scheme"))?;
        if !is_scheme(scheme) {
            return Err(Malformed("the scheme of a URI is malformed"));
        }
        if rest.is_empty() {
            return Err(Malformed("a URI has nothing after its scheme"));
        }
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("sip") => Scheme::Sip,
            _ if scheme.eq_ignore_ascii_case("sips") => Scheme::Sips,
            _ if scheme.eq_ignore_ascii_case("tel") => Scheme::Tel,
            _ if scheme.eq_ignore_ascii_case("urn") => Scheme::Urn,
            _ => Scheme::Other,
        };
        let bare = Uri {
            scheme,
            text,
            user: None,
            password: None,
            host: "",
            port: None,
            params: Params::default(),
            headers: None,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => bare.with_sip(rest),
            Scheme::Tel => bare.with_tel(rest),
            Scheme::Urn | Scheme::Other => Ok(bare),
        }
    }

    fn with_sip(mut self, rest: &'a str) -> Result<Uri<'a>, Malformed> {
        // The user may hold `;`, `?` and `/`, whereas `@` ends it and must be escaped elsewhere.
        let after_user = match rest.split_once('@') {
            Some((userinfo, after)) => {
                let (user, password) = match userinfo.split_once(':') {
                    Some((user, password)) => (user, Some(password)),
                    None => (userinfo, None),
                };
                if user.is_empty() {
                    return Err(Malformed("a URI has an empty user before its @"));
                }
                (self.user, self.password) = (Some(user), password);
                after
            }
            None => rest,
        };
        let (hostport_params, headers) = match after_user.split_once('?') {
            Some((before, headers)) => (before, Some(headers)),
            None => (after_user, None),
        };
        let end = hostport_params.find(';').unwrap_or(hostport_params.len());
        let (hostport, params) = hostport_params.split_at(end);
        (self.host, self.port) = host_and_port(hostport)?;
        self.params = Params::new(params);
        self.headers = headers;
        Ok(self)
    }

    fn with_tel(mut self, rest: &'a str) -> Result<Uri<'a>, Malformed> {
        let end = rest.find(';').unwrap_or(rest.len());
        let (number, params) = rest.split_at(end);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_hexdigit() || b"+*#-.()%".contains(&byte)) {
            return Err(Malformed("a tel URI holds no telephone number"));
        }
        self.user = Some(number);
        self.params = Params::new(params);
        Ok(self)
    }

    /// The URI as written.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The user as written; of a tel URI the number.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The user with its escapes resolved, empty if there is none; of a tel URI the number without visual separators
    /// (RFC 3966 §5.1.1). Bytes that aren't UTF-8 become U+FFFD.
    pub fn user_decoded(&self) -> Cow<'a, str> {
        let user = self.user.unwrap_or_default();
        if self.scheme == Scheme::Tel && user.contains(['-', '.', '(', ')', '%']) {
            let plain: String = unescape(user).chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
            return Cow::Owned(plain);
        }
        unescape(user)
    }

    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// The host without the brackets of an IPv6 reference; empty for a tel or urn URI.
    pub fn host(&self) -> &'a str {
        self.host
    }

    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The address, if the host is one and not a name.
    pub fn host_ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    pub fn params(&self) -> Params<'a> {
        self.params
    }

    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    /// What follows the `?`, as written.
    pub fn headers(&self) -> Option<&'a str> {
        self.headers
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4, RFC 3966 §4). It isn't transitive, as the RFC says.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        if self.text == other.text {
            return true;
        }
        if self.scheme != other.scheme {
            return false;
        }
        match self.scheme {
            Scheme::Sip | Scheme::Sips => {
                unescape_bytes(self.user.unwrap_or_default()) == unescape_bytes(other.user.unwrap_or_default())
                    && self.user.is_some() == other.user.is_some()
                    && self.password.map(unescape_bytes) == other.password.map(unescape_bytes)
                    && same_host(self.host, other.host)
                    && self.port == other.port
                    && same_params(self.params, other.params)
                    && same_headers(self.headers, other.headers)
            }
            Scheme::Tel => {
                self.user_decoded().eq_ignore_ascii_case(&other.user_decoded())
                    && has_same_params(self.params, other.params, |_| true)
                    && has_same_params(other.params, self.params, |_| true)
            }
            Scheme::Urn | Scheme::Other => self.text.eq_ignore_ascii_case(other.text),
        }
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// The text as it may stand as the user of a SIP URI: what the grammar doesn't allow there is escaped.
pub fn escape_user(text: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte);
    if text.bytes().all(allowed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if allowed(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(escaped)
}

fn is_scheme(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Reads `host[:port]`. Underscores are taken in names, since machines in the field have them.
pub(super) fn host_and_port(text: &str) -> Result<(&str, Option<u16>), Malformed> {
    let (host, after) = match text.strip_prefix('[') {
        Some(reference) => {
            let (address, after) = reference.split_once(']').ok_or(Malformed("an IPv6 reference lacks its ]"))?;
            address.parse::<Ipv6Addr>().map_err(|_| Malformed("an IPv6 reference holds no IPv6 address"))?;
            (address, after)
        }
        None => {
            let end = text.bytes().position(|byte| matches!(byte, b':' | b' ' | b'\t')).unwrap_or(text.len());
            let (host, after) = text.split_at(end);
            if host.is_empty()
                || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
            {
                return Err(Malformed("the host is malformed"));
            }
            (host, after)
        }
    };
    let after = super::token::trim(after);
    if after.is_empty() {
        return Ok((host, None));
    }
    let port = after.strip_prefix(':').map(super::token::trim).and_then(number);
    let port = port.and_then(|port| u16::try_from(port).ok()).ok_or(Malformed("the port is malformed"))?;
    Ok((host, Some(port)))
}

pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(String::from_utf8_lossy(&unescape_bytes(text)).into_owned())
}

/// A `%` that isn't followed by two hexadecimal digits stays.
fn unescape_bytes(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let digit = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(plain)
}

fn same_host(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), Err(_)) => one.eq_ignore_ascii_case(other),
        _ => false,
    }
}

/// More parameters or headers than this are compared as text only, so that nobody can make a comparison expensive.
const COMPARED: usize = 32;

/// These make a difference even where only one URI has them.
const DECISIVE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn same_params(one: Params<'_>, other: Params<'_>) -> bool {
    let decisive = |name: &str| DECISIVE.iter().any(|decisive| name.eq_ignore_ascii_case(decisive));
    has_same_params(one, other, decisive) && has_same_params(other, one, decisive)
}

/// Whether each parameter of `one` is equal in `other`, or missing there without being required.
fn has_same_params(one: Params<'_>, other: Params<'_>, required: impl Fn(&str) -> bool) -> bool {
    if one.iter().nth(COMPARED).is_some() || other.iter().nth(COMPARED).is_some() {
        return one == other;
    }
    one.iter().all(|(name, value)| match other.get(name) {
        Some(found) => unescape(found.unwrap_or_default()).eq_ignore_ascii_case(&unescape(value.unwrap_or_default())),
        None => !required(name),
    })
}

fn same_headers(one: Option<&str>, other: Option<&str>) -> bool {
    let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
    let split = |text| -> Option<Vec<(String, String)>> {
        let pairs = str::split(text, '&').filter(|pair| !pair.is_empty());
        let mut pairs: Vec<_> = pairs
            .take(COMPARED + 1)
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (unescape(name).to_ascii_lowercase(), unescape(value).into_owned()))
            .collect();
        pairs.sort();
        (pairs.len() <= COMPARED).then_some(pairs)
    };
    match (split(one), split(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Whether the text is an IPv4 address, or an IPv6 address with or without brackets.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<Ipv4Addr>().map(IpAddr::V4).or_else(|_| text.parse::<Ipv6Addr>().map(IpAddr::V6)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(uri.to_string(), text);
        uri
    }

    #[test]
    fn sip_uris_in_their_parts() {
        let u = uri("sip:alice:secret@atlanta.example:5070;transport=tcp;lr?subject=x&priority=urgent");
        assert_eq!((u.scheme, u.user(), u.password()), (Scheme::Sip, Some("alice"), Some("secret")));
        assert_eq!((u.host(), u.port()), ("atlanta.example", Some(5070)));
        assert_eq!((u.param("Transport"), u.param("lr"), u.param("x")), (Some(Some("tcp")), Some(None), None));
        assert_eq!(u.headers(), Some("subject=x&priority=urgent"));
        let u = uri("SIPS:host_one.example");
        assert_eq!((u.scheme, u.user(), u.host(), u.port()), (Scheme::Sips, None, "host_one.example", None));
        let u = uri("sip:user;par=u%40example.net@example.com");
        assert_eq!(u.user(), Some("user;par=u%40example.net"));
        assert_eq!(u.user_decoded(), "user;par=u@example.net");
        let u = uri("sip:*31%23123@gw");
        assert_eq!((u.user(), &*u.user_decoded()), (Some("*31%23123"), "*31#123"));
        let u = uri("sip:%@h");
        assert_eq!(u.user_decoded(), "%");
        assert_eq!(uri("sip:null-%00-null@example.com").user_decoded(), "null-\0-null");
    }

    #[test]
    fn ipv6_references() {
        let u = uri("sip:a@[2001:db8::10]:5070");
        assert_eq!((u.host(), u.port()), ("2001:db8::10", Some(5070)));
        assert_eq!(u.host_ip(), Some("2001:db8::10".parse().unwrap()));
        assert!(Uri::parse("sip:[2001:db8::10").is_err());
        assert!(Uri::parse("sip:[nonsense]").is_err());
        assert!(Uri::parse("sip:[::1]x").is_err());
    }

    #[test]
    fn tel_urn_and_other_uris() {
        let u = uri("tel:+1-201-555(0123);phone-context=x");
        assert_eq!((u.scheme, u.user(), u.host()), (Scheme::Tel, Some("+1-201-555(0123)"), ""));
        assert_eq!(u.user_decoded(), "+12015550123");
        assert_eq!(u.param("phone-context"), Some(Some("x")));
        assert_eq!(uri("urn:service:sos").scheme, Scheme::Urn);
        assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme, Scheme::Other);
    }

    #[test]
    fn what_is_no_uri() {
        for text in ["", "sip:", "alice", "sip:a b@c", "<sip:a@b>", "sip:@host", "sip:a@", "sip:a@b@c", "sip:a@b:x"] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
        for text in ["sip:a@b:65536", "sip:a@b:-1", "1sip:a@b", "tel:", "tel:hello", "sip:a@h\u{e9}", ":x"] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn equivalence_by_the_examples_of_the_rfc() {
        let same = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+1-201-555-0123", "tel:+1(201)5550123"),
            ("sip:[2001:DB8::1]", "sip:[2001:db8:0::1]"),
        ];
        for (one, other) in same {
            assert!(uri(one).equivalent(&uri(other)) && uri(other).equivalent(&uri(one)), "{one} {other}");
        }
        let different = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@b", "sips:a@b"),
        ];
        for (one, other) in different {
            assert!(!uri(one).equivalent(&uri(other)) && !uri(other).equivalent(&uri(one)), "{one} {other}");
        }
    }

    #[test]
    fn users_are_escaped_and_come_back() {
        for user in ["alice", "*31#1", "a@b c", "\u{e9}%", ""] {
            let escaped = escape_user(user);
            if !user.is_empty() {
                assert_eq!(uri(&format!("sip:{escaped}@h")).user_decoded(), user);
            }
        }
        assert_eq!(escape_user("a#@"), "a%23%40");
    }

    #[test]
    fn addresses_with_and_without_brackets() {
        assert_eq!(ip("[::1]"), ip("::1"));
        assert_eq!(ip("192.0.2.1"), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(ip("[192.0.2.1]"), None);
    }
}
