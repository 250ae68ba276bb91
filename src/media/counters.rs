//! What a worker counts, for whoever watches it from another thread.

use crate::media::transport::srtp::Refusal;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a packet went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// From an address that may not use the port.
    Stranger,
    /// Not a packet of the protocol that it claims to be.
    Malformed,
    /// STUN, DTLS or another protocol that the port doesn't speak.
    Protocol,
    /// Not protected by the key that was agreed: in clear, changed on its way, or made up (RFC 3711 §3.3).
    Unauthentic,
    /// A payload type that wasn't negotiated.
    PayloadType,
    /// Far from the sequence of its stream (RFC 3550 A.1).
    Sequence,
    /// Heard before.
    Duplicate,
    /// Came after its turn to be played.
    Late,
    /// Came while what decodes it was not ready yet.
    Unprepared,
    /// For a port that isn't open, or an order that names none.
    NoPort,
    /// More left at once than the batch holds.
    NoRoom,
    /// The kernel didn't take it.
    Unsent,
}

impl Reason {
    pub const ALL: [Reason; 12] = [
        Reason::Stranger,
        Reason::Malformed,
        Reason::Protocol,
        Reason::Unauthentic,
        Reason::PayloadType,
        Reason::Sequence,
        Reason::Duplicate,
        Reason::Late,
        Reason::Unprepared,
        Reason::NoPort,
        Reason::NoRoom,
        Reason::Unsent,
    ];

    /// As metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Stranger => "stranger",
            Reason::Malformed => "malformed",
            Reason::Protocol => "protocol",
            Reason::Unauthentic => "unauthentic",
            Reason::PayloadType => "payload_type",
            Reason::Sequence => "sequence",
            Reason::Duplicate => "duplicate",
            Reason::Late => "late",
            Reason::Unprepared => "unprepared",
            Reason::NoPort => "no_port",
            Reason::NoRoom => "no_room",
            Reason::Unsent => "unsent",
        }
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Reason {
        match refusal {
            Refusal::Malformed => Reason::Malformed,
            Refusal::Replayed => Reason::Duplicate,
            Refusal::Unauthentic | Refusal::Plain | Refusal::Exhausted => Reason::Unauthentic,
        }
    }
}

/// Only its worker writes; anyone reads. Each figure is exact, but two of them may be a moment apart.
#[derive(Debug, Default)]
pub struct Counters {
    pub received_packets: Count,
    pub received_bytes: Count,
    pub sent_packets: Count,
    pub sent_bytes: Count,
    dropped: [Count; Reason::ALL.len()],
    /// CPU time that the thread has had, in nanoseconds.
    pub busy_ns: Count,
    /// How late the thread came to what was due, over all times that it slept, in nanoseconds; and how often it slept.
    pub late_ns: Count,
    pub sleeps: Count,
    /// Steps of ten milliseconds that were left out because the thread came too late.
    pub missed_ticks: Count,
    /// Rises and falls: how many there are now.
    pub ports: Count,
    pub relays: Count,
    pub transcoders: Count,
    pub rooms: Count,
    pub room_members: Count,
    /// Steps of members' sound that were added up in rooms.
    pub mixed_frames: Count,
    /// The same of what members sent and what wasn't here when its turn came.
    pub missing_frames: Count,
}

impl Counters {
    pub fn count_drop(&self, reason: Reason) {
        if let Some(count) = self.dropped.get(reason as usize) {
            count.add(1);
        }
    }

    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped.get(reason as usize).map_or(0, Count::value)
    }
}

/// A number with one writer, so that a plain load and store are enough.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, more: u64) {
        self.0.store(self.value().wrapping_add(more), Ordering::Relaxed);
    }

    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn subtract(&self, less: u64) {
        self.0.store(self.value().saturating_sub(less), Ordering::Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_count_and_name() {
        let counters = Counters::default();
        for (index, &reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason as usize, index);
            counters.count_drop(reason);
            assert_eq!(counters.dropped(reason), 1);
        }
        let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
