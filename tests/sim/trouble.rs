//! What goes wrong in the world from time to time: the network is cut, clocks jump, threads are held up, disks are full.

use crate::network::below;
use crate::office;
use crate::profile::Troubles;
use crate::world::{Happening, World};
use std::sync::Arc;
use std::time::Duration;
use tandem::base::time::Time;
use tandem::call::io::Input;

/// What a cut has still upset after its end: an INVITE is sent again so rarely in the end (RFC 3261 §17.1.1.2).
const AFTERMATH: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Partition,
    ClockJump,
    HoldUp,
    Reload,
    FullDisk,
    Break,
}

/// A peer and the gateway that can't reach each other.
pub struct Cut {
    peer: usize,
    /// What the peer sends is lost.
    deafens: bool,
    /// What the gateway sends to it is lost.
    mutes: bool,
    from: Time,
    until: Time,
}

impl Trouble {
    pub const ALL: [Trouble; 6] =
        [Trouble::Partition, Trouble::ClockJump, Trouble::HoldUp, Trouble::Reload, Trouble::FullDisk, Trouble::Break];

    /// The mean time until the next one.
    fn pause(self, troubles: &Troubles) -> Duration {
        match self {
            Trouble::Partition => troubles.partition,
            Trouble::ClockJump => troubles.clock_jump,
            Trouble::HoldUp => troubles.hold_up,
            Trouble::Reload => troubles.reload,
            Trouble::FullDisk => troubles.full_disk,
            Trouble::Break => troubles.broken,
        }
    }
}

impl World {
    /// Has a trouble come when its time is there.
    pub fn expect_trouble(&mut self, trouble: Trouble) {
        let pause = trouble.pause(&self.profile.troubles);
        if !pause.is_zero() && !self.all_placed() {
            let wait = pause / 2 + below(&mut self.chance, pause);
            self.after(wait, Happening::Trouble(trouble));
        }
    }

    pub fn trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Partition => self.cut_off(),
            Trouble::ClockJump => {
                let hours = self.chance.below(12) as i64 - 6;
                self.clock_is_off_us += hours * 3_600_000_000 + self.chance.below(60_000_000) as i64;
            }
            Trouble::HoldUp => {
                let until = self.time + below(&mut self.chance, Duration::from_secs(2));
                self.worker.hold_up(until);
            }
            Trouble::Reload => self.reload(),
            Trouble::FullDisk => {
                self.give(Input::RecordsFailing { why: Some("the disk is full".to_owned()) });
                let wait = below(&mut self.chance, Duration::from_secs(6));
                self.after(wait, Happening::Answer(Input::RecordsFailing { why: None }));
            }
            Trouble::Break => self.break_off(),
        }
        self.expect_trouble(trouble);
    }

    fn cut_off(&mut self) {
        let until = self.time + below(&mut self.chance, Duration::from_secs(45));
        let (deafens, mutes) = [(true, true), (true, false), (false, true)][self.chance.below(3) as usize];
        let is_of_all = self.chance.below(4) == 0;
        let one = self.chance.below(self.peers.len() as u64) as usize;
        let cut = |peer| Cut { peer, deafens, mutes, from: self.time, until };
        let cuts: Vec<Cut> = (0..self.peers.len()).filter(|&peer| is_of_all || peer == one).map(cut).collect();
        self.cuts.extend(cuts);
    }

    /// Some connection is closed, and what is on its way on it is lost.
    fn break_off(&mut self) {
        let connected: Vec<usize> = (0..self.peers.len()).filter(|&peer| self.peers[peer].is_connected()).collect();
        let peer = connected[self.chance.below(connected.len() as u64) as usize];
        // What was said on it about calls may be known to one side only.
        self.cuts.push(Cut { peer, deafens: false, mutes: false, from: self.time, until: self.time });
        let now = self.now();
        self.peers[peer].break_off(now, &mut self.ledger);
        self.settle(peer);
    }

    fn reload(&mut self) {
        self.variant += 1;
        let settings = Arc::new(office::settings(self.variant, &self.profile));
        let plan = Arc::new(office::plan(&settings));
        self.give(Input::Reload { settings, plan });
        self.give(Input::Accounts(office::accounts(self.variant)));
    }

    /// Until when what goes between a peer and the gateway is lost; none where it isn't.
    pub fn cut_until(&self, peer: usize, is_inbound: bool) -> Option<Time> {
        let holds =
            |cut: &&Cut| cut.peer == peer && cut.until > self.time && if is_inbound { cut.deafens } else { cut.mutes };
        self.cuts.iter().filter(holds).map(|cut| cut.until).max()
    }

    /// Whether something was cut off between two moments, or not long before.
    pub fn was_cut(&self, since: Time, until: Time) -> bool {
        self.cuts.iter().any(|cut| cut.until + AFTERMATH > since && cut.from <= until)
    }

    /// Whether sound may have gone astray, or words about it, since then.
    pub fn is_disturbed(&self, since: Time) -> bool {
        self.worker.is_held_up(since) || self.was_cut(since, self.time)
    }
}
