//! What a call costs in the switch alone, from the bytes of its INVITE to those of its last answer: time, allocations, and
//! the memory that it holds while it is up and in the 32 s after it. Without sockets, journal and media workers, so that a
//! noisy machine hardly shows.
//!
//! ```text
//! cargo bench --bench switch
//! cargo bench --bench switch -- --calls 1000000        and that memory stays flat
//! ```

#[path = "shared/cpu.rs"]
mod cpu;
#[path = "shared/heap.rs"]
mod heap;
#[path = "call_setup/sip.rs"]
mod sip;

use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::base::time::{Now, Time, Wall};
use tandem::call::account::Accounts;
use tandem::call::io::{Input, Output};
use tandem::call::switch::Switch;
use tandem::config::settings::Settings;
use tandem::dialplan::plan::{Plan, PlanContext};
use tandem::media::command::{Command, Event, Report};
use tandem::sip::flow::{Flow, Transport};
use tandem::sip::locate::Located;

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Calls that are up together, and whose cost is read together.
const BATCH: usize = 1_000;
/// A thousand calls a second.
const STEP: Duration = Duration::from_millis(1);
const CALLER: &str = "127.0.0.2:15061";
const CALLEE: &str = "127.0.0.3:15060";
const SERVER: &str = "127.0.0.1:5060";

const SETTINGS: &str = "
[limits]
calls = 20000
transactions = 200000
[[trunk]]
name = \"caller\"
host = \"127.0.0.2\"
[[trunk]]
name = \"callee\"
host = \"127.0.0.3\"
port = 15060
";
const PLAN: &str =
    "[[rule]]\nname = \"Load\"\nfrom = [\"trunk:caller\"]\nregex = \"9\\\\d{7}\"\nto = [{ trunk = \"callee\" }]\n";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|it| it == name).and_then(|at| arguments.get(at + 1));
    let calls: usize = value("--calls").map_or(40_000, |it| it.parse().expect("--calls takes a number"));
    let mut bench = Bench::new();
    let mut costs = Vec::new();
    let batches = calls.div_ceil(BATCH);
    let mut before = 0;
    for batch in 0..batches {
        let (empty, asked) = (heap::live_bytes(), heap::count());
        let mut cost = bench.begin(batch * BATCH);
        let up = heap::live_bytes();
        if batch == 0 {
            bench.pass(Duration::from_secs(60));
        }
        let settled = heap::live_bytes();
        cost += bench.end();
        let ended = heap::live_bytes();
        costs.push(cost / BATCH as f64);
        if batch == 0 {
            println!(
                "up:    {:>5.1} KiB a call, {:.1} once it is older than 32 s",
                kib(up - empty),
                kib(settled - empty)
            );
            println!("ended: {:>5.1} KiB a call, for 32 s", kib(ended - empty));
        }
        if batch + 1 == batches {
            println!("asks for memory {} times a call", (heap::count() - asked) / BATCH as u64);
        }
        if (batch + 1) % (batches / 4).max(1) == 0 {
            bench.rest();
            let now = heap::live_bytes();
            println!(
                "after {} calls {:.0} KiB are held, {:+.0}",
                (batch + 1) * BATCH,
                now as f64 / 1024.0,
                (now - before) as f64 / 1024.0
            );
            before = now;
        }
    }
    costs.sort_by(f64::total_cmp);
    let at = |part: f64| costs[((costs.len() - 1) as f64 * part) as usize];
    println!(
        "{:.1} µs of CPU a call ({:.1} to {:.1} in the middle half of {batches} batches)",
        at(0.5),
        at(0.25),
        at(0.75)
    );
}

fn kib(bytes: i64) -> f64 {
    bytes as f64 / 1024.0 / BATCH as f64
}

struct Bench {
    switch: Switch,
    time: Time,
    up: Vec<Up>,
    caller_sdp: String,
    callee_sdp: String,
    outputs: Vec<Output>,
    cost: f64,
}

struct Up {
    call: usize,
    ok: String,
}

impl Bench {
    fn new() -> Bench {
        let problems = tandem::config::problem::Problems::default();
        let document = tandem::config::document::parse("bench.toml", SETTINGS, &problems);
        let settings: Settings = tandem::config::reading::settings(&document, &problems);
        assert!(problems.is_empty(), "{:?}", problems.into_sorted());
        let plan = Plan::parse(&[("plan.toml".to_owned(), PLAN.to_owned())], &PlanContext::of(&settings))
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        let now = Now::simulated(Time::ZERO, Wall::from_micros(0));
        let accounts = Arc::new(Accounts::new(std::iter::empty()));
        let switch = Switch::new(Arc::new(settings), Arc::new(plan), accounts, Chance::from_number(1), 1, now);
        let mut bench = Bench {
            switch,
            time: Time::ZERO,
            up: Vec::new(),
            caller_sdp: sip::description(address("127.0.0.2:40000")),
            callee_sdp: sip::description(address("127.0.0.3:40000")),
            outputs: Vec::new(),
            cost: 0.0,
        };
        bench.tell(Input::Timeout);
        bench
    }

