//! Floor 5: the whole gateway, put together from the parts below and run.

mod accounts;
mod gauges;
mod phones;
mod run;

pub use run::run;
