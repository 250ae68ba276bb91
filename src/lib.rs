//! Tandem: a gateway between telephone networks. `ARCHITECTURE.md` is the map.
//!
//! Floors, imports going down only: `base` and `config` (0), `wire` (1), `sip`, `dialplan` and `media` (2), `call` (3),
//! `shell` and `admin` (4), `gateway` (5).

pub mod admin;
pub mod base;
pub mod call;
pub mod config;
pub mod dialplan;
pub mod gateway;
pub mod media;
pub mod shell;
pub mod sip;
pub mod wire;
