//! Where the servers of a SIP host are (RFC 3263). Pure: [`Search`] says what to ask of DNS and makes of the answers a list
//! of servers, [`Located::order`] draws from it the order in which one request tries them.

mod question;
mod search;

pub use question::{Kind, Question, Record, Reply};
pub use search::Search;

use crate::base::chance::Chance;
use crate::sip::flow::Transport;
use crate::wire::sip::{Scheme, Uri};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// A name, or an address without brackets.
    pub host: String,
    /// None for what DNS says, or the default of the transport.
    pub port: Option<u16>,
    /// None for what DNS says, or UDP.
    pub transport: Option<Transport>,
    /// Whether only a way that nobody can read will do, as a `sips` URI asks.
    pub secure: bool,
}

impl Target {
    pub fn new(host: impl Into<String>, port: Option<u16>, transport: Option<Transport>) -> Target {
        Target { host: host.into(), port, transport, secure: false }
    }

    /// None where the URI asks for a transport that we don't have.
    pub fn of_uri(uri: &Uri<'_>) -> Option<Target> {
        let transport = Transport::of_uri(uri);
        let is_foreign = transport.is_none() && uri.param("transport").is_some();
        let target = Target { secure: uri.scheme == Scheme::Sips, ..Target::new(uri.host(), uri.port(), transport) };
        (!is_foreign).then_some(target)
    }
}

/// As a person would write it: `sip.acme.example:5070`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// An address that a search finds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    pub transport: Transport,
    pub remote: SocketAddr,
}

/// One server, by all of its addresses: what one SRV record names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server<W> {
    /// Servers of a lower rank are tried first.
    pub rank: u32,
    /// How often it comes first among those of its rank (RFC 2782).
    pub weight: u16,
    /// Best first; never empty.
    pub ways: Vec<W>,
}

/// All servers of a host, and for how long that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located<W> {
    pub servers: Vec<Server<W>>,
    pub ttl: Duration,
}

impl<W: Copy + PartialEq> Located<W> {
    /// A single way.
    pub fn only(way: W, ttl: Duration) -> Located<W> {
        Located { servers: vec![Server { rank: 0, weight: 0, ways: vec![way] }], ttl }
    }

    /// Every way, in no order that matters.
    pub fn ways(&self) -> impl Iterator<Item = W> {
        self.servers.iter().flat_map(|server| server.ways.iter().copied())
    }

    /// The order in which one request tries them: by rank, and within a rank drawn by weight (RFC 2782).
    pub fn order(&self, chance: &mut Chance) -> Vec<W> {
        let mut left: Vec<&Server<W>> = self.servers.iter().collect();
        // Those of no weight stand first, so that they have a small chance beside others.
        left.sort_by_key(|server| (server.rank, server.weight > 0));
        let mut order = Vec::new();
        while let Some(first) = left.first() {
            let rank = first.rank;
            let peers = left.iter().take_while(|server| server.rank == rank);
            let total: u64 = peers.map(|server| u64::from(server.weight)).sum();
            let drawn = chance.below(total + 1);
            let mut sum = 0;
            let chosen = left.iter().position(|server| {
                sum += u64::from(server.weight);
                sum >= drawn
            });
            // A sum below the draw would take servers of a later rank, which can't be: the total is that of this rank.
            for &way in &left.remove(chosen.unwrap_or(0)).ways {
                if !order.contains(&way) {
                    order.push(way);
                }
            }
        }
        order
    }

    /// The same servers by other ways; a server that has none is left out.
    pub fn filter_map<V>(&self, mut way: impl FnMut(W) -> Option<V>) -> Located<V> {
        let servers = self.servers.iter().filter_map(|server| {
            let ways: Vec<V> = server.ways.iter().filter_map(|&old| way(old)).collect();
            (!ways.is_empty()).then_some(Server { rank: server.rank, weight: server.weight, ways })
        });
        Located { servers: servers.collect(), ttl: self.ttl }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(rank: u32, weight: u16, ways: &[u32]) -> Server<u32> {
        Server { rank, weight, ways: ways.to_vec() }
    }

    #[test]
    fn ranks_come_in_order_and_weights_by_their_share() {
        let servers = vec![server(2, 9, &[30]), server(1, 30, &[10, 11]), server(1, 10, &[20]), server(1, 0, &[25])];
        let located = Located { servers, ttl: Duration::ZERO };
        let mut chance = Chance::from_number(5);
        let mut first = std::collections::BTreeMap::new();
        for _ in 0..4_000 {
            let order = located.order(&mut chance);
            assert_eq!((order.len(), order[4]), (5, 30));
            let ten = order.iter().position(|&way| way == 10).unwrap();
            assert_eq!(order[ten + 1], 11, "a server's own addresses stay together");
            *first.entry(order[0]).or_insert(0) += 1;
        }
        assert!((2_700..3_200).contains(&first[&10]), "{first:?}");
        assert!((800..1_200).contains(&first[&20]), "{first:?}");
        assert!((40..200).contains(&first[&25]), "{first:?}");
    }

    #[test]
    fn a_way_that_is_named_twice_is_tried_once() {
        let located = Located { servers: vec![server(0, 0, &[1, 2]), server(1, 0, &[2, 3])], ttl: Duration::ZERO };
        assert_eq!(located.order(&mut Chance::from_number(1)), [1, 2, 3]);
        let odd = located.filter_map(|way| (way == 3).then_some(way));
        assert_eq!(odd.servers, [server(1, 0, &[3])]);
    }
}
