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
/// How a hook flash is written.
const FLASH: &str = "hf";

/// What one INFO says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// Or [`dtmf::FLASH`].
    pub digit: char,
    pub duration: Duration,
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
    let mut buffer = [0; 4];
    let signal = if digit == dtmf::FLASH { FLASH } else { digit.encode_utf8(&mut buffer) };
    format!("Signal={signal}\r\nDuration={}\r\n", duration.min(LONGEST).as_millis().max(1))
}

/// A digit, or its event code where that has two figures.
fn press(signal: &str, duration: Duration) -> Option<Press> {
    let mut letters = signal.chars();
    if let (Some(digit), None) = (letters.next(), letters.next()) {
        dtmf::code(digit)?;
        return Some(Press { digit: digit.to_ascii_uppercase(), duration });
    }
    if signal.eq_ignore_ascii_case(FLASH) {
        return Some(Press { digit: dtmf::FLASH, duration });
    }
    let code = signal.parse::<u8>().ok()?;
    let digit = dtmf::Event { code, end: true, volume: 0, duration: 0 }.digit()?;
    Some(Press { digit, duration })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit(body: &str) -> Option<(char, u128)> {
        parse(body.as_bytes()).map(|press| (press.digit, press.duration.as_millis()))
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
    fn a_flash_is_read_in_each_way_to_write_it() {
        for body in ["Signal=hf\r\nDuration=300", "Signal=16\r\nDuration=300", "Signal=!\r\nDuration=300"] {
            assert_eq!(digit(body), Some(('!', 300)), "{body}");
        }
        assert_eq!(digit("16"), Some(('!', 160)));
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
        for key in "0123456789*#ABCD!".chars() {
            let millis = 40 + u64::from(key);
            assert_eq!(digit(&write(key, Duration::from_millis(millis))), Some((key, u128::from(millis))));
        }
    }
}
