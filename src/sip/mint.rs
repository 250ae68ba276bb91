//! Tags, branches and Call-IDs of ours. Each starts with the shard's number, so that whoever receives a packet can tell
//! which shard it is for.

use crate::base::chance::Chance;
use crate::wire::sip::{Message, Name};
use std::hash::{DefaultHasher, Hash, Hasher};

/// 20 characters of 5 bits: 100 bits, where RFC 3261 §19.3 asks for 32.
const LENGTH: usize = 20;

pub(crate) struct Mint {
    pub chance: Chance,
    shard: u8,
    /// Makes [`Mint::stable_tag`] ours alone.
    secret: u64,
}

impl Mint {
    pub fn new(mut chance: Chance, shard: u8) -> Mint {
        let secret = chance.u64();
        Mint { chance, shard, secret }
    }

    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{:02x}{}", self.shard, self.chance.token(LENGTH))
    }

    pub fn tag(&mut self) -> String {
        format!("{:02x}{}", self.shard, self.chance.token(LENGTH))
    }

    /// The same tag for the same request, as answers need of which nothing is kept (RFC 3261 §8.2.7).
    pub fn stable_tag(&self, request: &Message) -> String {
        let mut hasher = DefaultHasher::new();
        let via = request.values(Name::Via).next();
        (self.secret, request.call_id(), request.header(Name::From), via).hash(&mut hasher);
        format!("{:02x}{:016x}", self.shard, hasher.finish())
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
