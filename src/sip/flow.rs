//! Where a message goes and where it came from.

use crate::wire::sip::Name;
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    /// As it stands in a Via header.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }

    /// Whether the transport itself repeats what is lost, so that a transaction needs not.
    pub fn is_reliable(self) -> bool {
        self == Transport::Tcp
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
        let transport = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        write!(f, "{transport}:{}", self.remote)
    }
}

/// Bytes that the shell has to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    pub flow: Flow,
    pub bytes: Bytes,
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
}
