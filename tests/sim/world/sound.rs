//! Sound on its way, in both directions.

use super::{Clock, Happening, World};
use crate::ledger::Speech;
use crate::network::below;
use crate::worker::Echo;
use std::net::SocketAddr;
use std::time::Duration;

/// As many packets of sound are lost at most, one after the other: on the way to the gateway, and from there. Of what is
/// said in a hearing something arrives.
const WORST: [u8; 2] = [2, 1];
/// How late those are that others have overtaken.
const OVERTAKEN: Duration = Duration::from_millis(50);

impl World {
    /// Sound leaves for the gateway.
    pub fn speak(&mut self, speech: Speech) {
        let Some(copies) = self.carry_sound(speech.from, true) else { return };
        for delay in copies {
            match delay {
                Duration::ZERO => self.reach_gateway(&speech),
                delay => self.after(delay, Happening::Spoken(speech.clone())),
            }
        }
    }

    pub(super) fn reach_gateway(&mut self, speech: &Speech) {
        let Speech { from, to, packet } = speech;
        let is_cut = self.at.get(&from.ip()).is_some_and(|&peer| self.cut_until(peer, true).is_some());
        if !is_cut {
            self.worker.receive(self.time, *to, *from, packet);
            self.hand_over();
        }
    }

    /// What the worker has sent leaves for the peers.
    pub(super) fn hand_over(&mut self) {
        for echo in self.worker.take_left() {
            for delay in self.carry_sound(echo.to, false).unwrap_or_default() {
                match delay {
                    Duration::ZERO => self.reach_peer(&echo),
                    delay => self.after(delay, Happening::Heard(echo.clone())),
                }
            }
        }
        self.wind(Clock::Worker, self.worker.poll_timeout());
    }

    pub(super) fn reach_peer(&mut self, echo: &Echo) {
        if let Some(&peer) = self.at.get(&echo.to.ip())
            && self.cut_until(peer, false).is_none()
        {
            self.peers[peer].hear(self.time, echo, &mut self.ledger);
        }
    }

    /// When the copies of a packet of sound arrive; none where it is lost.
    fn carry_sound(&mut self, whose: SocketAddr, is_inbound: bool) -> Option<Vec<Duration>> {
        let faults = self.profile.sound;
        if faults.loss > 0.0 {
            let lost = self.losses.entry((whose, is_inbound)).or_default();
            if *lost < WORST[usize::from(!is_inbound)] && self.chance.happens(faults.loss) {
                *lost += 1;
                return None;
            }
            *lost = 0;
        }
        let copies = if self.chance.happens(faults.duplication) { 2 } else { 1 };
        let delays = (0..copies).map(|_| match self.chance.happens(faults.reordering) {
            true => below(&mut self.chance, OVERTAKEN),
            false => Duration::ZERO,
        });
        Some(delays.collect())
    }
}
