//! What the workers say of a leg's sound while the call is up.

use crate::base::time::Time;
use crate::call::media::stream::Bond;
use crate::call::media::{Held, Media};
use crate::media::command::{Expects, PortId, Report};
use std::net::SocketAddr;

/// What is known of one port.
#[derive(Clone, Copy, Default)]
pub(super) struct Heard {
    sound: Sound,
    /// Whether any sound came since the answer.
    has_spoken: bool,
    latest: Option<Report>,
}

/// Whether a leg is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sound {
    /// It need not be heard, or the worker hasn't said yet.
    #[default]
    Unknown,
    Heard,
    /// Nothing comes, and since the answer nothing did if it has never spoken.
    Missing {
        since: Time,
        has_spoken: bool,
    },
}

impl Media {
    /// Sound comes in on a port, or none has since then.
    pub fn note_sound(&mut self, port: PortId, missing: Option<Time>) {
        let Some(held) = self.ports.iter_mut().find(|held| held.port == port) else { return };
        let heard = &mut held.heard;
        heard.has_spoken |= missing.is_none();
        heard.sound = match missing {
            Some(since) => Sound::Missing { since, has_spoken: heard.has_spoken },
            None => Sound::Heard,
        };
    }

    /// What went through a port until now.
    pub fn note_quality(&mut self, port: PortId, report: Report) {
        if let Some(held) = self.ports.iter_mut().find(|held| held.port == port) {
            held.heard.latest = Some(report);
        }
    }

    /// Forgets what was said of ports that need not be heard any more.
    pub(super) fn listen(&mut self) {
        for stream in self.streams.iter().filter(|stream| stream.expects == Expects::Nothing) {
            if let Some(held) = self.ports.iter_mut().find(|held| stream.port == Some(held.port)) {
                held.heard.sound = Sound::Unknown;
            }
        }
    }

    /// Whether the leg is heard, as far as it should be.
    pub fn heard(&self) -> Sound {
        let stream = self.sound().filter(|stream| stream.expects != Expects::Nothing);
        let held =
            self.ports.iter().find(|held| !held.closing && stream.is_some_and(|stream| stream.port == Some(held.port)));
        held.map(|held| held.heard.sound).unwrap_or_default()
    }

    /// What went through the leg as sound until now, as far as that is told.
    pub fn sound_so_far(&self) -> Option<Report> {
        let closed = self.reports.iter().filter(|carried| carried.is_sound).map(|carried| carried.report);
        let open =
            self.ports.iter().filter(|held| held.bond == Bond::SOUND).filter_map(|held: &Held| held.heard.latest);
        closed.chain(open).reduce(Report::plus)
    }

    /// Where the peer says that it wants its sound, and where we said that we want it.
    pub fn sound_addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let stream = self.sound();
        let theirs = stream.and_then(|stream| stream.theirs()).map(|line| line.address);
        (theirs, stream.and_then(|stream| stream.announced()))
    }
}
