//! Datagrams by io_uring: each socket has one order that receives again and again into buffers that the kernel picks from a
//! ring, and a batch leaves with one call.
//!
//! All that this file hands to the kernel by address lives as long as the ring, but for what is sent: that is done with when
//! the call that hands it over returns, since nothing that is sent waits.

use crate::media::batch::{Channel, PACKET_BYTES};
use crate::media::worker::name::{self, NAME_BYTES, Name};
use crate::media::worker::token::Token;
use io_uring::types::{BufRingEntry, Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Orders that are handed over together.
const ORDERS: u32 = 512;
/// What the kernel may tell at once. One call brings a fraction of it, so that it never overflows; see [`MANY`].
const TOLD: u32 = 4_096;
/// Buffers that packets come into. The kernel picks them while we call it, and has them back before the next call.
const BUFFERS: u16 = 512;
/// What comes before the packet: a header of the kernel's (`io_uring_recvmsg_out`), and the sender's name.
const HEADER_BYTES: usize = 16;
const HEAD_BYTES: usize = HEADER_BYTES + NAME_BYTES;
const BUFFER_BYTES: usize = (HEAD_BYTES + PACKET_BYTES).next_multiple_of(64);
/// The group of our buffers.
const GROUP: u16 = 0;
/// The kernel looks at twenty sockets in one call, of which some may have nothing. Where it told so many, more may be ready:
/// who took twenty only for that would fall behind for good.
const MANY: usize = 10;
/// An order that ended with an error is given again after so long, so that one which can't be obeyed doesn't keep us busy.
const AGAIN: Duration = Duration::from_millis(100);

const BELL: u64 = u64::MAX;
const SENT: u64 = u64::MAX - 1;
const CANCELLED: u64 = u64::MAX - 2;

pub struct Uring {
    ring: IoUring,
    buffers: Buffers,
    /// How much room for a name each buffer has. The kernel reads it once for each order.
    shape: Box<libc::msghdr>,
    /// Of the datagrams that are on their way to the kernel.
    names: Vec<Name>,
    told: Vec<cqueue::Entry>,
    unsent: usize,
    bell: i32,
    files: Option<Files>,
}

/// A table of files that the kernel keeps for us, by port numbers: one that it knows by its place needn't be looked up for
/// each packet.
#[derive(Clone, Copy)]
struct Files {
    first: u16,
}

impl Files {
    fn place(self, token: Token) -> u32 {
        u32::from(token.number.wrapping_sub(self.first)) + u32::from(token.channel == Channel::Rtcp)
    }
}

// SAFETY: the pointers in `shape` are null, and those in `buffers` are to memory that is its own.
unsafe impl Send for Uring {}

impl Uring {
    /// For the calling thread alone.
    ///
    /// # Errors
    /// The kernel is older than 6.1, or whoever runs us doesn't let us have a ring.
    pub fn new(bell: BorrowedFd<'_>, batch: usize, (first, last): (u16, u16)) -> io::Result<Uring> {
        let mut builder = IoUring::<squeue::Entry, cqueue::Entry>::builder();
        // All is done while we ask for it, and by nobody else: packets are taken from sockets in our own calls only.
        builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all().setup_cqsize(TOLD);
        let ring = builder.build(ORDERS)?;
        let mut buffers = Buffers::new();
        // SAFETY: the entries live longer than the ring, which is dropped first, and are as many as is said.
        unsafe {
            let entries = buffers.entries.as_ptr() as u64;
            ring.submitter().register_buf_ring_with_flags(entries, BUFFERS, GROUP, 0)?;
        }
        (0..BUFFERS).for_each(|buffer| buffers.give(buffer));
        buffers.publish();
        // SAFETY: a plain C structure, for which zeros are valid.
        let mut shape: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        shape.msg_namelen = NAME_BYTES as libc::socklen_t;
        // The table may be no longer than a process may have files; without it, all works as well.
        let numbers = u32::from(last.saturating_sub(first)) + 2;
        let files = ring.submitter().register_files_sparse(numbers).is_ok().then_some(Files { first });
        let names = vec![Name::default(); batch];
        let told = Vec::with_capacity(TOLD as usize);
        let mut uring = Uring { ring, buffers, shape, names, told, unsent: 0, bell: bell.as_raw_fd(), files };
        uring.watch_bell();
        uring.submit();
        Ok(uring)
    }

    fn watch_bell(&mut self) {
        let order = opcode::PollAdd::new(Fd(self.bell), libc::POLLIN as u32).multi(true).build().user_data(BELL);
        self.order(&order);
    }

    /// Receives from a socket until it is forgotten.
    ///
    /// # Errors
    /// The kernel has no memory left.
    pub fn watch(&mut self, socket: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        if let Some(files) = self.files {
            self.ring.submitter().register_files_update(files.place(token), &[socket.as_raw_fd()])?;
        }
        self.receive(socket, token);
        Ok(())
    }

    /// Gives the order to receive, at first or because it has ended.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, token: Token) {
        let shape: *const libc::msghdr = &raw const *self.shape;
        let order = match self.files {
            Some(files) => opcode::RecvMsgMulti::new(Fixed(files.place(token)), shape, GROUP).build(),
            None => opcode::RecvMsgMulti::new(Fd(socket.as_raw_fd()), shape, GROUP).build(),
        };
        self.order(&order.user_data(token.bits()));
    }

    /// Has the kernel let go of a socket, which is free once it is closed and the kernel was called.
    pub fn forget(&mut self, token: Token) {
        self.order(&opcode::AsyncCancel::new(token.bits()).build().user_data(CANCELLED));
        if let Some(files) = self.files {
            // What is under way keeps its file until it has ended.
            let _ = self.ring.submitter().register_files_update(files.place(token), &[-1]);
        }
    }

    fn order(&mut self, order: &squeue::Entry) {
        loop {
            // SAFETY: what an order points to is of `self`, but for datagrams, which `send` hands over before it returns.
            if unsafe { self.ring.submission().push(order) }.is_ok() {
                return;
            }
            self.submit();
        }
    }

    /// Hands all orders over.
    pub fn submit(&mut self) {
        // The kernel takes all of them, unless it has no memory at the moment or has been interrupted.
        while !self.ring.submission().is_empty() {
            if self.ring.submit().is_err() {
                std::hint::spin_loop();
            }
        }
    }

    /// Waits for input, or until the timeout; tells how many answers there are.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        self.give_back();
        // Orders go along. A wait that is over or interrupted is as good as one that brought something.
        let _ = match timeout {
            Some(Duration::ZERO) => self.look(),
            None => self.ring.submit_and_wait(1),
            Some(timeout) => {
                let span = Timespec::from(timeout);
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&span))
            }
        };
        self.take_told();
        self.told.len()
    }

    /// Rests for so long, and tells how many answers have gathered. The kernel looks at all sockets that are ready then, up to
    /// what it may tell at once, and not at twenty only.
    pub fn gather(&mut self, span: Duration) -> usize {
        self.give_back();
        let span = Timespec::from(span);
        let _ = self.ring.submitter().submit_with_args(usize::from(BUFFERS), &SubmitArgs::new().timespec(&span));
        self.take_told();
        self.told.len()
    }

    /// Has the kernel do what there is to do, without a wait.
    fn look(&mut self) -> io::Result<usize> {
        const GET_EVENTS: u32 = 1;
        let orders = self.ring.submission().len() as u32;
        // SAFETY: there are no arguments, and as many orders as is said.
        unsafe { self.ring.submitter().enter::<libc::sigset_t>(orders, 0, GET_EVENTS, None) }
    }

    /// Lets the kernel have the buffers that it told of.
    fn give_back(&mut self) {
        for entry in &self.told {
            if let Some(buffer) = cqueue::buffer_select(entry.flags()) {
                self.buffers.give(buffer);
            }
        }
        self.buffers.publish();
        self.told.clear();
    }

    fn take_told(&mut self) {
        let room = self.told.capacity();
        for entry in self.ring.completion().take(room) {
            match entry.user_data() {
                SENT => self.unsent += usize::from(entry.result() < 0),
                CANCELLED => {}
                _ => self.told.push(entry),
            }
        }
    }

    /// Whether more may be ready than was told.
    pub fn is_full(&self) -> bool {
        self.told.len() >= MANY
    }

    /// Whose answer this is; none for the bell.
    pub fn token(&self, index: usize) -> Option<Option<Token>> {
        let bits = self.told.get(index)?.user_data();
        Some((bits != BELL).then(|| Token::from_bits(bits)))
    }

    /// What was received; `Some(None)` for a datagram that was too long, none where nothing was.
    pub fn datagram(&self, index: usize) -> Option<Option<(SocketAddr, &[u8])>> {
        let entry = self.told.get(index)?;
        let length = usize::try_from(entry.result()).ok()?;
        let bytes = self.buffers.bytes(cqueue::buffer_select(entry.flags())?, length)?;
        let (head, packet) = bytes.split_at_checked(HEAD_BYTES)?;
        // The header is four numbers: the lengths of the name, of what else is said, and of the packet, and flags.
        let number = |place: usize| Some(u32::from_ne_bytes(*head.get(4 * place..)?.first_chunk()?));
        if number(3)? & libc::MSG_TRUNC as u32 != 0 {
            return Some(None);
        }
        let name = head.get(HEADER_BYTES..)?.get(..number(0)? as usize)?;
        Some(Some((name::address(name)?, packet)))
    }

    /// Whether the order that an answer is of has ended, and has to be given again: buffers ran out, or too much was told.
    pub fn has_ended(&self, index: usize) -> bool {
        self.told.get(index).is_some_and(|entry| !cqueue::more(entry.flags()))
    }

    /// The bell is watched on, whatever its last answer was.
    pub fn keep_bell(&mut self, index: usize) {
        if self.has_ended(index) {
            self.watch_bell();
        }
    }

    /// Sends one datagram with the others of its batch, of which it is the `place`th, through a socket that is watched.
    ///
    /// # Safety
    /// The bytes live and stay as they are until `submit`.
    pub unsafe fn send(&mut self, socket: BorrowedFd<'_>, token: Token, place: usize, to: SocketAddr, bytes: &[u8]) {
        let Some(name) = self.names.get_mut(place) else {
            self.unsent += 1;
            return;
        };
        *name = Name::from(to);
        let (pointer, length) = (name.as_ptr(), name.length());
        let (first, count) = (bytes.as_ptr(), bytes.len() as u32);
        let order = match self.files {
            Some(files) => opcode::Send::new(Fixed(files.place(token)), first, count),
            None => opcode::Send::new(Fd(socket.as_raw_fd()), first, count),
        };
        let order = order.flags(libc::MSG_DONTWAIT).dest_addr(pointer).dest_addr_len(length).build();
        self.order(&order.flags(squeue::Flags::SKIP_SUCCESS).user_data(SENT));
    }

    /// How many datagrams the kernel didn't take since this was last asked.
    pub fn take_unsent(&mut self) -> usize {
        std::mem::take(&mut self.unsent)
    }
}

