//! A queue of timers for a state machine: each key has at most one deadline at a time.

use crate::base::ids::IdMap;
use crate::base::time::Time;
use std::collections::BTreeSet;
use std::hash::Hash;

/// Deadlines by key, which is made of numbers of ours. Setting a key again moves its deadline; keys that fall due together
/// come out in their own order, so that a run can be replayed.
pub struct Timers<K> {
    queue: BTreeSet<(Time, K)>,
    due: IdMap<K, Time>,
}

impl<K: Copy + Ord + Hash> Default for Timers<K> {
    fn default() -> Self {
        Timers { queue: BTreeSet::new(), due: IdMap::default() }
    }
}

impl<K: Copy + Ord + Hash> Timers<K> {
    pub fn set(&mut self, key: K, at: Time) {
        if let Some(before) = self.due.insert(key, at) {
            self.queue.remove(&(before, key));
        }
        self.queue.insert((at, key));
    }

    pub fn cancel(&mut self, key: K) {
        if let Some(before) = self.due.remove(&key) {
            self.queue.remove(&(before, key));
        }
    }

    pub fn deadline(&self, key: K) -> Option<Time> {
        self.due.get(&key).copied()
    }

    /// When the next timer falls due.
    pub fn next(&self) -> Option<Time> {
        self.queue.first().map(|&(at, _)| at)
    }

    /// Takes out one timer that is due at `now`.
    pub fn expire(&mut self, now: Time) -> Option<K> {
        let &(at, key) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.due.remove(&key);
        Some(key)
    }

    pub fn len(&self) -> usize {
        self.due.len()
    }

    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_out_in_order_and_once() {
        let mut timers = Timers::default();
        timers.set('b', Time::from_millis(2));
        timers.set('a', Time::from_millis(5));
        timers.set('a', Time::from_millis(1));
        timers.set('c', Time::from_millis(3));
        timers.cancel('c');
        assert_eq!(timers.next(), Some(Time::from_millis(1)));
        assert_eq!(timers.expire(Time::from_millis(9)), Some('a'));
        assert_eq!(timers.expire(Time::from_millis(1)), None);
        assert_eq!(timers.expire(Time::from_millis(2)), Some('b'));
        assert!(timers.is_empty());
    }
}
