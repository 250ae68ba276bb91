//! A million phones on one core: what a registered contact takes, and what an authenticated refresh costs.
//!
//! The switch is driven as the gateway drives it, from the bytes of a REGISTER to the bytes of its answer, without sockets.
//! Costs are CPU time of one thread; memory is what the switch has asked for and not given back.
//!
//! ```text
//! cargo bench --bench registrar                        a million contacts, about two minutes
//! cargo bench --bench registrar -- --contacts 100000
//! ```

#[path = "shared/cpu.rs"]
mod cpu;
#[path = "shared/heap.rs"]
mod heap;

use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::{Now, Time, Wall};
use tandem::call::account::forwarding::Forwarding;
use tandem::call::account::{Account, Accounts};
use tandem::call::io::{Input, Output};
use tandem::call::switch::Switch;
use tandem::config::settings::Settings;
use tandem::dialplan::plan::{Plan, PlanContext};
use tandem::sip::digest::{ClientCredentials, Hashes, Responder};
use tandem::sip::flow::{Flow, Transport};
use tandem::wire::sip::Message;

const REALM: &str = "tandem.local";
const PASSWORD: &str = "correct horse";

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Requests whose cost is read together, as the clock's reading costs something too.
const BATCH: usize = 1_000;
/// Virtual time between two requests: 10,000 a second.
const STEP: Duration = Duration::from_micros(100);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|it| it == name).and_then(|at| arguments.get(at + 1));
    let contacts: usize = value("--contacts").map_or(1_000_000, |it| it.parse().expect("--contacts takes a number"));

    let mut bench = Bench::new(contacts);
    let empty = heap::live_bytes();
    let first = bench.round("registered");
    let full = heap::live_bytes();
    assert_eq!(bench.switch.counts().registrations, contacts, "every phone is registered");
    let mib = |bytes: i64| bytes as f64 / 1024.0 / 1024.0;
    let each = |bytes: i64| bytes as f64 / contacts as f64;
    println!("accounts: {:>5.0} MiB, {:.0} bytes each", mib(empty), each(empty));
    println!("contacts: {:>5.0} MiB, {:.0} bytes each", mib(full - empty), each(full - empty));
    println!("the process, with the phones of this bench: {:.0} MiB", resident_mib());
    let asked = heap::count();
    let challenges = bench.challenges;
    let refresh = bench.round("refreshed");
    let asked = (heap::count() - asked) / contacts as u64;
    println!("first registration, challenge included: {:.1} µs of CPU, {:.0} a second", first, 1e6 / first);
    println!(
        "authenticated refresh:                  {:.1} µs of CPU, {:.0} a second; asks for memory {asked} times",
        refresh,
        1e6 / refresh
    );
    // The nonce of a phone that registered long ago is stale: its refresh takes two requests.
    println!(
        "of these, {:.0} % were challenged first: {:.0} requests a second",
        100.0 * (bench.challenges - challenges) as f64 / contacts as f64,
        1e6 / refresh * (1.0 + (bench.challenges - challenges) as f64 / contacts as f64)
    );
}

struct Bench {
    switch: Switch,
    phones: Vec<Phone>,
    time: Time,
    chance: Chance,
    challenges: usize,
}

/// As little of a phone as can answer a challenge.
struct Phone {
    number: usize,
    responder: Responder,
    cseq: u32,
}

impl Bench {
    fn new(contacts: usize) -> Bench {
        let mut settings = Settings::default();
        settings.sip.domain = REALM.to_owned();
        settings.limits.registrations = contacts;
        // Each is remembered for 32 s after its answer (RFC 3261 §17.2.2): twice 10,000 a second at the most.
        settings.limits.transactions = 1_000_000;
        let context = PlanContext::of(&settings);
        let rule = "[[rule]]\nname = \"Echo\"\nnumber = \"*43\"\nto = [{ echo = true }]\n";
        let plan = Plan::parse(&[("plan.toml".to_owned(), rule.to_owned())], &context)
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        let account = |number| Account {
            name: name(number),
            number: None,
            country: None,
            display_name: None,
            forwarding: Forwarding::default(),
            hashes: Hashes::from_password(&name(number), REALM, PASSWORD),
        };
        let accounts = heap::inside(|| Arc::new(Accounts::new((0..contacts).map(account))));
        let now = Now::simulated(Time::ZERO, Wall::from_micros(0));
        let switch = Switch::new(Arc::new(settings), Arc::new(plan), accounts, Chance::from_number(1), 1, now);
        let phones = (0..contacts).map(Phone::new).collect();
        Bench { switch, phones, time: Time::ZERO, chance: Chance::from_number(2), challenges: 0 }
    }

