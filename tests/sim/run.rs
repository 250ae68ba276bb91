//! A run from its first call to the moment when nothing is left, many runs one after the other, and what is printed of them.

use crate::profile::Profile;
use crate::verdict;
use crate::world::World;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tandem::call::io::Input;

/// Longer than any call, with all that its peers have in mind.
const LONGEST: Duration = Duration::from_secs(900);
/// Longer than any transaction (64*T1), any registration and the pauses between OPTIONS.
const REST: Duration = Duration::from_secs(1_000);
/// How long what goes on may be unknown to those who watch.
const NEWS: Duration = Duration::from_secs(40);
/// How often a sweep says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs some seeds, and panics at the first that shows a fault.
#[expect(clippy::disallowed_methods, reason = "the clock on the wall only measures how fast the simulator is")]
pub fn run(name: &str, profile: fn() -> Profile, calls: usize, seeds: u64) {
    let calls = number("TANDEM_SIM_CALLS").map_or(calls, |calls| calls as usize);
    let seeds = match number("TANDEM_SIM_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("TANDEM_SIM_SEEDS").unwrap_or(seeds),
    };
    for seed in seeds {
        let begin = Instant::now();
        let world = simulate(profile(), seed, calls, None);
        tell(name, seed, calls, &world, begin.elapsed());
        if !world.ledger.violations.is_empty() {
            panic!("{}", account(name, profile(), seed, calls, &world));
        }
    }
}

fn tell(name: &str, seed: u64, calls: usize, world: &World, took: Duration) {
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
    println!("  {}", verdict::variety(world));
}

/// Worlds drawn from seeds, on all cores: the first `seeds` of them from `first` on, or as many as `time` allows. Prints
/// how far it is, and what is wrong with any of them as soon as that is known; panics at the end if anything was.
pub struct Sweep {
    /// What replays a seed.
    pub name: &'static str,
    pub first: u64,
    pub seeds: u64,
    pub calls: usize,
    pub time: Option<Duration>,
}

#[derive(Default)]
struct Tally {
    begun: u64,
    done: u64,
    calls: usize,
    inspected: u64,
    told: Duration,
    failing: Vec<u64>,
}

impl Sweep {
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock on the wall says when to stop, and how fast the simulator is"
    )]
    pub fn run(&self) {
        let begin = Instant::now();
        let tally = Mutex::new(Tally::default());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(seed) = self.next(&tally, begin.elapsed()) {
                        let (inspected, complaint) = self.one(seed);
                        self.note(&tally, seed, inspected, complaint, begin.elapsed());
                    }
                });
            }
        });
        let tally = tally.into_inner().expect("no thread panicked");
        self.progress(&tally, begin.elapsed());
        let replays: Vec<String> = tally.failing.iter().map(|&seed| replay(self.name, seed, self.calls)).collect();
        assert!(replays.is_empty(), "{} failing seeds:\n{}", replays.len(), replays.join("\n"));
    }

    fn next(&self, tally: &Mutex<Tally>, elapsed: Duration) -> Option<u64> {
        let mut tally = tally.lock().expect("no thread panicked");
        let goes_on = tally.begun < self.seeds && self.time.is_none_or(|time| elapsed < time);
        goes_on.then(|| {
            tally.begun += 1;
            self.first + tally.begun - 1
        })
    }

    /// How many talks were looked at, and what is wrong.
    fn one(&self, seed: u64) -> (u64, Option<String>) {
        let world = catch_unwind(AssertUnwindSafe(|| simulate(Profile::drawn(seed), seed, self.calls, None)));
        match world {
            Ok(world) if world.ledger.violations.is_empty() => (world.inspected, None),
            Ok(world) => {
                let text = account(self.name, Profile::drawn(seed), seed, self.calls, &world);
                (world.inspected, Some(text))
            }
            Err(_) => (0, Some(format!("seed {seed} panics\n{}", replay(self.name, seed, self.calls)))),
        }
    }

    fn note(&self, tally: &Mutex<Tally>, seed: u64, inspected: u64, complaint: Option<String>, elapsed: Duration) {
        let mut tally = tally.lock().expect("no thread panicked");
        tally.done += 1;
        tally.calls += self.calls;
        tally.inspected += inspected;
        if let Some(complaint) = complaint {
            println!("{complaint}");
            tally.failing.push(seed);
        }
        if elapsed - tally.told >= PROGRESS {
            tally.told = elapsed;
            self.progress(&tally, elapsed);
        }
    }

    fn progress(&self, tally: &Tally, elapsed: Duration) {
        println!(
            "{}: {} seeds from {} on, {} calls, {} talks listened to in {:.0} s: {:.0} calls a second; failing seeds: {:?}",
            self.name,
            tally.done,
            self.first,
            tally.calls,
            tally.inspected,
            elapsed.as_secs_f64(),
            tally.calls as f64 / elapsed.as_secs_f64().max(0.001),
            tally.failing,
        );
    }
}

fn replay(name: &str, seed: u64, calls: usize) -> String {
    format!("TANDEM_SIM_SEED={seed} TANDEM_SIM_CALLS={calls} cargo test --release --test sim {name} -- --nocapture")
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
    let end = world.time + NEWS;
    while world.step(end) {}
    verdict::lamps(&mut world, NEWS);
    world.phones_leave();
    let end = world.time + REST;
    while !(world.is_at_rest() && world.switch.counts().registrations == 0) && world.step(end) {}
    verdict::judge(&mut world);
    world
}

/// What went wrong, how to see it again, and the ladder of the first call that it concerns.
fn account(name: &str, profile: Profile, seed: u64, calls: usize, world: &World) -> String {
    let violations = &world.ledger.violations;
    let mut text = format!("{name}: seed {seed}: {} violations\n", violations.len());
    for violation in violations.iter().take(12) {
        let call = violation.call.map(|call| format!("call {call}: ")).unwrap_or_default();
        let _ = writeln!(text, "  {:?} {call}{}", violation.at, violation.what);
    }
    let _ = writeln!(text, "replay: {}", replay(name, seed, calls));
    let _ = writeln!(text, "{profile:?}");
    // Another one may be of interest.
    let chosen = number("TANDEM_SIM_CALL").map(|call| call as usize).filter(|&call| call < calls);
    if let Some(call) = chosen.or_else(|| violations.iter().find_map(|violation| violation.call)) {
        let again = simulate(profile, seed, calls, Some(call));
        let ladder = again.trace.map(|trace| trace.text()).unwrap_or_default();
        let _ = writeln!(text, "call {call}:\n{ladder}");
        let story = &world.ledger.stories[call];
        let _ = writeln!(text, "{}", crate::verdict::sketch(story, &world.books));
    }
    text
}
