//! A worker with real sockets on the loopback: two phones, played here, are bridged.
// Phones have sockets and clocks.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use tandem::config::settings::Io;
use tandem::media::command::*;
use tandem::media::counters::Reason;
use tandem::media::worker::{Worker, WorkerHandle, WorkerSettings};
use tandem::wire::rtp;
use tandem_codecs::Codec;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Runs a test with each way to move packets, one after the other.
fn by_each(test: impl Fn(Io)) {
    for io in [Io::Epoll, Io::IoUring] {
        println!("by {}", io.name());
        if io == Io::IoUring && Worker::spawn(settings(io, (31_990, 31_999), Box::new(|| ()))).is_err() {
            println!("the kernel has no io_uring for us");
            continue;
        }
        test(io);
    }
}

fn settings(io: Io, ports: (u16, u16), wake: Box<dyn Fn() + Send>) -> WorkerSettings {
    let (name, epoch, seed) = ("media-test".to_owned(), Instant::now(), [7; 32]);
    WorkerSettings { name, ports, io, core: None, epoch, seed, wake, commands: 256, events: 256 }
}

struct Bench {
    worker: WorkerHandle,
    woken: mpsc::Receiver<()>,
}

impl Bench {
    fn new(io: Io, ports: (u16, u16)) -> Bench {
        let (wake, woken) = mpsc::sync_channel(1);
        let wake = Box::new(move || {
            let _ = wake.try_send(());
        });
        let worker = Worker::spawn(settings(io, ports, wake)).unwrap();
        assert_eq!(worker.io(), io);
        Bench { worker, woken }
    }

    fn event(&mut self) -> Event {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(event) = self.worker.poll_event() {
                return event;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.woken.recv_timeout(left).expect("the worker tells an event");
        }
    }

    fn open(&mut self, id: u64, local: IpAddr) -> SocketAddr {
        self.worker.send(Command::Open { port: PortId(id), local }).unwrap();
        match self.event() {
            Event::Opened { port, number } if port == PortId(id) => SocketAddr::new(local, number),
            other => panic!("{other:?}"),
        }
    }

    fn configure(&mut self, id: u64, phone: &UdpSocket) {
        self.configure_codec(id, phone, Codec::Pcmu, 0);
    }

    fn configure_codec(&mut self, id: u64, phone: &UdpSocket, codec: Codec, payload_type: u8) {
        let settings = PortSettings {
            remote: Some(phone.local_addr().unwrap()),
            send: Some(Sending {
                coding: Coding::Sound(codec),
                payload_type,
                ptime_ms: 20,
                events: None,
                opus: OpusSettings::default(),
            }),
            receive: vec![Receiving { payload_type, codec }],
            ..PortSettings::default()
        };
        self.worker.send(Command::Configure { port: PortId(id), settings: Box::new(settings) }).unwrap();
    }

    fn connect(&mut self, id: u64, source: Source) {
        self.worker.send(Command::Connect { port: PortId(id), source }).unwrap();
    }

    fn close(&mut self, id: u64) -> Report {
        self.worker.send(Command::Close { port: PortId(id) }).unwrap();
        loop {
            if let Event::Closed { port, report } = self.event() {
                assert_eq!(port, PortId(id));
                return report;
            }
        }
    }
}

