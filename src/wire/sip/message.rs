//! A SIP message and what can be read from it.

use super::auth::{Challenge, challenges};
use super::error::{HeaderError, Malformed};
use super::token::{number, split_list, trim};
use super::{Method, Name, NameAddr, Via, via};
use bytes::Bytes;
use smallvec::SmallVec;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// A request or a response: its bytes and an index into them. Cloning it copies the index only.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) raw: Bytes,
    pub(super) start: Start,
    /// Of a response the one in its CSeq.
    pub(super) method: Method,
    pub(super) fields: Vec<Entry>,
    pub(super) body: Range<usize>,
    /// The number of the first line that is no header field, if there is one; the start line is line 1.
    pub(super) bad_line: Option<u32>,
    /// Whether fewer bytes follow the header fields than Content-Length says.
    pub(super) is_cut: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Start {
    Request { uri: Text, version: Text },
    Response { version: Text, status: u16, phrase: Text },
}

/// A place in the bytes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u32,
    pub end: u32,
}

/// A text of the message. It has a copy where it can't be a slice: it was folded, or it isn't UTF-8.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub span: Span,
    pub copy: Option<Box<str>>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub kind: Name,
    /// Whether `value` was changed by us after the message came.
    pub is_stamped: bool,
    pub name: Span,
    pub value: Text,
}

impl Message {
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// Of a response, the method in its CSeq.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// As written; empty for a response.
    pub fn request_uri(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => self.text(uri),
            Start::Response { .. } => "",
        }
    }

    /// The version of the start line, `SIP/2.0` unless [`Message::check`] complains.
    pub fn version(&self) -> &str {
        match &self.start {
            Start::Request { version, .. } | Start::Response { version, .. } => self.text(version),
        }
    }

    /// 100 to 699; zero for a request.
    pub fn status(&self) -> u16 {
        match self.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// As written; empty for a request.
    pub fn reason_phrase(&self) -> &str {
        match &self.start {
            Start::Request { .. } => "",
            Start::Response { phrase, .. } => self.text(phrase),
        }
    }

    /// All header fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|entry| Field { message: self, entry })
    }

    /// The whole value of the first field of that name, unfolded and trimmed.
    pub fn header(&self, name: Name) -> Option<&str> {
        self.entries(name).next().map(|entry| self.text(&entry.value))
    }

    /// The same for any header field, by its long or compact name in any case.
    pub fn header_named(&self, name: &str) -> Option<&str> {
        match Name::from_bytes(name.as_bytes()) {
            Name::Other => {
                self.fields().find(|field| field.name().eq_ignore_ascii_case(name)).map(|field| field.value())
            }
            known => self.header(known),
        }
    }

    /// The values of all fields of that name, whose syntax must be a comma-separated list.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &str> {
        self.entries(name).flat_map(|entry| split_list(self.text(&entry.value)))
    }

    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, HeaderError>> {
        self.values(Name::Via).map(|value| Via::parse(value).map_err(|error| error.within(Name::Via)))
    }

    pub fn top_via(&self) -> Result<Via<'_>, HeaderError> {
        self.vias().next().unwrap_or(Err(HeaderError::missing(Name::Via)))
    }

    /// Writes where this request came from into its top Via (RFC 3261 §18.2.1, RFC 3581 §4), so that responses copy it.
    /// `raw()` stays what was received.
    pub fn stamp_source(&mut self, source: SocketAddr) {
        let Some(index) = self.fields.iter().position(|entry| entry.kind == Name::Via) else { return };
        let Some(text) = self.fields.get(index).and_then(|entry| via::stamped(self.text(&entry.value), source)) else {
            return;
        };
        if let Some(entry) = self.fields.get_mut(index) {
            entry.value.copy = Some(text.into());
            entry.is_stamped = true;
        }
    }

    pub fn from(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.address(Name::From)
    }

    pub fn to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.address(Name::To)
    }

    /// The single address in a field such as From, To, Refer-To or Referred-By.
    pub fn address(&self, name: Name) -> Result<NameAddr<'_>, HeaderError> {
        let value = self.header(name).ok_or(HeaderError::missing(name))?;
        NameAddr::parse(value).map_err(|error| error.within(name))
    }

    /// All addresses in fields such as Route, Path or P-Asserted-Identity.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.values(name).map(move |value| NameAddr::parse(value).map_err(|error| error.within(name)))
    }

    pub fn contacts(&self) -> Result<Contacts<'_>, HeaderError> {
        if self.values(Name::Contact).any(|value| value == "*") {
            return match self.values(Name::Contact).nth(1) {
                None => Ok(Contacts::Star),
                Some(_) => Err(Malformed("* stands beside another value").within(Name::Contact)),
            };
        }
        self.addresses(Name::Contact).collect::<Result<_, _>>().map(Contacts::List)
    }

    pub fn routes(&self) -> Result<Vec<NameAddr<'_>>, HeaderError> {
        self.addresses(Name::Route).collect()
    }

    pub fn record_routes(&self) -> Result<Vec<NameAddr<'_>>, HeaderError> {
        self.addresses(Name::RecordRoute).collect()
    }

    pub fn cseq(&self) -> Result<CSeq<'_>, HeaderError> {
        let value = self.header(Name::CSeq).ok_or(HeaderError::missing(Name::CSeq))?;
        CSeq::parse(value).map_err(|error| error.within(Name::CSeq))
    }

    /// Empty when absent.
    pub fn call_id(&self) -> &str {
        self.header(Name::CallId).unwrap_or_default()
    }

    /// None if absent or malformed; the largest number if it is larger than that.
    pub fn max_forwards(&self) -> Option<u32> {
        self.header(Name::MaxForwards).and_then(number)
    }

    /// The Expires field in seconds. None if absent or malformed; the largest number if it is larger than that.
    pub fn expires(&self) -> Option<u32> {
        self.header(Name::Expires).and_then(number)
    }

    /// How long the sender wants to be left alone (RFC 3261 §20.33).
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header(Name::RetryAfter)?;
        let digits = value.split(|character: char| !character.is_ascii_digit()).next()?;
        digits.parse().ok().map(Duration::from_secs)
    }

    /// Whether the lists of that name hold the token in any case, with or without parameters.
    pub fn has_token(&self, name: Name, token: &str) -> bool {
        let bare = |value: &str| trim(value.split(';').next().unwrap_or_default()).eq_ignore_ascii_case(token);
        self.values(name).any(bare)
    }

    /// The challenges of all fields of that name, WWW-Authenticate or Proxy-Authenticate.
    pub fn challenges(&self, name: Name) -> impl Iterator<Item = Result<Challenge<'_>, HeaderError>> {
        self.entries(name)
            .flat_map(|entry| challenges(self.text(&entry.value)))
            .map(move |challenge| challenge.map_err(|error| error.within(name)))
    }

    pub fn content_type(&self) -> Option<&str> {
        self.header(Name::ContentType)
    }

    /// Whether the body is compressed, or otherwise not what its type says (RFC 3261 §20.12).
    pub fn is_encoded(&self) -> bool {
        self.values(Name::ContentEncoding)
            .any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity"))
    }

    /// The body's bytes as they came.
    pub fn body(&self) -> Bytes {
        self.raw.slice(self.body.clone())
    }

    /// The message as it came, without line ends before it, and with whatever followed its body.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    pub(super) fn entries(&self, name: Name) -> impl Iterator<Item = &Entry> {
        self.fields.iter().filter(move |entry| entry.kind == name)
    }

    pub(super) fn text<'a>(&'a self, text: &'a Text) -> &'a str {
        match &text.copy {
            Some(copy) => copy,
            None => std::str::from_utf8(self.bytes(text.span)).unwrap_or_default(),
        }
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        self.raw.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

/// The message as text, for a trace.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.raw))
    }
}

