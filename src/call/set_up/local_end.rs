//! Ends of our own: an echo, a sound file.

use crate::base::time::Now;
use crate::call::exchange::{Exchange, LegKey};
use crate::call::failure::Failure;
use crate::call::leg::{End, Leg, Stage as LegStage};
use crate::call::reason::q850_reason;
use crate::call::record::{EndedBy, LegRecord};
use crate::call::state::{Call, Stage};
use crate::media::command::Clip;
use std::sync::Arc;

impl Call {
    pub fn add_local(&mut self, exchange: &mut Exchange, now: Now, end: End, target: &str) -> LegKey {
        let key = self.leg_key(self.legs.len());
        let record = LegRecord { target: target.to_owned(), started: now.wall, ..LegRecord::default() };
        self.add_leg(Leg::new(key, end, LegStage::Preparing), record);
        exchange.keep(&self.record);
        key
    }

    /// A sound file is there, or can't be read.
    pub fn loaded(&mut self, exchange: &mut Exchange, now: Now, leg: usize, result: Result<Arc<Clip>, String>) {
        if self.stage != Stage::Trying || !self.legs[leg].is_live() {
            return;
        }
        match (result, &mut self.legs[leg].end) {
            (Ok(loaded), End::Clip { clip, .. }) => {
                *clip = Some(loaded);
                self.join(exchange, now, leg);
            }
            (Ok(_), _) => {}
            (Err(why), _) => {
                let failure = Failure::new(500, "Announcement Not Found").because(why);
                self.leg_failed(exchange, now, leg, 500, failure);
            }
        }
    }

    /// The clip that the caller was to hear is over.
    pub fn clip_ended(&mut self, exchange: &mut Exchange, now: Now) {
        if matches!(self.stage, Stage::Talking { .. }) {
            let reason = q850_reason(16, "Normal call clearing");
            self.end(exchange, now, EndedBy::Gateway, "the announcement was over", Some(reason));
        }
    }
}
