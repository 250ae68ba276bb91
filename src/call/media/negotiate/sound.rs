//! The audio line: what we decode and encode ourselves, and codecs that we don't have, which are relayed where both sides
//! share one.

use super::{Agreed, Disagreement, Line, Sound, endpoint, fmtp, numbering, relayed};
use crate::media::command::{EventFormat, EventSet, Extended, Noise, Receiving};
use crate::wire::description::{Format, Kind, Media};
use tandem_codecs::Codec;

/// Packet times that a peer may ask for, in milliseconds; others are rounded into this range.
const PTIME_MS: std::ops::RangeInclusive<u32> = 10..=60;
const DEFAULT_PTIME_MS: u32 = 20;
/// What a payload may have.
const PAYLOAD_BYTES: u32 = 1_400;
/// The longest packets of linear sound at 48 kHz that can be taken in.
const LINEAR_MAXPTIME_MS: u32 = 20;

/// The extended reports that we take, and write where they are asked for (RFC 3611 §5.1).
const EXTENDED: (&str, &str) = ("rtcp-xr", "voip-metrics rcvr-rtt=all");

/// Whether a line is one that we carry: audio over RTP, in clear or with keys in the description, not refused.
pub(super) fn is_sound(line: &Media) -> bool {
    line.kind == Kind::Audio && !line.is_refused() && line.is_rtp()
}

/// Sound in a codec that we don't have.
fn is_sealed_voice(format: &Format) -> bool {
    is_sealed(format) && !is_noise(format)
}

fn is_sealed(format: &Format) -> bool {
    format.codec().is_none() && !format.is_telephone_event() && relayed::passes(&Kind::Audio, format)
}

/// Linear sound at 48 kHz, whose packets are long.
fn is_linear(format: &Format) -> bool {
    format.codec() == Some(Codec::L16 { rate: 48_000 })
}

/// The packet time that a format leaves of what is wanted, since a packet has to cross the network in one piece.
fn fitting_ptime(format: Option<&Format>, wanted: u32) -> u32 {
    match format.and_then(Format::codec) {
        Some(Codec::L16 { rate }) if rate > 0 => wanted.min(PAYLOAD_BYTES * 500 / rate / 10 * 10),
        _ => wanted,
    }
}

/// Comfort noise (RFC 3389).
fn is_noise(format: &Format) -> bool {
    format.encoding.eq_ignore_ascii_case("CN")
}

/// Whether comfort noise has the clock of the sound (RFC 3389 §4). Opus has its own.
fn is_beside(noise: &Format, sound: &Format) -> bool {
    noise.clock_rate == sound.clock_rate && sound.codec().is_some_and(|codec| codec != Codec::Opus)
}

fn both_ways(payload_type: Option<u8>) -> Noise {
    Noise { receive: payload_type, send: payload_type }
}

/// Whether a line may have pauses of Opus' own, which others know as comfort noise.
fn may_pause(line: &Media) -> bool {
    line.formats.iter().any(|format| format.codec() == Some(Codec::Opus) && fmtp::Opus::of(format).usedtx)
}

