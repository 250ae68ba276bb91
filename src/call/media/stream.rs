//! One media line of a leg: joined to the line of the other leg that has the same bond, or refused.

use crate::call::exchange::Exchange;
use crate::call::media::negotiate::{
    self, Agreed, Content, Disagreement, Habit, Keys, Line, Secret, Sound, fmtp, relayed,
};
use crate::config::settings::{self, Dtmf, Relayed, Srtp};
use crate::media::command::{Command, Expects, PortId, Protocol, Source, Tones};
use crate::wire::description::{Description, Direction, Format, Kind, Media as MediaLine};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tandem_codecs::Codec;

/// What joins the lines of two legs, the same in both and used once in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bond(pub usize);

impl Bond {
    /// The one sound of a call.
    pub const SOUND: Bond = Bond(0);
}

#[derive(Clone, Debug)]
pub struct Stream {
    pub bond: Bond,
    /// None where the line is refused.
    pub port: Option<PortId>,
    /// What we announce; there once the port is open.
    announced: Option<SocketAddr>,
    /// Of which our keys are made.
    secret: Secret,
    habit: Habit,
    /// The host that the peer's signalling comes from; there with the port.
    signalling: Option<IpAddr>,
    /// What the line looks like, to be refused in its place.
    shape: MediaLine,
    /// The peer's newest description of it.
    theirs: Option<MediaLine>,
    /// Our newest one.
    ours: Option<MediaLine>,
    /// The peer's name for the line (RFC 5888).
    mid: Option<String>,
    pub agreed: Option<Agreed>,
    /// What the peer wants of its own accord: an answer to a hold of ours doesn't change it.
    pub wish: Direction,
    /// What we last told the peer of the other leg's wishes, in an offer or an answer of ours.
    pub told: Direction,
    /// After how much silence the worker says so.
    pub silence_limit: Option<Duration>,
    /// What should come in as long as nobody holds.
    pub expects: Expects,
}

/// What the other leg has for a line.
#[derive(Clone, Debug)]
pub struct Opposite {
    pub bond: Bond,
    /// What its peer wants.
    pub wish: Direction,
    /// What its peer says of the line.
    pub line: Option<MediaLine>,
    /// What is spoken there.
    pub format: Option<Format>,
}

/// What a leg may speak.
#[derive(Clone, Debug)]
pub struct Repertoire {
    /// In order of preference.
    pub codecs: Vec<Codec>,
    /// Whether an operator set that order, and nothing else is to be offered but `relayed`, where the other side has it.
    pub keeps_order: bool,
    pub relayed: Vec<Relayed>,
    /// Whether its media are protected.
    pub srtp: Srtp,
    /// The packet time that we ask for.
    pub ptime_ms: Option<u32>,
    /// Whether digits may be telephone-events.
    pub events: bool,
}

/// How a leg and whoever it talks to are told of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    /// How the leg is.
    pub told: Told,
    /// The leg's tones are listened for.
    pub are_heard: bool,
}

/// In which form a leg is told of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Telephone-events, which the worker makes.
    Events,
    /// INFO requests.
    Info,
    /// Tones in the sound, which the worker makes.
    Tones,
}

impl Repertoire {
    /// What we have, in no order that anybody chose.
    pub fn of(codecs: Vec<Codec>, srtp: Srtp) -> Repertoire {
        Repertoire { codecs, keeps_order: false, relayed: Vec::new(), srtp, ptime_ms: None, events: true }
    }

    /// Whether an offer has something that can be answered.
    pub fn suits(&self, offer: &Description) -> Result<(), Disagreement> {
        negotiate::suits(offer, &self.codecs, Keys::to_judge(self.srtp))
    }

    /// The line of an offer that is its sound.
    pub fn sound_line(&self, offer: &Description) -> Option<usize> {
        negotiate::sound_line(offer, Keys::to_judge(self.srtp))
    }

    /// What an operator listed for a trunk.
    pub fn of_trunk(trunk: &settings::Trunk) -> Repertoire {
        Repertoire {
            codecs: trunk.codecs.clone(),
            keeps_order: true,
            relayed: trunk.relayed.clone(),
            srtp: trunk.srtp,
            ptime_ms: Some(trunk.ptime_ms),
            events: trunk.dtmf != Dtmf::Inband,
        }
    }
}

/// After how much silence a leg is given up, if ever, and whether it should speak all the time.
#[derive(Clone, Copy, Default)]
pub struct SilenceLimits {
    pub talking: Option<Duration>,
    pub held: Option<Duration>,
    pub is_dialogue: bool,
}

