//! The recording of a room: all of it, and what each member says, each in a file of its own.

use crate::base::time::Wall;
use crate::call::io::Output;
use crate::media::command::{Command, PortId, RoomId, Tap};

/// In Hz: all that most phones send, in files half as long as those of the highest rate.
pub const RATE: u32 = 16_000;
/// Samples between the worker and who writes them to a disk: a second, ten times as long as that rests.
const RING: usize = RATE as usize;

/// Sound on its way to a file, which ends when nothing more can come.
#[derive(Debug)]
pub struct Reel {
    /// Under the folder of all recordings.
    pub folder: String,
    pub file: String,
    /// Mono at [`RATE`].
    pub samples: rtrb::Consumer<i16>,
}

pub struct Tape {
    folder: String,
    room: RoomId,
    worker: usize,
    has_begun: bool,
    /// Files of the whole room so far, and of members.
    rounds: u32,
    files: u32,
}

impl Tape {
    /// `number` is of no other recording of this process.
    pub fn new(begun: Wall, name: &str, number: u64, room: RoomId, worker: usize) -> Tape {
        let stamp: String = begun.rfc3339().chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
        Tape { folder: format!("{name}-{stamp}Z-{number}"), room, worker, has_begun: false, rounds: 0, files: 0 }
    }

    /// The folder of its files, under that of all recordings.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The recording of the whole room has broken off, and goes on in another file.
    pub fn begin_again(&mut self) {
        self.has_begun = false;
    }

    /// Begins the recording of the whole room, unless it goes on already.
    pub fn whole(&mut self) -> Vec<Output> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Vec::new();
        }
        self.rounds += 1;
        let file = if self.rounds == 1 { "room.wav".to_owned() } else { format!("room-{}.wav", self.rounds) };
        let (tap, reel) = self.reel(file);
        let command = Command::TapRoom { room: self.room, tap };
        vec![Output::Tape(reel), Output::Media { worker: self.worker, command }]
    }

    /// Begins the recording of what a member says. Whoever has got another port has another file.
    pub fn member(&mut self, id: &str, port: PortId) -> Vec<Output> {
        self.files += 1;
        let (tap, reel) = self.reel(format!("{:03}-{id}.wav", self.files));
        vec![Output::Tape(reel), Output::Media { worker: self.worker, command: Command::Tap { port, tap } }]
    }

    fn reel(&self, file: String) -> (Box<Tap>, Reel) {
        let (producer, samples) = rtrb::RingBuffer::new(RING);
        (Box::new(Tap { samples: producer, rate: RATE }), Reel { folder: self.folder.clone(), file, samples })
    }

    /// Ends all of its files.
    pub fn end(self) -> Output {
        Output::EndTape { folder: self.folder }
    }
}
