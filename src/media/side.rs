//! One side of a call's media: a port, what it hears and what it sends.

use crate::base::chance::Chance;
use crate::base::time::Time;
use crate::media::audio::clip::Player;
use crate::media::audio::hearing::{Hearing, next_step};
use crate::media::audio::keys::Keys;
use crate::media::audio::tap::Tapped;
use crate::media::audio::tones::Tones;
use crate::media::audio::transcode::{Transcoder, packet_ms};
use crate::media::batch::{Channel, Slot};
use crate::media::command::{Coding, Extended, PortId, PortSettings, Protocol, Report, Sealed, Source, VoipMetrics};
use crate::media::counters::Reason;
use crate::media::quality;
use crate::media::stream::receive::Receive;
use crate::media::stream::report::Reports;
use crate::media::stream::send::Send;
use crate::media::stream::signal::Signal;
use crate::media::stream::watch::Watch;
use crate::media::transport::port::Port;
use crate::media::transport::security::Security;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::time::Duration;
use tandem_codecs::Codec;

/// How sound gets from its source to a side that sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Way {
    #[default]
    Idle,
    Relay,
    Transcode,
}

/// What the way of a packet depends on beside its codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// None where the source's packet time isn't known, or isn't to be changed.
    pub packet_ms: Option<u32>,
    /// The sound is changed on its way.
    pub is_opened: bool,
    /// Comfort noise comes beside the sound.
    pub pauses: bool,
}

/// Where in a room a side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The room's, among those of the engine.
    pub room: usize,
    /// The member's, among those of the room.
    pub index: usize,
    /// Nothing of what it says is heard there.
    pub muted: bool,
}

pub struct Side {
    pub id: PortId,
    pub protocol: Protocol,
    pub slot: Slot,
    pub port: Port,
    pub security: Security,
    pub receive: Receive,
    pub send: Send,
    pub signal: Signal,
    pub reports: Reports,
    pub silence: Silence,
    pub watch: Watch,
    pub extended: Extended,
    /// Where the outgoing sound comes from, as it was ordered.
    pub source: Source,
    /// The side that `source` names, while that is open.
    pub heard: Option<Slot>,
    pub way: Way,
    /// The room whose sound it sends, and which hears it.
    pub place: Option<Place>,
    /// The sides that send what this one hears.
    pub listeners: SmallVec<[Slot; 2]>,
    /// What this side hears as sound, where anyone needs that.
    pub hearing: Option<Box<Hearing>>,
    pub tap: Option<Box<Tapped>>,
    /// What it sends, where that isn't relayed.
    pub transcoder: Option<Box<Transcoder>>,
    pub player: Option<Box<Player>>,
    /// Hears digits in the sound, where they are listened for.
    pub keys: Option<Box<Keys>>,
    pub hears_keys: bool,
    /// Makes digits into sound, where the peer takes them so.
    pub tones: Option<Box<Tones>>,
    /// When the next step of sound is due.
    pub sound_due: Time,
    /// A packet came for which the codecs have to be made first.
    pub unprepared: bool,
    pub dropped: u64,
    /// Of those, what came from addresses that may not use the port, and the last of them.
    pub strangers: u64,
    pub stranger: Option<SocketAddr>,
    /// In a payload type that wasn't negotiated.
    pub foreign_payloads: u64,
    /// Not protected by the key that was agreed.
    pub unauthentic: u64,
}

impl Side {
    pub fn new(now: Time, id: PortId, slot: Slot, chance: &mut Chance) -> Side {
        Side {
            id,
            protocol: Protocol::Rtp,
            slot,
            port: Port::default(),
            security: Security::default(),
            receive: Receive::default(),
            send: Send::new(now, chance),
            signal: Signal::default(),
            reports: Reports::new(now, chance),
            silence: Silence::default(),
            watch: Watch::default(),
            extended: Extended::default(),
            source: Source::Nothing,
            heard: None,
            way: Way::Idle,
            place: None,
            listeners: SmallVec::new(),
            hearing: None,
            tap: None,
            transcoder: None,
            player: None,
            keys: None,
            hears_keys: false,
            tones: None,
            sound_due: Time::NEVER,
            unprepared: false,
            dropped: 0,
            strangers: 0,
            stranger: None,
            foreign_payloads: 0,
            unauthentic: 0,
        }
    }

    pub fn configure(&mut self, now: Time, settings: &PortSettings, chance: &mut Chance) {
        self.protocol = settings.protocol;
        self.port.configure(settings);
        if self.security.configure(now, settings.protection.as_deref()) {
            self.send.begin_stream(chance.u32());
        }
        self.receive.configure(settings);
        self.send.configure(now, settings.send.as_ref());
        self.send.set_noise(settings.noise.send);
        if let Some(hearing) = self.hearing.as_mut().filter(|_| settings.noise.receive.is_none()) {
            hearing.end_comfort();
        }
        self.hears_keys = settings.tones.hear;
        let sends_tones = settings.tones.send && self.send.codec().is_some() && !self.send.takes_events();
        if sends_tones != self.tones.is_some() {
            self.tones = sends_tones.then(Box::default);
        }
        self.silence = Silence { limit: settings.silence_limit, since: now, told: false };
        self.watch.configure(now, settings.expects);
        self.extended = settings.extended;
    }

