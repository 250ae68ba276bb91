//! Dialogs: RFC 3261 §12.

use crate::sip::flow::{Flow, Transport};
use crate::wire::sip::{Contacts, Message, Name, NameAddr, Scheme, SessionPair, Uri, Uuid};
use std::net::{IpAddr, SocketAddr};

/// The state that both sides of a dialog keep (§12).
#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
    /// Values of From and To in our requests, with their tags.
    pub local: String,
    pub remote: String,
    pub local_cseq: u32,
    /// None until the peer sends its first request.
    pub remote_cseq: Option<u32>,
    /// The URI that the peer wants to be reached at.
    target: String,
    /// Values of Route headers, in their order.
    routes: Vec<String>,
    /// The way by which the dialog came to be.
    flow: Flow,
    /// Whether the peer's Contact leads nowhere, so that only `flow` does.
    behind_nat: bool,
    /// What our side of the session is called, and the peer (RFC 7989); in every request of ours where it is known.
    pub session: SessionPair,
}

/// What a dialog keeps of an INVITE of ours.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    pub uri: &'a str,
    pub flow: Flow,
    /// The From value, with the tag.
    pub from: &'a str,
    pub local_tag: &'a str,
    pub cseq: u32,
    /// What it said that our side of the session is called.
    pub session: Uuid,
}

/// Where a request in a dialog goes (§12.2.1.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    pub uri: String,
    pub routes: Vec<String>,
    pub flow: Flow,
    /// Nothing but the flow leads there.
    pub is_pinned: bool,
}

impl Dialog {
    /// The dialog that an INVITE of the peer makes with our answer (§12.1.1).
    pub fn callee(invite: &Message, flow: Flow, local_tag: String) -> Dialog {
        let from = invite.header(Name::From).unwrap_or_default();
        let to = invite.header(Name::To).unwrap_or_default();
        let target = contact(invite).unwrap_or_else(|| fallback(flow));
        Dialog {
            call_id: invite.call_id().to_owned(),
            remote_tag: tag(invite.from().ok()),
            local: format!("{to};tag={local_tag}"),
            local_tag,
            remote: from.to_owned(),
            local_cseq: 0,
            remote_cseq: invite.cseq().ok().map(|cseq| cseq.number),
            routes: invite.values(Name::RecordRoute).map(str::to_owned).collect(),
            flow,
            behind_nat: sent_through_nat(invite, flow) || is_unreachable(&target, flow),
            target,
            session: SessionPair { local: Uuid::NIL, remote: sender(invite) },
        }
    }

    /// The dialog that an answer to an INVITE of ours makes (§12.1.2).
    pub fn caller(response: &Message, invite: Sent<'_>) -> Dialog {
        let Sent { uri, flow, from, local_tag, cseq, session } = invite;
        let mut routes: Vec<_> = response.values(Name::RecordRoute).map(str::to_owned).collect();
        routes.reverse();
        let target = contact(response).unwrap_or_else(|| fallback(flow));
        Dialog {
            call_id: response.call_id().to_owned(),
            local_tag: local_tag.to_owned(),
            remote_tag: tag(response.to().ok()),
            local: from.to_owned(),
            remote: response.header(Name::To).unwrap_or_default().to_owned(),
            local_cseq: cseq,
            remote_cseq: None,
            behind_nat: is_unreachable(&target, flow) || is_same_detour(uri, &target, flow),
            target,
            routes,
            flow,
            session: SessionPair { local: session, remote: sender(response) },
        }
    }

    /// The same dialog after the 2xx that confirms it, whose routes count (§13.2.2.4).
    pub fn confirmed(mut self, response: &Message) -> Dialog {
        self.routes = response.values(Name::RecordRoute).map(str::to_owned).collect();
        self.routes.reverse();
        self.refresh_target(response);
        self
    }

    /// Whether a request of the peer is of this dialog (§12.2.2).
    pub fn is_of(&self, request: &Message) -> bool {
        request.call_id() == self.call_id
            && tag(request.to().ok()) == self.local_tag
            && tag(request.from().ok()) == self.remote_tag
    }

    /// Takes note of the number of a peer's request. False where it is lower than one before: such a request is out of
    /// order, answered with 500 (§12.2.2). Gaps are fine.
    pub fn admit(&mut self, cseq: u32) -> bool {
        if self.remote_cseq.is_some_and(|before| cseq < before) {
            return false;
        }
        self.remote_cseq = Some(cseq);
        true
    }

    /// The peer may be another one than before, with a name of its own for the session (RFC 7989 §8).
    pub fn note_session(&mut self, message: &Message) {
        let name = sender(message);
        if !name.is_nil() {
            self.session.remote = name;
        }
    }

