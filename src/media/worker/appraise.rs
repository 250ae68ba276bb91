//! What media costs here, measured at start within some milliseconds: packets through real sockets, and sound through an
//! engine, in a time of its own.

use crate::base::chance::Chance;
use crate::base::time::{Time, Wall};
use crate::media::batch::{Batch, Channel};
use crate::media::command::{Coding, Command, OpusSettings, PortId, PortSettings, Receiving, Sending, Source};
use crate::media::counters::Counters;
use crate::media::engine::Engine;
use crate::media::price::Prices;
use crate::media::worker::syscalls::{self, Receiver, send_one};
use crate::wire::rtp;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::{Codec, Encoder, EncoderSettings};

/// Packets through the loopback in one round.
const PACKETS: u32 = 64;
/// The cheapest of so many rounds counts: whatever else the machine does makes them dearer.
const ROUNDS: usize = 4;
/// To a bare receive and send through one pair of sockets come caches that thousands of them don't fit, packets of another
/// core, the waking, and our own work.
const AROUND_PERCENT: u64 = 220;
/// Frames that fill buffers and caches, and those that are measured.
const WARM_UP: u32 = 6;
const FRAMES: u32 = 6;
const FRAME: Duration = Duration::from_millis(20);

/// Measures all pairs of these codecs.
pub fn appraise(codecs: &[Codec]) -> Prices {
    let sounds: Vec<(Codec, Vec<Vec<u8>>)> =
        codecs.iter().filter_map(|&codec| Some((codec, payloads(codec)?))).collect();
    let mut transcode = Vec::new();
    for (index, (one, from_one)) in sounds.iter().enumerate() {
        for (other, from_other) in &sounds[..index] {
            let both = transcode_ns(*one, from_one, *other) + transcode_ns(*other, from_other, *one);
            transcode.push(((*one, *other), both / 2));
        }
    }
    Prices { forward_ns: forward_ns().unwrap_or(0) * AROUND_PERCENT / 100, transcode_ns: transcode }
}

/// One receive and one send.
fn forward_ns() -> io::Result<u64> {
    let socket = || -> io::Result<(Socket, SocketAddr)> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok((socket, address))
    };
    let ((one, _), (other, to)) = (socket()?, socket()?);
    let mut receiver = Receiver::default();
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let before = syscalls::cpu_ns();
        for _ in 0..PACKETS {
            send_one(one.as_fd(), to, &[0x80; 172])?;
            receiver.receive_one(other.as_fd())?;
        }
        best = best.min((syscalls::cpu_ns() - before) / u64::from(PACKETS));
    }
    Ok(best)
}

/// A packet's way through the engine, where it comes as one codec and leaves as another.
fn transcode_ns(from: Codec, payloads: &[Vec<u8>], to: Codec) -> u64 {
    let mut engine = Engine::new(Chance::from_number(1), Wall::default(), Arc::new(Counters::default()));
    let mut batch = Batch::new(super::BATCH_PACKETS);
    let mut now = Time::from_millis(1);
    let (heard, sent) = (PortId(1), PortId(2));
    let slot = engine.open(now, heard, 0);
    engine.open(now, sent, 0);
    for (port, codec) in [(heard, from), (sent, to)] {
        let settings = Box::new(settings(codec));
        engine.command(now, Command::Configure { port, settings }, &mut batch);
    }
    engine.command(now, Command::Connect { port: sent, source: Source::Peer(heard) }, &mut batch);
    let mut before = 0;
    let mut bytes = [0; 2_048];
    for frame in 0..WARM_UP + FRAMES {
        if frame == WARM_UP {
            before = syscalls::cpu_ns();
        }
        let payload = &payloads[frame as usize % payloads.len()];
        let (sequence, timestamp) = (frame as u16, frame * (from.clock_rate() / 50));
        rtp::Header { marker: false, payload_type: PAYLOAD_TYPE, sequence, timestamp, ssrc: 1 }.write(&mut bytes);
        let length = rtp::HEADER_BYTES + payload.len();
        bytes[rtp::HEADER_BYTES..length].copy_from_slice(payload);
        engine.receive(now, slot, Channel::Rtp, peer(), &bytes[..length], &mut batch);
        for _ in 0..2 {
            while engine.tick(now, &mut batch) {
                batch.clear();
            }
            batch.clear();
            now += FRAME / 2;
        }
        while engine.poll_event().is_some() {}
    }
    (syscalls::cpu_ns() - before) / u64::from(FRAMES)
}

const PAYLOAD_TYPE: u8 = 96;

fn peer() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9))
}

fn settings(codec: Codec) -> PortSettings {
    PortSettings {
        remote: Some(peer()),
        send: Some(Sending {
            coding: Coding::Sound(codec),
            payload_type: PAYLOAD_TYPE,
            ptime_ms: 20,
            events: None,
            opus: OpusSettings::default(),
        }),
        receive: vec![Receiving { payload_type: PAYLOAD_TYPE, codec }],
        ..PortSettings::default()
    }
}

/// A buzz with noise, which codecs find no easier than a voice.
fn payloads(codec: Codec) -> Option<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(codec, EncoderSettings::default()).ok()?;
    let frame = encoder.rate() / 50;
    let mut noise = 1u32;
    let mut out = [0; 1_500];
    let frames = (0..WARM_UP).map(|number| {
        let pcm: Vec<i16> = (0..frame)
            .map(|sample| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let saw = (number * frame + sample) * 8_000 / encoder.rate() % 64;
                (saw as i16 - 32) * 150 + (noise >> 22) as i16
            })
            .collect();
        let length = encoder.encode(&pcm, &mut out).ok()?;
        Some(out.get(..length)?.to_vec())
    });
    frames.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_that_compute_more_cost_more() {
        let prices = appraise(&[Codec::Opus, Codec::Pcma, Codec::Pcmu]);
        assert_eq!(prices.transcode_ns.len(), 3);
        let (opus, pcma) = (prices.call_ns(Codec::Pcmu, Codec::Opus, 20), prices.call_ns(Codec::Pcmu, Codec::Pcma, 20));
        assert!(opus > pcma && pcma > prices.relay_ns() && prices.relay_ns() > 0, "{prices:?}");
    }
}
