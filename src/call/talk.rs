//! While two legs talk: their media joined, and both watched.

pub(super) mod asked;
pub(super) mod change;
mod inform;
pub(super) mod music;
pub(super) mod one_way;
mod reoffer;

use crate::base::time::{Now, Time};
use crate::call::exchange::Exchange;
use crate::call::leg::{End, Leg};
use crate::call::media::Media;
use crate::call::media::stream::SilenceLimits;
use crate::call::reason::q850_reason;
use crate::call::record::EndedBy;
use crate::call::state::{Call, Stage};
use crate::media::command::Source;
use std::time::Duration;

impl Call {
    /// Tells the worker what the caller and `leg` send and hear.
    pub fn wire(&mut self, exchange: &mut Exchange, leg: usize) {
        let mut silence = self.silence_limits(exchange);
        let digits = self.digits_between(exchange, leg);
        if self.holds(0) || self.holds(leg) {
            exchange.want_music();
        }
        let [one, two] = [0, leg].map(|leg| self.heard_of(exchange, leg));
        let [caller_music, called_music] = [0, leg].map(|leg| self.music_of(exchange, leg));
        let is_held = self.holds(0);
        let (callers, rest) = self.legs.split_at_mut(1);
        let (Some(caller), Some(called)) = (callers.first_mut(), rest.get_mut(leg - 1)) else { return };
        if matches!(called.end, End::Clip { .. } | End::Room) {
            // Nobody has to speak who hears a clip, or is in a room.
            silence.talking = silence.held;
            silence.is_dialogue = false;
        }
        let own = match &called.end {
            End::Echo => Some(Source::Echo),
            End::Room => exchange.rooms.source(self.key, is_held, exchange.settings.media.room_talkers),
            End::Clip { clip: Some(clip), repeat } => Some(Source::Play { clip: clip.clone(), repeat: *repeat }),
            End::Clip { clip: None, .. } | End::Sip { .. } => None,
        };
        let ports = |leg: &Leg| leg.media.as_ref().map(Media::bonds).unwrap_or_default();
        let (one_ports, two_ports) = (ports(caller), ports(called));
        if let Some(media) = &mut caller.media {
            media.wire(exchange, &two, &two_ports, own.or(called_music).as_ref(), silence, digits[0]);
        }
        if let Some(media) = &mut called.media {
            media.wire(exchange, &one, &one_ports, caller_music.as_ref(), silence, digits[1]);
        }
        exchange.capacity.talks(self.key, self.price_ns(exchange, leg));
        self.listen_again(exchange);
        if matches!(self.stage, Stage::Talking { .. }) {
            self.tape(exchange);
        }
    }

    /// What the sound between the caller and `leg` costs of each second, in nanoseconds; nothing while one of them has none.
    fn price_ns(&self, exchange: &Exchange, leg: usize) -> u64 {
        let prices = exchange.capacity.prices();
        let sound = |leg: usize| {
            self.legs.get(leg)?.media.as_ref()?.agreed().map(|agreed| (agreed.format.codec(), agreed.ptime_ms))
        };
        let other = match self.legs.get(leg).map(|leg| &leg.end) {
            // A clip is encoded, and an echo comes back as it is.
            Some(End::Clip { .. } | End::Echo) => sound(0),
            _ => sound(leg),
        };
        if let (Some(End::Room), Some((Some(codec), ptime_ms))) = (self.legs.get(leg).map(|leg| &leg.end), sound(0)) {
            return prices.member_ns(codec, ptime_ms);
        }
        let (Some((one, ptime_ms)), Some((other, _))) = (sound(0), other) else { return 0 };
        match (one, other) {
            (Some(one), Some(other)) if one == other && self.hears_digits(exchange, leg) => {
                prices.opened_ns(one, ptime_ms)
            }
            (Some(one), Some(other)) => prices.call_ns(one, other, ptime_ms),
            // What nobody understands here is passed on.
            _ => prices.relay_ns(),
        }
    }

    /// Orders that a worker had no room for are given again, as they would be now.
    pub fn rewire(&mut self, exchange: &mut Exchange) {
        self.dial_again(exchange);
        match (self.stage, self.heard) {
            (Stage::Talking { with }, _) => self.wire(exchange, with),
            (Stage::Trying, Some(heard)) => self.wire(exchange, heard),
            (Stage::Trying, None) => self.comfort(exchange),
            _ => {}
        }
    }

    /// Nobody is given up before the answer: early media is often one-way.
    pub fn silence_limits(&self, exchange: &Exchange) -> SilenceLimits {
        let some = |limit: Duration| (!limit.is_zero()).then_some(limit);
        match self.stage {
            Stage::Talking { with } => {
                let media = &exchange.settings.media;
                // Who listens to a clip, or in a room, needs not speak.
                let is_clip = matches!(self.legs[with].end, End::Clip { .. } | End::Room);
                let talking = if is_clip { media.hold_timeout } else { media.silence_timeout };
                SilenceLimits { talking: some(talking), held: some(media.hold_timeout), is_dialogue: true }
            }
            _ => SilenceLimits::default(),
        }
    }

    /// A port has heard nothing for longer than its limit. What was told before a hold came into force doesn't count.
    pub fn silent(&mut self, exchange: &mut Exchange, now: Now, leg: usize, since: Time) {
        let silence = now.time - since;
        let limit = self.legs[leg].media.as_ref().and_then(Media::silence_limit);
        if !matches!(self.stage, Stage::Talking { .. }) || limit.is_none_or(|limit| silence < limit) {
            return;
        }
        let who = if leg == 0 { "caller" } else { "called side" };
        let cause = format!("no media from the {who} for {} s", silence.as_secs());
        self.end(exchange, now, EndedBy::Gateway, &cause, Some(q850_reason(27, "Media timeout")));
    }
}
