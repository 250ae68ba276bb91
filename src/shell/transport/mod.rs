//! The SIP sockets: what arrives becomes messages with the flow that they came by, and flows are sent on.

mod census;
mod connections;
mod guest;
mod line;
mod pktinfo;
mod stream;
mod udp;

pub use census::{Census, Place};
pub use guest::{Guest, Guests};
pub use line::Line;
pub use stream::FIRST_MESSAGE_LIMIT;

use crate::call::io::Input;
use crate::config::settings::Settings;
use crate::shell::clock::Clock;
use crate::shell::error::ShellError;
use crate::shell::tls;
use crate::sip::flow::{Flow, Transmit, Transport};
use bytes::Bytes;
use connections::Connections;
use std::io;
use std::net::SocketAddr;
use tokio::sync::mpsc;
use udp::Sockets;

/// A machine without IPv6 can't have what the defaults ask for; what an operator asks for by an address of its own, it must.
fn may_be_missing(address: SocketAddr, error: &io::Error) -> bool {
    let absent = matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL));
    let missing = absent && address.is_ipv6() && address.ip().is_unspecified();
    if missing {
        tracing::warn!("this machine has no IPv6: nothing listens at {address}");
    }
    missing
}

/// What comes from connections and from questions to the world waits here.
pub const QUEUE: usize = 8_192;

pub enum Arrival {
    Message {
        flow: Flow,
        bytes: Bytes,
    },
    /// A peer connected.
    Connected {
        flow: Flow,
        line: Line,
        /// Whether its certificate proved who it is.
        is_proven: bool,
    },
    /// A proven peer lets us use its connection for what goes to this address of its (RFC 5923).
    Alias {
        flow: Flow,
        address: SocketAddr,
    },
    /// A connection closed, or couldn't be made.
    Closed {
        flow: Flow,
        line: Line,
    },
    /// A datagram of ours that can't be delivered came back, at least its beginning.
    Returned {
        beginning: Bytes,
    },
    /// A host was looked up, and these are the ways to it.
    Found {
        host: String,
        flows: Vec<Flow>,
    },
    /// An answer of the world to an output.
    Answer(Input),
}

pub struct Transports {
    udp: Sockets,
    connections: Connections,
    arrivals: mpsc::Sender<Arrival>,
}

impl Transports {
    /// Binds all that the settings name, or says which address can't be had.
    pub async fn open(
        settings: &Settings,
        clock: Clock,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Result<Transports, ShellError> {
        let udp = Sockets::open(&settings.sip.udp)?;
        let connections = Connections::open(settings, clock, &arrivals).await?;
        Ok(Transports { udp, connections, arrivals })
    }

    /// Datagrams are read from now on, by the runtime that calls this; connections are read by the one that opened all.
    pub fn watch(&mut self) -> Result<(), ShellError> {
        let trouble = |error| ShellError::new("sockets", error, "see the system's limits of files and watches");
        self.udp.watch().map_err(trouble)
    }

    /// Waits until there are datagrams to `receive`.
    pub async fn readable(&self) {
        self.udp.readable().await;
    }

    /// Takes what datagrams there are, and room for them.
    pub fn receive(&mut self) {
        self.udp.receive();
    }

    /// How many of them wait to be taken by `take`.
    pub fn waiting(&self) -> usize {
        self.udp.waiting()
    }

    pub fn take(&mut self) -> Option<Arrival> {
        self.udp.take()
    }

    /// Looks for datagrams that came back.
    pub fn take_returned(&mut self) {
        self.udp.take_returned();
    }

    /// Where we listen for this transport.
    pub fn listening(&self, transport: Transport) -> Vec<SocketAddr> {
        match transport {
            Transport::Udp => self.udp.listening().collect(),
            Transport::Tcp | Transport::Tls => self.connections.listening(transport).to_vec(),
            // These come by the HTTP server.
            Transport::Ws | Transport::Wss => Vec::new(),
        }
    }

    /// Sends. False where the message can't arrive.
    pub fn send(&mut self, transmit: Transmit) -> bool {
        match transmit.flow.transport {
            Transport::Udp => self.udp.send(transmit),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                self.connections.send(transmit, &self.arrivals)
            }
        }
    }

    /// What handshakes go by; a reload puts something new into it.
    pub fn tls(&self) -> tls::Current {
        self.connections.tls()
    }

    /// For the HTTP server, which takes in SIP over WebSocket.
    pub fn guests(&self) -> Guests {
        self.connections.guests(self.arrivals.clone())
    }

    pub fn connected(&mut self, flow: Flow, line: Line, is_proven: bool) {
        self.connections.connected(flow, line, is_proven);
    }

    pub fn alias(&mut self, flow: Flow, address: SocketAddr) {
        self.connections.alias(flow, address);
    }

    pub fn found(&mut self, host: &str, flows: &[Flow]) {
        self.connections.found(host, flows);
    }

    /// Whether nothing is left of the flow.
    pub fn closed(&mut self, flow: Flow, line: &Line) -> bool {
        self.connections.closed(flow, line)
    }
}

#[cfg(test)]
mod tests;
