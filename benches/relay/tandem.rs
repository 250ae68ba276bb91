//! Our worker, without SIP: ordered as a switch orders it.

use crate::machine;
use crate::subject::{Exit, Side, Subject, key};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tandem::config::settings::Io;
use tandem::media::command::*;
use tandem::media::worker::{Worker, WorkerHandle, WorkerSettings};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NAME: &str = "media-bench";
/// Below the ports that systems hand out by themselves.
const PORTS: (u16, u16) = (12_000, 32_767);

pub struct Tandem {
    worker: WorkerHandle,
    woken: mpsc::Receiver<()>,
    last: u64,
    is_room: bool,
}

impl Tandem {
    /// Each call joins two sides, or leads both into the one room.
    pub fn start(io: Io, is_room: bool) -> Tandem {
        let (wake, woken) = mpsc::sync_channel(1);
        let worker = Worker::spawn(WorkerSettings {
            name: NAME.to_owned(),
            ports: PORTS,
            io,
            core: Some(machine::SERVER_CORE),
            epoch: Instant::now(),
            seed: [7; 32],
            wake: Box::new(move || {
                let _ = wake.try_send(());
            }),
            commands: 1_024,
            events: 1_024,
        })
        .expect("the worker starts");
        let begun = Instant::now();
        // A thread has its name a moment after it was made.
        while machine::threads(NAME).is_empty() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut tandem = Tandem { worker, woken, last: 0, is_room };
        // Once it obeys, it has chosen its own class.
        let (port, _) = tandem.open();
        tandem.order(Command::Close { port });
        for thread in machine::threads(NAME) {
            machine::hurry(thread);
        }
        tandem
    }

    fn order(&mut self, mut command: Command) {
        while let Err(back) = self.worker.send(command) {
            command = back;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn open(&mut self) -> (PortId, SocketAddr) {
        self.last += 1;
        let port = PortId(self.last);
        self.order(Command::Open { port, local: LOCAL });
        loop {
            match self.worker.poll_event() {
                Some(Event::Opened { port: opened, number }) if opened == port => {
                    return (port, SocketAddr::new(LOCAL, number));
                }
                Some(Event::OpenFailed { why, .. }) => panic!("a port doesn't open: {why}"),
                Some(_) => {}
                None => {
                    let _ = self.woken.recv_timeout(Duration::from_secs(5));
                }
            }
        }
    }

    /// Answers the key by which the port protects what it sends.
    fn configure(&mut self, port: PortId, side: Side) -> Option<MasterKey> {
        let protection = side.key.map(|receive| Protection { send: key(port.0 as u8), receive });
        let own = protection.as_ref().map(|keys| keys.send.clone());
        let settings = PortSettings {
            remote: Some(side.address),
            send: Some(Sending {
                coding: Coding::Sound(side.format.codec),
                payload_type: side.format.payload_type,
                ptime_ms: 20,
                events: None,
                opus: OpusSettings::default(),
            }),
            receive: vec![Receiving { payload_type: side.format.payload_type, codec: side.format.codec }],
            silence_limit: Some(Duration::from_secs(60)),
            protection: protection.map(Box::new),
            ..PortSettings::default()
        };
        self.order(Command::Configure { port, settings: Box::new(settings) });
        own
    }
}

impl Subject for Tandem {
    fn name(&self) -> String {
        format!("tandem {}", self.worker.io().name())
    }

    fn call(&mut self, one: Side, other: Side) -> (Exit, Exit) {
        let ((first, to_first), (second, to_second)) = (self.open(), self.open());
        let (first_key, second_key) = (self.configure(first, one), self.configure(second, other));
        for (port, peer) in [(first, second), (second, first)] {
            let (room, meter) = (RoomId(1), Default::default());
            let seat = Seat { room, talkers: 8, muted: false, deaf: false, gain_db: 0, meter };
            let source = if self.is_room { Source::Room(std::sync::Arc::new(seat)) } else { Source::Peer(peer) };
            self.order(Command::Connect { port, source });
        }
        (Exit { address: to_first, key: first_key }, Exit { address: to_second, key: second_key })
    }

    fn tasks(&self) -> Vec<PathBuf> {
        let folder = |thread| PathBuf::from(format!("/proc/self/task/{thread}"));
        machine::threads(NAME).into_iter().map(folder).collect()
    }

    fn resident_kib(&self) -> f64 {
        machine::resident_kib_of("self")
    }
}
