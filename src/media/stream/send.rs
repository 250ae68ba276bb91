//! What a port sends: one stream with one SSRC, whose numbers and timestamps run on whatever its sound comes from.

use crate::base::chance::Chance;
use crate::base::time::Time;
use crate::media::audio::keys::Key;
use crate::media::batch::{Batch, Channel, PACKET_BYTES, Slot};
use crate::media::command::{EventFormat, Sending};
use crate::media::counters::{Counters, Reason};
use crate::media::stream::carry::{Carry, Relation};
use crate::media::stream::dial::Dial;
use crate::media::stream::receive::{Accept, Heard};
use crate::media::stream::relay::Relay;
use crate::media::transport::security::Security;
use crate::wire::rtp::{self, HEADER_BYTES, Kind};
use crate::wire::{dtmf, rtcp};
use std::net::SocketAddr;
use std::time::Duration;
use tandem_codecs::Codec;
use tandem_codecs::comfort::{self, Colour};

/// A mapped timestamp that is so many seconds off the time that has passed is the source's mistake and starts a new mapping.
const TIMESTAMP_JUMP_S: u32 = 5;

/// A pause is described so often, and sooner where its level has changed by more than a little.
const NOISE_INTERVAL: Duration = Duration::from_millis(400);
const NOISE_SOONEST: Duration = Duration::from_millis(100);
const NOISE_STEP_DB: u8 = 3;

/// What the last packet of our own making may hold that the first relayed one would be laid over.
const OVERLAP_MS: u32 = 60;

/// Where a stream's packets go.
pub struct Exit<'a> {
    pub batch: &'a mut Batch,
    pub slot: Slot,
    /// None while nobody knows where the peer is.
    pub to: Option<SocketAddr>,
    pub counters: &'a Counters,
    pub security: &'a mut Security,
}

#[derive(Debug)]
pub struct Send {
    ssrc: u32,
    settings: Option<Sending>,
    /// The next number that is ours to give.
    sequence: u16,
    timeline: Timeline,
    relay: Option<Relay>,
    carry: Option<Carry>,
    dial: Dial,
    /// The payload type of comfort noise, if the peer knows it.
    noise: Option<u8>,
    /// When the pause that the peer hears was described last, and its level in dB below overload.
    pause: Option<(Time, u8)>,
    /// Where the next transcoded packet follows the last one without a gap.
    next_timestamp: Option<u32>,
    mark: bool,
    pub packets: u64,
    pub bytes: u64,
}

/// A point of the stream and what its clock makes of the time since.
#[derive(Clone, Copy, Debug)]
struct Timeline {
    timestamp: u32,
    at: Time,
    clock_rate: u32,
}

impl Timeline {
    fn timestamp(&self, now: Time) -> u32 {
        let units = (now - self.at).as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        self.timestamp.wrapping_add(units as u32)
    }
}

impl Send {
    /// Everything that a stranger could guess starts at random (RFC 3550 §5.1).
    pub fn new(now: Time, chance: &mut Chance) -> Send {
        let start = chance.u64();
        Send {
            ssrc: chance.u32(),
            settings: None,
            // In the lower half, so that whoever misses the first packets knows how often the numbers have gone round (RFC 3711
            // §3.3.1).
            sequence: start as u16 & 0x7fff,
            timeline: Timeline { timestamp: (start >> 16) as u32, at: now, clock_rate: 8_000 },
            relay: None,
            carry: None,
            dial: Dial::default(),
            noise: None,
            pause: None,
            next_timestamp: None,
            mark: true,
            packets: 0,
            bytes: 0,
        }
    }

    pub fn configure(&mut self, now: Time, settings: Option<&Sending>) {
        // Whoever wants nothing for a while misses nothing of what there was meanwhile.
        if self.settings.as_ref().map(|before| before.coding) != settings.map(|sending| sending.coding) {
            self.begin_anew();
        }
        if let Some(sending) = settings
            && sending.coding.clock_rate() != self.timeline.clock_rate
        {
            let timestamp = self.timeline.timestamp(now);
            self.timeline = Timeline { timestamp, at: now, clock_rate: sending.coding.clock_rate() };
        }
        if self.events() != settings.and_then(|sending| sending.events) {
            self.carry = None;
            self.dial.clear();
        }
        self.settings = settings.cloned();
    }

    /// What comes next follows on nothing that was sent before.
    pub fn begin_anew(&mut self) {
        self.relay = None;
        self.next_timestamp = None;
        self.mark = true;
        self.release_key();
    }

    /// A key that is held is let go of.
    pub fn release_key(&mut self) {
        self.dial.let_go(Duration::ZERO);
    }

