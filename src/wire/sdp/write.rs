//! Description → SDP.

use super::parse::is_read;
use crate::wire::description::{Description, Direction, Format, Media};
use sdp_types::{AddrType, Attribute, Bandwidth, Connection, NetType, Origin, Session};
use std::net::{IpAddr, Ipv4Addr};

/// Writes an offer or an answer under a name for its session (`s=`), `-` where the name is empty. Every payload type
/// gets its `rtpmap`, the assigned ones too, since some phones look for nothing else.
pub fn write(description: &Description, session_name: &str) -> String {
    let first = description.media.iter().find(|media| !media.is_refused()).or(description.media.first());
    let ip = first.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |media| media.address.ip());
    let session = Session {
        origin: Origin {
            // `-` is legal (RFC 8866 §5.2), and yet there are readers who want letters here.
            username: Some("tandem".into()),
            sess_id: description.session.to_string(),
            sess_version: description.version,
            nettype: NetType::In,
            addrtype: AddrType::from(ip),
            unicast_address: ip.to_string(),
        },
        session_name: if session_name.is_empty() { "-".into() } else { session_name.into() },
        session_description: None,
        uri: None,
        emails: Vec::new(),
        phones: Vec::new(),
        connection: Some(Connection::from_ip_addr(ip)),
        bandwidths: Vec::new(),
        times: Vec::new(),
        time_zones: Vec::new(),
        key: None,
        attributes: Vec::new(),
        medias: description.media.iter().map(|media| media_line(media, ip)).collect(),
    };
    let mut bytes = Vec::with_capacity(512);
    // Writing to memory doesn't fail.
    let _ = session.write(&mut bytes);
    String::from_utf8(bytes).unwrap_or_default()
}

fn media_line(media: &Media, session_ip: IpAddr) -> sdp_types::Media {
    let ip = media.address.ip();
    sdp_types::Media {
        media: word(media.kind.as_str()),
        port: media.address.port(),
        num_ports: None,
        proto: word(&media.protocol),
        fmt: formats(media),
        media_title: None,
        connections: (ip != session_ip).then(|| Connection::from_ip_addr(ip)).into_iter().collect(),
        bandwidths: media.bandwidths.iter().map(bandwidth).collect(),
        key: None,
        attributes: attributes(media),
    }
}

fn bandwidth((name, value): &(String, u64)) -> Bandwidth {
    Bandwidth { bwtype: name.clone(), bandwidth: *value }
}

/// A refused line must have a format too, whichever (RFC 3264 §6).
fn formats(media: &Media) -> String {
    let numbers: Vec<_> = media.formats.iter().map(|format| format.payload_type.to_string()).collect();
    match (numbers.is_empty(), media.raw_formats.trim()) {
        (false, _) => numbers.join(" "),
        (true, "") => "0".into(),
        (true, raw) => raw.into(),
    }
}

fn attributes(media: &Media) -> Vec<Attribute> {
    let mut all = Vec::new();
    let mut add = |name: &str, value: Option<String>| all.push(Attribute { attribute: name.into(), value });
    for format in &media.formats {
        if !format.encoding.is_empty() {
            add("rtpmap", Some(rtpmap(format)));
        }
        if let Some(fmtp) = &format.fmtp {
            add("fmtp", Some(format!("{} {fmtp}", format.payload_type)));
        }
    }
    for (name, milliseconds) in [("ptime", media.ptime_ms), ("maxptime", media.maxptime_ms)] {
        if let Some(milliseconds) = milliseconds {
            add(name, Some(milliseconds.to_string()));
        }
    }
    if let Some(rtcp) = media.rtcp {
        add("rtcp", Some(format!("{} IN {} {}", rtcp.port(), AddrType::from(rtcp.ip()), rtcp.ip())));
    }
    if media.rtcp_mux {
        add("rtcp-mux", None);
    }
    for (name, value) in media.attributes.iter().filter(|(name, _)| !is_read(name)) {
        add(name, value.clone());
    }
    let is_rtp = !media.formats.is_empty();
    if is_rtp || media.direction != Direction::SendRecv {
        add(direction(media.direction), None);
    }
    all
}

fn rtpmap(format: &Format) -> String {
    let Format { payload_type, encoding, clock_rate, channels, .. } = format;
    match channels {
        1 => format!("{payload_type} {encoding}/{clock_rate}"),
        _ => format!("{payload_type} {encoding}/{clock_rate}/{channels}"),
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

/// A field of the media line, in which a space would start the next field.
fn word(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join("-")
}
