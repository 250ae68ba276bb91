//! When a rule holds: `Mon-Fri 08:00-18:00 America/New_York`.
//!
//! Days and times may be lists (`Mon,Wed 08:00-12:00,13:00-17:00`) and may be left out; a time that ends before it begins
//! goes on past midnight and belongs to the day on which it began. The zone is never left out.

use crate::base::time::Wall;
use crate::config::problem::{Wrong, nearest_known};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MINUTES: u16 = 24 * 60;

#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    /// By weekday, from Monday.
    days: [bool; 7],
    /// Minutes of the day, the end not included.
    times: Vec<(u16, u16)>,
    zone: TimeZone,
}

impl Schedule {
    pub fn parse(text: &str) -> Result<Schedule, Wrong> {
        let mut schedule = Schedule { text: text.to_owned(), days: [true; 7], times: Vec::new(), zone: TimeZone::UTC };
        let mut words = text.split_whitespace().peekable();
        if let Some(word) = words.next_if(|word| word.starts_with(|c: char| c.is_alphabetic()) && !is_zone(word)) {
            schedule.days = days(word)?;
        }
        while let Some(word) = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
            for part in word.split(',').filter(|part| !part.is_empty()) {
                schedule.times.push(times(part)?);
            }
        }
        if schedule.times.is_empty() {
            schedule.times.push((0, DAY_MINUTES));
        }
        schedule.zone = zone(words.next(), text)?;
        match words.next() {
            None => Ok(schedule),
            Some(word) => Err(Wrong::new(format!("`{word}` is too much in `{text}`"), "write days, times, and a zone")),
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn holds(&self, at: Wall) -> bool {
        let Some(local) = self.local(at) else { return false };
        let today = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0) % 7;
        let yesterday = (today + 6) % 7;
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        self.times.iter().any(|&(start, end)| {
            if start < end {
                self.days[today] && (start..end).contains(&minute)
            } else {
                self.days[today] && minute >= start || self.days[yesterday] && minute < end
            }
        })
    }

    /// The moment as a clock on the wall there shows it.
    pub fn clock(&self, at: Wall) -> String {
        match self.local(at) {
            Some(local) => local.strftime("%a %Y-%m-%d %H:%M").to_string(),
            None => "an impossible moment".to_owned(),
        }
    }

    fn local(&self, at: Wall) -> Option<Zoned> {
        Some(Timestamp::from_microsecond(at.micros()).ok()?.to_zoned(self.zone.clone()))
    }
}

fn is_zone(word: &str) -> bool {
    word.contains('/') || TimeZoneDatabase::bundled().get(word).is_ok()
}

fn days(word: &str) -> Result<[bool; 7], Wrong> {
    let day = |name: &str| {
        DAYS.iter().position(|day| day.eq_ignore_ascii_case(name)).ok_or_else(|| {
            Wrong::new(format!("`{name}` is not a day of the week"), "write them like \"Mon-Fri\" or \"Sat,Sun\"")
        })
    };
    let mut days = [false; 7];
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

fn times(part: &str) -> Result<(u16, u16), Wrong> {
    let wrong = || Wrong::new(format!("`{part}` is not a span of time"), "write it like \"08:00-18:00\"");
    let minute = |clock: &str| {
        let (hour, minute) = clock.split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        let total = hour.checked_mul(60)?.checked_add(minute)?;
        if minute < 60 && total <= DAY_MINUTES { Some(total) } else { None }
    };
    let (start, end) = part.split_once('-').ok_or_else(wrong)?;
    let (start, end) = (minute(start).ok_or_else(wrong)?, minute(end).ok_or_else(wrong)?);
    if start == end || start == DAY_MINUTES {
        return Err(Wrong::new(format!("`{part}` is empty"), "leave the times out for the whole day"));
    }
    Ok((start, end))
}

/// A zone from the bundled database, so that a plan means the same on every machine.
fn zone(word: Option<&str>, text: &str) -> Result<TimeZone, Wrong> {
    let Some(word) = word else {
        return Err(Wrong::new(format!("`{text}` has no time zone"), "add one, like \"Europe/London\" or \"UTC\""));
    };
    let database = TimeZoneDatabase::bundled();
    database.get(word).map_err(|_| {
        let known: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
        let near: Vec<&str> = known.iter().map(String::as_str).collect();
        let mend = nearest_known(word, &near);
        let mend = mend.split(", of: ").next().unwrap_or(&mend).to_owned();
        Wrong::new(format!("`{word}` is not a time zone"), mend)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Wall {
        Wall::from_micros(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    fn holds(schedule: &str, moment: &str) -> bool {
        Schedule::parse(schedule).unwrap().holds(at(moment))
    }

    #[test]
    fn office_hours_are_those_of_the_place() {
        let hours = "Mon-Fri 08:00-18:00 America/New_York";
        assert!(holds(hours, "2026-11-23T10:00:00-05:00"));
        assert!(holds(hours, "2026-11-23T08:00:00-05:00"));
        assert!(!holds(hours, "2026-11-23T18:00:00-05:00"));
        assert!(!holds(hours, "2026-11-22T10:00:00-05:00"));
        // The same time of day in UTC falls into the hours in winter only.
        assert!(!holds(hours, "2026-01-21T12:30:00Z"));
        assert!(holds(hours, "2026-07-21T12:30:00Z"));
        assert_eq!(Schedule::parse(hours).unwrap().clock(at("2026-11-23T15:00:00Z")), "Mon 2026-11-23 10:00");
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = "Fri 22:00-06:00 UTC";
        assert!(holds(night, "2026-11-20T23:00:00Z"));
        assert!(holds(night, "2026-11-21T05:59:00Z"));
        assert!(!holds(night, "2026-11-20T05:00:00Z"));
        assert!(!holds(night, "2026-11-21T06:00:00Z"));
    }

    #[test]
    fn days_and_times_are_lists_and_may_be_left_out() {
        assert!(holds("Sat-Mon UTC", "2026-11-22T00:00:00Z"));
        assert!(!holds("Sat-Mon UTC", "2026-11-24T00:00:00Z"));
        assert!(holds("08:00-12:00,13:00-17:00 UTC", "2026-11-24T13:00:00Z"));
        assert!(!holds("08:00-12:00,13:00-17:00 UTC", "2026-11-24T12:30:00Z"));
        assert!(holds("sat,SUN 00:00-24:00 Europe/Berlin", "2026-11-22T22:59:00Z"));
        assert!(holds("UTC", "2026-11-24T00:00:00Z"));
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (text, what, mend) in [
            ("", "no time zone", "Europe/London"),
            ("Mon-Fri 08:00-18:00", "no time zone", "UTC"),
            ("Mun UTC", "`Mun` is not a day", "Mon-Fri"),
            ("08:00 UTC", "`08:00` is not a span", "08:00-18:00"),
            ("25:00-26:00 UTC", "not a span", "08:00-18:00"),
            ("08:00-08:00 UTC", "is empty", "whole day"),
            ("08:00-18:00 America/NewYork", "`America/NewYork` is not a time zone", "`America/New_York`"),
            ("UTC UTC", "`UTC` is too much", "zone"),
        ] {
            let wrong = Schedule::parse(text).unwrap_err();
            assert!(wrong.what.contains(what) && wrong.mend.contains(mend), "{text}: {wrong:?}");
        }
    }
}
