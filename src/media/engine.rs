//! All streams of a worker, without the world: orders, packets and ticks go in, packets and events come out.
//!
//! ```text
//! receive → kind → source admitted? → sequence → relay ──────────────────────────────→ batch
//!                                              ↘ jitter buffer ⋯ tick → decode → encode ↗
//! ```

mod rooms;
mod sound;
#[cfg(test)]
mod tests;

use crate::base::chance::Chance;
use crate::base::time::{Time, Wall};
use crate::media::batch::{Batch, Channel, PACKET_BYTES, Slot};
use crate::media::command::{Command, Event, PortId, PortSettings, Protocol, RoomId, Source};
use crate::media::counters::{Counters, Reason};
use crate::media::room::Room;
use crate::media::side::{Side, Way};
use crate::media::stream::receive::{Accept, Heard};
use crate::media::stream::send::Exit;
use crate::media::stream::{feedback, report};
use crate::media::transport::port::Verdict;
use crate::media::transport::security::Security;
use crate::wire::rtp::{self, Kind};
use crate::wire::{dtmf, rtcp, udptl};
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The room that a batch has to have before a side's tick; what that sends beyond it is dropped.
pub const TICK_ROOM: usize = 64;

/// Events that may wait for the switch. Beyond it, digits are left out; what ends a port never is.
const EVENT_LIMIT: usize = 4_096;

pub struct Engine {
    sides: Slab<Box<Side>>,
    /// When each side next has something to do, by its slot: apart from the sides, so that looking over thousands of them
    /// touches a few cache lines.
    dues: Vec<Time>,
    next: Time,
    cursor: usize,
    slots: HashMap<PortId, Slot>,
    /// Sides that are to hear a port which isn't open yet.
    waiting: HashMap<PortId, Vec<Slot>>,
    rooms: Slab<Box<Room>>,
    room_ids: HashMap<RoomId, usize>,
    events: VecDeque<Event>,
    counters: Arc<Counters>,
    chance: Chance,
    start: Wall,
    /// Room for a packet that was protected.
    plain: Box<[u8]>,
}

impl Engine {
    /// `start` is the time of day at [`Time::ZERO`].
    pub fn new(chance: Chance, start: Wall, counters: Arc<Counters>) -> Engine {
        Engine {
            sides: Slab::new(),
            dues: Vec::new(),
            next: Time::NEVER,
            cursor: 0,
            slots: HashMap::new(),
            waiting: HashMap::new(),
            rooms: Slab::new(),
            room_ids: HashMap::new(),
            events: VecDeque::with_capacity(EVENT_LIMIT / 4),
            counters,
            chance,
            start,
            plain: vec![0; PACKET_BYTES].into_boxed_slice(),
        }
    }

    /// Opens a port for which whoever owns the sockets has bound `number` and the one after it, and tells so.
    pub fn open(&mut self, now: Time, port: PortId, number: u16) -> Slot {
        let entry = self.sides.vacant_entry();
        let slot = Slot(entry.key());
        entry.insert(Box::new(Side::new(now, port, slot, &mut self.chance)));
        if self.dues.len() <= slot.0 {
            self.dues.resize(slot.0 + 1, Time::NEVER);
        }
        self.dues[slot.0] = Time::NEVER;
        self.slots.insert(port, slot);
        for listener in self.waiting.remove(&port).unwrap_or_default() {
            self.listen(listener, slot);
        }
        self.counters.ports.add(1);
        self.reschedule(slot);
        self.events.push_back(Event::Opened { port, number });
        slot
    }

    /// Where the next port that is opened will be.
    pub fn vacant_slot(&self) -> Slot {
        Slot(self.sides.vacant_key())
    }

    /// Tells that a port could not be opened.
    pub fn open_failed(&mut self, port: PortId, why: String) {
        self.events.push_back(Event::OpenFailed { port, why });
    }

    pub fn slot(&self, port: PortId) -> Option<Slot> {
        self.slots.get(&port).copied()
    }

