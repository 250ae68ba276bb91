//! One side of a call: its SIP session or its local end, and its media.

use crate::call::brought::Brought;
use crate::call::dial::Destination;
use crate::call::exchange::{Exchange, LegKey};
use crate::call::moving::Arrival;
use crate::call::negotiate::{self, Agreed, Disagreement, Local};
use crate::config::settings::Dtmf;
use crate::media::command::{Clip, Command, PortId, Report, Source};
use crate::sip::agent::SessionId;
use crate::sip::flow::{Body, Flow};
use crate::wire::description::{Description, Direction};
use crate::wire::sdp;
use crate::wire::sip::Message;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::Codec;

pub const SDP: &str = "application/sdp";

pub struct Leg {
    pub key: LegKey,
    pub end: End,
    pub stage: Stage,
    /// The trunk whose limit this leg counts against.
    pub trunk: Option<String>,
    pub media: Option<Media>,
    /// Where it goes, until its INVITE is out.
    pub dialling: Option<Box<Destination>>,
    /// Where it comes from, until it is here.
    pub arrival: Option<Box<Arrival>>,
    /// We placed it: its Call-ID is ours.
    pub is_placed: bool,
    pub brought: Brought,
}

/// What is at the far end of a leg.
pub enum End {
    /// A SIP peer; the session is there once the INVITE went out or came in.
    Sip { flow: Flow, session: Option<SessionId> },
    /// The caller's own sound.
    Echo,
    /// A sound file, there once it is loaded.
    Clip { clip: Option<Arc<Clip>>, repeat: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A port or a file is awaited.
    Preparing,
    /// Called, or calling: no final answer yet.
    Trying,
    Talking,
    Gone,
}

/// The media of a SIP leg.
pub struct Media {
    pub port: PortId,
    worker: usize,
    /// What we announce; there once the port is open.
    announced: Option<SocketAddr>,
    /// What this leg may speak, in order of preference.
    pub codecs: Vec<Codec>,
    ptime_ms: Option<u32>,
    session: u64,
    version: u64,
    /// Our description that awaits the peer's answer.
    offered: Option<Description>,
    /// Our offer in the INVITE, once a fork has settled with it, for the answers of others.
    first: Option<Description>,
    /// What forks of this leg said before the answer.
    forks: Vec<Fork>,
    /// The fork whose description holds.
    fork: String,
    /// Our last answer, to be said again word for word.
    answered: Option<Description>,
    pub agreed: Option<Agreed>,
    /// What the peer wants of its own accord: an answer to a hold of ours doesn't change it.
    pub wish: Direction,
    /// What we last told the peer of the other leg's wishes, in an offer or an answer of ours.
    pub told: Direction,
    /// A change of ours waits until an exchange in progress has ended.
    pub change_due: bool,
    /// After how much silence the worker says so.
    pub silence_limit: Option<Duration>,
    pub report: Option<Report>,
    /// Digits that the worker had no room for.
    pub undialled: String,
    closing: bool,
}

impl Leg {
    pub fn new(key: LegKey, end: End, stage: Stage) -> Leg {
        Leg {
            key,
            end,
            stage,
            trunk: None,
            media: None,
            dialling: None,
            arrival: None,
            is_placed: false,
            brought: Brought::default(),
        }
    }

    pub fn session(&self) -> Option<SessionId> {
        match self.end {
            End::Sip { session, .. } => session,
            _ => None,
        }
    }

    pub fn flow(&self) -> Option<Flow> {
        match self.end {
            End::Sip { flow, .. } => Some(flow),
            _ => None,
        }
    }

    pub fn is_live(&self) -> bool {
        self.stage != Stage::Gone
    }

    /// What the other leg may expect to send and hear here.
    pub fn wish(&self) -> Direction {
        match (&self.media, &self.end) {
            (Some(media), _) => media.wish,
            (None, End::Clip { .. }) => Direction::SendOnly,
            (None, _) => Direction::SendRecv,
        }
    }

    pub fn codec(&self) -> Option<Codec> {
        self.media.as_ref()?.agreed.as_ref().map(|agreed| agreed.codec)
    }

    pub fn close_port(&mut self, exchange: &mut Exchange) {
        if let Some(media) = self.media.as_mut().filter(|media| !media.closing) {
            media.closing = true;
            exchange.command(media.worker, Command::Close { port: media.port });
        }
    }

