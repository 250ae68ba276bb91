//! Maps by numbers of our own making, which nobody outside chooses: they need no defence against chosen keys, and the usual
//! one takes a good part of the time that a call costs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are made of numbers that we gave out ourselves. Never for what comes from the network.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Multiplies and rotates: enough to spread numbers that count upwards.
#[derive(Clone, Copy, Default)]
pub struct IdHasher(u64);

impl IdHasher {
    /// 2^64 divided by the golden ratio, which spreads neighbours as far as can be.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    fn take(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(IdHasher::FACTOR);
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.take(u64::from(byte)));
    }

    fn write_u8(&mut self, number: u8) {
        self.take(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.take(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.take(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.take(number as u64);
    }

    /// The map takes its place from the low bits, and a product has its spread in the high ones.
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::{BuildHasher, Hash};

    #[test]
    fn neighbours_are_spread_over_the_places_of_a_table() {
        #[derive(Hash)]
        enum Key {
            Call(u64),
            Leg(u64, usize),
        }
        let hash = |key: Key| BuildHasherDefault::<IdHasher>::default().hash_one(key);
        let calls = (0..2_048).map(|id| hash(Key::Call(id)));
        let legs = (0..2_048).map(|id| hash(Key::Leg(id / 2, (id % 2) as usize)));
        let places: HashSet<u64> = calls.chain(legs).map(|hash| hash & 0xfff).collect();
        // 4,096 balls thrown at 4,096 places hit 2,589 of them.
        assert!(places.len() > 2_400, "{}", places.len());
        let tags: HashSet<u64> = (0..2_048).map(|id| hash(Key::Call(id)) >> 57).collect();
        assert_eq!(tags.len(), 128);
    }
}