    /// Obeys an order. Binding is not the engine's: an `Open` that comes here fails.
    pub fn command(&mut self, now: Time, command: Command, batch: &mut Batch) {
        match command {
            Command::Open { port, .. } => self.open_failed(port, "the engine has no sockets".to_owned()),
            Command::Configure { port, settings } => self.configure(now, port, &settings),
            Command::Connect { port, source } => self.connect(now, port, source),
            Command::Dial { port, digits, duration } => self.dial(now, port, &digits, duration),
            Command::Tap { port, tap } => self.tap(now, port, *tap),
            Command::TapRoom { room, tap } => self.tap_room(room, *tap),
            Command::Close { port } => self.close(now, port, batch),
        }
    }

    fn configure(&mut self, now: Time, port: PortId, settings: &PortSettings) {
        let Some(slot) = self.ordered(port) else { return };
        if let Some(side) = self.sides.get_mut(slot.0) {
            side.configure(now, settings, &mut self.chance);
        }
        self.prepare(slot);
        self.prepare_place(slot);
        if let Some(heard) = self.sides.get(slot.0).and_then(|side| side.heard) {
            self.prepare(heard);
        }
        self.reschedule(slot);
    }

    fn connect(&mut self, now: Time, port: PortId, source: Source) {
        let Some(slot) = self.ordered(port) else { return };
        if let Source::Room(seat) = &source
            && self.is_seated(slot, seat)
        {
            return self.change_seat(slot, seat);
        }
        if self.is_connected(slot, &source) {
            return;
        }
        self.disconnect(slot);
        let heard = match &source {
            Source::Peer(peer) => match self.slot(*peer) {
                None => {
                    self.waiting.entry(*peer).or_default().push(slot);
                    None
                }
                found => found,
            },
            Source::Echo => Some(slot),
            Source::Nothing | Source::Play { .. } | Source::Room(_) => None,
        };
        if let Source::Room(seat) = &source {
            self.enter(now, slot, seat);
        }
        if let Source::Play { clip, repeat } = &source {
            self.play(now, slot, clip.clone(), *repeat);
        }
        if let Some(side) = self.sides.get_mut(slot.0) {
            side.source = source;
        }
        if let Some(heard) = heard {
            self.listen(slot, heard);
        }
    }

    /// Whether a side has its sound from there already: what is renegotiated beside it doesn't break it off.
    fn is_connected(&self, slot: Slot, source: &Source) -> bool {
        let Some(side) = self.sides.get(slot.0) else { return false };
        match (&side.source, source) {
            (Source::Nothing, Source::Nothing) => true,
            (Source::Echo, Source::Echo) => side.heard == Some(slot),
            (Source::Peer(before), Source::Peer(peer)) => before == peer && side.heard == self.slot(*peer),
            (Source::Play { clip: before, repeat: repeated }, Source::Play { clip, repeat }) => {
                Arc::ptr_eq(before, clip) && repeated == repeat && side.player.is_some()
            }
            _ => false,
        }
    }

    fn listen(&mut self, listener: Slot, heard: Slot) {
        if let Some(side) = self.sides.get_mut(listener.0) {
            side.heard = Some(heard);
        }
        if let Some(side) = self.sides.get_mut(heard.0) {
            side.listeners.push(listener);
        }
        self.prepare(heard);
    }

    /// Takes a side's outgoing sound away from whatever it comes from.
    fn disconnect(&mut self, slot: Slot) {
        self.leave(slot);
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        side.send.begin_anew();
        side.player = None;
        side.transcoder = None;
        let heard = side.heard.take();
        if let Source::Peer(peer) = std::mem::replace(&mut side.source, Source::Nothing)
            && let Some(waiting) = self.waiting.get_mut(&peer)
        {
            waiting.retain(|listener| *listener != slot);
            if waiting.is_empty() {
                self.waiting.remove(&peer);
            }
        }
        if let Some(heard) = heard {
            if let Some(source) = self.sides.get_mut(heard.0) {
                source.listeners.retain(|listener| *listener != slot);
            }
            self.prepare(heard);
        }
        self.turn(slot, Way::Idle);
    }

    fn dial(&mut self, now: Time, port: PortId, digits: &str, duration: Duration) {
        let Some(slot) = self.ordered(port) else { return };
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        if side.send.dial(digits, duration) {
            return self.reschedule(slot);
        }
        if let Some(tones) = &mut side.tones {
            tones.dial(digits, duration);
            self.sound_tones(now, slot);
        }
    }

