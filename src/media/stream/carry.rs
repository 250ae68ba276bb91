//! A telephone-event on its way through (RFC 4733): each packet is passed at once with its duration in the other side's
//! clock, and the end is sent three times even where the source's was lost.

use crate::base::time::Time;
use crate::media::batch::Slot;
use crate::media::stream::dial::ENDS;
use crate::media::stream::receive::Heard;
use crate::media::stream::signal::SIGNAL_TIMEOUT;
use crate::wire::dtmf;
use std::time::Duration;

/// How long the source's own repetitions of the end are waited for, each time.
const END_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
pub struct Carry {
    source: Slot,
    generation: u32,
    source_timestamp: u32,
    /// Of all our packets of this event.
    pub timestamp: u32,
    /// As last sent, in our clock.
    pub event: dtmf::Event,
    ends: u8,
    last: Time,
}

/// How a packet stands to the event that is being carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Same,
    Older,
    Another,
}

impl Carry {
    pub fn begin(now: Time, source: Slot, heard: &Heard<'_>, timestamp: u32, event: dtmf::Event) -> Carry {
        Carry {
            source,
            generation: heard.generation,
            source_timestamp: heard.header.timestamp,
            timestamp,
            event: dtmf::Event { end: false, duration: 0, ..event },
            ends: 0,
            last: now,
        }
    }

    pub fn relation(&self, source: Slot, heard: &Heard<'_>) -> Relation {
        let ahead = heard.header.timestamp.wrapping_sub(self.source_timestamp) as i32;
        match (self.source == source && self.generation == heard.generation, ahead) {
            (true, 0) => Relation::Same,
            (true, i32::MIN..0) => Relation::Older,
            _ => Relation::Another,
        }
    }

    /// Takes a packet of this event, with its duration already in our clock; false where it says nothing new.
    pub fn take(&mut self, now: Time, event: dtmf::Event) -> bool {
        let news = if event.end { self.ends < ENDS } else { self.ends == 0 && event.duration >= self.event.duration };
        if news {
            let duration = event.duration.max(self.event.duration);
            self.event = dtmf::Event { duration, ..event };
            self.ends += u8::from(event.end);
            self.last = now;
        }
        news
    }

    pub fn sounds(&self) -> bool {
        self.ends == 0
    }

    pub fn due(&self) -> Time {
        match self.ends {
            0 => self.last + SIGNAL_TIMEOUT,
            ENDS.. => Time::NEVER,
            _ => self.last + END_INTERVAL,
        }
    }

    /// The end that has to be made up at `now`.
    pub fn make_up(&mut self, now: Time) -> Option<dtmf::Event> {
        (self.due() <= now).then(|| self.end(now))
    }

    /// Ends the event.
    pub fn end(&mut self, now: Time) -> dtmf::Event {
        self.event.end = true;
        self.ends += 1;
        self.last = now;
        self.event
    }
}
