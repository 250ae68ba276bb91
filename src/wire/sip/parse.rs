//! Bytes → message.

use super::error::ParseError;
use super::limits::Limits;
use super::message::{CSeq, Entry, Message, Span, Start, Text};
use super::token::{is_space, is_token_bytes, number};
use super::{Method, Name};
use bytes::{Buf, Bytes};

impl Message {
    /// Reads a datagram, or one message that a [`super::Framer`] cut out of a stream.
    pub fn parse(raw: Bytes) -> Result<Message, ParseError> {
        Message::parse_with(raw, &Limits::DEFAULT)
    }

    pub fn parse_with(mut raw: Bytes, limits: &Limits) -> Result<Message, ParseError> {
        raw.advance(raw.iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count());
        if raw.is_empty() {
            return Err(ParseError::Empty);
        }
        if raw.len() > limits.head_bytes.saturating_add(limits.body_bytes) || u32::try_from(raw.len()).is_err() {
            return Err(ParseError::TooLarge("the message"));
        }
        let mut reader = Reader { bytes: &raw, limits, at: 0, line: 1, bad_line: None };
        let (start, method) = reader.start_line()?;
        let (fields, is_ended) = reader.fields()?;
        let (body_start, mut bad_line) = (reader.at, reader.bad_line);
        if !is_ended {
            bad_line = bad_line.or(Some(reader.line));
        }
        let rest = raw.len() - body_start;
        let mut message = Message { start, method, fields, body: body_start..raw.len(), bad_line, is_cut: false, raw };
        let length = message.entries(Name::ContentLength).find_map(|entry| number(message.text(&entry.value)));
        if let Some(length) = length {
            message.is_cut = length as usize > rest;
            message.body.end = body_start + rest.min(length as usize);
        }
        if message.body.len() > limits.body_bytes {
            return Err(ParseError::TooLarge("the body"));
        }
        if !message.is_request() {
            message.method = message.cseq_method();
        }
        Ok(message)
    }

    fn cseq_method(&self) -> Method {
        let value = self.header(Name::CSeq).map(CSeq::parse).and_then(Result::ok);
        value.and_then(|cseq| Method::parse(cseq.method)).unwrap_or_else(|| Method::Other("".into()))
    }
}

/// Walks over the lines of a message's head.
struct Reader<'a> {
    bytes: &'a [u8],
    limits: &'a Limits,
    at: usize,
    /// The number of the line that starts at `at`.
    line: u32,
    bad_line: Option<u32>,
}

