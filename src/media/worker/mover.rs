//! How datagrams get from and to the kernel: by io_uring, or, where the kernel or its policy has none for us, by epoll and
//! calls for batches. Which of them it is, nobody above this file needs to know.

use crate::config::settings::Io;
use crate::media::batch::{Batch, Channel, Outgoing, Slot};
use crate::media::worker::syscalls::{self, CALL_PACKETS, Epoll, Receiver, Sender, send_one};
use crate::media::worker::token::Token;
use crate::media::worker::uring::Uring;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Descriptors that one wait with epoll tells at most; the others have their turn in the next.
const READY_LIMIT: usize = 256;
/// What epoll says of the bell.
const BELL: u64 = u64::MAX;

pub enum Mover {
    Uring(Box<Uring>),
    Epoll(Box<Polled>),
}

/// What an answer of the kernel is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Socket(Token),
    Bell,
}

pub struct Polled {
    epoll: Epoll,
    ready: usize,
    receiver: Receiver,
    sender: Sender,
}

impl Mover {
    /// For the calling thread alone. `ports` are the range that sockets are of, and `batch` is how
    /// many datagrams leave together at most. Where `Io::Auto` is asked for,
    /// anything that keeps io_uring from us leads to epoll.
    ///
    /// # Errors
    /// The system has no descriptor left, or has no io_uring for us where that is asked for.
    pub fn new(io: Io, ports: (u16, u16), bell: BorrowedFd<'_>, batch: usize) -> io::Result<Mover> {
        let ring = match io {
            Io::Epoll => None,
            Io::IoUring => Some(Uring::new(bell, batch, ports)?),
            Io::Auto => Uring::new(bell, batch, ports).ok(),
        };
        Ok(match ring {
            Some(uring) => Mover::Uring(Box::new(uring)),
            None => Mover::Epoll(Box::new(Polled::new(bell)?)),
        })
    }

    /// Which it is, and never [`Io::Auto`].
    pub fn io(&self) -> Io {
        match self {
            Mover::Uring(_) => Io::IoUring,
            Mover::Epoll(_) => Io::Epoll,
        }
    }

    /// Watches a socket until it is forgotten.
    pub fn watch(&mut self, socket: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        match self {
            Mover::Uring(uring) => uring.watch(socket, token),
            Mover::Epoll(polled) => polled.epoll.watch(socket, token.bits()),
        }
    }

    /// Said before a socket is closed. Its port may be taken until the next wait.
    pub fn forget(&mut self, token: Token) {
        match self {
            Mover::Uring(uring) => uring.forget(token),
            // To close it is enough.
            Mover::Epoll(_) => {}
        }
    }

    /// Waits for input, or until the timeout; tells how many answers there are.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        match self {
            Mover::Uring(uring) => uring.wait(timeout),
            Mover::Epoll(polled) => {
                polled.ready = polled.epoll.wait(timeout);
                polled.ready
            }
        }
    }

    /// Rests for so long, and tells how many answers there are; none where a wait has to be asked for them. The bell may end
    /// the rest.
    pub fn gather(&mut self, span: Duration, bell: BorrowedFd<'_>) -> usize {
        match self {
            Mover::Uring(uring) => uring.gather(span),
            Mover::Epoll(_) => {
                syscalls::rest(span, bell);
                0
            }
        }
    }

    /// Whether more may be there than the last wait told.
    pub fn is_full(&self) -> bool {
        match self {
            Mover::Uring(uring) => uring.is_full(),
            Mover::Epoll(polled) => polled.is_full(),
        }
    }

    pub fn told(&mut self, index: usize) -> Option<Told> {
        match self {
            Mover::Uring(uring) => uring.token(index).map(|token| token.map_or(Told::Bell, Told::Socket)),
            Mover::Epoll(polled) => polled.epoll.token(index).map(|bits| match bits {
                BELL => Told::Bell,
                bits => Told::Socket(Token::from_bits(bits)),
            }),
        }
    }

    /// The bell rang, and was silenced.
    pub fn heard_bell(&mut self, index: usize) {
        match self {
            Mover::Uring(uring) => uring.keep_bell(index),
            Mover::Epoll(_) => {}
        }
    }

    /// Takes what an answer brought, and tells each datagram; none for one that was too long. `socket` is the one that the
    /// answer is about.
    pub fn receive(
        &mut self,
        index: usize,
        socket: BorrowedFd<'_>,
        token: Token,
        mut each: impl FnMut(Option<(SocketAddr, &[u8])>),
    ) {
        match self {
            Mover::Uring(uring) => {
                if let Some(datagram) = uring.datagram(index) {
                    each(datagram);
                }
                if uring.has_ended(index) {
                    uring.receive(socket, token);
                }
            }
            Mover::Epoll(polled) => polled.receive(socket, each),
        }
    }

    /// Sends a batch, each datagram through the socket that `socket` finds for it, and tells how many the kernel didn't take.
    pub fn send<'a>(
        &mut self,
        batch: &Batch,
        socket: impl Fn(Slot, Channel) -> Option<(BorrowedFd<'a>, Token)>,
    ) -> usize {
        match self {
            Mover::Uring(uring) => {
                let mut homeless = 0;
                for (place, packet) in batch.iter().enumerate() {
                    match socket(packet.slot, packet.channel) {
                        // SAFETY: the batch is borrowed until all of it is submitted.
                        Some((socket, token)) => unsafe { uring.send(socket, token, place, packet.to, packet.bytes) },
                        None => homeless += 1,
                    }
                }
                uring.submit();
                homeless + uring.take_unsent()
            }
            Mover::Epoll(polled) => polled.send(batch, socket),
        }
    }
}

impl Polled {
    fn new(bell: BorrowedFd<'_>) -> io::Result<Polled> {
        let epoll = Epoll::new(READY_LIMIT)?;
        epoll.watch(bell, BELL)?;
        Ok(Polled { epoll, ready: 0, receiver: Receiver::default(), sender: Sender::default() })
    }

    fn is_full(&self) -> bool {
        self.ready == READY_LIMIT
    }

    fn receive(&mut self, socket: BorrowedFd<'_>, mut each: impl FnMut(Option<(SocketAddr, &[u8])>)) {
        // Errors of earlier packets are told here too. Several packets wait on one socket where we are behind; otherwise the
        // next wait tells whether there is another.
        let count = if self.is_full() {
            self.receiver.receive(socket).unwrap_or(0)
        } else {
            usize::from(self.receiver.receive_one(socket).is_ok())
        };
        for index in 0..count {
            each(self.receiver.datagram(index));
        }
    }

    /// In as few calls as the batch's order allows.
    fn send<'a>(&mut self, batch: &Batch, socket: impl Fn(Slot, Channel) -> Option<(BorrowedFd<'a>, Token)>) -> usize {
        let mut unsent = 0;
        let mut rest = batch.iter().peekable();
        while let Some(&first) = rest.peek() {
            let same = |packet: &Outgoing<'_>| (packet.slot, packet.channel) == (first.slot, first.channel);
            let length = rest.clone().take_while(same).take(CALL_PACKETS).count();
            let run = rest.clone().take(length);
            let taken = match socket(first.slot, first.channel) {
                Some((socket, _)) if length == 1 => usize::from(send_one(socket, first.to, first.bytes).is_ok()),
                Some((socket, _)) => self.sender.send(socket, run.map(|packet| (packet.to, packet.bytes))).unwrap_or(0),
                None => 0,
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
