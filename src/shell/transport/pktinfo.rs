//! Datagrams with our own address on them, for sockets that listen on all addresses: an answer has to come from where its
//! question went. All of the transports' `unsafe` is here, behind functions that are safe to call with anything.

use socket2::{SockAddr, Socket};
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Room for one control message, aligned as the kernel wants it.
type Control = [u64; 16];

pub struct Received {
    pub length: usize,
    pub remote: SocketAddr,
    /// The address of ours that the datagram came to; none where the kernel doesn't tell.
    pub local: Option<IpAddr>,
}

/// Has the kernel tell with each datagram which address it came to.
pub fn ask(socket: &Socket, is_ipv4: bool) -> io::Result<()> {
    match is_ipv4 {
        true => switch_on(socket, libc::IPPROTO_IP, libc::IP_PKTINFO),
        false => switch_on(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    }
}

/// Has the kernel keep what hosts and routers send back, for [`returned`].
pub fn keep_errors(socket: &Socket, is_ipv4: bool) -> io::Result<()> {
    match is_ipv4 {
        true => switch_on(socket, libc::IPPROTO_IP, libc::IP_RECVERR),
        false => switch_on(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    }
}

fn switch_on(socket: &Socket, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value outlives the call, and its length is its own.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes one error that the kernel keeps, with the beginning of the datagram in the buffer: how much of it, where that
/// can't be delivered (RFC 3261 §18.4), and none for another error.
pub fn returned(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    let mut control: Control = [0; 16];
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut is_undeliverable = false;
    // SAFETY: the header points to what lives through the call, and what is read afterwards the kernel wrote.
    let length = unsafe {
        let mut header: libc::msghdr = MaybeUninit::zeroed().assume_init();
        header.msg_iov = &mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of::<Control>() as _;
        let length = libc::recvmsg(socket.as_raw_fd(), &mut header, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT);
        if length < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut message = libc::CMSG_FIRSTHDR(&header);
        while !message.is_null() {
            is_undeliverable |= says_undeliverable(message);
            message = libc::CMSG_NXTHDR(&header, message);
        }
        length.unsigned_abs()
    };
    Ok(is_undeliverable.then_some(length))
}

/// # Safety
/// `message` is a whole control message of the kernel's.
unsafe fn says_undeliverable(message: *const libc::cmsghdr) -> bool {
    // SAFETY: by level and type the data begins with what it is read as; it may lie on any address.
    let told: libc::sock_extended_err = unsafe {
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                ptr::read_unaligned(libc::CMSG_DATA(message).cast())
            }
            _ => return false,
        }
    };
    let is_icmp = matches!(told.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6);
    let error = i32::try_from(told.ee_errno).unwrap_or_default();
    is_icmp && matches!(error, libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOPROTOOPT)
}

/// Takes one datagram.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control: Control = [0; 16];
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut found = None;
    // SAFETY: the closure fills the storage with what the kernel wrote, and sets its length.
    let ((length, local), remote) = unsafe {
        SockAddr::try_init(|storage, name_length| {
            let mut header: libc::msghdr = MaybeUninit::zeroed().assume_init();
            header.msg_name = storage.cast();
            header.msg_namelen = *name_length;
            header.msg_iov = &mut vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>() as _;
            let length = libc::recvmsg(socket.as_raw_fd(), &mut header, 0);
            if length < 0 {
                return Err(io::Error::last_os_error());
            }
            *name_length = header.msg_namelen;
            let mut message = libc::CMSG_FIRSTHDR(&header);
            while !message.is_null() {
                found = found.or(told(message));
                message = libc::CMSG_NXTHDR(&header, message);
            }
            Ok((length.unsigned_abs(), found))
        })
    }?;
    let remote = remote.as_socket().ok_or(io::ErrorKind::InvalidData)?;
    Ok(Received { length, remote, local })
}