/// Our offer of an audio line; none where nothing could be offered.
pub(super) fn offer(line: &Line<'_>, sound: &Sound<'_>) -> Option<Media> {
    let mut wanted = offered(sound);
    if !wanted.iter().any(|format| format.codec().is_some() || is_sealed_voice(format)) {
        return None;
    }
    for clock_rate in event_clocks(&wanted, sound.beside).into_iter().filter(|_| sound.events) {
        wanted.push(event_format(clock_rate, sound.beside));
    }
    let before = line.before.map(|before| before.formats.as_slice()).unwrap_or_default();
    let mut formats: Vec<Format> = Vec::new();
    // Numbers of the other side's are kept where they can be; ours move.
    let (sealed, ours): (Vec<_>, Vec<_>) = wanted.iter().partition(|format| is_sealed(format));
    for format in sealed.into_iter().chain(ours) {
        let payload_type = numbering::number(format, before, &formats)?;
        formats.push(Format { payload_type, ..format.clone() });
    }
    formats.sort_by_key(|format| wanted.iter().position(|wanted| fmtp::fits(wanted, format)));
    let has_sealed = formats.iter().any(is_sealed_voice);
    let beside = sound.beside.filter(|_| has_sealed);
    let wanted_ms = sound.ptime_ms.unwrap_or(DEFAULT_PTIME_MS);
    let linear = formats.iter().any(is_linear);
    Some(Media {
        direction: line.direction,
        ptime_ms: beside.and_then(|beside| beside.ptime_ms).or(Some(fitting_ptime(formats.first(), wanted_ms))),
        maxptime_ms: beside.and_then(|beside| beside.maxptime_ms).or(linear.then_some(LINEAR_MAXPTIME_MS)),
        formats,
        attributes: vec![our_extended()],
        ..Media::new(Kind::Audio, "RTP/AVP", line.address)
    })
}

/// What is spoken now, then what the other leg's peer also has in its order, then the rest; or nothing but a list that was
/// ordered so. Beside a peer whose sound can't be transcoded, only what can be relayed.
fn offered(sound: &Sound<'_>) -> Vec<Format> {
    let beside = sound.beside.map(|beside| beside.formats.as_slice()).unwrap_or_default();
    let is_ours = |format: &Format| format.codec().is_some_and(|codec| sound.codecs.contains(&codec));
    let speaks_sealed = match sound.towards {
        Some(towards) => towards.codec().is_none(),
        None => beside.iter().all(|format| format.codec().is_none()) && beside.iter().any(is_sealed_voice),
    };
    let mut formats: Vec<Format> = Vec::new();
    let mut add = |format: Format| {
        if formats.iter().all(|known| !fmtp::fits(known, &format)) {
            formats.push(format);
        }
    };
    if let Some(present) = sound.present.filter(|present| is_ours(present) && !speaks_sealed) {
        present.codec().map(|codec| our_format(codec, sound.beside)).into_iter().for_each(&mut add);
    }
    if !sound.keeps_order {
        for format in beside {
            match format.codec() {
                Some(codec) if is_ours(format) && !speaks_sealed => add(our_format(codec, sound.beside)),
                None if is_sealed_voice(format) => add(format.clone()),
                _ => {}
            }
        }
    }
    for place in 0..=sound.codecs.len() {
        let named = sound.relayed.iter().filter(|relayed| relayed.place == place);
        for name in named.map(|relayed| relayed.name) {
            let theirs = beside.iter().filter(|format| format.encoding.eq_ignore_ascii_case(name));
            theirs.filter(|format| is_sealed_voice(format)).cloned().for_each(&mut add);
        }
        if let Some(&codec) = sound.codecs.get(place).filter(|_| !speaks_sealed) {
            add(our_format(codec, sound.beside));
        }
    }
    beside.iter().filter(|format| is_noise(format)).cloned().for_each(&mut add);
    if !speaks_sealed && sound.beside.is_some_and(may_pause) {
        add(Format { payload_type: 13, encoding: "CN".into(), clock_rate: 8_000, channels: 1, fmtp: None });
    }
    formats
}

