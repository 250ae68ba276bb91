//! A caller takes another's place: by Replaces (RFC 3891), or by picking up what rings at somebody else's phones.

use crate::base::time::Now;
use crate::call::admission::Identity;
use crate::call::exchange::{CallKey, LegKey};
use crate::call::failure::Failure;
use crate::call::leg::Stage as LegStage;
use crate::call::state::Stage;
use crate::call::switch::Switch;
use crate::call::transfer::Onward;
use crate::call::transfer::moving::{Arrival, Guest};
use crate::dialplan::route::{Request, Target};
use crate::wire::events::dialog_info::{self, Direction};
use crate::wire::sip::Replaces;

impl Switch {
    /// The leg whose dialog Replaces names: as its peer knows it, or as watchers are told of it.
    pub(in crate::call) fn replaced(&self, replaces: &Replaces) -> Option<LegKey> {
        if let Some(id) = dialog_info::id_of(replaces) {
            return self.shown_as(id);
        }
        let session = self.exchange.agent.session_in(&replaces.call_id, &replaces.to_tag, &replaces.from_tag)?;
        self.exchange.session_owner(session)
    }

    fn shown_as(&self, id: &str) -> Option<LegKey> {
        self.calls.iter().find_map(|(&key, call)| {
            let is = |direction| self.exchange.dialog_id(key, direction) == id;
            let called = || match call.stage {
                Stage::Talking { with } => Some(with),
                _ => call.hopefuls().next(),
            };
            let leg = if is(Direction::Initiator) { Some(0) } else { called().filter(|_| is(Direction::Recipient)) };
            Some(LegKey { call: key, leg: leg? })
        })
    }

    /// RFC 3891 §3. A caller may take the place of a phone of their own, and of a ringing one that they may pick up.
    pub(in crate::call) fn replace(&mut self, now: Now, caller: CallKey, replaces: &Replaces) {
        let outcome = self.place_for(now, caller, replaces);
        match outcome {
            Ok(place) => self.give_place(now, caller, place),
            Err(failure) => self.with_call(caller, |call, exchange| call.refuse_caller(exchange, now, failure)),
        }
    }

    fn place_for(&self, now: Now, caller: CallKey, replaces: &Replaces) -> Result<LegKey, Failure> {
        let missing = || Failure::new(481, "").because("there is no such dialog to replace");
        let place = self.replaced(replaces).filter(|place| place.call != caller).ok_or_else(missing)?;
        let call = self.calls.get(&place.call).ok_or_else(missing)?;
        let theirs = call.identity_of(&self.exchange, place.leg);
        let mine = self.calls.get(&caller).map(|call| call.identity_of(&self.exchange, 0));
        let is_own = mine.as_ref() == Some(&theirs) && matches!(theirs, Identity::User { .. });
        let forbidden = || Failure::new(403, "").because("the dialog to replace is another's");
        match call.stage {
            Stage::Talking { .. } if call.other(place.leg).is_some() => {
                if replaces.early_only {
                    return Err(Failure::new(486, "").because("the call is answered already"));
                }
                if is_own { Ok(place) } else { Err(forbidden()) }
            }
            // Only a dialog that we began may be replaced before its answer.
            Stage::Trying if place.leg > 0 && call.legs[place.leg].stage == LegStage::Trying => {
                let permitted = match (&mine, &theirs) {
                    (Some(mine), Identity::User { name, .. }) => is_own || self.may_pick_up(now, mine, name),
                    _ => false,
                };
                if permitted { Ok(place) } else { Err(forbidden()) }
            }
            Stage::Ending => Err(Failure::new(603, "").because("the dialog to replace is over")),
            _ => Err(missing()),
        }
    }

    /// Whether the plan lets somebody pick up what rings at a user, when they dial `**` and the name.
    fn may_pick_up(&self, now: Now, who: &Identity, user: &str) -> bool {
        let request = Request { caller: who.as_caller(), from: "", to: &format!("**{user}"), at: now.wall };
        let route = self.exchange.plan.route(&request).route;
        let targets = route.map(|route| route.targets).unwrap_or_default();
        targets.iter().any(|target| matches!(target, Target::PickUp { user: known } if known == user))
    }

    /// The call that rings longest at a user is the caller's.
    pub(in crate::call) fn pick_up(&mut self, now: Now, caller: CallKey, user: &str) {
        let wanted = format!("user:{user}");
        let ringing = self.calls.iter().filter(|(key, call)| **key != caller && call.stage == Stage::Trying);
        let ringing = ringing.filter_map(|(&key, call)| {
            let rings =
                |leg: &usize| call.legs[*leg].stage == LegStage::Trying && call.record.legs[*leg].target == wanted;
            Some(LegKey { call: key, leg: call.hopefuls().find(rings)? })
        });
        match ringing.min() {
            Some(place) => self.give_place(now, caller, place),
            None => self.with_call(caller, |call, exchange| {
                let failure = Failure::new(480, "Nothing Rings There");
                call.failure = Some((480, failure));
                call.target_failed(exchange, now);
            }),
        }
    }

    /// Makes room in the other call; the caller moves there when its port is open.
    fn give_place(&mut self, now: Now, caller: CallKey, place: LegKey) {
        let Some(call) = self.calls.get(&caller) else { return };
        let Some(other) = self.calls.get(&place.call) else { return };
        let Some(flow) = call.legs[0].flow() else { return };
        let shown = call.shown(&self.exchange, 0);
        let arrival = Arrival { from: caller, instead_of: place.leg, shown };
        let whose = &other.record.legs[place.leg].target;
        let record = call.record_of_guest(now, 0, format!("took the place of {whose} from call {}", call.record.id));
        let speaks = call.repertoire_of(&self.exchange, 0);
        let lines = call.lines_of(0, &speaks, &self.fellows_in(place));
        let local = call.media_address_of(&self.exchange, 0, flow);
        let guest = Guest { arrival, flow, local, speaks, lines, record };
        let onward = Onward { call: place.call, leg: 0, referral: None };
        self.with_call(caller, |call, exchange| call.go_onward(exchange, now, onward));
        self.with_call(place.call, |call, exchange| call.expect(exchange, now, guest));
    }
}
