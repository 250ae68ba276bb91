//! What protects a port's packets: a key for each way, and for a while the key before.

use super::srtp::{Inbound, Outbound, Refusal};
use crate::base::time::Time;
use crate::media::command::{MasterKey, Protection};
use crate::wire::rtp::Kind;
use std::time::Duration;

/// For how long packets under the key before are still opened: what is on its way when a key changes isn't lost.
const CHANGE: Duration = Duration::from_secs(5);
/// After so long without a packet, sequence numbers may have gone round unseen.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub enum Security {
    /// Packets go as they are. What was counted under keys is kept, so that they begin nothing anew if they come back.
    Clear {
        before: Option<Box<Keyed>>,
    },
    Keyed(Box<Keyed>),
    /// Keys were agreed, and can't be used: nothing goes at all.
    Shut,
}

#[derive(Debug)]
pub struct Keyed {
    keys: Protection,
    outbound: Outbound,
    inbound: Inbound,
    former: Option<Former>,
    /// When RTP was heard last.
    heard: Time,
}

/// The key before.
#[derive(Debug)]
struct Former {
    key: MasterKey,
    inbound: Inbound,
    /// So long it still opens packets.
    until: Time,
}

impl Default for Security {
    fn default() -> Security {
        Security::Clear { before: None }
    }
}

impl Security {
    /// Takes what was agreed. Keys that are the same as before go on as they are, and nothing is counted anew. True where what
    /// we send is under another key, whose counts begin at zero: it has to go under another SSRC as well, for peers that keep
    /// the counts of the one before (RFC 3711 §3.3.1).
    pub fn configure(&mut self, now: Time, keys: Option<&Protection>) -> bool {
        let before = match std::mem::replace(self, Security::Shut) {
            Security::Keyed(keyed) => Some(keyed),
            Security::Clear { before } => before,
            Security::Shut => None,
        };
        let Some(keys) = keys else {
            *self = Security::Clear { before };
            return false;
        };
        let is_another = before.as_ref().is_some_and(|before| before.keys.send != keys.send);
        let keyed = match before {
            Some(mut before) => before.rekey(now, keys).map(|()| before),
            None => Keyed::new(now, keys).map(Box::new),
        };
        *self = keyed.map_or(Security::Shut, Security::Keyed);
        is_another
    }

    /// Protects the packet of `length` bytes at the front of `room`, and tells its new length; none where it may not go.
    pub fn seal(&mut self, kind: Kind, room: &mut [u8], length: usize) -> Option<usize> {
        match (self, kind) {
            (Security::Clear { .. }, _) => Some(length),
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
            self.outbound = Outbound::new(&keys.send)?;
        }
        if self.keys.receive != keys.receive {
            // What a key has seen it doesn't take again, should it come back.
            let inbound = match self.former.take().filter(|former| former.key == keys.receive) {
                Some(former) => former.inbound,
                None => self.inbound.rekeyed(&keys.receive)?,
            };
            let inbound = std::mem::replace(&mut self.inbound, inbound);
            self.former = Some(Former { key: self.keys.receive.clone(), inbound, until: now + CHANGE });
        }
        self.keys = keys.clone();
        Some(())
    }

    /// Opens a packet into `room`, and tells its length there. Where it is refused, nothing in `room` is worth anything.
    pub fn open(&mut self, now: Time, kind: Kind, packet: &[u8], room: &mut [u8]) -> Result<usize, Refusal> {
        if kind == Kind::Rtp && now - self.heard >= PAUSE {
            self.inbound.paused();
        }
        let opened = open_by(&mut self.inbound, kind, packet, room);
        let opened = match (opened, &mut self.former) {
            (Err(_), Some(former)) if now < former.until => open_by(&mut former.inbound, kind, packet, room),
            (opened, _) => opened,
        };
        if opened.is_ok() && kind == Kind::Rtp {
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
