//! One contact of one account.

use crate::base::time::Time;
use crate::sip::flow::Flow;
use crate::sip::registrar::request::Wanted;
use crate::wire::sip::Uri;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Unique in a registrar, and kept over refreshes.
    pub id: u64,
    /// Where requests for the account are sent to: their Request-URI.
    pub uri: String,
    /// The flow of the last REGISTER, which is the way back through NAT.
    pub flow: Flow,
    /// Preference in thousandths; 1000 where the phone names none.
    pub q: u16,
    pub expires_at: Time,
    pub refreshed_at: Time,
    pub call_id: String,
    pub cseq: u32,
    /// Cut at 128 bytes.
    pub user_agent: String,
    /// `+sip.instance` (RFC 5626 §4.1): which phone it is, over restarts.
    pub instance: Option<String>,
    /// Which flow of that phone it is (RFC 5626 §4.2), where it keeps several.
    pub reg_id: Option<u32>,
    /// The proxies between us and the phone, as values of Route (RFC 3327).
    pub path: Vec<String>,
    /// What temporary addresses of the phone stand for: it changes with the Call-ID (RFC 5627 §3.2).
    pub epoch: u64,
    /// Whether what the phone calls its address differs from where its requests come from: only `flow` reaches it.
    pub behind_nat: bool,
    /// The contact's parameters except `expires`, each with its semicolon before it.
    pub params: String,
}

impl Binding {
    /// Whether this binding is for the same URI (RFC 3261 §19.1.4).
    pub fn is_at(&self, uri: &str) -> bool {
        match (Uri::parse(&self.uri), Uri::parse(uri)) {
            (Ok(one), Ok(two)) => one.equivalent(&two),
            _ => self.uri == uri,
        }
    }

    /// Whether this binding is what a contact of a request is about: of one flow of one phone, the last word counts.
    pub(super) fn is_meant_by(&self, wanted: &Wanted) -> bool {
        match (self.reg_id, wanted.reg_id) {
            (Some(one), Some(other)) => one == other && self.instance == wanted.instance,
            (None, None) => self.is_at(&wanted.uri),
            // A phone that begins or ceases to keep flows takes its plain contact along.
            _ => self.instance == wanted.instance && self.is_at(&wanted.uri),
        }
    }

    /// Whether nothing but its flow leads there: no proxy that can be connected to, nor the phone itself. A flow that the
    /// phone keeps is the one to use (RFC 5626 §5.3).
    pub fn is_pinned(&self) -> bool {
        self.flow.transport.is_websocket() || self.path.is_empty() && (self.behind_nat || self.reg_id.is_some())
    }

    /// Whether a connection that closes takes it along.
    pub(super) fn ends_with_flow(&self) -> bool {
        self.flow.transport.is_reliable() && self.is_pinned()
    }

    /// Whole seconds until it expires, the last one counted in full.
    pub fn expires_in(&self, now: Time) -> u64 {
        (self.expires_at - now).as_nanos().div_ceil(1_000_000_000) as u64
    }

    /// The value of Contact that lists it.
    pub(super) fn contact(&self, now: Time) -> String {
        format!("<{}>{};expires={}", self.uri, self.params, self.expires_in(now))
    }
}
