//! Chance as a value: one generator for each shard, seeded by the shell from the system or by a simulation from its seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A cryptographic generator (ChaCha12): what it makes can't be guessed from what it made before.
pub struct Chance(StdRng);

impl Chance {
    pub fn from_seed(seed: [u8; 32]) -> Chance {
        Chance(StdRng::from_seed(seed))
    }

    /// For simulations, where a run is replayed from one number.
    pub fn from_number(seed: u64) -> Chance {
        Chance(StdRng::seed_from_u64(seed))
    }

    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.u64() % bound }
    }

    /// True once in `1 / share` times; `share` is in 0.0 to 1.0.
    pub fn happens(&mut self, share: f64) -> bool {
        (self.u64() >> 11) as f64 / ((1u64 << 53) as f64) < share
    }

    /// `length` characters of 5 bits each, fit for tags, branches, Call-IDs and passwords.
    pub fn token(&mut self, length: usize) -> String {
        let mut token = String::with_capacity(length);
        let mut bits = 0u64;
        for i in 0..length {
            if i % 12 == 0 {
                bits = self.u64();
            }
            token.push(ALPHABET[(bits & 31) as usize] as char);
            bits >>= 5;
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let mut one = Chance::from_number(7);
        let mut two = Chance::from_number(7);
        assert_eq!(one.token(20), two.token(20));
        assert_ne!(one.token(20), Chance::from_number(8).token(20));
    }

    #[test]
    fn happens_keeps_to_its_share() {
        let mut chance = Chance::from_number(1);
        let hits = (0..10_000).filter(|_| chance.happens(0.1)).count();
        assert!((800..1200).contains(&hits), "{hits}");
    }
}
