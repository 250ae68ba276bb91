//! A port's far end: where the peer said it is, and where its packets really come from (symmetric RTP, RFC 4961).

use crate::base::time::Time;
use crate::media::batch::Channel;
use crate::media::command::PortSettings;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Packets in sequence by which an address shows that it has a stream, as a new source in RFC 3550 A.1.
const PROBATION: u8 = 2;
/// After so much silence of the source that is locked its peer may have moved, as behind a NAT that gave it another port.
const GONE: Duration = Duration::from_secs(1);
/// Packets in sequence by which whoever claims to be that peer shows it.
const RETURN: u8 = 5;

/// The source is learnt once and then locked, so that nobody who guesses the port can take a call over or listen to it.
#[derive(Debug, Default)]
pub struct Port {
    remote: Option<SocketAddr>,
    remote_rtcp: Option<SocketAddr>,
    signalling: Option<IpAddr>,
    mux: bool,
    source: Option<Source>,
    rtcp_source: Option<SocketAddr>,
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    address: SocketAddr,
    /// What its packets call their stream; none where they have no such name.
    ssrc: Option<u32>,
    heard: Time,
}

/// An unexpected address on probation, and the sequence number that it must send next.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    address: SocketAddr,
    next: u16,
    heard: u8,
}

/// How much speaks for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Unknown,
    /// The peer's signalling comes from that host: where a phone behind a NAT is, whatever its description says.
    Signalling,
    /// It was signalled.
    Described,
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
        self.signalling = settings.signalling;
        self.mux = settings.rtcp_mux;
    }

    /// Whether a packet that is valid otherwise may come in. Before the lock, one from a host that is known from the
    /// signalling (its port may differ behind a NAT) is enough; any other has to send two packets in sequence, so that a
    /// stray packet doesn't steal the port. Whoever was quicker than such a host, as one who sprays all ports, gives way to
    /// it (RFC 7362 §4). Once the source is silent, its peer may come from elsewhere, who is known by the host or by the
    /// stream, which nobody can guess.
    pub fn admit(&mut self, now: Time, from: SocketAddr, sequence: u16, ssrc: Option<u32>) -> Verdict {
        let rank = self.rank(from.ip());
        let needed = match self.source {
            Some(source) if source.address == from => {
                self.source = Some(Source { address: from, ssrc, heard: now });
                return Verdict::Known;
            }
            Some(source) if rank > self.rank(source.address.ip()) => 1,
            Some(source) => {
                let is_peer = rank > Rank::Unknown || ssrc.is_some() && ssrc == source.ssrc;
                let is_gone = now - source.heard >= GONE;
                if !(is_peer && is_gone && rank >= self.rank(source.address.ip())) {
                    return Verdict::Stranger;
                }
                RETURN
            }
            None if rank > Rank::Unknown => 1,
            None => PROBATION,
        };
        let before = self.candidate.filter(|known| known.address == from && known.next == sequence);
        let heard = before.map_or(1, |known| known.heard.saturating_add(1));
        if heard < needed {
            self.candidate = Some(Candidate { address: from, next: sequence.wrapping_add(1), heard });
            return Verdict::Stranger;
        }
        self.source = Some(Source { address: from, ssrc, heard: now });
        self.rtcp_source = self.rtcp_source.filter(|reports| reports.ip() == from.ip());
        self.candidate = None;
        Verdict::Learnt
    }

    fn rank(&self, host: IpAddr) -> Rank {
        let host = host.to_canonical();
        if self.remote.is_some_and(|remote| remote.ip().to_canonical() == host) {
            Rank::Described
        } else if self.signalling.is_some_and(|peer| peer.to_canonical() == host) {
            Rank::Signalling
        } else {
            Rank::Unknown
        }
    }

    /// Whether a report may come in: from the host that sends the RTP, or before that is known from the one that was
    /// signalled. The first port that sends reports keeps the right.
    pub fn admit_rtcp(&mut self, from: SocketAddr, channel: Channel) -> bool {
        let Some(expected) = self.source().or(self.remote_rtcp).or(self.remote) else { return false };
        let known = match self.rtcp_source {
            Some(source) => source == from,
            None => expected.ip() == from.ip(),
        };
        if known && channel == Channel::Rtcp && self.source.is_some() {
            self.rtcp_source = Some(from);
        }
        known || self.source() == Some(from)
    }

    /// Where RTP goes: to the source once that is known, as a NAT demands.
    pub fn rtp_destination(&self) -> Option<SocketAddr> {
        self.source().or(self.remote)
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
        self.source.map(|source| source.address)
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

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    /// A packet of the stream 7, when time doesn't count.
    fn admit(port: &mut Port, from: SocketAddr, sequence: u16) -> Verdict {
        port.admit(at(0), from, sequence, Some(7))
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
                let _ = (admit(port, from, sequence), admit(port, from, sequence.wrapping_add(1)));
            }
        };
        spray(&mut port, 7);
        assert_eq!(admit(&mut port, address("192.0.2.1:4000"), 100), Verdict::Learnt);
        spray(&mut port, 101);
        assert_eq!(admit(&mut port, address("192.0.2.1:4000"), 101), Verdict::Known);
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.1:4000")));
    }

    #[test]
    fn the_signalled_host_is_locked_at_once() {
        let mut port = port("192.0.2.1:4000");
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.1:4000")));
        assert_eq!(admit(&mut port, address("192.0.2.1:5000"), 1), Verdict::Learnt);
        assert_eq!(admit(&mut port, address("192.0.2.1:5000"), 2), Verdict::Known);
        assert_eq!(admit(&mut port, address("192.0.2.1:4000"), 3), Verdict::Stranger);
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.1:5000")));
    }

    #[test]
    fn another_host_needs_two_packets_in_sequence() {
        let mut port = port("10.0.0.1:4000");
        assert_eq!(admit(&mut port, address("198.51.100.7:9"), 65_535), Verdict::Stranger);
        assert_eq!(admit(&mut port, address("198.51.100.8:9"), 1), Verdict::Stranger);
        assert_eq!(admit(&mut port, address("198.51.100.7:9"), 0), Verdict::Stranger);
        assert_eq!(admit(&mut port, address("198.51.100.7:9"), 1), Verdict::Learnt);
        assert_eq!(admit(&mut port, address("198.51.100.8:9"), 2), Verdict::Stranger);
        // The host that was signalled is the one that everybody else gives way to.
        assert_eq!(admit(&mut port, address("10.0.0.1:4000"), 1), Verdict::Learnt);
    }

    #[test]
    fn a_new_address_unlocks_and_the_same_one_does_not() {
        let mut port = port("192.0.2.1:4000");
        admit(&mut port, address("192.0.2.1:5000"), 1);
        port.configure(&settings("192.0.2.1:4000"));
        assert_eq!(port.source(), Some(address("192.0.2.1:5000")));
        port.configure(&settings("192.0.2.9:4000"));
        assert_eq!(port.source(), None);
        assert_eq!(port.rtp_destination(), Some(address("192.0.2.9:4000")));
    }

    /// A phone behind a NAT describes an address that means nothing here.
    #[test]
    fn the_host_of_the_signalling_takes_its_port_from_whoever_was_quicker() {
        let mut port = Port::default();
        let signalling = Some("198.51.100.7".parse().unwrap());
        port.configure(&PortSettings { signalling, ..settings("192.168.1.5:4000") });
        let quicker = address("203.0.113.9:4000");
        assert_eq!([admit(&mut port, quicker, 1), admit(&mut port, quicker, 2)], [Verdict::Stranger, Verdict::Learnt]);
        assert_eq!(admit(&mut port, address("198.51.100.7:61000"), 9), Verdict::Learnt);
        assert_eq!(admit(&mut port, quicker, 3), Verdict::Stranger);
        assert_eq!(admit(&mut port, address("198.51.100.7:62000"), 1), Verdict::Stranger);
        assert_eq!(port.rtp_destination(), Some(address("198.51.100.7:61000")));
        // What was described counts for more still.
        assert_eq!(admit(&mut port, address("192.168.1.5:4000"), 1), Verdict::Learnt);
        assert_eq!(admit(&mut port, address("198.51.100.7:61000"), 10), Verdict::Stranger);
    }

    #[test]
    fn a_peer_that_moved_is_learnt_again_once_its_old_place_is_silent() {
        let mut port = port("192.0.2.1:4000");
        assert_eq!(port.admit(at(0), address("192.0.2.1:4000"), 1, Some(7)), Verdict::Learnt);
        let moved = address("192.0.2.1:9000");
        assert_eq!(port.admit(at(900), moved, 2, Some(7)), Verdict::Stranger, "the old place may speak yet");
        // Strangers in between don't matter.
        for (step, sequence) in (45..49).zip(45..) {
            assert_eq!(port.admit(at(20 * step), moved, sequence, Some(7)), Verdict::Stranger, "{step}");
            assert_eq!(port.admit(at(20 * step), address("203.0.113.9:1"), sequence, Some(8)), Verdict::Stranger);
        }
        for (step, sequence) in (50..54).zip(50..) {
            assert_eq!(port.admit(at(20 * step), moved, sequence, Some(7)), Verdict::Stranger, "{step}");
            assert_eq!(port.admit(at(20 * step), address("203.0.113.9:1"), sequence, Some(8)), Verdict::Stranger);
        }
        assert_eq!(port.admit(at(1_080), moved, 54, Some(7)), Verdict::Learnt);
        assert_eq!(port.rtp_destination(), Some(moved));
    }

    #[test]
    fn a_peer_that_nobody_knows_by_its_host_is_known_by_its_stream() {
        let mut port = port("10.0.0.1:4000");
        let (before, after, other) = (address("198.51.100.7:9"), address("198.51.100.8:9"), address("203.0.113.9:9"));
        assert_eq!([admit(&mut port, before, 1), admit(&mut port, before, 2)], [Verdict::Stranger, Verdict::Learnt]);
        for sequence in 0..20 {
            assert_eq!(port.admit(at(2_000), other, sequence, Some(8)), Verdict::Stranger, "another stream");
        }
        let verdicts: Vec<Verdict> = (0..5).map(|sequence| port.admit(at(2_000), after, sequence, Some(7))).collect();
        assert_eq!((verdicts[3], verdicts[4]), (Verdict::Stranger, Verdict::Learnt));
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
        admit(&mut port, address("192.0.2.1:4000"), 1);
        assert!(port.admit_rtcp(address("192.0.2.1:9"), Channel::Rtcp));
        assert!(!port.admit_rtcp(address("192.0.2.1:10"), Channel::Rtcp));
        assert!(!port.admit_rtcp(address("192.0.2.3:9"), Channel::Rtcp));
        assert_eq!(port.rtcp_destination(), Some((Channel::Rtcp, address("192.0.2.1:9"))));
        port.configure(&PortSettings { rtcp_mux: true, ..settings("192.0.2.1:4000") });
        assert_eq!(port.rtcp_destination(), Some((Channel::Rtp, address("192.0.2.1:4000"))));
    }
}
