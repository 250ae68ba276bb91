//! Floor 5: the whole gateway, put together from the parts below and run.

mod accounts;
mod gauges;
mod phones;
mod reading;
mod run;

pub use run::run;