/// The streams of an offer, as many of them open as `limit` says.
pub fn of_offer(offered: &[MediaLine], sound: Option<usize>, limit: usize) -> Vec<(MediaLine, Option<Bond>)> {
    let mut open = usize::from(sound.is_some());
    let lines = offered.iter().enumerate();
    lines
        .map(|(index, line)| {
            let bond = if sound == Some(index) {
                Some(Bond::SOUND)
            } else if relayed::is_relayable(line) && open < limit {
                open += 1;
                Some(Bond(index + 1))
            } else {
                None
            };
            (line.clone(), bond)
        })
        .collect()
}

/// A line for sound that nobody has described yet.
pub fn sound_shape() -> MediaLine {
    MediaLine::new(Kind::Audio, "RTP/AVP", SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
}

impl Stream {
    /// A line that is like `shape`, on a port that isn't open yet.
    pub fn new(bond: Bond, port: PortId, secret: [u8; 32], shape: MediaLine) -> Stream {
        Stream { bond, port: Some(port), secret: Secret(secret), ..Stream::refused(shape) }
    }

    /// A line that is refused.
    pub fn refused(shape: MediaLine) -> Stream {
        Stream {
            bond: Bond(usize::MAX),
            port: None,
            announced: None,
            secret: Secret([0; 32]),
            habit: Habit::default(),
            signalling: None,
            mid: shape.attribute("mid").map(str::to_owned),
            shape,
            theirs: None,
            ours: None,
            agreed: None,
            wish: Direction::SendRecv,
            told: Direction::SendRecv,
            silence_limit: None,
            expects: Expects::Nothing,
        }
    }

    /// The line as the leg's own peer had it in another call, which goes on here.
    pub fn goes_on(&mut self, theirs: &MediaLine) {
        self.habit = Habit::of(theirs);
    }

    /// The same, described by the leg's own peer.
    pub fn describe(&mut self, theirs: MediaLine) {
        self.wish = negotiate::wishes(&theirs);
        self.theirs = Some(theirs);
    }

    /// The peer's newest description of it.
    pub fn theirs(&self) -> Option<&MediaLine> {
        self.theirs.as_ref()
    }

    pub fn is_sound(&self) -> bool {
        self.bond == Bond::SOUND
    }

    pub fn shape(&self) -> &MediaLine {
        &self.shape
    }

    pub fn opened(&mut self, address: SocketAddr, signalling: IpAddr) {
        (self.announced, self.signalling) = (Some(address), Some(signalling));
    }

    /// What we announced of it.
    pub fn announced(&self) -> Option<SocketAddr> {
        self.announced
    }

    /// It is on another port, which isn't open yet.
    pub fn reopen(&mut self, port: PortId) {
        (self.port, self.announced) = (Some(port), None);
    }

    pub fn awaits_port(&self) -> bool {
        self.port.is_some() && self.announced.is_none()
    }

    /// The line is refused from now on.
    pub fn refuse(&mut self) {
        *self = Stream { mid: self.mid.take(), ..Stream::refused(self.shape.clone()) };
    }

    /// What the other leg is to know of it.
    pub fn opposite(&self) -> Option<Opposite> {
        self.port?;
        let format = self.agreed.as_ref().map(|agreed| agreed.format.clone());
        Some(Opposite { bond: self.bond, wish: self.wish, line: self.theirs.clone(), format })
    }

    /// Whether `theirs` goes on with what this line was.
    pub fn continues(&self, theirs: &MediaLine) -> bool {
        self.port.is_some() && !theirs.is_refused() && relayed::is_alike(&self.shape, theirs)
    }

    /// Whether what is spoken there can be heard here: transcoded, or the same.
    pub fn understands(&self, other: &Opposite) -> bool {
        let (Some(agreed), Some(format)) = (&self.agreed, &other.format) else { return true };
        if agreed.protocol == Protocol::Udptl {
            return true;
        }
        if !self.is_sound() {
            return other.line.as_ref().is_none_or(|line| fmtp::find(&line.formats, &agreed.format).is_some());
        }
        match (agreed.format.codec(), format.codec()) {
            (Some(_), Some(_)) => true,
            (None, None) => fmtp::fits(&agreed.format, format),
            _ => false,
        }
    }

    /// Our line in an offer: refused where the other leg has nothing for it.
    pub fn offer(&mut self, speaks: &Repertoire, other: Option<&Opposite>) -> MediaLine {
        let offered = other.zip(self.announced).and_then(|(other, address)| {
            let keys = Keys { policy: speaks.srtp, secret: &self.secret, habit: self.habit };
            let line = Line { address, direction: other.wish, before: self.ours.as_ref(), keys };
            let offered = negotiate::offer_line(&line, self.content(speaks, other)?)?;
            Some((other.wish, offered))
        });
        let mut offered = match offered {
            Some((wish, offered)) => {
                self.told = wish;
                self.ours = Some(offered.clone());
                offered
            }
            None => negotiate::refused(&self.shape),
        };
        self.name(&mut offered);
        offered
    }

    /// Our line in an answer, and what it means. Nothing is changed yet.
    pub fn answer(
        &self,
        theirs: &MediaLine,
        speaks: &Repertoire,
        other: Option<&Opposite>,
    ) -> Result<(MediaLine, Agreed), Disagreement> {
        let address = self.announced.filter(|_| self.continues(theirs)).ok_or(Disagreement::NoAudio)?;
        let other = other.ok_or(Disagreement::NoCommonCodec)?;
        let keys = Keys { policy: speaks.srtp, secret: &self.secret, habit: self.habit };
        let line = Line { address, direction: other.wish, before: self.ours.as_ref(), keys };
        let content = self.content(speaks, other).ok_or(Disagreement::NoCommonCodec)?;
        negotiate::answer_line(theirs, &line, content)
    }

    /// Takes what was said in an answer of ours to the peer's offer.
    pub fn answered(&mut self, theirs: MediaLine, ours: MediaLine, agreed: Agreed, told: Direction) {
        self.told = told;
        self.wish = agreed.peer_wants;
        self.ours = Some(ours);
        self.take(theirs, agreed);
    }

    /// Takes the peer's answer to our offer of this line, which was `ours`.
    pub fn accept(&mut self, ours: &MediaLine, theirs: &MediaLine) -> Result<(), Disagreement> {
        let agreed = negotiate::accept_line(ours, theirs, self.is_sound())?;
        // An answer tells what the peer wants only as far as our offer left it the choice.
        let offered = ours.direction;
        self.wish = Direction::new(
            if offered.receives() { agreed.peer_wants.sends() } else { self.wish.sends() },
            if offered.sends() { agreed.peer_wants.receives() } else { self.wish.receives() },
        );
        self.take(theirs.clone(), agreed);
        Ok(())
    }

    fn take(&mut self, theirs: MediaLine, agreed: Agreed) {
        if let Some(mid) = theirs.attribute("mid") {
            self.mid = Some(mid.to_owned());
        }
        self.shape = theirs.clone();
        self.theirs = Some(theirs);
        self.agreed = Some(agreed);
    }

    fn content<'a>(&'a self, speaks: &'a Repertoire, other: &'a Opposite) -> Option<Content<'a>> {
        if !self.is_sound() {
            return other.line.as_ref().map(Content::Relayed);
        }
        Some(Content::Sound(Sound {
            codecs: &speaks.codecs,
            keeps_order: speaks.keeps_order,
            relayed: &speaks.relayed,
            ptime_ms: speaks.ptime_ms,
            events: speaks.events,
            present: self.agreed.as_ref().map(|agreed| &agreed.format),
            beside: other.line.as_ref(),
            towards: other.format.as_ref(),
        }))
    }

    /// The peer's name for the line goes back with it.
    pub fn name(&self, line: &mut MediaLine) {
        line.attributes.retain(|(name, _)| name != "mid");
        if let Some(mid) = &self.mid {
            line.attributes.push(("mid".to_owned(), Some(mid.clone())));
        }
    }

    /// Tells the worker what was agreed here, and what to send.
    pub fn wire(
        &mut self,
        exchange: &mut Exchange,
        worker: usize,
        other: &Opposite,
        source: Source,
        silence: SilenceLimits,
        digits: Digits,
    ) {
        let (Some(port), Some(agreed)) = (self.port, &self.agreed) else { return };
        // A side that holds says that it sends, and often doesn't. Pictures stop, and text rests, whenever people want.
        let talks = agreed.peer_wants == Direction::SendRecv && other.wish.receives();
        let limit = if talks { silence.talking } else { silence.held };
        self.silence_limit = match agreed.protocol {
            Protocol::Udptl => silence.held,
            Protocol::Rtp => limit.filter(|_| self.is_sound()),
        };
        let onward = other.line.as_ref().map(|line| line.formats.as_slice()).unwrap_or_default();
        let mut settings =
            Box::new(agreed.port_settings(other.wish, other.format.as_ref(), onward, self.silence_limit));
        settings.signalling = self.signalling;
        let is_both_ways = agreed.peer_wants == Direction::SendRecv && other.wish == Direction::SendRecv;
        let is_dialogue = silence.is_dialogue && is_both_ways && self.is_sound() && agreed.protocol == Protocol::Rtp;
        self.expects = if is_dialogue { agreed.expects() } else { Expects::Nothing };
        settings.expects = self.expects;
        // Who is told in one way isn't told a second time.
        if let Some(send) = settings.send.as_mut().filter(|_| digits.told != Told::Events) {
            send.events = None;
        }
        let is_sound = self.is_sound() && agreed.format.codec().is_some();
        settings.tones = Tones { send: is_sound && digits.told == Told::Tones, hear: is_sound && digits.are_heard };
        exchange.command(worker, Command::Configure { port, settings });
        exchange.command(worker, Command::Connect { port, source });
    }
}
