//! The SIP sockets: what arrives becomes messages with the flow that they came by, and flows are sent on.

mod tcp;
mod udp;

use crate::call::io::Input;
use crate::config::settings::Settings;
use crate::shell::error::ShellError;
use crate::sip::flow::{Flow, Transmit, Transport};
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use tcp::Connections;
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

/// What comes from the sockets and from questions to the world; a full queue drops datagrams, which are sent again.
pub const QUEUE: usize = 8_192;

pub enum Arrival {
    Message {
        flow: Flow,
        bytes: Bytes,
    },
    /// A peer connected, or our connection to it stands.
    Connected {
        flow: Flow,
        sender: mpsc::Sender<Bytes>,
    },
    /// A connection closed, or couldn't be made.
    Closed {
        flow: Flow,
    },
    /// An answer of the world to an output.
    Answer(Input),
}

pub struct Transports {
    udp: Sockets,
    tcp: Connections,
    arrivals: mpsc::Sender<Arrival>,
}

impl Transports {
    /// Binds all that the settings name, or says which address can't be had.
    pub async fn open(settings: &Settings, arrivals: mpsc::Sender<Arrival>) -> Result<Transports, ShellError> {
        let udp = Sockets::open(&settings.sip.udp, &arrivals).await?;
        let tcp = Connections::open(settings, &arrivals).await?;
        Ok(Transports { udp, tcp, arrivals })
    }

    /// Where we listen for this transport.
    pub fn listening(&self, transport: Transport) -> &[SocketAddr] {
        match transport {
            Transport::Udp => self.udp.listening(),
            Transport::Tcp => self.tcp.listening(),
            Transport::Tls | Transport::Ws | Transport::Wss => &[],
        }
    }

    /// Sends, or says that the flow can't be used.
    pub fn send(&mut self, transmit: Transmit) -> Result<(), Flow> {
        match transmit.flow.transport {
            Transport::Udp => self.udp.send(transmit),
            Transport::Tcp => self.tcp.send(transmit, &self.arrivals),
            Transport::Tls | Transport::Ws | Transport::Wss => Err(transmit.flow),
        }
    }

    pub fn connected(&mut self, flow: Flow, sender: mpsc::Sender<Bytes>) {
        self.tcp.connected(flow, sender);
    }

    pub fn closed(&mut self, flow: Flow) {
        self.tcp.closed(flow);
    }
}