fn phone(local: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((local, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn packet(sequence: u16) -> Vec<u8> {
    let header =
        rtp::Header { marker: sequence == 0, payload_type: 0, sequence, timestamp: u32::from(sequence) * 160, ssrc: 9 };
    let mut packet = header.bytes().to_vec();
    packet.resize(172, sequence as u8);
    packet
}

fn hear(phone: &UdpSocket) -> (rtp::Header, Vec<u8>) {
    let mut buffer = [0; 2_048];
    let length = phone.recv(&mut buffer).expect("a packet");
    let packet = rtp::Packet::parse(&buffer[..length]).unwrap();
    (packet.header, packet.payload.to_vec())
}

fn two_phones_talk(io: Io, ports: (u16, u16), local: IpAddr) {
    let mut bench = Bench::new(io, ports);
    let (alice, bob) = (phone(local), phone(local));
    let (to_alice, to_bob) = (bench.open(1, local), bench.open(2, local));
    bench.configure(1, &alice);
    bench.configure(2, &bob);
    bench.connect(1, Source::Peer(PortId(2)));
    bench.connect(2, Source::Peer(PortId(1)));
    let mut last = None;
    for sequence in 0..200u16 {
        alice.send_to(&packet(sequence), to_alice).unwrap();
        let (header, payload) = hear(&bob);
        assert_eq!(payload, &packet(sequence)[12..]);
        if let Some(last) = last {
            assert_eq!(header.sequence, u16::wrapping_add(last, 1));
        }
        last = Some(header.sequence);
        bob.send_to(&packet(sequence), to_bob).unwrap();
        assert_eq!(hear(&alice).1, &packet(sequence)[12..]);
    }
    let stranger = phone(local);
    stranger.send_to(&packet(200), to_alice).unwrap();
    alice.send_to(&packet(200), to_alice).unwrap();
    hear(&bob);
    let report = bench.close(1);
    assert_eq!((report.received_packets, report.sent_packets, report.dropped_packets), (201, 200, 1));
    assert_eq!(report.source, Some(alice.local_addr().unwrap()));
    bench.close(2);
    let counters = bench.worker.counters();
    assert_eq!(counters.dropped(Reason::Stranger), 1);
    assert_eq!((counters.ports.value(), counters.relays.value()), (0, 0));
    assert!(counters.busy_ns.value() > 0);
    bench.worker.shutdown();
}

#[test]
fn two_phones_talk_over_ipv4() {
    by_each(|io| two_phones_talk(io, (31_000, 31_015), LOCAL));
}

#[test]
fn two_phones_talk_over_ipv6() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        by_each(|io| two_phones_talk(io, (31_020, 31_035), IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }
}

#[test]
fn two_phones_without_a_shared_codec_talk_in_step_with_the_clock() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_080, 31_095));
        let (alice, bob) = (phone(LOCAL), phone(LOCAL));
        let to_alice = bench.open(1, LOCAL);
        bench.open(2, LOCAL);
        bench.configure(1, &alice);
        bench.configure_codec(2, &bob, Codec::Opus, 111);
        bench.connect(2, Source::Peer(PortId(1)));
        let begun = Instant::now();
        for sequence in 0..50 {
            let due = begun + Duration::from_millis(20) * u32::from(sequence);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            alice.send_to(&packet(sequence), to_alice).unwrap();
        }
        let mut heard: Vec<rtp::Header> = Vec::new();
        while heard.len() < 45 {
            heard.push(hear(&bob).0);
        }
        assert!(heard.iter().all(|header| header.payload_type == 111));
        assert_eq!(bench.worker.counters().transcoders.value(), 1);
        for pair in heard.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        }
    });
}

#[test]
fn an_echo_comes_back() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_040, 31_055));
        let alice = phone(LOCAL);
        let port = bench.open(1, LOCAL);
        bench.configure(1, &alice);
        bench.connect(1, Source::Echo);
        for sequence in 0..50 {
            alice.send_to(&packet(sequence), port).unwrap();
            assert_eq!(hear(&alice).1, &packet(sequence)[12..]);
        }
    });
}

#[test]
fn a_taken_port_is_passed_over_and_an_empty_range_is_told() {
    by_each(|io| {
        // Someone else has the RTCP port of the second pair.
        let _taken = UdpSocket::bind((LOCAL, 31_063)).unwrap();
        let mut bench = Bench::new(io, (31_060, 31_065));
        let numbers = [bench.open(1, LOCAL).port(), bench.open(2, LOCAL).port()];
        assert_eq!(numbers, [31_060, 31_064]);
        bench.worker.send(Command::Open { port: PortId(3), local: LOCAL }).unwrap();
        match bench.event() {
            Event::OpenFailed { port: PortId(3), why } => assert!(why.contains("31062"), "{why}"),
            other => panic!("{other:?}"),
        }
        // A pair that was given back can be had again once no other is left.
        bench.close(1);
        assert_eq!(bench.open(4, LOCAL).port(), 31_060);
    });
}

