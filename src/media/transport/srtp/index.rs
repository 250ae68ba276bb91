//! Packet indices: how often a sequence number has rolled over, and which packets have been there (RFC 3711 §3.3).

/// How far behind the newest packet one may be.
const WINDOW: u64 = 128;

/// Indices of one stream: of 48 bits for RTP, of 31 for RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Indices {
    highest: u64,
    /// Bit n stands for `highest - n`.
    seen: u128,
}

impl Indices {
    /// Of a stream whose first packet has this index.
    pub fn begin(index: u64) -> Indices {
        Indices { highest: index, seen: 1 }
    }

    /// The index of an RTP packet (§3.3.1, Appendix A); none where that would be from before the first roll-over's begin.
    pub fn guess(&self, sequence: u16) -> Option<u64> {
        let rollovers = self.highest >> 16;
        let newest = i32::from(self.highest as u16);
        let distance = i32::from(sequence) - newest;
        let rollovers = match () {
            () if newest < 0x8000 && distance > 0x8000 => rollovers.checked_sub(1)?,
            () if newest >= 0x8000 && distance < -0x8000 => rollovers + 1,
            () => rollovers,
        };
        // After 2^48 packets a key has served (§9.2).
        (rollovers <= u64::from(u32::MAX)).then(|| rollovers << 16 | u64::from(sequence))
    }

    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// How often the sequence number has rolled over.
    pub fn rollovers(&self) -> u64 {
        self.highest >> 16
    }

    /// Whether a packet is new: neither seen before nor too old to know.
    pub fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WINDOW && self.seen >> behind & 1 == 0,
        }
    }

    /// Notes a packet, once it is known to be authentic.
    pub fn note(&mut self, index: u64) {
        match index.checked_sub(self.highest) {
            Some(ahead) => {
                self.seen = if ahead < WINDOW { self.seen << ahead } else { 0 };
                self.seen |= 1;
                self.highest = index;
            }
            None => {
                let behind = self.highest - index;
                if behind < WINDOW {
                    self.seen |= 1 << behind;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rollovers_are_counted_whatever_the_order() {
        let mut indices = Indices::begin(65_000);
        let mut state = 7u64;
        for step in 65_001..400_000u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let index = step.saturating_sub(state >> 58).max(65_001);
            assert_eq!(indices.guess(index as u16), Some(index), "{index}");
            indices.note(index);
        }
        assert_eq!(indices.rollovers(), 6);
    }

    #[test]
    fn nothing_is_from_before_the_beginning() {
        assert_eq!(Indices::begin(5).guess(65_530), None);
        assert_eq!(Indices::begin(5).guess(32_773), Some(32_773));
        assert_eq!(Indices::begin(65_530).guess(5), Some(65_541));
        assert_eq!(Indices::begin(u64::from(u32::MAX) << 16 | 0xffff).guess(1), None, "the key has served");
    }

    #[test]
    fn each_packet_is_new_once() {
        let mut indices = Indices::begin(1_000);
        let (mut seen, mut highest, mut state) = (HashSet::from([1_000]), 1_000u64, 3u64);
        for _ in 0..50_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let index = (highest + (state >> 33) % 160).saturating_sub(140);
            let is_new = index > highest || (highest - index < WINDOW && !seen.contains(&index));
            assert_eq!(indices.is_new(index), is_new, "{index} at {highest}");
            if is_new {
                indices.note(index);
                seen.insert(index);
                highest = highest.max(index);
            }
        }
        indices.note(highest + 1_000);
        assert!(!indices.is_new(highest) && indices.is_new(highest + 999));
    }
}
