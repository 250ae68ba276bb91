//! Loopback addresses and media ports that no other test has.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Media ports of one test.
const PORTS: u16 = 2000;

/// 127.a.b.0/24 is this test's alone: everyone in it may have port 5060.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    a: u8,
    b: u8,
    first_port: u16,
}

impl Net {
    pub fn new() -> Net {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        loop {
            let count = NEXT.fetch_add(1, Ordering::Relaxed);
            let net = Net {
                // The process's number keeps two runs of the tests apart.
                a: 16 + (std::process::id() % 200) as u8,
                b: (1 + count % 250) as u8,
                // Below the ports that the kernel gives away (32768 and up).
                first_port: 10_000 + PORTS * (count % 11),
            };
            if UdpSocket::bind((net.host(1), 5060)).is_ok() {
                return net;
            }
        }
    }

    pub fn host(self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.a, self.b, number)
    }

    /// Where the gateway is.
    pub fn gateway(self) -> Ipv4Addr {
        self.host(1)
    }

    /// The gateway's media ports, first and last.
    pub fn media_ports(self) -> (u16, u16) {
        (self.first_port, self.first_port + PORTS - 1)
    }
}
