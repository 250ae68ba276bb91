//! A small DNS server on loopback, whose zone a test changes while it runs.

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// It answers until it is dropped.
pub struct Dns {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    zone: Mutex<Vec<(Name, u32, RData)>>,
    silent: AtomicBool,
    over: AtomicBool,
    asked: AtomicU64,
}

impl Dns {
    pub fn start(host: IpAddr) -> Dns {
        let socket = UdpSocket::bind((host, 0)).expect("a port for DNS");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
        let address = socket.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || serve(&socket, &own));
        Dns { address, shared }
    }

    /// Replaces the zone: `NAME TTL A 127.0.0.2`, `NAME TTL SRV 10 5 5060 TARGET`,
    /// `NAME TTL CNAME TARGET`, `NAME TTL NAPTR 10 10 s SIP+D2U REPLACEMENT`, a line each.
    pub fn set(&self, zone: &str) {
        let records = zone.lines().map(str::trim).filter(|line| !line.is_empty()).map(record).collect();
        *self.shared.zone.lock().expect("the zone") = records;
    }

    pub fn be_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// Questions since the start.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 4_096];
    while !shared.over.load(Ordering::SeqCst) {
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        shared.asked.fetch_add(1, Ordering::SeqCst);
        if !shared.silent.load(Ordering::SeqCst) {
            let answer = answer(&question, &shared.zone.lock().expect("the zone"));
            let _ = socket.send_to(&answer, peer);
        }
    }
}

fn answer(question: &Message, zone: &[(Name, u32, RData)]) -> Vec<u8> {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    let query = question.queries.first().expect("a question").clone();
    let named: Vec<_> = zone.iter().filter(|(name, ..)| name == query.name()).collect();
    if named.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    for (name, ttl, data) in named {
        let is_alias = data.record_type() == RecordType::CNAME;
        if is_alias || data.record_type() == query.query_type() || query.query_type() == RecordType::ANY {
            answer.add_answer(Record::from_rdata(name.clone(), *ttl, data.clone()));
        }
    }
    answer.add_query(query);
    answer.to_vec().expect("an answer that can be written")
}

fn record(line: &str) -> (Name, u32, RData) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words[at].parse().expect("a number");
    let name = |at: usize| Name::from_ascii(format!("{}.", words[at].trim_end_matches('.'))).expect("a name");
    let data = match words[2] {
        "A" => RData::A(A(words[3].parse().expect("an address"))),
        "AAAA" => RData::AAAA(AAAA(words[3].parse().expect("an address"))),
        "CNAME" => RData::CNAME(CNAME(name(3))),
        "SRV" => RData::SRV(SRV::new(number(3), number(4), number(5), name(6))),
        "NAPTR" => {
            let text = |at: usize| words[at].as_bytes().to_vec().into_boxed_slice();
            RData::NAPTR(NAPTR::new(number(3), number(4), text(5), text(6), Box::default(), name(7)))
        }
        kind => panic!("{kind} of a record"),
    };
    (name(0), words[1].parse().expect("a TTL"), data)
}
