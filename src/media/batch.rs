//! Packets on their way out: fixed buffers that are made once and filled again and again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The longest datagram that is taken or sent. Longer than an Ethernet frame, since some phones send 20 ms of linear
/// wideband audio in fragments.
pub const PACKET_BYTES: usize = 2_048;

/// Where a port's state and sockets are kept, from its opening to its closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub usize);

/// Which of a port's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Rtp,
    Rtcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub slot: Slot,
    pub channel: Channel,
    pub to: SocketAddr,
    pub bytes: &'a [u8],
}

pub struct Batch {
    packets: Vec<Packet>,
    used: usize,
}

struct Packet {
    slot: Slot,
    channel: Channel,
    to: SocketAddr,
    length: usize,
    bytes: [u8; PACKET_BYTES],
}

impl Batch {
    pub fn new(capacity: usize) -> Batch {
        let blank = || Packet {
            slot: Slot(0),
            channel: Channel::Rtp,
            to: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            length: 0,
            bytes: [0; PACKET_BYTES],
        };
        Batch { packets: std::iter::repeat_with(blank).take(capacity).collect(), used: 0 }
    }

    pub fn capacity(&self) -> usize {
        self.packets.len()
    }

    /// How many packets more it takes.
    pub fn room(&self) -> usize {
        self.packets.len() - self.used
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub fn clear(&mut self) {
        self.used = 0;
    }

    pub fn iter(&self) -> impl Iterator<Item = Outgoing<'_>> + Clone {
        self.packets[..self.used].iter().map(|packet| Outgoing {
            slot: packet.slot,
            channel: packet.channel,
            to: packet.to,
            bytes: &packet.bytes[..packet.length],
        })
    }

    /// Adds a packet that `fill` writes, answering its length; none takes the packet back. False where nothing was added.
    pub fn push(
        &mut self,
        slot: Slot,
        channel: Channel,
        to: SocketAddr,
        fill: impl FnOnce(&mut [u8; PACKET_BYTES]) -> Option<usize>,
    ) -> bool {
        let Some(packet) = self.packets.get_mut(self.used) else { return false };
        let Some(length) = fill(&mut packet.bytes).filter(|&length| length <= PACKET_BYTES) else { return false };
        (packet.slot, packet.channel, packet.to, packet.length) = (slot, channel, to, length);
        self.used += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_batch_takes_no_more() {
        let to = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut batch = Batch::new(2);
        let write = |room: &mut [u8; PACKET_BYTES]| {
            room[0] = 7;
            Some(1)
        };
        assert!(batch.push(Slot(1), Channel::Rtp, to, write));
        assert!(!batch.push(Slot(1), Channel::Rtp, to, |_| None));
        assert!(batch.push(Slot(2), Channel::Rtcp, to, write));
        assert!(!batch.push(Slot(3), Channel::Rtp, to, write));
        assert_eq!(batch.iter().map(|packet| packet.slot.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(batch.iter().next().unwrap().bytes, [7]);
        batch.clear();
        assert_eq!((batch.room(), batch.is_empty()), (2, true));
    }
}