    fn close(&mut self, now: Time, port: PortId, batch: &mut Batch) {
        let Some(slot) = self.ordered(port) else { return };
        self.send_report(now, slot, batch, true);
        self.disconnect(slot);
        self.slots.remove(&port);
        let mut side = self.sides.remove(slot.0);
        self.dues[slot.0] = Time::NEVER;
        self.find_next();
        for listener in std::mem::take(&mut side.listeners) {
            if let Some(listener) = self.sides.get_mut(listener.0) {
                listener.heard = None;
                listener.transcoder = None;
                listener.send.begin_anew();
            }
            self.turn(listener, Way::Idle);
        }
        self.counters.ports.subtract(1);
        self.events.push_back(Event::Closed { port, report: side.report() });
    }

    /// The slot of a port that an order names.
    fn ordered(&mut self, port: PortId) -> Option<Slot> {
        let slot = self.slot(port);
        if slot.is_none() {
            self.counters.count_drop(Reason::NoPort);
        }
        slot
    }

    /// Takes one datagram that came in on a port's socket.
    pub fn receive(
        &mut self,
        now: Time,
        slot: Slot,
        channel: Channel,
        from: SocketAddr,
        datagram: &[u8],
        batch: &mut Batch,
    ) {
        self.counters.received_packets.add(1);
        self.counters.received_bytes.add(datagram.len() as u64);
        let mut plain = std::mem::take(&mut self.plain);
        let result = match self.opened(now, slot, datagram, &mut plain) {
            Ok(datagram) => self.receive_plain(now, slot, channel, from, datagram, batch),
            Err(reason) => Err(reason),
        };
        self.plain = plain;
        if let Err(reason) = result {
            self.counters.count_drop(reason);
            if let Some(side) = self.sides.get_mut(slot.0) {
                side.count_drop(reason, channel, from);
            }
        }
    }

