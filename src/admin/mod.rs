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
mod sip;
pub mod token;

pub use router::{AppState, router};
pub use serve::{bind, bind_tls, reachable, serve, serve_tls};

#[cfg(test)]
mod tests;
