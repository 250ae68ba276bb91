//! SIP over UDP: a socket for each listening address.

use super::pktinfo::{self, Received};
use super::{Arrival, may_be_missing};
use crate::shell::error::ShellError;
use crate::sip::flow::{Flow, Transmit, Transport};
use crate::wire::stun;
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// A burst of messages waits here while the loop is busy.
const BUFFER_BYTES: usize = 4 << 20;
const DATAGRAM_BYTES: usize = 65_535;

pub struct Sockets {
    sockets: Vec<Arc<UdpSocket>>,
    addresses: Vec<SocketAddr>,
}

impl Sockets {
    pub async fn open(listen: &[SocketAddr], arrivals: &mpsc::Sender<Arrival>) -> Result<Sockets, ShellError> {
        let mut opened = Sockets { sockets: Vec::new(), addresses: Vec::new() };
        for &address in listen {
            let socket = match bind(address) {
                Ok(socket) => socket,
                Err(error) if may_be_missing(address, &error) => continue,
                Err(error) => return Err(ShellError::bind(format!("udp {address}"), "`udp` of [sip]", &error)),
            };
            let address = socket.local_addr().unwrap_or(address);
            let socket = Arc::new(socket);
            tokio::spawn(receive(Arc::clone(&socket), address, arrivals.clone()));
            opened.sockets.push(socket);
            opened.addresses.push(address);
        }
        Ok(opened)
    }

    pub fn listening(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What the kernel has no room for is lost, as it could be on the wire.
    pub fn send(&self, Transmit { flow, bytes }: Transmit) -> Result<(), Flow> {
        let Some((socket, bound)) = self.socket_of(flow) else { return Err(flow) };
        let sent = match bound.ip().is_unspecified() {
            true => socket
                .try_io(Interest::WRITABLE, || pktinfo::send(socket.as_fd(), &bytes, flow.local.ip(), flow.remote)),
            false => socket.try_send_to(&bytes, flow.remote),
        };
        let sent = match sent {
            // The address may have gone from this machine while the way to the peer has not.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EADDRNOTAVAIL)) => {
                socket.try_send_to(&bytes, flow.remote)
            }
            sent => sent,
        };
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            // An earlier datagram's ICMP answer may be reported here: it says nothing of this one.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(_) => Err(flow),
        }
    }

    fn socket_of(&self, flow: Flow) -> Option<(&UdpSocket, SocketAddr)> {
        let fits =
            |address: &&SocketAddr| address.port() == flow.local.port() && address.is_ipv4() == flow.local.is_ipv4();
        let exact = self.addresses.iter().position(|address| *address == flow.local);
        let index = exact
            .or_else(|| self.addresses.iter().position(|address| fits(&address) && address.ip().is_unspecified()))?;
        Some((self.sockets.get(index)?.as_ref(), *self.addresses.get(index)?))
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Less is better than nothing where the system's limit is lower.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    if address.ip().is_unspecified() {
        pktinfo::ask(&socket, address.is_ipv4())?;
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

async fn receive(socket: Arc<UdpSocket>, address: SocketAddr, arrivals: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        let received = socket.async_io(Interest::READABLE, || pktinfo::receive(socket.as_fd(), &mut buffer)).await;
        let Ok(Received { length, remote, local }) = received else {
            // An ICMP answer to something that we sent; the socket goes on.
            tokio::task::yield_now().await;
            continue;
        };
        if arrivals.is_closed() {
            return;
        }
        let datagram = &buffer[..length];
        if is_keep_alive(datagram) || remote.port() == 0 {
            continue;
        }
        let ip = if address.ip().is_unspecified() { local } else { Some(address.ip()) };
        let Some(ip) = ip.filter(|ip| !ip.is_unspecified()) else { continue };
        let flow = Flow { transport: Transport::Udp, local: SocketAddr::new(ip, address.port()), remote };
        if stun::is_stun(datagram) {
            if let Some(request) = stun::Request::parse(datagram) {
                let answer = request.answer(remote);
                // What can't be sent now is asked for again.
                let _ = socket
                    .try_io(Interest::WRITABLE, || pktinfo::send(socket.as_fd(), &answer, flow.local.ip(), remote));
            }
            continue;
        }
        // A full queue is an overload: the peer sends again, later.
        let _ = arrivals.try_send(Arrival::Message { flow, bytes: Bytes::copy_from_slice(datagram) });
    }
}

/// Phones keep their NAT open with a few bytes that mean nothing.
fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.len() <= 4 && datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
