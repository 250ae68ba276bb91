//! Tags, branches and Call-IDs of ours. Each starts with the shard's number, so that whoever receives a packet can tell
//! which shard it is for.

use crate::base::chance::Chance;

/// 20 characters of 5 bits: 100 bits, where RFC 3261 §19.3 asks for 32.
const LENGTH: usize = 20;

pub(crate) struct Mint {
    pub chance: Chance,
    shard: u8,
}

impl Mint {
    pub fn new(chance: Chance, shard: u8) -> Mint {
        Mint { chance, shard }
    }

    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{:02x}{}", self.shard, self.chance.token(LENGTH))
    }

    pub fn tag(&mut self) -> String {
        format!("{:02x}{}", self.shard, self.chance.token(LENGTH))
    }

    /// Without a host part, which would tell one side about the other.
    pub fn call_id(&mut self) -> String {
        self.tag()
    }

    /// Somewhere in the lower part of what RFC 3261 §8.1.1.5 allows, so that it can grow.
    pub fn cseq(&mut self) -> u32 {
        1 + self.chance.below(1 << 16) as u32
    }
}
