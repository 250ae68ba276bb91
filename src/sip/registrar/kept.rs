//! Bindings outlive a restart where somebody keeps them: the registrar says whose have changed, and takes them back.
//!
//! A phone to which only its connection leads isn't there afterwards: the connection ends with the process, and the phone
//! registers again when it notices.

use super::{Binding, Registrar};
use crate::base::time::Now;
use std::collections::BTreeSet;

impl Registrar {
    /// From now on, says whose bindings have changed.
    pub fn tell_unkept(&mut self) {
        self.unkept.get_or_insert_default();
    }

    /// At most `limit` users whose bindings have changed since they were asked for last, with those of them that another
    /// process could call. Whose list is empty has none.
    pub fn take_unkept(&mut self, limit: usize) -> Vec<(String, Vec<Binding>)> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some(user) = self.unkept.as_mut().and_then(BTreeSet::pop_first) else { break };
            let current = self.users.get(&user).map(Vec::as_slice).unwrap_or_default();
            let bindings = current.iter().filter(|binding| !binding.ends_with_flow()).cloned().collect();
            taken.push((user, bindings));
        }
        taken
    }

    /// Notes that the bindings of `user` could not be kept, or shouldn't be any more.
    pub fn mark(&mut self, user: &str) {
        if let Some(unkept) = &mut self.unkept
            && !unkept.contains(user)
        {
            unkept.insert(user.to_owned());
        }
    }

    /// Takes back a binding of an earlier process, the least recently refreshed ones first. Nobody is told of it: the phone
    /// has not moved. False where it has expired, or no more are taken.
    pub fn restore(&mut self, now: Now, user: &str, mut binding: Binding) -> bool {
        if binding.expires_at <= now.time || self.count() >= self.limits.bindings {
            return false;
        }
        self.last_id += 1;
        (binding.id, binding.epoch) = (self.last_id, self.last_id);
        binding.expires_at = binding.expires_at.min(now.time + self.limits.max);
        self.link(user, &binding);
        self.users.entry(user.to_owned()).or_default().push(binding);
        true
    }
}
