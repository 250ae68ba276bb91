//! Requests of ours in a dialog.

use super::Session;
use crate::sip::core::{Core, Owner};
use crate::sip::dialog::{Dialog, Way};
use crate::sip::digest::Responder;
use crate::sip::flow::{Body, Headers};
use crate::sip::request::{Draft, name_in};
use crate::sip::transaction::{ClientId, ClientKey, Course};
use crate::wire::sip::{Message, Method, Name};
use bytes::Bytes;

/// How often one request may be challenged: once by a proxy or by the peer, and once more where the nonce was old. More
/// would let a peer keep us busy with ever new nonces.
pub(super) const MAX_CHALLENGES: u8 = 2;

/// Max-Forwards of a request that begins with us (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u32 = 70;

/// A request in a dialog, but for what the dialog gives it.
pub(super) struct Request<'a> {
    pub method: Method,
    pub headers: Headers,
    pub body: Option<&'a Body>,
}

impl Request<'_> {
    pub fn new(method: Method) -> Request<'static> {
        Request { method, headers: Headers::new(), body: None }
    }

    /// Sends it by a transaction; the credentials that it carries are given back for an ACK.
    pub fn send(
        self,
        core: &mut Core,
        dialog: &mut Dialog,
        responder: &mut Option<Responder>,
        contact: &str,
        owner: Owner,
    ) -> (ClientId, Headers) {
        let cseq = dialog.next_cseq();
        let way = dialog.way();
        let credentials = credentials(core, responder, &self.method, &way.uri, self.body);
        let branch = core.mint.branch();
        let bytes = self.write(core, dialog, &way, cseq, &branch, contact, &credentials);
        let key = ClientKey::new(&branch, self.method.clone());
        let course = Course { flow: way.flow, is_new: false, is_pinned: way.is_pinned };
        (core.clients.start(&mut core.out, course, key, bytes, None, owner), credentials)
    }

    /// The text of it on its way (RFC 3261 §12.2.1.1).
    #[allow(clippy::too_many_arguments, reason = "a request is all of these")]
    pub fn write(
        &self,
        core: &Core,
        dialog: &Dialog,
        way: &Way,
        cseq: u32,
        branch: &str,
        contact: &str,
        credentials: &Headers,
    ) -> Bytes {
        let mut headers = self.headers.clone();
        if !dialog.session.local.is_nil() {
            headers.push((Name::SessionId, dialog.session.to_string()));
        }
        let method = &self.method;
        let refreshes = method.creates_dialog() || matches!(method, Method::Update | Method::Notify);
        let draft = Draft {
            method: &self.method,
            uri: &way.uri,
            flow: way.flow,
            announce: &core.settings.announce,
            host: name_in(contact),
            branch,
            max_forwards: MAX_FORWARDS,
            from: &dialog.local,
            to: &dialog.remote,
            call_id: &dialog.call_id,
            cseq,
            contact: refreshes.then_some(contact),
            routes: &way.routes,
            headers: &headers,
            credentials,
            body: self.body,
            user_agent: &core.settings.user_agent,
        };
        draft.write()
    }
}

/// What the next request carries after earlier challenges of this session.
pub(super) fn credentials(
    core: &mut Core,
    responder: &mut Option<Responder>,
    method: &Method,
    uri: &str,
    body: Option<&Body>,
) -> Headers {
    let Some(responder) = responder else { return Headers::new() };
    let body = body.map(|body| &body.bytes[..]).unwrap_or_default();
    responder.headers(method.as_str(), uri, body, &mut core.mint.chance).unwrap_or_default()
}

impl Session {
    /// Whether the request that `response` answers is to be sent again with credentials; counts the attempt.
    pub(super) fn takes_challenge(&mut self, response: &Message, attempts: &mut u8) -> bool {
        let Some(responder) = &mut self.responder else { return false };
        if !matches!(response.status(), 401 | 407) || *attempts >= MAX_CHALLENGES {
            return false;
        }
        *attempts += 1;
        responder.challenged(response).is_ok()
    }
}
