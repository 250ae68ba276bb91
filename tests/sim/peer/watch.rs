//! The lamps of others that a phone watches (RFC 4235), and what it has been told of them.

use super::{Peer, Role};
use crate::ledger::Ledger;
use std::time::Duration;
use tandem::base::time::{Now, Time};
use tandem::sip::flow::{Flow, Kind, Transmit};
use tandem::wire::sip::{Message, Name};

pub struct Watch {
    /// Whose lamp it is.
    pub user: String,
    /// For how long the phone has asked.
    expires: Duration,
    /// Since when the gateway has agreed to tell it.
    since: Option<Time>,
    version: Option<u32>,
    /// The states of the dialogs that it was told of last.
    states: Vec<String>,
}

impl Watch {
    pub fn new(user: &str, expires: Duration) -> Watch {
        Watch { user: user.to_owned(), expires, since: None, version: None, states: Vec::new() }
    }

    pub fn is_lit(&self) -> bool {
        self.states.iter().any(|state| state == "confirmed")
    }

    pub fn is_out(&self) -> bool {
        self.states.iter().all(|state| state == "terminated")
    }

    pub fn states(&self) -> &[String] {
        &self.states
    }
}

impl Peer {
    /// What it watches, and has watched for so long.
    pub fn watches(&self, now: Time, span: Duration) -> impl Iterator<Item = &Watch> {
        self.watches.values().filter(move |watch| {
            watch.since.is_some_and(|since| since + span <= now && now + Duration::from_secs(1) < since + watch.expires)
        })
    }

    /// The gateway agrees to tell it.
    pub(super) fn watching(&mut self, now: Time, call_id: &str) {
        if let Some(watch) = self.watches.get_mut(call_id) {
            watch.since.get_or_insert(now);
        }
    }

    /// A NOTIFY about whatever it watches.
    pub(super) fn news(&mut self, now: Now, flow: Flow, message: &Message, ledger: &mut Ledger) {
        // Now and then it has forgotten that it ever subscribed.
        let status = if self.chance.below(20) == 0 { "481 What" } else { "200 OK" };
        match status {
            "200 OK" => self.lamp_changed(now.time, message, ledger),
            _ => _ = self.watches.remove(message.call_id()),
        }
        let kept = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];
        let fields = message.fields().filter(|field| kept.contains(&field.kind()));
        let head: String = fields.map(|field| format!("{}: {}\r\n", field.kind().as_str(), field.value())).collect();
        let text = format!("SIP/2.0 {status}\r\n{head}Content-Length: 0\r\n\r\n");
        self.outbox.push_back(Transmit { flow, bytes: text.into(), kind: Kind::Plain });
    }

    /// A document comes in.
    fn lamp_changed(&mut self, now: Time, message: &Message, ledger: &mut Ledger) {
        let Some(watch) = self.watches.get_mut(message.call_id()) else { return };
        if message.header(Name::SubscriptionState).is_some_and(|state| state.starts_with("terminated")) {
            self.watches.remove(message.call_id());
            return;
        }
        let body = message.body();
        let text = String::from_utf8_lossy(&body);
        // The first one is that of XML itself.
        let version = between(&text, "version=\"", "\"").nth(1).and_then(|version| version.parse::<u32>().ok());
        let Some(version) = version else {
            let what = format!("{} is told of a lamp without a version: {text}", self.name);
            return ledger.violation(now, None, what);
        };
        // A document that was overtaken says nothing any more (§4.1).
        if watch.version.is_some_and(|before| before >= version) {
            return;
        }
        watch.version = Some(version);
        watch.states = between(&text, "<state>", "</state>").map(str::to_owned).collect();
    }

    /// Whose phone it is.
    pub fn user(&self) -> Option<&str> {
        match &self.role {
            Role::Phone(phone) => Some(&phone.user),
            _ => None,
        }
    }
}

/// Whether a NOTIFY is about a subscription and not about a call.
pub fn is_of_subscription(message: &Message) -> bool {
    message.call_id().starts_with("chat-")
}

/// What stands between two words, each time.
fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| Some(rest.split_once(after)?.0))
}
