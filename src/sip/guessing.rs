//! Guessing of passwords: slowed, and then shut out. Pure; whoever judges credentials asks here first and tells the
//! outcome.
//!
//! Wrong answers are counted three times: for the account at the source, for the source over all accounts, and for the
//! account over all sources. After a few, each further one has to wait twice as long, up to the lockout; what comes
//! meanwhile isn't judged at all, and is answered as a wrong one.
//!
//! Real users aren't shut out with a guesser. Who proved an account from a source lately is not held to the counts of
//! the source and of the account; and who answers with a mark that a right answer came with before, its nonce or its
//! Call-ID, is judged even where the same account is being guessed from the same address, as by a phone with an old password
//! beside a good one.

use crate::base::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Bytes of an account's name that are told apart.
const NAME: usize = 64;
/// Marks that vouch for phones at one source; more phones of one account there take each other's place.
const MARKS: usize = 8;
/// What the first wait is.
const FIRST_WAIT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GuessLimits {
    /// Wrong answers that cost nothing: for one account from one source, from one source, for one account.
    pub free: u32,
    pub free_per_source: u32,
    pub free_per_account: u32,
    /// The longest wait. Counts are forgotten twice this time after the last wrong answer.
    pub lockout: Duration,
    /// How long a right answer tells that the user is real.
    pub trusted_for: Duration,
    /// Missing accounts that a source may ask for before it is taken for a scanner; zero for any number.
    pub missing: usize,
    /// Entries of each table; the one that would be forgotten first gives way.
    pub memory: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// To be judged.
    Open,
    /// Not to be judged yet, and answered as if it were wrong.
    Waiting,
}

pub struct Guessing {
    limits: GuessLimits,
    pairs: Table<(IpAddr, Box<str>)>,
    sources: Table<IpAddr>,
    accounts: Table<Box<str>>,
}

impl Guessing {
    pub fn new(limits: GuessLimits) -> Guessing {
        Guessing { limits, pairs: Table::default(), sources: Table::default(), accounts: Table::default() }
    }

    pub fn set_limits(&mut self, limits: GuessLimits) {
        self.limits = limits;
    }

    /// Whether an answer for `account` from `source`, with these `marks`, is to be judged.
    pub fn standing(&mut self, now: Time, source: IpAddr, account: &str, marks: &[&str]) -> Standing {
        self.forget(now);
        let (source, account) = (network(source), cut(account));
        let pair = self.pairs.get(&(source, account.clone()));
        let is_trusted = pair.is_some_and(|pair| pair.trusted_until > now);
        if pair.is_some_and(|pair| marks.iter().any(|mark| pair.marks.contains(&digest(mark)))) {
            return Standing::Open;
        }
        let others = [self.sources.get(&source), self.accounts.get(&account)];
        let others = others.into_iter().filter(|_| !is_trusted);
        let waits = others.chain([pair]).flatten().any(|record| record.shut_until > now);
        if waits { Standing::Waiting } else { Standing::Open }
    }

    /// The secret was right, with these `marks`: a real user.
    pub fn proved(&mut self, now: Time, source: IpAddr, account: &str, marks: &[&str]) {
        let limits = self.limits;
        let pair = self.pairs.touch((network(source), cut(account)), now + limits.trusted_for, limits.memory);
        if pair.trusted_until <= now {
            // Someone mistyped at first. Where the user was known before, the wrong answers were another's.
            (pair.wrong, pair.shut_until) = (0, Time::default());
        }
        pair.trusted_until = now + limits.trusted_for;
        marks.iter().for_each(|mark| pair.vouch(mark));
    }

    /// The secret was right, but its nonce too old: the next one that the user is given vouches for it.
    pub fn vouch(&mut self, now: Time, source: IpAddr, account: &str, nonce: &str) {
        let limits = self.limits;
        let pair = self.pairs.touch((network(source), cut(account)), now + limits.lockout, limits.memory);
        pair.vouch(nonce);
    }

    /// A wrong answer. True where it is the one that shuts the source or the account out for the first time.
    pub fn wrong(&mut self, now: Time, source: IpAddr, account: &str, marks: &[&str]) -> bool {
        let (limits, source, account) = (self.limits, network(source), cut(account));
        let keep = now + limits.lockout * 2;
        let pair = self.pairs.touch((source, account.clone()), keep, limits.memory);
        pair.marks.retain(|known| !marks.iter().any(|mark| *known == digest(mark)));
        let mut first = pair.strike(now, limits.free, limits.lockout);
        // One phone with an old password isn't a guesser of many accounts, however often it tries.
        if pair.wrong <= limits.free {
            let source = self.sources.touch(source, keep, limits.memory);
            first |= source.strike(now, limits.free_per_source, limits.lockout);
            let account = self.accounts.touch(account, keep, limits.memory);
            first |= account.strike(now, limits.free_per_account, limits.lockout);
        }
        first
    }

