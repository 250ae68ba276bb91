//! Socket addresses as the kernel has them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

/// Room for either kind.
pub const NAME_BYTES: usize = size_of::<Name>();

/// An address that the kernel reads or writes.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    pub fn as_ptr(&self) -> *const libc::sockaddr {
        ptr::from_ref(self).cast()
    }

    /// How much of it is the address.
    pub fn length(&self) -> libc::socklen_t {
        // SAFETY: both begin with the family, and either is always set.
        let family = unsafe { self.v4.sin_family };
        let is_v4 = libc::c_int::from(family) == libc::AF_INET;
        let bytes = if is_v4 { size_of::<libc::sockaddr_in>() } else { size_of::<libc::sockaddr_in6>() };
        bytes as libc::socklen_t
    }

    /// The bytes of an address that the kernel has written; those that it hasn't are zero, or of an earlier one.
    pub fn as_bytes(&self) -> &[u8; NAME_BYTES] {
        // SAFETY: both are plain integers without gaps between them, and all of the bytes are set by `Default` at least.
        unsafe { &*ptr::from_ref(self).cast() }
    }
}

impl Default for Name {
    fn default() -> Name {
        // SAFETY: a plain C structure, for which zeros are valid; it is the longer of the two.
        Name { v6: unsafe { std::mem::zeroed() } }
    }
}

impl From<SocketAddr> for Name {
    fn from(address: SocketAddr) -> Name {
        let mut name = Name::default();
        match address {
            SocketAddr::V4(address) => {
                name.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                    sin_zero: [0; 8],
                };
            }
            SocketAddr::V6(address) => {
                name.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
            }
        }
        name
    }
}

/// Reads an address of the internet, of either version, from the bytes of a `sockaddr`.
pub fn address(name: &[u8]) -> Option<SocketAddr> {
    let family = libc::c_int::from(u16::from_ne_bytes(*name.first_chunk()?));
    let port = u16::from_be_bytes(*name.get(2..)?.first_chunk()?);
    match family {
        libc::AF_INET => {
            let ip: [u8; 4] = *name.get(4..)?.first_chunk()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(ip), port).into())
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = *name.get(8..)?.first_chunk()?;
            let scope = u32::from_ne_bytes(*name.get(24..)?.first_chunk()?);
            Some(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_to_the_kernel_and_back() {
        for text in ["192.0.2.1:4000", "[2001:db8::1]:65535", "127.0.0.1:1"] {
            let text: SocketAddr = text.parse().unwrap();
            let name = Name::from(text);
            assert_eq!(address(&name.as_bytes()[..name.length() as usize]), Some(text));
        }
        let scoped = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 9, 0, 7).into();
        assert_eq!(address(Name::from(scoped).as_bytes()), Some(scoped));
    }

    #[test]
    fn what_is_short_or_of_another_kind_is_no_address() {
        assert_eq!(address(&[]), None);
        assert_eq!(address(&[0; NAME_BYTES]), None);
        let name = Name::from(SocketAddr::from(([192, 0, 2, 1], 4_000)));
        assert_eq!(address(&name.as_bytes()[..7]), None);
    }
}
