//! A peer's side of the media: what it offers and answers, and what it makes of the gateway's words.

use crate::extra::Extra;
use crate::sound::{Ear, Mouth, Tag};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tandem::base::time::Time;
use tandem::sip::flow::Body;
use tandem::wire::description::{Description, Direction, Format, Kind, Media};
use tandem::wire::rtp::Packet;
use tandem::wire::sdp;
use tandem::wire::sip::Message;
use tandem_codecs::Codec;

/// How everybody numbers telephone-events.
const EVENTS: u8 = 101;
/// A phone has room for so many lines beside its sound.
const MOST_EXTRAS: u16 = 3;

pub struct Voice {
    pub address: SocketAddr,
    /// As the gateway sees it.
    pub public: SocketAddr,
    pub tag: Tag,
    mouth: Mouth,
    pub ear: Ear,
    /// What it has ever said that it takes, by payload type.
    announced: BTreeMap<u8, Codec>,
    codecs: Vec<Codec>,
    /// What else this phone has beside sound.
    shows: Vec<Kind>,
    /// The lines after that of the sound, in the order in which they were first named.
    pub extras: Vec<Extra>,
    version: u64,
    /// What this side wants, from its own view, as the gateway has accepted it.
    pub wish: Direction,
    /// What it has asked for, and has no answer to.
    asked: Option<Direction>,
    /// What that offer has beside sound.
    asked_lines: Vec<Kind>,
    /// The gateway's last direction, from the gateway's view.
    pub told: Option<Direction>,
    /// Where the gateway wants our sound.
    pub gateway: Option<SocketAddr>,
    /// The gateway's last description that counted.
    last: Option<Description>,
}

impl Voice {
    pub fn new((address, public): (SocketAddr, SocketAddr), codecs: Vec<Codec>, shows: Vec<Kind>, tag: Tag) -> Voice {
        Voice {
            address,
            public,
            tag,
            mouth: Mouth::new(u32::from(address.port()) << 16 | tag.call as u32 & 0xffff),
            ear: Ear::default(),
            announced: BTreeMap::new(),
            codecs,
            shows,
            extras: Vec::new(),
            version: 0,
            wish: Direction::SendRecv,
            asked: None,
            asked_lines: Vec::new(),
            told: None,
            gateway: None,
            last: None,
        }
    }

