//! Offers and answers of media (RFC 3264), as pure functions: what to offer a leg, how to answer it, what was agreed.

mod endpoint;
pub mod fmtp;
mod numbering;
mod onward;
pub mod relayed;
pub mod sdes;
mod sound;

pub use endpoint::wishes;
pub use sdes::{Habit, Keys, Secret};

use crate::config::settings::Relayed;
use crate::media::command::{
    Coding, EventFormat, Expects, Extended, Noise, OpusSettings, PortSettings, Protection, Protocol, Receiving, Sealed,
    Sending, Tones,
};
use crate::wire::description::{Description, Direction, Format, Media};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tandem_codecs::Codec;

/// What we put into a description of one audio line.
#[derive(Clone, Debug)]
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
    pub keys: Keys<'a>,
}

/// What every line of ours has.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// What is announced; the port is our RTP port.
    pub address: SocketAddr,
    /// From our side.
    pub direction: Direction,
    /// The line as we last described it.
    pub before: Option<&'a Media>,
    pub keys: Keys<'a>,
}

/// What a line of ours holds.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    Sound(Sound<'a>),
    /// What the other leg's peer says of its own line.
    Relayed(&'a Media),
}

#[derive(Clone, Copy, Debug)]
pub struct Sound<'a> {
    /// What we may speak, in order of preference.
    pub codecs: &'a [Codec],
    /// Whether that order was set by an operator, and nothing else is to be offered but `relayed`, where the other side has
    /// it.
    pub keeps_order: bool,
    pub relayed: &'a [Relayed],
    /// The packet time that we ask for.
    pub ptime_ms: Option<u32>,
    /// Whether digits may be telephone-events.
    pub events: bool,
    /// What is spoken here now.
    pub present: Option<&'a Format>,
    /// What the other leg's peer says of its own line, and what is spoken there.
    pub beside: Option<&'a Media>,
    pub towards: Option<&'a Format>,
}

/// What both sides agreed on for one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreed {
    pub protocol: Protocol,
    /// What we send, as the peer calls it.
    pub format: Format,
    pub receive: Vec<Receiving>,
    pub send_events: Option<EventFormat>,
    pub receive_events: Vec<EventFormat>,
    /// Comfort noise beside the sound.
    pub noise: Noise,
    /// What the peer may send that is passed on unopened.
    pub hears: Vec<Format>,
    pub ptime_ms: u32,
    pub opus: OpusSettings,
    pub remote: Option<SocketAddr>,
    pub remote_rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    /// The extended reports that the peer asked for.
    pub extended: Extended,
    /// What the peer wants, from its own side: with `SendOnly` it has put us on hold.
    pub peer_wants: Direction,
    /// The keys of both sides; none where packets go in clear.
    pub protection: Option<Protection>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// No line that we can carry: RTP in clear or with keys in the description, not refused.
    NoAudio,
    NoCommonCodec,
    /// What the line has can't be transcoded, and the other side doesn't have it.
    OnlyRelayed,
    /// The answer doesn't fit our offer.
    UnfitAnswer,
    /// A secure line without a key that we can use.
    NoKeys,
    /// Media in clear, where they have to be protected.
    NotSecure,
    /// Protected media, where they are to go in clear.
    KeepsPlain,
}

impl Disagreement {
    pub fn text(self) -> &'static str {
        match self {
            Disagreement::NoAudio => "no audio line over RTP, plain or with SDES keys",
            Disagreement::NoCommonCodec => "no codec in common",
            Disagreement::OnlyRelayed => "no codec in common: what is offered can only be relayed, not transcoded",
            Disagreement::UnfitAnswer => "the answer does not fit the offer",
            Disagreement::NoKeys => "no SRTP key in a suite that we have",
            Disagreement::NotSecure => "media in clear, and `srtp` is \"required\" here",
            Disagreement::KeepsPlain => "media under SRTP, and `srtp` is \"never\" here",
        }
    }
}

/// Our offer of one line; none where it would be empty.
pub fn offer_line(line: &Line<'_>, content: Content<'_>) -> Option<Media> {
    let mut offered = match content {
        Content::Sound(sound) => sound::offer(line, &sound),
        Content::Relayed(like) => relayed::offer(line, like),
    }?;
    sdes::offer(&mut offered, line.keys, line.before).then_some(offered)
}

