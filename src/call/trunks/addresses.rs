//! Which trunks may be at an address: asked once for each request, at a cost that doesn't grow with the number of trunks.

use crate::config::settings::Network;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Trunks by where they may call from. What it names may have gone from there meanwhile, and nobody is there whom it
/// doesn't name.
#[derive(Default)]
pub struct Addresses {
    hosts: HashMap<IpAddr, BTreeSet<usize>>,
    /// The same, by trunk.
    of: Vec<Vec<IpAddr>>,
    networks: HashMap<Network, BTreeSet<usize>>,
    /// How long the networks' prefixes are.
    lengths: BTreeSet<u8>,
}

impl Addresses {
    /// Takes in the next trunk with the networks from which it calls, and answers how it is named here.
    pub fn add(&mut self, networks: &[Network]) -> usize {
        let trunk = self.of.len();
        self.of.push(Vec::new());
        for network in networks {
            self.networks.entry(network.masked()).or_default().insert(trunk);
            self.lengths.insert(network.bits);
        }
        trunk
    }

    /// A trunk is at these hosts from now on.
    pub fn place(&mut self, trunk: usize, hosts: impl Iterator<Item = IpAddr>) {
        let Some(of) = self.of.get_mut(trunk) else { return };
        for host in of.drain(..) {
            if let Some(trunks) = self.hosts.get_mut(&host) {
                trunks.remove(&trunk);
                if trunks.is_empty() {
                    self.hosts.remove(&host);
                }
            }
        }
        of.extend(hosts.map(|host| host.to_canonical()));
        for &host in of.iter() {
            self.hosts.entry(host).or_default().insert(trunk);
        }
    }

    /// The trunks that may be at an address, in their order.
    pub fn at(&self, address: IpAddr) -> BTreeSet<usize> {
        let address = address.to_canonical();
        let mut found = self.hosts.get(&address).cloned().unwrap_or_default();
        for &bits in &self.lengths {
            found.extend(self.networks.get(&Network { address, bits }.masked()).into_iter().flatten());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trunks_are_found_by_host_and_by_network() {
        let network = |text: &str, bits| Network { address: text.parse().unwrap(), bits };
        let mut addresses = Addresses::default();
        let one = addresses.add(&[network("192.0.2.77", 24), network("2001:db8::1", 32)]);
        let two = addresses.add(&[network("192.0.2.9", 32)]);
        addresses.place(two, ["198.51.100.1".parse().unwrap()].into_iter());
        let at = |addresses: &Addresses, text: &str| -> Vec<usize> {
            addresses.at(text.parse().unwrap()).into_iter().collect()
        };
        assert_eq!(at(&addresses, "192.0.2.9"), [one, two]);
        assert_eq!(at(&addresses, "::ffff:192.0.2.8"), [one]);
        assert_eq!(at(&addresses, "2001:db8:ffff::9"), [one]);
        assert_eq!(at(&addresses, "198.51.100.1"), [two]);
        assert!(at(&addresses, "198.51.100.2").is_empty());
        addresses.place(two, ["198.51.100.2".parse().unwrap()].into_iter());
        assert_eq!(at(&addresses, "198.51.100.2"), [two]);
        assert!(at(&addresses, "198.51.100.1").is_empty() && addresses.hosts.len() == 1);
    }
}