    /// A request that is for an account which isn't there.
    pub fn missed(&mut self, now: Time, source: IpAddr, account: &str) {
        let limits = self.limits;
        if limits.missing == 0 {
            return;
        }
        let record = self.sources.touch(network(source), now + limits.lockout, limits.memory);
        let account = cut(account);
        if record.missing.len() < limits.missing && !record.missing.contains(&account) {
            record.missing.push(account);
        }
        if record.missing.len() >= limits.missing {
            record.silent_until = now + limits.lockout;
        }
    }

    /// Whether a source is taken for a scanner, and `account` isn't that of a real user there.
    pub fn is_scanner(&mut self, now: Time, source: IpAddr, account: &str) -> bool {
        self.forget(now);
        let source = network(source);
        let is_silent = self.sources.get(&source).is_some_and(|record| record.silent_until > now);
        is_silent && self.pairs.get(&(source, cut(account))).is_none_or(|pair| pair.trusted_until <= now)
    }

    /// Entries of all tables.
    pub fn len(&self) -> usize {
        self.pairs.records.len() + self.sources.records.len() + self.accounts.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn forget(&mut self, now: Time) {
        self.pairs.forget(now);
        self.sources.forget(now);
        self.accounts.forget(now);
    }
}

#[derive(Default)]
struct Record {
    wrong: u32,
    shut_until: Time,
    silent_until: Time,
    trusted_until: Time,
    /// Digests, the oldest first.
    marks: Vec<u64>,
    missing: Vec<Box<str>>,
    forget_at: Time,
}

impl Record {
    /// True at the first one that has to wait.
    fn strike(&mut self, now: Time, free: u32, lockout: Duration) -> bool {
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong < free {
            return false;
        }
        let doublings = (self.wrong - free).min(20);
        self.shut_until = now + FIRST_WAIT.saturating_mul(1 << doublings).min(lockout);
        self.wrong == free
    }

    fn vouch(&mut self, mark: &str) {
        let mark = digest(mark);
        self.marks.retain(|known| *known != mark);
        if self.marks.len() >= MARKS {
            self.marks.remove(0);
        }
        self.marks.push(mark);
    }
}

struct Table<K> {
    records: BTreeMap<K, Record>,
    /// What is forgotten when.
    queue: BTreeSet<(Time, K)>,
}

impl<K> Default for Table<K> {
    fn default() -> Table<K> {
        Table { records: BTreeMap::new(), queue: BTreeSet::new() }
    }
}

impl<K: Clone + Ord> Table<K> {
    fn get(&self, key: &K) -> Option<&Record> {
        self.records.get(key)
    }

    /// The record of `key`, kept until `until` at least.
    fn touch(&mut self, key: K, until: Time, limit: usize) -> &mut Record {
        if !self.records.contains_key(&key)
            && self.records.len() >= limit.max(1)
            && let Some((_, oldest)) = self.queue.pop_first()
        {
            self.records.remove(&oldest);
        }
        let record = self.records.entry(key.clone()).or_default();
        if record.forget_at < until {
            self.queue.remove(&(record.forget_at, key.clone()));
            self.queue.insert((until, key));
            record.forget_at = until;
        }
        record
    }

    fn forget(&mut self, now: Time) {
        while self.queue.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, key)) = self.queue.pop_first()
        {
            self.records.remove(&key);
        }
    }
}

/// Whoever has one IPv6 address has all of its /64.
/// All addresses that one host can have: in IPv6 it is given a whole network.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        four => four,
    }
}

/// A mark counts once a right answer came with it, so that nobody gains by one that has the digest of another's.
fn digest(mark: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    mark.hash(&mut hasher);
    hasher.finish()
}

