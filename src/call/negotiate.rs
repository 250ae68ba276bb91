//! Offers and answers of media (RFC 3264), as pure functions: what to offer a leg, how to answer it, what was agreed.

use crate::media::command::{EventFormat, OpusSettings, PortSettings, Receiving, Sending};
use crate::wire::description::{Description, Direction, Format, Kind, Media};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tandem_codecs::Codec;

/// Packet times that a peer may ask for, in milliseconds; others are rounded into this range.
const PTIME_MS: std::ops::RangeInclusive<u32> = 10..=60;
const DEFAULT_PTIME_MS: u32 = 20;

/// What we put into a description of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Local<'a> {
    /// What is announced; the port is our RTP port.
    pub address: SocketAddr,
    /// In order of preference.
    pub codecs: &'a [Codec],
    /// From our side.
    pub direction: Direction,
    pub session: u64,
    pub version: u64,
    /// The packet time that we ask for.
    pub ptime_ms: Option<u32>,
}

/// What both sides agreed on for the one audio stream that we carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreed {
    pub codec: Codec,
    /// What the peer wants to see in what we send.
    pub payload_type: u8,
    pub receive: Vec<Receiving>,
    pub send_events: Option<EventFormat>,
    pub receive_events: Vec<EventFormat>,
    pub ptime_ms: u32,
    pub opus: OpusSettings,
    pub remote: Option<SocketAddr>,
    pub remote_rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    /// What the peer wants, from its own side: with `SendOnly` it has put us on hold.
    pub peer_wants: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// No audio line that we can carry: RTP without encryption, not refused.
    NoAudio,
    NoCommonCodec,
    /// The answer doesn't fit our offer.
    UnfitAnswer,
}

impl Disagreement {
    pub fn text(self) -> &'static str {
        match self {
            Disagreement::NoAudio => "no audio line over plain RTP",
            Disagreement::NoCommonCodec => "no codec in common",
            Disagreement::UnfitAnswer => "the answer does not fit the offer",
        }
    }
}

/// Our offer of one audio line.
pub fn offer(local: &Local) -> Description {
    let mut formats: Vec<Format> = local.codecs.iter().map(|&codec| our_format(codec)).collect();
    let mut clocks: Vec<u32> =
        local.codecs.iter().map(|codec| codec.clock_rate()).filter(|&rate| rate == 48_000).collect();
    clocks.dedup();
    clocks.insert(0, 8_000);
    for clock_rate in clocks {
        formats.push(event_format(if clock_rate == 8_000 { 101 } else { 102 }, clock_rate));
    }
    Description {
        session: local.session,
        version: local.version,
        media: vec![Media {
            kind: Kind::Audio,
            protocol: "RTP/AVP".to_owned(),
            address: local.address,
            rtcp: None,
            rtcp_mux: false,
            direction: local.direction,
            formats,
            ptime_ms: local.ptime_ms.or(Some(DEFAULT_PTIME_MS)),
            maxptime_ms: None,
            attributes: Vec::new(),
            raw_formats: String::new(),
        }],
    }
}

/// Our answer to an offer: one audio line taken, in the codec that `towards` (the other leg's codec) makes cheapest, all
/// other lines refused in place (RFC 3264 §6).
pub fn answer(
    offered: &Description,
    local: &Local,
    towards: Option<Codec>,
) -> Result<(Description, Agreed), Disagreement> {
    let line = audio_line(offered).ok_or(Disagreement::NoAudio)?;
    let theirs = &offered.media[line];
    let format = choose(theirs, local.codecs, towards).ok_or(Disagreement::NoCommonCodec)?;
    let codec = format.codec().ok_or(Disagreement::NoCommonCodec)?;
    let mut formats = vec![format.clone()];
    if codec == Codec::Opus {
        formats[0].fmtp = our_format(Codec::Opus).fmtp;
    }
    formats.extend(theirs.telephone_events().map(|event| event_format(event.payload_type, event.clock_rate)));
    let agreed = Agreed {
        codec,
        payload_type: format.payload_type,
        receive: vec![Receiving { payload_type: format.payload_type, codec }],
        send_events: fitting_event(theirs, codec),
        receive_events: theirs.telephone_events().map(event_of).collect(),
        ptime_ms: ptime(theirs, local.ptime_ms),
        opus: opus_settings(format),
        remote: reachable(theirs),
        remote_rtcp: rtcp_address(theirs),
        rtcp_mux: theirs.rtcp_mux,
        peer_wants: wishes(theirs),
    };
    let ours = Media {
        kind: Kind::Audio,
        protocol: theirs.protocol.clone(),
        address: local.address,
        rtcp: None,
        rtcp_mux: theirs.rtcp_mux,
        direction: restricted(local.direction, agreed.peer_wants),
        formats,
        ptime_ms: Some(agreed.ptime_ms),
        maxptime_ms: None,
        attributes: Vec::new(),
        raw_formats: String::new(),
    };
    let media = offered
        .media
        .iter()
        .enumerate()
        .map(|(index, media)| if index == line { ours.clone() } else { refused(media) })
        .collect();
    Ok((Description { session: local.session, version: local.version, media }, agreed))
}

