//! Floor 0: settings as an operator writes them, checked, with the line of every error.

pub mod settings;
