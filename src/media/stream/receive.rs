//! What a port hears: which payloads are accepted, in which sequence they came, and how many of them are missing.

use crate::base::time::Time;
use crate::media::command::{PortSettings, Sealed};
use crate::media::counters::Reason;
use crate::media::stream::bursts::Bursts;
use crate::media::stream::sequence::{Sequence, Step};
use crate::wire::rtp;
use smallvec::SmallVec;
use tandem_codecs::{Codec, opus};

/// How a payload type is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    Audio(Codec),
    /// What a pause sounds like.
    Noise,
    /// Telephone-events with their clock rate, in Hz.
    Events(u32),
    /// What is passed on unopened.
    Sealed(Sealed),
}

/// A packet that belongs to the stream.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    pub header: rtp::Header,
    /// The sequence number without its wrapping.
    pub extended: u64,
    /// Whether it is ahead of all before.
    pub newest: bool,
    pub accept: Accept,
    pub payload: &'a [u8],
    /// Rises whenever numbers and timestamps have nothing to do with those before.
    pub generation: u32,
}

#[derive(Debug, Default)]
pub struct Receive {
    /// Of a port are mostly two or three, and each packet is looked up among them.
    formats: SmallVec<[(u8, Accept); 4]>,
    source: Option<Source>,
    generation: u32,
    codec: Option<Codec>,
    packet_time: PacketTime,
    /// Whether comfort noise has come.
    pub pauses: bool,
    pub packets: u64,
    pub bytes: u64,
    /// Of sources before the present one.
    lost_before: i64,
    /// When anything came last, reports included.
    pub last: Option<Time>,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    sequence: Sequence,
}

impl Receive {
    pub fn configure(&mut self, settings: &PortSettings) {
        let audio = settings.receive.iter().map(|format| (format.payload_type, Accept::Audio(format.codec)));
        let events =
            settings.receive_events.iter().map(|format| (format.payload_type, Accept::Events(format.clock_rate)));
        let sealed = settings.sealed.iter().map(|&sealed| (sealed.payload_type, Accept::Sealed(sealed)));
        let noise = settings.noise.receive.map(|payload_type| (payload_type, Accept::Noise));
        self.formats = audio.chain(events).chain(sealed).chain(noise).collect();
        self.pauses &= noise.is_some();
        if self.codec.is_some_and(|codec| !settings.receive.iter().any(|format| format.codec == codec)) {
            self.codec = None;
            self.packet_time = PacketTime::default();
        }
    }

    pub fn accepts(&self, payload_type: u8) -> Option<Accept> {
        self.formats.iter().find(|(known, _)| *known == payload_type).map(|&(_, accept)| accept)
    }

    /// The codec of the last packet, or before any came the one that is expected.
    pub fn codec(&self) -> Option<Codec> {
        self.codec.or_else(|| {
            self.formats.iter().find_map(|(_, accept)| match accept {
                Accept::Audio(codec) => Some(*codec),
                Accept::Noise | Accept::Events(_) | Accept::Sealed(_) => None,
            })
        })
    }

    /// The codecs that may come.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> {
        self.formats.iter().filter_map(|(_, accept)| match accept {
            Accept::Audio(codec) => Some(*codec),
            Accept::Noise | Accept::Events(_) | Accept::Sealed(_) => None,
        })
    }

    /// The packet time that the source keeps to, in milliseconds; none before it is seen.
    pub fn packet_ms(&self) -> Option<u32> {
        self.packet_time.stable
    }

    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// Takes a packet from the port's own source.
    pub fn take<'a>(&mut self, now: Time, packet: &rtp::Packet<'a>, accept: Accept) -> Result<Heard<'a>, Reason> {
        let header = packet.header;
        self.last = Some(now);
        let step = match &mut self.source {
            Some(source) if source.ssrc == header.ssrc => source.sequence.update(header.sequence),
            _ => self.begin(header),
        };
        let (extended, newest) = match step {
            Step::New(extended) => (extended, true),
            Step::Restart(extended) => {
                self.generation += 1;
                (extended, true)
            }
            Step::Late(extended) => (extended, false),
            Step::Duplicate => return Err(Reason::Duplicate),
            Step::Suspect => return Err(Reason::Sequence),
        };
        self.packets += 1;
        self.bytes += packet.payload.len() as u64;
        match accept {
            Accept::Audio(codec) if newest => self.follow(now, codec, header, packet.payload),
            Accept::Sealed(sealed) if newest => self.watch(now, header, sealed.clock_rate),
            Accept::Noise => self.pauses = true,
            _ => {}
        }
        Ok(Heard { header, extended, newest, accept, payload: packet.payload, generation: self.generation })
    }

    /// A new source is taken at once. The probation of RFC 3550 A.1 is the port's affair, which admits no address that
    /// wasn't signalled before its second packet.
    fn begin(&mut self, header: rtp::Header) -> Step {
        self.lost_before = self.lost();
        self.generation += 1;
        let mut sequence = Sequence::new(header.sequence);
        if let Some(before) = &self.source {
            sequence.succeed(&before.sequence);
        }
        let step = Step::New(sequence.highest());
        self.source = Some(Source { ssrc: header.ssrc, sequence });
        step
    }

    fn follow(&mut self, now: Time, codec: Codec, header: rtp::Header, payload: &[u8]) {
        if self.codec != Some(codec) {
            self.codec = Some(codec);
            self.packet_time = PacketTime::default();
        }
        self.packet_time.observe(duration_ms(codec, payload));
        self.watch(now, header, codec.clock_rate());
    }

    fn watch(&mut self, now: Time, header: rtp::Header, clock_rate: u32) {
        if let Some(source) = &mut self.source {
            source.sequence.jitter().update(now, header.timestamp, clock_rate);
        }
    }

    /// Takes a datagram that has no RTP header.
    pub fn count(&mut self, now: Time, bytes: usize) {
        self.last = Some(now);
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    /// Expected and not received, over all sources.
    pub fn lost(&self) -> i64 {
        self.lost_before + self.source.as_ref().map_or(0, |source| source.sequence.lost())
    }

    /// A packet of the present source came after its turn to be played.
    pub fn discard(&mut self, heard: &Heard<'_>) {
        if let Some(source) = self.source.as_mut().filter(|source| source.ssrc == heard.header.ssrc) {
            source.sequence.discard(heard.extended);
        }
    }

    /// How many came after their turn to be played, over all sources.
    pub fn discards(&self) -> u64 {
        self.source.as_ref().map_or(0, |source| source.sequence.discards())
    }

    /// How what is missing lies, over all sources.
    pub fn bursts(&self) -> Bursts {
        self.source.as_ref().map_or(Bursts::default(), |source| source.sequence.bursts())
    }

    pub fn jitter_us(&mut self) -> u32 {
        self.source.as_mut().map_or(0, |source| source.sequence.jitter().micros())
    }

    /// The figures of a report block: share lost, total lost, highest number, jitter (RFC 3550 §6.4.1).
    pub fn figures(&mut self) -> Option<(u32, u8, i64, u32, u32)> {
        let source = self.source.as_mut()?;
        let sequence = &mut source.sequence;
        // The extended number of a report starts at cycle zero, ours at one.
        let highest = (sequence.highest() - (1 << 16)) as u32;
        Some((source.ssrc, sequence.fraction_lost(), sequence.lost(), highest, sequence.jitter().units()))
    }
}

