//! Sound that only one of two hears: noticed within five seconds, told, and told again once both are heard.

use crate::base::time::{Now, Time};
use crate::call::errand::Errand;
use crate::call::exchange::{Exchange, Timer};
use crate::call::io::Notice;
use crate::call::leg::End;
use crate::call::media::Media;
use crate::call::media::heard::Sound;
use crate::call::record::Unheard;
use crate::call::state::{Call, Stage};
use crate::media::command::{PortId, Report};
use std::time::Duration;

/// The other side may have fallen silent at the same time, of which its worker tells a little later.
const GRACE: Duration = Duration::from_millis(500);
/// Stretches that a record keeps of each leg.
const UNHEARD_LIMIT: usize = 8;

/// A call in which one leg isn't heard and the other is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWay {
    /// The leg from which nothing comes.
    pub silent: usize,
    pub since: Time,
    has_spoken: bool,
}

impl Call {
    /// A worker says that a leg is heard, or that it isn't.
    pub fn sound_changed(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        leg: usize,
        port: PortId,
        missing: Option<Time>,
    ) {
        if let Some(media) = self.legs[leg].media.as_mut() {
            media.note_sound(port, missing);
        }
        self.listen(exchange, now);
    }

    pub fn quality_told(&mut self, leg: usize, port: PortId, report: Report) {
        if let Some(media) = self.legs[leg].media.as_mut() {
            media.note_quality(port, report);
        }
    }

    /// What is expected of the legs may be otherwise by now.
    pub fn listen_again(&self, exchange: &mut Exchange) {
        if self.one_way.is_some() {
            exchange.errands.push_back(Errand::Listen { call: self.key });
        }
    }

    /// Compares what is heard of the two who talk with what was told of that.
    pub fn listen(&mut self, exchange: &mut Exchange, now: Now) {
        let timer = Timer::OneWay(self.key);
        match (self.one_sided(), self.one_way) {
            (Some(present), Some(told)) if present.silent == told.silent => {}
            (present, told) => {
                if told.is_some() {
                    self.end_one_way(exchange, now);
                }
                match present {
                    Some(_) if exchange.timers.deadline(timer).is_some() => {}
                    Some(_) => exchange.timers.set(timer, now.time + GRACE),
                    None => exchange.timers.cancel(timer),
                }
            }
        }
    }

    /// One leg is still missed while the other is heard.
    pub fn begin_one_way(&mut self, exchange: &mut Exchange, now: Now) {
        let Some(one_way) = self.one_sided().filter(|_| self.one_way.is_none()) else { return };
        self.one_way = Some(one_way);
        exchange.listening.begin_one_way();
        let after = self.answered_at.map(|answered| one_way.since - answered).unwrap_or_default();
        self.note_media(one_way.silent);
        let record = &mut self.record.legs[one_way.silent];
        if record.unheard.len() < UNHEARD_LIMIT {
            record.unheard.push(Unheard {
                after_ms: after.as_millis() as u64,
                for_ms: None,
                has_spoken: one_way.has_spoken,
            });
            // Who asks what is wrong asks while the call is up.
            exchange.keep(&self.record);
        }
        let silent = if one_way.silent == 0 { "caller" } else { "callee" };
        let for_ms = (now.time - one_way.since).as_millis() as u64;
        let has_spoken = one_way.has_spoken;
        exchange.notice(Notice::OneWay { id: self.record.id.clone(), silent, for_ms, has_spoken });
    }

    /// What was told holds no more: the leg is heard again, or need not be.
    pub fn end_one_way(&mut self, exchange: &mut Exchange, now: Now) {
        let Some(told) = self.one_way.take() else { return };
        exchange.listening.end_one_way();
        if let Some(unheard) = self.record.legs[told.silent].unheard.last_mut() {
            unheard.for_ms.get_or_insert((now.time - told.since).as_millis() as u64);
        }
        let both_heard = match self.stage {
            Stage::Talking { with } => [0, with].into_iter().all(|leg| self.sound_of(leg) == Sound::Heard),
            _ => false,
        };
        if both_heard {
            exchange.notice(Notice::BothWays { id: self.record.id.clone() });
        }
    }

    /// The call is over: what holds then held until the end.
    pub fn stop_listening(&mut self, exchange: &mut Exchange) {
        exchange.timers.cancel(Timer::OneWay(self.key));
        if self.one_way.take().is_some() {
            exchange.listening.end_one_way();
        }
    }

    fn one_sided(&self) -> Option<OneWay> {
        let Stage::Talking { with } = self.stage else { return None };
        let judge = |silent: usize, other: usize| match (self.sound_of(silent), self.sound_of(other)) {
            (Sound::Missing { since, has_spoken }, Sound::Heard) => Some(OneWay { silent, since, has_spoken }),
            _ => None,
        };
        judge(0, with).or_else(|| judge(with, 0))
    }

    /// An echo would be heard, if its caller were.
    fn sound_of(&self, leg: usize) -> Sound {
        match &self.legs[leg].end {
            End::Echo => Sound::Heard,
            _ => self.legs[leg].media.as_ref().map(Media::heard).unwrap_or_default(),
        }
    }

    /// Notes of a leg that is up what its record will say of its sound at the end.
    fn note_media(&mut self, leg: usize) {
        let Some(media) = &self.legs[leg].media else { return };
        let record = &mut self.record.legs[leg];
        record.media = media.sound_so_far().or(record.media);
        (record.announced, record.local) = media.sound_addresses();
        record.codec = media.agreed().map(|agreed| agreed.codec_text());
    }
}
