//! What protects a port's packets: a key for each way, and for a while the key before.

use super::srtp::{Inbound, Outbound, Refusal};
use crate::base::time::Time;
use crate::media::command::Protection;
use crate::wire::rtp::Kind;
use std::time::Duration;

/// For how long packets under the key before are still opened: what is on its way when a key changes isn't lost.
const CHANGE: Duration = Duration::from_secs(5);
/// After so long without a packet, sequence numbers may have gone round unseen.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub enum Security {
    /// Packets go as they are.
    #[default]
    Clear,
    Keyed(Box<Keyed>),
    /// Keys were agreed, and can't be used: nothing goes at all.
    Shut,
}

#[derive(Debug)]
pub struct Keyed {
    keys: Protection,
    outbound: Outbound,
    inbound: Inbound,
    former: Option<(Inbound, Time)>,
    heard: Time,
}

impl Security {
    /// Takes what was agreed. Keys that are the same as before go on as they are, and nothing is counted anew.
    pub fn configure(&mut self, now: Time, keys: Option<&Protection>) {
        let Some(keys) = keys else {
            *self = Security::Clear;
            return;
        };
        let goes_on = match self {
            Security::Keyed(keyed) => keyed.rekey(now, keys).is_some(),
            Security::Clear | Security::Shut => false,
        };
        if !goes_on {
            *self = Keyed::new(now, keys).map_or(Security::Shut, |keyed| Security::Keyed(Box::new(keyed)));
        }
    }

    /// Protects the packet of `length` bytes at the front of `room`, and tells its new length; none where it may not go.
    pub fn seal(&mut self, kind: Kind, room: &mut [u8], length: usize) -> Option<usize> {
        match (self, kind) {
            (Security::Clear, _) => Some(length),
            (Security::Keyed(keyed), Kind::Rtp) => keyed.outbound.protect_rtp(room, length).ok(),
            (Security::Keyed(keyed), Kind::Rtcp) => keyed.outbound.protect_rtcp(room, length).ok(),
            (Security::Keyed(_) | Security::Shut, _) => None,
        }
    }
}

impl Keyed {
    /// None where keys can't be made of these.
    fn new(now: Time, keys: &Protection) -> Option<Keyed> {
        let (outbound, inbound) = (Outbound::new(&keys.send)?, Inbound::new(&keys.receive)?);
        Some(Keyed { keys: keys.clone(), outbound, inbound, former: None, heard: now })
    }

    fn rekey(&mut self, now: Time, keys: &Protection) -> Option<()> {
        if self.keys.send != keys.send {
            self.outbound = self.outbound.rekeyed(&keys.send)?;
        }
        if self.keys.receive != keys.receive {
            let inbound = self.inbound.rekeyed(&keys.receive)?;
            self.former = Some((std::mem::replace(&mut self.inbound, inbound), now + CHANGE));
        }
        self.keys = keys.clone();
        Some(())
    }

    /// Opens a packet into `room`, and tells its length there. Where it is refused, nothing in `room` is worth anything.
    pub fn open(&mut self, now: Time, kind: Kind, packet: &[u8], room: &mut [u8]) -> Result<usize, Refusal> {
        if now - self.heard >= PAUSE {
            self.inbound.paused();
        }
        let opened = open_by(&mut self.inbound, kind, packet, room);
        let opened = match (opened, &mut self.former) {
            (Err(_), Some((former, until))) if now < *until => open_by(former, kind, packet, room),
            (opened, _) => opened,
        };
        if opened.is_ok() {
            self.heard = now;
        }
        opened
    }
}

fn open_by(inbound: &mut Inbound, kind: Kind, packet: &[u8], room: &mut [u8]) -> Result<usize, Refusal> {
    let room = room.get_mut(..packet.len()).ok_or(Refusal::Malformed)?;
    room.copy_from_slice(packet);
    match kind {
        Kind::Rtp => inbound.open_rtp(room),
        Kind::Rtcp => inbound.open_rtcp(room),
        _ => Err(Refusal::Malformed),
    }
}
