//! Where a peer wants its packets, and whether it wants any.

use crate::wire::description::{Direction, Media};
use std::net::{IpAddr, SocketAddr};

/// The old way to hold is an address of zeros (RFC 2543 §B.5): nowhere to send to. Nor is anything sent to a group, which
/// nobody could ask us to flood.
pub(super) fn reachable(media: &Media) -> Option<SocketAddr> {
    let is_group = match media.address.ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    };
    (!media.address.ip().is_unspecified() && !media.is_refused() && !is_group).then_some(media.address)
}

/// What the peer wants, from its own side.
pub fn wishes(media: &Media) -> Direction {
    match reachable(media) {
        Some(_) => media.direction,
        None if media.unresolved_host().is_some() => media.direction,
        None => Direction::new(media.direction.sends(), false),
    }
}

pub(super) fn rtcp_address(media: &Media) -> Option<SocketAddr> {
    let rtp = reachable(media)?;
    if media.rtcp_mux {
        return Some(rtp);
    }
    Some(media.rtcp.unwrap_or_else(|| SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1))))
}

/// Our side of an answer: what we want, as far as the offer lets us.
pub(super) fn restricted(ours: Direction, peer_wants: Direction) -> Direction {
    Direction::new(ours.sends() && peer_wants.receives(), ours.receives() && peer_wants.sends())
}
