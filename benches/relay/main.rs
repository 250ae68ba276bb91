//! What a forwarded packet costs: our media worker, relaying and transcoding, beside rtpengine where that is installed, and
//! beside the floor, which is a bare loop of one receive and one send over as many sockets.
//!
//! What is measured has one core to itself, and the load another; both are put before other work where the system allows
//! it. Costs are CPU time of the subject's threads for a packet that came through (one in, one out). Delays are by the
//! kernel's time stamps, so that the load's own sluggishness isn't in them. Figures are medians of several short runs, with
//! the lowest and the highest; the floor is measured before each run.
//!
//! ```text
//! cargo bench --bench relay                                all rows
//! cargo bench --bench relay -- --only relay --calls 2000   one row, with so many calls
//! cargo bench --bench relay -- --subject epoll             one subject: io_uring, epoll (both ours), rtpengine
//! cargo bench --bench relay -- --runs 9 --seconds 5
//! ```

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a load lives by the clock, and on sockets")]

mod datagram;
mod floor;
mod load;
mod machine;
mod rtpengine;
mod sound;
mod subject;
mod tandem;

use ::tandem::config::settings::Io;
use floor::Floor;
use load::{Load, Outcome, Watch};
use mimalloc::MiMalloc;
use rtpengine::Rtpengine;
use sound::Format;
use std::fmt;
use std::process::Command;
use std::time::Duration;
use subject::Subject;

/// As the gateway has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

struct Row {
    name: &'static str,
    formats: [Format; 2],
    calls: usize,
    /// Whether the first side is under SRTP.
    is_protected: bool,
    /// Of all sides, how many talk.
    talk: usize,
    /// Whether all calls are in one room.
    is_room: bool,
}

impl Row {
    const fn call(name: &'static str, formats: [Format; 2], calls: usize) -> Row {
        Row { name, formats, calls, is_protected: false, talk: usize::MAX, is_room: false }
    }
}

/// Ours by each way to its sockets, and a peer.
const SUBJECTS: [&str; 3] = ["io_uring", "epoll", "rtpengine"];

/// A call is two sides; in a room they are two members. In `listen`, three talk and the rest say nothing.
const ROWS: [Row; 7] = [
    Row::call("relay", [Format::PCMU, Format::PCMU], 500),
    Row { is_protected: true, ..Row::call("srtp", [Format::PCMU, Format::PCMU], 500) },
    Row::call("pcma", [Format::PCMU, Format::PCMA], 500),
    Row::call("g722", [Format::PCMU, Format::G722], 250),
    Row::call("opus", [Format::PCMU, Format::OPUS], 30),
    Row { is_room: true, ..Row::call("room", [Format::PCMU, Format::PCMU], 500) },
    Row { is_room: true, talk: 3, ..Row::call("listen", [Format::OPUS, Format::OPUS], 250) },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|it| it == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, default: usize| value(name).map_or(default, |it| it.parse().expect("a number"));
    let (runs, seconds) = (number("--runs", 5).max(1), number("--seconds", 2).max(1));
    let (only, wanted) = (value("--only").map(String::as_str), value("--subject").map(String::as_str));

    if arguments.iter().any(|it| it == "--single") {
        let row = ROWS.iter().find(|row| only == Some(row.name)).expect("a row");
        let subject = wanted.expect("a subject");
        return single(row, number("--calls", row.calls), subject, runs, Duration::from_secs(seconds as u64));
    }
    println!(
        "row    subject          calls  µs/packet            × floor  sleeps/packet   lost %  delay ms p50     p99  KiB/call   \
         floor µs           load late ms"
    );
    for row in ROWS.iter().filter(|row| only.is_none_or(|only| only == row.name)) {
        for subject in SUBJECTS.into_iter().filter(|subject| wanted.is_none_or(|wanted| wanted == *subject)) {
            // Each in a process of its own, so that none has the memory of another.
            let mut command = Command::new(std::env::current_exe().expect("a process knows its program"));
            let status = command.args(&arguments).args(["--single", "--only", row.name, "--subject", subject]).status();
            if !status.is_ok_and(|status| status.success()) {
                println!("{:<6} {subject:<16} could not be measured", row.name);
            }
        }
    }
    println!(
        "relay: delay through the subject; others: how far delays are apart, since a codec leaves no stamp in a packet"
    );
}

/// One line of the table.
fn single(row: &Row, calls: usize, subject: &str, runs: usize, span: Duration) {
    machine::raise_files();
    if !machine::pin(0, machine::LOAD_CORE) {
        println!("the machine has one core: the load is in the way of what is measured");
    }
    if !machine::hurry(0) {
        println!("no right to the real-time class: delays are those of other work on the machine too");
    }
    match subject {
        "rtpengine" if row.is_room => println!("{:<6} rtpengine has no rooms", row.name),
        "rtpengine" => match Rtpengine::start() {
            Some(mut subject) => measure(row, calls, &mut subject, runs, span),
            None => println!("{:<6} rtpengine is not installed, or doesn't start", row.name),
        },
        _ => {
            let io = [Io::IoUring, Io::Epoll].into_iter().find(|io| io.name() == subject).expect("a subject");
            measure(row, calls, &mut tandem::Tandem::start(io, row.is_room), runs, span);
        }
    }
}

fn measure(row: &Row, calls: usize, subject: &mut dyn Subject, runs: usize, span: Duration) {
    let floor = Floor::new(calls);
    floor.measure(Duration::from_millis(100));
    let mut watch = Watch::new();
    // What the subject has but once, it has after these; the calls of one row don't end before the bench does.
    // Whoever stays behind in a room is sent packets that nobody counts.
    let first = if row.is_room { 1 } else { calls.div_ceil(10) };
    let first = Load::new(subject, first, row).run(subject, &mut watch, Duration::from_millis(500));
    assert!(first.cpu_us > 0.0, "packets come through");
    let before = subject.resident_kib();
    let mut load = Load::new(subject, calls, row);
    load.run(subject, &mut watch, Duration::from_millis(500));
    let memory = (subject.resident_kib() - before) / calls as f64;
    let (mut floors, mut outcomes) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        floors.push(floor.measure(Duration::from_millis(300)));
        outcomes.push(load.run(subject, &mut watch, span));
    }
    let of = |figure: fn(&Outcome) -> f64| Middle::of(outcomes.iter().map(figure));
    let ratio = Middle::of(outcomes.iter().zip(&floors).map(|(outcome, floor)| outcome.cpu_us / floor));
    println!(
        "{:<6} {:<16} {calls:>5}  {:<19} {:>8.2} {:>13.3}  {:>7.3} {:>13.3} {:>7.2}  {memory:>8.1}   {:<19} {:>4.2}",
        row.name,
        subject.name(),
        of(|outcome| outcome.cpu_us).to_string(),
        ratio.middle,
        of(|outcome| outcome.sleeps).middle,
        of(|outcome| outcome.lost_percent).middle,
        of(|outcome| outcome.delay_p50).middle,
        of(|outcome| outcome.delay_p99).middle,
        Middle::of(floors.iter().copied()).to_string(),
        of(|outcome| outcome.late_p99).middle,
    );
}

/// The median of some figures, between the lowest and the highest.
struct Middle {
    lowest: f64,
    middle: f64,
    highest: f64,
}

impl Middle {
    fn of(figures: impl Iterator<Item = f64>) -> Middle {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        Middle { lowest: at(0), middle: at(figures.len() / 2), highest: at(figures.len().saturating_sub(1)) }
    }
}

impl fmt::Display for Middle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}-{:.2})", self.middle, self.lowest, self.highest)
    }
}
