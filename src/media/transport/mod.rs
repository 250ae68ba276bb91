//! Who may use a port, where its packets go, and what protects them.

pub mod port;
pub mod security;
pub mod srtp;
