//! Digest authentication for SIP: RFC 7616 with the algorithms of RFC 8760, and RFC 2617 and RFC 2069 for older phones.
//!
//! [`Verifier`] is the server's side, [`answer`] and [`Responder`] are the client's. Absent on purpose: `userhash`,
//! SHA-512-256 and `Authentication-Info`, which no phone or trunk needs.

mod client;
mod counts;
mod hash;
mod nonce;
mod verifier;

pub use client::{ClientCredentials, DigestError, Responder, answer};
pub use hash::{Algorithm, Hashes};
pub(super) use hash::{equal_in_constant_time, keyed, to_hex};
pub use verifier::{Verdict, Verifier};