    /// A packet is left out: the next one stands where the clock is by then.
    pub fn leave_out(&mut self) {
        self.next_timestamp = None;
    }

    /// What is sent from now on is another stream.
    pub fn begin_stream(&mut self, ssrc: u32) {
        self.ssrc = ssrc;
        self.sequence &= 0x7fff;
        self.begin_anew();
    }

    pub fn settings(&self) -> Option<&Sending> {
        self.settings.as_ref()
    }

    pub fn codec(&self) -> Option<Codec> {
        self.settings.as_ref().and_then(|sending| sending.coding.codec())
    }

    /// The payload type of comfort noise, if the peer knows it.
    pub fn noise(&self) -> Option<u8> {
        self.noise
    }

    pub fn set_noise(&mut self, payload_type: Option<u8>) {
        self.noise = payload_type;
    }

    fn events(&self) -> Option<EventFormat> {
        self.settings.as_ref().and_then(|sending| sending.events)
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Whether a digit sounds, during which no other sound is sent.
    pub fn signals(&self) -> bool {
        self.dial.sounds() || self.carry.is_some_and(|carry| carry.sounds())
    }

    /// Passes a packet on that is encoded as the peer wants it.
    pub fn relay(&mut self, now: Time, exit: &mut Exit<'_>, source: Slot, heard: &Heard<'_>) {
        let Some(sending) = &self.settings else { return };
        let payload_type = match heard.accept {
            Accept::Sealed(sealed) => sealed.onward,
            Accept::Noise => self.noise.unwrap_or(sending.payload_type),
            _ => sending.payload_type,
        };
        // In pictures the marker says where a frame ends, and in text where a pause did: that is the source's to say.
        let marks = sending.coding.codec().is_some();
        if self.dial.sounds() {
            return self.skip(source, heard);
        }
        let here = self.timeline.timestamp(now);
        let limit = self.timeline.clock_rate.saturating_mul(TIMESTAMP_JUMP_S);
        let goes_on = self.relay.is_some_and(|relay| {
            let off = relay.timestamp(heard.header.timestamp).wrapping_sub(here) as i32;
            relay.is_of(source, heard) && (!heard.newest || off.unsigned_abs() <= limit)
        });
        if !goes_on {
            if !heard.newest {
                return exit.counters.count_drop(Reason::Late);
            }
            // Sound of our own may reach beyond the present by as much as its last packet holds.
            let ahead = self.next_timestamp.map_or(0, |next| next.wrapping_sub(here) as i32);
            if ahead > 0 && ahead.unsigned_abs() <= self.timeline.clock_rate / 1_000 * OVERLAP_MS {
                return;
            }
            self.relay = Some(Relay::begin(source, heard, self.sequence, here));
            self.next_timestamp = None;
            self.mark = true;
        }
        let Some(relay) = &mut self.relay else { return };
        let Some(sequence) = relay.place(heard) else { return exit.counters.count_drop(Reason::Late) };
        let timestamp = relay.timestamp(heard.header.timestamp);
        if heard.newest {
            self.sequence = sequence.wrapping_add(1);
            self.timeline = Timeline { timestamp, at: now, ..self.timeline };
        }
        let marker = std::mem::take(&mut self.mark) && marks || heard.header.marker;
        let header = rtp::Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc };
        self.put(exit, header, heard.payload);
    }

    /// The number that a packet of ours had at its source, while that source is relayed.
    pub fn original(&self, sequence: u16) -> Option<u16> {
        self.relay.as_ref().and_then(|relay| relay.original(sequence))
    }

    /// Leaves a packet out of a relayed stream.
    pub fn skip(&mut self, source: Slot, heard: &Heard<'_>) {
        if let Some(relay) = self.relay.as_mut().filter(|relay| relay.is_of(source, heard)) {
            relay.skip(heard);
        }
    }

    /// Passes a telephone-event packet on, whose durations are in units of `clock_rate`.
    pub fn carry(&mut self, now: Time, exit: &mut Exit<'_>, source: Slot, heard: &Heard<'_>, clock_rate: u32) {
        let (Some(format), false) = (self.events(), self.dial.sounds()) else { return self.skip(source, heard) };
        let Some(event) = dtmf::Event::parse(heard.payload) else {
            exit.counters.count_drop(Reason::Malformed);
            return self.skip(source, heard);
        };
        if !format.events.contains(event.code) {
            return self.skip(source, heard);
        }
        let event = dtmf::Event { duration: convert(event.duration, clock_rate, format.clock_rate), ..event };
        match self.carry.map(|carry| carry.relation(source, heard)) {
            Some(Relation::Same) => {}
            Some(Relation::Older) => return self.skip(source, heard),
            Some(Relation::Another) | None => {
                self.end_carried(now, exit, format);
                let timestamp = self.event_timestamp(now, source, heard, format.clock_rate, clock_rate);
                self.carry = Some(Carry::begin(now, source, heard, timestamp, event));
                self.mark = true;
            }
        }
        let place = match self.relay.as_mut().filter(|relay| relay.is_of(source, heard)) {
            Some(relay) => match relay.place(heard) {
                None => return exit.counters.count_drop(Reason::Late),
                place => place,
            },
            None => None,
        };
        let Some(carry) = self.carry.as_mut() else { return };
        if !carry.take(now, event) {
            return self.skip(source, heard);
        }
        let (event, timestamp) = (carry.event, carry.timestamp);
        let sequence = place.unwrap_or_else(|| self.own_sequence());
        if place.is_some() && heard.newest {
            self.sequence = sequence.wrapping_add(1);
        }
        self.put_event(exit, format, sequence, timestamp, event);
    }

