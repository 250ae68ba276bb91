//! Descriptions as peers write them, and what a ladder says of those that it gets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tandem::wire::description::{Description, Direction, Format, Kind, Media};
use tandem::wire::sdp;

/// What a peer puts into `a=crypto` (RFC 4568 §7.1.1).
const KEYS: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^31";

/// `PCMU PCMA events sendonly ip=0.0.0.0 port=4010 ptime=30 mux secure keys; video H264/97 a:framerate=30; fax`: lines with a
/// semicolon between them, each beginning with its kind unless it is audio.
pub fn write(words: &str, mark: &str, address: SocketAddr, version: u64) -> Vec<u8> {
    let lines = words.split(';').enumerate();
    let media = lines.map(|(index, words)| {
        let address = SocketAddr::new(address.ip(), address.port() + 2 * index as u16);
        line(words, mark, address)
    });
    sdp::write(&Description { session: 77, version, media: media.collect() }, mark).into_bytes()
}

fn line(words: &str, mark: &str, address: SocketAddr) -> Media {
    let (kind, words) = kind(words);
    let mut line = Media::new(kind, "RTP/AVP", address);
    if line.kind != Kind::Audio {
        line.protocol = "RTP/AVPF".into();
    }
    line.attributes.push(("x-note".to_owned(), Some(mark.to_owned())));
    for word in words {
        if let Some(attribute) = word.strip_prefix("a:") {
            let (name, value) =
                attribute.split_once('=').map_or((attribute, None), |(name, value)| (name, Some(value)));
            line.attributes.push((name.to_owned(), value.map(|value| value.replace('_', " "))));
            continue;
        }
        match word.split_once('=') {
            Some(("ip", ip)) => line.address.set_ip(ip.parse().expect("an address")),
            Some(("port", port)) => line.address.set_port(port.parse().expect("a port")),
            Some(("ptime", ms)) => line.ptime_ms = Some(ms.parse().expect("milliseconds")),
            Some(("maxptime", ms)) => line.maxptime_ms = Some(ms.parse().expect("milliseconds")),
            Some(("rate", rate)) => line.bandwidths.push(("AS".to_owned(), rate.parse().expect("a rate"))),
            Some(_) => panic!("{word} in a description"),
            None if word == "mux" => line.rtcp_mux = true,
            None if word == "secure" => line.protocol = "RTP/SAVP".into(),
            None if word == "keys" => line.attributes.push(("crypto".to_owned(), Some(KEYS.to_owned()))),
            None if word == "refused" => line.address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            None if word == "t38" => (line.protocol, line.raw_formats) = ("udptl".into(), word.to_owned()),
            None if word == "bfcp" => (line.protocol, line.raw_formats) = ("TCP/BFCP".into(), "*".to_owned()),
            None => match direction(word) {
                Some(direction) => line.direction = direction,
                None => line.formats.push(named(word)),
            },
        }
    }
    line
}

fn kind(words: &str) -> (Kind, Vec<&str>) {
    let mut words: Vec<&str> = words.split_whitespace().collect();
    let kind = match words.first() {
        Some(&"audio") => Kind::Audio,
        Some(&"video") => Kind::Video,
        Some(&kind @ ("text" | "image" | "application")) => Kind::Other(kind.to_owned()),
        _ => return (Kind::Audio, words),
    };
    words.remove(0);
    (kind, words)
}

/// What is wrong with a description of the switch's; `words` as for [`write`], the codecs being all that it may have, in
/// this order. A line that isn't said to be otherwise goes both ways. One line is the audio line; of several, all are said.
pub fn objection(description: &Description, words: &str) -> Option<String> {
    let lines: Vec<&str> = words.split(';').collect();
    let [only] = lines[..] else {
        if lines.len() != description.media.len() {
            return Some(format!("{} lines", description.media.len()));
        }
        return lines.iter().zip(&description.media).find_map(|(words, line)| {
            let (wanted, _) = kind(words);
            let other = (line.kind != wanted).then(|| format!("a line of {:?}", line.kind));
            other.or_else(|| line_objection(line, words))
        });
    };
    let (wanted, _) = kind(only);
    let line = description.media.iter().find(|media| media.kind == wanted)?;
    if let Some(lines) = only.split_whitespace().find_map(|word| word.strip_prefix("lines="))
        && description.media.len().to_string() != lines
    {
        return Some(format!("{} lines", description.media.len()));
    }
    line_objection(line, only)
}