impl Drop for Uring {
    /// Sockets are free once this returns, and not some time after the process has ended.
    fn drop(&mut self) {
        self.submit();
        let all = io_uring::types::CancelBuilder::any();
        let _ = self.ring.submitter().register_sync_cancel(Some(Timespec::from(AGAIN)), all);
        let _ = self.look();
    }
}

/// The ring of buffers that the kernel picks from, and their bytes.
struct Buffers {
    entries: NonNull<BufRingEntry>,
    bytes: NonNull<u8>,
    tail: u16,
}

impl Buffers {
    const ENTRIES: Layout = match Layout::from_size_align(BUFFERS as usize * size_of::<BufRingEntry>(), 4_096) {
        Ok(layout) => layout,
        Err(_) => panic!("a ring of buffers has a size"),
    };
    const BYTES: Layout = match Layout::from_size_align(BUFFERS as usize * BUFFER_BYTES, 4_096) {
        Ok(layout) => layout,
        Err(_) => panic!("buffers have a size"),
    };

    fn new() -> Buffers {
        // SAFETY: neither layout is empty.
        let (entries, bytes) = unsafe { (alloc_zeroed(Self::ENTRIES), alloc_zeroed(Self::BYTES)) };
        let Some(entries) = NonNull::new(entries.cast()) else { handle_alloc_error(Self::ENTRIES) };
        let Some(bytes) = NonNull::new(bytes) else { handle_alloc_error(Self::BYTES) };
        Buffers { entries, bytes, tail: 0 }
    }

