//! Where a relayed packet comes to stand in the stream that we send: its number and timestamp moved by fixed steps, so that
//! losses and gaps stay what they were.

use crate::media::batch::Slot;
use crate::media::stream::receive::Heard;

/// Holds from one packet of a source to the next. Whatever breaks the source's own sequence (another source, a restart, a
/// stretch of transcoding) ends it, and the next packet makes a new one that goes on where our stream stands.
#[derive(Clone, Copy, Debug)]
pub struct Relay {
    source: Slot,
    generation: u32,
    sequence_step: u16,
    timestamp_step: u32,
    /// Older packets would take numbers that are given already.
    first: u64,
    newest: u64,
}

impl Relay {
    /// Maps `heard` to `sequence` and `timestamp`, and later packets beside it.
    pub fn begin(source: Slot, heard: &Heard<'_>, sequence: u16, timestamp: u32) -> Relay {
        Relay {
            source,
            generation: heard.generation,
            sequence_step: sequence.wrapping_sub(heard.header.sequence),
            timestamp_step: timestamp.wrapping_sub(heard.header.timestamp),
            first: heard.extended,
            newest: heard.extended,
        }
    }

    pub fn is_of(&self, source: Slot, heard: &Heard<'_>) -> bool {
        self.source == source && self.generation == heard.generation
    }

    /// The packet's number in our stream; none for one that is too late to have one.
    pub fn place(&mut self, heard: &Heard<'_>) -> Option<u16> {
        self.newest = self.newest.max(heard.extended);
        (heard.extended >= self.first).then(|| heard.header.sequence.wrapping_add(self.sequence_step))
    }

    /// The number at the source of a packet that has `sequence` in our stream; none for one from before this mapping.
    pub fn original(&self, sequence: u16) -> Option<u16> {
        let original = sequence.wrapping_sub(self.sequence_step);
        let back = (self.newest as u16).wrapping_sub(original);
        (back < i16::MAX as u16 && self.first + u64::from(back) <= self.newest).then_some(original)
    }

    pub fn timestamp(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.timestamp_step)
    }

    /// Closes the gap that a packet leaves which isn't passed on, since it is no loss.
    pub fn skip(&mut self, heard: &Heard<'_>) {
        if heard.newest {
            self.sequence_step = self.sequence_step.wrapping_sub(1);
            self.newest = heard.extended;
            self.first = heard.extended + 1;
        }
    }

    /// Makes room for a packet of our own.
    pub fn make_room(&mut self) {
        self.sequence_step = self.sequence_step.wrapping_add(1);
        self.first = self.newest + 1;
    }
}
