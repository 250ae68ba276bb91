//! What kind of world a run has.

use crate::network::{Faults, below};
use std::time::Duration;
use tandem::base::chance::Chance;

#[derive(Clone, Debug)]
pub struct Profile {
    pub faults: Faults,
    pub sound: SoundFaults,
    pub manners: Manners,
    pub worker: WorkerFaults,
    pub names: Names,
    pub store: Store,
    pub troubles: Troubles,
    /// Share of calls with the boor.
    pub rude: f64,
    /// The mean time between two calls.
    pub gap: Duration,
    /// Share of calls that an operator ends.
    pub operator: f64,
    /// Whether the run ends with a drain while calls are in progress and more come.
    pub drains: bool,
    /// Whether the first address of a trunk is nobody's.
    pub dead_server: bool,
    /// Whether the gateway plays music to whoever a phone holds.
    pub music: bool,
    /// Whether acme is reached by a connection.
    pub trunk_connects: bool,
}

/// The mean time between two troubles of a kind; zero for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Troubles {
    /// Some peers and the gateway can't reach each other, in one direction or both.
    pub partition: Duration,
    /// The time of day jumps, hours back or forth.
    pub clock_jump: Duration,
    /// A media worker gets no time to run: its ring is full, and packets are lost.
    pub hold_up: Duration,
    /// The settings, the dialplan and the accounts are loaded anew.
    pub reload: Duration,
    /// No record can be kept.
    pub full_disk: Duration,
    /// A connection is closed, and its peer makes a new one.
    pub broken: Duration,
}

/// What becomes of sound on its way, in shares of packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoundFaults {
    pub loss: f64,
    pub duplication: f64,
    /// Those that others overtake.
    pub reordering: f64,
}

/// What goes wrong in DNS.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Share of questions that have no answer.
    pub fails: f64,
    /// The longest that an answer takes.
    pub slow: Duration,
}

/// What goes wrong in the store.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    pub fails: f64,
    /// The longest that it takes.
    pub slow: Duration,
}

/// How peers behave, in shares of calls.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// The caller gives up before the answer.
    pub cancels: f64,
    /// A side holds and resumes.
    pub holds: f64,
    pub refuses: f64,
    pub never_answers: f64,
    pub early_media: f64,
    pub late_offer: f64,
    /// Nothing in common, no SDP where there should be one, an answer that is none.
    pub odd_media: f64,
    /// A side acknowledges provisional answers and has a session timer, the shortest there is.
    pub extended: f64,
    /// A re-INVITE is refused or answered late.
    pub stubborn: f64,
    /// A peer forgets a call without a word.
    pub vanishes: f64,
    /// A talk is minutes long instead of seconds.
    pub long_talk: f64,
    /// How often each peer restarts or falls silent for a while; zero for never.
    pub restarts: Duration,
    /// How often a phone does something beside its calls; zero for never.
    pub chats: Duration,
    /// A side transfers the other one.
    pub transfers: f64,
    /// A phone has pictures or text beside its sound.
    pub pictures: f64,
    /// A side offers by UPDATE and not by re-INVITE.
    pub updates: f64,
    /// A phone has Opus.
    pub opus: f64,
}

/// What goes wrong in the media worker, in shares of orders.
#[derive(Clone, Copy, Debug)]
pub struct WorkerFaults {
    pub open_fails: f64,
    /// The ring is full.
    pub refused: f64,
    /// A report never comes.
    pub forgets: f64,
}

impl Profile {
    pub fn perfect() -> Profile {
        Profile {
            faults: Faults::NONE,
            sound: SoundFaults::default(),
            manners: Manners {
                cancels: 0.2,
                holds: 0.3,
                refuses: 0.15,
                never_answers: 0.05,
                early_media: 0.1,
                late_offer: 0.1,
                odd_media: 0.05,
                extended: 0.3,
                stubborn: 0.05,
                vanishes: 0.0,
                long_talk: 0.1,
                restarts: Duration::ZERO,
                chats: Duration::ZERO,
                transfers: 0.0,
                pictures: 0.2,
                updates: 0.2,
                opus: 0.05,
            },
            worker: WorkerFaults { open_fails: 0.0, refused: 0.0, forgets: 0.0 },
            names: Names { fails: 0.0, slow: Duration::from_millis(200) },
            store: Store { fails: 0.0, slow: Duration::from_millis(100) },
            troubles: Troubles::default(),
            rude: 0.0,
            gap: Duration::from_millis(400),
            operator: 0.0,
            drains: false,
            dead_server: false,
            music: false,
            trunk_connects: false,
        }
    }

    pub fn lossy(loss: f64) -> Profile {
        let faults = Faults {
            loss,
            duplication: 0.1,
            reordering: 0.1,
            straggle: Duration::from_millis(1_500),
            jitter: Duration::from_millis(40),
            ..Faults::NONE
        };
        let worker = WorkerFaults { open_fails: 0.01, refused: 0.005, forgets: 0.002 };
        let names = Names { fails: 0.03, ..Profile::perfect().names };
        Profile { faults, worker, names, ..Profile::perfect() }
    }

