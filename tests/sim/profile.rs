//! What kind of world a run has.

use crate::network::Faults;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Profile {
    pub faults: Faults,
    pub manners: Manners,
    pub worker: WorkerFaults,
    /// The mean time between two calls.
    pub gap: Duration,
    /// How often the settings are reloaded; zero for never.
    pub reload: Duration,
    /// Share of calls that an operator ends.
    pub operator: f64,
    /// Whether the run ends with a drain while calls are in progress and more come.
    pub drains: bool,
    /// Whether the first address of a trunk is nobody's.
    pub dead_server: bool,
}

/// How peers behave, in shares of calls.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// The caller gives up before the answer.
    pub cancels: f64,
    /// A side holds and resumes.
    pub holds: f64,
    pub refuses: f64,
    pub never_answers: f64,
    pub early_media: f64,
    pub late_offer: f64,
    /// Nothing in common, no SDP where there should be one, an answer that is none.
    pub odd_media: f64,
    /// A side acknowledges provisional answers and has a session timer, the shortest there is.
    pub extended: f64,
    /// A re-INVITE is refused or answered late.
    pub stubborn: f64,
    /// A peer forgets a call without a word.
    pub vanishes: f64,
    /// A talk is minutes long instead of seconds.
    pub long_talk: f64,
    /// How often each peer restarts or falls silent for a while; zero for never.
    pub restarts: Duration,
}

/// What goes wrong in the media worker, in shares of orders.
#[derive(Clone, Copy, Debug)]
pub struct WorkerFaults {
    pub open_fails: f64,
    /// The ring is full.
    pub refused: f64,
    /// A report never comes.
    pub forgets: f64,
}

impl Profile {
    pub fn perfect() -> Profile {
        Profile {
            faults: Faults::NONE,
            manners: Manners {
                cancels: 0.2,
                holds: 0.3,
                refuses: 0.15,
                never_answers: 0.05,
                early_media: 0.1,
                late_offer: 0.1,
                odd_media: 0.05,
                extended: 0.3,
                stubborn: 0.05,
                vanishes: 0.0,
                long_talk: 0.1,
                restarts: Duration::ZERO,
            },
            worker: WorkerFaults { open_fails: 0.0, refused: 0.0, forgets: 0.0 },
            gap: Duration::from_millis(400),
            reload: Duration::ZERO,
            operator: 0.0,
            drains: false,
            dead_server: false,
        }
    }

    pub fn lossy(loss: f64) -> Profile {
        let faults = Faults {
            loss,
            duplication: 0.1,
            reordering: 0.1,
            straggle: Duration::from_millis(1_500),
            jitter: Duration::from_millis(40),
            ..Faults::NONE
        };
        let worker = WorkerFaults { open_fails: 0.01, refused: 0.005, forgets: 0.002 };
        Profile { faults, worker, ..Profile::perfect() }
    }

    pub fn vanishing() -> Profile {
        let mut profile = Profile::lossy(0.02);
        profile.manners.vanishes = 0.15;
        profile.manners.restarts = Duration::from_secs(90);
        profile.dead_server = true;
        profile
    }

    /// More calls than the gateway takes at once.
    pub fn crowded() -> Profile {
        Profile { gap: Duration::from_millis(60), ..Profile::lossy(0.02) }
    }

    pub fn operated() -> Profile {
        let mut profile = Profile::lossy(0.03);
        profile.reload = Duration::from_secs(20);
        profile.operator = 0.1;
        profile.drains = true;
        profile.dead_server = true;
        profile
    }
}
