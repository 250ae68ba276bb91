//! `[security]`: what strangers may try, and who gets no answer.

use crate::config::problem::Wrong;
use crate::config::section::{Keys, Section};
use std::ops::RangeInclusive;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub struct Security {
    /// Requests whose User-Agent holds one of these, in lower case, get no answer.
    pub silent_agents: Vec<String>,
    /// So many different accounts that don't exist may be asked for from one address, before it gets no answer for as
    /// long as the lockout; zero for any number.
    pub silent_after: usize,
    /// Wrong passwords that cost nothing: for one account from one address, for all accounts from one address, and for
    /// one account from all addresses. Each further one has to wait twice as long.
    pub guesses: u32,
    pub guesses_per_address: u32,
    pub guesses_per_account: u32,
    /// The longest that a guesser has to wait.
    pub lockout: Duration,
    /// A user who gave the right password so lately isn't shut out with others at the same address.
    pub trusted_for: Duration,
    /// Accounts, addresses and pairs of them that are remembered, each.
    pub guessers: usize,
}

impl Default for Security {
    fn default() -> Security {
        let scanners = ["friendly-scanner", "sipvicious", "sundayddr", "sip-scan", "pplsip", "iwar"];
        Security {
            // No telephone calls itself so.
            silent_agents: scanners.map(str::to_owned).to_vec(),
            // To be silent about what is missing is to tell what isn't, so that the operator has to ask for it.
            silent_after: 0,
            // A person who mistypes, and a phone that tries its old password for each of its transports.
            guesses: 5,
            // An office in which several phones have it wrong.
            guesses_per_address: 20,
            guesses_per_account: 50,
            // A hundred guesses a day: a password of six digits lasts for years.
            lockout: Duration::from_secs(900),
            // A phone that was away for a night is known in the morning.
            trusted_for: Duration::from_secs(86_400),
            // As many as registrations; a quarter of a KiB each.
            guessers: 100_000,
        }
    }
}

pub(super) const KEYS: Keys = Keys {
    known: &[
        "silent_agents",
        "silent_after",
        "guesses",
        "guesses_per_address",
        "guesses_per_account",
        "lockout",
        "trusted_for",
        "guessers",
    ],
    later: &["tls", "acl"],
};

pub(super) fn read(part: &Section<'_>) -> Security {
    let default = Security::default();
    let count = |key, range: RangeInclusive<u32>, default| part.integer(key, range).unwrap_or(default);
    let size = |key, least, most, default: usize| {
        part.integer(key, least..=most).map_or(default, |count: u32| usize::try_from(count).unwrap_or(default))
    };
    let span = |least, most| Duration::from_secs(least)..=Duration::from_secs(most);
    Security {
        silent_agents: part
            .list("silent_agents", pattern)
            .map_or(default.silent_agents, |agents| agents.into_iter().map(|(agent, _)| agent).collect()),
        silent_after: size("silent_after", 0, 1_000, default.silent_after),
        guesses: count("guesses", 1..=1_000, default.guesses),
        guesses_per_address: count("guesses_per_address", 1..=100_000, default.guesses_per_address),
        guesses_per_account: count("guesses_per_account", 1..=100_000, default.guesses_per_account),
        lockout: part.duration("lockout", span(1, 86_400)).unwrap_or(default.lockout),
        trusted_for: part.duration("trusted_for", span(60, 2_592_000)).unwrap_or(default.trusted_for),
        guessers: size("guessers", 100, 10_000_000, default.guessers),
    }
}

fn pattern(text: &str) -> Result<String, Wrong> {
    match text.trim().is_empty() {
        true => Err(Wrong::new("an empty pattern would silence everyone", "name a part of a scanner's User-Agent")),
        false => Ok(text.trim().to_lowercase()),
    }
}
