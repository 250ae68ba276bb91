//! A port's far end: where the peer said it is, and where its packets really come from (symmetric RTP, RFC 4961).

use crate::media::batch::Channel;
use crate::media::command::PortSettings;
use std::net::SocketAddr;

/// The source is learnt once and then locked, so that nobody who guesses the port can take a call over or listen to it.
#[derive(Debug, Default)]
pub struct Port {
    remote: Option<SocketAddr>,
    remote_rtcp: Option<SocketAddr>,
    mux: bool,
    source: Option<SocketAddr>,
    rtcp_source: Option<SocketAddr>,
    /// An unexpected address on probation, and the sequence number that it must send next.
    candidate: Option<(SocketAddr, u16)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Known,
    /// The source is locked from this packet on.
    Learnt,
    Stranger,
}

impl Port {
    /// Takes the peer's newest description. An address that changed unlocks the source, since the peer has moved.
    pub fn configure(&mut self, settings: &PortSettings) {
        // Where nothing can be sent is nowhere: older phones hold a call in this way.
        let remote = settings.remote.filter(|remote| !remote.ip().is_unspecified() && remote.port() != 0);
        if remote.is_some() && remote != self.remote {
            self.source = None;
            self.rtcp_source = None;
            self.candidate = None;
        }
        self.remote = remote.or(self.remote);
        self.remote_rtcp = settings.remote_rtcp;
        self.mux = settings.rtcp_mux;
    }

    /// Whether a packet that is valid otherwise may come in. Before the lock, one from the address that was signalled (its
    /// port may differ behind a NAT) is enough; any other address has to send two packets in sequence, as a new source in
    /// RFC 3550 A.1, so that a stray packet doesn't steal the port.
    pub fn admit(&mut self, from: SocketAddr, sequence: u16) -> Verdict {
        let signalled = self.remote.is_some_and(|remote| remote.ip() == from.ip());
        if let Some(source) = self.source {
            // Whoever was quicker than the host that was signalled, as one who sprays all ports, has to give way to it.
            let gives_way = signalled && source.ip() != from.ip();
            if !gives_way {
                return if source == from { Verdict::Known } else { Verdict::Stranger };
            }
        }
        if signalled || self.candidate == Some((from, sequence)) {
            self.source = Some(from);
            self.candidate = None;
            return Verdict::Learnt;
        }
        self.candidate = Some((from, sequence.wrapping_add(1)));
        Verdict::Stranger
    }

    /// Whether a report may come in: from the host that sends the RTP, or before that is known from the one that was
    /// signalled. The first port that sends reports keeps the right.
    pub fn admit_rtcp(&mut self, from: SocketAddr, channel: Channel) -> bool {
        let Some(expected) = self.source.or(self.remote_rtcp).or(self.remote) else { return false };
        let known = match self.rtcp_source {
            Some(source) => source == from,
            None => expected.ip() == from.ip(),
        };
        if known && channel == Channel::Rtcp && self.source.is_some() {
            self.rtcp_source = Some(from);
        }
        known || self.source == Some(from)
    }

    /// Where RTP goes: to the source once that is known, as a NAT demands.
    pub fn rtp_destination(&self) -> Option<SocketAddr> {
        self.source.or(self.remote)
    }

    /// Where reports go, and from which socket.
    pub fn rtcp_destination(&self) -> Option<(Channel, SocketAddr)> {
        let rtp = self.rtp_destination()?;
        if self.mux {
            return Some((Channel::Rtp, rtp));
        }
        let beside = rtp.port().checked_add(1).map(|port| SocketAddr::new(rtp.ip(), port));
        let signalled = self.remote_rtcp.filter(|address| address.ip() == rtp.ip());
        self.rtcp_source.or(signalled).or(beside).map(|to| (Channel::Rtcp, to))
    }

    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn settings(remote: &str) -> PortSettings {
        PortSettings { remote: Some(address(remote)), ..PortSettings::default() }
    }

    fn port(remote: &str) -> Port {
        let mut port = Port::default();
        port.configure(&settings(remote));
        port
    }