/// A packet time counts once two packets in a row have it, so that a short last packet changes nothing.
#[derive(Debug, Default)]
struct PacketTime {
    stable: Option<u32>,
    last: Option<u32>,
}

impl PacketTime {
    fn observe(&mut self, duration: Option<u32>) {
        let Some(duration) = duration else { return };
        if self.last == Some(duration) {
            self.stable = Some(duration);
        }
        self.last = Some(duration);
    }
}

/// How much sound a payload holds, in whole milliseconds; none where it says nothing, as in the gaps of Opus DTX.
pub fn duration_ms(codec: Codec, payload: &[u8]) -> Option<u32> {
    let bytes = u32::try_from(payload.len()).ok().filter(|&bytes| bytes > 0)?;
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => Some(bytes / 8),
        Codec::L16 { rate } => (u64::from(bytes) * 500).checked_div(u64::from(rate)).map(|ms| ms as u32),
        Codec::Opus if bytes <= 2 => None,
        Codec::Opus => opus::packet::samples(payload, 48_000).ok().map(|samples| samples as u32 / 48),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::command::{EventFormat, EventSet, Receiving};

    fn receive() -> Receive {
        let mut receive = Receive::default();
        receive.configure(&PortSettings {
            receive: vec![Receiving { payload_type: 8, codec: Codec::Pcma }],
            receive_events: vec![EventFormat { payload_type: 101, clock_rate: 8_000, events: EventSet::DIGITS }],
            ..PortSettings::default()
        });
        receive
    }

    fn feed(receive: &mut Receive, sequence: u16, ssrc: u32, bytes: usize) -> Result<(u64, u32), Reason> {
        let header = rtp::Header { marker: false, payload_type: 8, sequence, timestamp: 0, ssrc };
        let mut packet = header.bytes().to_vec();
        packet.resize(12 + bytes, 0xd5);
        let packet = rtp::Packet::parse(&packet).unwrap();
        receive.take(Time::ZERO, &packet, Accept::Audio(Codec::Pcma)).map(|heard| (heard.extended, heard.generation))
    }

    #[test]
    fn only_what_was_negotiated_is_accepted() {
        let receive = receive();
        assert_eq!(receive.accepts(8), Some(Accept::Audio(Codec::Pcma)));
        assert_eq!(receive.accepts(101), Some(Accept::Events(8_000)));
        assert_eq!(receive.accepts(0), None);
        assert_eq!(receive.codec(), Some(Codec::Pcma));
    }

    #[test]
    fn a_new_ssrc_begins_a_new_generation_and_keeps_the_losses() {
        let mut receive = receive();
        let (_, first) = feed(&mut receive, 1, 7, 160).unwrap();
        feed(&mut receive, 3, 7, 160).unwrap();
        assert_eq!(feed(&mut receive, 3, 7, 160), Err(Reason::Duplicate));
        feed(&mut receive, 5, 7, 160).unwrap();
        let (_, second) = feed(&mut receive, 500, 8, 160).unwrap();
        assert_ne!(first, second);
        feed(&mut receive, 502, 8, 160).unwrap();
        // One duplicate makes up for one of three missing.
        assert_eq!(receive.lost(), 2);
        assert_eq!(feed(&mut receive, 40_000, 8, 160), Err(Reason::Sequence));
    }

    #[test]
    fn one_odd_packet_does_not_change_the_packet_time() {
        let mut receive = receive();
        for sequence in 0..3 {
            feed(&mut receive, sequence, 7, 160).unwrap();
        }
        assert_eq!(receive.packet_ms(), Some(20));
        feed(&mut receive, 3, 7, 80).unwrap();
        feed(&mut receive, 4, 7, 240).unwrap();
        assert_eq!(receive.packet_ms(), Some(20));
        feed(&mut receive, 5, 7, 240).unwrap();
        assert_eq!(receive.packet_ms(), Some(30));
    }
}
