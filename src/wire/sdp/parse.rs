//! SDP → description.

use super::payload::assigned;
use super::{MAX_ATTRIBUTES, MAX_BANDWIDTHS, MAX_BYTES, MAX_FORMATS, MAX_MEDIA};
use crate::wire::description::{Description, Direction, Format, Kind, Media, UNRESOLVED_HOST, known};
use sdp_types::{AddrType, Attribute, Connection, ParserError, Session};
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
    let (text, media_lines) = cleaned(bytes)?;
    let session = Session::parse(text.as_bytes()).map_err(located)?;
    let mut media = Vec::with_capacity(session.medias.len());
    for (line, number) in session.medias.iter().zip(media_lines) {
        media.push(read_media(&session, line, number)?);
    }
    Ok(Description {
        session: session.origin.sess_id.parse().unwrap_or_default(),
        version: session.origin.sess_version,
        media,
    })
}

/// The lines that matter, as UTF-8, each in its place so that errors count right; and the numbers of the media lines.
fn cleaned(bytes: &[u8]) -> Result<(String, Vec<usize>), SdpError> {
    let mut text = String::with_capacity(bytes.len());
    let mut media_lines = Vec::new();
    let mut attributes = 0;
    let (mut has_origin, mut has_address) = (false, false);
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = decoded(line.trim_ascii());
        match line.get(..2) {
            Some("m=") => {
                media_lines.push(index + 1);
                (attributes, has_address) = (0, false);
                if media_lines.len() > MAX_MEDIA {
                    return Err(error(index + 1, format!("more than {MAX_MEDIA} media lines")));
                }
                text.push_str(&media_line(&line));
            }
            Some("a=") => {
                attributes += 1;
                if attributes > MAX_ATTRIBUTES {
                    return Err(error(index + 1, format!("more than {MAX_ATTRIBUTES} attributes")));
                }
                text.push_str(&line);
            }
            Some("v=") => text.push_str(&line),
            // Of several in one place the first counts: others are layers of a group (RFC 8866 §5.7), or a mistake.
            Some("c=") if !std::mem::replace(&mut has_address, true) => text.push_str(&line),
            Some("b=") if is_bandwidth(&line) => text.push_str(&line),
            Some("o=") if !has_origin && is_origin(&line) => {
                has_origin = true;
                text.push_str(&line);
            }
            _ => {}
        }
        text.push('\n');
    }
    Ok((text, media_lines))
}

fn decoded(line: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => line.iter().map(|&byte| char::from(byte)).collect(),
    };
    match text.contains(['\0', '\r']) {
        true => text.replace(['\0', '\r'], " ").into(),
        false => text,
    }
}

/// Runs of spaces become one, and a line without formats gets an empty list of them.
fn media_line(line: &str) -> String {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let end = if words.len() == 3 { " " } else { "" };
    words.join(" ") + end
}

/// Some phones number their sessions beyond 64 bits or leave fields out, which is no reason to refuse a call.
fn is_bandwidth(line: &str) -> bool {
    let value = line.split_once(':').filter(|(name, _)| name.len() > 2);
    value.is_some_and(|(_, value)| value.parse::<u64>().is_ok())
}

fn is_origin(line: &str) -> bool {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    fields.len() == 6 && fields.get(2).is_some_and(|version| version.parse::<u64>().is_ok())
}

fn read_media(session: &Session, media: &sdp_types::Media, line: usize) -> Result<Media, SdpError> {
    let connection = media.connections.first().or(session.connection.as_ref());
    let (ip, unresolved_host) = match connection {
        Some(connection) => read_connection(connection),
        // A line without an address can still be refused, as long as another has one.
        None if media.port == 0 || session.medias.iter().any(|media| !media.connections.is_empty()) => {
            (Ipv4Addr::UNSPECIFIED.into(), None)
        }
        None => return Err(error(line, "the media has no c= line, nor has the session".into())),
    };
    let is_rtp = media.proto.split('/').any(|part| part.eq_ignore_ascii_case("RTP"));
    let formats = if is_rtp { read_formats(media, line)? } else { Vec::new() };
    let value = |name| attribute(&media.attributes, name).or(attribute(&session.attributes, name)).flatten();
    let milliseconds = |name| value(name).and_then(|text| text.trim().parse().ok()).filter(|&ms| ms > 0);
    let mut attributes = other_attributes(session, media);
    attributes.extend(unresolved_host.map(|host| (UNRESOLVED_HOST.to_string(), Some(host))));
    Ok(Media {
        kind: read_kind(&media.media),
        protocol: known(&media.proto),
        address: SocketAddr::new(ip, media.port),
        rtcp: attribute(&media.attributes, "rtcp").flatten().and_then(|text| read_rtcp(text, ip)),
        rtcp_mux: attribute(&media.attributes, "rtcp-mux").is_some(),
        direction: read_direction(&media.attributes).or(read_direction(&session.attributes)).unwrap_or_default(),
        raw_formats: if formats.is_empty() { media.fmt.clone() } else { String::new() },
        formats,
        ptime_ms: milliseconds("ptime"),
        maxptime_ms: milliseconds("maxptime"),
        bandwidths: media.bandwidths.iter().take(MAX_BANDWIDTHS).map(|b| (b.bwtype.clone(), b.bandwidth)).collect(),
        attributes,
    })
}