fn line_objection(line: &Media, words: &str) -> Option<String> {
    let names = line.formats.iter().filter(|format| !format.is_telephone_event());
    let codecs: Vec<String> = names.map(|format| format!("{}/{}", format.encoding, format.payload_type)).collect();
    let mut wanted = Vec::new();
    let mut direction_wanted = Direction::SendRecv;
    let mut refusal_wanted = false;
    let (mut secure_wanted, mut keys_wanted) = (false, false);
    for word in kind(words).1 {
        if let Some(attribute) = word.strip_prefix("a:") {
            let (name, value) =
                attribute.split_once('=').map_or((attribute, None), |(name, value)| (name, Some(value)));
            let known = (name.to_owned(), value.map(|value| value.replace('_', " ")));
            if !line.attributes.contains(&known) {
                return Some(format!("the attributes are {:?}", line.attributes));
            }
            continue;
        }
        match word.split_once('=') {
            Some(("first", codec)) if codecs.first().is_none_or(|first| !first.starts_with(codec)) => {
                return Some(format!("{codec} doesn't stand first in {codecs:?}"));
            }
            Some(("first", _)) => wanted.clone_from(&codecs),
            Some(("ptime", ms)) if line.ptime_ms.map(|ptime| ptime.to_string()).as_deref() != Some(ms) => {
                return Some(format!("ptime is {:?}", line.ptime_ms));
            }
            Some(("maxptime", ms)) if line.maxptime_ms.map(|ptime| ptime.to_string()).as_deref() != Some(ms) => {
                return Some(format!("maxptime is {:?}", line.maxptime_ms));
            }
            Some(("rate", rate))
                if line.bandwidths.first().map(|(_, rate)| rate.to_string()).as_deref() != Some(rate) =>
            {
                return Some(format!("the bandwidths are {:?}", line.bandwidths));
            }
            Some(("fmtp", fmtp)) if line.formats[0].fmtp != Some(fmtp.replace(',', ";")) => {
                return Some(format!("the parameters are {:?}", line.formats[0].fmtp));
            }
            Some(("ip", ip)) if line.address.ip().to_string() != ip => {
                return Some(format!("the address is {}", line.address));
            }
            Some(_) => {}
            None if word == "events" => {
                if line.telephone_events().next().is_none() {
                    return Some("no telephone-event".to_owned());
                }
            }
            None if word == "mux" => {
                if !line.rtcp_mux {
                    return Some("no rtcp-mux".to_owned());
                }
            }
            None if word == "refused" => refusal_wanted = true,
            None if word == "secure" => secure_wanted = true,
            None if word == "keys" => keys_wanted = true,
            None if word == "t38" => {
                if (line.protocol.as_ref(), line.raw_formats.as_str()) != ("udptl", "t38") {
                    return Some(format!("it is {} {}", line.protocol, line.raw_formats));
                }
            }
            None if word == "bfcp" => {}
            None => match direction(word) {
                Some(direction) => direction_wanted = direction,
                None => wanted.push(word.to_owned()),
            },
        }
    }
    if line.is_refused() != refusal_wanted {
        return Some(format!("the port is {}", line.address.port()));
    }
    let has_keys = line.attributes.iter().any(|(name, _)| name == "crypto");
    if !refusal_wanted && (has_keys, line.is_secure_rtp()) != (keys_wanted, secure_wanted) {
        return Some(format!("it is {}, and keys are there: {has_keys}", line.protocol));
    }
    let fits = |(one, two): (&String, &String)| one == two || one.split('/').next() == Some(two);
    if !wanted.is_empty() && (wanted.len() != codecs.len() || !codecs.iter().zip(&wanted).all(fits)) {
        return Some(format!("the codecs are {codecs:?}"));
    }
    (!refusal_wanted && line.direction != direction_wanted).then(|| format!("the direction is {:?}", line.direction))
}

/// `PCMU`, or with a payload type of the peer's own `opus/99`. What makes two payloads of H.264 stands in its name.
fn named(word: &str) -> Format {
    let (name, number) = word.split_once('/').map_or((word, None), |(name, number)| (name, number.parse().ok()));
    let format = match name {
        "PCMU" => format(0, name, 8_000, 1),
        "PCMA" => format(8, name, 8_000, 1),
        "G722" => format(9, name, 8_000, 1),
        "opus" => format(111, name, 48_000, 2),
        "opus-mono-16k" => with(format(111, "opus", 48_000, 2), "maxplaybackrate=16000;stereo=0;useinbandfec=1"),
        "opus-dtx" => with(format(111, "opus", 48_000, 2), "usedtx=1"),
        "GSM" => format(3, name, 8_000, 1),
        "iLBC" => with(format(97, name, 8_000, 1), "mode=30"),
        "H261" => format(31, name, 90_000, 1),
        "MPV" => format(32, name, 90_000, 1),
        "G729" => format(18, name, 8_000, 1),
        "G729-plain" => with(format(18, "G729", 8_000, 1), "annexb=no"),
        "AMR" => with(format(112, name, 8_000, 1), "octet-align=1"),
        "AMR-WB" => format(113, name, 16_000, 1),
        "CN" => format(13, name, 8_000, 1),
        "events" => with(format(100, "telephone-event", 8_000, 1), "0-15"),
        "events16" => with(format(105, "telephone-event", 16_000, 1), "0-15,66"),
        "H264" => with(format(97, name, 90_000, 1), "profile-level-id=42e01f;packetization-mode=1"),
        "H264-single" => with(format(98, "H264", 90_000, 1), "profile-level-id=42e01f"),
        "VP8" | "VP9" | "AV1" => format(99, name, 90_000, 1),
        "rtx" => with(format(100, name, 90_000, 1), "apt=99"),
        "t140" => format(98, name, 1_000, 1),
        "red" => with(format(110, name, 1_000, 1), "98/98/98"),
        _ => panic!("the codec {name}"),
    };
    Format { payload_type: number.unwrap_or(format.payload_type), ..format }
}

fn format(payload_type: u8, encoding: &str, clock_rate: u32, channels: u8) -> Format {
    Format { payload_type, encoding: encoding.to_owned().into(), clock_rate, channels, fmtp: None }
}

fn with(format: Format, fmtp: &str) -> Format {
    Format { fmtp: Some(fmtp.to_owned()), ..format }
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
