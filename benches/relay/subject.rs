//! What is measured: something that joins two legs. Ours is driven by its worker's orders; one that is another process is
//! driven by its own protocol, and answers the same questions.

use crate::sound::Format;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One side of a call: where the load receives, and what it sends and wants.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    pub address: SocketAddr,
    pub format: Format,
}

pub trait Subject {
    /// As the table names it.
    fn name(&self) -> String;

    /// Joins both sides, and tells where each of them sends to.
    fn call(&mut self, one: Side, other: Side) -> (SocketAddr, SocketAddr);

    /// Its threads, as folders under /proc.
    fn tasks(&self) -> Vec<PathBuf>;

    fn resident_kib(&self) -> f64;
}
