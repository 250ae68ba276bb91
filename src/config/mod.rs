//! Floor 0: settings as an operator writes them, checked, with the line of every error.

pub mod country;
pub mod document;
pub mod identity;
mod layers;
mod load;
pub mod problem;
pub mod quantity;
pub mod reading;
pub mod section;
pub mod security;
pub mod settings;
pub mod value;

pub use load::{examine, load, sample};
