//! The numbers of reliable provisional answers: RFC 3262 §7.

use super::error::Malformed;
use super::token::{number, trim};
use super::{Message, Name};

/// The value of a RAck field: which provisional answer of which request is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    pub rseq: u32,
    pub cseq: u32,
    pub method: &'a str,
}

impl<'a> RAck<'a> {
    pub fn parse(text: &'a str) -> Result<RAck<'a>, Malformed> {
        let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
        let mut next = || words.next().ok_or(Malformed("a number or the method is missing"));
        let (rseq, cseq, method) = (next()?, next()?, trim(next()?));
        let read = |text| number(text).ok_or(Malformed("a sequence number is no number"));
        Ok(RAck { rseq: read(rseq)?, cseq: read(cseq)?, method })
    }
}

impl Message {
    /// The number of a provisional answer that is to be acknowledged: none where it needs no acknowledgement, or where the
    /// number is missing or malformed. It is 1 to 2^31 - 1 in the first answer, and grows.
    pub fn rseq(&self) -> Option<u32> {
        let is_reliable = (101..=199).contains(&self.status()) && self.has_token(Name::Require, "100rel");
        self.header(Name::RSeq).filter(|_| is_reliable).and_then(number).filter(|&number| number > 0)
    }

    pub fn rack(&self) -> Option<RAck<'_>> {
        self.header(Name::RAck).and_then(|value| RAck::parse(value).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn an_acknowledgement_is_two_numbers_and_a_method() {
        assert_eq!(RAck::parse("776656  1 INVITE"), Ok(RAck { rseq: 776656, cseq: 1, method: "INVITE" }));
        for text in ["", "1", "1 2", "x 2 INVITE", "1 y INVITE"] {
            assert!(RAck::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_required_to_be_acknowledged_has_a_number() {
        let rseq = |status: u16, fields: &str| {
            Message::parse(Bytes::from(format!("SIP/2.0 {status} X\r\n{fields}\r\n"))).unwrap().rseq()
        };
        assert_eq!(rseq(183, "Require: 100rel\r\nRSeq: 5\r\n"), Some(5));
        assert_eq!(rseq(183, "Require: timer, 100REL\r\nRSeq: 5\r\n"), Some(5));
        assert_eq!(rseq(183, "RSeq: 5\r\n"), None);
        assert_eq!(rseq(183, "Require: 100rel\r\n"), None);
        assert_eq!(rseq(183, "Require: 100rel\r\nRSeq: 0\r\n"), None);
        assert_eq!(rseq(100, "Require: 100rel\r\nRSeq: 5\r\n"), None);
        assert_eq!(rseq(200, "Require: 100rel\r\nRSeq: 5\r\n"), None);
    }
}
