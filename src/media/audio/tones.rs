//! Digits made into tones (ITU-T Q.23) for a peer that takes no telephone-events, in place of whatever else it would hear.

use crate::base::time::Time;
use crate::media::audio::hearing::STEP;
use crate::media::batch::Slot;
use crate::media::stream::carry::Relation;
use crate::media::stream::press::{Press, Presses};
use crate::media::stream::receive::Heard;
use crate::wire::dtmf::{self, Event};
use std::time::Duration;
use tandem_codecs::tone::dtmf::Generator;

/// Both tones together, against a full sine wave in dB: what phones send (ITU-T Q.23 leaves it to the networks).
const LEVEL_DBOV: f64 = -10.0;
/// Between two digits at least: more than the 40 ms that receivers need (ITU-T Q.24).
const PAUSE: Duration = Duration::from_millis(60);
/// An event of which nothing more comes is over after so long; senders repeat themselves each 50 ms (RFC 4733 §2.5.1.2).
const TIMEOUT: Duration = Duration::from_millis(160);

pub struct Tones {
    presses: Presses,
    sounding: Option<Sounding>,
    /// When the next digit may begin.
    ready: Time,
    /// The last step that had a tone.
    last: Option<Time>,
    event: Option<Followed>,
}

struct Sounding {
    press: Press,
    /// Made for one rate, in Hz.
    generator: Generator,
    rate: u32,
}

/// An event that comes in packets.
#[derive(Clone, Copy)]
struct Followed {
    source: Slot,
    generation: u32,
    timestamp: u32,
    duration: Duration,
    last: Time,
    is_over: bool,
}

impl Default for Tones {
    fn default() -> Tones {
        let mut presses = Presses::default();
        presses.reserve();
        Tones { presses, sounding: None, ready: Time::ZERO, last: None, event: None }
    }
}

impl Tones {
    /// Queues digits, each for so long; what has no tones is passed over.
    pub fn dial(&mut self, digits: &str, duration: Duration) {
        let codes = digits.chars().filter_map(dtmf::code).filter(|&code| is_digit(code));
        codes.for_each(|code| self.presses.push(code, duration));
    }

    /// Takes a packet of a telephone-event whose durations are in units of `clock_rate`.
    pub fn follow(&mut self, now: Time, source: Slot, heard: &Heard<'_>, clock_rate: u32, event: Event) {
        let duration = Duration::from_micros(u64::from(event.duration) * 1_000_000 / u64::from(clock_rate.max(1)));
        match self.event.map(|followed| followed.relation(source, heard)) {
            Some(Relation::Older) => return,
            Some(Relation::Same) => {}
            Some(Relation::Another) | None => {
                self.end_event();
                if is_digit(event.code) {
                    self.presses.hold(event.code);
                }
                let (generation, timestamp) = (heard.generation, heard.header.timestamp);
                self.event = Some(Followed { source, generation, timestamp, duration, last: now, is_over: false });
            }
        }
        if let Some(followed) = &mut self.event {
            followed.last = now;
            followed.duration = followed.duration.max(duration);
        }
        if event.end {
            self.end_event();
        }
    }

    fn end_event(&mut self) {
        let Some(event) = self.event.as_mut().filter(|event| !event.is_over) else { return };
        event.is_over = true;
        let duration = event.duration;
        match self.sounding.as_mut().filter(|sounding| sounding.press.length.is_none()) {
            Some(sounding) => sounding.end(duration),
            None => self.presses.let_go(duration),
        }
    }

    /// Whether steps bring anything.
    pub fn is_active(&self) -> bool {
        self.sounding.is_some() || !self.presses.is_empty()
    }

    /// Whether nothing else is heard in the step at `due`.
    pub fn covers(&self, due: Time) -> bool {
        self.is_active() || self.last.is_some_and(|last| due <= last)
    }

    /// Fills the step at `due` of sound at `rate` Hz. False where the tones end with it.
    pub fn pull(&mut self, due: Time, rate: u32, pcm: &mut [i16]) -> bool {
        if self.event.is_some_and(|event| !event.is_over && event.last + TIMEOUT <= due) {
            self.end_event();
        }
        self.last = Some(due);
        if self.sounding.is_none() && self.ready <= due {
            self.sounding = self.presses.pop().and_then(|press| Sounding::begin(press, rate));
        }
        match &mut self.sounding {
            Some(sounding) => {
                if !sounding.fill(rate, pcm) {
                    self.sounding = None;
                    self.ready = due + STEP + PAUSE;
                }
            }
            None => pcm.fill(0),
        }
        self.is_active()
    }
}

impl Sounding {
    fn begin(press: Press, rate: u32) -> Option<Sounding> {
        let digit = Event { code: press.code, end: false, volume: 0, duration: 0 }.digit()?;
        let length = press.length.map_or(usize::MAX, |length| samples(length, rate));
        let generator = Generator::new(rate, u8::try_from(digit).ok()?, LEVEL_DBOV, length)?;
        Some(Sounding { press, generator, rate })
    }

    fn end(&mut self, duration: Duration) {
        self.press.length = Some(duration);
        self.generator.set_length(samples(duration, self.rate));
    }

    fn fill(&mut self, rate: u32, pcm: &mut [i16]) -> bool {
        // A codec that changes in the middle of a digit breaks it off.
        if rate != self.rate {
            pcm.fill(0);
        }
        rate == self.rate && self.generator.fill(pcm)
    }
}

impl Followed {
    fn relation(&self, source: Slot, heard: &Heard<'_>) -> Relation {
        let ahead = heard.header.timestamp.wrapping_sub(self.timestamp) as i32;
        match (self.source == source && self.generation == heard.generation, ahead) {
            (true, 0) => Relation::Same,
            (true, i32::MIN..0) => Relation::Older,
            _ => Relation::Another,
        }
    }
}

fn is_digit(code: u8) -> bool {
    Event { code, end: false, volume: 0, duration: 0 }.digit().is_some_and(|digit| digit != dtmf::FLASH)
}

fn samples(duration: Duration, rate: u32) -> usize {
    (duration.as_micros() as u64 * u64::from(rate) / 1_000_000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_codecs::tone::dtmf::Detector;

    #[test]
    fn digits_that_are_dialled_are_heard() {
        let mut tones = Tones::default();
        tones.dial("15!x5D", Duration::from_millis(70));
        let (mut detector, mut heard) = (Detector::new(8_000), Vec::new());
        let mut steps = 0;
        while tones.is_active() {
            let mut pcm = [0; 80];
            tones.pull(Time::from_millis(10 * steps), 8_000, &mut pcm);
            detector.push(&pcm, |event| heard.push(event));
            steps += 1;
        }
        detector.push(&[0; 400], |event| heard.push(event));
        let digits: Vec<(u8, u64)> = heard
            .iter()
            .filter_map(|event| match event {
                tandem_codecs::tone::dtmf::Event::Ended { digit, duration, .. } => Some((*digit, *duration / 8)),
                _ => None,
            })
            .collect();
        assert_eq!(digits.iter().map(|digit| digit.0).collect::<Vec<u8>>(), b"155D");
        assert!(digits.iter().all(|digit| digit.1.abs_diff(70) <= 7), "{digits:?}");
        assert_eq!(steps, 4 * 7 + 3 * 6, "no pause follows the last");
    }
}
