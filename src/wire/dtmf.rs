//! Telephone events (RFC 4733 §2.3): digits as packets.

pub const EVENT_BYTES: usize = 4;

/// The payload of one telephone-event packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D; others name signals that aren't digits.
    pub code: u8,
    /// The last packet of the event, sent three times.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// Since the packet's timestamp, in units of the event's clock rate.
    pub duration: u16,
}

impl Event {
    /// Reads the first event of a payload. Payloads that carry several (§2.5.2) aren't told by SDP and are rare.
    pub fn parse(payload: &[u8]) -> Option<Event> {
        let &[code, flags, d0, d1] = payload.first_chunk()?;
        Some(Event { code, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([d0, d1]) })
    }

    pub fn bytes(self) -> [u8; EVENT_BYTES] {
        let [d0, d1] = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | self.volume & 0x3f, d0, d1]
    }

    /// The digit that the event is, or [`FLASH`], if it is one.
    pub fn digit(self) -> Option<char> {
        let digit = DIGITS.get(usize::from(self.code)).map(|&digit| char::from(digit));
        digit.or((self.code == FLASH_CODE).then_some(FLASH))
    }
}

/// How a hook flash stands among digits.
pub const FLASH: char = '!';
/// The event of a hook flash (RFC 2833 §3.11).
const FLASH_CODE: u8 = 16;

/// The event code of a digit, or of [`FLASH`].
pub fn code(digit: char) -> Option<u8> {
    if digit == FLASH {
        return Some(FLASH_CODE);
    }
    let digit = u8::try_from(digit.to_ascii_uppercase()).ok()?;
    DIGITS.iter().position(|&known| known == digit).and_then(|code| u8::try_from(code).ok())
}

const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_bytes() {
        let event = Event { code: 11, end: true, volume: 10, duration: 800 };
        assert_eq!(event.bytes(), [11, 0x8a, 0x03, 0x20]);
        assert_eq!(Event::parse(&event.bytes()), Some(event));
        assert_eq!(Event::parse(&[1, 2, 3]), None);
    }

    #[test]
    fn digits_and_codes_agree() {
        for digit in "0123456789*#ABCD".chars() {
            let code = code(digit).unwrap();
            assert_eq!(Event { code, end: false, volume: 0, duration: 0 }.digit(), Some(digit));
        }
        assert_eq!(code('d'), Some(15));
        assert_eq!(code('x'), None);
        assert_eq!(code('é'), None);
        assert_eq!(Event { code: 16, end: false, volume: 0, duration: 0 }.digit(), Some('!'));
        assert_eq!(Event { code: 17, end: false, volume: 0, duration: 0 }.digit(), None);
        assert_eq!(code('!'), Some(16));
    }
}
