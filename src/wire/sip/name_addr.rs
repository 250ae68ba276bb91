//! Addresses with a display name and parameters: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use super::error::Malformed;
use super::params::Params;
use super::token::{is_unfit_uri, number, quoted_length, trim};
use super::uri::Uri;
use std::borrow::Cow;

/// One `name-addr` or `addr-spec` with the parameters of its header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// As written, with its quotes.
    display: &'a str,
    uri: &'a str,
    params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Without `<>`, parameters belong to the header field and not to the URI. A display name may hold more than the
    /// grammar allows without quotes, as long as the URI in its `<>` is plain to see.
    pub fn parse(text: &'a str) -> Result<NameAddr<'a>, Malformed> {
        let text = trim(text);
        let open = match text.as_bytes().first() {
            None => return Err(Malformed("an address is empty")),
            Some(b'"') => {
                let quoted = quoted_length(text).ok_or(Malformed("the quotes of a display name are not closed"))?;
                let after = text.get(quoted..).unwrap_or_default();
                if !trim(after).starts_with('<') {
                    return Err(Malformed("no <URI> follows a display name"));
                }
                text.len() - after.trim_start().len()
            }
            Some(_) => match memchr::memchr2(b'<', b'"', text.as_bytes()) {
                Some(at) if text.as_bytes().get(at) == Some(&b'<') => at,
                _ => return NameAddr::parse_addr_spec(text),
            },
        };
        let (display, rest) = text.split_at(open);
        let rest = rest.get(1..).unwrap_or_default();
        let (uri, after) = rest.split_once('>').ok_or(Malformed("the < of a URI is not closed"))?;
        NameAddr::checked(trim(display), trim(uri), trim(after))
    }

    fn parse_addr_spec(text: &'a str) -> Result<NameAddr<'a>, Malformed> {
        let (uri, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        if uri.contains([',', '?']) {
            return Err(Malformed("a URI with a comma or question mark lacks its <>"));
        }
        NameAddr::checked("", trim(uri), params)
    }

    fn checked(display: &'a str, uri: &'a str, params: &'a str) -> Result<NameAddr<'a>, Malformed> {
        // It is copied into other messages as it stands.
        if uri.is_empty() || is_unfit_uri(uri) {
            return Err(Malformed("the URI of an address is empty or holds a space, a quote or a bracket"));
        }
        if !params.is_empty() && !params.starts_with(';') {
            return Err(Malformed("more than parameters follows an address"));
        }
        let params = Params::new(params);
        if !params.is_balanced() {
            return Err(Malformed("the quotes of a parameter are not closed"));
        }
        Ok(NameAddr { display, uri, params })
    }

    /// The display name without quotes and escapes; none if it is missing or empty.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        let quoted = self.display.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let name = quoted.unwrap_or(self.display);
        if name.is_empty() {
            return None;
        }
        if quoted.is_none() || !name.contains('\\') {
            return Some(Cow::Borrowed(name));
        }
        let mut plain = String::with_capacity(name.len());
        let mut characters = name.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => plain.extend(characters.next()),
                other => plain.push(other),
            }
        }
        Some(Cow::Owned(plain))
    }

    /// The URI as written, without `<>`.
    pub fn uri(&self) -> &'a str {
        self.uri
    }

    pub fn parse_uri(&self) -> Result<Uri<'a>, Malformed> {
        Uri::parse(self.uri)
    }

    /// The parameters of the header field, which those of the URI in `<>` are not.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    pub fn tag(&self) -> Option<&'a str> {
        self.param("tag").flatten().filter(|tag| !tag.is_empty())
    }

    /// The preference in thousandths, from 0 to 1000.
    pub fn q(&self) -> Option<u16> {
        let (whole, fraction) = self.param("q").flatten().map(|q| q.split_once('.').unwrap_or((q, "")))?;
        if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let thousandths = if fraction.is_empty() { 0 } else { number(fraction)? * [1000, 100, 10, 1][fraction.len()] };
        match (whole, thousandths) {
            ("0" | "", _) => u16::try_from(thousandths).ok(),
            ("1", 0) => Some(1000),
            _ => None,
        }
    }

    /// The `expires` parameter of a Contact in seconds; the largest number if it is larger than that.
    pub fn expires(&self) -> Option<u32> {
        number(self.param("expires").flatten()?)
    }
}

/// The text as a quoted display name. Control characters become spaces.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> NameAddr<'_> {
        NameAddr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_uri_in_a_display_name_is_not_the_address() {
        let a = parsed(r#""evil <sip:x@evil>" <sip:a@a>;tag=1"#);
        assert_eq!((a.uri(), a.tag(), a.display().as_deref()), ("sip:a@a", Some("1"), Some("evil <sip:x@evil>")));
    }

    #[test]
    fn display_names_are_unescaped() {
        let a = parsed(r#""J. \"Q\" \\ \é" <sip:a@a>"#);
        assert_eq!(a.display().as_deref(), Some(r#"J. "Q" \ é"#));
        assert_eq!(parsed(r#"Bell, Alexander <sip:a@b>;tag=43"#).display().as_deref(), Some("Bell, Alexander"));
        assert_eq!(parsed(r#""" <sip:a@b>"#).display(), None);
        assert_eq!(parsed("<sip:a@b>").display(), None);
        assert_eq!(parsed(&format!("{}<sip:a@b>", quote("a\"\\\r\nb"))).display().as_deref(), Some("a\"\\  b"));
    }

    #[test]
    fn parameters_belong_to_the_header_without_brackets() {
        let a = parsed("sip:a@b ; tag = x");
        assert_eq!((a.uri(), a.tag()), ("sip:a@b", Some("x")));
        let a = parsed("<sip:a@b;tag=u;lr> ;TAG=h;flag");
        assert_eq!(
            (a.uri(), a.tag(), a.param("flag"), a.param("lr")),
            ("sip:a@b;tag=u;lr", Some("h"), Some(None), None)
        );
        let a = parsed("tel:+1;tag=7");
        assert_eq!((a.uri(), a.tag()), ("tel:+1", Some("7")));
        assert_eq!(parsed("< sip:a@b >").uri(), "sip:a@b");
    }

    #[test]
    fn preferences_in_thousandths() {
        let q = |text: &str| parsed(&format!("<sip:a@b>;q={text}")).q();
        assert_eq!([q("1"), q("1.0"), q("1.000"), q("0.5")], [Some(1000), Some(1000), Some(1000), Some(500)]);
        assert_eq!([q("0.25"), q("0"), q("0.")], [Some(250), Some(0), Some(0)]);
        assert_eq!([q("1.1"), q("2"), q("-1"), q("0.1234"), q("x"), q("0.x")].iter().flatten().count(), 0);
        assert_eq!(parsed("<sip:a@b>;expires=99999999999").expires(), Some(u32::MAX));
        assert_eq!(parsed("<sip:a@b>;expires=x").expires(), None);
    }

    #[test]
    fn what_is_no_address() {
        for text in ["", "\"a", "\"a\"", "\"a\" sip:a@b", "<sip:a@b", "<>", "<sip:a@b>, <sip:c@d>", "<sip:a@b>x"] {
            assert!(NameAddr::parse(text).is_err(), "{text}");
        }
        for text in [
            "sip:a@b?x=y",
            "sip:a@b, sip:c@d",
            "Bob sip:a@b",
            "<sip:a b@c>",
            "<sip:a@b>;x=\"y",
            "<<sip:a@b>>",
            "sip:a@b>",
            "<sip:a\"@b>",
        ] {
            assert!(NameAddr::parse(text).is_err(), "{text}");
        }
    }
}
