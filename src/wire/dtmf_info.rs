//! Digits in the bodies of INFO requests, as phones and carriers write them that don't send telephone-events:
//! `application/dtmf-relay` has lines `Signal=5` and `Duration=160`, `application/dtmf` the digit alone.

use crate::wire::dtmf;
use std::time::Duration;

pub const RELAY: &str = "application/dtmf-relay";
pub const PLAIN: &str = "application/dtmf";

/// What is taken where no duration is given.
const USUAL: Duration = Duration::from_millis(160);
/// No finger stays longer on a key.
const LONGEST: Duration = Duration::from_secs(8);
/// The code of a hook flash (RFC 4733 §3.2), which is no digit.
const FLASH: u8 = 16;

/// What one INFO says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    Digit {
        digit: char,
        duration: Duration,
    },
    /// A hook flash.
    Flash,
}

/// Reads a body of either type.
pub fn parse(body: &[u8]) -> Option<Press> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.contains('=') {
        return press(text.trim(), USUAL);
    }
    let value = |name: &str| {
        let fields = text.lines().filter_map(|line| line.split_once('='));
        let mut values = fields.filter(|(field, _)| field.trim().eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    };
    let duration = value("Duration").and_then(|ms| ms.parse().ok()).map_or(USUAL, Duration::from_millis);
    press(value("Signal")?, duration.clamp(Duration::from_millis(1), LONGEST))
}

/// A body of `application/dtmf-relay`.
pub fn write(digit: char, duration: Duration) -> String {
    format!("Signal={digit}\r\nDuration={}\r\n", duration.min(LONGEST).as_millis().max(1))
}

/// A digit, or its event code where that has two figures.
fn press(signal: &str, duration: Duration) -> Option<Press> {
    let mut letters = signal.chars();
    if let (Some(digit), None) = (letters.next(), letters.next()) {
        dtmf::code(digit)?;
        return Some(Press::Digit { digit: digit.to_ascii_uppercase(), duration });
    }
    if signal.eq_ignore_ascii_case("hf") {
        return Some(Press::Flash);
    }
    let code = signal.parse::<u8>().ok()?;
    if code == FLASH {
        return Some(Press::Flash);
    }
    let digit = dtmf::Event { code, end: true, volume: 0, duration: 0 }.digit()?;
    Some(Press::Digit { digit, duration })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit(body: &str) -> Option<(char, u128)> {
        match parse(body.as_bytes())? {
            Press::Digit { digit, duration } => Some((digit, duration.as_millis())),
            Press::Flash => None,
        }
    }

    #[test]
    fn both_types_are_read_as_people_write_them() {
        assert_eq!(digit("Signal=5\r\nDuration=250\r\n"), Some(('5', 250)));
        assert_eq!(digit("signal = #\nduration= 90"), Some(('#', 90)));
        assert_eq!(digit("Duration=100\r\nSignal=*\r\n"), Some(('*', 100)));
        assert_eq!(digit("Signal=11\r\n"), Some(('#', 160)));
        assert_eq!(digit("Signal=d\r\nDuration=999999999\r\n"), Some(('D', 8_000)));
        assert_eq!(digit("Signal=1\r\nDuration=x\r\n"), Some(('1', 160)));
        assert_eq!(digit("7\r\n"), Some(('7', 160)));
        assert_eq!(digit(" 10 "), Some(('*', 160)));
    }

    #[test]
    fn a_flash_is_no_digit() {
        for body in ["Signal=hf\r\nDuration=300", "Signal=16", "16"] {
            assert_eq!(parse(body.as_bytes()), Some(Press::Flash), "{body}");
        }
    }

    #[test]
    fn the_rest_is_refused() {
        for body in ["", "x", "Signal=\r\n", "Signal=17", "Duration=100", "Signal=12345678901", "Signal=5 5"] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
        }
        assert_eq!(parse(&[0xff, 0xfe]), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let body = write('#', Duration::from_millis(120));
        assert_eq!(body, "Signal=#\r\nDuration=120\r\n");
        assert_eq!(digit(&body), Some(('#', 120)));
    }
}
