//! The reports that a port sends about its streams and hears about them (RFC 3550 §6).

use crate::base::chance::Chance;
use crate::base::time::{Time, Wall};
use crate::media::stream::receive::Receive;
use crate::media::stream::send::Send;
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
            Item::Block { .. } | Item::Goodbye { .. } => {}
        })
    }

    /// Writes what stands before anything else that we say in RTCP (RFC 3550 §6.1): an empty report and our name.
    pub fn preamble(&self, send: &Send, room: &mut [u8]) -> Option<usize> {
        rtcp::write(room, send.ssrc(), None, None, &self.cname, false)
    }

    /// Writes our report: a sender report where anything was sent since the last one (§6.4). `goodbye` ends the stream.
    pub fn write(
        &mut self,
        now: Time,
        ntp: Ntp,
        send: &Send,
        receive: &mut Receive,
        goodbye: bool,
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
            delay: self.heard.map_or(0, |(_, at)| ((now - at).as_nanos() * 65_536 / 1_000_000_000) as u32),
        });
        rtcp::write(room, send.ssrc(), sender, block, &self.cname, goodbye)
    }
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
