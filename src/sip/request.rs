//! The text of requests that we send.

use crate::sip::announce::Announce;
use crate::sip::flow::{Body, Flow, Headers, Transport};
use crate::wire::sip::{Message, Method, Name, Writer};
use bytes::Bytes;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What the agent and the session together take within a dialog or outside.
pub const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, MESSAGE, SUBSCRIBE, NOTIFY, PUBLISH, REFER";

/// Extensions that a peer may count on: Replaces (RFC 3891), and REFER without a subscription (RFC 4488).
pub const SUPPORTED: &str = "replaces, norefersub";

/// All parts of a request.
pub(crate) struct Draft<'a> {
    pub method: &'a Method,
    pub uri: &'a str,
    pub flow: Flow,
    pub announce: &'a Announce,
    /// Our name in Via over TLS, where a peer knows us by one.
    pub host: Option<&'a str>,
    pub branch: &'a str,
    pub max_forwards: u32,
    /// Whole values, with their tags.
    pub from: &'a str,
    pub to: &'a str,
    pub call_id: &'a str,
    pub cseq: u32,
    pub contact: Option<&'a str>,
    pub routes: &'a [String],
    pub headers: &'a Headers,
    /// Authorization and Proxy-Authorization.
    pub credentials: &'a Headers,
    pub body: Option<&'a Body>,
    pub user_agent: &'a str,
}

impl Draft<'_> {
    pub fn write(&self) -> Bytes {
        let mut writer = Writer::request(self.method, self.uri);
        writer.header(Name::Via, via(self.flow, self.announce, self.host, self.branch));
        for route in self.routes {
            writer.header(Name::Route, route);
        }
        writer.header(Name::MaxForwards, self.max_forwards);
        writer.header(Name::From, self.from);
        writer.header(Name::To, self.to);
        writer.header(Name::CallId, self.call_id);
        writer.header(Name::CSeq, format_args!("{} {}", self.cseq, self.method));
        if let Some(contact) = self.contact {
            writer.header(Name::Contact, contact);
        }
        for (name, value) in self.headers.iter().chain(self.credentials) {
            writer.header(*name, value);
        }
        if matches!(self.method, Method::Invite | Method::Options) {
            writer.header(Name::Allow, ALLOW);
        }
        if !self.user_agent.is_empty() {
            writer.header(Name::UserAgent, self.user_agent);
        }
        if let Some(body) = self.body {
            writer.body(&body.content_type, &body.bytes);
        }
        writer.finish()
    }
}

/// Our Via. `rport` asks the peer to answer to where the request came from (RFC 3581).
fn via(flow: Flow, announce: &Announce, host: Option<&str>, branch: &str) -> String {
    let transport = flow.transport.as_str();
    // Over TLS, where both know whom they talk to, the peer may use our connection for its own requests (RFC 5923 §5).
    let alias = if flow.transport == Transport::Tls { ";alias" } else { "" };
    let ours = Authority { host: host.filter(|_| flow.transport == Transport::Tls), local: announce.socket(flow) };
    format!("SIP/2.0/{transport} {ours};branch={branch};rport{alias}")
}

/// Our Contact on a flow; `host` is our name where the peer knows us by one.
pub(crate) fn contact(user: &str, flow: Flow, announce: &Announce, host: Option<&str>) -> String {
    let at = if user.is_empty() { "" } else { "@" };
    let ours = Authority { host, local: announce.socket(flow) };
    format!("<sip:{user}{at}{ours}{}>", flow.transport.parameter())
}

/// The name that a Contact of ours has for us; none where it has our address.
pub(crate) fn name_in(contact: &str) -> Option<&str> {
    let uri = contact.strip_prefix("<sip:")?;
    let authority = uri.rsplit_once('@').map_or(uri, |(_, authority)| authority);
    let host = authority.split([':', ';', '>']).next()?;
    (!host.starts_with('[') && host.parse::<IpAddr>().is_err()).then_some(host)
}

/// Name or address and port of our side, as they stand in a URI; without the zone of an IPv6 address, which is nobody else's.
struct Authority<'a> {
    host: Option<&'a str>,
    local: SocketAddr,
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host, self.local) {
            (Some(host), local) => write!(f, "{host}:{}", local.port()),
            (None, SocketAddr::V4(local)) => write!(f, "{}:{}", local.ip(), local.port()),
            (None, SocketAddr::V6(local)) => write!(f, "[{}]:{}", local.ip(), local.port()),
        }
    }
}

/// The ACK of a final answer other than 2xx, which repeats its INVITE's way (RFC 3261 §17.1.1.3).
pub(crate) fn ack_refusal(invite: Bytes, refusal: &Message) -> Bytes {
    let to = refusal.header(Name::To).unwrap_or_default();
    // We wrote the INVITE ourselves, so that it parses; if it doesn't, nothing is sent.
    let Ok(invite) = Message::parse(invite) else { return Bytes::new() };
    follow(&invite, &Method::Ack, to, None)
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(crate) fn cancel(invite: Bytes, reason: Option<&str>) -> Bytes {
    let Ok(invite) = Message::parse(invite) else { return Bytes::new() };
    let to = invite.header(Name::To).unwrap_or_default();
    follow(&invite, &Method::Cancel, to, reason)
}

/// A request that goes exactly where `invite` went: same Request-URI, Via, Route, From, Call-ID and CSeq number.
fn follow(invite: &Message, method: &Method, to: &str, reason: Option<&str>) -> Bytes {
    let mut writer = Writer::request(method, invite.request_uri());
    if let Some(via) = invite.values(Name::Via).next() {
        writer.header(Name::Via, via);
    }
    for field in invite.fields().filter(|field| field.kind() == Name::Route) {
        writer.header(Name::Route, field.value());
    }
    writer.header(Name::MaxForwards, invite.max_forwards().unwrap_or(70));
    writer.header(Name::From, invite.header(Name::From).unwrap_or_default());
    writer.header(Name::To, to);
    writer.header(Name::CallId, invite.call_id());
    let number = invite.cseq().map(|cseq| cseq.number).unwrap_or_default();
    writer.header(Name::CSeq, format_args!("{number} {method}"));
    let credentials = [Name::Authorization, Name::ProxyAuthorization];
    for field in invite.fields().filter(|field| *method == Method::Ack && credentials.contains(&field.kind())) {
        writer.header(field.kind(), field.value());
    }
    if let Some(session) = invite.header(Name::SessionId) {
        writer.header(Name::SessionId, session);
    }
    if let Some(reason) = reason {
        writer.header(Name::Reason, reason);
    }
    writer.finish()
}