#[test]
fn what_comes_after_a_call_is_not_heard_in_the_next() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_140, 31_143));
        let (alice, bob, carol) = (phone(LOCAL), phone(LOCAL), phone(LOCAL));
        bench.open(1, LOCAL);
        let port = bench.open(2, LOCAL);
        bench.close(2);
        bench.configure(1, &carol);
        for sequence in 0..40 {
            bob.send_to(&packet(sequence), port).unwrap();
        }
        let dropped = || bench.worker.counters().dropped(Reason::NoPort);
        let begun = Instant::now();
        while dropped() < 40 && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(dropped(), 40);
        // The pair is the only one left, and its sockets are those of before.
        assert_eq!(bench.open(3, LOCAL), port);
        bench.configure(3, &alice);
        bench.connect(1, Source::Peer(PortId(3)));
        for sequence in 0..40 {
            alice.send_to(&packet(sequence), port).unwrap();
            assert_eq!(hear(&carol).1, &packet(sequence)[12..]);
        }
        let report = bench.close(3);
        assert_eq!((report.received_packets, report.dropped_packets), (40, 0));
    });
}

#[test]
fn an_idle_worker_sleeps() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_070, 31_075));
        bench.open(1, LOCAL);
        bench.close(1);
        // The worker books its last turn after it has told of it, so it may take a moment until nothing is booked any more.
        let busy_ns = || bench.worker.counters().busy_ns.value();
        let is_idle = (0..20).any(|_| {
            let before = busy_ns();
            std::thread::sleep(Duration::from_millis(100));
            busy_ns() == before
        });
        assert!(is_idle);
        bench.worker.shutdown();
    });
}

/// Settings for what is passed on unopened.
fn sealed(phone: &UdpSocket, protocol: Protocol, payload_type: u8, onward: u8) -> Box<PortSettings> {
    let clock_rate = 90_000;
    Box::new(PortSettings {
        protocol,
        remote: Some(phone.local_addr().unwrap()),
        send: Some(Sending {
            coding: Coding::Sealed { clock_rate },
            payload_type: 0,
            ptime_ms: 20,
            events: None,
            opus: OpusSettings::default(),
        }),
        sealed: vec![Sealed { payload_type, onward, clock_rate }],
        ..PortSettings::default()
    })
}

#[test]
fn pictures_pass_in_both_directions_and_a_picture_is_asked_for() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_100, 31_115));
        let (alice, bob) = (phone(LOCAL), phone(LOCAL));
        let (to_alice, to_bob) = (bench.open(1, LOCAL), bench.open(2, LOCAL));
        let settings = [(1, sealed(&alice, Protocol::Rtp, 96, 120)), (2, sealed(&bob, Protocol::Rtp, 120, 96))];
        for (id, settings) in settings {
            bench.worker.send(Command::Configure { port: PortId(id), settings }).unwrap();
        }
        bench.connect(1, Source::Peer(PortId(2)));
        bench.connect(2, Source::Peer(PortId(1)));
        let picture = |payload_type: u8, sequence: u16| {
            let header = rtp::Header { marker: true, payload_type, sequence, timestamp: 9, ssrc: 77 };
            [&header.bytes()[..], &[sequence as u8; 1_300]].concat()
        };
        let mut ours = 0;
        for sequence in 0..20 {
            alice.send_to(&picture(96, sequence), to_alice).unwrap();
            let (header, payload) = hear(&bob);
            assert_eq!((header.payload_type, payload), (120, vec![sequence as u8; 1_300]));
            ours = header.ssrc;
            bob.send_to(&picture(120, sequence), to_bob).unwrap();
            assert_eq!(hear(&alice).0.payload_type, 96);
        }
        // Bob asks beside his RTP; it comes to where alice has her RTCP.
        let reports = match UdpSocket::bind((LOCAL, alice.local_addr().unwrap().port() + 1)) {
            Ok(reports) => reports,
            Err(_) => return,
        };
        reports.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let lost = [&[0x81, 206, 0, 2, 0, 0, 0, 1][..], &ours.to_be_bytes()].concat();
        bob.send_to(&lost, to_bob).unwrap();
        let mut buffer = [0; 2_048];
        let deadline = Instant::now() + Duration::from_secs(10);
        let feedback = loop {
            assert!(Instant::now() < deadline, "nothing is asked for");
            let length = reports.recv(&mut buffer).unwrap();
            let found = tandem::wire::rtcp::feedback(&buffer[..length]).next().map(|feedback| feedback.media);
            if let Some(media) = found {
                break media;
            }
        };
        assert_eq!(feedback, 77);
    });
}

