//! What a session may use beyond RFC 3261, as its owner allows it.

use crate::config::settings::Prack;
use std::time::Duration;

/// The default is a session as plain as RFC 3261 has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Whether provisional answers are acknowledged (RFC 3262).
    pub prack: Prack,
    /// Session timers (RFC 4028). None: the session lasts until somebody ends it, whatever the peer proposes.
    pub timer: Option<TimerTerms>,
    /// How often a peer without a session timer is asked with OPTIONS whether it still is there; zero for never.
    pub probe: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerTerms {
    /// What is asked for; zero where it is left to the peer whether there is a timer.
    pub expires: Duration,
    /// The shortest time that is agreed to; never less than 90 s (§5).
    pub min: Duration,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { prack: Prack::Never, timer: None, probe: Duration::ZERO }
    }
}
