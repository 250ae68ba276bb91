//! How many phones there are on each way. Of a way, which is long, only a keyed hash is kept, as there may be a million.

use crate::base::ids::IdMap;
use crate::sip::flow::Flow;
use std::hash::{BuildHasher, RandomState};

#[derive(Default)]
pub struct Ways {
    key: RandomState,
    counts: IdMap<u64, u32>,
}

impl Ways {
    pub fn add(&mut self, way: Flow) {
        *self.counts.entry(self.key.hash_one(way)).or_default() += 1;
    }

    pub fn remove(&mut self, way: Flow) {
        let hash = self.key.hash_one(way);
        if let Some(count) = self.counts.get_mut(&hash) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&hash);
            }
        }
    }

    pub fn has(&self, way: Flow) -> bool {
        self.counts.contains_key(&self.key.hash_one(way))
    }

    #[cfg(test)]
    pub fn phones(&self) -> usize {
        self.counts.values().map(|&count| count as usize).sum()
    }
}