    /// What came, in clear: as it is, or opened into `plain` where the port is protected.
    fn opened<'a>(
        &mut self,
        now: Time,
        slot: Slot,
        datagram: &'a [u8],
        plain: &'a mut [u8],
    ) -> Result<&'a [u8], Reason> {
        match &mut self.sides.get_mut(slot.0).ok_or(Reason::NoPort)?.security {
            Security::Clear { .. } => Ok(datagram),
            Security::Shut => Err(Reason::Unauthentic),
            Security::Keyed(keyed) => {
                let opened = keyed.open(now, Kind::of(datagram), datagram, plain).map_err(Reason::from)?;
                plain.get(..opened).ok_or(Reason::Malformed)
            }
        }
    }

    fn receive_plain(
        &mut self,
        now: Time,
        slot: Slot,
        channel: Channel,
        from: SocketAddr,
        datagram: &[u8],
        batch: &mut Batch,
    ) -> Result<(), Reason> {
        let protocol = self.sides.get(slot.0).map(|side| side.protocol).unwrap_or_default();
        match (protocol, Kind::of(datagram), channel) {
            (Protocol::Udptl, _, Channel::Rtp) => self.receive_udptl(now, slot, from, datagram, batch),
            (Protocol::Udptl, ..) => Err(Reason::Protocol),
            (_, Kind::Rtp, Channel::Rtp) => self.receive_rtp(now, slot, from, datagram, batch),
            (_, Kind::Rtcp, _) => self.receive_rtcp(now, slot, channel, from, datagram, batch),
            (_, Kind::Unknown, _) => Err(Reason::Malformed),
            _ => Err(Reason::Protocol),
        }
    }

    fn receive_rtp(
        &mut self,
        now: Time,
        slot: Slot,
        from: SocketAddr,
        datagram: &[u8],
        batch: &mut Batch,
    ) -> Result<(), Reason> {
        let side = self.sides.get_mut(slot.0).ok_or(Reason::NoPort)?;
        let packet = rtp::Packet::parse(datagram).map_err(|_| Reason::Malformed)?;
        let accept = side.receive.accepts(packet.header.payload_type).ok_or(Reason::PayloadType)?;
        match side.port.admit(now, from, packet.header.sequence, Some(packet.header.ssrc)) {
            Verdict::Known => {}
            Verdict::Learnt => self.events.push_back(Event::Learnt { port: side.id, source: from }),
            Verdict::Stranger => return Err(Reason::Stranger),
        }
        let heard = side.receive.take(now, &packet, accept)?;
        let (silence_was_told, is_news) = (side.silence.broken(now), side.watch.hear(now));
        if is_news {
            self.events.push_back(Event::Heard { port: side.id });
        }
        if let Accept::Events(clock_rate) = accept {
            self.follow_signal(now, slot, &heard, clock_rate);
        } else if silence_was_told || is_news {
            self.reschedule(slot);
        }
        self.deliver(now, slot, &heard, batch);
        Ok(())
    }

    fn follow_signal(&mut self, now: Time, slot: Slot, heard: &Heard<'_>, clock_rate: u32) {
        let (Some(event), Some(side)) = (dtmf::Event::parse(heard.payload), self.sides.get_mut(slot.0)) else { return };
        let (port, events) = (side.id, &mut self.events);
        side.signal.take(now, heard.generation, heard.header.timestamp, clock_rate, event, |digit| {
            if events.len() < EVENT_LIMIT {
                events.push_back(Event::Digit { port, digit: digit.digit, duration: digit.duration });
            }
        });
        self.reschedule(slot);
    }

    /// Hands a packet to everyone who sends what its side hears.
    fn deliver(&mut self, now: Time, source: Slot, heard: &Heard<'_>, batch: &mut Batch) {
        let Some(side) = self.sides.get(source.0) else { return };
        let mut decodes = side.tap.is_some() || side.hears_keys || side.place.is_some_and(|place| !place.muted);
        let spoken = side.receive.codec();
        for index in 0..side.listeners.len() {
            let Some(side) = self.sides.get(source.0) else { return };
            let Some(&listener) = side.listeners.get(index) else { return };
            let origin = side.origin_for(listener);
            let Some(sink) = self.sides.get_mut(listener.0) else { continue };
            let way = match heard.accept {
                Accept::Events(_) => sink.way,
                Accept::Sealed(sealed) => sink.way_for_sealed(sealed),
                Accept::Audio(codec) => sink.way_for(codec, origin),
                Accept::Noise => spoken.map_or(Way::Idle, |codec| sink.way_for(codec, origin)),
            };
            let to = sink.port.rtp_destination();
            let Side { send, security, tones, .. } = &mut **sink;
            let mut exit = Exit { batch, slot: listener, to, counters: &self.counters, security };
            match heard.accept {
                Accept::Events(clock_rate) => {
                    send.carry(now, &mut exit, source, heard, clock_rate);
                    if let (Some(tones), Some(event)) = (tones, dtmf::Event::parse(heard.payload)) {
                        tones.follow(now, source, heard, clock_rate, event);
                        self.sound_tones(now, listener);
                    }
                    self.reschedule(listener);
                }
                Accept::Sealed(_) if way == Way::Relay => {
                    send.relay(now, &mut exit, source, heard);
                    self.turn(listener, Way::Relay);
                }
                Accept::Sealed(_) => send.skip(source, heard),
                Accept::Noise => {
                    match way {
                        Way::Relay if send.noise().is_some() => send.relay(now, &mut exit, source, heard),
                        Way::Idle | Way::Relay => send.skip(source, heard),
                        Way::Transcode => decodes = true,
                    }
                    self.turn(listener, way);
                }
                Accept::Audio(_) => {
                    if way == Way::Relay && tones.as_ref().is_some_and(|tones| tones.is_active()) {
                        send.skip(source, heard);
                    } else if way == Way::Relay {
                        send.relay(now, &mut exit, source, heard);
                    }
                    decodes |= way == Way::Transcode;
                    self.turn(listener, way);
                }
            }
        }
        let codec = match heard.accept {
            Accept::Audio(codec) => Some(codec),
            Accept::Noise => spoken,
            Accept::Events(_) | Accept::Sealed(_) => None,
        };
        if let Some(codec) = codec.filter(|_| decodes) {
            self.hear(now, source, codec, heard);
        } else if let (None, Some(side)) = (codec, self.sides.get_mut(source.0))
            && let Some(hearing) = &mut side.hearing
        {
            hearing.pass_by(heard);
        }
    }

    /// Notes how a side gets its sound; what a new way needs is made at the next tick.
    fn turn(&mut self, slot: Slot, way: Way) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let before = std::mem::replace(&mut side.way, way);
        if before == way {
            return;
        }
        if let Some(transcoder) = &mut side.transcoder {
            transcoder.pause();
        }
        let heard = side.heard;
        for (way, more) in [(before, false), (way, true)] {
            let count = match way {
                Way::Idle => continue,
                Way::Relay => &self.counters.relays,
                Way::Transcode => &self.counters.transcoders,
            };
            if more { count.add(1) } else { count.subtract(1) }
        }
        if let Some((heard, source)) = heard.and_then(|heard| Some((heard, self.sides.get_mut(heard.0)?)))
            && way == Way::Transcode
        {
            source.unprepared = true;
            self.reschedule(heard);
        }
    }

    /// Takes a datagram of a fax (ITU-T T.38 §9.1): what is in it, both ends know.
    fn receive_udptl(
        &mut self,
        now: Time,
        slot: Slot,
        from: SocketAddr,
        datagram: &[u8],
        batch: &mut Batch,
    ) -> Result<(), Reason> {
        let side = self.sides.get_mut(slot.0).ok_or(Reason::NoPort)?;
        let sequence = udptl::sequence(datagram).ok_or(Reason::Malformed)?;
        match side.port.admit(now, from, sequence, None) {
            Verdict::Known => {}
            Verdict::Learnt => self.events.push_back(Event::Learnt { port: side.id, source: from }),
            Verdict::Stranger => return Err(Reason::Stranger),
        }
        side.receive.count(now, datagram.len());
        if side.silence.broken(now) {
            self.reschedule(slot);
        }
        for index in 0.. {
            let Some(&listener) = self.sides.get(slot.0).and_then(|side| side.listeners.get(index)) else { break };
            let Some(sink) = self.sides.get_mut(listener.0) else { continue };
            if sink.protocol == Protocol::Udptl {
                let to = sink.port.rtp_destination();
                let Side { send, security, .. } = &mut **sink;
                send.forward(&mut Exit { batch, slot: listener, to, counters: &self.counters, security }, datagram);
                self.turn(listener, Way::Relay);
            }
        }
        Ok(())
    }

    fn receive_rtcp(
        &mut self,
        now: Time,
        slot: Slot,
        channel: Channel,
        from: SocketAddr,
        datagram: &[u8],
        batch: &mut Batch,
    ) -> Result<(), Reason> {
        let side = self.sides.get_mut(slot.0).ok_or(Reason::NoPort)?;
        if !side.port.admit_rtcp(from, channel) {
            return Err(Reason::Stranger);
        }
        let ntp = report::ntp(self.start, now);
        side.reports.take(now, ntp, side.send.ssrc(), datagram).map_err(|_| Reason::Malformed)?;
        if let Some(transcoder) = &mut side.transcoder {
            transcoder.set_expected_loss_percent(side.reports.remote_loss_percent);
        }
        let broken = side.silence.broken(now);
        if rtcp::has_feedback(datagram) {
            self.pass_feedback(slot, datagram, batch);
        }
        if broken {
            self.reschedule(slot);
        }
        Ok(())
    }

    /// Hands what a peer says of the stream that it is sent (RFC 4585) to the source of that stream.
    fn pass_feedback(&mut self, slot: Slot, datagram: &[u8], batch: &mut Batch) {
        let Some(heard) = self.sides.get(slot.0).and_then(|side| side.heard) else { return };
        let mut length = 0;
        let translated = |sides: &Slab<Box<Side>>, room: &mut [u8]| {
            let (side, source) = (sides.get(slot.0)?, sides.get(heard.0)?);
            let begun = source.reports.preamble(&source.send, room)?;
            let (from, to) = (source.send.ssrc(), source.receive.ssrc()?);
            feedback::translate(datagram, &side.send, from, to, room, begun)
        };
        let Some((channel, to)) = self.sides.get(heard.0).and_then(|source| source.port.rtcp_destination()) else {
            return;
        };
        let sides = &mut self.sides;
        let written = batch.push(heard, channel, to, |room| {
            let whole = translated(sides, room)?;
            length = sides.get_mut(heard.0)?.security.seal(Kind::Rtcp, room, whole)?;
            Some(length)
        });
        if written {
            self.counters.sent_packets.add(1);
            self.counters.sent_bytes.add(length as u64);
        }
    }

    /// When `tick` is next needed; [`Time::NEVER`] while nothing is open.
    pub fn next_due(&self) -> Time {
        self.next
    }

    /// Does what is due. True where the batch got full before all was done: then empty it and call again.
    pub fn tick(&mut self, now: Time, batch: &mut Batch) -> bool {
        if now < self.next && self.cursor == 0 {
            return false;
        }
        if self.tick_rooms(now, batch) {
            return true;
        }
        while let Some(&due) = self.dues.get(self.cursor) {
            if due <= now {
                if batch.room() < TICK_ROOM.min(batch.capacity()) {
                    return true;
                }
                self.tick_side(now, Slot(self.cursor), batch);
            }
            self.cursor += 1;
        }
        self.cursor = 0;
        self.find_next();
        false
    }

    fn find_next(&mut self) {
        self.next = self.dues.iter().copied().min().unwrap_or(Time::NEVER).min(self.rooms_due());
    }

    fn tick_side(&mut self, now: Time, slot: Slot, batch: &mut Batch) {
        let Some(side) = self.sides.get_mut(slot.0) else {
            self.dues[slot.0] = Time::NEVER;
            return;
        };
        if side.unprepared {
            self.prepare(slot);
        }
        self.step_sound(now, slot, batch);
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        let to = side.port.rtp_destination();
        let Side { send, security, .. } = &mut **side;
        send.tick(now, &mut Exit { batch, slot, to, counters: &self.counters, security });
        let (port, events) = (side.id, &mut self.events);
        side.signal.expire(now, |digit| {
            events.push_back(Event::Digit { port, digit: digit.digit, duration: digit.duration });
        });
        if let Some(since) = side.silence.tell(now) {
            events.push_back(Event::Silent { port, since });
        }
        if let Some(since) = side.watch.tell(now) {
            events.push_back(Event::Unheard { port, since });
        }
        if side.report_due() <= now {
            self.send_report(now, slot, batch, false);
            self.tell_quality(slot);
        }
        if let Some(side) = self.sides.get_mut(slot.0) {
            self.dues[slot.0] = side.due();
        }
    }

    fn send_report(&mut self, now: Time, slot: Slot, batch: &mut Batch, goodbye: bool) {
        let Some(side) = self.sides.get_mut(slot.0) else { return };
        side.reports.schedule(now, &mut self.chance);
        let Some((channel, to)) = side.port.rtcp_destination().filter(|_| side.protocol == Protocol::Rtp) else {
            return;
        };
        if goodbye && side.send.packets == 0 {
            return;
        }
        let ntp = report::ntp(self.start, now);
        let voip = side.extended.voip_metrics.then(|| side.voip_metrics()).flatten();
        let Side { reports, send, receive, security, extended, .. } = &mut **side;
        let words = report::Words { voip, round_trip: extended.round_trip, goodbye };
        let mut length = 0;
        let written = batch.push(slot, channel, to, |room| {
            let written = reports.write(now, ntp, send, receive, words, room)?;
            length = security.seal(Kind::Rtcp, room, written)?;
            Some(length)
        });
        if written {
            self.counters.sent_packets.add(1);
            self.counters.sent_bytes.add(length as u64);
        }
    }

    /// Tells how a port's sound is so far. A switch that is too slow for it misses nothing that the end doesn't tell.
    fn tell_quality(&mut self, slot: Slot) {
        let Some(side) = self.sides.get_mut(slot.0).filter(|_| self.events.len() < EVENT_LIMIT) else { return };
        if side.receive.packets + side.send.packets > 0 {
            let report = side.report();
            self.events.push_back(Event::Quality { port: side.id, report });
        }
    }

    /// Sees to it that a side's next deed, which may have moved forward, isn't missed.
    fn reschedule(&mut self, slot: Slot) {
        if let (Some(side), Some(due)) = (self.sides.get(slot.0), self.dues.get_mut(slot.0)) {
            *due = side.due();
            self.next = self.next.min(*due);
        }
    }

    /// The next thing that the switch should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How many ports are open.
    pub fn len(&self) -> usize {
        self.sides.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sides.is_empty()
    }
}
