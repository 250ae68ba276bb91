//! The load: both sides of many calls, played by one thread. Each leg sends a packet each 20 ms, at a moment of its own, and
//! looks then for what has come; when that came, the kernel has noted.

use crate::Row;
use crate::datagram::{bind, receive_stamped, stamp};
use crate::machine::wall_ns;
use crate::sound::Format;
use crate::subject::{Side, Subject, key};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};
use tandem::media::transport::srtp::{Inbound, Outbound};
use tandem::wire::rtp::{self, HEADER_BYTES};

const PACKET_TIME: Duration = Duration::from_millis(20);
/// Moments of a packet time at which legs send.
const MOMENTS: usize = 200;
/// What is sent in it isn't counted: a jitter buffer fills.
const WARM_UP: Duration = Duration::from_millis(400);
/// For what is under way at the end.
const DRAIN: Duration = Duration::from_millis(200);
/// The golden ratio's fraction, which spreads any number of legs evenly.
const SPREAD: f64 = 0.618_033_988_749_895;

pub struct Load {
    legs: Vec<Leg>,
    /// Legs by the moment at which they send.
    moments: Vec<Vec<usize>>,
    /// Each payload says when it was sent: what goes through a codec can't.
    stamps: bool,
    payloads: [Vec<Vec<u8>>; 2],
    /// How many of the legs talk.
    talk: usize,
    begun: Instant,
}

struct Leg {
    socket: UdpSocket,
    format: Format,
    ssrc: u32,
    sequence: u16,
    /// Of what it sends and hears, where that is protected.
    keys: Option<(Outbound, Inbound)>,
    /// The fastest way of a packet so far, against its time stamp, in nanoseconds.
    best: i64,
}

/// What one run has shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// CPU time of the subject for a packet that came through, in microseconds.
    pub cpu_us: f64,
    /// How often the subject slept, for a packet.
    pub sleeps: f64,
    pub lost_percent: f64,
    /// Delay where packets are stamped, otherwise how far delays are apart, in milliseconds.
    pub delay_p50: f64,
    pub delay_p99: f64,
    /// How late the load itself was, in milliseconds.
    pub late_p99: f64,
}

impl Load {
    /// Calls of a subject, with a socket for each leg.
    pub fn new(subject: &mut dyn Subject, calls: usize, row: &Row) -> Load {
        let formats = row.formats;
        let mut legs = Vec::with_capacity(2 * calls);
        for _ in 0..calls {
            let sockets = [bind(Ipv4Addr::new(127, 0, 0, 2)), bind(Ipv4Addr::new(127, 0, 0, 3))];
            let [one, other] = [0, 1].map(|side| {
                stamp(&sockets[side]);
                let address = sockets[side].local_addr().expect("a socket has an address");
                let key = (row.is_protected && side == 0).then(|| key(legs.len() as u8));
                Side { address, format: formats[side], key }
            });
            let own_keys = [one.key.clone(), other.key.clone()];
            let (to_one, to_other) = subject.call(one, other);
            let sides = sockets.into_iter().zip(formats).zip([to_one, to_other]).zip(own_keys);
            for (((socket, format), to), own) in sides {
                let ssrc = legs.len() as u32 + 1;
                socket.connect(to.address).expect("a socket can be connected");
                let keys = own.map(|own| {
                    let theirs = to.key.expect("a protected side hears a protected one");
                    (Outbound::new(&own).expect("a key"), Inbound::new(&theirs).expect("a key"))
                });
                legs.push(Leg { socket, format, ssrc, sequence: 0, keys, best: i64::MAX });
            }
        }
        let mut moments = vec![Vec::new(); MOMENTS];
        for leg in 0..legs.len() {
            let place = (leg as f64 * SPREAD).fract() * MOMENTS as f64;
            moments[place as usize].push(leg);
        }
        let stamps = formats[0] == formats[1] && !row.is_room;
        let payloads = formats.map(Format::payloads);
        Load { legs, moments, stamps, payloads, talk: row.talk, begun: Instant::now() }
    }

