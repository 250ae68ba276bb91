//! SDP → description.

use super::payload::assigned;
use super::{MAX_ATTRIBUTES, MAX_BANDWIDTHS, MAX_BYTES, MAX_FORMATS, MAX_MEDIA};
use crate::wire::description::{Description, Direction, Format, Kind, Media, UNRESOLVED_HOST, known};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Why a text is no description that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdpError {
    /// Counted from 1; zero where it is no line's fault.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "SDP: {}", self.what),
            line => write!(f, "SDP line {line}: {}", self.what),
        }
    }
}

impl std::error::Error for SdpError {}

/// Reads an offer or an answer. What doesn't matter to media may be wrong: only `v=`, `c=`, `m=` and `a=` are looked at
/// closely. Bytes that aren't UTF-8 are read as Latin-1, line by line.
///
/// A host name in `c=` isn't resolved: the address is unspecified and
/// [`Media::unresolved_host`](crate::wire::description::Media::unresolved_host) has the name.
pub fn parse(bytes: &[u8]) -> Result<Description, SdpError> {
    if bytes.len() > MAX_BYTES {
        return Err(error(0, format!("more than {MAX_BYTES} bytes")));
    }
    let text = decoded(bytes);
    let (session, media) = sections(&text)?;
    let some_have_addresses = media.iter().any(|media| media.connection.is_some());
    let (id, version) = session.origin.unwrap_or_default();
    let mut lines = Vec::with_capacity(media.len());
    for media in &media {
        lines.push(read_media(&session, media, some_have_addresses)?);
    }
    Ok(Description { session: id, version, media: lines })
}

/// What stands before the first media line, or of one media line and what belongs to it.
#[derive(Default)]
struct Section<'a> {
    /// The number of its media line.
    line: usize,
    /// The words of the media line: what it is, the transport, and its formats as written.
    kind: &'a str,
    port: u16,
    protocol: &'a str,
    formats: &'a str,
    /// Session id and version.
    origin: Option<(u64, u64)>,
    connection: Option<Connection<'a>>,
    bandwidths: SmallVec<[(&'a str, u64); 2]>,
    attributes: SmallVec<[Attribute<'a>; 12]>,
}

#[derive(Clone, Copy)]
struct Connection<'a> {
    family: &'a str,
    address: &'a str,
}

/// Name, and value where it has one.
type Attribute<'a> = (&'a str, Option<&'a str>);

fn sections(text: &str) -> Result<(Section<'_>, SmallVec<[Section<'_>; 2]>), SdpError> {
    let mut session = Section::default();
    let mut media: SmallVec<[Section<'_>; 2]> = SmallVec::new();
    let (mut has_version, mut about) = (false, None);
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let line = line.trim_ascii();
        let Some((key, value)) = line.split_at_checked(2) else { continue };
        let count = media.len();
        let section = media.last_mut().unwrap_or(&mut session);
        match key {
            "m=" if count >= MAX_MEDIA => {
                return Err(error(number, format!("more than {MAX_MEDIA} media lines")));
            }
            "m=" => media.push(media_line(value, number)?),
            "a=" if section.attributes.len() >= MAX_ATTRIBUTES => {
                return Err(error(number, format!("more than {MAX_ATTRIBUTES} attributes")));
            }
            "a=" => section.attributes.push(match value.split_once(':') {
                Some((name, value)) => (name, Some(value)),
                None => (value, None),
            }),
            "v=" if value != "0" || has_version => {
                return Err(error(number, "the description has one v= line, which says 0".into()));
            }
            "v=" => has_version = true,
            // Of several in one place the first counts: others are layers of a group (RFC 8866 §5.7), or a mistake.
            "c=" if section.connection.is_none() => section.connection = Some(connection(value, number)?),
            "b=" => section.bandwidths.extend(bandwidth(value)),
            "o=" if about.is_none() => about = origin(value),
            _ => {}
        }
    }
    session.origin = about;
    match has_version {
        true => Ok((session, media)),
        false => Err(error(1, "the description doesn't start with v=0".into())),
    }
}

/// All of it as text in which a line ends with LF, alone or after CR.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let is_plain = |text: &&str| !text.contains('\0') && text.matches('\r').count() == text.matches("\r\n").count();
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split(|&byte| byte == b'\n') {
        let blank = |letter: char| if matches!(letter, '\0' | '\r') { ' ' } else { letter };
        match std::str::from_utf8(line) {
            Ok(line) => text.extend(line.chars().map(blank)),
            Err(_) => text.extend(line.iter().map(|&byte| blank(char::from(byte)))),
        }
        text.push('\n');
    }
    Cow::Owned(text)
}

