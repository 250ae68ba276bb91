//! What the media workers can carry. How busy each of them is, is measured; what calls will add that have only begun, is
//! known from what their codecs cost on this processor. Counted is CPU time, and not calls.

use crate::base::time::Time;
use crate::call::exchange::CallKey;
use crate::media::command::Prices;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// A call that has talked for so long is in what is measured.
const SETTLED: Duration = Duration::from_secs(2);
/// Over what time measures are averaged.
const MEMORY: Duration = Duration::from_millis(500);
/// A worker that comes so late has nothing left, whatever it says of its CPU time: the machine gives it no more.
const LATE: Duration = Duration::from_millis(10);
/// A second of one core, in nanoseconds.
const CORE_NS: u64 = 1_000_000_000;

pub struct Capacity {
    workers: Vec<Worker>,
    prices: Prices,
    shares: HashMap<CallKey, Share>,
    /// Calls that talk since the last measure.
    begun: Vec<CallKey>,
    settling: VecDeque<(Time, CallKey)>,
    /// Calls that were refused.
    pub refused: u64,
}

#[derive(Clone, Copy, Default)]
struct Worker {
    /// Of each second, in nanoseconds.
    measured_ns: u64,
    at: Time,
    /// Of calls that aren't in what is measured.
    expected_ns: u64,
}

struct Share {
    worker: usize,
    /// What is expected of it, and not measured yet.
    ns: u64,
    /// What it costs since it talks.
    price_ns: u64,
}

impl Capacity {
    pub fn new(workers: usize) -> Capacity {
        let workers = vec![Worker::default(); workers.max(1)];
        let (shares, begun, settling) = (HashMap::new(), Vec::new(), VecDeque::new());
        Capacity { workers, prices: Prices::default(), shares, begun, settling, refused: 0 }
    }

    pub fn set_prices(&mut self, prices: Prices) {
        self.prices = prices;
    }

    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// A worker was busy for so much of each second, and so late with what was due.
    pub fn measure(&mut self, now: Time, worker: usize, busy: Duration, late: Duration) {
        let Some(worker) = self.workers.get_mut(worker) else { return };
        let lateness = late.as_nanos().min(LATE.as_nanos()) * u128::from(CORE_NS) / LATE.as_nanos();
        let load = busy.as_nanos().max(lateness).min(u128::from(CORE_NS));
        let weight = (now - worker.at).min(MEMORY).as_nanos();
        let sum = u128::from(worker.measured_ns) * (MEMORY.as_nanos() - weight) + load * weight;
        worker.measured_ns = u64::try_from(sum / MEMORY.as_nanos()).unwrap_or(CORE_NS);
        worker.at = now;
        self.settling.extend(self.begun.drain(..).map(|call| (now + SETTLED, call)));
        while let Some((_, call)) = self.settling.pop_front_if(|(until, _)| *until <= now) {
            self.expect(call, 0);
        }
    }

    /// Whether another call, with one codec on both sides, leaves every second `limit_percent` of a core at most.
    pub fn has_room(&self, limit_percent: u32) -> bool {
        let limit = u64::from(limit_percent) * (CORE_NS / 100);
        limit_percent == 0 || self.workers.iter().any(|worker| worker.load_ns() + self.prices.relay_ns() <= limit)
    }

    /// Whether a worker can carry what it was given.
    pub fn bears(&self, worker: usize, limit_percent: u32) -> bool {
        let limit = u64::from(limit_percent) * (CORE_NS / 100);
        limit_percent == 0 || self.workers.get(worker).is_none_or(|worker| worker.load_ns() <= limit)
    }

    /// Gives a new call to a worker: to `home` where it has to be there, otherwise to the one with the least to do; those
    /// that have as little take turns.
    pub fn begin(&mut self, call: CallKey, home: Option<usize>) -> usize {
        let ns = self.prices.relay_ns();
        let turn = call.0 as usize % self.workers.len();
        let in_turn = (0..self.workers.len()).map(|index| (index + turn) % self.workers.len());
        let idlest = in_turn.min_by_key(|&index| self.workers[index].load_ns()).unwrap_or(0);
        let worker = home.filter(|&home| home < self.workers.len()).unwrap_or(idlest);
        self.workers[worker].expected_ns += ns;
        self.shares.insert(call, Share { worker, ns, price_ns: 0 });
        worker
    }

    /// A call is on another worker from now on.
    pub fn move_to(&mut self, call: CallKey, worker: usize) {
        let Some(share) = self.shares.get_mut(&call).filter(|_| worker < self.workers.len()) else { return };
        let before = std::mem::replace(&mut share.worker, worker);
        self.workers[before].expected_ns = self.workers[before].expected_ns.saturating_sub(share.ns);
        self.workers[worker].expected_ns += share.ns;
    }