/// # Safety
/// `message` is a whole control message of the kernel's.
unsafe fn told(message: *const libc::cmsghdr) -> Option<IpAddr> {
    // SAFETY: by level and type the data is what it is read as; it may lie on any address.
    unsafe {
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let told: libc::in_pktinfo = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
                Some(Ipv4Addr::from(told.ipi_spec_dst.s_addr.to_ne_bytes()).into())
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let told: libc::in6_pktinfo = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
                Some(Ipv6Addr::from(told.ipi6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

/// Sends one datagram from an address of ours.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], local: IpAddr, remote: SocketAddr) -> io::Result<usize> {
    match local {
        IpAddr::V4(local) => {
            let source = libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) };
            let from = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: source };
            send_with(socket, bytes, remote, libc::IPPROTO_IP, libc::IP_PKTINFO, from)
        }
        IpAddr::V6(local) => {
            let source = libc::in6_addr { s6_addr: local.octets() };
            let from = libc::in6_pktinfo { ipi6_addr: source, ipi6_ifindex: 0 };
            send_with(socket, bytes, remote, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, from)
        }
    }
}

fn send_with<T: Copy>(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    remote: SocketAddr,
    level: libc::c_int,
    kind: libc::c_int,
    from: T,
) -> io::Result<usize> {
    const { assert!(size_of::<T>() + size_of::<libc::cmsghdr>() + 16 <= size_of::<Control>()) };
    let remote = SockAddr::from(remote);
    let mut control: Control = [0; 16];
    let mut vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let size = size_of::<T>() as libc::c_uint;
    // SAFETY: the header points to what lives through the call; the control message fits, as is asserted above; the kernel
    // only reads.
    let sent = unsafe {
        let mut header: libc::msghdr = MaybeUninit::zeroed().assume_init();
        header.msg_name = remote.as_ptr().cast_mut().cast();
        header.msg_namelen = remote.len();
        header.msg_iov = &mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = libc::CMSG_SPACE(size) as _;
        let message = libc::CMSG_FIRSTHDR(&header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size) as _;
        ptr::write_unaligned(libc::CMSG_DATA(message).cast(), from);
        libc::sendmsg(socket.as_raw_fd(), &header, 0)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent.unsigned_abs()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};
    use std::os::fd::AsFd;

    fn bound(address: &str) -> Socket {
        let address: SocketAddr = address.parse().unwrap();
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        ask(&socket, address.is_ipv4()).unwrap();
        socket
    }

    fn port(socket: &Socket) -> u16 {
        socket.local_addr().unwrap().as_socket().unwrap().port()
    }

    fn exchange(any: &str, ours: IpAddr, theirs: &str) {
        let (everywhere, peer) = (bound(any), bound(theirs));
        let to = SocketAddr::new(ours, port(&everywhere));
        peer.send_to(b"question", &to.into()).unwrap();
        let mut buffer = [0; 64];
        let received = receive(everywhere.as_fd(), &mut buffer).unwrap();
        assert_eq!((received.length, received.local), (8, Some(ours)));
        assert_eq!(received.remote.port(), port(&peer));
        send(everywhere.as_fd(), b"answer", ours, received.remote).unwrap();
        let answered = receive(peer.as_fd(), &mut buffer).unwrap();
        assert_eq!((answered.length, answered.remote), (6, to));
    }

    #[test]
    fn an_answer_comes_from_where_the_question_went() {
        for last in [1, 2, 77] {
            exchange("0.0.0.0:0", [127, 0, 0, last].into(), "127.0.0.1:0");
        }
    }

    #[test]
    fn the_same_over_version_six() {
        let any: SocketAddr = "[::1]:0".parse().unwrap();
        let Ok(socket) = Socket::new(Domain::IPV6, Type::DGRAM, None) else { return };
        if socket.bind(&any.into()).is_ok() {
            exchange("[::]:0", Ipv6Addr::LOCALHOST.into(), "[::1]:0");
        }
    }
}
