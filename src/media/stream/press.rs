//! Keys that are pressed and wait to be sent.

use std::collections::VecDeque;
use std::time::Duration;

/// Digits that may wait.
pub const LIMIT: usize = 64;

/// What every receiver takes for a digit at least (ITU-T Q.24), and at most what a finger does.
const SHORTEST: Duration = Duration::from_millis(40);
pub const LONGEST: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// Of RFC 4733 §3.2.
    pub code: u8,
    /// None while the key is held.
    pub length: Option<Duration>,
    /// Whether it is or was pressed just now, with pauses of its own.
    pub is_live: bool,
}

/// In the order of the keys; what is beyond [`LIMIT`] is left out.
#[derive(Debug, Default)]
pub struct Presses {
    queue: VecDeque<Press>,
}

impl Presses {
    /// Makes room for all, so that nothing is allocated later.
    pub fn reserve(&mut self) {
        self.queue.reserve(LIMIT.saturating_sub(self.queue.len()));
    }

    pub fn push(&mut self, code: u8, length: Duration) {
        self.add(Press { code, length: Some(length.clamp(SHORTEST, LONGEST)), is_live: false });
    }

    /// A key is held.
    pub fn hold(&mut self, code: u8) {
        self.add(Press { code, length: None, is_live: true });
    }

    /// The key that is held was so for that long.
    pub fn let_go(&mut self, length: Duration) {
        if let Some(last) = self.queue.back_mut().filter(|press| press.length.is_none()) {
            last.length = Some(length.clamp(SHORTEST, LONGEST));
        }
    }

    fn add(&mut self, press: Press) {
        // Of two keys the second is held only once the first was let go of.
        self.let_go(SHORTEST);
        if self.queue.len() < LIMIT {
            self.queue.push_back(press);
        }
    }

    pub fn pop(&mut self) -> Option<Press> {
        self.queue.pop_front()
    }

    pub fn clear(&mut self) {
        self.queue.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_limit_and_lengths_too() {
        let mut presses = Presses::default();
        presses.push(1, Duration::ZERO);
        presses.push(2, Duration::from_secs(100));
        presses.hold(3);
        presses.hold(4);
        presses.let_go(Duration::from_millis(70));
        presses.let_go(Duration::from_millis(90));
        let popped: Vec<_> = std::iter::from_fn(|| presses.pop()).map(|press| (press.code, press.length)).collect();
        let expected = [(1, SHORTEST), (2, LONGEST), (3, SHORTEST), (4, Duration::from_millis(70))];
        assert_eq!(popped, expected.map(|(code, length)| (code, Some(length))));
        (0..1_000).for_each(|_| presses.push(5, SHORTEST));
        assert_eq!(presses.queue.len(), LIMIT);
    }
}
