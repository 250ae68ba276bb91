//! Message → bytes.

use super::message::Field;
use super::token::{is_token_byte, is_token_bytes};
use super::{Message, Method, Name, reason_phrase};
use bytes::Bytes;
use std::cell::Cell;
use std::fmt::{self, Display, Write};
use std::io;

thread_local! {
    /// Where messages of this thread are written before their length is known.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A scratch that one large message made larger than this is given back.
const SCRATCH_BYTES: usize = 16 * 1024;

/// Builds a message. CR, LF and NUL in a value become a space, so that no value can add a line.
#[derive(Debug)]
pub struct Writer {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Writer {
    /// White space and control characters in the URI are escaped.
    pub fn request(method: &Method, uri: &str) -> Writer {
        let mut writer = Writer::empty();
        writer.head.extend(method.as_str().bytes().filter(|&byte| is_token_byte(byte)));
        writer.head.push(b' ');
        for byte in uri.bytes() {
            match byte {
                0..=b' ' | 0x7f => writer.head.extend(format!("%{byte:02X}").bytes()),
                other => writer.head.push(other),
            }
        }
        writer.head.extend(b" SIP/2.0\r\n");
        writer
    }

    /// An empty reason stands for the phrase that the status usually has. A status outside of 100 to 699 is written as
    /// 500.
    pub fn response(status: u16, reason: &str) -> Writer {
        let status = if (100..700).contains(&status) { status } else { 500 };
        let mut writer = Writer::empty();
        let reason = if reason.is_empty() { reason_phrase(status) } else { reason };
        writer.text(&format_args!("SIP/2.0 {status} {reason}"));
        writer.head.extend(b"\r\n");
        writer
    }

    /// A response to a request, with what it must copy (RFC 3261 §8.2.6.2, §12.1.1): Via, From, To, Call-ID, CSeq,
    /// Record-Route where it creates a dialog, Timestamp in a 100. The tag is added to a To that has none.
    pub fn reply_to(request: &Message, status: u16, reason: &str, to_tag: Option<&str>) -> Writer {
        let mut writer = Writer::response(status, reason);
        let is_dialog = (101..300).contains(&status) && request.method().creates_dialog();
        for field in request.fields() {
            match field.kind() {
                Name::Via | Name::From | Name::CallId | Name::CSeq => writer.copy(&field),
                Name::RecordRoute if is_dialog => writer.copy(&field),
                Name::Timestamp if status == 100 => writer.copy(&field),
                Name::To => match to_tag.filter(|_| request.to().is_ok_and(|to| to.tag().is_none())) {
                    Some(tag) => {
                        writer.copy(&field);
                        writer.head.truncate(writer.head.len() - 2);
                        writer.text(&format_args!(";tag={tag}"));
                        writer.head.extend(b"\r\n");
                    }
                    None => writer.copy(&field),
                },
                _ => {}
            }
        }
        writer
    }

    /// Adds a header field. Content-Length is written by `finish` and ignored here. Of a field that has no meaning here
    /// (`Name::Other`) the value is the whole line: `X-Note: text`.
    pub fn header(&mut self, name: Name, value: impl Display) -> &mut Writer {
        match name {
            Name::ContentLength => {}
            Name::Other => {
                let line = value.to_string();
                if let Some((name, value)) = line.split_once(':') {
                    self.header_named(name.trim(), value.trim());
                }
            }
            known => self.field(known.as_str(), &value),
        }
        self
    }

    /// Adds a header field of any name; what can't stand in a name is left out of it.
    pub fn header_named(&mut self, name: &str, value: impl Display) -> &mut Writer {
        if Name::from_bytes(name.as_bytes()) != Name::ContentLength && name.bytes().any(is_token_byte) {
            self.field(name, &value);
        }
        self
    }

    /// Sets the body and adds its Content-Type.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> &mut Writer {
        self.header(Name::ContentType, content_type);
        self.body.clear();
        self.body.extend_from_slice(body);
        self
    }

    /// The message. The writer is empty afterwards.
    pub fn finish(&mut self) -> Bytes {
        let mut head = std::mem::take(&mut self.head);
        let body = std::mem::take(&mut self.body);
        // Writing to memory doesn't fail.
        let _ = io::Write::write_fmt(&mut head, format_args!("Content-Length: {}\r\n\r\n", body.len()));
        // What is sent may be kept for half a minute, so it has no room to spare.
        let mut bytes = Vec::with_capacity(head.len() + body.len());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&body);
        if head.capacity() <= SCRATCH_BYTES {
            SCRATCH.set(head);
        }
        bytes.into()
    }

    fn empty() -> Writer {
        let mut head = SCRATCH.take();
        head.clear();
        Writer { head, body: Vec::new() }
    }

    fn field(&mut self, name: &str, value: &dyn Display) {
        match is_token_bytes(name.as_bytes()) {
            true => self.head.extend_from_slice(name.as_bytes()),
            false => self.head.extend(name.bytes().filter(|&byte| is_token_byte(byte))),
        }
        self.head.extend(b": ");
        self.text(value);
        self.head.extend(b"\r\n");
    }

    /// Repeats a field of a received message, unfolded. What isn't UTF-8 is repeated byte by byte, so that its sender
    /// knows it again.
    fn copy(&mut self, field: &Field<'_>) {
        let name = match field.kind() {
            Name::Other => field.name(),
            known => known.as_str(),
        };
        if field.is_stamped() || std::str::from_utf8(field.raw()).is_ok() {
            return self.field(name, &field.value());
        }
        self.head.extend(name.bytes());
        self.head.extend(b": ");
        self.head.extend(field.raw().iter().map(|&byte| if is_harmful(byte) { b' ' } else { byte }));
        self.head.extend(b"\r\n");
    }

    fn text(&mut self, value: &dyn Display) {
        // A value whose own Display fails is cut there, which is all that can be done about it.
        let _ = write!(Harmless(&mut self.head), "{value}");
    }
}

fn is_harmful(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}

struct Harmless<'a>(&'a mut Vec<u8>);

impl fmt::Write for Harmless<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match memchr::memchr3(b'\r', b'\n', 0, text.as_bytes()) {
            None => self.0.extend_from_slice(text.as_bytes()),
            Some(_) => self.0.extend(text.bytes().map(|byte| if is_harmful(byte) { b' ' } else { byte })),
        }
        Ok(())
    }
}
