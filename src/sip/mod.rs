//! Floor 2: SIP state machines. No IO, no clock.

pub mod arena;
pub mod digest;
pub mod flow;
pub mod qualify;
pub mod registrar;
pub mod registration;
