//! What our address is called towards a peer: its own towards neighbours, the public one of a 1:1 NAT towards strangers.

use crate::config::settings::{Network, Settings};
use crate::sip::flow::Flow;
use std::net::{IpAddr, SocketAddr};

/// The default announces our own address to everyone.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Announce {
    public: Option<IpAddr>,
    local_networks: Vec<Network>,
}

impl Announce {
    /// For Via and Contact. What only `[media]` says holds for signalling too: there is one NAT.
    pub fn signalling(settings: &Settings) -> Announce {
        let public = settings.sip.public_address.or(settings.media.public_address);
        Announce { public, local_networks: settings.sip.local_networks.clone() }
    }

    /// For SDP, likewise.
    pub fn media(settings: &Settings) -> Announce {
        let public = settings.media.public_address.or(settings.sip.public_address);
        Announce { public, local_networks: settings.sip.local_networks.clone() }
    }

    /// `local` as `remote` is told it. A NAT between the two families is none of 1:1, so that a public address stands
    /// for those of its own family only.
    pub fn address(&self, local: IpAddr, remote: IpAddr) -> IpAddr {
        let remote = remote.to_canonical();
        match self.public {
            Some(public)
                if public.is_ipv4() == local.is_ipv4()
                    && !self.local_networks.iter().any(|network| network.contains(remote)) =>
            {
                public
            }
            _ => local,
        }
    }

    /// Our side of a flow as the peer is told it.
    pub fn socket(&self, flow: Flow) -> SocketAddr {
        SocketAddr::new(self.address(flow.local.ip(), flow.remote.ip()), flow.local.port())
    }

    /// Whether this is the public address.
    pub fn is_public(&self, address: IpAddr) -> bool {
        self.public.is_some_and(|public| public.to_canonical() == address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_are_told_the_public_address_and_neighbours_our_own() {
        let mut settings = Settings::default();
        let (own, public) = (ip("10.0.0.5"), ip("203.0.113.7"));
        assert_eq!(Announce::signalling(&settings).address(own, ip("198.51.100.1")), own);
        settings.media.public_address = Some(public);
        for announce in [Announce::signalling(&settings), Announce::media(&settings)] {
            assert_eq!(announce.address(own, ip("198.51.100.1")), public);
            assert_eq!(announce.address(own, ip("::ffff:198.51.100.1")), public);
            for neighbour in ["10.9.9.9", "127.0.0.1", "192.168.1.1", "172.31.0.1", "100.64.1.1", "169.254.1.1"] {
                assert_eq!(announce.address(own, ip(neighbour)), own, "{neighbour}");
            }
            assert_eq!(announce.address(ip("2001:db8::5"), ip("2001:db8::1")), ip("2001:db8::5"));
            assert!(announce.is_public(public) && !announce.is_public(own));
        }
    }

    #[test]
    fn signalling_and_media_may_have_addresses_of_their_own_and_neighbours_be_chosen() {
        let mut settings = Settings::default();
        settings.sip.public_address = Some(ip("203.0.113.7"));
        settings.media.public_address = Some(ip("203.0.113.8"));
        settings.sip.local_networks = vec![Network { address: ip("198.51.100.0"), bits: 24 }];
        let (own, stranger) = (ip("10.0.0.5"), ip("10.0.0.6"));
        assert_eq!(Announce::signalling(&settings).address(own, stranger), ip("203.0.113.7"));
        assert_eq!(Announce::media(&settings).address(own, stranger), ip("203.0.113.8"));
        assert_eq!(Announce::media(&settings).address(own, ip("198.51.100.1")), own);
    }
}
