//! What the kernel says of a socket that it tells about.

use crate::media::batch::Channel;

/// Names one socket of a pair. A pair that is bound anew is of another generation, so that what the kernel still tells of the
/// one before isn't taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub generation: u32,
    /// The pair's even number.
    pub number: u16,
    pub channel: Channel,
}

impl Token {
    /// Less than 2⁴⁹.
    pub fn bits(self) -> u64 {
        let rtcp = u64::from(self.channel == Channel::Rtcp);
        u64::from(self.generation) << 17 | u64::from(self.number) << 1 | rtcp
    }

    pub fn from_bits(bits: u64) -> Token {
        let channel = if bits & 1 == 0 { Channel::Rtp } else { Channel::Rtcp };
        Token { generation: (bits >> 17) as u32, number: (bits >> 1) as u16, channel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_was() {
        for (generation, number) in [(0, 0), (1, 20_000), (u32::MAX, u16::MAX)] {
            for channel in [Channel::Rtp, Channel::Rtcp] {
                let token = Token { generation, number, channel };
                assert_eq!(Token::from_bits(token.bits()), token);
                assert!(token.bits() < 1 << 49);
            }
        }
    }
}