/// Our answer to an offered audio line, in the codec that what the other leg speaks makes cheapest.
pub(super) fn answer(theirs: &Media, line: &Line<'_>, sound: &Sound<'_>) -> Result<(Media, Agreed), Disagreement> {
    if !is_sound(theirs) {
        return Err(Disagreement::NoAudio);
    }
    let format = choose_beside(theirs, sound).ok_or_else(|| lack(theirs))?;
    let other = sound.beside.and_then(|beside| fmtp::find(&beside.formats, format));
    let parameters = match format.codec() {
        Some(codec) => our_format(codec, sound.beside).fmtp,
        None => other.and_then(|other| fmtp::answered(format, other)),
    };
    let mut formats = vec![Format { fmtp: parameters, ..format.clone() }];
    let noises = theirs.formats.iter().filter(|format| is_noise(format));
    let shared = |noise: &Format| sound.beside.is_some_and(|beside| fmtp::find(&beside.formats, noise).is_some());
    // Beside sound that is transcoded we make and understand it ourselves.
    let other_codec = sound.towards.and_then(Format::codec);
    let is_transcoded = other_codec.is_some_and(|other| format.codec() != Some(other));
    let suits = |noise: &&Format| match format.codec() {
        Some(_) => is_beside(noise, format) && (shared(noise) || is_transcoded),
        None => shared(noise),
    };
    formats.extend(noises.filter(suits).cloned());
    let events = || theirs.telephone_events().filter(|_| sound.events);
    formats.extend(events().map(answered_event));
    let mut agreed = agreed(format.clone(), theirs, sound.ptime_ms);
    agreed.send_events = agreed.send_events.filter(|_| sound.events);
    agreed.rtcp_mux = theirs.rtcp_mux;
    let noise = formats.iter().find(|noise| is_noise(noise) && is_beside(noise, format));
    agreed.noise = both_ways(noise.map(|noise| noise.payload_type));
    let is_ours = |sealed: &Format| is_noise(sealed) && format.codec().is_some();
    agreed.hears = formats.iter().filter(|format| is_sealed(format) && !is_ours(format)).cloned().collect();
    agreed.receive =
        format.codec().map(|codec| Receiving { payload_type: format.payload_type, codec }).into_iter().collect();
    agreed.receive_events = events().map(event_of).collect();
    let sealed = other.is_some() && format.codec().is_none();
    let beside = sound.beside.filter(|_| sealed);
    let ours = Media {
        rtcp_mux: theirs.rtcp_mux,
        direction: endpoint::restricted(line.direction, agreed.peer_wants),
        formats,
        ptime_ms: beside.and_then(|beside| beside.ptime_ms).or(Some(agreed.ptime_ms)),
        maxptime_ms: beside.and_then(|beside| beside.maxptime_ms).or(is_linear(format).then_some(LINEAR_MAXPTIME_MS)),
        // Who never heard of them isn't told of them.
        attributes: theirs
            .attributes
            .iter()
            .any(|(name, _)| name == EXTENDED.0)
            .then(our_extended)
            .into_iter()
            .collect(),
        ..Media::new(Kind::Audio, &theirs.protocol, line.address)
    };
    Ok((ours, agreed))
}

/// What the peer's answer to our audio line means.
pub(super) fn accept(ours: &Media, theirs: &Media) -> Result<Agreed, Disagreement> {
    if theirs.kind != Kind::Audio {
        return Err(Disagreement::UnfitAnswer);
    }
    if theirs.is_refused() {
        return Err(Disagreement::NoCommonCodec);
    }
    if !theirs.is_rtp() {
        return Err(Disagreement::UnfitAnswer);
    }
    // The answer's first format that we offered is what both sides send; payload types may differ by direction.
    let offered = |format: &Format| fmtp::find(&ours.formats, format).or_else(|| same_codec(ours, format));
    let is_main = |format: &&Format| format.codec().is_some() || is_sealed_voice(format);
    let shared = || theirs.formats.iter().filter(is_main).filter(|format| offered(format).is_some());
    let format = shared().next().ok_or(Disagreement::NoCommonCodec)?;
    let mut agreed = agreed(format.clone(), theirs, ours.ptime_ms);
    // A peer may send any codec of its answer, so each is understood.
    for answered in shared() {
        let (Some(codec), Some(offered)) = (answered.codec(), offered(answered)) else { continue };
        for payload_type in [offered.payload_type, answered.payload_type] {
            if !agreed.receive.iter().any(|known| known.payload_type == payload_type) {
                agreed.receive.push(Receiving { payload_type, codec });
            }
        }
    }
    let noise = theirs.formats.iter().find(|noise| is_noise(noise) && is_beside(noise, format));
    let noise = noise.filter(|noise| offered(noise).is_some()).map(|noise| noise.payload_type);
    agreed.noise = both_ways(noise);
    let is_ours = |sealed: &Format| is_noise(sealed) && format.codec().is_some();
    agreed.hears = relayed::shared(&ours.formats, &theirs.formats, |format| is_sealed(format) && !is_ours(format));
    agreed.receive_events = ours.telephone_events().chain(theirs.telephone_events()).map(event_of).collect();
    // What we didn't offer isn't taken.
    if ours.telephone_events().next().is_none() {
        (agreed.send_events, agreed.receive_events) = (None, Vec::new());
    }
    agreed.rtcp_mux = ours.rtcp_mux && theirs.rtcp_mux;
    Ok(agreed)
}

