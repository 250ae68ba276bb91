//! Requests within a call that aren't about its media: a transfer (RFC 3515, RFC 5589), and others.

use super::talk::Stage;
use super::{Peer, Role};
use crate::ledger::Ledger;
use crate::office;
use std::fmt::Write;
use tandem::base::time::Now;
use tandem::sip::agent::{Question, SessionId};
use tandem::sip::flow::Body;
use tandem::wire::sip::{Method, Name};

impl Peer {
    /// Wants the other side to talk to somebody else: to whoever it talks to itself in another call, if it has one.
    pub(super) fn transfer(&mut self, now: Now, id: SessionId, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get(&id) else { return };
        let call = talk.call;
        let other =
            self.talks.iter().find(|(other, talk)| **other != id && talk.stage == Stage::Up && talk.tags.is_some());
        let (target, second) = match other {
            Some((_, other)) if matches!(self.role, Role::Phone(_)) => {
                let (ours, theirs) = other.tags.clone().unwrap_or_default();
                let replaces = format!("{};to-tag={theirs};from-tag={ours}", other.call_id);
                let dialled = &ledger.stories[other.call].dialled;
                (format!("<sip:{dialled}@{}?Replaces={}>", office::DOMAIN, escaped(&replaces)), Some(other.call))
            }
            _ => (format!("<sip:{}@{}>", office::dialled(&mut self.chance), office::DOMAIN), None),
        };
        let headers = vec![(Name::ReferTo, target)];
        if self.agent.ask(now, id, Question { method: Method::Refer, headers, body: None }).is_ok()
            && matches!(self.role, Role::Phone(_))
        {
            ledger.transferred(call, second);
        }
    }

    /// Asks something that changes nothing.
    pub(super) fn ask_in_call(&mut self, now: Now, id: SessionId) {
        let text =
            |kind: &'static str, text: &'static str| Some(Body { content_type: kind.into(), bytes: text.into() });
        let (method, body) = match self.chance.below(3) {
            0 => (Method::Info, text("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")),
            1 => (Method::Message, text("text/plain", "hello")),
            _ => (Method::Options, None),
        };
        // One that has to wait is left out.
        let _ = self.agent.ask(now, id, Question { method, headers: Vec::new(), body });
    }
}

/// As it stands in a header of a URI (RFC 3261 §19.1.1).
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => escaped.push(char::from(byte)),
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
        escaped
    })
}
