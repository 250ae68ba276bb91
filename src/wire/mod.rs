//! Floor 1: bytes ⇄ values. No state, no IO.

pub mod description;
pub mod dtmf;
pub mod dtmf_info;
pub mod events;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod stun;
pub mod udptl;
pub mod xml;
