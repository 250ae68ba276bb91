//! Music on hold: whoever a phone holds hears a clip, where one is configured. The hold itself is passed on all the same.

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::io::Ticket;
use crate::call::media::Media;
use crate::call::media::stream::{Bond, Opposite};
use crate::call::state::{Call, Stage};
use crate::media::command::{Clip, Source};
use crate::wire::description::Direction;
use std::sync::Arc;

/// The clip that all calls share.
#[derive(Default)]
pub enum Music {
    /// Nobody was held yet.
    #[default]
    Unasked,
    /// Being read.
    Asked(Ticket),
    Ready(Arc<Clip>),
    /// There is none, or it can't be read.
    Missing,
}

impl Exchange {
    /// Has the clip read when it is first wanted.
    pub fn want_music(&mut self) {
        if !matches!(self.music, Music::Unasked) {
            return;
        }
        self.music = match self.settings.media.hold_music.clone() {
            Some(file) => Music::Asked(self.load_for_all(file)),
            None => Music::Missing,
        };
    }

    /// Takes the clip; false where the ticket is another's.
    pub fn music_loaded(&mut self, ticket: Ticket, result: &Result<Arc<Clip>, String>) -> bool {
        if !matches!(self.music, Music::Asked(asked) if asked == ticket) {
            return false;
        }
        self.music = match result {
            Ok(clip) => Music::Ready(Arc::clone(clip)),
            Err(_) => Music::Missing,
        };
        true
    }
}

impl Call {
    /// What the other side is to know of a leg: its own lines, or music where it holds.
    pub fn heard_of(&self, exchange: &Exchange, leg: usize) -> Vec<Opposite> {
        let mut opposites = self.legs[leg].opposites();
        if self.music_of(exchange, leg).is_some()
            && let Some(sound) = opposites.iter_mut().find(|opposite| opposite.bond == Bond::SOUND)
        {
            sound.wish = Direction::SendOnly;
        }
        opposites
    }

    /// What the other side hears instead of a leg that holds it.
    pub fn music_of(&self, exchange: &Exchange, leg: usize) -> Option<Source> {
        match &exchange.music {
            Music::Ready(clip) if self.holds(leg) => Some(Source::Play { clip: Arc::clone(clip), repeat: true }),
            _ => None,
        }
    }

    /// Whether a phone holds the other side. A trunk has music of its own.
    pub fn holds(&self, leg: usize) -> bool {
        let leg = &self.legs[leg];
        let sound = leg.media.as_ref().and_then(Media::sound);
        matches!(self.stage, Stage::Talking { .. })
            && leg.trunk.is_none()
            && sound.is_some_and(|sound| sound.agreed.is_some() && !sound.wish.receives())
    }

    /// The clip is there: whoever waits hears it.
    pub fn music_ready(&mut self, exchange: &mut Exchange, now: Now) {
        let Stage::Talking { with } = self.stage else { return self.comfort(exchange) };
        if !self.holds(0) && !self.holds(with) {
            return;
        }
        self.wire(exchange, with);
        for leg in [0, with] {
            self.pass_on(exchange, now, leg);
        }
    }
}
