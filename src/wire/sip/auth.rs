//! The syntax of challenges and credentials (RFC 3261 §20.44, RFC 7616).

use super::error::Malformed;
use super::token::{is_token, quoted_length, trim};
use std::borrow::Cow;

/// What a server asks for: one challenge of WWW-Authenticate or Proxy-Authenticate.
pub type Challenge<'a> = Credentials<'a>;

/// A scheme and its parameters, as Authorization and Proxy-Authorization hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    pub scheme: &'a str,
    params: &'a str,
}

impl<'a> Credentials<'a> {
    /// Of a field's value with several challenges, this is the first; [`challenges`] gives all.
    pub fn parse(value: &'a str) -> Result<Credentials<'a>, Malformed> {
        challenges(value).next().unwrap_or(Err(Malformed("empty")))
    }

    /// The first parameter of that name, without quotes and escapes.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Names and values in their order.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        Parts(self.params).filter_map(|part| part.split_once('=')).map(|(name, value)| (trim(name), plain(trim(value))))
    }

    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }
}

/// The challenges that stand in one field's value, where a comma separates parameters as well as challenges.
pub fn challenges(value: &str) -> impl Iterator<Item = Result<Challenge<'_>, Malformed>> {
    let mut rest = trim(value);
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return None;
        }
        let Some((scheme, after)) = opening(rest) else {
            rest = "";
            return Some(Err(Malformed("no scheme is followed by a parameter")));
        };
        let mut parts = Parts(after);
        let mut taken = 0;
        while let Some(part) = parts.next() {
            if taken > 0 && opening(part).is_some() {
                break;
            }
            taken = after.len() - parts.0.len();
        }
        let (params, others) = after.split_at(taken);
        rest = others;
        Some(Ok(Credentials { scheme, params }))
    })
}

/// Splits `Scheme name=…` behind its scheme; none if the text goes on with a parameter of the scheme before.
fn opening(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once([' ', '\t'])?;
    let rest = rest.trim_start_matches([' ', '\t']);
    (is_token(scheme) && !rest.starts_with('=') && !rest.is_empty()).then_some((scheme, rest))
}

/// The parts between commas that stand outside of quotes; nothing else is special here, since tokens such as a nonce
/// without quotes may hold any sign.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start_matches([',', ' ', '\t']);
        if text.is_empty() {
            self.0 = "";
            return None;
        }
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b',' => break,
                b'"' => at += text.get(at..).and_then(quoted_length).unwrap_or(bytes.len() - at),
                _ => at += 1,
            }
        }
        let (part, rest) = text.split_at_checked(at)?;
        self.0 = rest;
        Some(trim(part))
    }
}

fn plain(value: &str) -> Cow<'_, str> {
    let Some(quoted) = value.strip_prefix('"') else { return Cow::Borrowed(value) };
    let inner = quoted.strip_suffix('"').unwrap_or(quoted);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_with_quotes_spaces_and_escapes() {
        let text = r#"Digest  username = "al\"ice", realm="a, b" ,nc=00000001,qop=auth, Response="0f",uri="sip:x;y=z""#;
        let c = Credentials::parse(text).unwrap();
        assert!(c.is_digest());
        assert_eq!(c.get("username").as_deref(), Some("al\"ice"));
        assert_eq!(c.get("REALM").as_deref(), Some("a, b"));
        assert_eq!(c.get("nc").as_deref(), Some("00000001"));
        assert_eq!(c.get("response").as_deref(), Some("0f"));
        assert_eq!(c.get("uri").as_deref(), Some("sip:x;y=z"));
        assert_eq!(c.get("opaque"), None);
    }

    #[test]
    fn several_challenges_in_one_field() {
        let text =
            r#"Digest realm="a", qop="auth,auth-int", nonce="1", Digest realm="b",algorithm=MD5 , Basic realm="c""#;
        let all: Vec<_> = challenges(text).map(Result::unwrap).collect();
        let realms: Vec<_> = all.iter().map(|challenge| challenge.get("realm").unwrap()).collect();
        assert_eq!(realms, ["a", "b", "c"]);
        assert_eq!(all[0].get("qop").as_deref(), Some("auth,auth-int"));
        assert_eq!(all[1].get("qop"), None);
        assert_eq!((all[1].get("algorithm").as_deref(), all[2].scheme), (Some("MD5"), "Basic"));
    }

    #[test]
    fn what_is_no_challenge() {
        for text in ["", "Digest", "realm=\"a\"", "Digest ", ", ,"] {
            assert!(Credentials::parse(text).is_err(), "{text}");
        }
        assert_eq!(Credentials::parse("Digest realm=\"open").unwrap().get("realm").as_deref(), Some("open"));
    }
}