/// Our answer to an offered line.
pub fn answer_line(theirs: &Media, line: &Line<'_>, content: Content<'_>) -> Result<(Media, Agreed), Disagreement> {
    let (mut ours, mut agreed) = match content {
        Content::Sound(sound) => sound::answer(theirs, line, &sound),
        Content::Relayed(like) => relayed::answer(theirs, line, like),
    }?;
    if let Some((protection, text)) = sdes::answer(theirs, line.keys)? {
        sdes::write(&mut ours, text);
        agreed.protection = Some(protection);
    }
    Ok((ours, agreed))
}

/// What the peer's answer to a line of ours means.
pub fn accept_line(ours: &Media, theirs: &Media, is_sound: bool) -> Result<Agreed, Disagreement> {
    let agreed = if is_sound { sound::accept(ours, theirs) } else { relayed::accept(ours, theirs) }?;
    Ok(Agreed { protection: sdes::accept(ours, theirs)?, ..agreed })
}

/// A line that refuses `theirs` in its place (RFC 3264 §6).
pub fn refused(theirs: &Media) -> Media {
    Media {
        formats: theirs.formats.clone(),
        raw_formats: theirs.raw_formats.clone(),
        direction: theirs.direction,
        ..Media::new(theirs.kind.clone(), &theirs.protocol, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
    }
}

/// Whether an offer has something that a leg which may speak `ours` can answer.
pub fn suits(offered: &Description, ours: &[Codec], keys: Keys<'_>) -> Result<(), Disagreement> {
    let has_other = offered.media.iter().any(|line| relayed::is_relayable(line) && sdes::answer(line, keys).is_ok());
    match sound_line(offered, keys) {
        Some(line) if sound::suits(&offered.media[line], ours) => sdes::answer(&offered.media[line], keys).map(|_| ()),
        _ if has_other => Ok(()),
        Some(_) => Err(Disagreement::NoCommonCodec),
        None => Err(Disagreement::NoAudio),
    }
}

/// The audio line that we carry: the first over RTP, in clear or with keys in the description, that isn't refused and that may
/// be answered. Where none may, the first stands for them.
pub fn sound_line(description: &Description, keys: Keys<'_>) -> Option<usize> {
    let may = |line: &Media| sound::is_sound(line) && sdes::answer(line, keys).is_ok();
    let lines = &description.media;
    lines.iter().position(may).or_else(|| lines.iter().position(sound::is_sound))
}

/// Our offer of one audio line, beside which there is nobody.
pub fn offer(local: &Local<'_>) -> Description {
    let media = offer_line(&local.line(), Content::Sound(local.sound(None))).into_iter().collect();
    Description { session: local.session, version: local.version, media }
}

/// Our answer to an offer: one audio line taken, in the codec that `towards` makes cheapest, all others refused in place.
pub fn answer(
    offered: &Description,
    local: &Local<'_>,
    towards: Option<Codec>,
) -> Result<(Description, Agreed), Disagreement> {
    let line = sound_line(offered, local.keys).ok_or(Disagreement::NoAudio)?;
    let towards = towards.map(sound::plain_format);
    let content = Content::Sound(local.sound(towards.as_ref()));
    let (ours, agreed) = answer_line(&offered.media[line], &local.line(), content)?;
    let lines = offered.media.iter().enumerate();
    let media = lines.map(|(index, media)| if index == line { ours.clone() } else { refused(media) }).collect();
    Ok((Description { session: local.session, version: local.version, media }, agreed))
}

/// What the peer's answer to our offer of one audio line means.
pub fn accept(ours: &Description, answered: &Description) -> Result<Agreed, Disagreement> {
    let line = ours.media.iter().position(sound::is_sound).ok_or(Disagreement::UnfitAnswer)?;
    let theirs = answered.media.get(line).ok_or(Disagreement::UnfitAnswer)?;
    accept_line(&ours.media[line], theirs, true)
}

impl<'a> Local<'a> {
    fn line(&self) -> Line<'a> {
        Line { address: self.address, direction: self.direction, before: None, keys: self.keys }
    }

    fn sound<'b>(&self, towards: Option<&'b Format>) -> Sound<'b>
    where
        'a: 'b,
    {
        let Local { codecs, ptime_ms, .. } = *self;
        Sound { codecs, keeps_order: false, relayed: &[], ptime_ms, events: true, present: None, beside: None, towards }
    }
}

