//! What the kernel takes for a packet in and a packet out, if nothing else is done: no waiting, no look at the packet.

use crate::datagram::{bind, name_of, receive, send};
use crate::machine;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

/// Of a packet of G.711.
const BYTES: usize = 172;

pub struct Floor {
    /// Each with the name of the one that it sends to.
    sockets: Vec<(UdpSocket, libc::sockaddr_in)>,
}

impl Floor {
    /// As many sockets as calls have for their sound.
    pub fn new(calls: usize) -> Floor {
        let sockets: Vec<UdpSocket> = (0..2 * calls).map(|_| bind(Ipv4Addr::LOCALHOST)).collect();
        let address = |index: usize| name_of(sockets[index].local_addr().expect("a socket has an address"));
        let names: Vec<_> = (0..sockets.len()).map(|index| address(index ^ 1)).collect();
        Floor { sockets: sockets.into_iter().zip(names).collect() }
    }

    /// CPU time for one send and one receive, in microseconds, on the core of what is measured.
    pub fn measure(&self, span: Duration) -> f64 {
        std::thread::scope(|scope| scope.spawn(|| self.run(span)).join().expect("the floor stands"))
    }

    fn run(&self, span: Duration) -> f64 {
        machine::pin(0, machine::SERVER_CORE);
        machine::hurry(0);
        let (begun, before) = (Instant::now(), machine::own_cpu());
        let (bytes, mut room) = ([0x55; BYTES], [0; 2_048]);
        let mut packets = 0u32;
        while begun.elapsed() < span {
            for (socket, to) in &self.sockets {
                assert!(send(socket, &bytes, to), "the loopback takes a packet");
            }
            for (socket, _) in &self.sockets {
                packets += u32::from(receive(socket, &mut room).is_some());
            }
        }
        (machine::own_cpu() - before).as_secs_f64() * 1e6 / f64::from(packets.max(1))
    }
}
