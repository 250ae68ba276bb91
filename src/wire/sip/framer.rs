//! Cuts messages out of a stream (RFC 3261 §18.3, RFC 5626 §4.4.1).

use super::Name;
use super::limits::Limits;
use super::token::{is_space, number, trim};
use bytes::{Buf, Bytes, BytesMut};
use std::fmt;

/// Takes what a TCP connection gives, in any pieces, and gives whole messages. Drain it with `next` after each `push`;
/// then it never holds more than one message and the last piece.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    limits: Limits,
    /// How much of the buffer is known to hold no end of a head.
    searched: usize,
    /// Head and body of the message at the start of the buffer, once its head is complete.
    whole: Option<usize>,
    /// After an error nobody knows where the next message starts.
    is_lost: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Message(Bytes),
    /// A double CRLF between messages, which a server answers with a single one.
    Ping,
}

/// The connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A bound of [`Limits`] is exceeded, named here.
    TooLarge(&'static str),
    /// Content-Length is no number, or stands twice and differs.
    Length,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLarge(what) => write!(f, "{what} exceeds its limit"),
            FrameError::Length => f.write_str("Content-Length is no number or is ambiguous"),
        }
    }
}

impl std::error::Error for FrameError {}

impl Framer {
    pub fn new(limits: Limits) -> Framer {
        Framer { buffer: BytesMut::new(), limits, searched: 0, whole: None, is_lost: false }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_lost {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole frame; none until more is pushed. An error is told once, and nothing follows it.
    #[allow(clippy::should_implement_trait, reason = "it goes on after None, which an Iterator does not promise")]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        if self.is_lost {
            return None;
        }
        let frame = self.frame();
        if let Err(error) = frame {
            self.is_lost = true;
            self.buffer = BytesMut::new();
            return Some(Err(error));
        }
        frame.transpose()
    }

    /// How many bytes wait for the rest of their message.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether a message has begun. Line ends before one are none: a single one answers a ping.
    pub fn has_begun(&self) -> bool {
        self.buffer.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    fn frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let whole = match self.whole {
            Some(whole) => whole,
            None => {
                if let Some(ping) = self.skip_line_ends() {
                    return Ok(ping);
                }
                let Some(head) = self.head()? else { return Ok(None) };
                let length = content_length(self.buffer.get(..head).unwrap_or_default())?;
                if length > self.limits.body_bytes {
                    return Err(FrameError::TooLarge("the body"));
                }
                *self.whole.insert(head + length)
            }
        };
        if self.buffer.len() < whole {
            return Ok(None);
        }
        self.whole = None;
        self.searched = 0;
        Ok(Some(Frame::Message(self.buffer.split_to(whole).freeze())))
    }

    /// Drops line ends before a message. Some if that is all for now: a ping, or nothing while a CRLF may still become
    /// one.
    fn skip_line_ends(&mut self) -> Option<Option<Frame>> {
        loop {
            let skipped = match *self.buffer {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    return Some(Some(Frame::Ping));
                }
                [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Some(None),
                [b'\r', b'\n', ..] => 2,
                [b'\r' | b'\n', ..] => 1,
                _ => return None,
            };
            self.buffer.advance(skipped);
        }
    }

    /// The length of the head with its empty line, once it is complete.
    fn head(&mut self) -> Result<Option<usize>, FrameError> {
        while let Some(found) = self.buffer.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let after = self.searched + found + 1;
            match self.buffer.get(after..).unwrap_or_default() {
                [b'\n', ..] => return self.bounded(after + 1).map(Some),
                [b'\r', b'\n', ..] => return self.bounded(after + 2).map(Some),
                [] | [b'\r'] => return self.bounded(after).map(|_| None),
                _ => self.searched = after,
            }
        }
        self.searched = self.buffer.len();
        self.bounded(self.searched).map(|_| None)
    }

    fn bounded(&self, head: usize) -> Result<usize, FrameError> {
        match head > self.limits.head_bytes {
            true => Err(FrameError::TooLarge("the head")),
            false => Ok(head),
        }
    }
}

impl Default for Framer {
    fn default() -> Framer {
        Framer::new(Limits::DEFAULT)
    }
}

/// What the head says about the body; zero if it says nothing, since the next message must start somewhere.
fn content_length(head: &[u8]) -> Result<usize, FrameError> {
    let mut length = None;
    let mut lines = head.split(|&byte| byte == b'\n').skip(1).peekable();
    while let Some(line) = lines.next() {
        let Some((name, value)) = memchr::memchr(b':', line).and_then(|colon| line.split_at_checked(colon)) else {
            continue;
        };
        if Name::from_bytes(name.trim_ascii_end()) != Name::ContentLength {
            continue;
        }
        // A number that goes on in the next line could be read in two ways.
        if lines.peek().is_some_and(|next| next.first().is_some_and(|&byte| is_space(byte))) {
            return Err(FrameError::Length);
        }
        let value = value.get(1..).and_then(|value| std::str::from_utf8(value).ok()).map(trim).and_then(number);
        let value = value.ok_or(FrameError::Length)?;
        if *length.get_or_insert(value) != value {
            return Err(FrameError::Length);
        }
    }
    Ok(length.unwrap_or(0) as usize)
}