/// What the peer's answer to our offer means.
pub fn accept(ours: &Description, answered: &Description) -> Result<Agreed, Disagreement> {
    let line = audio_line(ours).ok_or(Disagreement::UnfitAnswer)?;
    let offered = &ours.media[line];
    let theirs = answered.media.get(line).ok_or(Disagreement::UnfitAnswer)?;
    if theirs.kind != Kind::Audio {
        return Err(Disagreement::UnfitAnswer);
    }
    if theirs.is_refused() {
        return Err(Disagreement::NoCommonCodec);
    }
    // The answer's first codec that we offered is what both sides send; payload types may differ by direction.
    let offers = |codec: Codec| offered.formats.iter().find(|format| format.codec() == Some(codec));
    let (format, codec) = theirs
        .formats
        .iter()
        .find_map(|format| Some((format, format.codec().filter(|&codec| offers(codec).is_some())?)))
        .ok_or(Disagreement::NoCommonCodec)?;
    // A peer may send any codec of its answer, so each is understood.
    let mut receive: Vec<Receiving> = Vec::new();
    for answered in &theirs.formats {
        let Some((codec, offered)) = answered.codec().and_then(|codec| Some((codec, offers(codec)?))) else { continue };
        for payload_type in [offered.payload_type, answered.payload_type] {
            if !receive.iter().any(|known| known.payload_type == payload_type) {
                receive.push(Receiving { payload_type, codec });
            }
        }
    }
    Ok(Agreed {
        codec,
        payload_type: format.payload_type,
        receive,
        send_events: fitting_event(theirs, codec),
        receive_events: offered.telephone_events().chain(theirs.telephone_events()).map(event_of).collect(),
        ptime_ms: ptime(theirs, offered.ptime_ms),
        opus: opus_settings(format),
        remote: reachable(theirs),
        remote_rtcp: rtcp_address(theirs),
        rtcp_mux: offered.rtcp_mux && theirs.rtcp_mux,
        peer_wants: wishes(theirs),
    })
}

/// Whether an offer has something that a leg which may speak `ours` can answer.
pub fn suits(offered: &Description, ours: &[Codec]) -> Result<(), Disagreement> {
    let line = audio_line(offered).ok_or(Disagreement::NoAudio)?;
    choose(&offered.media[line], ours, None).map(|_| ()).ok_or(Disagreement::NoCommonCodec)
}

/// The codecs of an offer that we also have, in the offer's order.
pub fn codecs_of(description: &Description) -> Vec<Codec> {
    let formats = audio_line(description).map(|line| description.media[line].formats.as_slice()).unwrap_or_default();
    formats.iter().filter_map(Format::codec).collect()
}

/// The order in which to offer `ours` to a leg whose other side offered `theirs`: what both have first, since then nothing
/// is transcoded.
pub fn order(ours: &[Codec], theirs: &[Codec]) -> Vec<Codec> {
    let shared = theirs.iter().filter(|codec| ours.contains(codec));
    let rest = ours.iter().filter(|codec| !theirs.contains(codec));
    let mut ordered: Vec<Codec> = Vec::with_capacity(ours.len());
    for &codec in shared.chain(rest) {
        if !ordered.contains(&codec) {
            ordered.push(codec);
        }
    }
    ordered
}

impl Agreed {
    /// The worker's orders for this leg, when the other leg wants `other` (from its own side) and speaks `towards`.
    pub fn port_settings(
        &self,
        other: Direction,
        towards: Option<Codec>,
        silence_limit: Option<Duration>,
    ) -> PortSettings {
        let sends = self.peer_wants.receives() && other.sends();
        let hears = self.peer_wants.sends() && other.receives();
        let mut opus = self.opus;
        // A narrow-band source has nothing above 4 kHz for the encoder to spend bits on.
        if let Some(source) = towards.map(Codec::sample_rate).filter(|&rate| rate < 48_000) {
            opus.max_playback_rate = Some(opus.max_playback_rate.map_or(source, |rate| rate.min(source)));
        }
        PortSettings {
            remote: self.remote,
            remote_rtcp: self.remote_rtcp,
            rtcp_mux: self.rtcp_mux,
            send: sends.then_some(Sending {
                codec: self.codec,
                payload_type: self.payload_type,
                ptime_ms: self.ptime_ms,
                events: self.send_events,
                opus,
            }),
            receive: if hears { self.receive.clone() } else { Vec::new() },
            receive_events: if hears { self.receive_events.clone() } else { Vec::new() },
            silence_limit,
        }
    }

