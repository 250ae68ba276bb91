//! The system calls of a worker, behind functions that are safe to call with anything. With `uring` and `name`, this holds all
//! of the media's `unsafe`.

use crate::media::batch::PACKET_BYTES;
use crate::media::worker::name::{self, NAME_BYTES, Name};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Datagrams that one call moves at most.
pub const CALL_PACKETS: usize = 32;

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

/// Sleeps for so long, or until a descriptor can be read.
pub fn rest(span: Duration, fd: BorrowedFd<'_>) {
    let span = timespec(span);
    let mut wanted = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: both outlive the call, and it is one descriptor. A rest that is interrupted is over.
    unsafe { libc::ppoll(&mut wanted, 1, &span, ptr::null()) };
}

/// CPU time of the calling thread, in nanoseconds.
pub fn cpu_ns() -> u64 {
    let mut time = timespec(Duration::ZERO);
    // SAFETY: the structure outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Has the system wake the calling thread when it is due, and not up to 50 µs later, and let it go before threads that want
/// the processor for longer at a time. A thread that the operator has put into another class, as the real-time one, stays
/// there.
pub fn wake_in_time() {
    // SAFETY: takes no pointers. Where it is refused, ticks are a little late.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
    // SAFETY: takes no pointers. On Linux the "process" 0 is the calling thread.
    if unsafe { libc::sched_getscheduler(0) } != libc::SCHED_OTHER {
        return;
    }
    let slice = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        // SAFETY: as above.
        nice: unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) },
        priority: 0,
        runtime: SLICE.as_nanos() as u64,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the structure is as long as it says, and outlives the call. A kernel before 6.12 knows no slices of threads; there,
    // and where it is refused, the system's usual one holds.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const slice, 0) };
}

/// For how long such a thread asks for the processor at a time: the shorter, the sooner it has it after a sleep.
const SLICE: Duration = Duration::from_micros(100);

/// What `sched_setattr` takes, in its first version.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// For threads of the usual policy, the slice in nanoseconds.
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// The cores that this process may use.
pub fn cores() -> Vec<usize> {
    // SAFETY: the set is a plain bit field, which outlives the calls.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Vec::new();
        }
        (0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &set)).collect()
    }
}

/// Keeps the calling thread on one core. Where that is refused, it runs wherever the system likes.
pub fn pin(core: usize) {
    if core < libc::CPU_SETSIZE as usize {
        // SAFETY: as above, and the core is within the set.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
    }
}

fn timespec(span: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(span.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}

pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
    /// Kernels before 5.11 know whole milliseconds only.
    is_coarse: bool,
}

impl Epoll {
    /// `capacity` is how many descriptors one wait tells at most.
    pub fn new(capacity: usize) -> io::Result<Epoll> {
        // SAFETY: takes no pointers.
        let fd = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Epoll { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; capacity.max(1)], is_coarse: false })
    }

    /// Watches a descriptor for input until it is closed; `wait` tells its `token`.
    pub fn watch(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: the event outlives the call, which copies it.
        let answer = unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &mut event) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits until something can be read or the time is over, and tells how many descriptors are ready. No timeout waits
    /// for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        let capacity = libc::c_int::try_from(self.events.len()).unwrap_or(libc::c_int::MAX);
        let (fd, events) = (self.fd.as_raw_fd(), self.events.as_mut_ptr());
        if !self.is_coarse {
            let span = timeout.map(timespec);
            let span = span.as_ref().map_or(ptr::null(), ptr::from_ref);
            // SAFETY: the kernel writes at most `capacity` events, for which there is room; the span outlives the call.
            let ready =
                unsafe { libc::syscall(libc::SYS_epoll_pwait2, fd, events, capacity, span, ptr::null::<()>(), 0) };
            if ready >= 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS) {
                // An interrupted wait is as good as one that ended early.
                return usize::try_from(ready).unwrap_or(0);
            }
            self.is_coarse = true;
        }
        let timeout = timeout.map_or(-1, |timeout| {
            libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
        });
        // SAFETY: as above.
        let ready = unsafe { libc::epoll_wait(fd, events, capacity, timeout) };
        usize::try_from(ready).unwrap_or(0)
    }

    pub fn token(&self, index: usize) -> Option<u64> {
        self.events.get(index).map(|event| event.u64)
    }
}

/// Room for the datagrams of one call.
pub struct Receiver {
    buffers: Vec<[u8; PACKET_BYTES]>,
    names: Vec<Name>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers are into the vectors of the same value, are written anew before each call, and aren't used after it.
unsafe impl Send for Receiver {}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver {
            buffers: vec![[0; PACKET_BYTES]; CALL_PACKETS],
            names: vec![Name::default(); CALL_PACKETS],
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; CALL_PACKETS],
            // SAFETY: a plain C structure, for which zeros are valid.
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
            header.msg_hdr.msg_namelen = NAME_BYTES as libc::socklen_t;
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

    /// Takes one datagram, for less than [`Receiver::receive`] takes for one.
    pub fn receive_one(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let (Some(buffer), Some(name), Some(header)) =
            (self.buffers.first_mut(), self.names.first_mut(), self.headers.first_mut())
        else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        header.msg_hdr.msg_namelen = NAME_BYTES as libc::socklen_t;
        // SAFETY: buffer, name and length are of `self`, which isn't touched during the call, and as long as is said.
        let taken = unsafe {
            let (name, length) = (ptr::from_mut(name).cast(), &mut header.msg_hdr.msg_namelen);
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
            libc::recvfrom(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags, name, length)
        };
        let length = usize::try_from(taken).map_err(|_| io::Error::last_os_error())?;
        // The true length is told of a datagram that was cut.
        header.msg_hdr.msg_flags = if length > buffer.len() { libc::MSG_TRUNC } else { 0 };
        header.msg_len = libc::c_uint::try_from(length).unwrap_or(libc::c_uint::MAX);
        Ok(())
    }

    /// One datagram of the last call with its sender; none where it was longer than its buffer.
    pub fn datagram(&self, index: usize) -> Option<(SocketAddr, &[u8])> {
        let header = self.headers.get(index)?;
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let bytes = self.buffers.get(index)?.get(..header.msg_len as usize)?;
        let name = self.names.get(index)?.as_bytes().get(..header.msg_hdr.msg_namelen as usize)?;
        Some((name::address(name)?, bytes))
    }
}

/// The headers of one call that sends.
pub struct Sender {
    names: Vec<Name>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: as for `Receiver`.
unsafe impl Send for Sender {}

impl Default for Sender {
    fn default() -> Sender {
        Sender {
            names: vec![Name::default(); CALL_PACKETS],
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; CALL_PACKETS],
            // SAFETY: a plain C structure, for which zeros are valid.
            headers: vec![unsafe { std::mem::zeroed() }; CALL_PACKETS],
        }
    }
}

/// Sends one datagram, for less than [`Sender::send`] takes for one.
pub fn send_one(socket: BorrowedFd<'_>, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let name = Name::from(to);
    // SAFETY: bytes and name outlive the call, and their lengths are as said.
    let sent = unsafe {
        let flags = libc::MSG_DONTWAIT;
        libc::sendto(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags, name.as_ptr(), name.length())
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
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
            *name = Name::from(to);
            // The kernel only reads what a vector of a message that is sent points to.
            *vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            header.msg_hdr.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = name.length();
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
