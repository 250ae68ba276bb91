//! SIP over UDP: a socket for each listening address.

use super::pktinfo::{self, Received};
use super::{Arrival, may_be_missing};
use crate::shell::error::ShellError;
use crate::sip::flow::{Flow, Transmit, Transport};
use crate::wire::stun;
use bytes::Bytes;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::Poll;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A burst of messages waits here while the loop is busy.
const BUFFER_BYTES: usize = 4 << 20;
const DATAGRAM_BYTES: usize = 65_535;
/// Datagrams and their bytes that may wait for their turn. Each socket has its share, so that a flood at one leaves the others
/// theirs.
const WAITING: usize = 8_192;
const WAITING_BYTES: usize = 16 << 20;
/// Datagrams that came back and wait to be told of; the rest are forgotten.
const RETURNED: usize = 256;
/// As much of one as holds the branch of a request.
const BEGINNING: usize = 1_024;

#[derive(Default)]
pub struct Sockets {
    ports: Vec<Port>,
    /// Whose turn it is to be served.
    turn: usize,
    buffer: Vec<u8>,
    returned: VecDeque<Bytes>,
}

struct Port {
    socket: Socket,
    address: SocketAddr,
    /// The same socket, once it is read.
    watched: Option<UdpSocket>,
    waiting: VecDeque<(Flow, Bytes)>,
    waiting_bytes: usize,
}

impl Sockets {
    /// Binds all that can be had. Nothing is read before `watch`.
    pub fn open(listen: &[SocketAddr]) -> Result<Sockets, ShellError> {
        let mut opened = Sockets { buffer: vec![0; DATAGRAM_BYTES], ..Sockets::default() };
        for &address in listen {
            let socket = match bind(address) {
                Ok(socket) => socket,
                Err(error) if may_be_missing(address, &error) => continue,
                Err(error) => return Err(ShellError::bind(format!("udp {address}"), "`udp` of [sip]", &error)),
            };
            let address = socket.local_addr().ok().and_then(|address| address.as_socket()).unwrap_or(address);
            opened.ports.push(Port { socket, address, watched: None, waiting: VecDeque::new(), waiting_bytes: 0 });
        }
        Ok(opened)
    }

    /// The sockets are read from now on, by the runtime that calls this: by the thread that uses what is read, since to wake
    /// another costs more than a message.
    pub fn watch(&mut self) -> io::Result<()> {
        for port in &mut self.ports {
            port.watched = Some(UdpSocket::from_std(port.socket.try_clone()?.into())?);
        }
        Ok(())
    }

    pub fn listening(&self) -> impl Iterator<Item = SocketAddr> {
        self.ports.iter().map(|port| port.address)
    }

    /// Waits until there is something to `receive`.
    pub async fn readable(&self) {
        std::future::poll_fn(|context| {
            let is_ready = |socket: &UdpSocket| socket.poll_recv_ready(context).is_ready();
            // Each is asked, so that each may wake us.
            let watched = self.ports.iter().filter_map(|port| port.watched.as_ref());
            let ready = watched.map(is_ready).fold(false, |one, other| one | other);
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Takes what the kernel holds, as far as there is room for it.
    pub fn receive(&mut self) {
        let share = self.ports.len().max(1);
        let mut failed = false;
        for port in &mut self.ports {
            failed |= port.receive(WAITING / share, WAITING_BYTES / share, &mut self.buffer);
        }
        if failed {
            self.take_returned();
        }
    }

    /// How many datagrams wait.
    pub fn waiting(&self) -> usize {
        self.returned.len() + self.ports.iter().map(|port| port.waiting.len()).sum::<usize>()
    }

    /// The next message, of each socket in turn.
    pub fn take(&mut self) -> Option<Arrival> {
        if let Some(beginning) = self.returned.pop_front() {
            return Some(Arrival::Returned { beginning });
        }
        for _ in 0..self.ports.len() {
            self.turn = (self.turn + 1) % self.ports.len();
            if let Some(port) = self.ports.get_mut(self.turn)
                && let Some((flow, bytes)) = port.waiting.pop_front()
            {
                port.waiting_bytes -= bytes.len();
                return Some(Arrival::Message { flow, bytes });
            }
        }
        None
    }

    /// What the kernel has no room for is lost, as it could be on the wire.
    pub fn send(&mut self, Transmit { flow, bytes, .. }: Transmit) -> bool {
        let Some(index) = self.port_of(flow) else { return false };
        let mut sent = self.ports[index].send(flow, &bytes);
        if sent.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            // An earlier datagram's ICMP answer is reported here: it says nothing of this one.
            self.take_returned();
            sent = self.ports[index].send(flow, &bytes);
        }
        let passes = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused)
                || error.raw_os_error() == Some(libc::ENOBUFS)
        };
        sent.as_ref().map_or_else(passes, |_| true)
    }

    /// Takes the errors that the kernel keeps. They fill the same memory as datagrams, so that they can't stay there.
    pub fn take_returned(&mut self) {
        for port in &self.ports {
            for _ in 0..RETURNED {
                let Ok(returned) = pktinfo::returned(port.socket.as_fd(), &mut self.buffer[..BEGINNING]) else { break };
                if let Some(length) = returned.filter(|_| self.returned.len() < RETURNED) {
                    self.returned.push_back(Bytes::copy_from_slice(&self.buffer[..length.min(BEGINNING)]));
                }
            }
        }
    }

    fn port_of(&self, flow: Flow) -> Option<usize> {
        let fits =
            |address: SocketAddr| address.port() == flow.local.port() && address.is_ipv4() == flow.local.is_ipv4();
        let exact = self.ports.iter().position(|port| port.address == flow.local);
        exact.or_else(|| self.ports.iter().position(|port| fits(port.address) && port.address.ip().is_unspecified()))
    }
}

impl Port {
    /// True where the kernel reports an error: an ICMP answer to something that we sent. The socket goes on.
    fn receive(&mut self, most: usize, most_bytes: usize, buffer: &mut [u8]) -> bool {
        let mut failed = false;
        let Some(watched) = &self.watched else { return false };
        while self.waiting.len() < most && self.waiting_bytes < most_bytes {
            match watched.try_io(Interest::READABLE, || pktinfo::receive(watched.as_fd(), buffer)) {
                Ok(received) => {
                    if let Some((flow, bytes)) = message(watched.as_fd(), self.address, &received, buffer) {
                        self.waiting_bytes += bytes.len();
                        self.waiting.push_back((flow, bytes));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Once for all that the kernel has kept; whoever sends more of them is heard the next time.
                Err(_) if failed => break,
                Err(_) => failed = true,
            }
        }
        failed
    }

    fn send(&self, flow: Flow, bytes: &[u8]) -> io::Result<usize> {
        let sent = match self.address.ip().is_unspecified() {
            true => pktinfo::send(self.socket.as_fd(), bytes, flow.local.ip(), flow.remote),
            false => self.socket.send_to(bytes, &SockAddr::from(flow.remote)),
        };
        match sent {
            // The address may have gone from this machine while the way to the peer has not.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EADDRNOTAVAIL)) => {
                self.socket.send_to(bytes, &SockAddr::from(flow.remote))
            }
            sent => sent,
        }
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
    // Without them a host that is gone is one that doesn't answer.
    let _ = pktinfo::keep_errors(&socket, address.is_ipv4());
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