    /// A call talks, or talks otherwise, and costs `ns` of each second.
    pub fn talks(&mut self, call: CallKey, ns: u64) {
        let Some(share) = self.shares.get_mut(&call) else { return };
        if std::mem::replace(&mut share.price_ns, ns) != ns {
            self.expect(call, ns);
            self.begun.push(call);
        }
    }

    fn expect(&mut self, call: CallKey, ns: u64) {
        if let Some(share) = self.shares.get_mut(&call)
            && let Some(worker) = self.workers.get_mut(share.worker)
        {
            worker.expected_ns = worker.expected_ns.saturating_sub(share.ns) + ns;
            share.ns = ns;
        }
    }

    pub fn end(&mut self, call: CallKey) {
        self.expect(call, 0);
        self.shares.remove(&call);
    }

    /// What each worker has to do, measured and expected, in thousandths of a core.
    pub fn loads(&self) -> impl Iterator<Item = u64> {
        self.workers.iter().map(|worker| worker.load_ns() / (CORE_NS / 1_000))
    }

    /// How many calls are looked after.
    pub fn len(&self) -> usize {
        self.shares.len()
    }
}

impl Worker {
    fn load_ns(&self) -> u64 {
        self.measured_ns + self.expected_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    /// A relayed call costs a tenth of a core.
    fn capacity(workers: usize) -> Capacity {
        let mut capacity = Capacity::new(workers);
        capacity.set_prices(Prices { forward_ns: 1_000_000, transcode_ns: Vec::new() });
        capacity
    }

    fn measure(capacity: &mut Capacity, from_ms: u64, worker: usize, busy_percent: u64, late_ms: u64) {
        for ms in (from_ms..from_ms + 3_000).step_by(50) {
            let (busy, late) = (Duration::from_millis(10 * busy_percent), Duration::from_millis(late_ms));
            capacity.measure(at(ms), worker, busy, late);
        }
    }

    #[test]
    fn calls_go_to_the_worker_with_the_least_to_do() {
        let mut capacity = capacity(3);
        let workers: Vec<usize> = (0..6).map(|call| capacity.begin(CallKey(call), None)).collect();
        let count = |worker| workers.iter().filter(|&&taken| taken == worker).count();
        assert_eq!([0, 1, 2].map(count), [2, 2, 2]);
        measure(&mut capacity, 1_000, 0, 50, 0);
        measure(&mut capacity, 1_000, 1, 40, 0);
        assert!((10..14).all(|call| capacity.begin(CallKey(call), None) == 2));
    }

    #[test]
    fn calls_that_have_only_begun_count_before_they_are_measured() {
        let mut capacity = capacity(1);
        let mut taken = 0;
        while capacity.has_room(85) {
            capacity.begin(CallKey(taken), None);
            taken += 1;
        }
        assert_eq!(taken, 8);
        capacity.end(CallKey(0));
        assert!(capacity.has_room(85));
        // They talk, for less than was expected.
        (1..8).for_each(|call| capacity.talks(CallKey(call), 100_000_000));
        measure(&mut capacity, 1_000, 0, 30, 0);
        assert_eq!(capacity.loads().collect::<Vec<_>>(), [300]);
        (1..8).for_each(|call| capacity.end(CallKey(call)));
        assert_eq!((capacity.len(), capacity.loads().next()), (0, Some(300)));
    }

    #[test]
    fn a_worker_that_is_busy_or_late_has_no_room() {
        let mut capacity = capacity(1);
        measure(&mut capacity, 1_000, 0, 80, 0);
        assert!(!capacity.has_room(85));
        assert!(capacity.has_room(0), "no limit");
        measure(&mut capacity, 10_000, 0, 20, 2);
        assert!(capacity.has_room(85));
        measure(&mut capacity, 20_000, 0, 20, 50);
        assert!(!capacity.has_room(85));
    }

    #[test]
    fn a_call_that_leads_to_a_room_goes_to_its_worker() {
        let mut capacity = capacity(2);
        measure(&mut capacity, 1_000, 1, 80, 0);
        assert_eq!(capacity.begin(CallKey(1), Some(1)), 1);
        assert!(capacity.has_room(85) && !capacity.bears(1, 85) && capacity.bears(1, 0));
        assert_eq!(capacity.begin(CallKey(2), Some(9)), 0, "there is no such worker");
        capacity.move_to(CallKey(2), 1);
        assert_eq!(capacity.loads().collect::<Vec<_>>(), [0, 1_000]);
    }

    #[test]
    fn one_late_turn_refuses_nobody() {
        let mut capacity = capacity(1);
        measure(&mut capacity, 1_000, 0, 20, 0);
        capacity.measure(at(4_050), 0, Duration::from_millis(200), Duration::from_secs(1));
        assert!(capacity.has_room(85));
    }
}