fn media_line(value: &str, line: usize) -> Result<Section<'_>, SdpError> {
    let (kind, rest) = word(value);
    let (port, rest) = word(rest);
    let (protocol, formats) = word(rest);
    if protocol.is_empty() {
        return Err(error(line, "a media line has a kind, a port and a transport".into()));
    }
    let (port, count) = port.split_once('/').unwrap_or((port, "1"));
    let (Ok(port), Ok(_)) = (port.parse(), count.parse::<u16>()) else {
        return Err(error(line, "the port of the media line is no port".into()));
    };
    Ok(Section { line, kind, port, protocol, formats, ..Section::default() })
}

/// The first word, and what follows it and the space behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_ascii_start();
    let end = text.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_ascii())
}

fn connection(value: &str, line: usize) -> Result<Connection<'_>, SdpError> {
    let mut words = value.split_ascii_whitespace();
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(_), Some(family), Some(address), None) => Ok(Connection { family, address }),
        _ => Err(error(line, "a c= line has a network, a family and an address".into())),
    }
}

fn bandwidth(value: &str) -> Option<(&str, u64)> {
    let (name, value) = value.split_once(':')?;
    Some((name, value.parse().ok()?)).filter(|_| !name.is_empty())
}

/// Some phones number their sessions beyond 64 bits or leave fields out, which is no reason to refuse a call.
fn origin(value: &str) -> Option<(u64, u64)> {
    let mut words = value.split_ascii_whitespace().skip(1);
    let (id, version) = (words.next()?, words.next()?.parse().ok()?);
    (words.count() == 3).then(|| (id.parse().unwrap_or_default(), version))
}

fn read_media(session: &Section<'_>, media: &Section<'_>, some_have_addresses: bool) -> Result<Media, SdpError> {
    let (ip, unresolved_host) = match media.connection.or(session.connection) {
        Some(connection) => read_connection(connection),
        // A line without an address can still be refused, as long as another has one.
        None if media.port == 0 || some_have_addresses => (Ipv4Addr::UNSPECIFIED.into(), None),
        None => return Err(error(media.line, "the media has no c= line, nor has the session".into())),
    };
    let is_rtp = media.protocol.split('/').any(|part| part.eq_ignore_ascii_case("RTP"));
    let formats = if is_rtp { read_formats(media)? } else { Vec::new() };
    let value = |name| attribute(&media.attributes, name).or(attribute(&session.attributes, name)).flatten();
    let milliseconds = |name| value(name).and_then(|text| text.trim().parse().ok()).filter(|&ms| ms > 0);
    let mut attributes = other_attributes(session, media);
    attributes.extend(unresolved_host.map(|host| (UNRESOLVED_HOST.to_string(), Some(host))));
    let bandwidths = media.bandwidths.iter().take(MAX_BANDWIDTHS);
    Ok(Media {
        kind: read_kind(media.kind),
        protocol: known(media.protocol),
        address: SocketAddr::new(ip, media.port),
        rtcp: attribute(&media.attributes, "rtcp").flatten().and_then(|text| read_rtcp(text, ip)),
        rtcp_mux: attribute(&media.attributes, "rtcp-mux").is_some(),
        direction: read_direction(&media.attributes).or(read_direction(&session.attributes)).unwrap_or_default(),
        raw_formats: if formats.is_empty() { single_spaced(media.formats) } else { String::new() },
        formats,
        ptime_ms: milliseconds("ptime"),
        maxptime_ms: milliseconds("maxptime"),
        bandwidths: bandwidths.map(|&(name, value)| (name.to_string(), value)).collect(),
        attributes,
    })
}

fn single_spaced(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        single.push_str(if single.is_empty() { "" } else { " " });
        single.push_str(word);
    }
    single
}

fn read_kind(text: &str) -> Kind {
    match text {
        _ if text.eq_ignore_ascii_case("audio") => Kind::Audio,
        _ if text.eq_ignore_ascii_case("video") => Kind::Video,
        other => Kind::Other(other.to_string()),
    }
}

/// The address, or an unspecified one and the name that stands in its place.
fn read_connection(connection: Connection<'_>) -> (IpAddr, Option<String>) {
    let address = connection.address.split('/').next().unwrap_or_default();
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match bare.parse() {
        Ok(ip) => (ip, None),
        Err(_) if connection.family.eq_ignore_ascii_case("IP6") => {
            (Ipv6Addr::UNSPECIFIED.into(), Some(address.to_string()))
        }
        Err(_) => (Ipv4Addr::UNSPECIFIED.into(), Some(address.to_string())),
    }
}

