//! INVITE to BYE through the gateway, SDP on both legs, ports, dialplan and record included, over UDP on loopback; and the
//! same calls through Kamailio as a stateful proxy, which keeps no call, opens no port and writes no record.
//!
//! The server has one core to itself and the load another. Costs are CPU time of all the server's threads and processes, so
//! they hold on a machine that does other things besides; set-up times don't, which is why a bare echo of datagrams, on the
//! same two cores, stands in the first row. The last column says how late the load itself was to begin its calls: what the
//! machine keeps from it, it keeps from the server too.
//!
//! ```text
//! cargo bench --bench call_setup                       all of it, about two minutes
//! cargo bench --bench call_setup -- --only tandem      one server
//! cargo bench --bench call_setup -- --calls 1000000    also: so many calls, and the memory on the way
//! ```

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a load lives by the clock, and on sockets")]

mod floor;
mod load;
mod server;
mod sip;
mod times;

use load::{Load, Outcome};
use server::Server;
use std::time::Duration;

/// Calls a second at which costs are compared.
const RATE: f64 = 1_000.0;
const HOLD: Duration = Duration::from_millis(500);
/// Calls that are up together while their memory is measured.
const UP: usize = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|it| it == name).and_then(|at| arguments.get(at + 1));
    let seconds: f64 = value("--seconds").map_or(8.0, |it| it.parse().expect("--seconds takes a number"));
    let only = value("--only").map(String::as_str);
    let many: Option<usize> = value("--calls").map(|it| it.parse().expect("--calls takes a number"));

    println!("server      calls/s  failed  again  ms CPU/call  set-up p50 ms  p99 ms  load late p99 ms");
    let times = floor::echo(RATE, seconds);
    println!(
        "{:<10} {RATE:>8.0} {:>7} {:>6} {:>12} {:>14.2} {:>7.2}",
        "bare echo",
        "",
        "",
        "",
        times.at(0.5),
        times.at(0.99)
    );
    for start in [Server::tandem as fn() -> Option<Server>, Server::kamailio] {
        let Some(server) = start() else { continue };
        if only.is_none_or(|only| only == server.name) {
            measure(&server, seconds);
            if server.name == "tandem" {
                memory(&server);
                if let Some(calls) = many {
                    endure(&server, calls);
                }
            }
        }
    }
}

/// The cost at one rate, the highest rate that holds, and the set-up times at half of that.
fn measure(server: &Server, seconds: f64) {
    run(server, RATE / 2.0, 2.0);
    show(server, RATE / 2.0, seconds);
    let mut costs: Vec<f64> = (0..3).filter_map(|_| show(server, RATE, seconds)).collect();
    costs.sort_by(f64::total_cmp);
    let mut best = 0.0;
    let mut rate = RATE;
    let mut step = RATE;
    while step >= RATE / 8.0 {
        let outcome = run(server, rate + step, seconds);
        print(server, rate + step, &outcome);
        if outcome.holds() {
            rate += step;
            best = rate;
        } else {
            step /= 2.0;
        }
    }
    show(server, (best / 2.0_f64).max(RATE / 2.0), seconds);
    if let Some(cost) = costs.get(costs.len() / 2) {
        println!(
            "{}: {cost:.3} ms of CPU a call at {RATE:.0} calls/s, up to {best:.0} calls/s on one core",
            server.name
        );
    }
}

fn show(server: &Server, rate: f64, seconds: f64) -> Option<f64> {
    let outcome = run(server, rate, seconds);
    print(server, rate, &outcome);
    outcome.holds().then_some(outcome.cpu_ms_per_call)
}

fn run(server: &Server, rate: f64, seconds: f64) -> Outcome {
    Load { rate, calls: (rate * seconds) as usize, hold: HOLD }.run(server)
}

fn print(server: &Server, rate: f64, outcome: &Outcome) {
    println!(
        "{:<10} {rate:>8.0} {:>7} {:>6} {:>12.3} {:>14.2} {:>7.2} {:>17.2}",
        server.name,
        outcome.failed,
        outcome.retransmissions,
        outcome.cpu_ms_per_call,
        outcome.setup_ms.at(0.5),
        outcome.setup_ms.at(0.99),
        outcome.late_ms.at(0.99),
    );
}

/// What a call in progress takes.
fn memory(server: &Server) {
    let before = server.resident_kib();
    let hold = Duration::from_secs(10);
    let mut up = 0.0;
    let load = Load { rate: RATE / 2.0, calls: UP, hold };
    load.run_with(server, |established| {
        if established == UP {
            up = server.resident_kib();
        }
    });
    println!(
        "{}: {:.1} KiB for each of {UP} calls in progress, beside what the kernel holds of its sockets",
        server.name,
        (up - before) / UP as f64
    );
}

/// Whether memory stays flat.
fn endure(server: &Server, calls: usize) {
    let slice = calls.div_ceil(10);
    for done in 1..=10 {
        let outcome = Load { rate: RATE, calls: slice, hold: HOLD }.run(server);
        println!(
            "{}: {} calls, {} failed, {:.0} KiB resident",
            server.name,
            done * slice,
            outcome.failed,
            server.resident_kib()
        );
    }
}
