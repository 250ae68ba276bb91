//! Watches whether sound comes from where it is expected, so that a call which only one side hears is noticed while it lasts.

use crate::base::time::Time;
use crate::media::command::Expects;
use std::time::Duration;

/// After so long without sound that is said, which leaves the switch a second to see what the other side does.
pub const LIMIT: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    expects: Expects,
    /// When sound came last, or the watch began.
    since: Time,
    /// Whether any came since the watch began.
    heard: bool,
    /// What was told last: that there is sound, or that there is none.
    told: Option<bool>,
}

impl Watch {
    /// Begins anew only where something else is expected than before, so that a session that is refreshed changes nothing.
    pub fn configure(&mut self, now: Time, expects: Expects) {
        if self.expects != expects {
            *self = Watch { expects, since: now, ..Watch::default() };
        }
    }

    /// Sound came. True where that is news.
    pub fn hear(&mut self, now: Time) -> bool {
        (self.since, self.heard) = (now, true);
        self.expects != Expects::Nothing && self.told.replace(true) != Some(true)
    }

    /// Since when nothing came, once that is to be told.
    pub fn tell(&mut self, now: Time) -> Option<Time> {
        (self.due() <= now).then(|| {
            self.told = Some(false);
            self.since
        })
    }

    pub fn due(&self) -> Time {
        let is_waiting = match self.expects {
            Expects::Nothing => false,
            Expects::Sound => true,
            Expects::SoundWithPauses => !self.heard,
        };
        if is_waiting && self.told != Some(false) { self.since + LIMIT } else { Time::NEVER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn sound_and_its_end_are_told_once_each() {
        let mut watch = Watch::default();
        assert!(!watch.hear(at(0)), "nothing is expected");
        assert_eq!(watch.due(), Time::NEVER);
        watch.configure(at(100), Expects::Sound);
        assert_eq!((watch.tell(at(4_099)), watch.tell(at(4_100)), watch.tell(at(9_000))), (None, Some(at(100)), None));
        assert_eq!((watch.hear(at(9_000)), watch.hear(at(9_020))), (true, false));
        assert_eq!((watch.tell(at(13_019)), watch.tell(at(13_020))), (None, Some(at(9_020))));
        watch.configure(at(14_000), Expects::Sound);
        assert_eq!(watch.due(), Time::NEVER, "a refresh tells nothing again");
        watch.configure(at(15_000), Expects::Nothing);
        watch.configure(at(20_000), Expects::Sound);
        assert_eq!(watch.due(), at(24_000), "a hold is no silence");
    }

    #[test]
    fn whoever_may_pause_is_missed_only_before_the_first_word() {
        let mut watch = Watch::default();
        watch.configure(at(0), Expects::SoundWithPauses);
        assert_eq!(watch.due(), at(4_000));
        assert!(watch.hear(at(1_000)));
        assert_eq!(watch.due(), Time::NEVER);
    }
}
