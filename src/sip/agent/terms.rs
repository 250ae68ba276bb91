//! What a session may use beyond RFC 3261, as its owner allows it.

use crate::config::settings::Prack;

/// The default is a session as plain as RFC 3261 has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Whether provisional answers are acknowledged (RFC 3262).
    pub prack: Prack,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { prack: Prack::Never }
    }
}