    /// The number of our next request.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// A request or answer that may move the peer (§12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
    }

    /// Takes note of the way on which the peer's latest request came, which is where a peer behind a NAT is now.
    pub fn seen_on(&mut self, request: &Message, flow: Flow) {
        self.flow = flow;
        self.behind_nat = sent_through_nat(request, flow) || is_unreachable(&self.target, flow);
    }

    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// §12.2.1.1: with loose routers the target stands in the Request-URI; a strict router stands there itself, and the
    /// target becomes the last route.
    pub fn way(&self) -> Way {
        let first = self.routes.first().and_then(|route| NameAddr::parse(route).ok());
        let Some(first) = first else {
            let flow = if self.behind_nat { self.flow } else { self.towards(&self.target) };
            let is_pinned = self.behind_nat || flow.transport.is_websocket();
            return Way { uri: request_uri(&self.target), routes: Vec::new(), flow, is_pinned };
        };
        let hop = first.uri();
        let loose = Uri::parse(hop).is_ok_and(|uri| uri.param("lr").is_some());
        let flow = self.towards(hop);
        let is_pinned = flow.transport.is_websocket();
        if loose {
            return Way { uri: request_uri(&self.target), routes: self.routes.clone(), flow, is_pinned };
        }
        let mut routes = self.routes.get(1..).unwrap_or_default().to_vec();
        routes.push(format!("<{}>", self.target));
        Way { uri: request_uri(hop), routes, flow, is_pinned }
    }

    /// The way to a URI: its address where it is one, otherwise the way that the dialog came.
    fn towards(&self, uri: &str) -> Flow {
        let Ok(uri) = Uri::parse(uri) else { return self.flow };
        let Some(ip) = uri.host_ip() else { return self.flow };
        let other_family = ip.is_ipv4() != self.flow.local.is_ipv4();
        // A connection that leads there already is used, whatever port it has at the other end.
        let connected = self.flow.transport.is_reliable() && ip == self.flow.remote.ip();
        // Nobody but a browser itself can open a connection between it and us.
        let fixed = self.flow.transport.is_websocket();
        if other_family || connected || fixed || !is_host(ip) {
            return self.flow;
        }
        match uri.port().unwrap_or(self.flow.transport.default_port()) {
            0 => self.flow,
            port => self.flow.towards(SocketAddr::new(ip, port)),
        }
    }
}

/// A URI without its header part, which a Request-URI doesn't have (§19.1.1).
fn request_uri(text: &str) -> String {
    let headers = Uri::parse(text).ok().and_then(|uri| uri.headers());
    let without = headers.and_then(|headers| text.strip_suffix(headers)?.strip_suffix('?'));
    without.unwrap_or(text).to_owned()
}

/// What the sender of a message calls the session.
fn sender(message: &Message) -> Uuid {
    message.header(Name::SessionId).and_then(SessionPair::parse).unwrap_or_default().local
}

fn tag(address: Option<NameAddr<'_>>) -> String {
    address.and_then(|address| address.tag().map(str::to_owned)).unwrap_or_default()
}

/// The URI of a Contact that can be a target: a SIP URI (RFC 3261 §8.1.1.8).
fn contact(message: &Message) -> Option<String> {
    match message.contacts().ok()? {
        Contacts::List(list) => {
            let contact = list.first()?;
            let is_sip = contact.parse_uri().is_ok_and(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips));
            is_sip.then(|| contact.uri().to_owned())
        }
        Contacts::Star => None,
    }
}

/// A target for a peer that gave none: where its message came from.
fn fallback(flow: Flow) -> String {
    format!("sip:{}{}", flow.remote, flow.transport.parameter())
}

/// Whether a request came from elsewhere than its sender believes.
fn sent_through_nat(request: &Message, flow: Flow) -> bool {
    let Ok(via) = request.top_via() else { return false };
    let Ok(host) = via.host.parse::<IpAddr>() else { return false };
    // Who asks for `rport` sends and receives on one port; other peers may send from any.
    let asks = flow.transport == Transport::Udp && via.rport().is_some();
    let moved = asks && via.port.unwrap_or(5060) != flow.remote.port();
    host != flow.remote.ip() || moved
}

/// Whether a Contact is an address of a private network while its owner was reached at a public one.
fn is_unreachable(target: &str, flow: Flow) -> bool {
    let Ok(uri) = Uri::parse(target) else { return false };
    // RFC 5626 §4.3: the peer wants requests on the flow that it keeps.
    uri.param("ob").is_some()
        || uri
            .host_ip()
            .is_some_and(|host| host != flow.remote.ip() && is_private(host) && !is_private(flow.remote.ip()))
}