    pub fn offer(&mut self, wish: Direction, by_zeros: bool) -> Body {
        self.asked = Some(wish);
        let address = match by_zeros {
            true => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.address.port()),
            false => self.address,
        };
        let direction = if by_zeros { Direction::SendRecv } else { wish };
        let formats = self.codecs.iter().map(|&codec| format_of(codec)).chain([events()]).collect();
        let mut lines = vec![line(address, direction, formats)];
        lines.extend(self.extras.iter_mut().map(Extra::offer));
        self.asked_lines = self.extras.iter().map(|extra| extra.kind.clone()).collect();
        self.describe(lines)
    }

    /// Whether an offer of its has no answer.
    pub fn has_offered(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether its offer that has no answer has other lines than there are by now.
    pub fn has_outgrown_its_offer(&self) -> bool {
        self.asked.is_some() && !self.extras.iter().map(|extra| &extra.kind).eq(&self.asked_lines)
    }

    /// From its next offer on this phone wants whatever it has beside sound.
    pub fn show(&mut self) {
        for kind in self.shows.clone() {
            let line = match self.extras.iter().position(|extra| extra.kind == kind) {
                Some(known) => known,
                None => self.add(kind),
            };
            self.extras[line].is_wanted = true;
        }
    }

    /// From its next offer on it wants nothing but sound.
    pub fn hide(&mut self) {
        self.extras.iter_mut().for_each(|extra| extra.is_wanted = false);
    }

    fn add(&mut self, kind: Kind) -> usize {
        let beside = |address: SocketAddr| {
            let above = 2 * (1 + self.extras.len() as u16 % MOST_EXTRAS);
            SocketAddr::new(address.ip(), address.port() + above)
        };
        self.extras.push(Extra::new(kind, (beside(self.address), beside(self.public))));
        self.extras.len() - 1
    }

    /// Only what the gateway can't speak.
    pub fn foreign_offer(&mut self) -> Body {
        let g729 = Format { payload_type: 18, encoding: "G729".into(), clock_rate: 8_000, channels: 1, fmtp: None };
        self.describe(vec![line(self.address, Direction::SendRecv, vec![g729])])
    }

    /// Takes the gateway's answer to our offer.
    pub fn accept(&mut self, message: &Message) -> Result<(), String> {
        let answer = self.read(message)?;
        let line = first(&answer)?;
        if line.formats.iter().all(|format| format.codec().is_none_or(|codec| !self.codecs.contains(&codec))) {
            return Err("the answer has no codec that was offered".to_owned());
        }
        let asked = self.asked.take().unwrap_or(self.wish);
        let more = line.direction.sends() && !asked.receives() || line.direction.receives() && !asked.sends();
        if more {
            return Err(format!("{:?} answers an offer of {asked:?}", line.direction));
        }
        if answer.media.len() != self.extras.len() + 1 {
            return Err(format!("{} lines answer {}", answer.media.len(), self.extras.len() + 1));
        }
        self.wish = asked;
        for (extra, line) in self.extras.iter_mut().zip(&answer.media[1..]) {
            extra.answered(line)?;
        }
        self.hear(answer)
    }

    /// The gateway refused our offer, and all is as before.
    pub fn withdraw(&mut self) {
        self.asked = None;
        self.extras.iter_mut().for_each(Extra::withdraw);
    }

    /// Whether this phone could answer a call that comes with this offer, or with none.
    pub fn suits(&self, message: &Message) -> bool {
        let Ok(offer) = self.read(message) else { return message.body().is_empty() };
        let formats = offer.media.iter().flat_map(|line| &line.formats);
        formats.filter_map(Format::codec).any(|codec| self.codecs.contains(&codec))
    }

    /// Answers the gateway's offer.
    pub fn answer(&mut self, message: &Message) -> Result<Body, String> {
        let offer = self.read(message)?;
        let line = first(&offer)?.clone();
        let usable = |format: &&Format| format.codec().is_some_and(|codec| self.codecs.contains(&codec));
        let chosen = line.formats.iter().find(usable).ok_or("the offer has no codec of this phone")?;
        let direction = Direction::new(
            self.wish.sends() && line.direction.receives(),
            self.wish.receives() && line.direction.sends(),
        );
        let mut formats = vec![chosen.clone()];
        formats.extend(line.telephone_events().take(1).cloned());
        let mut lines = vec![self::line(self.address, direction, formats)];
        for (index, line) in offer.media[1..].iter().enumerate() {
            if index == self.extras.len() {
                self.add(line.kind.clone());
            }
            let is_taken = self.shows.contains(&line.kind);
            lines.push(self.extras[index].take(line, is_taken)?);
        }
        self.hear(offer)?;
        Ok(self.describe(lines))
    }

    /// Whether this side believes that it sends, and that it hears.
    pub fn believes(&self) -> Option<(bool, bool)> {
        let told = self.told?;
        Some((self.wish.sends() && told.receives(), self.wish.receives() && told.sends()))
    }

    /// A packet of its voice, as long as it believes that it is to be sent, and where that goes.
    pub fn say(&mut self, now: Time) -> Option<(SocketAddr, Vec<u8>)> {
        let (sends, _) = self.believes()?;
        let (to, line) = (self.gateway?, self.last.as_ref()?.media.first()?);
        let spoken = |format: &Format| format.codec().filter(|codec| self.codecs.contains(codec));
        let (codec, payload_type) =
            line.formats.iter().find_map(|format| Some((spoken(format)?, format.payload_type)))?;
        sends.then(|| (to, self.mouth.say(now, codec, payload_type, self.tag)))
    }

    /// A packet of each line beside the sound, from where it comes and where it goes.
    pub fn show_all(&mut self, now: Time) -> impl Iterator<Item = (SocketAddr, SocketAddr, Vec<u8>)> {
        let tag = self.tag;
        self.extras.iter_mut().filter_map(move |extra| {
            let (to, packet) = extra.say(now, tag)?;
            Some((extra.public, to, packet))
        })
    }

    /// Whether it has a line there, as the gateway sees it.
    pub fn is_at(&self, address: SocketAddr) -> bool {
        self.public == address || self.extras.iter().any(|extra| extra.public == address)
    }

    /// Hears a packet that came from a port of the gateway's.
    pub fn listen(&mut self, now: Time, to: SocketAddr, number: u16, packet: &[u8]) -> Result<(), String> {
        let packet = Packet::parse(packet).map_err(|_| "what came is no RTP".to_owned())?;
        if let Some(extra) = self.extras.iter_mut().find(|extra| extra.public == to) {
            return extra.listen(now, number, &packet);
        }
        if self.gateway.is_some_and(|gateway| gateway.port() != number) {
            return Err(format!("sound comes from port {number} and not from {:?}", self.gateway));
        }
        match self.announced.get(&packet.header.payload_type) {
            Some(&codec) => self.ear.hear(now, codec, &packet),
            None if packet.header.payload_type == EVENTS => {}
            None => return Err(format!("payload type {} was never announced", packet.header.payload_type)),
        }
        Ok(())
    }

    /// What it has heard on its lines so far: the sound, and the others in their order.
    pub fn ears(&self) -> Vec<Ear> {
        [self.ear].into_iter().chain(self.extras.iter().map(|extra| extra.ear)).collect()
    }

    /// The open line of a kind, and its place after the sound.
    pub fn open_line(&self, kind: &Kind) -> Option<(usize, &Extra)> {
        self.extras.iter().enumerate().find(|(_, extra)| extra.is_open && extra.kind == *kind)
    }

    /// What goes through the gateway's port for it: said and heard.
    pub fn traffic(&self) -> (u64, u64) {
        (self.mouth.said, self.ear.heard)
    }

    fn read(&self, message: &Message) -> Result<Description, String> {
        let body = message.body();
        if body.is_empty() {
            return Err("no SDP where there must be one".to_owned());
        }
        sdp::parse(&body).map_err(|error| format!("unreadable SDP: {error}"))
    }

    fn hear(&mut self, description: Description) -> Result<(), String> {
        let line = first(&description)?;
        (self.told, self.gateway) = (Some(line.direction), Some(line.address));
        let before = self.last.replace(description);
        let (Some(before), Some(after)) = (before, &self.last) else { return Ok(()) };
        match () {
            () if before.session != after.session => Err("the session id of the o= line changed".to_owned()),
            () if before.media.len() > after.media.len() => Err("a line was forgotten".to_owned()),
            () if before.version > after.version => Err("the version of the o= line went back".to_owned()),
            () if before.version == after.version && before != *after => {
                Err("the description changed and its version didn't".to_owned())
            }
            () => Ok(()),
        }
    }

    fn describe(&mut self, media: Vec<Media>) -> Body {
        self.version += 1;
        let formats = media.iter().flat_map(|line| &line.formats);
        self.announced.extend(formats.filter_map(|format| Some((format.payload_type, format.codec()?))));
        let description = Description { session: u64::from(self.address.port()), version: self.version, media };
        Body::sdp(sdp::write(&description, "phone"))
    }
}

fn first(description: &Description) -> Result<&Media, String> {
    let line = description.media.first().ok_or("SDP without a media line")?;
    match line.address.port() {
        0 => Err("a refused line".to_owned()),
        port if port % 2 == 1 => Err(format!("an odd port for RTP: {port}")),
        _ => Ok(line),
    }
}

fn line(address: SocketAddr, direction: Direction, formats: Vec<Format>) -> Media {
    Media { direction, formats, ..Media::new(Kind::Audio, "RTP/AVP", address) }
}

fn format_of(codec: Codec) -> Format {
    let (payload_type, channels) = match codec {
        Codec::Pcmu => (0, 1),
        Codec::Pcma => (8, 1),
        Codec::G722 => (9, 1),
        Codec::Opus => (111, 2),
        Codec::L16 { .. } => (120, 1),
    };
    Format { payload_type, encoding: codec.name().into(), clock_rate: codec.clock_rate(), channels, fmtp: None }
}

fn events() -> Format {
    Format {
        payload_type: EVENTS,
        encoding: "telephone-event".into(),
        clock_rate: 8_000,
        channels: 1,
        fmtp: Some("0-15".to_owned()),
    }
}
