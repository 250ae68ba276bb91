//! Floor 1: bytes ⇄ values. No state, no IO.

pub mod description;
pub mod sdp;
pub mod sip;
