//! The text of answers that we send, and where they go.

use crate::sip::agent::AgentSettings;
use crate::sip::flow::{Body, Flow, Headers};
use crate::sip::request::{ALLOW, SUPPORTED, contact};
use crate::sip::transaction::Asked;
use crate::wire::sip::{Message, Method, Name, SessionPair, Uri, Writer};
use bytes::Bytes;
use std::net::SocketAddr;

/// How many bytes an answer may have for each one of a request whose sender is unknown.
const AMPLIFICATION: usize = 3;

/// An answer to a request: RFC 3261 §8.2.6, and §12.1.1 where it makes a dialog.
pub(crate) struct Answer<'a> {
    pub status: u16,
    /// Empty for the usual phrase.
    pub reason: &'a str,
    pub headers: &'a Headers,
    pub body: Option<&'a Body>,
}

impl Answer<'_> {
    /// Over UDP the address of a request may be forged. What needs no right to be asked for is answered with at most
    /// [`AMPLIFICATION`] times the bytes of the request: where more would go out, what can be spared is left out.
    pub fn write(&self, asked: &Asked, settings: &AgentSettings) -> Bytes {
        let whole = self.compose(asked, &settings.user_agent, settings, false);
        let is_open = self.status >= 300 || *asked.request.method() == Method::Options;
        let limit = asked.request.raw().len().saturating_mul(AMPLIFICATION);
        if !is_open || asked.flow.transport.is_reliable() || whole.len() <= limit {
            return whole;
        }
        let terse = self.compose(asked, "", settings, true);
        // No telephone says so little; nothing is sent where even that is too much.
        if terse.len() <= limit { terse } else { Bytes::new() }
    }

    fn compose(&self, asked: &Asked, server: &str, settings: &AgentSettings, is_terse: bool) -> Bytes {
        let request = &asked.request;
        let to_tag = Some(asked.to_tag.as_str()).filter(|tag| self.status != 100 && !tag.is_empty());
        let mut writer = Writer::reply_to(request, self.status, self.reason, to_tag);
        let makes_dialog =
            matches!(request.method(), Method::Invite | Method::Subscribe) && (101..=299).contains(&self.status);
        if makes_dialog || (*request.method() == Method::Update && self.status < 300) {
            writer.header(Name::Contact, our_contact(asked, settings));
        }
        let mut challenges = 0;
        for (name, value) in self.headers {
            challenges += usize::from(*name == Name::WwwAuthenticate);
            // The first one is the strongest.
            if !is_terse || *name != Name::WwwAuthenticate || challenges == 1 {
                writer.header(*name, value);
            }
        }
        if let Some(session) = self.session_pair(request) {
            writer.header(Name::SessionId, session);
        }
        if !is_terse && self.lists_methods(request.method()) {
            writer.header(Name::Allow, ALLOW);
        }
        if (200..=299).contains(&self.status) && *request.method() == Method::Options {
            writer.header(Name::Supported, SUPPORTED);
        }
        if !server.is_empty() {
            writer.header(Name::Server, server);
        }
        if let Some(body) = self.body {
            writer.body(&body.content_type, &body.bytes);
        }
        writer.finish()
    }

    /// The names of the session as our side sees them (RFC 7989 §7), unless the owner names them: what the request says, the
    /// other way round.
    fn session_pair(&self, request: &Message) -> Option<SessionPair> {
        if self.headers.iter().any(|(name, _)| *name == Name::SessionId) {
            return None;
        }
        let SessionPair { local, remote } = request.header(Name::SessionId).and_then(SessionPair::parse)?;
        Some(SessionPair { local: remote, remote: local })
    }

    /// Where RFC 3261 §20.5, §21.4.6 and §11.2 want Allow, unless the owner names other methods.
    fn lists_methods(&self, method: &Method) -> bool {
        let due = match self.status {
            200..=299 => matches!(method, Method::Invite | Method::Options),
            405 => true,
            _ => false,
        };
        due && !self.headers.iter().any(|(name, _)| *name == Name::Allow)
    }
}

/// The user part of the request's URI at our address, or at that of our names to which it was sent: as the peer knows us
/// already.
pub(crate) fn our_contact(asked: &Asked, settings: &AgentSettings) -> String {
    let uri = Uri::parse(asked.request.request_uri()).ok();
    let user = uri.as_ref().and_then(|uri| uri.user()).unwrap_or_default();
    let is_named = |name: &&String| uri.as_ref().is_some_and(|uri| uri.host().eq_ignore_ascii_case(name));
    let name = settings.names.iter().find(is_named);
    contact(user, asked.flow, &settings.announce, name.map(String::as_str))
}

/// Where the answers to a request go, and where the peer takes a connection if that one is gone: RFC 3261 §18.2.2 and
/// RFC 3581 §4. A `maddr` is not followed, as it would let anybody point our answers at anybody.
pub(crate) fn way_back(request: &Message, flow: Flow) -> (Flow, SocketAddr) {
    let Ok(via) = request.top_via() else { return (flow, flow.remote) };
    let port = via.port.filter(|&port| port != 0).unwrap_or(flow.transport.default_port());
    let listens = SocketAddr::new(flow.remote.ip(), port);
    if flow.transport.is_reliable() || via.rport().is_some() {
        return (flow, listens);
    }
    (flow.towards(listens), listens)
}