fn cut(account: &str) -> Box<str> {
    account.get(..account.floor_char_boundary(NAME)).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GuessLimits = GuessLimits {
        free: 3,
        free_per_source: 8,
        free_per_account: 8,
        lockout: Duration::from_secs(600),
        trusted_for: Duration::from_secs(3_600),
        missing: 4,
        memory: 100,
    };

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn office() -> IpAddr {
        "203.0.113.7".parse().unwrap()
    }

    fn is_open(guessing: &mut Guessing, now: Time, account: &str, nonce: &str) -> bool {
        guessing.standing(now, office(), account, &[nonce]) == Standing::Open
    }

    #[test]
    fn each_wrong_answer_waits_twice_as_long_up_to_the_lockout() {
        let mut guessing = Guessing::new(LIMITS);
        assert!(!guessing.wrong(at(1), office(), "alice", &["n"]));
        assert!(!guessing.wrong(at(1), office(), "alice", &["n"]));
        assert!(is_open(&mut guessing, at(1), "alice", "n"));
        let mut now = 1;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600] {
            assert_eq!(guessing.wrong(at(now), office(), "alice", &["n"]), wait == 1);
            assert!(!is_open(&mut guessing, at(now + wait - 1), "alice", "n"), "{wait}");
            assert!(is_open(&mut guessing, at(now + wait), "alice", "n"), "{wait}");
            now += wait;
        }
        assert!(is_open(&mut guessing, at(now), "bob", "n"), "another account of the same office");
        assert!(is_open(&mut guessing, at(now + 3_000), "alice", "n"));
        assert!(guessing.is_empty(), "forgotten");
    }

    #[test]
    fn an_office_works_on_while_one_of_its_phones_guesses() {
        let mut guessing = Guessing::new(LIMITS);
        guessing.proved(at(0), office(), "bob", &["bobs"]);
        guessing.proved(at(0), office(), "alice", &["good"]);
        for second in 1..2_000 {
            if is_open(&mut guessing, at(second), "alice", "old password") {
                guessing.wrong(at(second), office(), "alice", &["old password"]);
            }
        }
        assert!(is_open(&mut guessing, at(2_000), "bob", "a fresh one"), "a user who was there before");
        assert!(is_open(&mut guessing, at(2_000), "dora", "a fresh one"), "a user who is new there");
        assert!(is_open(&mut guessing, at(2_000), "alice", "good"), "the good phone of the same account");
        assert!(!is_open(&mut guessing, at(1_999), "alice", "old password"));
    }

    #[test]
    fn a_source_that_tries_many_accounts_is_shut_out_but_for_its_real_users() {
        let mut guessing = Guessing::new(LIMITS);
        guessing.proved(at(0), office(), "bob", &["bobs"]);
        for account in 0..30 {
            guessing.wrong(at(1), office(), &format!("user{account}"), &["n"]);
        }
        assert!(!is_open(&mut guessing, at(500), "carol", "n"));
        assert!(is_open(&mut guessing, at(500), "bob", "n"));
        assert!(is_open(&mut guessing, at(700), "carol", "n"));
    }

    #[test]
    fn an_account_that_many_sources_guess_stays_open_where_its_user_is() {
        let mut guessing = Guessing::new(LIMITS);
        guessing.proved(at(0), office(), "alice", &["n"]);
        for host in 0..30u8 {
            guessing.wrong(at(1), IpAddr::from([198, 51, 100, host]), "alice", &["n"]);
        }
        assert_eq!(guessing.standing(at(2), IpAddr::from([192, 0, 2, 1]), "alice", &["n"]), Standing::Waiting);
        assert!(is_open(&mut guessing, at(2), "alice", "a fresh one"));
    }

    #[test]
    fn a_nonce_that_was_wrong_once_vouches_for_nobody() {
        let mut guessing = Guessing::new(LIMITS);
        guessing.proved(at(0), office(), "alice", &["seen on the way"]);
        for _ in 0..6 {
            guessing.wrong(at(1), office(), "alice", &["seen on the way"]);
        }
        assert!(!is_open(&mut guessing, at(2), "alice", "seen on the way"));
    }

    /// A phone that begins each refresh without credentials answers another nonce each time, and keeps its Call-ID.
    #[test]
    fn a_registration_is_known_by_its_call_id() {
        let mut guessing = Guessing::new(LIMITS);
        guessing.proved(at(0), office(), "alice", &["first", "good phone"]);
        for nonce in ["a", "b", "c", "d", "e", "f"] {
            guessing.wrong(at(1), office(), "alice", &[nonce, "bad phone"]);
        }
        assert_eq!(guessing.standing(at(2), office(), "alice", &["second", "good phone"]), Standing::Open);
        assert_eq!(guessing.standing(at(2), office(), "alice", &["third", "bad phone"]), Standing::Waiting);
        guessing.wrong(at(2), office(), "alice", &["second", "good phone"]);
        assert_eq!(guessing.standing(at(2), office(), "alice", &["fourth", "good phone"]), Standing::Waiting);
    }

    #[test]
    fn who_asks_for_missing_accounts_is_a_scanner() {
        let mut guessing = Guessing::new(LIMITS);
        guessing.proved(at(0), office(), "bob", &["n"]);
        for _ in 0..10 {
            guessing.missed(at(1), office(), "allice");
        }
        assert!(!guessing.is_scanner(at(1), office(), "carol"), "one name that is mistyped");
        for name in ["100", "101", "102"] {
            guessing.missed(at(1), office(), name);
        }
        assert!(guessing.is_scanner(at(2), office(), "103"));
        assert!(!guessing.is_scanner(at(2), office(), "bob"));
        assert!(!guessing.is_scanner(at(700), office(), "103"));
    }

    #[test]
    fn memory_is_bounded_and_all_addresses_of_a_host_are_one() {
        let mut guessing = Guessing::new(GuessLimits { memory: 10, ..LIMITS });
        for number in 0..1_000u32 {
            guessing.wrong(
                at(1),
                IpAddr::from([10, 0, (number >> 8) as u8, number as u8]),
                &format!("{number}"),
                &["n"],
            );
            guessing.missed(at(1), office(), &number.to_string().repeat(100));
        }
        assert!(guessing.len() <= 30);
        for number in 0..5u16 {
            guessing.wrong(at(2), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, number, 1, 2, 3).into(), "alice", &["n"]);
        }
        let other = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 9, 9, 9, 9).into();
        assert_eq!(guessing.standing(at(2), other, "alice", &["n"]), Standing::Waiting);
    }
}