    /// Puts a buffer at the ring's end. The kernel sees it once that is published.
    fn give(&mut self, buffer: u16) {
        let place = usize::from(self.tail % BUFFERS);
        // SAFETY: the place is within the ring, whose entries beyond the published tail are ours alone; the buffer's bytes are
        // within `bytes`, since the kernel only tells numbers that it was given.
        unsafe {
            let bytes = self.bytes.as_ptr().add(usize::from(buffer) * BUFFER_BYTES);
            let entry = &mut *self.entries.as_ptr().add(place);
            entry.set_addr(bytes as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&mut self) {
        // SAFETY: the tail is within the ring, aligned, and shared with the kernel, which only reads it.
        let tail = unsafe { &*BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }

    /// The bytes of a buffer that the kernel told of and hasn't got back.
    fn bytes(&self, buffer: u16, length: usize) -> Option<&[u8]> {
        if buffer >= BUFFERS || length > BUFFER_BYTES {
            return None;
        }
        // SAFETY: within `bytes`, and nobody writes to it until it is given back, which takes `self` mutably.
        Some(unsafe {
            let first = self.bytes.as_ptr().add(usize::from(buffer) * BUFFER_BYTES);
            std::slice::from_raw_parts(first, length)
        })
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: both were allocated with these layouts, and the ring that knows of them is gone.
        unsafe {
            dealloc(self.entries.as_ptr().cast(), Self::ENTRIES);
            dealloc(self.bytes.as_ptr(), Self::BYTES);
        }
    }
}
