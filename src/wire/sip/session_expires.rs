//! How long a session lasts without a refresh: RFC 4028 §4, §5.

use super::token::{number, trim};
use super::{Message, Name, Params};

/// The value of a Session-Expires field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    pub seconds: u32,
    pub refresher: Option<Refresher>,
}

/// Who refreshes: the side that sent the request, or the one that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    Uac,
    Uas,
}

impl SessionExpires {
    pub fn parse(text: &str) -> Option<SessionExpires> {
        let (seconds, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let refresher = match Params::new(params).get("refresher").flatten() {
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(SessionExpires { seconds: number(trim(seconds))?, refresher })
    }
}

impl std::fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

impl Message {
    /// None if absent or malformed.
    pub fn session_expires(&self) -> Option<SessionExpires> {
        self.header(Name::SessionExpires).and_then(SessionExpires::parse)
    }

    /// The Min-SE field in seconds. None if absent or malformed.
    pub fn min_se(&self) -> Option<u32> {
        let value = self.header(Name::MinSe)?;
        number(trim(value.split(';').next().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_who_refreshes() {
        let read = |text: &str| SessionExpires::parse(text).map(|read| (read.seconds, read.refresher));
        assert_eq!(read("1800"), Some((1800, None)));
        assert_eq!(read("1800;refresher=uac"), Some((1800, Some(Refresher::Uac))));
        assert_eq!(read("90 ; Refresher = UAS;x=y"), Some((90, Some(Refresher::Uas))));
        assert_eq!(read("4000;refresher=proxy"), Some((4000, None)));
        assert_eq!(read("99999999999"), Some((u32::MAX, None)));
        assert_eq!(read("soon").or(read("")).or(read(";refresher=uac")), None);
        let text = SessionExpires { seconds: 90, refresher: Some(Refresher::Uas) }.to_string();
        assert_eq!(SessionExpires::parse(&text).unwrap().to_string(), "90;refresher=uas");
    }
}
