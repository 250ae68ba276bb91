//! What makes a message unacceptable although it can be read.

use super::limits::Limits;
use super::message::{Message, Start};
use super::token::number;
use super::{Method, Name, Scheme, Uri};
use std::fmt;

/// What is wrong with a message: a request gets this answer, a response is dropped (RFC 3261 §16.3, §8.2.2, §18.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    pub status: u16,
    /// A phrase for the status line.
    pub reason: &'static str,
    pub detail: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.reason, self.detail)
    }
}

impl std::error::Error for Defect {}

/// These may stand once in a message.
const SINGLE: [Name; 6] = [Name::From, Name::To, Name::CallId, Name::CSeq, Name::MaxForwards, Name::ContentType];

impl Message {
    /// Whether all is there and legal that every element needs (RFC 3261 §8.1.1, §20). The first defect is told.
    pub fn check(&self) -> Result<(), Defect> {
        self.check_start()?;
        if let Some(line) = self.bad_line {
            return Err(bad("Bad Header Field", format!("line {line} is no header field, or the head has no end")));
        }
        self.check_presence()?;
        self.check_vias()?;
        for name in [Name::From, Name::To] {
            let address = self.address(name).map_err(malformed)?;
            address.parse_uri().map_err(|error| malformed(error.within(name)))?;
        }
        let cseq = self.cseq().map_err(malformed)?;
        if self.is_request() && cseq.method != self.method.as_str() {
            return Err(bad("CSeq Method Mismatch", format!("the CSeq says {}", cseq.method)));
        }
        if !self.is_request() && Method::parse(cseq.method).is_none() {
            return Err(bad("Bad CSeq", "the CSeq has no method".into()));
        }
        if self.header(Name::MaxForwards).is_some_and(|value| number(value).is_none()) {
            return Err(bad("Bad Max-Forwards", "Max-Forwards is no number".into()));
        }
        self.check_length()?;
        self.contacts().map_err(malformed)?;
        for name in [Name::Route, Name::RecordRoute] {
            self.addresses(name).try_for_each(|address| address.map(|_| ())).map_err(malformed)?;
        }
        Ok(())
    }

    fn check_start(&self) -> Result<(), Defect> {
        if !self.version().eq_ignore_ascii_case("SIP/2.0") {
            return Err(match is_version(self.version()) {
                true => defect(505, "Version Not Supported", format!("the version is {}", self.version())),
                false => bad("Bad Version", "the version of the start line is malformed".into()),
            });
        }
        let Start::Request { uri, .. } = &self.start else { return Ok(()) };
        match Uri::parse(self.text(uri)) {
            Ok(uri) if uri.scheme == Scheme::Other => {
                Err(defect(416, "Unsupported URI Scheme", format!("the request goes to {uri}")))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(bad("Bad Request-URI", error.0.into())),
        }
    }

    fn check_presence(&self) -> Result<(), Defect> {
        for (name, reason) in [
            (Name::Via, "Missing Via"),
            (Name::From, "Missing From"),
            (Name::To, "Missing To"),
            (Name::CallId, "Missing Call-ID"),
            (Name::CSeq, "Missing CSeq"),
        ] {
            if self.header(name).unwrap_or_default().is_empty() {
                return Err(bad(reason, format!("{name} is missing or empty")));
            }
        }
        if self.call_id().bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(bad("Bad Call-ID", "the Call-ID holds a space or a control character".into()));
        }
        for name in SINGLE {
            if self.entries(name).nth(1).is_some() {
                return Err(bad("Duplicate Header Field", format!("{name} stands more than once")));
            }
        }
        Ok(())
    }

    fn check_vias(&self) -> Result<(), Defect> {
        let mut count = 0;
        for via in self.vias() {
            let via = via.map_err(malformed)?;
            count += 1;
            if via.version() != "2.0" && count == 1 {
                return Err(bad("Bad Via", format!("the version of the top Via is {}", via.version())));
            }
            if count > Limits::DEFAULT.vias {
                return Err(bad("Too Many Vias", format!("more than {} Via values", Limits::DEFAULT.vias)));
            }
        }
        match count {
            0 => Err(bad("Missing Via", "the Via holds no value".into())),
            _ => Ok(()),
        }
    }

    fn check_length(&self) -> Result<(), Defect> {
        let mut first = None;
        for entry in self.entries(Name::ContentLength) {
            let length = number(self.text(&entry.value));
            let length = length.ok_or_else(|| bad("Bad Content-Length", "Content-Length is no number".into()))?;
            if *first.get_or_insert(length) != length {
                return Err(bad("Bad Content-Length", "Content-Length stands twice and differs".into()));
            }
        }
        match self.is_cut {
            true => Err(bad("Bad Content-Length", "the body is shorter than Content-Length says".into())),
            false => Ok(()),
        }
    }
}

/// `SIP/` digits `.` digits.
fn is_version(text: &str) -> bool {
    let numbers = text.get(4..).and_then(|rest| rest.split_once('.'));
    numbers.is_some_and(|(major, minor)| number(major).is_some() && number(minor).is_some())
}

fn malformed(error: super::HeaderError) -> Defect {
    bad(
        match error.name {
            Name::Via => "Bad Via",
            Name::From => "Bad From",
            Name::To => "Bad To",
            Name::CSeq => "Bad CSeq",
            Name::Contact => "Bad Contact",
            Name::Route => "Bad Route",
            Name::RecordRoute => "Bad Record-Route",
            _ => "Bad Header Field",
        },
        error.to_string(),
    )
}

fn bad(reason: &'static str, detail: String) -> Defect {
    defect(400, reason, detail)
}

fn defect(status: u16, reason: &'static str, detail: String) -> Defect {
    Defect { status, reason, detail }
}
