//! Where a message goes and where it came from.

use crate::sip::transaction::ClientId;
use crate::wire::sip::{Name, Scheme, Uri};
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    /// SIP over WebSocket (RFC 7118).
    Ws,
    /// The same over TLS.
    Wss,
}

impl Transport {
    pub const ALL: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

    /// As it stands in a Via header.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// In lower case, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }

    /// Whether the transport itself repeats what is lost, so that a transaction needs not. These have connections.
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => true,
        }
    }

    /// Whether nobody on the way can read or change what is sent.
    pub fn is_secure(self) -> bool {
        match self {
            Transport::Udp | Transport::Tcp | Transport::Ws => false,
            Transport::Tls | Transport::Wss => true,
        }
    }

    /// Whether the peer can only be reached over the connection that it made itself.
    pub fn is_websocket(self) -> bool {
        matches!(self, Transport::Ws | Transport::Wss)
    }

    /// Where a URI names no port (RFC 3261 §19.1.2, RFC 7118 §5.2.3).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }

    /// What a SIP URI says of it, with the semicolon. RFC 7118 §5.2.2 has one value for both kinds of WebSocket.
    pub fn parameter(self) -> &'static str {
        match self {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
            Transport::Ws | Transport::Wss => ";transport=ws",
        }
    }

    /// By its name in a URI or a Via, in any case.
    pub fn from_name(name: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|transport| name.eq_ignore_ascii_case(transport.name()))
    }

    /// What a URI asks for (RFC 3261 §19.1.2, §26.2.2): `sips` makes of each transport its secure kind, and wants TLS where
    /// it names none. None where the URI leaves the choice, or names what we don't have.
    pub fn of_uri(uri: &Uri<'_>) -> Option<Transport> {
        let named = match uri.param("transport") {
            Some(Some(name)) => Some(Transport::from_name(name)?),
            _ => None,
        };
        match (uri.scheme, named) {
            (Scheme::Sips, None | Some(Transport::Tcp | Transport::Tls)) => Some(Transport::Tls),
            (Scheme::Sips, Some(Transport::Ws | Transport::Wss)) => Some(Transport::Wss),
            // No datagram is secure here.
            (Scheme::Sips, Some(Transport::Udp)) => None,
            (_, named) => named,
        }
    }
}

/// The way between one of our sockets and a peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flow {
    pub transport: Transport,
    /// The real address that stands in Via and Contact, never an unspecified one.
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

impl Flow {
    /// The same socket of ours, towards another peer address.
    pub fn towards(self, remote: SocketAddr) -> Flow {
        Flow { remote, ..self }
    }
}

/// Such as `udp:192.0.2.1:5060`, the peer's side.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.name(), self.remote)
    }
}

/// Bytes that the shell has to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    pub flow: Flow,
    pub bytes: Bytes,
    pub kind: Kind,
}

/// What a message is to the shell, where the flow is a connection that may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody hears of its loss.
    Plain,
    /// A request of this transaction, which is told if it can't have arrived.
    Request(ClientId),
    /// The same, but only an open connection will do: the transaction knows another way.
    IfOpen(ClientId),
    /// An answer. Where its connection is gone, one is made to where the peer listens (RFC 3261 §18.2.2).
    Answer { listens: SocketAddr },
}

impl Kind {
    /// The transaction that hears of a loss.
    pub fn transaction(self) -> Option<ClientId> {
        match self {
            Kind::Request(id) | Kind::IfOpen(id) => Some(id),
            Kind::Plain | Kind::Answer { .. } => None,
        }
    }
}

/// A message body and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub content_type: Box<str>,
    pub bytes: Bytes,
}

impl Body {
    pub fn sdp(bytes: impl Into<Bytes>) -> Body {
        Body { content_type: "application/sdp".into(), bytes: bytes.into() }
    }
}

/// Header fields that an owner adds to what the agent writes by itself (Via, From, To, Call-ID, CSeq, Contact, Route,
/// Max-Forwards, Allow, User-Agent or Server, Content-Type and Content-Length are the agent's). Of a field whose name has
/// no meaning here ([`Name::Other`]) the text is the whole line, `X-Note: text`.
pub type Headers = Vec<(Name, String)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_names_the_peer() {
        let flow = Flow {
            transport: Transport::Udp,
            local: "[::1]:5060".parse().unwrap(),
            remote: "192.0.2.1:5070".parse().unwrap(),
        };
        assert_eq!(flow.to_string(), "udp:192.0.2.1:5070");
        assert!(!flow.transport.is_reliable());
    }

    #[test]
    fn a_uri_says_its_transport() {
        let of = |text: &str| Transport::of_uri(&Uri::parse(text).unwrap());
        assert_eq!(of("sip:a@h"), None);
        assert_eq!(of("sip:a@h;transport=TCP"), Some(Transport::Tcp));
        assert_eq!(of("sip:a@h;transport=tls"), Some(Transport::Tls));
        assert_eq!(of("sip:a@h;transport=ws"), Some(Transport::Ws));
        assert_eq!(of("sip:a@h;transport=sctp"), None);
        assert_eq!(of("sips:a@h"), Some(Transport::Tls));
        assert_eq!(of("sips:a@h;transport=tcp"), Some(Transport::Tls));
        assert_eq!(of("sips:a@h;transport=ws"), Some(Transport::Wss));
        assert_eq!(of("sips:a@h;transport=udp"), None);
    }

    #[test]
    fn names_read_back() {
        for transport in Transport::ALL {
            assert_eq!(Transport::from_name(transport.as_str()), Some(transport));
            assert_eq!(Transport::from_name(transport.name()), Some(transport));
        }
    }
}
