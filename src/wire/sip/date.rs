//! Dates.

use crate::base::time::Wall;

/// A date as SIP writes it (RFC 3261 §20.17), always GMT.
pub fn date(wall: Wall) -> String {
    let stamp = jiff::Timestamp::from_second(wall.seconds()).unwrap_or_default();
    stamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_in_gmt() {
        assert_eq!(date(Wall::from_micros(1_795_428_000_000_000)), "Mon, 23 Nov 2026 10:00:00 GMT");
    }
}
