//! Descriptions as peers write them, and what a ladder says of those that it gets.

use std::net::SocketAddr;
use tandem::wire::description::{Description, Direction, Format, Kind, Media};
use tandem::wire::sdp;

/// `PCMU PCMA events sendonly ip=0.0.0.0 port=4010 ptime=30 mux video secure`: one audio line, after a video line
/// where that is named.
pub fn write(words: &str, mark: &str, address: SocketAddr, version: u64) -> Vec<u8> {
    let mut audio = Media {
        kind: Kind::Audio,
        protocol: "RTP/AVP".to_owned(),
        address,
        rtcp: None,
        rtcp_mux: false,
        direction: Direction::SendRecv,
        formats: Vec::new(),
        ptime_ms: None,
        maxptime_ms: None,
        attributes: vec![("x-note".to_owned(), Some(mark.to_owned()))],
        raw_formats: String::new(),
    };
    let mut media = Vec::new();
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("ip", ip)) => audio.address.set_ip(ip.parse().expect("an address")),
            Some(("port", port)) => audio.address.set_port(port.parse().expect("a port")),
            Some(("ptime", ms)) => audio.ptime_ms = Some(ms.parse().expect("milliseconds")),
            Some(_) => panic!("{word} in a description"),
            None if word == "mux" => audio.rtcp_mux = true,
            None if word == "secure" => audio.protocol = "RTP/SAVP".to_owned(),
            None if word == "refused" => audio.address.set_port(0),
            None if word == "video" => {
                media.push(Media { kind: Kind::Video, formats: vec![format(99, "VP8", 90_000, 1)], ..audio.clone() })
            }
            None => match direction(word) {
                Some(direction) => audio.direction = direction,
                None => audio.formats.push(named(word)),
            },
        }
    }
    media.push(audio);
    sdp::write(&Description { session: 77, version, media }, mark).into_bytes()
}

/// What is wrong with a description of the switch's; `words` as for [`write`], the codecs being all that it may have, in
/// this order. A line that isn't said to be otherwise goes both ways.
pub fn objection(description: &Description, words: &str) -> Option<String> {
    let audio = description.media.iter().find(|media| media.kind == Kind::Audio)?;
    let names = audio.formats.iter().filter(|format| !format.is_telephone_event());
    let codecs: Vec<String> = names.map(|format| format!("{}/{}", format.encoding, format.payload_type)).collect();
    let mut wanted = Vec::new();
    let mut direction_wanted = Direction::SendRecv;
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("first", codec)) if codecs.first().is_none_or(|first| !first.starts_with(codec)) => {
                return Some(format!("{codec} doesn't stand first in {codecs:?}"));
            }
            Some(("first", _)) => wanted.clone_from(&codecs),
            Some(("ptime", ms)) if audio.ptime_ms.map(|ptime| ptime.to_string()).as_deref() != Some(ms) => {
                return Some(format!("ptime is {:?}", audio.ptime_ms));
            }
            Some(("lines", lines)) if description.media.len().to_string() != lines => {
                return Some(format!("{} lines", description.media.len()));
            }
            Some(("ip", ip)) if audio.address.ip().to_string() != ip => {
                return Some(format!("the address is {}", audio.address));
            }
            Some(_) => {}
            None if word == "events" => {
                if audio.telephone_events().next().is_none() {
                    return Some("no telephone-event".to_owned());
                }
            }
            None if word == "mux" => {
                if !audio.rtcp_mux {
                    return Some("no rtcp-mux".to_owned());
                }
            }
            None => match direction(word) {
                Some(direction) => direction_wanted = direction,
                None => wanted.push(word.to_owned()),
            },
        }
    }
    let fits = |(one, two): (&String, &String)| one == two || one.split('/').next() == Some(two);
    if !wanted.is_empty() && (wanted.len() != codecs.len() || !codecs.iter().zip(&wanted).all(fits)) {
        return Some(format!("the codecs are {codecs:?}"));
    }
    (audio.direction != direction_wanted).then(|| format!("the direction is {:?}", audio.direction))
}

fn named(name: &str) -> Format {
    match name {
        "PCMU" => format(0, name, 8_000, 1),
        "PCMA" => format(8, name, 8_000, 1),
        "G722" => format(9, name, 8_000, 1),
        "opus" => format(111, name, 48_000, 2),
        "GSM" => format(3, name, 8_000, 1),
        "events" => Format { fmtp: Some("0-15".to_owned()), ..format(100, "telephone-event", 8_000, 1) },
        _ => panic!("the codec {name}"),
    }
}

fn format(payload_type: u8, encoding: &str, clock_rate: u32, channels: u8) -> Format {
    Format { payload_type, encoding: encoding.to_owned(), clock_rate, channels, fmtp: None }
}

fn direction(word: &str) -> Option<Direction> {
    match word {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}
