//! An encoder of a room, whose payloads go to all who hear the same in the same way.

use crate::media::audio::transcode::{Frame, PAYLOAD_BYTES, Transcoder, packet_ms};
use crate::media::command::{Coding, Sending};
use tandem_codecs::{Codec, CodecError};

/// What it encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Everyone, for those who don't talk.
    Mix,
    /// Nothing, for those who are not to hear.
    Silence,
    /// What one member is to hear, and nobody else.
    Own,
}

pub struct Voice {
    pub content: Content,
    /// Members who are sent it.
    pub users: usize,
    format: Sending,
    codec: Codec,
    transcoder: Transcoder,
    payload: Box<[u8]>,
    /// The frame before, for another one that goes on from here.
    last: Box<[i16]>,
    made: Option<Made>,
}

#[derive(Clone, Copy)]
struct Made {
    length: usize,
    units: u32,
    follows: bool,
}

/// A packet for all users.
pub struct Packet<'a> {
    /// Empty where silence need not be sent.
    pub payload: &'a [u8],
    /// How long it is, in units of the RTP clock.
    pub units: u32,
    /// Whether it joins the packet before.
    pub follows: bool,
}

/// What two members' settings have to have in common for them to be sent the same payloads.
pub fn format_of(sending: &Sending) -> Option<Sending> {
    let codec = sending.coding.codec()?;
    Some(Sending {
        coding: Coding::Sound(codec),
        payload_type: 0,
        ptime_ms: packet_ms(codec, sending.ptime_ms),
        events: None,
        opus: sending.opus,
    })
}

impl Voice {
    /// For sound of `rate` Hz.
    ///
    /// # Errors
    /// A codec or a rate that isn't there.
    pub fn new(format: Sending, codec: Codec, rate: u32, content: Content) -> Result<Voice, CodecError> {
        let transcoder = Transcoder::new(&format, codec, rate)?;
        Ok(Voice {
            content,
            users: 0,
            format,
            codec,
            payload: vec![0; PAYLOAD_BYTES].into_boxed_slice(),
            last: vec![0; transcoder.frame()].into_boxed_slice(),
            transcoder,
            made: None,
        })
    }

    pub fn format(&self) -> &Sending {
        &self.format
    }

    /// Is for sound of another rate from now on; where that can't be had, it is as it was.
    pub fn change_rate(&mut self, rate: u32) {
        if let Ok(transcoder) = self.transcoder.with_rate(self.codec, rate) {
            self.last = vec![0; transcoder.frame()].into_boxed_slice();
            self.transcoder = transcoder;
        }
    }

    /// Goes on where another one of the same format is.
    pub fn follow(&mut self, other: &Voice) {
        self.transcoder.follow(&other.transcoder, &other.last);
        if self.last.len() == other.last.len() {
            self.last.copy_from_slice(&other.last);
        }
    }

    /// Keeps to the moments of another one, and begins with silence.
    pub fn keep_time(&mut self, other: &Voice) {
        self.follow(other);
        self.transcoder.hush();
    }

    /// Takes a step of sound.
    pub fn push(&mut self, pcm: &[i16]) {
        let Voice { transcoder, payload, last, made, .. } = self;
        *made = None;
        transcoder.push(pcm, |Frame { encoder, pcm, units, follows }| {
            let length = encoder.encode(pcm, payload).ok();
            *made = length.map(|length| Made { length, units, follows });
            if last.len() == pcm.len() {
                last.copy_from_slice(pcm);
            }
        });
    }

    /// What the last step has completed.
    pub fn packet(&self) -> Option<Packet<'_>> {
        let Made { length, units, follows } = self.made?;
        Some(Packet { payload: self.payload.get(..length)?, units, follows })
    }

    /// What comes next doesn't join what was before.
    pub fn pause(&mut self) {
        self.made = None;
        self.transcoder.pause();
    }
}