    /// Has all legs talk for so long, and watches the subject meanwhile.
    pub fn run(&mut self, subject: &dyn Subject, watch: &mut Watch, span: Duration) -> Outcome {
        let tasks = subject.tasks();
        let figures = || {
            let cpu: Duration = tasks.iter().map(|task| crate::machine::cpu_of(task)).sum();
            (cpu, tasks.iter().map(|task| crate::machine::sleeps_of(task)).sum::<u64>(), wall_ns())
        };
        let step = PACKET_TIME / MOMENTS as u32;
        let first = self.begun.elapsed().as_nanos().div_ceil(step.as_nanos()) as u32;
        let steps = |span: Duration| (span.as_nanos() / step.as_nanos()) as u32;
        let (warm, whole) = (steps(WARM_UP), steps(WARM_UP + span));
        watch.clear();
        let mut before = figures();
        for moment in first..first + whole {
            if moment == first + warm {
                before = figures();
                watch.begin(before.2);
                self.legs.iter_mut().for_each(|leg| leg.best = i64::MAX);
            }
            let due = self.begun + step * moment;
            sleep_until(due);
            watch.late.push(due.elapsed().as_nanos() as u64);
            for index in 0..self.moments[moment as usize % MOMENTS].len() {
                let leg = self.moments[moment as usize % MOMENTS][index];
                self.listen(leg, watch);
                // Whoever is in a room is sent a packet for each moment at which it might talk.
                match leg < self.talk {
                    true => self.talk(leg, moment, watch),
                    false => watch.sent += u64::from(watch.counts(wall_ns())),
                }
            }
        }
        let after = figures();
        watch.end = after.2;
        let end = Instant::now() + DRAIN;
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
            (0..self.legs.len()).for_each(|leg| self.listen(leg, watch));
        }
        watch.outcome(after.0 - before.0, after.1 - before.1)
    }

    fn talk(&mut self, index: usize, moment: u32, watch: &mut Watch) {
        let leg = &mut self.legs[index];
        let payloads = &self.payloads[index % 2];
        let payload = &payloads[(usize::from(leg.sequence) + 7 * index) % payloads.len()];
        let mut bytes = [0; 2_048];
        let units = leg.format.codec.clock_rate() / 50;
        let timestamp = (u64::from(moment) * u64::from(units) / MOMENTS as u64) as u32;
        let (payload_type, sequence) = (leg.format.payload_type, leg.sequence);
        rtp::Header { marker: false, payload_type, sequence, timestamp, ssrc: leg.ssrc }.write(&mut bytes);
        leg.sequence = leg.sequence.wrapping_add(1);
        let mut length = HEADER_BYTES + payload.len();
        bytes[HEADER_BYTES..length].copy_from_slice(payload);
        let now = wall_ns();
        if self.stamps {
            bytes[HEADER_BYTES..HEADER_BYTES + 8].copy_from_slice(&now.to_be_bytes());
            bytes[HEADER_BYTES + 8..HEADER_BYTES + 12].copy_from_slice(&((index ^ 1) as u32).to_be_bytes());
        }
        if let Some((outbound, _)) = &mut leg.keys {
            length = outbound.protect_rtp(&mut bytes, length).expect("a packet can be protected");
        }
        watch.sent += u64::from(watch.counts(now));
        // What the kernel doesn't take, the count of what came shows.
        let _ = leg.socket.send(&bytes[..length]);
    }

    fn listen(&mut self, index: usize, watch: &mut Watch) {
        let leg = &mut self.legs[index];
        let (mut room, now) = ([0; 2_048], wall_ns());
        while let Some((mut length, came)) = receive_stamped(&leg.socket, &mut room) {
            if let Some((_, inbound)) = &mut leg.keys {
                match inbound.open_rtp(&mut room[..length]) {
                    Ok(opened) => length = opened,
                    // Reports come here too where they share the port.
                    Err(_) => continue,
                }
            }
            let Ok(packet) = rtp::Packet::parse(&room[..length]) else { continue };
            if packet.header.payload_type != leg.format.payload_type {
                continue;
            }
            watch.forwarded += u64::from(watch.counts(came));
            if self.stamps {
                let number = |range: std::ops::Range<usize>| {
                    packet.payload[range].iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte))
                };
                assert_eq!(number(8..12), index as u64, "a packet came to the wrong leg");
                let sent = number(0..8);
                if watch.counts(sent) {
                    watch.came += 1;
                    watch.delays.push(came.saturating_sub(sent));
                }
            } else {
                let clock_rate = u128::from(leg.format.codec.clock_rate());
                let due = u128::from(packet.header.timestamp) * 1_000_000_000 / clock_rate;
                let transit = came as i64 - due as i64;
                leg.best = leg.best.min(transit);
                if watch.counts(came) {
                    watch.came += 1;
                    watch.delays.push((transit - leg.best) as u64);
                }
            }
            // Where the load is in time, one packet is all that waits: it doesn't ask for another in vain.
            if now.saturating_sub(came) < PACKET_TIME.as_nanos() as u64 {
                break;
            }
        }
    }
}

/// What is seen while legs talk. Nothing counts before `begin`. It is made once, so that its memory isn't taken for a call's.
pub struct Watch {
    begin: u64,
    end: u64,
    sent: u64,
    came: u64,
    forwarded: u64,
    delays: Vec<u64>,
    late: Vec<u64>,
}

impl Watch {
    pub fn new() -> Watch {
        let (delays, late) = (vec![1; 2_000_000], vec![1; 200_000]);
        Watch { begin: u64::MAX, end: u64::MAX, sent: 0, came: 0, forwarded: 0, delays, late }
    }

    fn clear(&mut self) {
        (self.begin, self.end) = (u64::MAX, u64::MAX);
        (self.sent, self.came, self.forwarded) = (0, 0, 0);
        self.delays.clear();
        self.late.clear();
    }

    fn begin(&mut self, now: u64) {
        self.begin = now;
        self.late.clear();
    }

    fn counts(&self, at: u64) -> bool {
        (self.begin..self.end).contains(&at)
    }

    fn outcome(&mut self, cpu: Duration, sleeps: u64) -> Outcome {
        self.delays.sort_unstable();
        self.late.sort_unstable();
        let at = |times: &[u64], share: f64| {
            times.get((times.len() as f64 * share) as usize).map_or(0.0, |&nanos| nanos as f64 / 1e6)
        };
        let forwarded = self.forwarded.max(1) as f64;
        Outcome {
            cpu_us: cpu.as_secs_f64() * 1e6 / forwarded,
            sleeps: sleeps as f64 / forwarded,
            lost_percent: 100.0 * (1.0 - self.came as f64 / self.sent.max(1) as f64),
            delay_p50: at(&self.delays, 0.5),
            delay_p99: at(&self.delays, 0.99),
            late_p99: at(&self.late, 0.99),
        }
    }
}

fn sleep_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}
