//! The media of a SIP leg: its lines in their order, and what was said of them.

pub(super) mod heard;
pub(super) mod negotiate;
pub(super) mod stream;

use crate::call::exchange::{Exchange, LegKey};
use crate::call::media::heard::Heard;
use crate::call::media::negotiate::{Agreed, Disagreement};
use crate::call::media::stream::{Bond, Digits, Opposite, Repertoire, SilenceLimits, Stream};
use crate::media::command::{Command, PortId, Report, Source};
use crate::sip::flow::{Body, Flow};
use crate::wire::description::{Description, Direction, Kind, Media as MediaLine};
use crate::wire::sdp;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub const SDP: &str = "application/sdp";

pub struct Media {
    leg: LegKey,
    pub worker: usize,
    local: IpAddr,
    pub speaks: Repertoire,
    session: u64,
    version: u64,
    /// One for each line, in the order in which they were first named; a line that was is never forgotten (RFC 3264 §8).
    pub streams: Vec<Stream>,
    /// The streams before a change that isn't settled.
    former: Option<Vec<Stream>>,
    /// Ports that the worker hasn't closed.
    ports: Vec<Held>,
    /// What went through those that it has.
    reports: Vec<Carried>,
    /// Our description that awaits the peer's answer.
    offered: Option<Description>,
    /// Our offer in the INVITE, once a fork has settled with it, for the answers of others.
    first: Option<Description>,
    /// The streams as that offer had them: what one fork refuses, another may take.
    base: Option<Vec<Stream>>,
    /// What forks of this leg said before the answer.
    forks: Vec<Fork>,
    /// The fork whose description holds.
    fork: String,
    /// What we described last and the peer has taken, to be said again word for word.
    described: Option<Description>,
    /// A change of ours waits until an exchange in progress has ended.
    pub change_due: bool,
    /// Digits come from here in INFO requests.
    pub informs: bool,
    /// Digits that the worker had no room for.
    pub undialled: Vec<(char, Duration)>,
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

struct Held {
    port: PortId,
    bond: Bond,
    kind: Kind,
    codec: Option<String>,
    srtp: Option<String>,
    closing: bool,
    heard: Heard,
}

/// What went through the ports of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    pub kind: Kind,
    pub is_sound: bool,
    pub codec: Option<String>,
    /// The suite that protected it.
    pub srtp: Option<String>,
    pub report: Report,
}

impl Media {
    /// Asks for a port for each line that has a bond; the others are refused. `Opened` or `OpenFailed` follows for each.
    pub fn open(
        exchange: &mut Exchange,
        leg: LegKey,
        worker: usize,
        local: IpAddr,
        speaks: Repertoire,
        lines: Vec<(MediaLine, Option<Bond>)>,
    ) -> Media {
        // Session ids that tell nothing of the clock (RFC 8866 §5.2 only wants them to be unique).
        let session = exchange.chance.u64() >> 2;
        let mut media = Media {
            leg,
            worker,
            local,
            speaks,
            session,
            version: 0,
            streams: Vec::new(),
            former: None,
            ports: Vec::new(),
            reports: Vec::new(),
            offered: None,
            first: None,
            base: None,
            forks: Vec::new(),
            fork: String::new(),
            described: None,
            change_due: false,
            informs: false,
            undialled: Vec::new(),
        };
        media.streams = lines
            .into_iter()
            .map(|(shape, bond)| match bond {
                Some(bond) => media.stream(exchange, bond, shape),
                None => Stream::refused(shape),
            })
            .collect();
        media
    }

    /// The same, with its lines as the leg's own peer described them in its offer.
    pub fn described(mut self, offer: Option<&Description>) -> Media {
        for (stream, theirs) in self.streams.iter_mut().zip(offer.iter().flat_map(|offer| &offer.media)) {
            stream.describe(theirs.clone());
        }
        self
    }

    /// The same, with its lines as the leg's own peer described them in another call, where it may have held.
    pub fn told(mut self) -> Media {
        for stream in &mut self.streams {
            stream.describe(stream.shape().clone());
            stream.wish = Direction::SendRecv;
        }
        self
    }

    /// A line with a port of its own.
    pub fn stream(&mut self, exchange: &mut Exchange, bond: Bond, shape: MediaLine) -> Stream {
        let port = exchange.open_port(self.leg, self.worker, self.local);
        self.ports.push(Held {
            port,
            bond,
            kind: shape.kind.clone(),
            codec: None,
            srtp: None,
            closing: false,
            heard: Heard::default(),
        });
        Stream::new(bond, port, exchange.chance.bytes(), shape)
    }