    /// Where an event stands in our stream: where the source had it, if its packets are relayed and its clock is that of
    /// the sound; otherwise at the present.
    fn event_timestamp(&self, now: Time, source: Slot, heard: &Heard<'_>, ours: u32, theirs: u32) -> u32 {
        match self.relay {
            Some(relay) if relay.is_of(source, heard) && ours == theirs && ours == self.timeline.clock_rate => {
                relay.timestamp(heard.header.timestamp)
            }
            _ => self.timeline.timestamp(now),
        }
    }

    /// The source began another event, so the one before is over even if its end was lost.
    fn end_carried(&mut self, now: Time, exit: &mut Exit<'_>, format: EventFormat) {
        if let Some(mut carry) = self.carry.take().filter(Carry::sounds) {
            let event = carry.end(now);
            let sequence = self.own_sequence();
            self.put_event(exit, format, sequence, carry.timestamp, event);
        }
    }

    /// Sends sound of our own making, `units` of the clock long, which `encode` writes and whose length it answers; 0 where
    /// silence need not be sent. `follows` says that it joins the packet before without a gap.
    pub fn encoded(
        &mut self,
        now: Time,
        exit: &mut Exit<'_>,
        units: u32,
        follows: bool,
        encode: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        let Some(payload_type) = self.settings.as_ref().map(|sending| sending.payload_type) else { return };
        let timestamp = self.own_timestamp(now, units, follows);
        self.pause = None;
        let header =
            rtp::Header { marker: self.mark, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        let written = self.write(exit, Some(header), 1, encode);
        match written {
            Some(0) => self.mark = true,
            Some(_) => {
                self.sequence = self.sequence.wrapping_add(1);
                self.mark = false;
            }
            None => {}
        }
    }

    /// Where sound of our own making stands, of so many units, and what follows on it.
    fn own_timestamp(&mut self, now: Time, units: u32, follows: bool) -> u32 {
        self.relay = None;
        let timestamp = match self.next_timestamp.filter(|_| follows) {
            Some(next) => next,
            None => {
                self.mark = true;
                self.timeline.timestamp(now)
            }
        };
        self.next_timestamp = Some(timestamp.wrapping_add(units));
        self.timeline = Timeline { timestamp, at: now, ..self.timeline };
        timestamp
    }

    /// Lets `units` of a pause pass that sounds like `colour`, and describes it as often as the peer needs to know.
    pub fn rest(&mut self, now: Time, exit: &mut Exit<'_>, units: u32, follows: bool, colour: &Colour) {
        let Some(payload_type) = self.noise else { return };
        let timestamp = self.own_timestamp(now, units, follows);
        // Sound after it begins anew (RFC 3551 §4.1).
        self.mark = true;
        let level = colour.below_overload_db;
        let is_due = self.pause.is_none_or(|(at, before)| {
            let wait = if level.abs_diff(before) > NOISE_STEP_DB { NOISE_SOONEST } else { NOISE_INTERVAL };
            at + wait <= now
        });
        if !is_due {
            return;
        }
        self.pause = Some((now, level));
        let header = rtp::Header { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        self.sequence = self.sequence.wrapping_add(1);
        let mut payload = [0; comfort::MAX_PAYLOAD_BYTES];
        let length = colour.write(&mut payload);
        self.put(exit, header, &payload[..length]);
    }

    /// Queues digits, where the peer takes events; false where it doesn't.
    pub fn dial(&mut self, digits: &str, duration: Duration) -> bool {
        let Some(format) = self.events() else { return false };
        self.dial.push(digits, duration, format.events);
        true
    }

    pub fn takes_events(&self) -> bool {
        self.events().is_some()
    }

    /// Makes ready for keys, so that none allocates.
    pub fn await_keys(&mut self) {
        self.dial.reserve();
    }

    /// A key is held from now on, or was let go of after so long.
    pub fn press(&mut self, key: Key) {
        let takes = |code: u8| self.events().is_some_and(|format| format.events.contains(code));
        match key {
            Key::Held { code } if takes(code) => self.dial.hold(code),
            Key::Held { .. } => {}
            Key::LetGo { duration, .. } => self.dial.let_go(duration),
        }
    }

    /// Sends what is due of digits.
    pub fn tick(&mut self, now: Time, exit: &mut Exit<'_>) {
        let Some(format) = self.events() else { return };
        if let Some(mut carry) = self.carry
            && let Some(event) = carry.make_up(now)
        {
            self.carry = Some(carry);
            let sequence = self.own_sequence();
            self.put_event(exit, format, sequence, carry.timestamp, event);
        }
        let here = self.timeline.timestamp(now);
        if let Some(due) = self.dial.next(now, here, format.clock_rate) {
            if due.first {
                self.end_carried(now, exit, format);
                self.mark = true;
            }
            let sequence = self.own_sequence();
            self.put_event(exit, format, sequence, due.timestamp, due.event);
        }
    }

    /// When `tick` is next needed.
    pub fn due(&self) -> Time {
        match self.events() {
            Some(_) => self.dial.due().min(self.carry.map_or(Time::NEVER, |carry| carry.due())),
            None => Time::NEVER,
        }
    }

    /// What a sender report says; none before anything was sent.
    pub fn figures(&self, now: Time, ntp: rtcp::Ntp) -> Option<rtcp::Sender> {
        (self.packets > 0).then(|| rtcp::Sender {
            ntp,
            rtp_timestamp: self.timeline.timestamp(now),
            packets: self.packets as u32,
            octets: self.bytes as u32,
        })
    }

    pub fn clock_rate(&self) -> u32 {
        self.timeline.clock_rate
    }

    fn own_sequence(&mut self) -> u16 {
        if let Some(relay) = &mut self.relay {
            relay.make_room();
        }
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }

    fn put_event(
        &mut self,
        exit: &mut Exit<'_>,
        format: EventFormat,
        sequence: u16,
        timestamp: u32,
        event: dtmf::Event,
    ) {
        let marker = std::mem::take(&mut self.mark);
        let header = rtp::Header { marker, payload_type: format.payload_type, sequence, timestamp, ssrc: self.ssrc };
        // The sound after the event doesn't join the sound before it.
        self.next_timestamp = None;
        self.put(exit, header, &event.bytes());
    }

    fn put(&mut self, exit: &mut Exit<'_>, header: rtp::Header, payload: &[u8]) {
        self.write(exit, Some(header), 0, |room| {
            room.get_mut(..payload.len())?.copy_from_slice(payload);
            Some(payload.len())
        });
    }

    /// Passes a datagram on that has no header of ours.
    pub fn forward(&mut self, exit: &mut Exit<'_>, datagram: &[u8]) {
        if self.settings.is_some() {
            self.write(exit, None, 0, |room| {
                room.get_mut(..datagram.len())?.copy_from_slice(datagram);
                Some(datagram.len())
            });
        }
    }

    /// Writes one packet and counts it; answers the payload's length where it could be written. One of fewer than `least`
    /// bytes isn't sent.
    fn write(
        &mut self,
        exit: &mut Exit<'_>,
        header: Option<rtp::Header>,
        least: usize,
        payload: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let mut length = None;
        let security = &mut *exit.security;
        let head_bytes = if header.is_some() { HEADER_BYTES } else { 0 };
        let fill = |room: &mut [u8; PACKET_BYTES]| {
            let (head, body) = room.split_at_mut(head_bytes);
            length = payload(body);
            if let Some(header) = header {
                header.write(head);
            }
            let whole = length.filter(|&length| length >= least).map(|length| head_bytes + length)?;
            security.seal(Kind::Rtp, room, whole)
        };
        let to = exit.to?;
        if exit.batch.room() == 0 {
            exit.counters.count_drop(Reason::NoRoom);
            return None;
        }
        if exit.batch.push(exit.slot, Channel::Rtp, to, fill)
            && let Some(length) = length
        {
            self.packets += 1;
            self.bytes += length as u64;
            exit.counters.sent_packets.add(1);
            exit.counters.sent_bytes.add((head_bytes + length) as u64);
        }
        length
    }
}

/// A duration in another clock, at least one unit long unless it was nothing.
fn convert(duration: u16, from: u32, to: u32) -> u16 {
    if from == to {
        return duration;
    }
    let converted = (u64::from(duration) * u64::from(to)).checked_div(u64::from(from)).unwrap_or(0);
    u16::try_from(converted).unwrap_or(u16::MAX)
}