    /// Whether it waits for its port, in order to be called.
    pub fn awaits_port(&self) -> bool {
        self.stage == Stage::Preparing && self.dialling.is_some()
    }

    /// Whether the worker still owes the final report.
    pub fn owes_report(&self) -> bool {
        self.media.as_ref().is_some_and(|media| media.report.is_none())
    }
}

impl Media {
    pub fn open(
        exchange: &mut Exchange,
        leg: LegKey,
        worker: usize,
        local: IpAddr,
        codecs: Vec<Codec>,
        ptime_ms: Option<u32>,
    ) -> Media {
        let port = exchange.open_port(leg, worker, local);
        // Session ids that tell nothing of the clock (RFC 8866 §5.2 only wants them to be unique).
        let session = exchange.chance.u64() >> 2;
        Media {
            port,
            worker,
            announced: None,
            codecs,
            ptime_ms,
            session,
            version: 0,
            offered: None,
            first: None,
            forks: Vec::new(),
            fork: String::new(),
            answered: None,
            agreed: None,
            wish: Direction::SendRecv,
            told: Direction::SendRecv,
            change_due: false,
            silence_limit: None,
            report: None,
            undialled: String::new(),
            closing: false,
        }
    }

    /// The port is no more, or never was: there is nothing left to close.
    pub fn closed(&mut self, report: Report) {
        self.report = Some(report);
        self.closing = true;
    }

    pub fn opened(&mut self, exchange: &Exchange, flow: Flow, number: u16) {
        let address = exchange.announced(flow.local.ip(), flow.remote.ip());
        self.announced = Some(SocketAddr::new(address, number));
    }

    /// Our offer, in which `other` is what the other leg wants from its own side. The answer goes to `accept`.
    pub fn offer(&mut self, codecs: &[Codec], other: Direction) -> Option<Body> {
        let address = self.announced?;
        self.version += 1;
        let local = Local {
            address,
            codecs,
            direction: other,
            session: self.session,
            version: self.version,
            ptime_ms: self.ptime_ms,
        };
        let offered = negotiate::offer(&local);
        let body = body(&offered);
        self.offered = Some(offered);
        self.told = other;
        Some(body)
    }

    /// The session and the version of our descriptions.
    pub fn lineage(&self) -> (u64, u64) {
        (self.session, self.version)
    }

    /// Goes on where another port's descriptions stopped.
    pub fn go_on(&mut self, lineage: Option<(u64, u64)>) {
        if let Some(lineage) = lineage {
            (self.session, self.version) = lineage;
        }
    }

    /// Whether the peer has yet to hear of this port: it was moved here from another call.
    pub fn is_unheard_of(&self) -> bool {
        self.agreed.is_none() && self.offered.is_none()
    }

    pub fn awaits_answer(&self) -> bool {
        self.offered.is_some()
    }

    /// Takes the peer's answer to our offer. A provisional one may be said again by the final response.
    pub fn accept(&mut self, answered: &Description, provisional: bool) -> Result<(), Disagreement> {
        let offered = match provisional {
            true => self.offered.clone().or_else(|| self.first.clone()),
            false => self.offered.take().or_else(|| self.first.take()),
        };
        let offered = offered.ok_or(Disagreement::UnfitAnswer)?;
        let agreed = negotiate::accept(&offered, answered)?;
        // An answer tells what the peer wants only as far as our offer left it the choice.
        let offered = offered.media.first().map(|media| media.direction).unwrap_or_default();
        self.wish = Direction::new(
            if offered.receives() { agreed.peer_wants.sends() } else { self.wish.sends() },
            if offered.sends() { agreed.peer_wants.receives() } else { self.wish.receives() },
        );
        self.agreed = Some(agreed);
        Ok(())
    }

    /// Takes what a fork answers before the call is answered. False where that changes nothing.
    pub fn accept_early(&mut self, fork: &str, answered: Description, is_reliable: bool) -> bool {
        let known = self.forks.iter().position(|known| known.tag == fork);
        if let Some(known) = known.and_then(|known| self.forks.get(known)) {
            // Said again, by whichever fork, it doesn't take the caller's ear off the one that spoke last.
            if known.is_settled || known.description == answered {
                return false;
            }
        }
        if self.forks.len() >= MAX_FORKS || self.accept(&answered, true).is_err() {
            return false;
        }
        if let Some(known) = known {
            self.forks.swap_remove(known);
        }
        self.forks.push(Fork { tag: fork.to_owned(), description: answered, is_settled: is_reliable });
        self.fork = fork.to_owned();
        if is_reliable && self.first.is_none() {
            self.first = self.offered.take();
        }
        true
    }