/// `port [IN IP4 address]` (RFC 3605 §2.1). A name for an address stands for the address of the media.
fn read_rtcp(text: &str, media_ip: IpAddr) -> Option<SocketAddr> {
    let mut words = text.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|&port| port > 0)?;
    let ip = words.nth(2).and_then(|address| address.parse().ok()).unwrap_or(media_ip);
    Some(SocketAddr::new(ip, port))
}

fn read_direction(attributes: &[Attribute<'_>]) -> Option<Direction> {
    attributes.iter().find_map(|(name, _)| direction(name))
}

fn direction(name: &str) -> Option<Direction> {
    match name {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

/// The payload types in their order, each once. What is no payload type is left out.
fn read_formats(media: &Section<'_>) -> Result<Vec<Format>, SdpError> {
    let mut formats: Vec<Format> = Vec::new();
    for (count, word) in media.formats.split_ascii_whitespace().enumerate() {
        if count >= MAX_FORMATS {
            return Err(error(media.line, format!("more than {MAX_FORMATS} formats")));
        }
        let Some(payload_type) = word.parse().ok().filter(|&payload_type: &u8| payload_type < 128) else { continue };
        if formats.iter().all(|format| format.payload_type != payload_type) {
            formats.push(read_format(media, payload_type));
        }
    }
    Ok(formats)
}

/// One payload type. A dynamic one that has no `rtpmap` has no name and no clock rate.
fn read_format(media: &Section<'_>, payload_type: u8) -> Format {
    let about = |name| {
        let values = media.attributes.iter().filter(move |(known, _)| *known == name);
        values.filter_map(|(_, value)| (*value)?.trim_start().split_once([' ', '\t'])).find_map(
            move |(number, rest)| {
                (number.parse() == Ok(payload_type)).then_some(rest.trim()).filter(|rest| !rest.is_empty())
            },
        )
    };
    let (encoding, clock_rate, channels) = match about("rtpmap").and_then(read_rtpmap) {
        Some((encoding, clock_rate, channels)) => (known(encoding), clock_rate, channels),
        None => match assigned(payload_type) {
            Some((encoding, clock_rate, channels)) => (known(encoding), clock_rate, channels),
            None => (Cow::Borrowed(""), 0, 1),
        },
    };
    Format { payload_type, encoding, clock_rate, channels, fmtp: about("fmtp").map(str::to_string) }
}

/// `encoding/clock rate[/channels]` (RFC 8866 §6.6).
fn read_rtpmap(text: &str) -> Option<(&str, u32, u8)> {
    let mut parts = text.split('/').map(str::trim);
    let encoding = parts.next().filter(|encoding| !encoding.is_empty())?;
    let clock_rate = parts.next()?.parse().ok()?;
    let channels =
        parts.next().and_then(|channels| channels.parse().ok()).filter(|&channels| channels > 0).unwrap_or(1);
    Some((encoding, clock_rate, channels))
}

/// Whether a field of [`Media`] holds the attribute's meaning.
pub(super) fn is_read(name: &str) -> bool {
    let fields = ["rtpmap", "fmtp", "ptime", "maxptime", "rtcp", "rtcp-mux", UNRESOLVED_HOST];
    fields.contains(&name) || direction(name).is_some()
}

/// Session attributes that say something about each media line which doesn't say it itself (RFC 8839, RFC 8842, RFC 3611 §5).
const INHERITED: [&str; 6] = ["ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "rtcp-xr"];

fn other_attributes(session: &Section<'_>, media: &Section<'_>) -> Vec<(String, Option<String>)> {
    let own = media.attributes.iter().filter(|(name, _)| !is_read(name));
    let is_missing = |name: &str| attribute(&media.attributes, name).is_none();
    let inherited = session.attributes.iter().filter(|(name, _)| INHERITED.contains(name) && is_missing(name));
    own.chain(inherited).map(|&(name, value)| (name.to_string(), value.map(str::to_string))).collect()
}

/// The first attribute of that name, with its value if it has one.
fn attribute<'a>(attributes: &[Attribute<'a>], name: &str) -> Option<Option<&'a str>> {
    attributes.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
}

fn error(line: usize, what: String) -> SdpError {
    SdpError { line, what }
}
