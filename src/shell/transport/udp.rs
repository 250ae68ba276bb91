//! SIP over UDP: a socket for each listening address.

use super::pktinfo::{self, Received};
use super::{Arrival, may_be_missing};
use crate::shell::error::ShellError;
use crate::sip::flow::{Flow, Transmit, Transport};
use crate::wire::stun;
use bytes::Bytes;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::Poll;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A burst of messages waits here while the loop is busy.
const BUFFER_BYTES: usize = 4 << 20;
const DATAGRAM_BYTES: usize = 65_535;

pub struct Sockets {
    sockets: Vec<Socket>,
    addresses: Vec<SocketAddr>,
    /// The same sockets, once they are read.
    watched: Vec<UdpSocket>,
    buffer: Vec<u8>,
}

impl Sockets {
    /// Binds all that can be had. Nothing is read before `watch`.
    pub fn open(listen: &[SocketAddr]) -> Result<Sockets, ShellError> {
        let (sockets, addresses, watched) = (Vec::new(), Vec::new(), Vec::new());
        let mut opened = Sockets { sockets, addresses, watched, buffer: vec![0; DATAGRAM_BYTES] };
        for &address in listen {
            let socket = match bind(address) {
                Ok(socket) => socket,
                Err(error) if may_be_missing(address, &error) => continue,
                Err(error) => return Err(ShellError::bind(format!("udp {address}"), "`udp` of [sip]", &error)),
            };
            let bound = socket.local_addr().ok().and_then(|address| address.as_socket());
            opened.sockets.push(socket);
            opened.addresses.push(bound.unwrap_or(address));
        }
        Ok(opened)
    }

    /// The sockets are read from now on, by the runtime that calls this: by the thread that uses what is read, since to wake
    /// another costs more than a message.
    pub fn watch(&mut self) -> io::Result<()> {
        let watch = |socket: &Socket| UdpSocket::from_std(socket.try_clone()?.into());
        self.watched = self.sockets.iter().map(watch).collect::<io::Result<_>>()?;
        Ok(())
    }

    pub fn listening(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Waits until there is something to `receive`.
    pub async fn readable(&self) {
        std::future::poll_fn(|context| {
            let is_ready = |socket: &UdpSocket| socket.poll_recv_ready(context).is_ready();
            // Each is asked, so that each may wake us.
            let ready = self.watched.iter().map(is_ready).fold(false, |one, other| one | other);
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Takes what the kernel holds, at most `limit` datagrams, and tells those that are messages.
    pub fn receive(&mut self, limit: usize, mut each: impl FnMut(Arrival)) {
        let Sockets { watched, addresses, buffer, .. } = self;
        let mut left = limit;
        for (socket, address) in watched.iter().zip(addresses) {
            while left > 0 {
                let received = socket.try_io(Interest::READABLE, || pktinfo::receive(socket.as_fd(), buffer));
                left -= 1;
                match received {
                    Ok(received) => {
                        if let Some((flow, bytes)) = message(socket.as_fd(), *address, &received, buffer) {
                            each(Arrival::Message { flow, bytes });
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An ICMP answer to something that we sent; the socket goes on.
                    Err(_) => {}
                }
            }
        }
    }

    /// What the kernel has no room for is lost, as it could be on the wire.
    pub fn send(&self, Transmit { flow, bytes }: Transmit) -> Result<(), Flow> {
        let Some((socket, bound)) = self.socket_of(flow) else { return Err(flow) };
        let sent = match bound.ip().is_unspecified() {
            true => pktinfo::send(socket.as_fd(), &bytes, flow.local.ip(), flow.remote),
            false => socket.send_to(&bytes, &SockAddr::from(flow.remote)),
        };
        let sent = match sent {
            // The address may have gone from this machine while the way to the peer has not.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EADDRNOTAVAIL)) => {
                socket.send_to(&bytes, &SockAddr::from(flow.remote))
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

    fn socket_of(&self, flow: Flow) -> Option<(&Socket, SocketAddr)> {
        let fits =
            |address: &&SocketAddr| address.port() == flow.local.port() && address.is_ipv4() == flow.local.is_ipv4();
        let exact = self.addresses.iter().position(|address| *address == flow.local);
        let index = exact
            .or_else(|| self.addresses.iter().position(|address| fits(&address) && address.ip().is_unspecified()))?;
        Some((self.sockets.get(index)?, *self.addresses.get(index)?))
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
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
    Ok(socket)
}

/// What the datagram that fills the buffer is to the gateway; none where it is nothing, or was answered at once.
fn message(socket: BorrowedFd<'_>, bound: SocketAddr, received: &Received, buffer: &[u8]) -> Option<(Flow, Bytes)> {
    let &Received { length, remote, local } = received;
    let datagram = buffer.get(..length)?;
    if is_keep_alive(datagram) || remote.port() == 0 {
        return None;
    }
    let ip = if bound.ip().is_unspecified() { local } else { Some(bound.ip()) };
    let ip = ip.filter(|ip| !ip.is_unspecified())?;
    if stun::is_stun(datagram) {
        let answer = stun::Request::parse(datagram)?.answer(remote);
        // What can't be sent now is asked for again.
        let _ = pktinfo::send(socket, &answer, ip, remote);
        return None;
    }
    let flow = Flow { transport: Transport::Udp, local: SocketAddr::new(ip, bound.port()), remote };
    Some((flow, Bytes::copy_from_slice(datagram)))
}

/// Phones keep their NAT open with a few bytes that mean nothing.
fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.len() <= 4 && datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