fn same_codec<'a>(line: &'a Media, wanted: &Format) -> Option<&'a Format> {
    let codec = wanted.codec()?;
    line.formats.iter().find(|format| format.codec() == Some(codec))
}

fn agreed(format: Format, theirs: &Media, ptime_ms: Option<u32>) -> Agreed {
    let opus = match format.codec() {
        Some(Codec::Opus) => fmtp::Opus::of(&format).settings(),
        _ => Default::default(),
    };
    Agreed {
        send_events: fitting_event(theirs, &format),
        ptime_ms: fitting_ptime(Some(&format), ptime(theirs, ptime_ms)),
        opus,
        extended: extended(theirs),
        ..Agreed::new(format, theirs)
    }
}

fn our_extended() -> (String, Option<String>) {
    (EXTENDED.0.to_owned(), Some(EXTENDED.1.to_owned()))
}

/// What the peer's line asks for (RFC 3611 §5.1): one that only listens for `rcvr-rtt=sender` is answered as well.
fn extended(theirs: &Media) -> Extended {
    let asked = theirs.attribute(EXTENDED.0).unwrap_or_default();
    let has = |name: &str| asked.split_ascii_whitespace().any(|word| word.split(['=', ':']).next() == Some(name));
    Extended { voip_metrics: has("voip-metrics"), round_trip: has("rcvr-rtt") }
}

/// Whether an offered line has something that a leg which may speak `ours`, or relay the rest, can answer.
pub(super) fn suits(theirs: &Media, ours: &[Codec]) -> bool {
    let usable = |format: &Format| match format.codec() {
        Some(codec) => ours.contains(&codec),
        None => is_sealed_voice(format),
    };
    is_sound(theirs) && theirs.formats.iter().any(usable)
}

/// Why nothing of an offered line can be taken.
fn lack(theirs: &Media) -> Disagreement {
    match theirs.formats.iter().any(is_sealed_voice) {
        true => Disagreement::OnlyRelayed,
        false => Disagreement::NoCommonCodec,
    }
}

fn choose_beside<'a>(theirs: &'a Media, sound: &Sound<'_>) -> Option<&'a Format> {
    match sound.towards {
        Some(towards) if towards.codec().is_none() => {
            let shared = fmtp::find(&theirs.formats, towards);
            shared.or_else(|| choose(theirs, sound.codecs, None, sound.keeps_order))
        }
        towards => choose(theirs, sound.codecs, towards.and_then(Format::codec), sound.keeps_order),
    }
}

/// Picks the codec that costs least beside the other leg's: the same one, then one of the same bandwidth, then whoever's
/// order counts: the peer's own, unless ours was set.
fn choose<'a>(theirs: &'a Media, ours: &[Codec], towards: Option<Codec>, in_our_order: bool) -> Option<&'a Format> {
    let place = |format: &&Format| ours.iter().position(|&codec| Some(codec) == format.codec());
    let mut usable: Vec<&Format> = theirs.formats.iter().filter(|format| place(format).is_some()).collect();
    if in_our_order {
        usable.sort_by_key(place);
    }
    let find = |fits: &dyn Fn(Codec) -> bool| usable.iter().copied().find(|format| format.codec().is_some_and(fits));
    let Some(towards) = towards else { return usable.first().copied() };
    let is_narrow = towards.sample_rate() == 8_000;
    find(&|codec| codec == towards)
        .or_else(|| find(&|codec| (codec.sample_rate() == 8_000) == is_narrow))
        .or_else(|| usable.first().copied())
}