fn read_kind(text: &str) -> Kind {
    match text {
        _ if text.eq_ignore_ascii_case("audio") => Kind::Audio,
        _ if text.eq_ignore_ascii_case("video") => Kind::Video,
        other => Kind::Other(other.to_string()),
    }
}

/// The address, or an unspecified one and the name that stands in its place.
fn read_connection(connection: &Connection) -> (IpAddr, Option<String>) {
    let address = connection.connection_address.split('/').next().unwrap_or_default();
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match bare.parse() {
        Ok(ip) => (ip, None),
        Err(_) if connection.addrtype == AddrType::Ip6 => (Ipv6Addr::UNSPECIFIED.into(), Some(address.to_string())),
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

fn read_direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| direction(&attribute.attribute))
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
fn read_formats(media: &sdp_types::Media, line: usize) -> Result<Vec<Format>, SdpError> {
    let mut formats: Vec<Format> = Vec::new();
    for (count, word) in media.fmt.split_ascii_whitespace().enumerate() {
        if count >= MAX_FORMATS {
            return Err(error(line, format!("more than {MAX_FORMATS} formats")));
        }
        let Some(payload_type) = word.parse().ok().filter(|&payload_type: &u8| payload_type < 128) else { continue };
        if formats.iter().all(|format| format.payload_type != payload_type) {
            formats.push(read_format(media, payload_type));
        }
    }
    Ok(formats)
}

/// One payload type. A dynamic one that has no `rtpmap` has no name and no clock rate.
fn read_format(media: &sdp_types::Media, payload_type: u8) -> Format {
    let about = |name| {
        let values = media.attributes.iter().filter(move |attribute| attribute.attribute == name);
        values.filter_map(|attribute| attribute.value.as_deref()?.trim_start().split_once([' ', '\t'])).find_map(
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

/// Session attributes that say something about each media line which doesn't say it itself (RFC 8839, RFC 8842).
const INHERITED: [&str; 5] = ["ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup"];

fn other_attributes(session: &Session, media: &sdp_types::Media) -> Vec<(String, Option<String>)> {
    let own = media.attributes.iter().filter(|attribute| !is_read(&attribute.attribute));
    let inherited = session.attributes.iter().filter(|inherited| {
        let name = inherited.attribute.as_str();
        INHERITED.contains(&name) && attribute(&media.attributes, name).is_none()
    });
    own.chain(inherited).map(|attribute| (attribute.attribute.clone(), attribute.value.clone())).collect()
}

/// The first attribute of that name, with its value if it has one.
fn attribute<'a>(attributes: &'a [Attribute], name: &str) -> Option<Option<&'a str>> {
    attributes.iter().find(|attribute| attribute.attribute == name).map(|attribute| attribute.value.as_deref())
}

fn located(problem: ParserError) -> SdpError {
    use ParserError as P;
    let line = match problem {
        P::InvalidLineFormat(line, _) | P::InvalidFieldEncoding(line, _) | P::InvalidFieldFormat(line, _) => line,
        P::MissingField(line, _) | P::FieldTrailingData(line, _) | P::InvalidVersion(line, _) => line,
        P::MultipleVersions(line) | P::MultipleOrigins(line) | P::MultipleConnections(line) => line,
        P::NoVersion => return error(1, "the description doesn't start with v=0".into()),
        _ => 0,
    };
    error(line, problem.to_string())
}

fn error(line: usize, what: String) -> SdpError {
    SdpError { line, what }
}