impl Reader<'_> {
    /// Reads the request line or status line (RFC 3261 §7.1, §7.2).
    fn start_line(&mut self) -> Result<(Start, Method), ParseError> {
        let end = self.line_end().unwrap_or(self.bytes.len());
        let line = without_cr(self.bytes.get(..end).unwrap_or_default());
        if line.len() > self.limits.header_bytes {
            return Err(ParseError::TooLarge("the start line"));
        }
        self.at = (end + 1).min(self.bytes.len());
        self.line += 1;
        if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            return status_line(line);
        }
        let first = line.iter().position(|&byte| byte == b' ').ok_or(ParseError::NotSip)?;
        let trimmed = line.len() - line.iter().rev().take_while(|&&byte| is_space(byte)).count();
        let last = line.get(..trimmed).and_then(|line| line.iter().rposition(|&byte| byte == b' '));
        let last = last.filter(|&last| last > first).ok_or(ParseError::NotSip)?;
        let method = line.get(..first).filter(|method| is_token_bytes(method));
        let method = method.and_then(|method| std::str::from_utf8(method).ok()).and_then(Method::parse);
        let method = method.ok_or(ParseError::NotSip)?;
        if !line.get(last + 1..last + 5).is_some_and(|version| version.eq_ignore_ascii_case(b"SIP/")) {
            return Err(ParseError::NotSip);
        }
        // White space that doesn't belong there stays a part of what it stands beside, and is found by `check`.
        Ok((Start::Request { uri: text(line, first + 1, last), version: text(line, last + 1, line.len()) }, method))
    }

    /// Reads all header fields, to behind the empty line. False if there is no empty line.
    fn fields(&mut self) -> Result<(Vec<Entry>, bool), ParseError> {
        let mut fields = Vec::with_capacity(24);
        while self.at < self.bytes.len() {
            let (start, line) = (self.at, self.line);
            let Some(mut end) = self.line_end() else {
                self.field(start, self.bytes.len(), line, &mut fields)?;
                self.at = self.bytes.len();
                return Ok((fields, false));
            };
            if without_cr(self.bytes.get(start..end).unwrap_or_default()).is_empty() {
                self.at = end + 1;
                return Ok((fields, true));
            }
            self.at = end + 1;
            self.line += 1;
            while self.bytes.get(self.at).is_some_and(|&byte| is_space(byte)) {
                end = self.line_end().unwrap_or(self.bytes.len());
                self.at = (end + 1).min(self.bytes.len());
                self.line += 1;
            }
            self.field(start, end, line, &mut fields)?;
        }
        Ok((fields, false))
    }

    /// Takes the header field between the offsets, or notes that it is none.
    fn field(&mut self, start: usize, end: usize, line: u32, fields: &mut Vec<Entry>) -> Result<(), ParseError> {
        if end - start > self.limits.header_bytes {
            return Err(ParseError::TooLarge("a header field"));
        }
        if end > self.limits.head_bytes {
            return Err(ParseError::TooLarge("the head"));
        }
        if fields.len() >= self.limits.headers {
            return Err(ParseError::TooLarge("the number of header fields"));
        }
        let field = self.bytes.get(start..end).unwrap_or_default();
        let colon = memchr::memchr(b':', field);
        let name = field.get(..colon.unwrap_or(0)).unwrap_or_default();
        let name_length = name.len() - name.iter().rev().take_while(|&&byte| is_space(byte)).count();
        let name = name.get(..name_length).unwrap_or_default();
        match colon {
            Some(colon) if is_token_bytes(name) => fields.push(Entry {
                kind: Name::from_bytes(name),
                is_stamped: false,
                name: span(start, start + name.len()),
                value: text(self.bytes, start + colon + 1, end),
            }),
            _ => self.bad_line = self.bad_line.or(Some(line)),
        }
        Ok(())
    }

    /// Where the line that starts at `at` has its LF.
    fn line_end(&self) -> Option<usize> {
        memchr::memchr(b'\n', self.bytes.get(self.at..)?).map(|length| self.at + length)
    }
}

fn status_line(line: &[u8]) -> Result<(Start, Method), ParseError> {
    let version_end = line.iter().position(|&byte| byte == b' ').ok_or(ParseError::NotSip)?;
    let code = line.get(version_end + 1..).unwrap_or_default();
    let code = code.split(|&byte| byte == b' ').next().unwrap_or_default();
    let status = std::str::from_utf8(code).ok().filter(|code| code.len() == 3).and_then(number);
    let status = status.and_then(|status| u16::try_from(status).ok()).filter(|status| (100..700).contains(status));
    let status = status.ok_or(ParseError::Status)?;
    let phrase = text(line, (version_end + 5).min(line.len()), line.len());
    Ok((Start::Response { version: text(line, 0, version_end), status, phrase }, Method::Other("".into())))
}

/// The text between two offsets, trimmed, with a copy where it needs one.
fn text(bytes: &[u8], start: usize, end: usize) -> Text {
    let is_blank = |byte: &&u8| is_space(**byte) || **byte == b'\r' || **byte == b'\n';
    let raw = bytes.get(start..end).unwrap_or_default();
    let before = raw.iter().take_while(is_blank).count();
    let after = raw.get(before..).unwrap_or_default().iter().rev().take_while(is_blank).count();
    let span = span(start + before, end - after);
    let raw = raw.get(before..raw.len() - after).unwrap_or_default();
    let is_folded = memchr::memchr2(b'\r', b'\n', raw).is_some();
    let copy = match std::str::from_utf8(raw) {
        Ok(_) if !is_folded => None,
        Ok(text) => Some(unfolded(text.chars())),
        Err(_) => Some(unfolded(raw.iter().map(|&byte| char::from(byte)))),
    };
    Text { span, copy }
}

/// A fold is one space (RFC 3261 §7.3.1); so is a CR that stands alone.
fn unfolded(characters: impl Iterator<Item = char>) -> Box<str> {
    let mut text = String::new();
    let mut is_fold = false;
    for character in characters {
        match character {
            '\r' | '\n' => is_fold = true,
            ' ' | '\t' if is_fold => {}
            other => {
                if std::mem::take(&mut is_fold) {
                    text.truncate(text.trim_end_matches([' ', '\t']).len());
                    text.push(' ');
                }
                text.push(other);
            }
        }
    }
    text.into()
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Messages are shorter than 4 GiB, which `parse_with` has made sure of.
fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end.max(start) as u32 }
}
