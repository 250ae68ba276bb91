//! Whether the lamps that phones watch show what goes on.

use crate::peer::{Peer, Watch};
use crate::world::World;
use std::time::Duration;

impl World {
    /// Who watches somebody that has been in a call for long, and doesn't see it.
    pub fn unlit(&self, user: &str) -> Vec<String> {
        let watches = self.sure_watches(self.settling());
        let dark = watches.filter(|(_, watch)| watch.user == user && !watch.is_lit());
        dark.map(|(peer, watch)| format!("{} sees {:?} of {user}, who is in a call", peer.name, watch.states()))
            .collect()
    }

    /// Who sees somebody in a call, although there has been none for a while.
    pub fn still_lit(&self, quiet: Duration) -> Vec<String> {
        let watches = self.sure_watches(quiet);
        let lit = watches.filter(|(_, watch)| !watch.is_out());
        lit.map(|(peer, watch)| format!("{} sees {:?} of {}, who is in no call", peer.name, watch.states(), watch.user))
            .collect()
    }

    /// What is watched, where news of it come through, and has been for so long.
    fn sure_watches(&self, span: Duration) -> impl Iterator<Item = (&Peer, &Watch)> {
        let is_sure = self.profile.faults.loss < 0.1
            && self.profile.manners.restarts.is_zero()
            && self.profile.troubles.partition.is_zero();
        let peers = self.peers.iter().filter(move |_| is_sure);
        peers.flat_map(move |peer| peer.watches(self.time, span).map(move |watch| (peer, watch)))
    }
}
