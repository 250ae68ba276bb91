//! Description → SDP.

use super::parse::is_read;
use crate::wire::description::{Description, Direction, Format, Media};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// Writes an offer or an answer under a name for its session (`s=`), `-` where the name is empty. Every payload type
/// gets its `rtpmap`, the assigned ones too, since some phones look for nothing else.
pub fn write(description: &Description, session_name: &str) -> String {
    let first = description.media.iter().find(|media| !media.is_refused()).or(description.media.first());
    let ip = first.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |media| media.address.ip());
    let mut lines = Lines(String::with_capacity(512));
    // A user name of `-` is legal (RFC 8866 §5.2), and yet there are readers who want letters here.
    lines.text("v=0\r\no=tandem ").number(description.session).text(" ").number(description.version).text(" ");
    lines.address(ip).end();
    lines.text("s=").foreign(if session_name.is_empty() { "-" } else { session_name }).end();
    lines.text("c=").address(ip).end();
    lines.text("t=0 0").end();
    for media in &description.media {
        lines.media(media, ip);
    }
    lines.0
}

struct Lines(String);

impl Lines {
    fn text(&mut self, text: &str) -> &mut Lines {
        self.0.push_str(text);
        self
    }

    /// A text that somebody else wrote, without what would end the line.
    fn foreign(&mut self, text: &str) -> &mut Lines {
        match text.contains(['\r', '\n', '\0']) {
            true => self.0.extend(text.chars().filter(|letter| !matches!(letter, '\r' | '\n' | '\0'))),
            false => self.0.push_str(text),
        }
        self
    }

    /// A field of the media line, in which a space would start the next field.
    fn word(&mut self, text: &str) -> &mut Lines {
        for (index, part) in text.split_ascii_whitespace().enumerate() {
            self.text(if index > 0 { "-" } else { "" }).text(part);
        }
        self
    }

    fn number(&mut self, number: impl Into<u64>) -> &mut Lines {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest: u64 = number.into();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.0.extend(digits[at..].iter().copied().map(char::from));
        self
    }

    /// `IN IP4 192.0.2.1`
    fn address(&mut self, ip: IpAddr) -> &mut Lines {
        // Writing to memory doesn't fail.
        let _ = match ip {
            IpAddr::V4(ip) => write!(self.0, "IN IP4 {ip}"),
            IpAddr::V6(ip) => write!(self.0, "IN IP6 {ip}"),
        };
        self
    }

    fn end(&mut self) {
        self.0.push_str("\r\n");
    }

    fn media(&mut self, media: &Media, session_ip: IpAddr) {
        self.text("m=").word(media.kind.as_str()).text(" ").number(media.address.port()).text(" ");
        self.word(&media.protocol);
        self.formats(media);
        if media.address.ip() != session_ip {
            self.text("c=").address(media.address.ip()).end();
        }
        for (name, value) in &media.bandwidths {
            self.text("b=").foreign(name).text(":").number(*value).end();
        }
        self.attributes(media);
    }

    /// A refused line must have a format too, whichever (RFC 3264 §6).
    fn formats(&mut self, media: &Media) {
        for format in &media.formats {
            self.text(" ").number(format.payload_type);
        }
        match media.raw_formats.trim() {
            _ if !media.formats.is_empty() => {}
            "" => drop(self.text(" 0")),
            raw => drop(self.text(" ").foreign(raw)),
        }
        self.end();
    }

    fn attributes(&mut self, media: &Media) {
        for format in &media.formats {
            self.format(format);
        }
        for (name, milliseconds) in [("ptime", media.ptime_ms), ("maxptime", media.maxptime_ms)] {
            if let Some(milliseconds) = milliseconds {
                self.text("a=").text(name).text(":").number(milliseconds).end();
            }
        }
        if let Some(rtcp) = media.rtcp {
            self.text("a=rtcp:").number(rtcp.port()).text(" ").address(rtcp.ip()).end();
        }
        if media.rtcp_mux {
            self.text("a=rtcp-mux").end();
        }
        for (name, value) in media.attributes.iter().filter(|(name, _)| !is_read(name)) {
            self.text("a=").foreign(name);
            if let Some(value) = value {
                self.text(":").foreign(value);
            }
            self.end();
        }
        if !media.formats.is_empty() || media.direction != Direction::SendRecv {
            self.text("a=").text(direction(media.direction)).end();
        }
    }

    fn format(&mut self, format: &Format) {
        if !format.encoding.is_empty() {
            self.text("a=rtpmap:").number(format.payload_type).text(" ").foreign(&format.encoding);
            self.text("/").number(format.clock_rate);
            if format.channels != 1 {
                self.text("/").number(format.channels);
            }
            self.end();
        }
        if let Some(fmtp) = &format.fmtp {
            self.text("a=fmtp:").number(format.payload_type).text(" ").foreign(fmtp).end();
        }
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
