//! A worker's sockets: pairs for RTP and RTCP, and which of them belongs to which port.

use crate::base::time::Time;
use crate::config::settings::Io;
use crate::media::batch::{Batch, Channel, Slot};
use crate::media::worker::idle::Idle;
use crate::media::worker::mover::{Mover, Told};
use crate::media::worker::range::Range;
use crate::media::worker::syscalls::{CALL_PACKETS, Receiver};
use crate::media::worker::token::Token;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Room for about a second of packets, should the thread be held up. The kernel may grant less.
const BUFFER_BYTES: usize = 256 * 1024;
/// How many pairs are tried before a port counts as impossible to open.
const TRIES: usize = 256;
/// DSCP EF, in the place where the type of service was (RFC 3246, RFC 8837).
const EXPEDITED: u32 = 46 << 2;

pub struct Sockets {
    mover: Mover,
    range: Range,
    /// By slot.
    pairs: Vec<Option<Pair>>,
    /// By the place of their number in the range.
    slots: Vec<Option<Slot>>,
    idle: Idle,
    /// For what nobody wants.
    waste: Receiver,
    /// Rises with each wait.
    turn: u64,
    last_generation: u32,
}

pub struct Pair {
    pub number: u16,
    pub local: IpAddr,
    /// Given when the pair is first watched.
    generation: Option<u32>,
    /// The turn in which it got its present user. What was told in that turn came before.
    since: u64,
    rtp: Socket,
    rtcp: Socket,
}

/// What a wait has found ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    Socket(Slot, Channel),
    /// Nobody uses the pair with this number, or its user has only just come.
    Idle(u16, Channel),
    Bell,
}

impl Sockets {
    /// For the calling thread alone. `batch` is how many datagrams leave together at most.
    ///
    /// # Errors
    /// As of [`Mover::new`].
    pub fn new(io: Io, ports: (u16, u16), bell: BorrowedFd<'_>, batch: usize) -> io::Result<Sockets> {
        let mover = Mover::new(io, ports, bell, batch)?;
        let range = Range::new(ports);
        let slots = vec![None; range.pairs()];
        let (pairs, idle, waste) = (Vec::new(), Idle::default(), Receiver::default());
        Ok(Sockets { mover, range, pairs, slots, idle, waste, turn: 0, last_generation: 0 })
    }

    /// How packets are moved.
    pub fn io(&self) -> Io {
        self.mover.io()
    }

