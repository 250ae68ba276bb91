//! What media costs on this processor, in CPU time.

use tandem_codecs::Codec;

/// As they were measured; nothing, where nothing was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    /// For a packet that comes and one that goes, in nanoseconds: what the kernel does, and what we do with any packet.
    pub forward_ns: u64,
    /// For a packet of twenty milliseconds that is decoded and encoded on its way, beyond that: the mean of both ways.
    pub transcode_ns: Vec<((Codec, Codec), u64)>,
}

impl Prices {
    /// For a second of a call, both ways, in nanoseconds. A pair of codecs that wasn't measured costs what the dearest does.
    pub fn call_ns(&self, one: Codec, other: Codec, ptime_ms: u32) -> u64 {
        let packets = 2_000 / u64::from(ptime_ms.max(10));
        packets * self.forward_ns + if one == other { 0 } else { 2 * 50 * self.transcode(one, other) }
    }

    /// The same where both sides have one codec, and the sound is decoded all the same.
    pub fn opened_ns(&self, codec: Codec, ptime_ms: u32) -> u64 {
        let beside = if codec == Codec::Pcmu { Codec::Pcma } else { Codec::Pcmu };
        self.call_ns(codec, beside, ptime_ms)
    }

    /// The same where both sides have one codec.
    pub fn relay_ns(&self) -> u64 {
        self.call_ns(Codec::Pcmu, Codec::Pcmu, 20)
    }

    /// The same for a member of a room: its packets, and the decoding of what it says. It is seldom that it is sent
    /// anything of its own encoding; that is measured when it happens.
    pub fn member_ns(&self, codec: Codec, ptime_ms: u32) -> u64 {
        let packets = 1_000 / u64::from(ptime_ms.max(10));
        let other = if codec == Codec::Pcmu { Codec::Pcma } else { Codec::Pcmu };
        packets * self.forward_ns + 50 * self.transcode(codec, other) / 2
    }

    fn transcode(&self, one: Codec, other: Codec) -> u64 {
        let is_pair = |pair: &(Codec, Codec)| *pair == (one, other) || *pair == (other, one);
        let found = self.transcode_ns.iter().find(|(pair, _)| is_pair(pair)).map(|&(_, ns)| ns);
        found.or_else(|| self.transcode_ns.iter().map(|&(_, ns)| ns).max()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_its_packets_and_its_codecs() {
        let transcode_ns = vec![((Codec::Pcmu, Codec::G722), 5_000), ((Codec::Pcmu, Codec::Opus), 90_000)];
        let prices = Prices { forward_ns: 2_000, transcode_ns };
        assert_eq!(prices.relay_ns(), 200_000);
        assert_eq!(prices.call_ns(Codec::Pcma, Codec::Pcma, 10), 400_000);
        assert_eq!(prices.call_ns(Codec::G722, Codec::Pcmu, 20), 700_000);
        assert_eq!(prices.opened_ns(Codec::G722, 20), prices.call_ns(Codec::G722, Codec::Pcmu, 20));
        assert_eq!(prices.call_ns(Codec::G722, Codec::Opus, 20), 9_200_000, "as dear as anything");
        assert_eq!(prices.member_ns(Codec::Pcmu, 20), 50 * 2_000 + 50 * 45_000, "as dear as anything");
        assert_eq!(prices.member_ns(Codec::G722, 20), 50 * 2_000 + 50 * 2_500);
        assert_eq!(Prices::default().call_ns(Codec::Pcmu, Codec::Opus, 20), 0);
    }
}
