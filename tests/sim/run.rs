//! A run from its first call to the moment when nothing is left, and what is printed of it.

use crate::profile::Profile;
use crate::verdict;
use crate::world::World;
use std::fmt::Write;
use std::time::{Duration, Instant};
use tandem::call::io::Input;

/// Longer than any call, with all that its peers have in mind.
const LONGEST: Duration = Duration::from_secs(900);
/// Longer than any transaction (64*T1), any registration and the pauses between OPTIONS.
const REST: Duration = Duration::from_secs(1_000);

/// Runs some seeds, and panics at the first that shows a fault.
#[expect(clippy::disallowed_methods, reason = "the clock on the wall only measures how fast the simulator is")]
pub fn run(name: &str, profile: fn() -> Profile, calls: usize, seeds: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let calls = number("TANDEM_SIM_CALLS").map_or(calls, |calls| calls as usize);
    let seeds = match number("TANDEM_SIM_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("TANDEM_SIM_SEEDS").unwrap_or(seeds),
    };
    for seed in seeds {
        let begin = Instant::now();
        let world = simulate(profile(), seed, calls, None);
        let took = begin.elapsed();
        println!(
            "{name}: seed {seed}: {calls} calls ({} answered, {} records, {} inspected), {} datagrams, {} s of virtual time in {:.2} s: {:.0} calls a second",
            world.ledger.stories.iter().filter(|story| story.is_answered()).count(),
            world.books.len(),
            world.inspected,
            world.datagrams,
            world.time.millis() / 1_000,
            took.as_secs_f64(),
            calls as f64 / took.as_secs_f64().max(0.001),
        );
        println!("  {}", verdict::variety(&world));
        if !world.ledger.violations.is_empty() {
            panic!("{}", account(name, profile, seed, calls, &world));
        }
    }
}

pub fn simulate(profile: Profile, seed: u64, calls: usize, trace: Option<usize>) -> World {
    let mut world = World::new(profile, seed, calls, trace);
    let drains = world.profile.drains;
    while !world.all_placed() {
        let end = world.time + REST;
        world.step(end);
        if drains && !world.is_draining && world.ledger.stories.len() * 10 >= calls * 9 {
            world.drain();
        }
    }
    let end = world.time + if drains { Duration::from_secs(10) } else { LONGEST };
    while !world.is_at_peace() && world.step(end) {}
    if drains {
        world.give(Input::EndAll);
        let end = world.time + LONGEST;
        while !world.is_at_peace() && world.step(end) {}
    }
    verdict::unfinished(&mut world);
    world.phones_leave();
    let end = world.time + REST;
    while !(world.is_at_rest() && world.switch.counts().registrations == 0) && world.step(end) {}
    verdict::judge(&mut world);
    world
}

/// What went wrong, how to see it again, and the ladder of the first call that it concerns.
fn account(name: &str, profile: fn() -> Profile, seed: u64, calls: usize, world: &World) -> String {
    let violations = &world.ledger.violations;
    let mut text = format!("{name}: seed {seed}: {} violations\n", violations.len());
    for violation in violations.iter().take(12) {
        let call = violation.call.map(|call| format!("call {call}: ")).unwrap_or_default();
        let _ = writeln!(text, "  {:?} {call}{}", violation.at, violation.what);
    }
    let _ = writeln!(
        text,
        "replay: TANDEM_SIM_SEED={seed} TANDEM_SIM_CALLS={calls} cargo test --release --test sim {name} -- --nocapture"
    );
    if let Some(call) = violations.iter().find_map(|violation| violation.call) {
        let again = simulate(profile(), seed, calls, Some(call));
        let ladder = again.trace.map(|trace| trace.text()).unwrap_or_default();
        let _ = writeln!(text, "call {call}:\n{ladder}");
        let story = &world.ledger.stories[call];
        let _ = writeln!(text, "{}", crate::verdict::sketch(story, &world.books));
    }
    text
}
