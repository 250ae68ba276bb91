//! What is measured: something that joins two legs. Ours is driven by its worker's orders; one that is another process is
//! driven by its own protocol, and answers the same questions.

use crate::sound::Format;
use std::net::SocketAddr;
use std::path::PathBuf;
use tandem::media::command::{MasterKey, Suite};

/// One side of a call: where the load receives, what it sends and wants, and the key by which it protects that.
#[derive(Clone, Debug)]
pub struct Side {
    pub address: SocketAddr,
    pub format: Format,
    pub key: Option<MasterKey>,
}

/// Where a side sends to, and the key by which what it hears is protected.
#[derive(Clone, Debug)]
pub struct Exit {
    pub address: SocketAddr,
    pub key: Option<MasterKey>,
}

/// A key of the suite that every peer has, made of a number.
pub fn key(number: u8) -> MasterKey {
    let suite = Suite::AesCm128HmacSha1_80;
    let bytes: Vec<u8> = (0..suite.key_bytes() + suite.salt_bytes()).map(|n| number.wrapping_add(n as u8)).collect();
    MasterKey::new(suite, &bytes).expect("a key of the right length")
}

pub trait Subject {
    /// As the table names it.
    fn name(&self) -> String;

    /// Joins both sides, and tells where each of them sends to.
    fn call(&mut self, one: Side, other: Side) -> (Exit, Exit);

    /// Its threads, as folders under /proc.
    fn tasks(&self) -> Vec<PathBuf>;

    fn resident_kib(&self) -> f64;
}