    /// Whether a fork has given its answer for good.
    pub fn is_settled_with(&self, fork: &str) -> bool {
        self.forks.iter().any(|known| known.is_settled && known.tag == fork)
    }

    /// The fork that answered the call is the one that holds, whoever spoke last. What we have offered another one since
    /// is none of its business.
    pub fn answered_by(&mut self, fork: &str) -> Result<(), Disagreement> {
        if self.fork == fork || self.forks.is_empty() {
            return Ok(());
        }
        if let Some(first) = self.first.take() {
            self.offered = Some(first);
        }
        let known = self.forks.iter().find(|known| known.tag == fork).map(|known| known.description.clone());
        known.map_or(Ok(()), |description| self.accept(&description, true))
    }

    pub fn withdraw(&mut self) {
        self.offered = None;
    }

    /// Answers the peer's offer. `other` is what the other leg wants, `towards` what it speaks.
    pub fn answer(
        &mut self,
        offered: &Description,
        other: Direction,
        towards: Option<Codec>,
    ) -> Result<Body, Disagreement> {
        let address = self.announced.ok_or(Disagreement::NoAudio)?;
        let local = Local {
            address,
            codecs: &self.codecs,
            direction: other,
            session: self.session,
            version: self.version + 1,
            ptime_ms: self.ptime_ms,
        };
        let (answer, agreed) = negotiate::answer(offered, &local, towards)?;
        self.version += 1;
        self.told = other;
        self.wish = agreed.peer_wants;
        self.agreed = Some(agreed);
        let body = body(&answer);
        self.answered = Some(answer);
        Ok(body)
    }

    /// Our last answer again: a final response may not say anything else than the provisional one did.
    pub fn repeated(&self) -> Option<Body> {
        self.answered.as_ref().map(body)
    }

    /// Tells the worker what was agreed here.
    pub fn configure(
        &mut self,
        exchange: &mut Exchange,
        other: Direction,
        towards: Option<Codec>,
        silence: SilenceLimits,
        digits: Dtmf,
    ) {
        let Some(agreed) = &self.agreed else { return };
        // A side that holds says that it sends, and often doesn't.
        let talks = agreed.peer_wants == Direction::SendRecv && other.receives();
        self.silence_limit = if talks { silence.talking } else { silence.held };
        let mut settings = Box::new(agreed.port_settings(other, towards, self.silence_limit));
        // Who is told in INFO requests isn't told a second time.
        if let Some(send) = settings.send.as_mut().filter(|_| digits == Dtmf::Info) {
            send.events = None;
        }
        exchange.command(self.worker, Command::Configure { port: self.port, settings });
    }

    pub fn connect(&self, exchange: &mut Exchange, source: Source) {
        exchange.command(self.worker, Command::Connect { port: self.port, source });
    }
}

/// Forks of one INVITE whose early media are told apart.
const MAX_FORKS: usize = 16;

/// What one phone or machine behind a proxy said before the answer.
struct Fork {
    tag: String,
    description: Description,
    /// It can't say otherwise but by an UPDATE.
    is_settled: bool,
}

/// After how much silence a leg is given up, if ever.
#[derive(Clone, Copy, Default)]
pub struct SilenceLimits {
    pub talking: Option<Duration>,
    pub held: Option<Duration>,
}

fn body(description: &Description) -> Body {
    Body { content_type: SDP.into(), bytes: sdp::write(description, "tandem").into() }
}

/// What a message says of media.
pub enum Said {
    Nothing,
    Media(Description),
    /// A body that isn't SDP.
    Unreadable(String),
    Foreign(String),
}

pub fn description_of(message: &Message) -> Said {
    let body = message.body();
    if body.is_empty() {
        return Said::Nothing;
    }
    let content_type = message.content_type().unwrap_or(SDP);
    let main = content_type.split(';').next().unwrap_or_default().trim();
    if !main.eq_ignore_ascii_case(SDP) {
        return Said::Foreign(main.to_owned());
    }
    match sdp::parse(&body) {
        Ok(description) => Said::Media(description),
        Err(error) => Said::Unreadable(error.to_string()),
    }
}