    /// The next pair that nobody else has: one that was used before, or a new one.
    pub fn bind(&mut self, now: Time, local: IpAddr) -> Result<Pair, String> {
        let mut why = "no port is left in the range; widen media.ports".to_owned();
        for _ in 0..self.range.pairs().min(TRIES) {
            let Some(number) = self.range.take(now) else { break };
            match self.idle.take(number) {
                Some(pair) if pair.local == local => {
                    self.empty(&pair);
                    return Ok(pair);
                }
                // One that is bound to another address makes room.
                Some(pair) => forget(&mut self.mover, &pair),
                None => {}
            }
            let bound = match bind_pair(local, number) {
                Err(error) if is_exhaustion(&error) && self.close_idle() => bind_pair(local, number),
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

    /// Closes all pairs that nobody uses, and tells whether there were any.
    fn close_idle(&mut self) -> bool {
        self.idle.close_all(|pair| forget(&mut self.mover, pair))
    }

    /// Watches a pair from now on.
    pub fn insert(&mut self, slot: Slot, mut pair: Pair) -> io::Result<()> {
        if pair.generation.is_none() {
            self.last_generation = self.last_generation.wrapping_add(1);
            pair.generation = Some(self.last_generation);
            for channel in [Channel::Rtp, Channel::Rtcp] {
                self.mover.watch(pair.channel(channel).as_fd(), pair.token(channel))?;
            }
        }
        pair.since = self.turn;
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
        self.idle.close_old(now, |pair| forget(&mut self.mover, pair));
    }

    /// Gives back a pair that was bound and never inserted.
    pub fn give_back(&mut self, now: Time, number: u16) {
        self.range.give_back(now, number);
    }

    /// Waits for input, or until the timeout; tells how many answers `ready` has.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        self.turn += 1;
        self.mover.wait(timeout)
    }

    /// Rests for so long; tells how many answers `ready` has already.
    pub fn gather(&mut self, span: Duration, bell: BorrowedFd<'_>) -> usize {
        self.turn += 1;
        self.mover.gather(span, bell)
    }

    /// Whether more may be there than the last wait told.
    pub fn is_full(&self) -> bool {
        self.mover.is_full()
    }

    pub fn ready(&mut self, index: usize) -> Option<Ready> {
        let token = match self.mover.told(index)? {
            Told::Bell => return Some(Ready::Bell),
            Told::Socket(token) => token,
        };
        let (number, channel) = (token.number, token.channel);
        let pair = self.pair(number)?;
        if pair.generation != Some(token.generation) {
            // Of sockets that are closed.
            return None;
        }
        match self.slots.get(self.range.place(number)) {
            Some(Some(slot)) if pair.since < self.turn => Some(Ready::Socket(*slot, channel)),
            _ => Some(Ready::Idle(number, channel)),
        }
    }

    /// The bell rang, and was silenced.
    pub fn heard_bell(&mut self, index: usize) {
        self.mover.heard_bell(index);
    }

    /// The open pair with this number, in use or not.
    fn pair(&self, number: u16) -> Option<&Pair> {
        find(&self.pairs, &self.slots, &self.idle, self.range.place(number), number)
    }

    /// Throws away what an answer brought for a pair that nobody uses; tells how many datagrams that were.
    pub fn discard(&mut self, index: usize, number: u16, channel: Channel) -> usize {
        let Sockets { mover, pairs, slots, idle, range, .. } = self;
        let Some(pair) = find(pairs, slots, idle, range.place(number), number) else { return 0 };
        let mut count = 0;
        mover.receive(index, pair.channel(channel).as_fd(), pair.token(channel), |_| count += 1);
        count
    }

    /// What came for the last user of a pair isn't for the next.
    fn empty(&mut self, pair: &Pair) {
        for channel in [Channel::Rtp, Channel::Rtcp] {
            while self.waste.receive(pair.channel(channel).as_fd()).is_ok_and(|count| count == CALL_PACKETS) {}
        }
    }

    /// Takes what an answer brought, and tells each datagram; none for one that was too long.
    pub fn receive(
        &mut self,
        index: usize,
        slot: Slot,
        channel: Channel,
        each: impl FnMut(Option<(SocketAddr, &[u8])>),
    ) {
        let Some(Some(pair)) = self.pairs.get(slot.0) else { return };
        self.mover.receive(index, pair.channel(channel).as_fd(), pair.token(channel), each);
    }

    /// Sends a batch, and tells how many datagrams the kernel didn't take.
    pub fn send_batch(&mut self, batch: &Batch) -> usize {
        let Sockets { pairs, mover, .. } = self;
        mover.send(batch, |slot, channel| {
            let pair = pairs.get(slot.0)?.as_ref()?;
            Some((pair.channel(channel).as_fd(), pair.token(channel)))
        })
    }
}

/// The open pair with a number that has this place.
fn find<'a>(
    pairs: &'a [Option<Pair>],
    slots: &[Option<Slot>],
    idle: &'a Idle,
    place: usize,
    number: u16,
) -> Option<&'a Pair> {
    match slots.get(place) {
        Some(Some(slot)) => pairs.get(slot.0)?.as_ref(),
        _ => idle.get(number),
    }
}

fn forget(mover: &mut Mover, pair: &Pair) {
    if pair.generation.is_some() {
        [Channel::Rtp, Channel::Rtcp].into_iter().for_each(|channel| mover.forget(pair.token(channel)));
    }
}

impl Pair {
    fn channel(&self, channel: Channel) -> &Socket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }

    fn token(&self, channel: Channel) -> Token {
        Token { generation: self.generation.unwrap_or(0), number: self.number, channel }
    }
}

/// The system has no descriptor or no memory left.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

fn bind_pair(local: IpAddr, number: u16) -> io::Result<Pair> {
    let (rtp, rtcp) = (bind(local, number)?, bind(local, number + 1)?);
    Ok(Pair { number, local, generation: None, since: 0, rtp, rtcp })
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