/// One header field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    message: &'a Message,
    entry: &'a Entry,
}

impl<'a> Field<'a> {
    /// As written.
    pub fn name(&self) -> &'a str {
        std::str::from_utf8(self.message.bytes(self.entry.name)).unwrap_or_default()
    }

    pub fn kind(&self) -> Name {
        self.entry.kind
    }

    /// Unfolded and trimmed. A value that isn't UTF-8 is read as Latin-1.
    pub fn value(&self) -> &'a str {
        self.message.text(&self.entry.value)
    }

    /// The value's bytes as they came, trimmed but folded.
    pub fn raw(&self) -> &'a [u8] {
        self.message.bytes(self.entry.value.span)
    }

    pub(super) fn is_stamped(&self) -> bool {
        self.entry.is_stamped
    }
}

/// The values of all Contact fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts<'a> {
    /// All bindings of an address, to be removed (RFC 3261 §10.2.2).
    Star,
    /// Empty when there is none.
    List(SmallVec<[NameAddr<'a>; 2]>),
}

impl<'a> Contacts<'a> {
    pub fn first(&self) -> Option<&NameAddr<'a>> {
        match self {
            Contacts::Star => None,
            Contacts::List(list) => list.first(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    pub method: &'a str,
}

impl<'a> CSeq<'a> {
    pub fn parse(text: &'a str) -> Result<CSeq<'a>, Malformed> {
        let (digits, method) = text.split_once([' ', '\t']).ok_or(Malformed("number or method is missing"))?;
        let number = number(digits).ok_or(Malformed("the sequence number is no number"))?;
        if number >= 1 << 31 {
            return Err(Malformed("the sequence number is 2^31 or more"));
        }
        Ok(CSeq { number, method: trim(method) })
    }
}
