//! What peers and the gateway send to one another, and what becomes of it on the way.

use super::{Clock, Happening, World};
use crate::network::below;
use crate::office;
use std::net::SocketAddr;
use std::time::Duration;
use tandem::base::time::Time;
use tandem::call::io::Input;
use tandem::sip::flow::{Flow, Kind, Transmit, Transport};
use tandem::wire::sip::Message;

impl World {
    /// Sends what a peer has to send, and winds its clock.
    pub fn settle(&mut self, peer: usize) {
        for call in std::mem::take(&mut self.ledger.inspections) {
            self.inspect(call);
        }
        for speech in std::mem::take(&mut self.ledger.spoken) {
            self.speak(speech);
        }
        let now = self.now();
        let public = self.peers[peer].public;
        let before = std::mem::replace(&mut self.places[peer], public);
        if std::mem::take(&mut self.peers[peer].is_cut_off) {
            // What was on its way is lost.
            self.breaks.insert(before, self.time);
            let flow = Flow { transport: Transport::Tcp, local: office::GATEWAY, remote: before };
            self.after(self.profile.faults.delay, Happening::Answer(Input::FlowFailed { flow }));
        }
        while let Some(transmit) = self.peers[peer].poll_transmit(now) {
            self.transmit(Transmit { flow: Flow { local: public, ..transmit.flow }, ..transmit });
        }
        self.wind(Clock::Peer(peer), self.peers[peer].poll_timeout());
    }

    /// Sends what the boor has to send.
    pub(super) fn be_rude(&mut self) {
        let flow = Flow { transport: Transport::Udp, local: office::BOOR, remote: office::GATEWAY };
        while let Some(bytes) = self.boor.poll_transmit(self.time) {
            self.transmit(Transmit { flow, bytes: bytes.into(), kind: Kind::Plain });
        }
        self.wind(Clock::Boor, self.boor.poll_timeout());
    }

    pub(super) fn transmit(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes, kind } = transmit;
        self.datagrams += 1;
        self.leave_a_mark(&bytes);
        let is_inbound = flow.local != office::GATEWAY;
        let far = if is_inbound { flow.local } else { flow.remote };
        let cut = self.at.get(&far.ip()).and_then(|&peer| self.cut_until(peer, is_inbound));
        let delays = match (flow.transport, cut) {
            (Transport::Udp, None) => self.profile.faults.carry(&mut self.chance),
            (Transport::Udp, Some(_)) => Vec::new(),
            (Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss, cut) => self.stream(flow, kind, cut),
        };
        if let Some(trace) = &mut self.trace
            && let Ok(message) = Message::parse(bytes.clone())
            && self.ledger.call_of(message.call_id()) == Some(trace.call)
        {
            let arrivals: Vec<Time> = delays.iter().map(|&delay| self.time + delay).collect();
            trace.sent(self.time, flow.local, flow.remote, &message, &arrivals);
        }
        for delay in delays {
            let back = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
            self.after(
                delay,
                Happening::Datagram { sent: self.time, to: flow.remote, flow: back, bytes: bytes.clone() },
            );
        }
    }

    /// Whether a connection was closed since something was sent on it.
    pub(super) fn is_broken(&self, sent: Time, to: SocketAddr, flow: Flow) -> bool {
        let far = if to == office::GATEWAY { flow.remote } else { to };
        flow.transport.is_reliable() && self.breaks.get(&far).is_some_and(|&at| at >= sent)
    }

    /// Changes the fingerprint by what is sent, and when.
    fn leave_a_mark(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        for word in words.iter().chain([&last, &self.time.nanos().to_le_bytes()]) {
            let mixed = (self.fingerprint ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.fingerprint = mixed ^ (mixed >> 32);
        }
    }

    /// A connection loses nothing and keeps the order, unless it is closed. Where it is cut, all comes later.
    fn stream(&mut self, flow: Flow, kind: Kind, cut: Option<Time>) -> Vec<Duration> {
        if flow.local == office::GATEWAY && !self.places.contains(&flow.remote) {
            if let Some(id) = kind.transaction() {
                self.after(Duration::ZERO, Happening::Answer(Input::Unsent { id, was_open: false }));
            }
            return Vec::new();
        }
        let soonest =
            cut.unwrap_or(self.time) + self.profile.faults.delay + below(&mut self.chance, self.profile.faults.jitter);
        let last = self.streams.entry((flow.local, flow.remote)).or_default();
        *last = soonest.max(*last);
        vec![*last - self.time]
    }
}