    /// `PCMA/8000`, as records name it.
    pub fn codec_text(&self) -> String {
        format!("{}/{}", self.codec.name(), self.codec.clock_rate())
    }
}

/// The line that we carry: the first audio line over plain RTP that isn't refused.
fn audio_line(description: &Description) -> Option<usize> {
    description.media.iter().position(|media| {
        media.kind == Kind::Audio && !media.is_refused() && matches!(media.protocol.as_str(), "RTP/AVP" | "RTP/AVPF")
    })
}

/// Picks the codec that costs least beside the other leg's: the same one, then one of the same bandwidth, then the peer's
/// own order.
fn choose<'a>(theirs: &'a Media, ours: &[Codec], towards: Option<Codec>) -> Option<&'a Format> {
    let usable = || theirs.formats.iter().filter(|format| format.codec().is_some_and(|codec| ours.contains(&codec)));
    let Some(towards) = towards else { return usable().next() };
    let same = || usable().find(|format| format.codec() == Some(towards));
    let narrow = || usable().find(|format| format.codec().is_some_and(|codec| codec.sample_rate() == 8_000));
    let wide = || usable().find(|format| format.codec().is_some_and(|codec| codec.sample_rate() > 8_000));
    same().or_else(|| if towards.sample_rate() == 8_000 { narrow() } else { wide() }).or_else(|| usable().next())
}

fn our_format(codec: Codec) -> Format {
    let (payload_type, channels, fmtp) = match codec {
        Codec::Pcmu => (0, 1, None),
        Codec::Pcma => (8, 1, None),
        Codec::G722 => (9, 1, None),
        Codec::Opus => (96, 2, Some("minptime=10;useinbandfec=1".to_owned())),
        Codec::L16 { rate: 8_000 } => (97, 1, None),
        Codec::L16 { rate: 16_000 } => (98, 1, None),
        Codec::L16 { .. } => (99, 1, None),
    };
    Format { payload_type, encoding: codec.name().to_owned(), clock_rate: codec.clock_rate(), channels, fmtp }
}

fn event_format(payload_type: u8, clock_rate: u32) -> Format {
    Format {
        payload_type,
        encoding: "telephone-event".to_owned(),
        clock_rate,
        channels: 1,
        fmtp: Some("0-15".to_owned()),
    }
}

fn event_of(format: &Format) -> EventFormat {
    EventFormat { payload_type: format.payload_type, clock_rate: format.clock_rate }
}

/// The telephone-event whose clock is the codec's, as RFC 4733 §2.1 asks; otherwise whatever the peer has.
fn fitting_event(media: &Media, codec: Codec) -> Option<EventFormat> {
    let fitting = media.telephone_events().find(|event| event.clock_rate == codec.clock_rate());
    fitting.or_else(|| media.telephone_events().next()).map(event_of)
}

fn ptime(theirs: &Media, ours: Option<u32>) -> u32 {
    let wanted = theirs.ptime_ms.or(ours).unwrap_or(DEFAULT_PTIME_MS);
    let most = theirs.maxptime_ms.unwrap_or(u32::MAX).max(*PTIME_MS.start());
    (wanted.min(most) / 10 * 10).clamp(*PTIME_MS.start(), *PTIME_MS.end())
}

/// The old way to hold is an address of zeros (RFC 2543 §B.5): nowhere to send to.
fn reachable(media: &Media) -> Option<SocketAddr> {
    (!media.address.ip().is_unspecified()).then_some(media.address)
}

fn wishes(media: &Media) -> Direction {
    match reachable(media) {
        Some(_) => media.direction,
        None => Direction::new(media.direction.sends(), false),
    }
}

fn rtcp_address(media: &Media) -> Option<SocketAddr> {
    let rtp = reachable(media)?;
    if media.rtcp_mux {
        return Some(rtp);
    }
    Some(media.rtcp.unwrap_or_else(|| SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1))))
}

/// Our side of an answer: what we want, as far as the offer lets us.
fn restricted(ours: Direction, peer_wants: Direction) -> Direction {
    Direction::new(ours.sends() && peer_wants.receives(), ours.receives() && peer_wants.sends())
}

fn refused(media: &Media) -> Media {
    let mut refused = media.clone();
    refused.address = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0);
    refused.rtcp = None;
    refused.rtcp_mux = false;
    refused.attributes.clear();
    refused
}

