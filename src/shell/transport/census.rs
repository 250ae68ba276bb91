//! How many connections there are, and from where.

use crate::config::settings::Limits;
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

    /// A place for one more, if there is any.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.all >= self.most || of_address >= self.most_for_address {
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
        let first = census.enter(one).unwrap();
        let second = census.enter(one).unwrap();
        assert!(census.enter(one).is_none());
        let third = census.enter(two).unwrap();
        assert!(census.enter(two).is_none());
        drop((first, second, third));
        assert!(census.counts.lock().unwrap().by_address.is_empty());
        assert!(census.enter(one).is_some());
    }
}
