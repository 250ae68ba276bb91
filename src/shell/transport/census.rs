//! How many connections there are, and from where.

use crate::config::settings::Limits;
use crate::sip::guessing::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

pub struct Census {
    most: usize,
    most_for_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A connection that is counted until this is dropped.
pub struct Place {
    census: Arc<Census>,
    address: IpAddr,
}

impl Census {
    pub fn new(limits: &Limits) -> Census {
        Census::of(limits.tcp_connections, limits.tcp_connections_per_address)
    }

    /// So many in all, and so many from one address.
    pub fn of(most: usize, most_for_address: usize) -> Census {
        Census { most, most_for_address, counts: Mutex::default() }
    }

    /// A place for one more of a peer that connects to us, if there is any. The last tenth is for those that are known.
    pub fn enter(self: &Arc<Self>, address: IpAddr, is_known: bool) -> Option<Place> {
        self.take(address, if is_known { self.most } else { self.most - self.most / 10 })
    }

    /// The same for a connection that we make.
    pub fn leave(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        self.take(address, self.most)
    }

    fn take(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        // Whoever has one address of IPv6 has a whole network of them.
        let address = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.all >= most || of_address >= self.most_for_address {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, of_address + 1);
        Some(Place { census: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.census.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold_and_places_come_back() {
        let limits = Limits { tcp_connections: 3, tcp_connections_per_address: 2, ..Limits::default() };
        let census = Arc::new(Census::new(&limits));
        let (one, two): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = census.enter(one, true).unwrap();
        let second = census.enter(one, true).unwrap();
        assert!(census.enter(one, true).is_none());
        let third = census.enter(two, true).unwrap();
        assert!(census.enter(two, true).is_none());
        drop((first, second, third));
        assert!(census.counts.lock().unwrap().by_address.is_empty());
        assert!(census.enter(one, true).is_some());
    }

    #[test]
    fn a_network_of_version_six_counts_as_one_address_and_strangers_leave_room() {
        let limits = Limits { tcp_connections: 100, tcp_connections_per_address: 95, ..Limits::default() };
        let census = Arc::new(Census::new(&limits));
        let six = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, host]);
        let places: Vec<Place> = (0..200).filter_map(|host| census.enter(six(host), false)).collect();
        assert_eq!(places.len(), 90, "a tenth is left");
        let trunk: IpAddr = [192, 0, 2, 1].into();
        assert!(census.enter(trunk, false).is_none());
        let ours = (census.enter(trunk, true).unwrap(), census.leave(trunk).unwrap());
        drop((places, ours));
        let places: Vec<Place> = (0..200).filter_map(|host| census.enter(six(host), true)).collect();
        assert_eq!(places.len(), 95);
    }
}
