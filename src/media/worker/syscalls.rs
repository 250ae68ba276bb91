//! The system calls that move packets in batches. All of the media's `unsafe` is here, behind functions that are safe to
//! call with anything.

use crate::media::batch::PACKET_BYTES;
use socket2::SockAddr;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Datagrams that one call moves at most.
pub const CALL_PACKETS: usize = 32;

const NAME_BYTES: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

fn owned(fd: libc::c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor through which one thread wakes another.
pub fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// Makes the descriptor of an `eventfd` readable.
pub fn ring(fd: BorrowedFd<'_>) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: the buffer is as long as is said. A counter that is full is readable already, so the answer says nothing.
    unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// Makes the descriptor of an `eventfd` unreadable again.
pub fn silence(fd: BorrowedFd<'_>) {
    let mut count = [0u8; 8];
    // SAFETY: the buffer is as long as is said. An empty counter answers with an error, which is as good.
    unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
}

pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// `capacity` is how many descriptors one wait tells at most.
    pub fn new(capacity: usize) -> io::Result<Epoll> {
        // SAFETY: takes no pointers.
        let fd = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Epoll { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; capacity.max(1)] })
    }

    /// Watches a descriptor for input until it is closed; `wait` tells its `token`.
    pub fn watch(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: the event outlives the call, which copies it.
        let answer = unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &mut event) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits until something can be read or the time is over, and tells how many descriptors are ready. No timeout waits
    /// for ever; a fraction of a millisecond is rounded up.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        let timeout = timeout.map_or(-1, |timeout| {
            libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
        });
        let capacity = libc::c_int::try_from(self.events.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the kernel writes at most `capacity` events, for which there is room.
        let ready = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), capacity, timeout) };
        // An interrupted wait is as good as one that ended early.
        usize::try_from(ready).unwrap_or(0)
    }

    pub fn token(&self, index: usize) -> Option<u64> {
        self.events.get(index).map(|event| event.u64)
    }
}

/// Room for the datagrams of one call.
pub struct Receiver {
    buffers: Vec<[u8; PACKET_BYTES]>,
    names: Vec<libc::sockaddr_storage>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers are into the vectors of the same value, are written anew before each call, and aren't used after it.
unsafe impl Send for Receiver {}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver {
            buffers: vec![[0; PACKET_BYTES]; CALL_PACKETS],
            // SAFETY: all of these are plain C structures, for which zeros are valid.
            names: vec![unsafe { std::mem::zeroed() }; CALL_PACKETS],
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; CALL_PACKETS],
            // SAFETY: as above.
            headers: vec![unsafe { std::mem::zeroed() }; CALL_PACKETS],
        }
    }
}

impl Receiver {
    /// Takes what waits on a socket, and tells how many datagrams that are: `datagram` has them.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let parts = self.headers.iter_mut().zip(&mut self.vectors).zip(&mut self.buffers).zip(&mut self.names);
        for (((header, vector), buffer), name) in parts {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = NAME_BYTES;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_flags = 0;
            header.msg_len = 0;
        }
        // SAFETY: each header points to one vector, one buffer and one name of `self`, none of which moves or is touched
        // during the call; their lengths are as said.
        let taken = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                CALL_PACKETS as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        usize::try_from(taken).map_err(|_| io::Error::last_os_error())
    }

    /// One datagram of the last call with its sender; none where it was longer than its buffer.
    pub fn datagram(&self, index: usize) -> Option<(SocketAddr, &[u8])> {
        let header = self.headers.get(index)?;
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let bytes = self.buffers.get(index)?.get(..header.msg_len as usize)?;
        Some((address(self.names.get(index)?, header.msg_hdr.msg_namelen)?, bytes))
    }
}

/// The headers of one call that sends.
pub struct Sender {
    names: Vec<MaybeUninit<SockAddr>>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: as for `Receiver`.
unsafe impl Send for Sender {}

impl Default for Sender {
    fn default() -> Sender {
        Sender {
            names: std::iter::repeat_with(MaybeUninit::uninit).take(CALL_PACKETS).collect(),
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; CALL_PACKETS],
            // SAFETY: a plain C structure, for which zeros are valid.
            headers: vec![unsafe { std::mem::zeroed() }; CALL_PACKETS],
        }
    }
}

impl Sender {
    /// Sends datagrams through one socket, at most [`CALL_PACKETS`], and tells how many of them the kernel took.
    pub fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>,
    ) -> io::Result<usize> {
        let mut count = 0;
        let parts = self.headers.iter_mut().zip(&mut self.vectors).zip(&mut self.names);
        for (((header, vector), name), (to, bytes)) in parts.zip(datagrams) {
            let name = name.write(SockAddr::from(to));
            // The kernel only reads what a vector of a message that is sent points to.
            *vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            header.msg_hdr.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = name.len();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        // SAFETY: the first `count` headers point to names and vectors of `self` and to the callers' bytes, all of which
        // outlive the call.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

fn address(name: &libc::sockaddr_storage, length: libc::socklen_t) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET if length as usize >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: the family says that this is a `sockaddr_in`, which is shorter than the storage and aligned no
            // stricter.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 if length as usize >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above, for a `sockaddr_in6`.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(name.sin6_port), 0, name.sin6_scope_id).into())
        }
        _ => None,
    }
}
