//! Requests of ours that can't have arrived: their connection is gone, or their datagram came back.

use super::{Agent, Event, Failure, SessionId};
use crate::base::time::Now;
use crate::sip::dialog::is_host;
use crate::sip::flow::{Flow, Transport};
use crate::sip::locate::Target;
use crate::sip::transaction::{ClientId, Lost};
use std::net::{IpAddr, SocketAddr};

impl Agent {
    /// The shell couldn't send a request, or the connection that it went by, which `was_open`, is lost.
    pub fn unsent(&mut self, now: Now, id: ClientId, was_open: bool) {
        self.core.begin(now);
        let lost = self.core.clients.unsent(&mut self.core.out, id, was_open);
        self.lost(id, lost);
        self.settle();
    }

    /// Sends the request of an [`Event::Astray`] by the way that was found for it; none gives it up.
    pub fn lead(&mut self, now: Now, id: ClientId, way: Option<Flow>) {
        self.core.begin(now);
        let lost = self.core.clients.lead(&mut self.core.out, id, way);
        self.lost(id, lost);
        self.settle();
    }

    /// A host says that nobody listens where a datagram of ours went (ICMP), and gives its beginning back. That ends what
    /// was to begin, and nothing that goes on (RFC 3261 §18.4).
    pub fn returned(&mut self, now: Now, beginning: &[u8]) {
        self.core.begin(now);
        if let Some(id) = self.core.clients.returned(&mut self.core.out, beginning) {
            self.client_failed(id, Failure::Transport);
        }
        self.settle();
    }

    /// A connection is gone. A browser's can't be made again, so that whoever called by it, or rings there, is gone as well.
    pub fn flow_failed(&mut self, now: Now, flow: Flow) {
        self.core.begin(now);
        for id in self.pinned.remove(&flow).unwrap_or_default() {
            self.with(id, |session, core| session.flow_failed(core));
        }
        self.settle();
    }

    pub(super) fn pin(&mut self, flow: Flow, id: SessionId) {
        if flow.transport.is_websocket() {
            self.pinned.entry(flow).or_default().push(id);
        }
    }

    pub(super) fn unpin(&mut self, flow: Flow, id: SessionId) {
        if let Some(sessions) = self.pinned.get_mut(&flow) {
            sessions.retain(|other| *other != id);
            if sessions.is_empty() {
                self.pinned.remove(&flow);
            }
        }
    }

    fn lost(&mut self, id: ClientId, lost: Lost) {
        match lost {
            Lost::Settled => {}
            Lost::Failed => self.client_failed(id, Failure::Transport),
            Lost::Astray { flow, target } => match target.host.parse() {
                Ok(ip) => {
                    let lost = self.core.clients.lead(&mut self.core.out, id, direct(flow, &target, ip));
                    self.lost(id, lost);
                }
                Err(_) => {
                    let secure = target.secure || flow.transport.is_secure();
                    self.core.emit(Event::Astray { id, target: Target { secure, ..target } });
                }
            },
        }
    }
}

/// The way to an address that a request names (RFC 3263 §4.1). What nobody could read on the way it lost stays so.
fn direct(flow: Flow, target: &Target, ip: IpAddr) -> Option<Flow> {
    let is_secure = flow.transport.is_secure();
    let transport = target.transport.unwrap_or(if is_secure { Transport::Tls } else { Transport::Udp });
    let is_possible = ip.is_ipv4() == flow.local.is_ipv4()
        && is_host(ip)
        && !transport.is_websocket()
        && (transport.is_secure() || !is_secure);
    let port = target.port.unwrap_or(transport.default_port());
    (is_possible && port != 0).then(|| Flow { transport, ..flow.towards(SocketAddr::new(ip, port)) })
}
