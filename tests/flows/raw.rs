//! Bytes into the switch, and what comes back for them: for what no peer of a ladder would say.

use crate::world::{Setting, World};
use bytes::Bytes;
use std::time::Duration;
use tandem::call::io::{Input, Output};
use tandem::sip::digest::{ClientCredentials, answer};
use tandem::sip::flow::Flow;
use tandem::wire::sip::{Message, Name};

pub struct Raw {
    pub world: World,
    /// All that was sent, and to whom.
    pub sent: Vec<(Flow, Bytes)>,
}

impl Raw {
    pub fn new() -> Raw {
        Raw::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut Setting)) -> Raw {
        let mut setting = Setting::default();
        change(&mut setting);
        Raw { world: World::new(&setting), sent: Vec::new() }
    }

    /// Hands bytes in as if they came from a peer of that name; what is sent for them at once.
    pub fn ask(&mut self, peer: &str, bytes: impl Into<Bytes>) -> Vec<Message> {
        let flow = self.world.peer(peer).flow;
        self.ask_on(flow, bytes)
    }

    pub fn ask_on(&mut self, flow: Flow, bytes: impl Into<Bytes>) -> Vec<Message> {
        let before = self.sent.len();
        self.feed(Input::Received { flow, bytes: bytes.into() });
        self.sent[before..].iter().filter_map(|(_, bytes)| Message::parse(bytes.clone()).ok()).collect()
    }

    /// The final statuses of what is sent at once.
    pub fn statuses(&mut self, peer: &str, bytes: impl Into<Bytes>) -> Vec<u16> {
        let answers = self.ask(peer, bytes);
        answers.iter().map(Message::status).filter(|&status| status >= 200).collect()
    }

    pub fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let now = self.world.now();
            self.world.switch.handle(now, input);
            while let Some(output) = self.world.switch.poll_output() {
                match output {
                    Output::Send(transmit) => self.sent.push((transmit.flow, transmit.bytes)),
                    Output::Media { command, .. } => inputs.extend(self.world.ports.obey(command).map(Input::Media)),
                    Output::Locate { ticket, .. } => {
                        inputs.push(Input::Located { ticket, result: Err("no such host".to_owned()) });
                    }
                    Output::Record(record) => self.world.books.keep(*record),
                    _ => {}
                }
            }
        }
    }

    /// Lets time pass; what was sent meanwhile.
    pub fn pass(&mut self, span: Duration) -> Vec<Message> {
        let (before, end) = (self.sent.len(), self.world.time + span);
        while let Some(next) = self.world.switch.poll_timeout().filter(|&next| next <= end) {
            self.world.time = self.world.time.max(next);
            self.feed(Input::Timeout);
        }
        self.world.time = end;
        self.sent[before..].iter().filter_map(|(_, bytes)| Message::parse(bytes.clone()).ok()).collect()
    }

    /// Nothing of calls and transactions is left once all timers have gone off.
    pub fn assert_empty(&mut self) {
        self.pass(Duration::from_secs(300));
        let counts = self.world.switch.counts();
        assert_eq!([counts.calls, counts.sessions, counts.transactions, counts.ports], [0; 4], "{counts:?}");
    }
}

/// A request outside a dialog; `more` are whole lines, each with its line end.
pub fn request(method: &str, uri: &str, from: &str, number: usize, more: &str) -> String {
    let to = if method == "REGISTER" { format!("<{from}>") } else { format!("<{uri}>") };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKraw{number};rport\r\nMax-Forwards: 70\r\n\
         From: <{from}>;tag=raw{number}\r\nTo: {to}\r\nCall-ID: raw{number}@203.0.113.9\r\nCSeq: {number} {method}\r\n\
         Contact: <sip:raw@203.0.113.9>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// An Authorization line for a challenge that came.
pub fn signed(challenge: &Message, user: &str, password: &str, method: &str, uri: &str, count: u32) -> String {
    let fields = challenge.fields().filter(|field| field.kind() == Name::WwwAuthenticate);
    let challenges: Vec<&str> = fields.map(|field| field.value()).collect();
    let credentials = ClientCredentials { username: user.to_owned(), password: password.to_owned(), realm: None };
    let value = answer(challenges.into_iter(), &credentials, method, uri, b"", count, "cnonce").expect("a challenge");
    format!("Authorization: {value}\r\n")
}