#[test]
fn a_fax_passes() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_120, 31_135));
        let (alice, bob) = (phone(LOCAL), phone(LOCAL));
        let to_alice = bench.open(1, LOCAL);
        bench.open(2, LOCAL);
        for (id, phone) in [(1, &alice), (2, &bob)] {
            let settings = sealed(phone, Protocol::Udptl, 0, 0);
            bench.worker.send(Command::Configure { port: PortId(id), settings }).unwrap();
        }
        bench.connect(2, Source::Peer(PortId(1)));
        for sequence in 0..50u8 {
            let datagram = [0, sequence, 3, 6, 1, 2, 0, 1, 4];
            alice.send_to(&datagram, to_alice).unwrap();
            let mut buffer = [0; 100];
            let length = bob.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], datagram);
        }
        assert_eq!(bench.close(1).received_packets, 50);
    });
}

#[test]
fn a_flood_that_found_the_worker_asleep_is_relayed_in_order() {
    const FLOOD: u16 = 240;
    by_each(|io| {
        let gate = Arc::new(Mutex::new(()));
        let (held, (wake, woken)) = (gate.clone(), mpsc::sync_channel(1));
        let wake = Box::new(move || {
            drop(held.lock());
            let _ = wake.try_send(());
        });
        let mut bench = Bench { worker: Worker::spawn(settings(io, (31_150, 31_199), wake)).unwrap(), woken };
        // More packets than one call to the kernel brings, and than there are buffers for.
        let pairs: Vec<(UdpSocket, SocketAddr, UdpSocket)> = (0..6)
            .map(|n| {
                let (alice, bob) = (phone(LOCAL), phone(LOCAL));
                let to_alice = bench.open(2 * n, LOCAL);
                bench.open(2 * n + 1, LOCAL);
                bench.configure(2 * n, &alice);
                bench.configure(2 * n + 1, &bob);
                bench.connect(2 * n + 1, Source::Peer(PortId(2 * n)));
                (alice, to_alice, bob)
            })
            .collect();
        for (alice, to_alice, bob) in &pairs {
            alice.send_to(&packet(0), to_alice).unwrap();
            hear(bob);
        }
        let guard = gate.lock().unwrap();
        // The worker tells of this port, and waits at the gate.
        bench.worker.send(Command::Open { port: PortId(99), local: LOCAL }).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        for sequence in 1..=FLOOD {
            for (alice, to_alice, _) in &pairs {
                alice.send_to(&packet(sequence), to_alice).unwrap();
            }
        }
        drop(guard);
        for (_, _, bob) in &pairs {
            for sequence in 1..=FLOOD {
                assert_eq!(hear(bob).1, &packet(sequence)[12..]);
            }
        }
        assert_eq!(Reason::ALL.map(|reason| bench.worker.counters().dropped(reason)), [0; Reason::ALL.len()]);
    });
}

#[test]
fn a_pair_is_bound_again_and_again_to_one_address_and_another() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_200, 31_203));
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        for round in 0..20 {
            let (one, two, local) = (2 * round, 2 * round + 1, if round % 2 == 0 { LOCAL } else { other });
            let (alice, bob) = (phone(local), phone(local));
            let to_alice = bench.open(one, local);
            bench.open(two, local);
            bench.configure(one, &alice);
            bench.configure(two, &bob);
            bench.connect(two, Source::Peer(PortId(one)));
            for sequence in 0..5 {
                alice.send_to(&packet(sequence), to_alice).unwrap();
                assert_eq!(hear(&bob).1, &packet(sequence)[12..]);
            }
            bench.close(one);
            bench.close(two);
        }
    });
}

#[test]
fn what_is_too_long_is_dropped_and_counted() {
    by_each(|io| {
        let mut bench = Bench::new(io, (31_210, 31_219));
        let alice = phone(LOCAL);
        let port = bench.open(1, LOCAL);
        bench.configure(1, &alice);
        bench.connect(1, Source::Echo);
        alice.send_to(&[0x80; 3_000], port).unwrap();
        alice.send_to(&packet(1), port).unwrap();
        assert_eq!(hear(&alice).1, &packet(1)[12..]);
        assert_eq!(bench.worker.counters().dropped(Reason::Malformed), 1);
    });
}
