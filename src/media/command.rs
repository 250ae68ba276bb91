//! What the switch tells the media workers, and what they tell it. This is all that the call floor sees of media.

use crate::base::time::Time;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::Codec;

/// Names one side of a call's media, minted by the switch and never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u64);

/// An order to a worker. Orders about one port are obeyed in the order in which they were given; one that names a port
/// which isn't open is counted and dropped.
#[derive(Debug)]
pub enum Command {
    /// Binds an even RTP port and the odd one after it, on `local`. Answered by `Opened` or `OpenFailed`.
    Open { port: PortId, local: IpAddr },
    /// Says what to receive and send; again at each renegotiation. A codec or an address may change in mid-call.
    Configure { port: PortId, settings: Box<PortSettings> },
    /// Says what the port sends. At first it is `Source::Nothing`.
    Connect { port: PortId, source: Source },
    /// Queues digits to be sent as telephone-events (RFC 4733), or as nothing where none was negotiated.
    Dial { port: PortId, digits: String },
    /// Copies what the port hears, decoded, to a ring; a full ring loses samples and never stops the call.
    Tap { port: PortId, tap: Box<Tap> },
    /// Frees the port. Answered by `Closed` with the final report.
    Close { port: PortId },
}

/// Where a port's outgoing sound comes from.
#[derive(Clone, Debug)]
pub enum Source {
    Nothing,
    /// What that port receives: relayed where both have the same codec and packet time, transcoded otherwise.
    Peer(PortId),
    /// What the port itself receives.
    Echo,
    /// A clip, once or again and again. `Finished` follows the end of one that isn't repeated.
    Play {
        clip: Arc<Clip>,
        repeat: bool,
    },
}

/// Sound decoded before it is needed: mono samples at `rate` Hz.
#[derive(Debug)]
pub struct Clip {
    pub rate: u32,
    pub samples: Vec<i16>,
}

pub struct Tap {
    /// Mono samples at `rate` Hz, silence included, from the moment that the tap is set.
    pub samples: rtrb::Producer<i16>,
    pub rate: u32,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// One side's negotiated media.
#[derive(Clone, Debug, PartialEq)]
pub struct PortSettings {
    /// Where the peer said that it wants RTP. Until its source is learnt, sound goes there.
    pub remote: Option<SocketAddr>,
    /// Where the peer wants RTCP, when it is not on the RTP port.
    pub remote_rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    /// What to send; none while the peer doesn't want to hear (hold).
    pub send: Option<Sending>,
    /// What is accepted, by payload type; empty while nothing is to be heard from the peer.
    pub receive: Vec<Receiving>,
    /// Payload type and clock rate of the telephone-events that are accepted.
    pub receive_events: Vec<EventFormat>,
    /// For how long nothing may arrive before `Silent` is told; none where silence is expected.
    pub silence_limit: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sending {
    pub codec: Codec,
    pub payload_type: u8,
    pub ptime_ms: u32,
    /// How telephone-events go out, if the peer takes them.
    pub events: Option<EventFormat>,
    pub opus: OpusSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiving {
    pub payload_type: u8,
    pub codec: Codec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFormat {
    pub payload_type: u8,
    /// In Hz.
    pub clock_rate: u32,
}

/// What the peer's `fmtp` asks of our Opus encoder (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OpusSettings {
    /// In Hz; none for 48,000.
    pub max_playback_rate: Option<u32>,
    /// In bit/s.
    pub max_average_bitrate: Option<u32>,
    pub inband_fec: bool,
    pub dtx: bool,
}

/// What a worker tells the switch.
#[derive(Debug)]
pub enum Event {
    /// `number` is the RTP port; RTCP is the next one.
    Opened {
        port: PortId,
        number: u16,
    },
    OpenFailed {
        port: PortId,
        why: String,
    },
    /// The source was learnt, and is locked from now on.
    Learnt {
        port: PortId,
        source: SocketAddr,
    },
    /// Nothing has arrived since `since`, for longer than the limit. Told once, until sound is back.
    Silent {
        port: PortId,
        since: Time,
    },
    /// A digit heard as a telephone-event, told at its end.
    Digit {
        port: PortId,
        digit: char,
        duration: Duration,
    },
    /// A clip that isn't repeated has ended.
    Finished {
        port: PortId,
    },
    Closed {
        port: PortId,
        report: Report,
    },
}

/// What went through a port in its life.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Report {
    pub received_packets: u64,
    pub received_bytes: u64,
    pub sent_packets: u64,
    pub sent_bytes: u64,
    /// Expected and not received (RFC 3550 §6.4.1, A.3).
    pub lost_packets: u64,
    /// Interarrival jitter (RFC 3550 A.8).
    pub jitter_us: u32,
    /// From sender and receiver reports (RFC 3550 §6.4.1); none where the peer sent none.
    pub round_trip_us: Option<u32>,
    /// What the peer says that it lost of ours.
    pub remote_lost_packets: Option<u32>,
    pub remote_jitter_us: Option<u32>,
    pub dropped_packets: u64,
    /// The source that was learnt.
    pub source: Option<SocketAddr>,
}
