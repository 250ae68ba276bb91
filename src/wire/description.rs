//! The neutral description of media: what one side can send and receive, whether SDP (RFC 4566, RFC 8866) or another
//! protocol said it.

use std::borrow::Cow;
use std::net::SocketAddr;
use tandem_codecs::Codec;

/// The name under which `attributes` has a host name that stood in place of an address. It is never written to a peer.
pub(super) const UNRESOLVED_HOST: &str = "x-unresolved-host";

/// All media lines of one side, in their order. An answer has as many lines as its offer (RFC 3264 §6).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Description {
    /// Session id and version of the `o=` line. The version rises with each change (RFC 3264 §8).
    pub session: u64,
    pub version: u64,
    pub media: Vec<Media>,
}

/// One `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub kind: Kind,
    /// The transport as written, such as `RTP/AVP`.
    pub protocol: Cow<'static, str>,
    /// Where this side wants its RTP. A port of zero refuses the line (RFC 3264 §6).
    pub address: SocketAddr,
    /// Where this side wants its RTCP, when that isn't the next port (RFC 3605).
    pub rtcp: Option<SocketAddr>,
    /// RTP and RTCP on one port (RFC 5761).
    pub rtcp_mux: bool,
    pub direction: Direction,
    /// In order of preference.
    pub formats: Vec<Format>,
    /// Packet time that this side would like to receive, in milliseconds.
    pub ptime_ms: Option<u32>,
    pub maxptime_ms: Option<u32>,
    /// `b=` lines, as type and value (RFC 8866 §5.8).
    pub bandwidths: Vec<(String, u64)>,
    /// Attributes that have no field here, as `name` and value, kept for lines that are passed on.
    pub attributes: Vec<(String, Option<String>)>,
    /// Formats as written, for a protocol that isn't RTP, so that a refused line can be echoed.
    pub raw_formats: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
    Other(String),
}

impl Kind {
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Audio => "audio",
            Kind::Video => "video",
            Kind::Other(other) => other,
        }
    }
}

/// Seen from the side that wrote the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// Transports and encodings as almost everybody writes them. Descriptions are copied often, and these needn't be.
const KNOWN: [&str; 18] = [
    "RTP/AVP",
    "RTP/SAVP",
    "RTP/AVPF",
    "RTP/SAVPF",
    "UDP/TLS/RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "udptl",
    "PCMU",
    "PCMA",
    "G722",
    "opus",
    "telephone-event",
    "G729",
    "GSM",
    "L16",
    "CN",
    "H264",
    "VP8",
];

/// The text, without a copy of its own where it is one that everybody writes.
pub fn known(text: &str) -> Cow<'static, str> {
    match KNOWN.into_iter().find(|known| *known == text) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(text.to_owned()),
    }
}

/// One payload type of an RTP media line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pub payload_type: u8,
    /// As written in `rtpmap`, or the static assignment's name (RFC 3551 §6).
    pub encoding: Cow<'static, str>,
    /// The RTP clock in Hz: 8000 for G.722, whatever its sampling rate (RFC 3551 §4.5.2).
    pub clock_rate: u32,
    pub channels: u8,
    /// The `fmtp` parameters, without the payload type.
    pub fmtp: Option<String>,
}

impl Direction {
    /// Whether the side that wrote this sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    pub fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// The same line seen from the other side.
    pub fn reversed(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }
}

impl Media {
    /// A line that says nothing but what it is and where it wants its packets.
    pub fn new(kind: Kind, protocol: &str, address: SocketAddr) -> Media {
        Media {
            kind,
            protocol: known(protocol),
            address,
            rtcp: None,
            rtcp_mux: false,
            direction: Direction::SendRecv,
            formats: Vec::new(),
            ptime_ms: None,
            maxptime_ms: None,
            bandwidths: Vec::new(),
            attributes: Vec::new(),
            raw_formats: String::new(),
        }
    }

    /// The first attribute of that name, with its value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut found = self.attributes.iter().filter(|(known, _)| known == name);
        found.find_map(|(_, value)| value.as_deref())
    }

    /// RTP as we carry it: without encryption (RFC 3551, RFC 4585), or with keys that stand in the description (RFC 4568).
    pub fn is_rtp(&self) -> bool {
        self.is_secure_rtp() || ["RTP/AVP", "RTP/AVPF"].iter().any(|known| self.protocol.eq_ignore_ascii_case(known))
    }

    /// SRTP by a secure profile (RFC 3711, RFC 5124).
    pub fn is_secure_rtp(&self) -> bool {
        ["RTP/SAVP", "RTP/SAVPF"].iter().any(|known| self.protocol.eq_ignore_ascii_case(known))
    }

    /// Fax over UDPTL (ITU-T T.38 annex D).
    pub fn is_fax(&self) -> bool {
        let is_image = matches!(&self.kind, Kind::Other(kind) if kind.eq_ignore_ascii_case("image"));
        is_image && self.protocol.eq_ignore_ascii_case("udptl") && self.raw_formats.trim().eq_ignore_ascii_case("t38")
    }

    pub fn is_refused(&self) -> bool {
        self.address.port() == 0
    }

    /// Whether this side wants to hear nothing for now: by its direction, or by an address of zeros as older phones say
    /// it (RFC 3264 §8.4).
    pub fn is_held(&self) -> bool {
        let has_zeros = self.address.ip().is_unspecified() && self.unresolved_host().is_none();
        !self.is_refused() && (!self.direction.receives() || has_zeros)
    }

    /// The host name that was given in place of an address. `address` has the port only; the peer is found by where its
    /// packets come from.
    pub fn unresolved_host(&self) -> Option<&str> {
        self.attribute(UNRESOLVED_HOST)
    }

    /// The `telephone-event` formats (RFC 4733), of which a line may have one for each clock rate.
    pub fn telephone_events(&self) -> impl Iterator<Item = &Format> {
        self.formats.iter().filter(|format| format.is_telephone_event())
    }
}

impl Format {
    pub fn is_telephone_event(&self) -> bool {
        self.encoding.eq_ignore_ascii_case("telephone-event")
    }

    /// The codec of ours that this is, if it is one.
    pub fn codec(&self) -> Option<Codec> {
        let named = |name: &str| self.encoding.eq_ignore_ascii_case(name);
        match (self.clock_rate, self.channels) {
            (8_000, 1) if named("PCMU") => Some(Codec::Pcmu),
            (8_000, 1) if named("PCMA") => Some(Codec::Pcma),
            (8_000, 1) if named("G722") => Some(Codec::G722),
            (48_000, 2) if named("opus") => Some(Codec::Opus),
            (8_000, 1) if named("L16") => Some(Codec::L16 { rate: 8_000 }),
            (16_000, 1) if named("L16") => Some(Codec::L16 { rate: 16_000 }),
            (48_000, 1) if named("L16") => Some(Codec::L16 { rate: 48_000 }),
            _ => None,
        }
    }
}