fn opus_settings(format: &Format) -> OpusSettings {
    let mut settings = OpusSettings::default();
    if format.codec() != Some(Codec::Opus) {
        return settings;
    }
    for parameter in format.fmtp.as_deref().unwrap_or_default().split(';') {
        let Some((name, value)) = parameter.trim().split_once('=') else { continue };
        let number = value.trim().parse::<u32>().ok();
        match name.trim().to_ascii_lowercase().as_str() {
            "maxplaybackrate" => settings.max_playback_rate = number.map(|rate| rate.clamp(8_000, 48_000)),
            "maxaveragebitrate" => settings.max_average_bitrate = number.map(|rate| rate.clamp(6_000, 510_000)),
            "useinbandfec" => settings.inband_fec = number == Some(1),
            "usedtx" => settings.dtx = number == Some(1),
            _ => {}
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];

    fn local(codecs: &[Codec], port: u16) -> Local<'_> {
        Local {
            address: SocketAddr::from(([192, 0, 2, 1], port)),
            codecs,
            direction: Direction::SendRecv,
            session: 1,
            version: 1,
            ptime_ms: None,
        }
    }

    #[test]
    fn an_answer_prefers_the_other_legs_codec() {
        let offered = offer(&local(&ALL, 4000));
        let (_, agreed) = answer(&offered, &local(&ALL, 5000), Some(Codec::Pcmu)).unwrap();
        assert_eq!(agreed.codec, Codec::Pcmu);
        let (_, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        assert_eq!(agreed.codec, Codec::Opus);
    }

    #[test]
    fn a_narrow_peer_is_met_with_a_narrow_codec() {
        let offered = offer(&local(&[Codec::Opus, Codec::Pcma], 4000));
        let (_, agreed) = answer(&offered, &local(&ALL, 5000), Some(Codec::Pcmu)).unwrap();
        assert_eq!(agreed.codec, Codec::Pcma);
    }

    #[test]
    fn offer_and_answer_agree_on_both_sides() {
        let ours = offer(&local(&ALL, 4000));
        let (answered, theirs) = answer(&ours, &local(&[Codec::Opus], 5000), None).unwrap();
        let agreed = accept(&ours, &answered).unwrap();
        assert_eq!((agreed.codec, theirs.codec), (Codec::Opus, Codec::Opus));
        assert_eq!(agreed.payload_type, theirs.payload_type);
        assert_eq!(agreed.send_events.unwrap().clock_rate, 48_000);
        assert_eq!(agreed.remote.unwrap().port(), 5000);
        assert_eq!(agreed.remote_rtcp.unwrap().port(), 5001);
    }

    #[test]
    fn nothing_in_common_is_said_so() {
        let offered = offer(&local(&[Codec::G722], 4000));
        assert_eq!(answer(&offered, &local(&[Codec::Pcmu], 5000), None).unwrap_err(), Disagreement::NoCommonCodec);
        let mut secure = offer(&local(&ALL, 4000));
        secure.media[0].protocol = "RTP/SAVP".to_owned();
        assert_eq!(answer(&secure, &local(&ALL, 5000), None).unwrap_err(), Disagreement::NoAudio);
    }

    #[test]
    fn other_lines_are_refused_in_place() {
        let mut offered = offer(&local(&ALL, 4000));
        let mut video = offered.media[0].clone();
        video.kind = Kind::Video;
        offered.media.insert(0, video);
        let (answered, _) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        assert_eq!(answered.media.len(), 2);
        assert!(answered.media[0].is_refused());
        assert!(!answered.media[1].is_refused());
    }

    #[test]
    fn hold_by_direction_and_by_zeros() {
        let mut offered = offer(&local(&ALL, 4000));
        offered.media[0].direction = Direction::SendOnly;
        let (answered, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        assert_eq!(answered.media[0].direction, Direction::RecvOnly);
        assert!(agreed.port_settings(Direction::SendRecv, None, None).send.is_none());

        offered.media[0].direction = Direction::SendRecv;
        offered.media[0].address = SocketAddr::from(([0, 0, 0, 0], 4000));
        let (answered, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        assert_eq!(answered.media[0].direction, Direction::RecvOnly);
        assert_eq!(agreed.remote, None);
    }

    #[test]
    fn packet_times_stay_in_range() {
        for (asked, got) in [(Some(5), 10), (Some(35), 30), (Some(200), 60), (None, 20)] {
            let mut offered = offer(&local(&ALL, 4000));
            offered.media[0].ptime_ms = asked;
            let (_, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
            assert_eq!(agreed.ptime_ms, got);
        }
    }

    #[test]
    fn opus_is_told_what_the_other_leg_can_carry() {
        let offered = offer(&local(&[Codec::Opus], 4000));
        let (_, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        let settings = agreed.port_settings(Direction::SendRecv, Some(Codec::Pcma), None);
        assert_eq!(settings.send.unwrap().opus.max_playback_rate, Some(8_000));
    }

    #[test]
    fn shared_codecs_are_offered_first() {
        assert_eq!(order(&ALL, &[Codec::Pcmu, Codec::Pcma])[..2], [Codec::Pcmu, Codec::Pcma]);
        assert_eq!(order(&ALL, &[Codec::Pcmu]).len(), 4);
    }
}
