//! What the switch tells the media workers, and what they tell it. This is all that the call floor sees of media.

use crate::base::time::Time;
pub use crate::media::meter::Meter;
pub use crate::media::price::Prices;
pub use crate::media::quality::Quality;
pub use crate::media::stream::bursts::Bursts;
pub use crate::media::transport::srtp::{MasterKey, Suite};
pub use crate::wire::rtcp::xr::VoipMetrics;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::Codec;

/// Names one side of a call's media, minted by the switch and never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u64);

/// Names a conference room, minted by the switch and never used twice in a process. All of its ports are on one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub u64);

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
    /// Queues digits, each to be sent for so long: as telephone-events (RFC 4733) where those were negotiated, as tones
    /// where the settings say so, and otherwise not at all.
    Dial { port: PortId, digits: String, duration: Duration },
    /// Copies what the port hears, decoded, to a ring; a full ring loses samples and never stops the call.
    Tap { port: PortId, tap: Box<Tap> },
    /// Copies what is said in a room, all of it, in the same way; until the last member leaves.
    TapRoom { room: RoomId, tap: Box<Tap> },
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
    /// What all others in a room say; and they hear what the port receives. The room is made by the first who comes, and
    /// gone with the last. Ordered again for the same room, it changes what is otherwise there.
    Room(Arc<Seat>),
}

/// A port's place in a room.
#[derive(Clone, Debug)]
pub struct Seat {
    pub room: RoomId,
    /// How many who talk at once are heard; what the first says who comes holds.
    pub talkers: usize,
    /// The others don't hear it, and it doesn't hear the others.
    pub muted: bool,
    pub deaf: bool,
    /// By how much the others hear it louder, or softer.
    pub gain_db: i8,
    /// Where the worker shows what becomes of it.
    pub meter: Arc<Meter>,
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
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PortSettings {
    pub protocol: Protocol,
    /// Where the peer said that it wants RTP. Until its source is learnt, sound goes there.
    pub remote: Option<SocketAddr>,
    /// Where the peer wants RTCP, when it is not on the RTP port.
    pub remote_rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    /// The host that the peer's signalling comes from, where a phone behind a NAT sends its sound from too.
    pub signalling: Option<IpAddr>,
    /// What to send; none while the peer doesn't want to hear (hold).
    pub send: Option<Sending>,
    /// What is accepted, by payload type; empty while nothing is to be heard from the peer.
    pub receive: Vec<Receiving>,
    /// Payload type and clock rate of the telephone-events that are accepted.
    pub receive_events: Vec<EventFormat>,
    /// How digits and the sound go together.
    pub tones: Tones,
    /// How comfort noise (RFC 3389) comes and goes.
    pub noise: Noise,
    /// What is accepted and passed on unopened.
    pub sealed: Vec<Sealed>,
    /// For how long nothing may arrive before `Silent` is told; none where silence is expected.
    pub silence_limit: Option<Duration>,
    /// The keys of SRTP and SRTCP; none where packets go in clear. What isn't protected by them is dropped.
    pub protection: Option<Box<Protection>>,
    /// Whether `Heard` and `Unheard` are told.
    pub expects: Expects,
    pub extended: Extended,
}

/// One side's master keys, ours and the peer's.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    pub send: MasterKey,
    pub receive: MasterKey,
}

/// Payload types of comfort noise (RFC 3389), which runs on the clock of the sound beside it. Noise is sent where the other
/// side pauses; we never take a sound for a pause ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Noise {
    pub receive: Option<u8>,
    pub send: Option<u8>,
}

/// Digits that are tones in the sound itself (ITU-T Q.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tones {
    /// Digits that come from elsewhere are sent so, where no telephone-events are.
    pub send: bool,
    /// Digits are listened for in what the peer says, which is decoded for that. The tones are muted for whoever hears
    /// the port, and the digits go on as telephone-events where those are sent.
    pub hear: bool,
}

/// What should come from a peer for as long as a call is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Expects {
    /// Nothing, or whatever it likes.
    #[default]
    Nothing,
    Sound,
    /// It may stop while nobody speaks, as whoever agreed on comfort noise does (RFC 3389).
    SoundWithPauses,
}

/// Which extended reports the peer asks for (RFC 3611 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Extended {
    pub voip_metrics: bool,
    /// It answers a reference time, and wants its own answered.
    pub round_trip: bool,
}

/// What the datagrams of a port are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    #[default]
    Rtp,
    /// Fax (ITU-T T.38): datagrams that are passed on as they are, beside no reports.
    Udptl,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sending {
    pub coding: Coding,
    pub payload_type: u8,
    pub ptime_ms: u32,
    /// How telephone-events go out, if the peer takes them.
    pub events: Option<EventFormat>,
    pub opus: OpusSettings,
}