    /// Lets every phone register; the median over the batches of CPU time, in µs for each phone.
    fn round(&mut self, what: &str) -> f64 {
        let mut costs = Vec::new();
        let mut phones = std::mem::take(&mut self.phones);
        for batch in phones.chunks_mut(BATCH) {
            let mut waiting: Vec<&mut Phone> = batch.iter_mut().collect();
            let count = waiting.len();
            let mut cost = 0.0;
            while !waiting.is_empty() {
                let requests: Vec<_> =
                    waiting.iter_mut().map(|phone| (phone.flow(), phone.register(&mut self.chance))).collect();
                let began = cpu::thread_us();
                let answers: Vec<Vec<u8>> = requests.into_iter().map(|(flow, bytes)| self.ask(flow, bytes)).collect();
                cost += cpu::thread_us() - began;
                let mut again = Vec::new();
                for (phone, answer) in waiting.into_iter().zip(answers) {
                    let answer = Message::parse(answer.into()).expect("an answer that can be read");
                    match answer.status() {
                        200 => {}
                        401 => {
                            phone.responder.challenged(&answer).expect("a challenge that we can answer");
                            self.challenges += 1;
                            again.push(phone);
                        }
                        status => panic!("{} is answered {status}", name(phone.number)),
                    }
                }
                waiting = again;
            }
            costs.push(cost / count as f64);
        }
        self.phones = phones;
        self.rest();
        costs.sort_by(f64::total_cmp);
        println!("{} phones {what}", self.phones.len());
        costs[costs.len() / 2]
    }

    /// Lets all transactions come to their end.
    fn rest(&mut self) {
        self.time += Duration::from_secs(60);
        let now = Now::simulated(self.time, Wall::from_micros(0));
        heap::inside(|| {
            while self.switch.poll_timeout().is_some_and(|at| at <= now.time) {
                self.switch.handle(now, Input::Timeout);
                while self.switch.poll_output().is_some() {}
            }
        });
    }

    fn ask(&mut self, flow: Flow, bytes: Vec<u8>) -> Vec<u8> {
        self.time += STEP;
        let now = Now::simulated(self.time, Wall::from_micros(0));
        let answer = heap::inside(|| {
            let bytes = Bytes::copy_from_slice(&bytes);
            if self.switch.poll_timeout().is_some_and(|at| at <= now.time) {
                self.switch.handle(now, Input::Timeout);
            }
            self.switch.handle(now, Input::Received { flow, bytes });
            let mut answer = Bytes::new();
            while let Some(output) = self.switch.poll_output() {
                if let Output::Send(transmit) = output {
                    answer = transmit.bytes;
                }
            }
            answer
        });
        let copy = answer.to_vec();
        heap::inside(|| drop(answer));
        copy
    }
}

impl Phone {
    fn new(number: usize) -> Phone {
        let credentials =
            ClientCredentials { username: name(number), password: PASSWORD.to_owned(), realm: Some(REALM.to_owned()) };
        Phone { number, responder: Responder::new(credentials), cseq: 0 }
    }

    fn register(&mut self, chance: &mut Chance) -> Vec<u8> {
        self.cseq += 1;
        let uri = format!("sip:{REALM}");
        let (number, cseq, address) = (self.number, self.cseq, self.flow().remote);
        let credentials = self.responder.headers("REGISTER", &uri, b"", chance).expect("credentials");
        let mut text = format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};rport;branch=z9hG4bK{number}x{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{0}@{REALM}>;tag=t{number}\r\nTo: <sip:{0}@{REALM}>\r\n\
             Call-ID: r{number}@{address}\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:{0}@{address};ob>\r\n\
             User-Agent: Bench 1.0\r\nExpires: 3600\r\n",
            name(number)
        );
        for (name, value) in credentials {
            text.push_str(&format!("{}: {value}\r\n", name.as_str()));
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        text.into_bytes()
    }

    fn flow(&self) -> Flow {
        let host = [10, (self.number >> 16) as u8, (self.number >> 8) as u8, self.number as u8];
        Flow {
            transport: Transport::Udp,
            local: SocketAddr::from(([192, 0, 2, 1], 5060)),
            remote: SocketAddr::from((host, 5060)),
        }
    }
}

fn name(number: usize) -> String {
    format!("u{number:07}")
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    kib / 1024.0
}
