//! The simulator: the gateway's switch, as it runs in production, in one thread, under a virtual clock, among phones and
//! providers with moods of their own, over a network that loses, doubles, delays and reorders. One number replays a run.
//!
//! ```text
//!   run ──▶ world ──▶ Switch::handle        peers: an agent each, with a script for every call
//!             │          │ outputs           worker: the media engine, with ports and sockets of its own
//!             ▼          ▼                   books: the records, as the journal would have them
//!           network ──▶ peers                ledger: what each side of each call saw
//!                                            verdict: what must be true of all of it
//! ```
//!
//! `TANDEM_SIM_SEED` replays one seed and `TANDEM_SIM_CALLS` says how many calls a seed has; `TANDEM_SIM_SEEDS` runs so
//! many seeds of each test instead of the usual few. A violation prints what to run, and the ladder of its call, or of the
//! one that `TANDEM_SIM_CALL` names.

mod books;
mod boor;
mod extra;
mod inspect;
mod lamps;
mod ledger;
#[path = "../flows/lineage.rs"]
mod lineage;
#[path = "../flows/mailbox.rs"]
mod mailbox;
mod network;
mod office;
mod peer;
mod profile;
mod provider;
mod reference;
mod run;
mod script;
mod sound;
mod trace;
mod trouble;
mod verdict;
mod voice;
mod worker;
mod world;

use profile::Profile;
use run::{Sweep, number, run};
use std::time::Duration;

/// As the gateway has it; the system's takes a tenth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls of each world that is drawn from a seed.
const CALLS: u64 = 100;

/// Nothing goes wrong on the way: what the peers do is all that happens.
#[test]
fn calls_on_a_perfect_network() {
    run("calls_on_a_perfect_network", Profile::perfect, 1_000, 1);
}

#[test]
fn calls_under_loss_duplication_and_reordering() {
    run("calls_under_loss_duplication_and_reordering", || Profile::lossy(0.1), 1_000, 2);
}

#[test]
fn calls_on_a_network_that_loses_a_third() {
    run("calls_on_a_network_that_loses_a_third", || Profile::lossy(0.3), 1_000, 1);
}

/// Phones that are unplugged and providers that restart or fall silent.
#[test]
fn calls_with_peers_that_vanish() {
    run("calls_with_peers_that_vanish", Profile::vanishing, 1_000, 1);
}

/// Reloads all along, a full disk now and then, operators who hang up, and a drain at the end.
#[test]
fn calls_through_reloads_and_a_drain() {
    run("calls_through_reloads_and_a_drain", Profile::operated, 1_000, 1);
}

#[test]
fn more_calls_than_the_gateway_takes() {
    run("more_calls_than_the_gateway_takes", Profile::crowded, 1_000, 1);
}

/// Worlds of all kinds, with faults of all kinds, or one of them by `TANDEM_SIM_SEED`.
#[test]
fn two_hundred_worlds() {
    sweep("two_hundred_worlds", 1, 200, None).run();
}

/// New worlds for as long as `TANDEM_SIM_SOAK` says, in seconds, from a seed that nobody has tried before.
#[test]
#[ignore = "it runs for as long as one likes: `make soak SOAK_TIME=3600`"]
#[expect(clippy::disallowed_methods, reason = "the time of day is where the seeds begin")]
fn soak() {
    let time = Duration::from_secs(number("TANDEM_SIM_SOAK").unwrap_or(60));
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    sweep("two_hundred_worlds", today.as_secs() << 20, u64::MAX, Some(time)).run();
}

fn sweep(name: &'static str, first: u64, seeds: u64, time: Option<Duration>) -> Sweep {
    let calls = number("TANDEM_SIM_CALLS").unwrap_or(CALLS) as usize;
    match number("TANDEM_SIM_SEED") {
        Some(seed) => Sweep { name, first: seed, seeds: number("TANDEM_SIM_SEEDS").unwrap_or(1), calls, time: None },
        None => Sweep { name, first, seeds: number("TANDEM_SIM_SEEDS").unwrap_or(seeds), calls, time },
    }
}

#[test]
fn a_run_is_replayed_from_its_seed() {
    let once = || run::simulate(Profile::vanishing(), 7, 100, None).fingerprint();
    assert_eq!(once(), once(), "two runs of one seed differ");
}
