//! A worker's sockets: pairs for RTP and RTCP, waited for with epoll, read and written in batches. Another way to move
//! packets, such as io_uring, has the same three verbs: `wait`, `receive_batch`, `send_batch`.

use crate::base::time::Time;
use crate::media::batch::{Batch, Channel, Outgoing, Slot};
use crate::media::worker::idle::Idle;
use crate::media::worker::range::Range;
use crate::media::worker::syscalls::{CALL_PACKETS, Epoll, Receiver, Sender};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Descriptors that one wait tells at most; the others have their turn in the next.
const READY_LIMIT: usize = 256;
/// Room for about a second of packets, should the thread be held up. The kernel may grant less.
const BUFFER_BYTES: usize = 256 * 1024;
/// How many pairs are tried before a port counts as impossible to open.
const TRIES: usize = 256;
/// DSCP EF, in the place where the type of service was (RFC 3246, RFC 8837).
const EXPEDITED: u32 = 46 << 2;
/// The token of the bell.
const BELL: u64 = u64::MAX;

pub struct Sockets {
    epoll: Epoll,
    range: Range,
    /// By slot.
    pairs: Vec<Option<Pair>>,
    /// By the place of their number in the range.
    slots: Vec<Option<Slot>>,
    idle: Idle,
    receiver: Receiver,
    sender: Sender,
}

pub struct Pair {
    pub number: u16,
    pub local: IpAddr,
    is_watched: bool,
    rtp: Socket,
    rtcp: Socket,
}

/// What a wait has found ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    Socket(Slot, Channel),
    /// Nobody uses the pair with this number.
    Idle(u16, Channel),
    Bell,
}

impl Sockets {
    pub fn new(ports: (u16, u16), bell: BorrowedFd<'_>) -> io::Result<Sockets> {
        let epoll = Epoll::new(READY_LIMIT)?;
        epoll.watch(bell, BELL)?;
        let (receiver, sender) = (Receiver::default(), Sender::default());
        let range = Range::new(ports);
        let slots = vec![None; range.pairs()];
        Ok(Sockets { epoll, range, pairs: Vec::new(), slots, idle: Idle::default(), receiver, sender })
    }

    /// The next pair that nobody else has: one that was used before, or a new one.
    pub fn bind(&mut self, now: Time, local: IpAddr) -> Result<Pair, String> {
        let mut why = "no port is left in the range; widen media.ports".to_owned();
        for _ in 0..self.range.pairs().min(TRIES) {
            let Some(number) = self.range.take(now) else { break };
            if let Some(pair) = self.idle.take(number, local) {
                self.empty(&pair);
                return Ok(pair);
            }
            let bound = match bind_pair(local, number) {
                Err(error) if is_exhaustion(&error) && self.idle.close_all() => bind_pair(local, number),
                bound => bound,
            };
            match bound {
                Ok(pair) => return Ok(pair),
                Err(error) => {
                    self.range.give_back(now, number);
                    why = format!("can't bind {local} port {number} or the one after it: {error}");
                    if error.kind() != io::ErrorKind::AddrInUse {
                        break;
                    }
                }
            }
        }
        Err(why)
    }

    /// Watches a pair from now on.
    pub fn insert(&mut self, slot: Slot, mut pair: Pair) -> io::Result<()> {
        if !pair.is_watched {
            self.epoll.watch(pair.rtp.as_fd(), token(pair.number, Channel::Rtp))?;
            self.epoll.watch(pair.rtcp.as_fd(), token(pair.number, Channel::Rtcp))?;
            pair.is_watched = true;
        }
        if let Some(place) = self.slots.get_mut(self.range.place(pair.number)) {
            *place = Some(slot);
        }
        if self.pairs.len() <= slot.0 {
            self.pairs.resize_with(slot.0 + 1, || None);
        }
        self.pairs[slot.0] = Some(pair);
        Ok(())
    }

    /// The pair rests, open, and what still comes to it is thrown away.
    pub fn close(&mut self, now: Time, slot: Slot) {
        if let Some(pair) = self.pairs.get_mut(slot.0).and_then(Option::take) {
            self.range.give_back(now, pair.number);
            if let Some(place) = self.slots.get_mut(self.range.place(pair.number)) {
                *place = None;
            }
            self.idle.put(now, pair);
        }
    }