/// Whether our INVITE went elsewhere than its URI says, as it does to a phone that registered through a NAT, and the
/// answer's Contact says the same as that URI.
fn is_same_detour(uri: &str, target: &str, flow: Flow) -> bool {
    let address = |uri: &str| Uri::parse(uri).ok().and_then(|uri| Some((uri.host_ip()?, uri.port().unwrap_or(5060))));
    address(uri).is_some_and(|named| {
        let moved = flow.transport == Transport::Udp && named.1 != flow.remote.port();
        (named.0 != flow.remote.ip() || moved) && address(target).is_some_and(|target| target == named)
    })
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether an address can be somebody's.
pub(crate) fn is_host(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || is_broadcast)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn flow() -> Flow {
        Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.9:5062".parse().unwrap(),
        }
    }

    fn invite(extra: &str) -> Message {
        let text = format!(
            "INVITE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKa\r\n\
             From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\
             {extra}Content-Length: 0\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    fn dialog(extra: &str) -> Dialog {
        Dialog::callee(&invite(extra), flow(), "b".into())
    }

    #[test]
    fn numbers_only_grow() {
        let mut dialog = dialog("");
        assert!(dialog.admit(9) && dialog.admit(20) && !dialog.admit(19) && dialog.admit(20));
        assert_eq!((dialog.next_cseq(), dialog.next_cseq()), (1, 2));
    }

    #[test]
    fn a_request_goes_to_the_contact() {
        let way = dialog("Contact: <sip:alice@192.0.2.10:5070>\r\n").way();
        assert_eq!(way.uri, "sip:alice@192.0.2.10:5070");
        assert_eq!(way.flow.remote, "192.0.2.10:5070".parse().unwrap());
    }

    #[test]
    fn a_name_as_contact_keeps_the_flow() {
        let way = dialog("Contact: <sip:alice@phone.example.com>\r\n").way();
        assert_eq!((way.uri.as_str(), way.flow), ("sip:alice@phone.example.com", flow()));
    }

    #[test]
    fn a_contact_that_is_no_uri_keeps_to_where_the_message_came_from() {
        let way = dialog("Contact: <sip:alice@192.0.2.1\u{fa}:5060>\r\n").way();
        assert_eq!((way.uri.as_str(), way.flow), (fallback(flow()).as_str(), flow()));
        // One of another kind leads nowhere either.
        let way = dialog("Contact: <si.192.0.2.1:5060>\r\n").way();
        assert_eq!((way.uri.as_str(), way.flow), (fallback(flow()).as_str(), flow()));
    }

    #[test]
    fn behind_a_nat_only_the_flow_leads_there() {
        let natted = Flow { remote: "198.51.100.1:40000".parse().unwrap(), ..flow() };
        let message = invite("Contact: <sip:alice@192.168.1.5>\r\n");
        let way = Dialog::callee(&message, natted, "b".into()).way();
        assert_eq!((way.uri.as_str(), way.flow), ("sip:alice@192.168.1.5", natted));
    }

    #[test]
    fn a_phone_that_registered_through_a_nat_is_reached_as_before() {
        let natted = Flow { remote: "10.1.0.1:40000".parse().unwrap(), ..flow() };
        let way = |uri: &str| {
            let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=a\r\n\
                        To: <sip:b@x>;tag=b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:b@10.2.0.5:5061>\r\n\r\n";
            let response = Message::parse(Bytes::from(text)).unwrap();
            let sent = Sent { uri, flow: natted, from: "<sip:a@x>;tag=a", local_tag: "a", cseq: 1, session: Uuid::NIL };
            Dialog::caller(&response, sent).way().flow.remote
        };
        assert_eq!(way("sip:b@10.2.0.5:5061"), natted.remote);
        assert_eq!(way("sip:b@10.1.0.1:40000"), "10.2.0.5:5061".parse().unwrap());
    }

    #[test]
    fn a_loose_router_is_passed_and_a_strict_one_is_addressed() {
        let contact = "Contact: <sip:alice@192.0.2.10>\r\n";
        let way = dialog(&format!("{contact}Record-Route: <sip:192.0.2.20;lr>, <sip:p2.example.com;lr>\r\n")).way();
        assert_eq!(way.uri, "sip:alice@192.0.2.10");
        assert_eq!(way.routes, ["<sip:192.0.2.20;lr>", "<sip:p2.example.com;lr>"]);
        assert_eq!(way.flow.remote, "192.0.2.20:5060".parse().unwrap());

        let way = dialog(&format!("{contact}Record-Route: <sip:192.0.2.20:5080>, <sip:p2.example.com;lr>\r\n")).way();
        assert_eq!(way.uri, "sip:192.0.2.20:5080");
        assert_eq!(way.routes, ["<sip:p2.example.com;lr>", "<sip:alice@192.0.2.10>"]);
        assert_eq!(way.flow.remote, "192.0.2.20:5080".parse().unwrap());
    }

    #[test]
    fn it_is_known_by_call_id_and_both_tags() {
        let dialog = dialog("");
        let request = |to: &str, from: &str| {
            let text = format!(
                "BYE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKb\r\n\
                 From: <sip:alice@example.com>;tag={from}\r\nTo: <sip:bob@example.com>;tag={to}\r\nCall-ID: c\r\n\
                 CSeq: 8 BYE\r\nContent-Length: 0\r\n\r\n"
            );
            dialog.is_of(&Message::parse(Bytes::from(text)).unwrap())
        };
        assert!(request("b", "a"));
        assert!(!request("b", "x") && !request("x", "a"));
    }
}
