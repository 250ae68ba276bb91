//! Which of our addresses the kernel would use towards a peer, and where hosts are.
#![allow(clippy::disallowed_types, reason = "asking the routing table takes a socket")]

use crate::sip::flow::{Flow, Transport};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Addresses whose route is remembered; beyond that all is forgotten and asked again.
const MEMORY: usize = 4_096;
const LOOK_UP_LIMIT: Duration = Duration::from_secs(5);

/// Remembers routes while one question is answered: later they may have changed.
#[derive(Default)]
pub struct Paths {
    local: HashMap<IpAddr, IpAddr>,
}

impl Paths {
    /// Our address on the way to `remote`; none where there is no way.
    pub fn local_for(&mut self, remote: IpAddr) -> Option<IpAddr> {
        if let Some(local) = self.local.get(&remote) {
            return Some(*local);
        }
        let local = ask_kernel(remote)?;
        if self.local.len() >= MEMORY {
            self.local.clear();
        }
        self.local.insert(remote, local);
        Some(local)
    }
}

/// Connecting a UDP socket sends nothing: it only looks up the route.
fn ask_kernel(remote: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = match remote {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect((remote, 9)).ok()?;
    let local = socket.local_addr().ok()?.ip();
    (!local.is_unspecified()).then_some(local)
}

/// Where to send for a host, with our side of each way: addresses as they are, names by A and AAAA.
pub async fn locate(
    host: &str,
    port: Option<u16>,
    transport: Transport,
    listening: &[SocketAddr],
) -> Result<Vec<Flow>, String> {
    let port = port.unwrap_or(transport.default_port());
    let addresses: Vec<SocketAddr> = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => match tokio::time::timeout(LOOK_UP_LIMIT, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(format!("looking up {host}: {error}")),
            Err(_) => return Err(format!("looking up {host}: no answer within {} s", LOOK_UP_LIMIT.as_secs())),
        },
    };
    let mut paths = Paths::default();
    let flows: Vec<Flow> =
        addresses.iter().filter_map(|&remote| flow_to(&mut paths, remote, transport, listening)).collect();
    match (addresses.first(), flows.is_empty()) {
        (Some(first), true) => Err(format!("no route to {}, or nothing listens for its kind of address", first.ip())),
        _ => Ok(flows),
    }
}

/// The way to an address from the first of our sockets that can reach it.
fn flow_to(paths: &mut Paths, remote: SocketAddr, transport: Transport, listening: &[SocketAddr]) -> Option<Flow> {
    let route = paths.local_for(remote.ip())?;
    let fits = |socket: &&SocketAddr| socket.is_ipv4() == remote.is_ipv4();
    let exact = listening.iter().filter(fits).find(|socket| socket.ip() == route);
    let any = || listening.iter().filter(fits).find(|socket| socket.ip().is_unspecified());
    let other = || listening.iter().find(fits);
    let local = match exact.or_else(any).or_else(other) {
        Some(socket) => SocketAddr::new(if socket.ip().is_unspecified() { route } else { socket.ip() }, socket.port()),
        // A connection of ours carries both ways, whether or not we listen.
        None if transport.is_reliable() => SocketAddr::new(route, transport.default_port()),
        None => return None,
    };
    Some(Flow { transport, local, remote })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn loopback_is_reached_from_itself() {
        let listening = ["0.0.0.0:5060".parse().unwrap(), "[::]:5062".parse().unwrap()];
        let flows = locate("127.0.0.1", None, Transport::Udp, &listening).await.unwrap();
        assert_eq!(flows[0].local, "127.0.0.1:5060".parse().unwrap());
        assert_eq!(flows[0].remote, "127.0.0.1:5060".parse().unwrap());
    }

    #[tokio::test]
    async fn a_kind_of_address_that_nothing_listens_for_is_an_error() {
        let listening = ["[::1]:5060".parse().unwrap()];
        assert!(locate("127.0.0.1", None, Transport::Udp, &listening).await.is_err());
    }
}
