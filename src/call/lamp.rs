//! Who is in a call: what busy lamps and presence show of it. A user's lamps follow the calls that changed in a turn.

pub(super) mod subscribed;
mod watched;

use crate::base::ids::IdMap;
use crate::call::exchange::CallKey;
use crate::call::leg::Stage as LegStage;
use crate::call::state::{Call, Stage};
use crate::wire::events::dialog_info::{Direction, Stage as Light};
use std::collections::{BTreeMap, BTreeSet};

/// One user's part in one call. A user whose phones ring together has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lamp {
    pub user: String,
    pub direction: Direction,
    pub light: Light,
    /// The number or address of the other side as the user may be told it, for the user's own eyes.
    pub remote: Option<String>,
}

#[derive(Default)]
pub struct Lamps {
    calls: IdMap<CallKey, Vec<Lamp>>,
    users: BTreeMap<String, BTreeSet<CallKey>>,
    touched: Vec<CallKey>,
}

/// A user whose lamps changed, and whether the user began to be in a call or ceased to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub user: String,
    pub turned: bool,
}

impl Lamps {
    /// Something happened to a call.
    pub fn touch(&mut self, call: CallKey) {
        // One thing after the other happens to the same call.
        if self.touched.last() != Some(&call) {
            self.touched.push(call);
        }
    }

    /// The calls that something happened to since the last time, each once. Empty it and give it back.
    pub fn take_touched(&mut self) -> Vec<CallKey> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    pub fn give_back(&mut self, emptied: Vec<CallKey>) {
        self.touched = emptied;
    }

    /// The lamps of a call are these now; tells whose changed.
    pub fn set(&mut self, call: CallKey, lamps: Vec<Lamp>) -> Vec<Change> {
        let before = match lamps.is_empty() {
            true => self.calls.remove(&call).unwrap_or_default(),
            false if self.calls.get(&call) == Some(&lamps) => return Vec::new(),
            false => self.calls.insert(call, lamps.clone()).unwrap_or_default(),
        };
        let users: BTreeSet<&str> = before.iter().chain(&lamps).map(|lamp| lamp.user.as_str()).collect();
        let mut changes = Vec::new();
        for user in users {
            let of = |lamps: &[Lamp]| -> Vec<Lamp> { lamps.iter().filter(|lamp| lamp.user == user).cloned().collect() };
            let (old, new) = (of(&before), of(&lamps));
            if old != new {
                let turned = self.index(call, user, !new.is_empty());
                changes.push(Change { user: user.to_owned(), turned });
            }
        }
        changes
    }

    /// What there is of a user, by call.
    pub fn of(&self, user: &str) -> impl Iterator<Item = (CallKey, &Lamp)> {
        let calls = self.users.get(user).into_iter().flatten();
        let lamps = calls.flat_map(|call| self.calls.get(call).into_iter().flatten().map(|lamp| (*call, lamp)));
        let user = user.to_owned();
        lamps.filter(move |(_, lamp)| lamp.user == user)
    }

    pub fn is_lit(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// Calls that have lamps; zero when no call is left.
    pub fn count(&self) -> usize {
        self.calls.len().max(self.users.len())
    }

    fn index(&mut self, call: CallKey, user: &str, lit: bool) -> bool {
        let was_lit = self.is_lit(user);
        if lit {
            self.users.entry(user.to_owned()).or_default().insert(call);
        } else if let Some(calls) = self.users.get_mut(user) {
            calls.remove(&call);
            if calls.is_empty() {
                self.users.remove(user);
            }
        }
        was_lit != self.is_lit(user)
    }
}

impl Call {
    /// The lamps that the call lights.
    pub fn lamps(&self) -> Vec<Lamp> {
        let mut lamps: Vec<Lamp> = Vec::new();
        for (index, leg) in self.legs.iter().enumerate() {
            let Some(user) = self.record.legs.get(index).and_then(|leg| leg.target.strip_prefix("user:")) else {
                continue;
            };
            let Some(light) = self.light(index, leg.stage) else { continue };
            let direction = if index == 0 { Direction::Initiator } else { Direction::Recipient };
            match lamps.iter_mut().find(|lamp| lamp.user == user && lamp.direction == direction) {
                Some(lamp) => lamp.light = lamp.light.max(light),
                None => {
                    let remote = self.opposite_of(direction).filter(|remote| !remote.is_empty());
                    lamps.push(Lamp { user: user.to_owned(), direction, light, remote });
                }
            }
        }
        lamps
    }

    /// The other side, unless it wants to be known to nobody.
    fn opposite_of(&self, direction: Direction) -> Option<String> {
        let shown = &self.caller.shown;
        let called = self.other(0).and_then(|leg| self.legs[leg].brought.party.as_ref());
        match direction {
            Direction::Recipient => (!shown.is_private).then(|| shown.text()),
            Direction::Initiator => called.is_none_or(|called| !called.is_private).then(|| self.record.number.clone()),
        }
    }

    fn light(&self, leg: usize, stage: LegStage) -> Option<Light> {
        match (self.stage, stage) {
            (Stage::Ending, _) | (_, LegStage::Gone) => None,
            (Stage::Talking { with }, _) => (leg == 0 || leg == with).then_some(Light::Confirmed),
            (_, LegStage::Preparing) if leg > 0 => None,
            _ if self.record.ringing.is_some() => Some(Light::Early),
            _ => Some(Light::Trying),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp(user: &str, light: Light) -> Lamp {
        Lamp { user: user.into(), direction: Direction::Recipient, light, remote: Some("x".into()) }
    }

    fn changes(changes: Vec<Change>) -> Vec<String> {
        let text = |change: Change| format!("{}{}", change.user, if change.turned { "!" } else { "" });
        changes.into_iter().map(text).collect()
    }

    #[test]
    fn users_are_lit_by_any_of_their_calls() {
        let mut lamps = Lamps::default();
        let (one, two) = (CallKey(1), CallKey(2));
        assert_eq!(changes(lamps.set(one, vec![lamp("a", Light::Trying), lamp("b", Light::Trying)])), ["a!", "b!"]);
        assert_eq!(changes(lamps.set(one, vec![lamp("a", Light::Trying), lamp("b", Light::Trying)])), [""; 0]);
        assert_eq!(changes(lamps.set(one, vec![lamp("a", Light::Trying), lamp("b", Light::Early)])), ["b"]);
        assert_eq!(changes(lamps.set(two, vec![lamp("b", Light::Trying)])), ["b"]);
        assert_eq!(
            lamps.of("b").map(|(call, lamp)| (call, lamp.light)).collect::<Vec<_>>(),
            [(one, Light::Early), (two, Light::Trying)]
        );
        assert_eq!(changes(lamps.set(one, Vec::new())), ["a!", "b"]);
        assert_eq!(changes(lamps.set(two, Vec::new())), ["b!"]);
        assert_eq!(lamps.count(), 0);
    }
}
