//! The timers of RFC 3261 §17 and RFC 6026, all of them.

use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Our INVITE is sent again, twice as late each time, until anything answers; unreliable transports only.
    A,
    /// Our INVITE has no answer at all after 64*T1, or none within the limit that its user set once it rang: it failed.
    B,
    /// Our INVITE was refused: for 32 s each retransmission of the refusal is acknowledged again.
    D,
    /// Our other request is sent again, twice as late each time up to T2; unreliable transports only.
    E,
    /// Our other request has no final answer after 64*T1: it failed.
    F,
    /// Our refusal of an INVITE is sent again, twice as late each time up to T2; unreliable transports only.
    G,
    /// Our refusal of an INVITE was not acknowledged within 64*T1: we stop.
    H,
    /// Our refusal was acknowledged, or was not in time: for T4 all that comes late is absorbed.
    I,
    /// Another request was answered: for 64*T1 each retransmission of it has the same answer.
    J,
    /// Our other request was answered: for T4 each retransmission of the answer is absorbed.
    K,
    /// An INVITE was accepted with 2xx: for 64*T1 each retransmission of it is absorbed (RFC 6026).
    L,
    /// Our INVITE was accepted: for 64*T1 each 2xx, of this or another fork, reaches the session (RFC 6026).
    M,
    /// Nobody here answered a request other than INVITE within 64*T1, when its sender has given up too.
    Unanswered,
}

/// The timers that a client transaction may have running.
pub const CLIENT: [Timer; 7] = [Timer::A, Timer::B, Timer::D, Timer::E, Timer::F, Timer::K, Timer::M];
/// The timers that a server transaction may have running.
pub const SERVER: [Timer; 6] = [Timer::G, Timer::H, Timer::I, Timer::J, Timer::L, Timer::Unanswered];

/// T1, T2 and T4 of RFC 3261 §17.1.1.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
}

impl Timing {
    /// How long a request lives: 32 s with the usual T1.
    pub fn lifetime(self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D: at least 32 s.
    pub fn d(self) -> Duration {
        self.lifetime().max(Duration::from_secs(32))
    }

    /// The pause after `pause`, doubled up to T2.
    pub fn next(self, pause: Duration) -> Duration {
        pause.saturating_mul(2).min(self.t2)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Timing { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}
