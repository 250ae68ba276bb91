//! A message from A to B, a value that belongs to no network, so that it can go on to any; and what is asked of the store
//! that keeps those for people who are away.

mod deliver;
mod letterbox;
mod messaged;
pub(super) mod post;

use crate::base::time::Wall;
use crate::call::io::Ticket;
use crate::call::party::Party;
use crate::wire::sip::{Message, Name};
use bytes::Bytes;
use std::time::Duration;

/// Bounds of what stands beside the body, in bytes; what is longer is left out, or refused where it can't be.
const CONTENT_TYPE: usize = 256;
const WORDS: usize = 256;
/// Tells that somebody is typing (RFC 3994), which is of no use later.
const TYPING: &str = "application/im-iscomposing+xml";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Who wrote, as the receiver may be told.
    pub from: Party,
    /// The name of one of our users, a number, or an address of another domain.
    pub to: String,
    /// With its parameters, as the sender wrote it: text, CPIM and everything else is passed on as it is.
    pub content_type: String,
    pub content_encoding: Option<String>,
    pub language: Option<String>,
    pub subject: Option<String>,
    pub body: Bytes,
    pub sent: Wall,
    /// When it is of no use any more.
    pub expires: Wall,
}

/// A letter that the store keeps. Later ones have greater numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LetterId(pub i64);

/// Letters of one user, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pile {
    pub user: String,
    pub letters: usize,
    /// Of their bodies.
    pub bytes: usize,
}

/// What the store is asked to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostOrder {
    /// Keep a letter for the user in its `to`; `PostNews::Kept` follows.
    Keep { ticket: Ticket, letter: Box<Letter> },
    /// Read the oldest letters of a user that come after one and haven't expired; `PostNews::Fetched` follows.
    Fetch { ticket: Ticket, user: String, after: LetterId, limit: usize, now: Wall },
    /// Forget a letter that was delivered.
    Discard { id: LetterId },
    /// Forget all of a user who is gone.
    Forget { user: String },
    /// Forget what has expired; `PostNews::Expired` follows.
    Expire { now: Wall },
}

/// What the store tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostNews {
    /// All that it keeps, at the start.
    Census(Vec<Pile>),
    Kept {
        ticket: Ticket,
        result: Result<LetterId, String>,
    },
    /// In their order.
    Fetched {
        ticket: Ticket,
        result: Result<Vec<(LetterId, Letter)>, String>,
    },
    /// What went.
    Expired(Vec<Pile>),
}

impl Letter {
    /// Reads a MESSAGE (RFC 3428); the status of the refusal where it is none.
    pub fn read(message: &Message, from: Party, now: Wall, age: Duration) -> Result<Letter, u16> {
        let body = message.body();
        let content_type = message.content_type().unwrap_or_default();
        if body.is_empty() || content_type.len() > CONTENT_TYPE {
            return Err(400);
        }
        // RFC 3261 §20.15 has no default, and RFC 3428 §10 writes plain text.
        let content_type = if content_type.is_empty() { "text/plain" } else { content_type };
        let words = |name: Name| message.header(name).filter(|text| text.len() <= WORDS).map(str::to_owned);
        let age = message.expires().map_or(age, |seconds| age.min(Duration::from_secs(seconds.into())));
        Ok(Letter {
            from,
            to: String::new(),
            content_type: content_type.to_owned(),
            content_encoding: words(Name::ContentEncoding),
            language: words(Name::ContentLanguage),
            subject: words(Name::Subject),
            body,
            sent: now,
            expires: Wall::from_micros(now.micros().saturating_add(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))),
        })
    }

    /// Whether it says nothing to who reads it later.
    pub fn is_fleeting(&self) -> bool {
        let kind = self.content_type.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(TYPING) || self.expires <= self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &str, body: &str) -> Result<Letter, u16> {
        let text = format!(
            "MESSAGE sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=a\r\n\
             To: <sip:bob@x>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let message = Message::parse(Bytes::from(text)).unwrap();
        Letter::read(&message, Party::default(), Wall::from_micros(1_000_000), Duration::from_secs(3_600))
    }

    #[test]
    fn a_letter_is_read_as_it_was_written() {
        let letter =
            read("Content-Type: text/plain;charset=utf-8\r\nSubject: Lunch\r\nExpires: 60\r\n", "at one?").unwrap();
        assert_eq!(letter.content_type, "text/plain;charset=utf-8");
        assert_eq!((letter.subject.as_deref(), &letter.body[..]), (Some("Lunch"), &b"at one?"[..]));
        assert_eq!(letter.expires, Wall::from_micros(61_000_000));
        assert_eq!(read("Expires: 9999999\r\n", "x").unwrap().expires, Wall::from_micros(3_601_000_000));
        assert_eq!(read("Content-Type: text/plain\r\n", ""), Err(400));
    }

    #[test]
    fn what_says_nothing_later_is_fleeting() {
        assert!(read("Content-Type: application/im-iscomposing+xml; x=y\r\n", "<isComposing/>").unwrap().is_fleeting());
        assert!(read("Expires: 0\r\n", "now or never").unwrap().is_fleeting());
        assert!(!read("Content-Type: message/cpim\r\n", "From: x\r\n\r\n").unwrap().is_fleeting());
    }
}