/// A codec by itself.
pub(super) fn plain_format(codec: Codec) -> Format {
    our_format(codec, None)
}

/// A codec as we call it. Opus tells what whoever hears it wants: the other leg's peer, where it has Opus too.
fn our_format(codec: Codec, beside: Option<&Media>) -> Format {
    let opus = || {
        let mut theirs = beside.into_iter().flat_map(|beside| &beside.formats);
        let theirs = theirs.find(|format| format.codec() == Some(Codec::Opus));
        let text = theirs.map_or(fmtp::Opus::OURS, fmtp::Opus::of).text();
        (!text.is_empty()).then_some(text)
    };
    let (payload_type, channels, fmtp) = match codec {
        Codec::Pcmu => (0, 1, None),
        Codec::Pcma => (8, 1, None),
        Codec::G722 => (9, 1, None),
        Codec::Opus => (96, 2, opus()),
        Codec::L16 { rate: 8_000 } => (97, 1, None),
        Codec::L16 { rate: 16_000 } => (98, 1, None),
        Codec::L16 { .. } => (99, 1, None),
    };
    Format { payload_type, encoding: codec.name().into(), clock_rate: codec.clock_rate(), channels, fmtp }
}

/// Telephone-events run on the clock of the sound beside them (RFC 4733 §2.1); everyone has those of 8 kHz.
fn event_clocks(formats: &[Format], beside: Option<&Media>) -> Vec<u32> {
    let mut clocks = vec![8_000];
    let spoken = |rate: u32| formats.iter().any(|format| format.clock_rate == rate);
    clocks.extend(spoken(48_000).then_some(48_000));
    for event in beside.into_iter().flat_map(Media::telephone_events) {
        if spoken(event.clock_rate) && !clocks.contains(&event.clock_rate) {
            clocks.push(event.clock_rate);
        }
    }
    clocks
}

/// The digits, and whatever else the other leg's peer understands.
fn event_format(clock_rate: u32, beside: Option<&Media>) -> Format {
    let theirs = beside.into_iter().flat_map(Media::telephone_events).next();
    let fmtp = match theirs.map(fmtp::events) {
        Some(events) if events != EventSet::default() => fmtp::events_text(events),
        _ => "0-15".to_owned(),
    };
    Format {
        payload_type: if clock_rate == 8_000 { 101 } else { 102 },
        encoding: "telephone-event".into(),
        clock_rate,
        channels: 1,
        fmtp: Some(fmtp),
    }
}

/// All that the peer offers, since what isn't ours to act on is passed on.
fn answered_event(offered: &Format) -> Format {
    let events = fmtp::events(offered);
    let text = if events == EventSet::default() { "0-15".to_owned() } else { fmtp::events_text(events) };
    Format { fmtp: Some(text), ..offered.clone() }
}

fn event_of(format: &Format) -> EventFormat {
    let events = fmtp::events(format);
    EventFormat { payload_type: format.payload_type, clock_rate: format.clock_rate, events }
}

/// The telephone-event whose clock is the codec's, as RFC 4733 §2.1 asks; otherwise whatever the peer has.
fn fitting_event(media: &Media, beside: &Format) -> Option<EventFormat> {
    let fitting = media.telephone_events().find(|event| event.clock_rate == beside.clock_rate);
    fitting.or_else(|| media.telephone_events().next()).map(event_of)
}

fn ptime(theirs: &Media, ours: Option<u32>) -> u32 {
    let wanted = theirs.ptime_ms.or(ours).unwrap_or(DEFAULT_PTIME_MS);
    let most = theirs.maxptime_ms.unwrap_or(u32::MAX).max(*PTIME_MS.start());
    (wanted.min(most) / 10 * 10).clamp(*PTIME_MS.start(), *PTIME_MS.end())
}
