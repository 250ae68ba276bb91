//! Replaces (RFC 3891 §6.1): the dialog whose place an INVITE takes.

use super::error::Malformed;
use super::params::Params;
use super::token::is_token;
use super::uri::{Uri, unescape};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    /// Of whoever receives the INVITE, and of its peer in that dialog.
    pub to_tag: String,
    pub from_tag: String,
    /// Only an early dialog is meant.
    pub early_only: bool,
}

impl Replaces {
    /// None where a part is missing.
    pub fn parse(value: &str) -> Option<Replaces> {
        let at = value.find(';')?;
        let call_id = value[..at].trim();
        let params = Params::new(&value[at..]);
        let tag = |name: &str| params.get(name).flatten().filter(|tag| is_token(tag)).map(str::to_owned);
        if call_id.is_empty() {
            return None;
        }
        Some(Replaces {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }

    /// As the header part of a URI in Refer-To says it (RFC 3261 §19.1.1); none where it says nothing of it, an error
    /// where that can't be read.
    pub fn of_uri(uri: &Uri<'_>) -> Result<Option<Replaces>, Malformed> {
        let mut fields = uri.headers().unwrap_or_default().split('&').filter_map(|field| field.split_once('='));
        match fields.find(|(name, _)| name.eq_ignore_ascii_case("Replaces")) {
            Some((_, value)) => {
                Replaces::parse(&unescape(value)).map(Some).ok_or(Malformed("the Replaces is malformed"))
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaces(early_only: bool) -> Replaces {
        Replaces { call_id: "a@b".into(), to_tag: "1".into(), from_tag: "2".into(), early_only }
    }

    #[test]
    fn it_has_a_call_id_and_both_tags() {
        assert_eq!(Replaces::parse("a@b;to-tag=1;from-tag=2"), Some(replaces(false)));
        assert_eq!(Replaces::parse("a@b ; from-tag=2 ;x=y; to-tag=1;early-only"), Some(replaces(true)));
        for wrong in
            ["", "a@b", "a@b;to-tag=1", "a@b;to-tag=1;from-tag", "a@b;to-tag=1;from-tag=2, c", ";to-tag=1;from-tag=2"]
        {
            assert_eq!(Replaces::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_uri_holds_it_escaped() {
        let of = |text: &str| Replaces::of_uri(&Uri::parse(text).unwrap());
        assert_eq!(of("sip:c@x?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2"), Ok(Some(replaces(false))));
        assert_eq!(of("sip:c@x?Subject=x&replaces=a@b%3bto-tag%3d1%3bfrom-tag%3d2"), Ok(Some(replaces(false))));
        assert_eq!(of("sip:c@x?Replaces=a%40b"), Err(Malformed("the Replaces is malformed")));
        assert_eq!(of("sip:c@x"), Ok(None));
    }
}
