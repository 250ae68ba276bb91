//! Times as people write them: `2026-11-21T09:00Z`, `2026-11-21`, or `2h` for two hours ago.

use crate::base::time::Wall;
use crate::config::quantity::duration;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// `now` is what a span counts back from. The error is a sentence.
pub fn parse(text: &str, now: Wall) -> Result<Wall, String> {
    let text = text.trim();
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Ok(Wall::from_micros(stamp.as_microsecond()));
    }
    if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
        && let Ok(midnight) = date.to_zoned(TimeZone::UTC)
    {
        return Ok(Wall::from_micros(midnight.timestamp().as_microsecond()));
    }
    if let Ok(ago) = duration(text) {
        let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        return Ok(Wall::from_micros(now.micros().saturating_sub(micros)));
    }
    Err(format!(
        "`{text}` isn't a time: write 2026-11-21T09:00Z, 2026-11-21 (its first moment in UTC), or 2h for two hours ago"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = Wall::from_micros(1_000_000_000_000_000);
        let at = |text| parse(text, now).map(|wall| wall.rfc3339());
        assert_eq!(at("2026-11-21T09:00Z").unwrap(), "2026-11-21T09:00:00.000Z");
        assert_eq!(at("2026-11-21T10:00:00+01:00").unwrap(), "2026-11-21T09:00:00.000Z");
        assert_eq!(at("2026-11-21").unwrap(), "2026-11-21T00:00:00.000Z");
        assert_eq!(parse("2h", now).unwrap().micros(), now.micros() - 7_200_000_000);
        assert_eq!(parse("1d", now).unwrap().micros(), now.micros() - 86_400_000_000);
        assert_eq!(parse("90m", now).unwrap().micros(), now.micros() - 5_400_000_000);
        for wrong in ["", "yesterday", "-2h", "2026-13-01", "9", "2 hours", "99999999999999999999d"] {
            assert!(at(wrong).unwrap_err().contains("isn't a time"), "{wrong}");
        }
    }
}
