//! What one call wants of another: a transfer and a pick-up concern two. Errands are run as soon as the call that gave
//! them has been let go of.

use crate::base::time::Now;
use crate::call::exchange::{CallKey, LegKey};
use crate::call::failure::Failure;
use crate::call::record::EndedBy;
use crate::call::switch::Switch;
use crate::call::transfer::moving::Moved;
use crate::wire::sip::Replaces;

pub enum Errand {
    /// The target of a transfer answered on `leg` of the new call: whoever is transferred is to join it.
    Join { onward: CallKey, leg: usize },
    /// The referrer hung up before the target answered: whoever is transferred waits for that in the new call.
    TakeIn { from: CallKey },
    /// How far the new call is, for the one that waits for it.
    Tell { call: CallKey, onward: CallKey, status: u16, reason: String },
    /// `from` is over, and what it had begun in `onward` with it.
    GiveUp { onward: CallKey, from: CallKey },
    /// The port of a leg is open that another call's leg is to move into.
    MoveIn { to: LegKey },
    /// The caller wants the place of a dialog (RFC 3891).
    Replace { call: CallKey, replaces: Replaces },
    /// The caller wants whatever rings at a user.
    PickUp { call: CallKey, user: String },
    /// Who has to be heard in the call may be others than before.
    Listen { call: CallKey },
}

impl Switch {
    pub(super) fn run_errands(&mut self, now: Now) {
        while let Some(errand) = self.exchange.errands.pop_front() {
            match errand {
                Errand::Join { onward, leg } => {
                    let is_in = self.take_in(now, onward);
                    self.with_call(onward, |call, exchange| match is_in {
                        true => call.join(exchange, now, leg),
                        false => call.end(exchange, now, EndedBy::Gateway, "nobody is left to be transferred", None),
                    });
                }
                Errand::TakeIn { from } => {
                    if let Some(onward) = self.calls.get(&from).and_then(|call| Some(call.onward.as_ref()?.call)) {
                        self.take_in(now, onward);
                        self.with_call(onward, |call, exchange| call.keep_company(exchange, now));
                    }
                }
                Errand::Tell { call, onward, status, reason } => {
                    self.with_call(call, |call, exchange| call.onward_told(exchange, now, onward, status, &reason));
                }
                Errand::GiveUp { onward, from } => {
                    self.with_call(onward, |call, exchange| call.given_up(exchange, now, from));
                }
                Errand::MoveIn { to } => self.move_in(now, to),
                Errand::Replace { call, replaces } => self.replace(now, call, &replaces),
                Errand::PickUp { call, user } => self.pick_up(now, call, &user),
                Errand::Listen { call } => self.with_call(call, |call, exchange| call.listen(exchange, now)),
            }
        }
    }

    /// Moves whoever is transferred into the call to the new target, and ends the old one.
    fn take_in(&mut self, now: Now, onward: CallKey) -> bool {
        let Some(call) = self.calls.get(&onward) else { return false };
        let Some(from) = call.origin.as_ref().map(|origin| origin.from) else { return false };
        let id = call.record.id.clone();
        let Some(moved) = self.moved_from(now, from) else { return false };
        self.with_call(onward, |call, exchange| call.seat(exchange, 0, moved));
        self.with_call(from, |call, exchange| call.moved_out(exchange, now, &id, Ok(())));
        true
    }

    /// The leg that a call is to give up.
    fn moved_from(&mut self, now: Now, call: CallKey) -> Option<Moved> {
        let call = self.calls.get_mut(&call)?;
        let leg = call.onward.as_ref()?.leg;
        call.give_up(&mut self.exchange, now, leg)
    }

    fn move_in(&mut self, now: Now, to: LegKey) {
        let Some(call) = self.calls.get(&to.call) else { return };
        let Some(arrival) = call.legs[to.leg].arrival.as_ref() else { return };
        let (from, id) = (arrival.from, call.record.id.clone());
        let Some(moved) = self.moved_from(now, from) else {
            return self.with_call(to.call, |call, exchange| call.arrival_failed(exchange, to.leg, 481, ""));
        };
        let mut result = Err(Failure::new(481, ""));
        self.with_call(to.call, |call, exchange| result = call.move_in(exchange, now, to.leg, moved));
        self.with_call(from, |call, exchange| call.moved_out(exchange, now, &id, result));
    }
}
