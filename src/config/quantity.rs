//! Durations and sizes as people write them.

use crate::config::problem::Wrong;
use std::time::Duration;

const DURATION_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// `"30s"`, `"5m"`, `"1h30m"`, `"500ms"`, and `"0"` for never.
pub fn duration(text: &str) -> Result<Duration, Wrong> {
    let wrong = || {
        Wrong::new(
            format!("`{text}` is not a duration"),
            "write it like \"500ms\", \"30s\", \"5m\", \"1h30m\" or \"0\"",
        )
    };
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    let millis = sum(text, &DURATION_UNITS).ok_or_else(wrong)?;
    Ok(Duration::from_millis(millis))
}

/// Bytes: `"64KiB"`, `"1MB"`, `"512B"`.
pub fn size(text: &str) -> Result<usize, Wrong> {
    sum(text, &SIZE_UNITS)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| Wrong::new(format!("`{text}` is not a size"), "write it like \"64KiB\", \"1MB\" or \"512B\""))
}

/// A duration as [`duration`] reads it.
pub fn written(span: Duration) -> String {
    let mut millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0".to_owned();
    }
    let mut text = String::new();
    for (unit, worth) in DURATION_UNITS.iter().rev() {
        if millis >= *worth {
            text.push_str(&format!("{}{unit}", millis / worth));
            millis %= worth;
        }
    }
    text
}

/// Adds up numbers with units; each unit stands once at most.
fn sum(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text.trim();
    let mut used: Vec<&str> = Vec::new();
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (unit, worth) = units.iter().find(|(unit, _)| *unit == &rest[..length])?;
        if used.contains(unit) {
            return None;
        }
        used.push(unit);
        total = total.checked_add(number.checked_mul(*worth)?)?;
        rest = rest[length..].trim_start();
    }
    if used.is_empty() { None } else { Some(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in
            [("30s", 30_000), ("5m", 300_000), ("1h30m", 5_400_000), ("500ms", 500), ("0", 0), (" 1m 30s ", 90_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "30", "s", "1.5h", "-3s", "5 parsecs", "1s1s", "99999999999999999999s", "9999999999999999d"] {
            let wrong = duration(text).unwrap_err();
            assert!(wrong.what.contains(text) && wrong.mend.contains("30s"), "{wrong:?}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1 MB"), Ok(1_000_000));
        assert!(size("64").is_err() && size("64 K").is_err() && size("KiB").is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for millis in [0, 1, 999, 1_000, 90_000, 86_400_000, 90_061_001] {
            let span = Duration::from_millis(millis);
            assert_eq!(duration(&written(span)), Ok(span));
        }
        assert_eq!(written(Duration::from_secs(90)), "1m30s");
    }
}
