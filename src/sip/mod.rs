//! Floor 2: SIP state machines. No IO, no clock.

pub mod agent;
mod arena;
mod core;
mod dialog;
pub mod digest;
pub mod flow;
pub mod guessing;
pub mod keep_alive;
mod mint;
pub mod notifier;
mod outbox;
pub mod publication;
pub mod qualify;
pub mod registrar;
pub mod registration;
mod request;
mod response;
mod session;
#[cfg(test)]
mod testing;
mod transaction;
