//! Requests that are too large for a datagram go over TCP, and in datagrams after all where the peer takes no connection
//! (RFC 3261 §18.1.1).

use crate::base::time::Time;
use crate::sip::flow::{Flow, Transport};
use bytes::Bytes;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Where the path's MTU isn't known, a request larger than this needs TCP.
pub const DATAGRAM_BYTES: usize = 1_300;
/// Peers that are remembered; beyond that all are forgotten, and tried again.
const MEMORY: usize = 1_024;
/// A peer that takes no TCP isn't bothered with it again for so long, since each attempt may hold a call up.
const REFUSED_FOR: Duration = Duration::from_secs(600);
const VIA: &[u8] = b"\r\nVia: SIP/2.0/";

/// How a request goes if the other way fails.
pub struct Fallback {
    pub flow: Flow,
    pub request: Bytes,
    pub patience: Option<Duration>,
}

/// Peers that took no connection lately.
#[derive(Default)]
pub struct Refusals {
    until: HashMap<SocketAddr, Time>,
}

impl Refusals {
    pub fn note(&mut self, peer: SocketAddr, now: Time) {
        if self.until.len() >= MEMORY {
            self.until.clear();
        }
        self.until.insert(peer, now + REFUSED_FOR);
    }

    fn holds(&self, peer: SocketAddr, now: Time) -> bool {
        self.until.get(&peer).is_some_and(|&until| now < until)
    }

    /// The flow and the text by which a request goes first, if not as it is. Where it `must`, it goes so even to a peer that
    /// took no connection lately.
    pub fn over_tcp(&self, flow: Flow, request: &Bytes, now: Time, must: bool) -> Option<(Flow, Bytes)> {
        let fits = flow.transport != Transport::Udp || request.len() <= DATAGRAM_BYTES;
        if fits || !must && self.holds(flow.remote, now) {
            return None;
        }
        Some((over_connection(flow), over(flow.transport, Transport::Tcp, request)?))
    }
}

/// The same way without datagrams.
pub fn over_connection(flow: Flow) -> Flow {
    match flow.transport {
        Transport::Udp => Flow { transport: Transport::Tcp, ..flow },
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => flow,
    }
}

/// The same request of ours by another transport. None where its Via can't say so: the names of those that people don't
/// use in a browser are of one length.
pub fn over(before: Transport, transport: Transport, request: &Bytes) -> Option<Bytes> {
    if before == transport {
        return Some(request.clone());
    }
    // A Request-URI may hold anything but a line end, so that the first such line is our Via.
    let at = memchr::memmem::find(request, VIA)? + VIA.len();
    let (before, name) = (before.as_str().as_bytes(), transport.as_str().as_bytes());
    let mut moved = request.to_vec();
    let place = moved.get_mut(at..at + name.len()).filter(|place| *place == before)?;
    place.copy_from_slice(name);
    Some(Bytes::from(moved))
}
