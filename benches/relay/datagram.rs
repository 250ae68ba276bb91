//! One datagram in, one out: the calls that the floor and the load make.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

/// A socket on a loopback address, with room for half a second of packets.
pub fn bind(ip: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("a port is free; is the limit of open files high enough?");
    socket.set_nonblocking(true).expect("a socket can be told not to block");
    socket
}

/// An address as the kernel has it.
pub fn name_of(address: SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(address) = address else { panic!("the bench speaks IPv4") };
    // SAFETY: a plain C structure, for which zeros are valid.
    let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    name.sin_family = libc::AF_INET as libc::sa_family_t;
    name.sin_port = address.port().to_be();
    name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
    name
}

pub fn send(socket: &UdpSocket, bytes: &[u8], to: &libc::sockaddr_in) -> bool {
    let (fd, length) = (socket.as_raw_fd(), size_of::<libc::sockaddr_in>() as libc::socklen_t);
    // SAFETY: bytes and name live through the call, and their lengths are as said.
    let sent = unsafe {
        let name = std::ptr::from_ref(to).cast();
        libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT, name, length)
    };
    sent >= 0
}

/// A datagram's length and sender, if one waits.
pub fn receive(socket: &UdpSocket, room: &mut [u8]) -> Option<(usize, SocketAddrV4)> {
    // SAFETY: a plain C structure, for which zeros are valid.
    let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: room, name and length live through the call, and the lengths are as said.
    let taken = unsafe {
        let (name, length) = (std::ptr::from_mut(&mut name).cast(), &mut length);
        libc::recvfrom(socket.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), libc::MSG_DONTWAIT, name, length)
    };
    let from = SocketAddrV4::new(Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)), u16::from_be(name.sin_port));
    usize::try_from(taken).ok().map(|taken| (taken, from))
}

/// Has the kernel note when each packet came.
pub fn stamp(socket: &UdpSocket) {
    let on: libc::c_int = 1;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value lives through the call, and its length is as said.
    let answer = unsafe {
        let value = std::ptr::from_ref(&on).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, value, length)
    };
    assert_eq!(answer, 0, "the kernel stamps packets");
}

/// A datagram's length, and when the kernel had it, in nanoseconds since 1970; none where no datagram waits.
pub fn receive_stamped(socket: &UdpSocket, room: &mut [u8]) -> Option<(usize, u64)> {
    let mut control = [0u64; 8];
    let mut vector = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    // SAFETY: a plain C structure, for which zeros are valid.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: all that the header points to lives through the call, and the lengths are as said.
    let taken = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut header, libc::MSG_DONTWAIT) };
    let taken = usize::try_from(taken).ok()?;
    // SAFETY: the kernel has written the control messages into `control`, and the header says how long they are.
    let time = unsafe {
        let message = libc::CMSG_FIRSTHDR(&header);
        assert!(!message.is_null() && (*message).cmsg_type == libc::SO_TIMESTAMPNS, "packets have a time stamp");
        libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned()
    };
    Some((taken, time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64))
}