    /// Brings a batch of calls up; CPU time in µs.
    fn begin(&mut self, first: usize) -> f64 {
        self.cost = 0.0;
        for call in first..first + BATCH {
            self.pass(STEP);
            let invite = sip::invite(address(SERVER), address(CALLER), call, &self.caller_sdp);
            let sent = self.receive(CALLER, invite);
            let invited = sent.iter().find(|it| it.starts_with("INVITE")).expect("the callee is called");
            let tag = format!("b{call}");
            let ringing = sip::answer(invited, "180 Ringing", &tag, address(CALLEE), "");
            let answer = sip::answer(invited, "200 OK", &tag, address(CALLEE), &self.callee_sdp);
            self.receive(CALLEE, ringing);
            let sent = self.receive(CALLEE, answer);
            let ok = sent.iter().find(|it| it.starts_with("SIP/2.0 200")).expect("the caller is answered").clone();
            let ack = sip::within(&ok, "ACK", 1, &format!("k{call}"), address(CALLER));
            self.receive(CALLER, ack);
            self.up.push(Up { call, ok });
        }
        assert_eq!(self.switch.counts().calls, BATCH);
        self.cost
    }

    /// Ends them.
    fn end(&mut self) -> f64 {
        self.cost = 0.0;
        for Up { call, ok } in std::mem::take(&mut self.up) {
            self.pass(STEP);
            let bye = sip::within(&ok, "BYE", 2, &format!("y{call}"), address(CALLER));
            let sent = self.receive(CALLER, bye);
            let bye = sent.iter().find(|it| it.starts_with("BYE")).expect("the callee is told");
            let answer = sip::answer(bye, "200 OK", "", address(CALLEE), "");
            self.receive(CALLEE, answer);
        }
        assert_eq!(self.switch.counts().calls, 0);
        self.cost
    }

    fn pass(&mut self, span: Duration) {
        self.time += span;
        while self.switch.poll_timeout().is_some_and(|at| at <= self.time) {
            self.tell(Input::Timeout);
        }
    }

    /// Lets all that waits come to its end.
    fn rest(&mut self) {
        for _ in 0..100 {
            self.pass(Duration::from_secs(1));
        }
    }

    fn receive(&mut self, from: &str, text: String) -> Vec<String> {
        let bytes = heap::inside(|| Bytes::copy_from_slice(text.as_bytes()));
        self.tell(Input::Received { flow: flow(from), bytes })
    }

    /// Hands an input in, and answers as a media worker does; what was sent.
    fn tell(&mut self, input: Input) -> Vec<String> {
        let now = Now::simulated(self.time, Wall::from_micros(0));
        let mut inputs = VecDeque::from([input]);
        let mut sent = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let began = cpu::thread_us();
            heap::inside(|| self.switch.handle(now, input));
            self.outputs.extend(std::iter::from_fn(|| heap::inside(|| self.switch.poll_output())));
            self.cost += cpu::thread_us() - began;
            for output in self.outputs.drain(..) {
                match &output {
                    Output::Send(transmit) => sent.push(String::from_utf8_lossy(&transmit.bytes).into_owned()),
                    Output::Media { command: Command::Open { port, .. }, .. } => {
                        let number = 20_000 + u16::try_from(port.0 % 10_000).expect("a port") * 2;
                        inputs.push_back(Input::Media(Event::Opened { port: *port, number }));
                    }
                    Output::Media { command: Command::Close { port }, .. } => {
                        inputs.push_back(Input::Media(Event::Closed { port: *port, report: Report::default() }));
                    }
                    Output::Locate { ticket, target } => {
                        let remote = if target.host == "127.0.0.3" { CALLEE } else { CALLER };
                        let found = Located::only(flow(remote), Duration::from_secs(1 << 30));
                        inputs.push_back(Input::Located { ticket: *ticket, result: Ok(found) });
                    }
                    _ => {}
                }
                heap::inside(|| drop(output));
            }
        }
        sent
    }
}

fn flow(remote: &str) -> Flow {
    Flow { transport: Transport::Udp, local: address(SERVER), remote: address(remote) }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}
