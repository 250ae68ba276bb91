//! One subscription, and the NOTIFY that it sends.

use crate::base::time::Time;
use crate::sip::agent::{OutgoingRequest, RequestId};
use crate::sip::dialog::Dialog;
use crate::sip::flow::Body;
use crate::sip::notifier::Package;
use crate::sip::registrar::Binding;
use crate::wire::sip::{Method, Name, escape_user};

pub(super) struct Subscription {
    pub watcher: String,
    pub resource: String,
    pub package: Package,
    /// The `id` of the Event header, which every NOTIFY repeats.
    pub event_id: Option<String>,
    pub dialog: Dialog,
    /// Where the subscriber says that it is.
    pub target: String,
    pub expires_at: Time,
    /// What the last NOTIFY will say, once it is to be sent.
    pub ending: Option<Ending>,
    /// The subscriber doesn't know the present state.
    pub due: bool,
    /// A NOTIFY has no answer yet.
    pub in_flight: bool,
    /// Which one.
    pub request: Option<RequestId>,
    pub notified_at: Option<Time>,
    /// The number of the next document.
    pub version: u32,
    /// Notifications in a row that were refused.
    pub failures: u8,
}

/// Why a subscription ends (RFC 6665 §4.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It expired, or the subscriber took it back.
    Timeout,
    /// Who was watched, or who watches, is no user any more.
    NoResource,
    /// The subscriber may no longer watch.
    Rejected,
    /// We go away, and shall be back.
    Probation,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Ending::Timeout => "reason=timeout",
            Ending::NoResource => "reason=noresource",
            Ending::Rejected => "reason=rejected",
            // Long enough for a restart.
            Ending::Probation => "reason=probation;retry-after=10",
        }
    }
}

impl Subscription {
    pub fn notify(&mut self, now: Time, body: Option<Body>) -> OutgoingRequest {
        self.due = false;
        self.in_flight = true;
        self.notified_at = Some(now);
        self.version = self.version.saturating_add(1);
        let way = self.dialog.way();
        let event = match &self.event_id {
            Some(id) => format!("{};id={id}", self.package.as_str()),
            None => self.package.as_str().to_owned(),
        };
        let state = match self.ending {
            Some(ending) => format!("terminated;{}", ending.as_str()),
            None => format!("active;expires={}", (self.expires_at - now).as_secs()),
        };
        let tag = format!(";tag={}", self.dialog.local_tag);
        let from = self.dialog.local.strip_suffix(&tag).unwrap_or(&self.dialog.local).to_owned();
        OutgoingRequest {
            call_id: Some(self.dialog.call_id.clone()),
            cseq: Some(self.dialog.next_cseq()),
            local_tag: Some(self.dialog.local_tag.clone()),
            contact_user: Some(escape_user(&self.resource).into_owned()),
            routes: way.routes,
            is_pinned: way.is_pinned,
            headers: vec![(Name::Event, event), (Name::SubscriptionState, state)],
            body,
            ..OutgoingRequest::new(Method::Notify, way.uri, way.flow, from, self.dialog.remote.clone())
        }
    }
}

/// A NOTIFY that nobody subscribed to, about whoever has `address`, for one of their phones (RFC 3842 §4).
pub fn unsolicited(package: Package, address: &str, phone: Binding, text: String) -> OutgoingRequest {
    let address = format!("<{address}>");
    let event = (Name::Event, package.as_str().to_owned());
    // There is no subscription that could go on.
    let state = (Name::SubscriptionState, "terminated;reason=noresource".to_owned());
    OutgoingRequest {
        headers: vec![event, state],
        body: Some(Body { content_type: package.content_type().into(), bytes: text.into() }),
        contact_user: Some(String::new()),
        is_pinned: phone.is_pinned(),
        routes: phone.path,
        ..OutgoingRequest::new(Method::Notify, phone.uri, phone.flow, address.clone(), address)
    }
}
