//! Floor 2: SIP state machines. No IO, no clock.

pub mod agent;
pub mod announce;
mod arena;
mod core;
mod dialog;
pub mod digest;
pub mod flow;
pub mod guessing;
pub mod keep_alive;
pub mod locate;
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