    /// A datagram of the peer's, or of a stranger, goes no further.
    pub fn count_drop(&mut self, reason: Reason, channel: Channel, from: SocketAddr) {
        self.dropped += 1;
        match (reason, channel) {
            (Reason::Stranger, Channel::Rtp) => {
                self.strangers += 1;
                self.stranger = Some(from);
            }
            (Reason::PayloadType, _) => self.foreign_payloads += 1,
            (Reason::Unauthentic, _) => self.unauthentic += 1,
            _ => {}
        }
    }

    /// How a packet of `codec` gets out here.
    pub fn way_for(&self, codec: Codec, origin: Origin) -> Way {
        let Some(sending) = self.send.settings() else { return Way::Idle };
        let Coding::Sound(wanted) = sending.coding else { return Way::Idle };
        let asked = sending.ptime_ms;
        let fits = origin.packet_ms.is_none_or(|ms| ms == asked || ms == packet_ms(wanted, asked));
        // Tones between the packets of another's G.722 would be heard by a decoder that isn't where our encoder is.
        let needs_own = self.tones.is_some() && wanted == Codec::G722;
        // Who doesn't know comfort noise has to hear it.
        let needs_noise = origin.pauses && self.send.noise().is_none();
        let is_relayed = wanted == codec && fits && !origin.is_opened && !needs_own && !needs_noise;
        if is_relayed { Way::Relay } else { Way::Transcode }
    }

    /// What `listener` has to know of what this side hears.
    pub fn origin_for(&self, listener: Slot) -> Origin {
        // Who hears an echo wants their own packets back, whatever they are.
        if listener == self.slot {
            return Origin::default();
        }
        Origin { packet_ms: self.receive.packet_ms(), is_opened: self.hears_keys, pauses: self.receive.pauses }
    }

    /// How a sealed packet gets out here. Beside sound, where it is comfort noise, it goes the way of the sound.
    pub fn way_for_sealed(&self, sealed: Sealed) -> Way {
        match self.send.settings().map(|sending| sending.coding) {
            Some(Coding::Sealed { clock_rate }) if clock_rate == sealed.clock_rate => Way::Relay,
            Some(Coding::Sound(codec)) if codec.clock_rate() == sealed.clock_rate => self.way,
            _ => Way::Idle,
        }
    }

    /// When the next report goes out.
    pub fn report_due(&self) -> Time {
        match self.protocol {
            Protocol::Rtp => self.reports.due(),
            Protocol::Udptl => Time::NEVER,
        }
    }

    /// Starts the steps of sound, which all sides make at the same moments, so that their packets leave together.
    pub fn begin_sound(&mut self, now: Time) {
        // In a room, the room makes them.
        if self.sound_due == Time::NEVER && self.place.is_none() {
            self.sound_due = next_step(now);
        }
    }

    /// Whether steps of sound bring anything.
    pub fn sounds(&self) -> bool {
        let wanted = self.tap.is_some()
            || self.player.is_some()
            || self.hearing.as_ref().is_some_and(|hearing| !hearing.is_idle())
            || self.keys.as_ref().is_some_and(|keys| keys.is_busy())
            || self.tones.as_ref().is_some_and(|tones| tones.is_active());
        wanted && self.place.is_none()
    }

    /// When this side next has something to do.
    pub fn due(&self) -> Time {
        if self.unprepared {
            return Time::ZERO;
        }
        let told = self.silence.due().min(self.watch.due());
        self.sound_due.min(self.send.due()).min(self.signal.due()).min(self.report_due()).min(told)
    }

    /// How the peer's sound is here.
    pub fn voip_metrics(&mut self) -> Option<VoipMetrics> {
        let (ssrc, codec) = (self.receive.ssrc()?, self.receive.codec());
        quality::voip_metrics(codec.map_or("", Codec::name), ssrc, &self.report())
    }

    pub fn report(&mut self) -> Report {
        let micros = |units: u32| {
            let micros = u64::from(units) * 1_000_000 / u64::from(self.send.clock_rate().max(1));
            u32::try_from(micros).unwrap_or(u32::MAX)
        };
        Report {
            received_packets: self.receive.packets,
            received_bytes: self.receive.bytes,
            sent_packets: self.send.packets,
            sent_bytes: self.send.bytes,
            lost_packets: u64::try_from(self.receive.lost()).unwrap_or(0),
            jitter_us: self.receive.jitter_us(),
            round_trip_us: self.reports.round_trip.map(|span| u32::try_from(span.as_micros()).unwrap_or(u32::MAX)),
            remote_lost_packets: self.reports.remote_lost,
            remote_jitter_us: self.reports.remote_jitter.map(micros),
            remote_voip: self.reports.remote_voip,
            discarded_packets: self.receive.discards(),
            bursts: self.receive.bursts(),
            packet_ms: self.receive.packet_ms(),
            dropped_packets: self.dropped,
            strangers: self.strangers,
            stranger: self.stranger,
            foreign_payloads: self.foreign_payloads,
            unauthentic: self.unauthentic,
            source: self.port.source(),
        }
    }
}

/// Watches for a peer from which nothing comes any more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence {
    limit: Option<Duration>,
    since: Time,
    told: bool,
}

impl Silence {
    /// Something came. True where that ends a silence which was told.
    pub fn broken(&mut self, now: Time) -> bool {
        self.since = now;
        std::mem::take(&mut self.told)
    }

    /// Since when it is silent, once that is to be told.
    pub fn tell(&mut self, now: Time) -> Option<Time> {
        (self.due() <= now).then(|| {
            self.told = true;
            self.since
        })
    }

    pub fn due(&self) -> Time {
        match self.limit {
            Some(limit) if !self.told => self.since + limit,
            _ => Time::NEVER,
        }
    }
}
