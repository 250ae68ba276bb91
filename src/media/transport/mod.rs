//! Who may use a port, and where its packets go.

pub mod port;
