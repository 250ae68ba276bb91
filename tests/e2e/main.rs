//! The gateway between real programs: phones (baresip, linphone), a provider (Kamailio), crowds of calls (SIPp). Each
//! test starts a gateway of its own on loopback addresses of its own; `make tools` installs the other programs.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test touches the world, and waits for it")]

mod codes;
mod crowd;
mod edge;
mod events;
mod finding;
mod first_call;
mod lab;
mod life;
mod mistakes;
mod modern;
mod nat;
mod one_way;
mod phones;
mod protected;
mod provider;
mod rooms;
mod secure;
mod sipp_own;
mod tones;
mod transfer;
mod transports;
