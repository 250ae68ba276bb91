//! Where one host is, as far as it is known: looked for again when the answer grows old, and used for a while longer when
//! nobody can say.

use crate::base::chance::Chance;
use crate::base::time::Time;
use crate::call::io::Ticket;
use crate::sip::flow::Flow;
use crate::sip::locate::{Located, Target};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// An answer is asked for again when its time is up, and not more often than this, whatever DNS says.
const SOONEST: Duration = Duration::from_secs(5);
/// The shell keeps an answer for as long as DNS lets it; asking it again sees a change of our own routes.
const LATEST: Duration = Duration::from_secs(60);
/// How soon it is tried again after it failed.
const RETRY: Duration = Duration::from_secs(10);
/// For how long the last good answer is used while DNS fails, and for how long an address that a host had is still taken
/// for its own: some zones answer with a few of many addresses at a time.
const STALE: Duration = Duration::from_secs(3_600);
/// Addresses that are remembered of one host.
const REMEMBERED: usize = 256;

#[derive(Clone)]
pub struct Place {
    target: Target,
    located: Option<Located<Flow>>,
    stale_at: Time,
    ask_at: Time,
    asking: Option<Ticket>,
    /// Why the last search found nothing.
    lost: Option<String>,
    /// Addresses that it has or had, and until when they count.
    seen: HashMap<IpAddr, Time>,
}

impl Place {
    pub fn new(target: Target, now: Time) -> Place {
        Place { target, located: None, stale_at: now, ask_at: now, asking: None, lost: None, seen: HashMap::new() }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn is_known(&self) -> bool {
        self.located.is_some()
    }

    /// Why the last search found nothing; what was found before may still be in use.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// All ways to it, in no order that matters.
    pub fn ways(&self) -> impl Iterator<Item = Flow> {
        self.located.iter().flat_map(Located::ways)
    }

    /// The hosts at which it is, or was until lately.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        self.seen.keys().copied().chain(self.ways().map(|way| way.remote.ip()))
    }

    /// The rank of a way among the others; none if it is no way of this host any more.
    pub fn rank(&self, way: Flow) -> Option<u32> {
        let mut servers = self.located.as_ref()?.servers.iter();
        servers.find(|server| server.ways.contains(&way)).map(|server| server.rank)
    }

    /// The order in which one request tries its ways.
    pub fn order(&self, chance: &mut Chance) -> Vec<Flow> {
        self.located.as_ref().map(|located| located.order(chance)).unwrap_or_default()
    }

    /// Whether it is at this address, or was until lately.
    pub fn was_at(&self, address: IpAddr, now: Time) -> bool {
        self.seen.get(&address.to_canonical()).is_some_and(|&until| until > now)
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        let stale = self.located.is_some().then_some(self.stale_at);
        [self.asking.is_none().then_some(self.ask_at), stale].into_iter().flatten().min()
    }

    /// True where it is time to look for it; the owner then asks with `ticket`.
    pub fn handle_timeout(&mut self, now: Time, ticket: Ticket) -> bool {
        if self.stale_at <= now {
            self.located = None;
        }
        let due = self.asking.is_none() && self.ask_at <= now;
        if due {
            self.asking = Some(ticket);
        }
        due
    }

    pub fn is_asking(&self, ticket: Ticket) -> bool {
        self.asking == Some(ticket)
    }

    /// Takes what came of a search.
    pub fn found(&mut self, now: Time, result: &Result<Located<Flow>, String>) {
        self.asking = None;
        match result {
            Ok(located) if !located.servers.is_empty() => {
                self.lost = None;
                self.ask_at = now + located.ttl.clamp(SOONEST, LATEST);
                self.stale_at = now + located.ttl.max(SOONEST) + STALE;
                for way in located.ways() {
                    self.seen.insert(way.remote.ip().to_canonical(), self.stale_at);
                }
                self.forget(now);
                self.located = Some(located.clone());
            }
            Ok(_) => self.not_found(now, "the name has no address"),
            Err(why) => self.not_found(now, why),
        }
    }

    fn not_found(&mut self, now: Time, why: &str) {
        self.lost = Some(why.to_owned());
        self.ask_at = now + RETRY;
    }

    fn forget(&mut self, now: Time) {
        self.seen.retain(|_, until| *until > now);
        while self.seen.len() > REMEMBERED {
            let Some((&oldest, _)) = self.seen.iter().min_by_key(|&(address, until)| (*until, *address)) else { break };
            self.seen.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::flow::Transport;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn way(last: u8) -> Flow {
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow { transport: Transport::Udp, local, remote: ([198, 51, 100, last], 5060).into() }
    }

    fn found(last: u8, ttl_s: u64) -> Result<Located<Flow>, String> {
        Ok(Located::only(way(last), Duration::from_secs(ttl_s)))
    }

    fn place() -> Place {
        let mut place = Place::new(Target::new("acme.example", None, None), at(0));
        assert!(place.handle_timeout(at(0), Ticket(1)) && !place.handle_timeout(at(0), Ticket(2)));
        place
    }

    #[test]
    fn an_answer_is_asked_for_again_when_it_grows_old() {
        for (ttl_s, again_s) in [(0, 5), (30, 30), (86_400, 60)] {
            let mut place = place();
            assert_eq!(place.poll_timeout(), None, "one question at a time");
            place.found(at(1), &found(1, ttl_s));
            assert_eq!(place.poll_timeout(), Some(at(1 + again_s)), "{ttl_s}");
            assert!(place.handle_timeout(at(1 + again_s), Ticket(2)));
        }
    }

    #[test]
    fn the_last_answer_is_used_for_a_while_when_dns_fails() {
        let mut place = place();
        place.found(at(1), &found(1, 30));
        for second in (31..3_630).step_by(10) {
            assert!(place.handle_timeout(at(second), Ticket(2)), "{second}");
            place.found(at(second), &Err("SERVFAIL".to_owned()));
            assert!(place.is_known());
            assert_eq!(place.lost(), Some("SERVFAIL"));
        }
        place.handle_timeout(at(3_631), Ticket(3));
        assert!(!place.is_known() && !place.was_at(way(1).remote.ip(), at(3_631)));
    }

    #[test]
    fn an_address_that_is_gone_from_dns_counts_for_a_while() {
        let mut place = place();
        place.found(at(1), &found(1, 30));
        place.found(at(31), &found(2, 30));
        assert_eq!((place.rank(way(1)), place.rank(way(2))), (None, Some(0)));
        assert!(place.was_at(way(1).remote.ip(), at(3_000)) && place.was_at(way(2).remote.ip(), at(3_000)));
        assert!(!place.was_at(way(1).remote.ip(), at(3_632)) && place.was_at(way(2).remote.ip(), at(3_632)));
        assert!(place.was_at("::ffff:198.51.100.2".parse().unwrap(), at(100)));
    }

    #[test]
    fn a_host_of_ever_new_addresses_is_remembered_by_its_last() {
        let mut place = place();
        for number in 0..2_000u32 {
            let mut way = way(0);
            way.remote.set_ip(IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
            place.found(at(u64::from(number)), &Ok(Located::only(way, Duration::ZERO)));
        }
        assert_eq!(place.seen.len(), REMEMBERED);
        assert!(place.was_at(IpAddr::from((0x0a00_0000u32 + 1_999).to_be_bytes()), at(2_000)));
    }
}