    pub fn vanishing() -> Profile {
        let mut profile = Profile::lossy(0.02);
        profile.manners.vanishes = 0.15;
        profile.manners.restarts = Duration::from_secs(90);
        profile.dead_server = true;
        profile
    }

    /// More calls than the gateway takes at once.
    pub fn crowded() -> Profile {
        Profile { gap: Duration::from_millis(60), ..Profile::lossy(0.02) }
    }

    /// A world of its own: most have some faults, and some have none, where every answer must be explained.
    pub fn drawn(seed: u64) -> Profile {
        let mut chance = Chance::from_number(seed ^ 0x5eed_0fa0);
        let mut profile = Profile { gap: below(&mut chance, Duration::from_millis(800)), ..Profile::perfect() };
        profile.gap += Duration::from_millis(50);
        profile.manners.long_talk = 0.05;
        profile.music = chance.below(3) == 0;
        profile.trunk_connects = chance.below(3) == 0;
        // Opus has much to calculate.
        profile.manners.opus = if chance.below(8) == 0 { 0.1 } else { 0.0 };
        profile.rude = if chance.below(2) == 0 { 0.2 } else { 0.0 };
        if chance.below(4) == 0 {
            return profile;
        }
        let mut share = |one_in: u64, most: f64| match chance.below(one_in) {
            0 => most * chance.below(1_000) as f64 / 1_000.0,
            _ => 0.0,
        };
        profile.faults = Faults {
            loss: share(2, 0.3),
            duplication: share(2, 0.2),
            reordering: share(2, 0.2),
            straggle: Duration::from_millis(1_500),
            jitter: Duration::from_millis(40),
            ..Faults::NONE
        };
        profile.sound = SoundFaults { loss: share(3, 0.4), duplication: share(3, 0.2), reordering: share(3, 0.3) };
        profile.worker = WorkerFaults { open_fails: share(4, 0.1), refused: share(4, 0.05), forgets: share(5, 0.02) };
        profile.names.fails = share(3, 0.5);
        profile.store.fails = share(3, 0.5);
        profile.operator = share(4, 0.2);
        profile.manners.vanishes = share(4, 0.3);
        profile.manners.stubborn += share(4, 0.3);
        profile.manners.transfers = share(2, 0.4);
        let mut span = |one_in: u64, least: u64, more: u64| match chance.below(one_in) {
            0 => Duration::from_secs(least + chance.below(more)),
            _ => Duration::ZERO,
        };
        profile.names.slow += span(3, 1, 4);
        profile.store.slow += span(3, 1, 9);
        profile.manners.restarts = span(3, 60, 120);
        profile.manners.chats = span(2, 8, 30);
        profile.troubles = Troubles {
            partition: span(3, 20, 60),
            clock_jump: span(3, 10, 60),
            hold_up: span(3, 5, 40),
            reload: span(3, 5, 40),
            full_disk: span(4, 20, 60),
            broken: span(3, 5, 40),
        };
        if !profile.troubles.hold_up.is_zero() {
            // What couldn't be ordered is ordered again until the worker says that it is done.
            profile.worker.forgets = 0.0;
        }
        // With a reload the clip is read anew, when it is wanted next.
        profile.music &= profile.troubles.reload.is_zero();
        profile.faults.delay = Duration::from_millis(1 + chance.below(120));
        profile.dead_server = chance.below(4) == 0;
        profile.drains = chance.below(6) == 0;
        profile
    }

    /// Whether nothing goes wrong but what the peers do, so that every answer can be explained.
    pub fn is_calm(&self) -> bool {
        let Troubles { partition, clock_jump, hold_up, reload, full_disk, broken } = self.troubles;
        let shares = [
            self.faults.loss,
            self.faults.reordering,
            self.manners.vanishes,
            self.manners.transfers,
            self.operator,
            self.names.fails,
            self.store.fails,
            self.worker.open_fails,
            self.worker.refused,
            self.worker.forgets,
        ];
        let Manners { restarts, chats, .. } = self.manners;
        let spans = [partition, clock_jump, hold_up, reload, full_disk, broken, restarts, chats];
        shares.iter().all(|&share| share == 0.0)
            && spans.iter().all(Duration::is_zero)
            && self.names.slow < Duration::from_secs(1)
            && self.store.slow < Duration::from_secs(1)
            && self.faults.delay <= Faults::NONE.delay
            && !self.dead_server
            && !self.drains
    }

    pub fn operated() -> Profile {
        let mut profile = Profile::lossy(0.03);
        profile.troubles.reload = Duration::from_secs(20);
        profile.troubles.full_disk = Duration::from_secs(60);
        profile.operator = 0.1;
        profile.drains = true;
        profile.dead_server = true;
        profile
    }
}
