//! Which of our addresses the kernel would use towards a peer, and where hosts are.
#![allow(clippy::disallowed_types, reason = "asking the routing table takes a socket")]

use crate::shell::resolver::Resolver;
use crate::sip::flow::{Flow, Transport};
use crate::sip::locate::{Address, Located, Target};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Addresses whose route is remembered; beyond that all is forgotten and asked again.
const MEMORY: usize = 4_096;

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

/// Where to send for a host, with our side of each way. Addresses that no way leads to are left out.
pub async fn locate(
    resolver: &Resolver,
    target: &Target,
    listening: &[(Transport, SocketAddr)],
) -> Result<Located<Flow>, String> {
    // A connection of ours carries both ways, so that one that is asked for by name takes no listener.
    let asked = target.transport.filter(|transport| transport.is_reliable());
    let transports: Vec<Transport> = listening.iter().map(|&(transport, _)| transport).chain(asked).collect();
    let found = resolver.locate(target, &transports).await?;
    let mut paths = Paths::default();
    let located = found.filter_map(|address| flow_to(&mut paths, address, listening));
    match found.ways().next() {
        Some(first) if located.servers.is_empty() => {
            Err(format!("no route to {}, or nothing listens for its kind of address", first.remote.ip()))
        }
        _ => Ok(located),
    }
}

/// The way to an address from the first of our sockets that can reach it.
fn flow_to(paths: &mut Paths, address: Address, listening: &[(Transport, SocketAddr)]) -> Option<Flow> {
    let Address { transport, remote } = address;
    let route = paths.local_for(remote.ip())?;
    let ours = listening.iter().filter(|(kind, _)| *kind == transport).map(|(_, socket)| *socket);
    let fits = |socket: &SocketAddr| socket.is_ipv4() == remote.is_ipv4();
    let exact = ours.clone().filter(fits).find(|socket| socket.ip() == route);
    let any = || ours.clone().filter(fits).find(|socket| socket.ip().is_unspecified());
    let other = || ours.clone().find(fits);
    let local = match exact.or_else(any).or_else(other) {
        Some(socket) => SocketAddr::new(if socket.ip().is_unspecified() { route } else { socket.ip() }, socket.port()),
        None if transport.is_reliable() => SocketAddr::new(route, transport.default_port()),
        None => return None,
    };
    Some(Flow { transport, local, remote })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;

    async fn found(listening: &[&str]) -> Result<Vec<Flow>, String> {
        let listening: Vec<_> =
            listening.iter().map(|text| (Transport::Udp, text.parse().expect("an address"))).collect();
        let resolver = Resolver::open(&Settings::default());
        let located = locate(&resolver, &Target::new("127.0.0.1", None, None), &listening).await?;
        Ok(located.ways().collect())
    }

    #[tokio::test]
    async fn loopback_is_reached_from_itself() {
        let flows = found(&["0.0.0.0:5060", "[::]:5062"]).await.unwrap();
        assert_eq!(flows[0].local, "127.0.0.1:5060".parse().unwrap());
        assert_eq!(flows[0].remote, "127.0.0.1:5060".parse().unwrap());
    }

    #[tokio::test]
    async fn a_kind_of_address_that_nothing_listens_for_is_an_error() {
        assert!(found(&["[::1]:5060"]).await.is_err());
        assert!(found(&[]).await.is_err());
    }
}