    #[test]
    fn a_spray_of_sources_takes_nothing_from_the_host_that_was_signalled() {
        let mut port = Port::default();
        port.configure(&settings("192.0.2.1:4000"));
        let spray = |port: &mut Port, sequence: u16| {
            for host in 0..200u8 {
                let from = SocketAddr::new([203, 0, 113, host].into(), 4_000);
                let _ = (port.admit(from, sequence), port.admit(from, sequence.wrapping_add(1)));
            }
        };
        spray(&mut port, 7);
        assert_eq!(port.admit(address("192.0.2.1:4000"), 100), Verdict::Learnt);
        spray(&mut port, 101);
        assert_eq!(port.admit(address("192.0.2.1:4000"), 101), Verdict::Known);
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.1:4000")));
    }

    #[test]
    fn the_signalled_host_is_locked_at_once() {
        let mut port = port("192.0.2.1:4000");
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.1:4000")));
        assert_eq!(port.admit(address("192.0.2.1:5000"), 1), Verdict::Learnt);
        assert_eq!(port.admit(address("192.0.2.1:5000"), 2), Verdict::Known);
        assert_eq!(port.admit(address("192.0.2.1:4000"), 3), Verdict::Stranger);
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.1:5000")));
    }

    #[test]
    fn another_host_needs_two_packets_in_sequence() {
        let mut port = port("10.0.0.1:4000");
        assert_eq!(port.admit(address("198.51.100.7:9"), 65_535), Verdict::Stranger);
        assert_eq!(port.admit(address("198.51.100.8:9"), 1), Verdict::Stranger);
        assert_eq!(port.admit(address("198.51.100.7:9"), 0), Verdict::Stranger);
        assert_eq!(port.admit(address("198.51.100.7:9"), 1), Verdict::Learnt);
        assert_eq!(port.admit(address("198.51.100.8:9"), 2), Verdict::Stranger);
        // The host that was signalled is the one that everybody else gives way to.
        assert_eq!(port.admit(address("10.0.0.1:4000"), 1), Verdict::Learnt);
    }

    #[test]
    fn a_new_address_unlocks_and_the_same_one_does_not() {
        let mut port = port("192.0.2.1:4000");
        port.admit(address("192.0.2.1:5000"), 1);
        port.configure(&settings("192.0.2.1:4000"));
        assert_eq!(port.source(), Some(address("192.0.2.1:5000")));
        port.configure(&settings("192.0.2.9:4000"));
        assert_eq!(port.source(), None);
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.9:4000")));
    }

    #[test]
    fn nowhere_is_no_address() {
        assert_eq!(port("0.0.0.0:4000").rtp_destination(), None);
        assert_eq!(port("192.0.2.1:0").rtp_destination(), None);
        assert_eq!(port("[::]:4000").rtcp_destination(), None);
    }

    #[test]
    fn reports_go_beside_the_rtp_unless_told_otherwise() {
        let mut port = port("192.0.2.1:4000");
        assert_eq!(port.rtcp_destination(), Some((Channel::Rtcp, address("192.0.2.1:4001"))));
        port.configure(&PortSettings { remote_rtcp: Some(address("192.0.2.1:7")), ..settings("192.0.2.1:4000") });
        assert_eq!(port.rtcp_destination(), Some((Channel::Rtcp, address("192.0.2.1:7"))));
        port.admit(address("192.0.2.1:4000"), 1);
        assert!(port.admit_rtcp(address("192.0.2.1:9"), Channel::Rtcp));
        assert!(!port.admit_rtcp(address("192.0.2.1:10"), Channel::Rtcp));
        assert!(!port.admit_rtcp(address("192.0.2.3:9"), Channel::Rtcp));
        assert_eq!(port.rtcp_destination(), Some((Channel::Rtcp, address("192.0.2.1:9"))));
        port.configure(&PortSettings { rtcp_mux: true, ..settings("192.0.2.1:4000") });
        assert_eq!(port.rtcp_destination(), Some((Channel::Rtp, address("192.0.2.1:4000"))));
    }
}
