//! Whoever is transferred, and was left alone with a target that rings, hears that: a ringing tone, or the music on hold
//! where there is some. Without it a phone hears nothing from its referrer's hanging up until the answer, and people take
//! that for the end.

use crate::base::time::Now;
use crate::call::exchange::Exchange;
use crate::call::media::stream::Digits;
use crate::call::set_up::tone;
use crate::call::state::{Call, Stage};
use crate::call::talk::music::Music;
use crate::media::command::Source;
use std::sync::Arc;

impl Call {
    /// Offers the one who waits here its port in this call, once both are here.
    pub fn keep_company(&mut self, exchange: &mut Exchange, now: Now) {
        if !self.is_left_waiting() {
            return;
        }
        exchange.want_music();
        let opposites = self.beside(exchange, 0, None);
        let Some(media) = self.legs[0].media.as_mut() else { return };
        if media.awaits_port() || media.awaits_answer() || media.is_agreed() {
            return;
        }
        let body = media.offer(&opposites);
        self.reoffer_moved(exchange, now, 0, body);
    }

    /// What the one who waits hears by now, unless the target itself lets something be heard.
    pub fn comfort(&mut self, exchange: &mut Exchange) {
        if !self.is_left_waiting() || self.heard.is_some() {
            return;
        }
        let source = match &exchange.music {
            Music::Ready(clip) => Some(Source::Play { clip: Arc::clone(clip), repeat: true }),
            _ if self.record.ringing.is_some() => Some(Source::Play { clip: tone::ringing(), repeat: true }),
            _ => None,
        };
        let opposites = self.beside(exchange, 0, None);
        let (silence, digits) =
            (self.silence_limits(exchange), Digits { told: self.told(exchange, 0), are_heard: false });
        if let Some(media) = self.legs[0].media.as_mut().filter(|media| media.is_agreed()) {
            media.wire(exchange, &opposites, &[], source.as_ref(), silence, digits);
        }
    }

    /// Whether somebody was transferred here and waits for the answer.
    fn is_left_waiting(&self) -> bool {
        let is_here = self.origin.is_some() && self.caller_session().is_some() && self.legs[0].is_live();
        is_here && self.stage == Stage::Trying && self.legs[0].media.as_ref().is_some_and(|media| media.live() > 0)
    }
}
