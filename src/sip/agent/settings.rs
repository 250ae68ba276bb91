//! What an agent is told at its start, and with each request.

use crate::sip::agent::Terms;
use crate::sip::announce::Announce;
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::{Body, Flow, Headers};
use crate::wire::sip::Method;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// Estimated round trip (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// The longest pause between retransmissions of a non-INVITE request or an INVITE's answer.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
    /// Stands in User-Agent and Server; empty for neither.
    pub user_agent: String,
    /// What our addresses are called in Via and Contact.
    pub announce: Announce,
    /// Names by which peers know us, which our answers have for us where they asked for them.
    pub names: Vec<String>,
    /// Stands in every tag, branch and Call-ID of ours.
    pub shard: u8,
    /// Transactions of each side (client, server). A new request beyond is answered 503 without keeping state; requests
    /// inside dialogs may use twice as many.
    pub max_transactions: usize,
    /// INVITE sessions; a new INVITE beyond is answered 503.
    pub max_sessions: usize,
    /// Methods outside dialogs, beside INVITE, that the owner takes as [`Event::Request`](super::Event::Request); others
    /// are answered 405.
    pub takes: Vec<Method>,
    /// Option tags that a peer may require. The owner says for each session by its [`Terms`] whether they are used.
    pub extensions: Vec<&'static str>,
}

impl Default for AgentSettings {
    fn default() -> Self {
        AgentSettings {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            user_agent: "Tandem".to_owned(),
            announce: Announce::default(),
            names: Vec::new(),
            shard: 0,
            max_transactions: 20_000,
            max_sessions: 10_000,
            takes: vec![Method::Register, Method::Options],
            extensions: Vec::new(),
        }
    }
}

/// A request outside a dialog, or in one that the owner keeps: REGISTER, OPTIONS, MESSAGE, NOTIFY.
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    pub method: Method,
    pub uri: String,
    pub flow: Flow,
    /// A name-addr without a tag, such as `"Alice" <sip:alice@example.com>`; the agent adds the tag.
    pub from: String,
    pub to: String,
    /// None for a new one.
    pub call_id: Option<String>,
    /// None for 1.
    pub cseq: Option<u32>,
    /// The tag of From, in a dialog that the owner keeps; none for a new one.
    pub local_tag: Option<String>,
    /// Values of Route headers.
    pub routes: Vec<String>,
    pub max_forwards: u32,
    pub headers: Headers,
    pub body: Option<Body>,
    /// A whole Contact value; none for no Contact.
    pub contact: Option<String>,
    /// The user part of a Contact at our address as this way's peer is told it, where there is no `contact`.
    pub contact_user: Option<String>,
    /// Our name where the peer knows us by one.
    pub contact_host: Option<String>,
    /// How long to wait for a final answer; none for 64*T1.
    pub max_wait: Option<Duration>,
    /// Nothing but the flow leads there, or the owner knows what else does. Otherwise the request goes to its first Route or
    /// its URI, should the connection be gone.
    pub is_pinned: bool,
}

impl OutgoingRequest {
    pub fn new(method: Method, uri: String, flow: Flow, from: String, to: String) -> OutgoingRequest {
        OutgoingRequest {
            method,
            uri,
            flow,
            from,
            to,
            call_id: None,
            cseq: None,
            local_tag: None,
            routes: Vec::new(),
            max_forwards: 70,
            headers: Headers::new(),
            body: None,
            contact: None,
            contact_user: None,
            contact_host: None,
            max_wait: None,
            is_pinned: true,
        }
    }
}

/// A request in the dialog of a session: its dialog gives it the rest.
#[derive(Clone, Debug)]
pub struct Question {
    pub method: Method,
    pub headers: Headers,
    pub body: Option<Body>,
}

/// A call that we start.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Where the INVITE goes.
    pub flow: Flow,
    pub uri: String,
    /// A name-addr without a tag; the agent adds the tag.
    pub from: String,
    pub to: String,
    /// The user part of our Contact, as written in a URI; may be empty.
    pub contact_user: String,
    /// Our name where the peer knows us by one.
    pub contact_host: Option<String>,
    pub headers: Headers,
    /// The offer; none for the peer to offer in its answer.
    pub body: Option<Body>,
    /// With these the agent answers digest challenges by itself, for the INVITE and within the session.
    pub credentials: Option<ClientCredentials>,
    pub max_forwards: u32,
    /// None for a new one.
    pub call_id: Option<String>,
    /// How long the peer may stay without any response, instead of 64*T1 (Timer B); then
    /// [`Failed`](super::SessionEvent::Failed). A response that comes later is cancelled, or ended, by the agent itself.
    pub no_response: Option<Duration>,
    /// How long until a final answer, ringing included; then the agent cancels by itself and the owner has
    /// [`Failed`](super::SessionEvent::Failed) at once. None for as long as it rings.
    pub no_answer: Option<Duration>,
    /// Values of Route headers, such as `<sip:proxy.example.com;lr>`.
    pub route: Vec<String>,
    /// As in [`OutgoingRequest`].
    pub is_pinned: bool,
    pub terms: Terms,
}

impl Invite {
    pub fn new(flow: Flow, uri: String, from: String, to: String) -> Invite {
        Invite {
            flow,
            uri,
            from,
            to,
            contact_user: String::new(),
            contact_host: None,
            headers: Headers::new(),
            body: None,
            credentials: None,
            max_forwards: 70,
            call_id: None,
            no_response: None,
            no_answer: None,
            route: Vec::new(),
            is_pinned: true,
            terms: Terms::default(),
        }
    }
}

/// How many of a thousand new requests are answered 503 so that the rest is served in time; those within dialogs never.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shedding {
    /// INVITEs.
    pub calls: u64,
    pub others: u64,
}

/// A re-INVITE must wait: one is under way in either direction, or the session isn't answered or not acknowledged yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;
