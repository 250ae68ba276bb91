//! Floor 4: the HTTP API and metrics.

mod answer;
mod api;
mod health;
mod home;
pub mod json;
pub mod metrics;
pub mod moment;
mod router;
mod serve;
pub mod token;

pub use router::{AppState, router};
pub use serve::{bind, reachable, serve};

#[cfg(test)]
mod tests;
