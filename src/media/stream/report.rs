//! The reports that a port sends about its streams and hears about them (RFC 3550 §6, RFC 3611).

use crate::base::chance::Chance;
use crate::base::time::{Time, Wall};
use crate::media::stream::bursts::GMIN;
use crate::media::stream::receive::Receive;
use crate::media::stream::send::Send;
use crate::wire::rtcp::xr::{self, VoipMetrics};
use crate::wire::rtcp::{self, Item, Malformed, Ntp, Sender};
use std::time::Duration;

/// RFC 3550 §6.2: five seconds at least, half as long before the first one. With two members nothing needs to be scaled.
const INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Reports {
    /// Says nothing about us, and differs for each port (RFC 7022).
    cname: String,
    next: Time,
    /// The middle of the NTP time of the peer's last sender report, and when it came.
    heard: Option<(u32, Time)>,
    sent_at_last: u64,
    pub round_trip: Option<Duration>,
    pub remote_lost: Option<u32>,
    /// What the peer lost of ours since its report before the last.
    pub remote_loss_percent: u8,
    /// In units of the clock that we send by.
    pub remote_jitter: Option<u32>,
    /// The reference time of a peer that wants to know its round trip (RFC 3611 §4.4): who wrote it, its middle, when it came.
    reference: Option<(u32, u32, Time)>,
    /// How our sound is at the peer, as it says.
    pub remote_voip: Option<VoipMetrics>,
}

/// What a report of ours says beside its figures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words {
    /// How the peer's sound is here, where it wants to know.
    pub voip: Option<VoipMetrics>,
    /// Whether the peer understands reference times.
    pub round_trip: bool,
    /// The stream ends.
    pub goodbye: bool,
}

impl Reports {
    pub fn new(now: Time, chance: &mut Chance) -> Reports {
        Reports {
            cname: chance.token(16),
            next: now + INTERVAL / 2,
            heard: None,
            sent_at_last: 0,
            round_trip: None,
            remote_lost: None,
            remote_loss_percent: 0,
            remote_jitter: None,
            reference: None,
            remote_voip: None,
        }
    }

    pub fn due(&self) -> Time {
        self.next
    }

    /// Sets the next report at 0.5 to 1.5 times the interval, so that members don't fall into step (§6.3.1).
    pub fn schedule(&mut self, now: Time, chance: &mut Chance) {
        let half = INTERVAL / 2;
        self.next = now + half + Duration::from_millis(chance.below(INTERVAL.as_millis() as u64));
    }

    /// Takes a compound packet of the peer, at the time of day `ntp`.
    pub fn take(&mut self, now: Time, ntp: Ntp, ours: u32, bytes: &[u8]) -> Result<(), Malformed> {
        rtcp::read(bytes, |item| match item {
            Item::Sender { sender, .. } => self.heard = Some((sender.ntp.middle(), now)),
            Item::Block { block, .. } if block.ssrc == ours => {
                self.remote_lost = Some(u32::try_from(block.cumulative_lost).unwrap_or(0));
                self.remote_loss_percent = (u32::from(block.fraction_lost) * 100 / 256) as u8;
                self.remote_jitter = Some(block.jitter);
                if block.last_report != 0 {
                    self.round_trip = round_trip(ntp, block.last_report, block.delay).or(self.round_trip);
                }
            }
            Item::Extended { from, block } => self.take_extended(now, ntp, ours, from, block),
            Item::Block { .. } | Item::Goodbye { .. } => {}
        })
    }

    fn take_extended(&mut self, now: Time, ntp: Ntp, ours: u32, from: u32, block: xr::Block) {
        match block {
            xr::Block::ReferenceTime(reference) => self.reference = Some((from, reference.middle(), now)),
            xr::Block::Delay(answer) if answer.ssrc == ours && answer.last != 0 => {
                self.round_trip = round_trip(ntp, answer.last, answer.delay).or(self.round_trip);
            }
            xr::Block::Voip(metrics) if metrics.ssrc == ours => self.remote_voip = Some(metrics),
            xr::Block::Delay(_) | xr::Block::Voip(_) => {}
        }
    }

    /// Writes what stands before anything else that we say in RTCP (RFC 3550 §6.1): an empty report and our name.
    pub fn preamble(&self, send: &Send, room: &mut [u8]) -> Option<usize> {
        rtcp::write(room, send.ssrc(), None, None, &self.cname, false)
    }

    /// Writes our report: a sender report where anything was sent since the last one (§6.4).
    pub fn write(
        &mut self,
        now: Time,
        ntp: Ntp,
        send: &Send,
        receive: &mut Receive,
        words: Words,
        room: &mut [u8],
    ) -> Option<usize> {
        let sender: Option<Sender> = send.figures(now, ntp).filter(|_| send.packets > self.sent_at_last);
        self.sent_at_last = send.packets;
        let block = receive.figures().map(|(ssrc, fraction_lost, lost, highest_sequence, jitter)| rtcp::Block {
            ssrc,
            fraction_lost,
            cumulative_lost: lost.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            highest_sequence,
            jitter,
            last_report: self.heard.map_or(0, |(middle, _)| middle),
            delay: self.heard.map_or(0, |(_, at)| units(now, at)),
        });
        let end = rtcp::write(room, send.ssrc(), sender, block, &self.cname, false)?;
        let (blocks, count) = self.extended(now, ntp, sender.is_some(), words);
        let end = xr::write(room, end, send.ssrc(), &blocks[..count], GMIN as u8).unwrap_or(end);
        if words.goodbye { rtcp::write_goodbye(room, end, send.ssrc()) } else { Some(end) }
    }

    /// What the peer asked for in extended reports, and of how many blocks that is. Who sends learns the round trip by sender
    /// reports, and needs no reference time.
    fn extended(&self, now: Time, ntp: Ntp, sends: bool, words: Words) -> ([xr::Block; 3], usize) {
        let reference = Some(xr::Block::ReferenceTime(ntp)).filter(|_| words.round_trip && !sends);
        let delay = self.reference.filter(|_| words.round_trip);
        let delay = delay.map(|(ssrc, last, at)| xr::Block::Delay(xr::Delay { ssrc, last, delay: units(now, at) }));
        let (mut blocks, mut count) = ([xr::Block::ReferenceTime(ntp); 3], 0);
        for block in [reference, delay, words.voip.map(xr::Block::Voip)].into_iter().flatten() {
            blocks[count] = block;
            count += 1;
        }
        (blocks, count)
    }
}

/// The time since `at`, in 1/65,536 s.
fn units(now: Time, at: Time) -> u32 {
    ((now - at).as_nanos() * 65_536 / 1_000_000_000) as u32
}

/// From our report to its echo, less the time that the peer kept it (§6.4.1). A clock that is off makes nonsense, which is
/// left out.
fn round_trip(now: Ntp, last_report: u32, delay: u32) -> Option<Duration> {
    let units = now.middle().wrapping_sub(last_report).wrapping_sub(delay);
    let micros = u64::from(units) * 1_000_000 / 65_536;
    (units < 60 * 65_536).then(|| Duration::from_micros(micros))
}

/// The NTP time of a moment, where the monotonic clock began at the time of day `start`.
pub fn ntp(start: Wall, now: Time) -> Ntp {
    Ntp::from_unix_micros(start.micros().saturating_add((now.nanos() / 1_000) as i64))
}