/// What the main payload of a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Sound that we can decode and encode.
    Sound(Codec),
    /// What only the two ends understand: pictures, text, sound in a codec that we don't have. It is passed on as it is.
    Sealed {
        /// In Hz.
        clock_rate: u32,
    },
}

impl Coding {
    pub fn codec(self) -> Option<Codec> {
        match self {
            Coding::Sound(codec) => Some(codec),
            Coding::Sealed { .. } => None,
        }
    }

    /// In Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Coding::Sound(codec) => codec.clock_rate(),
            Coding::Sealed { clock_rate } => clock_rate,
        }
    }
}

/// A payload type that is passed on unopened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub payload_type: u8,
    /// What the other side calls it.
    pub onward: u8,
    /// In Hz.
    pub clock_rate: u32,
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
    /// What the other side of the format understands.
    pub events: EventSet,
}

/// Some of the 256 telephone-events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EventSet([u128; 2]);

impl EventSet {
    /// 0 to 9, `*`, `#`, A to D.
    pub const DIGITS: EventSet = EventSet([0xffff, 0]);
    pub const ALL: EventSet = EventSet([u128::MAX; 2]);

    pub fn insert(&mut self, event: u8) {
        self.0[usize::from(event >> 7)] |= 1 << (event & 0x7f);
    }

    pub fn contains(self, event: u8) -> bool {
        self.0[usize::from(event >> 7)] >> (event & 0x7f) & 1 == 1
    }

    /// What is in both.
    pub fn common(self, other: EventSet) -> EventSet {
        let ([one, two], [three, four]) = (self.0, other.0);
        EventSet([one & three, two & four])
    }
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
    pub cbr: bool,
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
    /// Sound is expected, and comes; told once, and again after `Unheard`.
    Heard {
        port: PortId,
    },
    /// Sound is expected, and none has come since `since`, which is some seconds ago; told once, until it comes.
    Unheard {
        port: PortId,
        since: Time,
    },
    /// What went through a port that is open yet, told with each interval of RTCP (five seconds on average), and left out
    /// where the switch is too slow to take it.
    Quality {
        port: PortId,
        report: Report,
    },
    /// A digit heard as a telephone-event or as tones, told at its end.
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

impl Report {
    /// Both together; what is no sum is of whichever says it, the later one first.
    pub fn plus(self, later: Report) -> Report {
        Report {
            received_packets: self.received_packets + later.received_packets,
            received_bytes: self.received_bytes + later.received_bytes,
            sent_packets: self.sent_packets + later.sent_packets,
            sent_bytes: self.sent_bytes + later.sent_bytes,
            lost_packets: self.lost_packets + later.lost_packets,
            jitter_us: if later.received_packets > 0 { later.jitter_us } else { self.jitter_us },
            round_trip_us: later.round_trip_us.or(self.round_trip_us),
            remote_lost_packets: match (self.remote_lost_packets, later.remote_lost_packets) {
                (Some(one), Some(two)) => Some(one.saturating_add(two)),
                (one, two) => one.or(two),
            },
            remote_jitter_us: later.remote_jitter_us.or(self.remote_jitter_us),
            remote_voip: later.remote_voip.or(self.remote_voip),
            discarded_packets: self.discarded_packets + later.discarded_packets,
            bursts: self.bursts + later.bursts,
            packet_ms: later.packet_ms.or(self.packet_ms),
            dropped_packets: self.dropped_packets + later.dropped_packets,
            strangers: self.strangers + later.strangers,
            stranger: later.stranger.or(self.stranger),
            foreign_payloads: self.foreign_payloads + later.foreign_payloads,
            unauthentic: self.unauthentic + later.unauthentic,
            source: later.source.or(self.source),
        }
    }
}

/// What went through a port in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
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
    /// How the peer says that our sound is there; none where it sends no such reports (RFC 3611 §4.7).
    pub remote_voip: Option<VoipMetrics>,
    /// Received, and of no use since their turn to be played was over. What is relayed waits for no turn.
    pub discarded_packets: u64,
    /// How what was lost or discarded lay.
    pub bursts: Bursts,
    /// The packet time that the peer keeps to; none before it is seen.
    pub packet_ms: Option<u32>,
    /// All that went no further, the following included.
    pub dropped_packets: u64,
    /// From addresses that may not use the port, and the last of those.
    pub strangers: u64,
    pub stranger: Option<SocketAddr>,
    /// In a payload type that wasn't negotiated.
    pub foreign_payloads: u64,
    /// Not protected by the key that was agreed.
    pub unauthentic: u64,
    /// The source that was learnt.
    pub source: Option<SocketAddr>,
}