    /// Begins anew on another worker. False where the peer has heard of its ports already.
    pub fn move_to(&mut self, exchange: &mut Exchange, worker: usize) -> bool {
        if self.version > 0 || self.awaits_answer() || self.is_agreed() {
            return false;
        }
        self.close(exchange);
        self.worker = worker;
        for stream in self.streams.iter_mut().filter(|stream| stream.port.is_some()) {
            let port = exchange.open_port(self.leg, worker, self.local);
            let kind = stream.shape().kind.clone();
            let heard = Heard::default();
            self.ports.push(Held { port, bond: stream.bond, kind, codec: None, srtp: None, heard, closing: false });
            stream.reopen(port);
        }
        true
    }

    pub fn sound(&self) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.is_sound())
    }

    /// What was agreed for the sound.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.sound()?.agreed.as_ref()
    }

    /// Whether an answer has settled anything yet.
    pub fn is_agreed(&self) -> bool {
        self.streams.iter().any(|stream| stream.agreed.is_some())
    }

    /// How many lines are open.
    pub fn live(&self) -> usize {
        self.streams.iter().filter(|stream| stream.port.is_some()).count()
    }

    /// What the other leg is to know.
    pub fn opposites(&self) -> Vec<Opposite> {
        self.streams.iter().filter_map(Stream::opposite).collect()
    }

    pub fn opened(&mut self, exchange: &Exchange, flow: Flow, port: PortId, number: u16) {
        let address = SocketAddr::new(exchange.announced(self.local, flow.remote.ip()), number);
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.port == Some(port)) {
            stream.opened(address, flow.remote.ip());
        }
    }

    /// A port can't be had: its line is refused. False where nothing is left that is worth a call.
    pub fn failed(&mut self, port: PortId) -> bool {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.port == Some(port)) else { return true };
        let was_sound = stream.is_sound();
        stream.refuse();
        !was_sound && self.live() > 0
    }

    /// Whether a port is still awaited.
    pub fn awaits_port(&self) -> bool {
        self.streams.iter().any(Stream::awaits_port)
    }

    /// Our offer, in which every line has what the other leg has for it. The answer goes to `accept`.
    pub fn offer(&mut self, other: &[Opposite]) -> Option<Body> {
        let speaks = &self.speaks;
        let lines = self.streams.iter_mut().map(|stream| {
            let opposite = other.iter().find(|opposite| opposite.bond == stream.bond);
            stream.offer(speaks, opposite)
        });
        let media: Vec<MediaLine> = lines.collect();
        if media.iter().all(MediaLine::is_refused) {
            return None;
        }
        self.version += 1;
        let offered = Description { session: self.session, version: self.version, media };
        let body = body(&offered);
        self.offered = Some(offered);
        Some(body)
    }

    /// Our offer of what is agreed already, for a refresh; none while another offer is under way. It is told from one that
    /// the peer has refused since (RFC 3264 §8).
    pub fn offer_the_same(&mut self) -> Option<Body> {
        if self.offered.is_some() {
            return None;
        }
        let mut offered = self.described.clone()?;
        if offered.version != self.version {
            self.version += 1;
            offered.version = self.version;
        }
        let body = body(&offered);
        self.offered = Some(offered);
        Some(body)
    }

    /// Our address for it.
    pub fn local(&self) -> IpAddr {
        self.local
    }

    /// The session and the version of our descriptions.
    pub fn lineage(&self) -> (u64, u64) {
        (self.session, self.version)
    }

    /// What its lines look like, to be refused in their places.
    pub fn shapes(&self) -> Vec<MediaLine> {
        self.streams.iter().map(|stream| stream.shape().clone()).collect()
    }

    /// Goes on where the descriptions of another call's media stopped. Lines that were added there since are refused here.
    pub fn go_on(&mut self, lineage: Option<(u64, u64)>, shapes: &[MediaLine]) {
        if let Some(lineage) = lineage {
            (self.session, self.version) = lineage;
        }
        self.streams.iter_mut().zip(shapes).for_each(|(stream, shape)| stream.goes_on(shape));
        let added = shapes.iter().skip(self.streams.len());
        self.streams.extend(added.map(|shape| Stream::refused(shape.clone())));
    }

    /// It is another leg's by now.
    pub fn belongs_to(&mut self, leg: LegKey) {
        self.leg = leg;
    }

    /// Whether the peer has yet to hear of these ports: the leg was moved here from another call.
    pub fn is_unheard_of(&self) -> bool {
        !self.is_agreed() && self.offered.is_none() && self.live() > 0
    }

    pub fn awaits_answer(&self) -> bool {
        self.offered.is_some()
    }

    /// Takes the peer's answer to our offer. A provisional one may be said again by the final response. A line that the
    /// peer refuses stays so.
    pub fn accept(&mut self, answered: &Description, provisional: bool) -> Result<(), Disagreement> {
        // An answer to what was offered since says nothing of the lines that other forks may take.
        let is_later = self.first.is_some() && self.offered.is_some();
        let offered = match provisional {
            true => self.offered.clone().or_else(|| self.first.clone()),
            false => self.offered.take().or_else(|| self.first.take()),
        };
        let offered = offered.ok_or(Disagreement::UnfitAnswer)?;
        let before = self.base.clone().filter(|_| !is_later).unwrap_or_else(|| self.streams.clone());
        let mut streams = before.clone();
        let mut result = Err(Disagreement::UnfitAnswer);
        for (index, (stream, ours)) in streams.iter_mut().zip(&offered.media).enumerate() {
            if ours.is_refused() {
                stream.refuse();
                continue;
            }
            let accepted = match answered.media.get(index) {
                Some(theirs) => stream.accept(ours, theirs),
                None => Err(Disagreement::UnfitAnswer),
            };
            if accepted.is_err() {
                stream.refuse();
            }
            // What was said of the sound counts for most.
            result = match (result, accepted) {
                (Ok(()), _) | (_, Ok(())) => Ok(()),
                (Err(before), Err(_)) if !ours.kind.eq(&Kind::Audio) => Err(before),
                (Err(_), Err(why)) => Err(why),
            };
        }
        result?;
        self.streams = streams;
        if !is_later {
            self.base = provisional.then_some(before);
        }
        self.note_codecs();
        self.described = Some(offered);
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
        let known = self.forks.iter().find(|known| known.tag == fork);
        // What it has settled isn't said again, and nothing is awaited any more.
        let known = known.map(|known| (known.description.clone(), !known.is_settled));
        known.map_or(Ok(()), |(description, is_provisional)| self.accept(&description, is_provisional))
    }

    /// The call is answered: what other forks said of the lines is over.
    pub fn settled(&mut self) {
        (self.base, self.first) = (None, None);
    }

    pub fn withdraw(&mut self) {
        self.offered = None;
    }

    /// Takes back an offer that couldn't be sent: the next one follows on the last that was (RFC 3264 §8).
    pub fn unsay(&mut self) {
        if self.offered.take().is_some() {
            self.version -= 1;
        }
    }

    /// Answers the peer's offer with what the other leg has: each line taken or refused in its place (RFC 3264 §6).
    /// Nothing is changed where none can be taken.
    pub fn answer(&mut self, offered: &Description, other: &[Opposite]) -> Result<Body, Disagreement> {
        let mut streams = self.streams.clone();
        let mut media = Vec::with_capacity(offered.media.len());
        let mut why = Disagreement::NoAudio;
        let mut taken = false;
        for (index, theirs) in offered.media.iter().enumerate() {
            if index == streams.len() {
                streams.push(Stream::refused(theirs.clone()));
            }
            let stream = &mut streams[index];
            let opposite = other.iter().find(|opposite| opposite.bond == stream.bond);
            let mut ours = match stream.answer(theirs, &self.speaks, opposite) {
                Ok((ours, agreed)) => {
                    let told = opposite.map_or(Direction::SendRecv, |opposite| opposite.wish);
                    stream.answered(theirs.clone(), ours.clone(), agreed, told);
                    taken = true;
                    ours
                }
                Err(reason) => {
                    if stream.is_sound() {
                        why = reason;
                    }
                    *stream = Stream::refused(theirs.clone());
                    negotiate::refused(theirs)
                }
            };
            stream.name(&mut ours);
            media.push(ours);
        }
        if !taken {
            return Err(why);
        }
        // Fewer lines than before are against the rules; those that are missing are gone.
        streams.iter_mut().skip(offered.media.len()).for_each(Stream::refuse);
        self.streams = streams;
        self.note_codecs();
        self.version += 1;
        let answer = Description { session: self.session, version: self.version, media };
        let body = body(&answer);
        self.described = Some(answer);
        Ok(body)
    }

    /// Our last answer again: a final response may not say anything else than the provisional one did.
    pub fn repeated(&self) -> Option<Body> {
        self.described.as_ref().map(body)
    }

    /// Whether the peer was told of anything otherwise than the other leg has it by now.
    pub fn is_told_otherwise(&self, other: &[Opposite]) -> bool {
        self.streams.iter().filter(|stream| stream.port.is_some()).any(|stream| {
            let opposite = other.iter().find(|opposite| opposite.bond == stream.bond);
            match opposite {
                Some(opposite) => opposite.wish != stream.told || !stream.understands(opposite),
                None => stream.agreed.is_some(),
            }
        })
    }

    /// Remembers the streams as they are, until a change is settled.
    pub fn begin_change(&mut self) {
        self.former = Some(self.streams.clone());
    }

    pub fn commit_change(&mut self, exchange: &mut Exchange) {
        self.former = None;
        self.close_unused(exchange);
    }

    pub fn undo_change(&mut self, exchange: &mut Exchange) {
        if let Some(former) = self.former.take() {
            self.streams = former;
            // The peer may yet take an offer that is on its way to it, and none of its lines is ever taken back.
            let offered = self.offered.iter().flat_map(|offered| &offered.media);
            let added = offered.skip(self.streams.len()).map(|line| Stream::refused(line.clone()));
            self.streams.extend(added.collect::<Vec<_>>());
        }
        self.close_unused(exchange);
    }

    /// Closes the ports of lines that are refused by now.
    pub fn close_unused(&mut self, exchange: &mut Exchange) {
        let Media { streams, former, base, ports, worker, .. } = self;
        let is_used = |port: PortId| {
            let mut all = streams.iter().chain(former.iter().flatten()).chain(base.iter().flatten());
            all.any(|stream| stream.port == Some(port))
        };
        for held in ports.iter_mut().filter(|held| !held.closing && !is_used(held.port)) {
            held.closing = true;
            exchange.command(*worker, Command::Close { port: held.port });
        }
    }

    /// Tells the worker what was agreed. `ports` are those of the other leg; `own` is the sound of one that has none.
    pub fn wire(
        &mut self,
        exchange: &mut Exchange,
        other: &[Opposite],
        ports: &[(Bond, PortId)],
        own: Option<&Source>,
        silence: SilenceLimits,
        digits: Digits,
    ) {
        self.close_unused(exchange);
        let Media { streams, ports: held, worker, .. } = self;
        // Of a leg that is about to go nothing is settled any more.
        for stream in streams.iter_mut().filter(|stream| !is_closing(held, stream)) {
            let Some(opposite) = other.iter().find(|opposite| opposite.bond == stream.bond) else { continue };
            let peer = ports.iter().find(|(bond, _)| *bond == stream.bond).map(|&(_, port)| Source::Peer(port));
            // A clip is sound, and takes no picture's place.
            let own = own.filter(|own| stream.is_sound() || matches!(own, Source::Echo));
            let source = own.cloned().or(peer).unwrap_or(Source::Nothing);
            stream.wire(exchange, *worker, opposite, source, silence, digits);
        }
        self.listen();
    }

    /// Nothing is sent any more until it is wired again.
    pub fn disconnect(&self, exchange: &mut Exchange) {
        for port in self.streams.iter().filter_map(|stream| stream.port) {
            exchange.command(self.worker, Command::Connect { port, source: Source::Nothing });
        }
    }

    /// After how much silence the leg is given up.
    pub fn silence_limit(&self) -> Option<Duration> {
        self.streams.iter().filter_map(|stream| stream.silence_limit).max()
    }

    /// The open lines and their ports.
    pub fn bonds(&self) -> Vec<(Bond, PortId)> {
        let open = self.streams.iter().filter(|stream| !is_closing(&self.ports, stream));
        open.filter_map(|stream| Some((stream.bond, stream.port?))).collect()
    }

    /// Closes all ports.
    pub fn close(&mut self, exchange: &mut Exchange) {
        for held in self.ports.iter_mut().filter(|held| !held.closing) {
            held.closing = true;
            exchange.command(self.worker, Command::Close { port: held.port });
        }
    }

    /// A port is no more, or never was.
    pub fn closed(&mut self, exchange: &mut Exchange, port: PortId, report: Report) {
        let Some(index) = self.ports.iter().position(|held| held.port == port) else { return };
        let Held { bond, kind, codec, srtp, .. } = self.ports.swap_remove(index);
        exchange.forget_port(port);
        let is_sound = bond == Bond::SOUND;
        let known = self.reports.iter_mut().find(|known| known.kind == kind && known.is_sound == is_sound);
        match known {
            Some(known) => {
                known.report = known.report.plus(report);
                known.codec = codec.or(known.codec.take());
                known.srtp = srtp;
            }
            None => self.reports.push(Carried { kind, is_sound, codec, srtp, report }),
        }
    }

    pub fn ports(&self) -> impl Iterator<Item = PortId> {
        self.ports.iter().map(|held| held.port)
    }

    /// What went through the ports that are closed.
    pub fn reports(&self) -> &[Carried] {
        &self.reports
    }

    fn note_codecs(&mut self) {
        for held in &mut self.ports {
            let stream = self.streams.iter().find(|stream| stream.port == Some(held.port));
            if let Some(agreed) = stream.and_then(|stream| stream.agreed.as_ref()) {
                held.codec = Some(agreed.codec_text());
                held.srtp = agreed.protection.as_ref().map(|keys| keys.send.suite().name().to_owned());
            }
        }
    }
}

/// Whether the port of a line is being closed.
fn is_closing(ports: &[Held], stream: &Stream) -> bool {
    ports.iter().any(|held| held.closing && stream.port == Some(held.port))
}

fn body(description: &Description) -> Body {
    Body { content_type: SDP.into(), bytes: sdp::write(description, "tandem").into() }
}