/// The codecs of an offer that we also have, in the offer's order.
pub fn codecs_of(description: &Description) -> Vec<Codec> {
    let line = description.media.iter().find(|line| sound::is_sound(line));
    let formats = line.map(|line| line.formats.as_slice()).unwrap_or_default();
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
    /// What the peer's line says by itself.
    fn new(format: Format, theirs: &Media) -> Agreed {
        Agreed {
            protocol: Protocol::Rtp,
            format,
            receive: Vec::new(),
            send_events: None,
            receive_events: Vec::new(),
            noise: Noise::default(),
            hears: Vec::new(),
            ptime_ms: 20,
            opus: OpusSettings::default(),
            remote: endpoint::reachable(theirs),
            remote_rtcp: endpoint::rtcp_address(theirs),
            rtcp_mux: false,
            extended: Extended::default(),
            peer_wants: endpoint::wishes(theirs),
            protection: None,
        }
    }

    /// What is sent: sound of ours, or what is only passed on.
    pub fn coding(&self) -> Coding {
        match self.format.codec() {
            Some(codec) => Coding::Sound(codec),
            None => Coding::Sealed { clock_rate: self.format.clock_rate },
        }
    }

    /// The worker's orders for this line, when the other leg wants `other` (from its own side), speaks `towards`, and takes
    /// `onward`.
    pub fn port_settings(
        &self,
        other: Direction,
        towards: Option<&Format>,
        onward: &[Format],
        silence_limit: Option<Duration>,
    ) -> PortSettings {
        let sends = self.peer_wants.receives() && other.sends();
        let hears = self.peer_wants.sends() && other.receives();
        let mut opus = self.opus;
        // A narrow-band source has nothing above 4 kHz for the encoder to spend bits on.
        let source = towards.and_then(Format::codec).map(Codec::sample_rate);
        if let Some(source) = source.filter(|&rate| rate < 48_000) {
            opus.max_playback_rate = Some(opus.max_playback_rate.map_or(source, |rate| rate.min(source)));
        }
        PortSettings {
            protocol: self.protocol,
            remote: self.remote,
            remote_rtcp: self.remote_rtcp,
            rtcp_mux: self.rtcp_mux,
            signalling: None,
            send: sends.then_some(Sending {
                coding: self.coding(),
                payload_type: self.format.payload_type,
                ptime_ms: self.ptime_ms,
                events: self.send_events,
                opus,
            }),
            receive: if hears { self.receive.clone() } else { Vec::new() },
            receive_events: if hears { self.receive_events.clone() } else { Vec::new() },
            tones: Tones { send: self.send_events.is_none(), hear: false },
            noise: Noise { receive: self.noise.receive.filter(|_| hears), ..self.noise },
            sealed: if hears { self.sealed(onward) } else { Vec::new() },
            silence_limit,
            protection: self.protection.clone().map(Box::new),
            expects: Expects::Nothing,
            extended: self.extended,
        }
    }

    /// What comes from a peer that is to be heard all the time. Comfort noise may pause (RFC 3389), and so may codecs of
    /// others whose ways nobody here knows.
    pub fn expects(&self) -> Expects {
        let never_pauses = self.hears.is_empty() && self.noise.receive.is_none();
        if never_pauses { Expects::Sound } else { Expects::SoundWithPauses }
    }

    /// What is passed on unopened, with the numbers that the other side has for it.
    fn sealed(&self, onward: &[Format]) -> Vec<Sealed> {
        let mut all: Vec<Sealed> = Vec::new();
        for format in &self.hears {
            let Some(other) = fmtp::find(onward, format) else { continue };
            if all.iter().all(|known| known.payload_type != format.payload_type) {
                let (payload_type, onward) = (format.payload_type, other.payload_type);
                all.push(Sealed { payload_type, onward, clock_rate: format.clock_rate });
            }
        }
        all
    }

    /// `PCMA/8000`, as records name it.
    pub fn codec_text(&self) -> String {
        match (self.protocol, self.format.codec()) {
            (Protocol::Udptl, _) => self.format.encoding.clone().into_owned(),
            (_, Some(codec)) => format!("{}/{}", codec.name(), codec.clock_rate()),
            (_, None) => format!("{}/{}", self.format.encoding, self.format.clock_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::description::Kind;

    const ALL: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];

    fn local(codecs: &[Codec], port: u16) -> Local<'_> {
        Local {
            address: SocketAddr::from(([192, 0, 2, 1], port)),
            codecs,
            direction: Direction::SendRecv,
            session: 1,
            version: 1,
            ptime_ms: None,
            keys: Keys::NONE,
        }
    }

    #[test]
    fn extended_reports_are_answered_only_where_they_were_offered() {
        let offered = offer(&local(&ALL, 4000));
        let (answered, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        assert_eq!(answered.media[0].attribute("rtcp-xr"), Some("voip-metrics rcvr-rtt=all"));
        let both = Extended { voip_metrics: true, round_trip: true };
        assert_eq!((agreed.extended, accept(&offered, &answered).unwrap().extended), (both, both));
        let mut asked = offered.clone();
        asked.media[0].attributes = vec![("rtcp-xr".to_owned(), Some("pkt-loss-rle rcvr-rtt=sender:400".to_owned()))];
        let (_, agreed) = answer(&asked, &local(&ALL, 5000), None).unwrap();
        assert_eq!(agreed.extended, Extended { voip_metrics: false, round_trip: true });
        asked.media[0].attributes.clear();
        let (answered, agreed) = answer(&asked, &local(&ALL, 5000), None).unwrap();
        assert_eq!((answered.media[0].attribute("rtcp-xr"), agreed.extended), (None, Extended::default()));
    }

    #[test]
    fn an_answer_prefers_the_other_legs_codec() {
        let offered = offer(&local(&ALL, 4000));
        let (_, agreed) = answer(&offered, &local(&ALL, 5000), Some(Codec::Pcmu)).unwrap();
        assert_eq!(agreed.format.codec().unwrap(), Codec::Pcmu);
        let (_, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        assert_eq!(agreed.format.codec().unwrap(), Codec::Opus);
    }

    #[test]
    fn a_narrow_peer_is_met_with_a_narrow_codec() {
        let offered = offer(&local(&[Codec::Opus, Codec::Pcma], 4000));
        let (_, agreed) = answer(&offered, &local(&ALL, 5000), Some(Codec::Pcmu)).unwrap();
        assert_eq!(agreed.format.codec().unwrap(), Codec::Pcma);
    }

    #[test]
    fn offer_and_answer_agree_on_both_sides() {
        let ours = offer(&local(&ALL, 4000));
        let (answered, theirs) = answer(&ours, &local(&[Codec::Opus], 5000), None).unwrap();
        let agreed = accept(&ours, &answered).unwrap();
        assert_eq!((agreed.format.codec(), theirs.format.codec()), (Some(Codec::Opus), Some(Codec::Opus)));
        assert_eq!(agreed.format.payload_type, theirs.format.payload_type);
        assert_eq!(agreed.send_events.unwrap().clock_rate, 48_000);
        assert_eq!(agreed.remote.unwrap().port(), 5000);
        assert_eq!(agreed.remote_rtcp.unwrap().port(), 5001);
    }

    #[test]
    fn nothing_in_common_is_said_so() {
        let offered = offer(&local(&[Codec::G722], 4000));
        assert_eq!(answer(&offered, &local(&[Codec::Pcmu], 5000), None).unwrap_err(), Disagreement::NoCommonCodec);
        let mut secure = offer(&local(&ALL, 4000));
        secure.media[0].protocol = "RTP/SAVP".into();
        assert_eq!(answer(&secure, &local(&ALL, 5000), None).unwrap_err(), Disagreement::KeepsPlain);
        secure.media[0].protocol = "UDP/TLS/RTP/SAVPF".into();
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
        assert!(agreed.port_settings(Direction::SendRecv, None, &[], None).send.is_none());

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
        let narrow = sound::plain_format(Codec::Pcma);
        let settings = agreed.port_settings(Direction::SendRecv, Some(&narrow), &[], None);
        assert_eq!(settings.send.unwrap().opus.max_playback_rate, Some(8_000));
    }

    #[test]
    fn shared_codecs_are_offered_first() {
        assert_eq!(order(&ALL, &[Codec::Pcmu, Codec::Pcma])[..2], [Codec::Pcmu, Codec::Pcma]);
        assert_eq!(order(&ALL, &[Codec::Pcmu]).len(), 4);
    }

    fn read(lines: &[&str]) -> Description {
        let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n{}\r\n", lines.join("\r\n"));
        crate::wire::sdp::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn nothing_is_sent_to_groups_of_hosts() {
        for address in ["IP4 224.2.1.1/127", "IP4 255.255.255.255", "IP6 ff15::101"] {
            let offered = read(&[&format!("c=IN {address}"), "m=audio 4000 RTP/AVP 0"]);
            let (answered, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
            assert_eq!((agreed.remote, agreed.remote_rtcp), (None, None), "{address}");
            assert_eq!(answered.media[0].direction, Direction::RecvOnly);
        }
    }

    #[test]
    fn events_are_answered_as_they_were_offered() {
        let offered = read(&[
            "c=IN IP4 192.0.2.9",
            "m=audio 4000 RTP/AVP 111 0 110 126",
            "a=rtpmap:111 opus/48000/2",
            "a=rtpmap:110 telephone-event/48000",
            "a=fmtp:110 0-16",
            "a=rtpmap:126 telephone-event/8000",
        ]);
        let (answered, agreed) = answer(&offered, &local(&ALL, 5000), None).unwrap();
        let events: Vec<_> = answered.media[0].telephone_events().map(|event| event.fmtp.clone().unwrap()).collect();
        assert_eq!(events, ["0-16", "0-15"]);
        let sent = agreed.send_events.unwrap();
        assert_eq!((sent.payload_type, sent.clock_rate), (110, 48_000));
        assert!(sent.events.contains(16) && !agreed.receive_events[1].events.contains(16));
        let (_, narrow) = answer(&offered, &local(&[Codec::Pcmu], 5000), None).unwrap();
        assert_eq!(narrow.send_events.unwrap().payload_type, 126);
    }

    #[test]
    fn packets_that_could_not_be_taken_in_are_not_asked_for() {
        let linear = [Codec::L16 { rate: 48_000 }];
        let ours = offer(&local(&linear, 4000));
        assert_eq!((ours.media[0].ptime_ms, ours.media[0].maxptime_ms), (Some(10), Some(20)));
        let mut offered = offer(&local(&linear, 4000));
        offered.media[0].ptime_ms = Some(40);
        let (answered, agreed) = answer(&offered, &local(&linear, 5000), None).unwrap();
        assert_eq!((answered.media[0].ptime_ms, answered.media[0].maxptime_ms), (Some(10), Some(20)));
        assert_eq!(agreed.ptime_ms, 10);
        assert_eq!(offer(&local(&ALL, 4000)).media[0].maxptime_ms, None);
    }

    proptest::proptest! {
        #[test]
        fn an_answer_has_the_lines_of_its_offer_in_their_order(
            lines in proptest::collection::vec((0usize..9, 0u16..3, 0usize..4), 0..12),
        ) {
            const KINDS: [&str; 9] = [
                "audio {} RTP/AVP 0 8", "audio {} RTP/SAVP 0", "audio {} RTP/AVP 96 127", "video {} RTP/AVPF 34 96", "text {} RTP/AVP 98",
                "image {} udptl t38", "application {} TCP/BFCP *", "message {} TCP/MSRP *", "audio {} UDP/TLS/RTP/SAVPF 0",
            ];
            const MORE: [&str; 4] = ["a=sendonly", "c=IN IP4 0.0.0.0", "a=mid:x", "a=inactive"];
            let text: Vec<String> = lines
                .iter()
                .flat_map(|&(kind, port, more)| {
                    let line = format!("m={}", KINDS[kind].replace("{}", &(port * 1_000).to_string()));
                    [line, MORE[more].to_owned()]
                })
                .collect();
            let mut all = vec!["c=IN IP4 192.0.2.9"];
            all.extend(text.iter().map(String::as_str));
            let offered = read(&all);
            if let Ok((answered, _)) = answer(&offered, &local(&ALL, 5000), None) {
                proptest::prop_assert_eq!(answered.media.len(), offered.media.len());
                for (ours, theirs) in answered.media.iter().zip(&offered.media) {
                    proptest::prop_assert_eq!((&ours.kind, &ours.protocol), (&theirs.kind, &theirs.protocol));
                    proptest::prop_assert!(!theirs.is_refused() || ours.is_refused());
                }
                let taken = answered.media.iter().filter(|line| !line.is_refused()).count();
                proptest::prop_assert_eq!(taken, 1);
            }
        }
    }
}