    /// When sockets are due to be closed that nobody has needed for a while.
    pub fn next_due(&self) -> Time {
        self.idle.next_due()
    }

    pub fn close_old(&mut self, now: Time) {
        self.idle.close_old(now);
    }

    /// Gives back a pair that was bound and never inserted.
    pub fn give_back(&mut self, now: Time, number: u16) {
        self.range.give_back(now, number);
    }

    /// Waits for input, or until the timeout; tells how many answers `ready` has.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        self.epoll.wait(timeout)
    }

    pub fn ready(&self, index: usize) -> Option<Ready> {
        let token = self.epoll.token(index)?;
        if token == BELL {
            return Some(Ready::Bell);
        }
        let channel = if token & 1 == 0 { Channel::Rtp } else { Channel::Rtcp };
        let number = (token >> 1) as u16;
        match self.slots.get(self.range.place(number)) {
            Some(Some(slot)) => Some(Ready::Socket(*slot, channel)),
            _ => Some(Ready::Idle(number, channel)),
        }
    }

    /// Throws away what came to a socket that nobody uses, as far as one call goes; tells how many datagrams that were.
    pub fn discard(&mut self, number: u16, channel: Channel) -> usize {
        let Some(pair) = self.idle.get(number) else { return 0 };
        self.receiver.receive(pair.channel(channel).as_fd()).unwrap_or(0)
    }

    /// What came for the last user of a pair isn't for the next.
    fn empty(&mut self, pair: &Pair) {
        for channel in [Channel::Rtp, Channel::Rtcp] {
            while self.receiver.receive(pair.channel(channel).as_fd()).is_ok_and(|count| count == CALL_PACKETS) {}
        }
    }

    /// Reads what waits on one socket, as far as one call goes, and tells each datagram; none for one that was too long.
    pub fn receive_batch(&mut self, slot: Slot, channel: Channel, mut each: impl FnMut(Option<(SocketAddr, &[u8])>)) {
        let Some(Some(pair)) = self.pairs.get(slot.0) else { return };
        // Errors of earlier packets are told here too; the next wait tells whether there is more.
        let count = self.receiver.receive(pair.channel(channel).as_fd()).unwrap_or(0);
        for index in 0..count {
            each(self.receiver.datagram(index));
        }
    }

    /// Sends a batch, in as few calls as its order allows, and tells how many datagrams the kernel didn't take.
    pub fn send_batch(&mut self, batch: &Batch) -> usize {
        let mut unsent = 0;
        let mut rest = batch.iter().peekable();
        while let Some(&first) = rest.peek() {
            let same = |packet: &Outgoing<'_>| (packet.slot, packet.channel) == (first.slot, first.channel);
            let length = rest.clone().take_while(same).take(CALL_PACKETS).count();
            let run = rest.clone().take(length);
            let taken = match self.pairs.get(first.slot.0) {
                Some(Some(pair)) => {
                    let datagrams = run.map(|packet| (packet.to, packet.bytes));
                    self.sender.send(pair.channel(first.channel).as_fd(), datagrams).unwrap_or(0)
                }
                _ => 0,
            };
            // A datagram that fails stops the call; it is left out, and the rest tried again.
            let failed = usize::from(taken < length);
            unsent += failed;
            for _ in 0..taken + failed {
                rest.next();
            }
        }
        unsent
    }
}

impl Pair {
    fn channel(&self, channel: Channel) -> &Socket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }
}

fn token(number: u16, channel: Channel) -> u64 {
    u64::from(number) << 1 | u64::from(channel == Channel::Rtcp)
}

/// The system has no descriptor or no memory left.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

fn bind_pair(local: IpAddr, number: u16) -> io::Result<Pair> {
    Ok(Pair { number, local, is_watched: false, rtp: bind(local, number)?, rtcp: bind(local, number + 1)? })
}

fn bind(local: IpAddr, number: u16) -> io::Result<Socket> {
    let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(SocketAddr::new(local, number)))?;
    // None of these is needed for sound to pass.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    let _ = if local.is_ipv4() { socket.set_tos_v4(EXPEDITED) } else { socket.set_tclass_v6(EXPEDITED) };
    Ok(socket)
}
