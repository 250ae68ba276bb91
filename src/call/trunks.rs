//! All trunks: what is due is done for each, and what the world answers finds the one that asked.

mod addresses;

use crate::base::chance::Chance;
use crate::base::time::{Now, Time};
use crate::base::timers::Timers;
use crate::call::io::{Output, Ticket};
use crate::call::trunk::Trunk;
use crate::call::trunks::addresses::Addresses;
use crate::config::settings;
use crate::sip::agent::{Agent, Failure, RequestId};
use crate::sip::flow::Flow;
use crate::sip::locate::Located;
use crate::wire::sip::Message;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

#[derive(Default)]
pub struct Trunks {
    trunks: Vec<Trunk>,
    /// Their places in the list, by name.
    names: HashMap<String, usize>,
    addresses: Addresses,
    /// When each has something to do, by its place in the list.
    due: Timers<usize>,
    /// Trunks that a reload took away, or gave another account, until their registrars have heard of it.
    leaving: Vec<Trunk>,
    requests: Requests,
    last_key: u64,
}

/// One trunk for as long as its settings last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrunkKey(pub u64);

/// Requests of ours outside calls that wait for their answer.
pub type Requests = HashMap<RequestId, Asked>;

/// Who asked what, and where.
#[derive(Clone, Debug)]
pub struct Asked {
    pub trunk: TrunkKey,
    pub purpose: Purpose,
    pub way: Flow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Register,
    Options,
}

/// What a trunk needs of the switch in order to act.
pub struct Work<'a> {
    pub agent: &'a mut Agent,
    pub chance: &'a mut Chance,
    pub outputs: &'a mut VecDeque<Output>,
    pub tickets: &'a mut u64,
    /// How long an address may stay silent where there is another one.
    pub patience: Duration,
}

impl Trunks {
    pub fn new(settings: &settings::Settings, now: Now, chance: &mut Chance) -> Trunks {
        let mut trunks = Trunks::default();
        trunks.reload(settings, now, chance);
        trunks
    }

    /// Takes on new settings. A trunk whose own settings are unchanged keeps its state; one that is new or changed is begun
    /// anew, and its calls in progress are for the owner to count. `advance` is to follow.
    pub fn reload(&mut self, settings: &settings::Settings, now: Now, chance: &mut Chance) {
        let mut before: Vec<Trunk> = std::mem::take(&mut self.trunks);
        for trunk in &settings.trunks {
            let known = before.iter().position(|known| known.settings.name == trunk.name);
            match known.map(|at| before.swap_remove(at)) {
                Some(known) if known.is_as(trunk, settings) => self.trunks.push(known),
                known => {
                    self.last_key += 1;
                    let mut fresh = Trunk::new(TrunkKey(self.last_key), trunk.clone(), settings, now, chance);
                    if let Some(known) = &known {
                        fresh.take_over(known, now, chance);
                    }
                    before.extend(known.filter(|known| !known.has_account_of(&fresh)));
                    self.trunks.push(fresh);
                }
            }
        }
        before.iter_mut().for_each(|trunk| trunk.unregister(now, chance));
        self.leaving.append(&mut before);
        self.index(now.time);
        // What was asked in a name that has passed to others concerns nobody any more.
        let (trunks, leaving) = (&self.trunks, &self.leaving);
        self.requests.retain(|_, asked| {
            let is = |trunk: &Trunk| trunk.key == asked.trunk;
            trunks.iter().any(is) || asked.purpose == Purpose::Register && leaving.iter().any(is)
        });
    }

    fn index(&mut self, now: Time) {
        (self.names, self.addresses, self.due) = (HashMap::new(), Addresses::default(), Timers::default());
        for index in 0..self.trunks.len() {
            let settings = &self.trunks[index].settings;
            self.names.insert(settings.name.clone(), index);
            self.addresses.add(&settings.from);
            self.addresses.place(index, self.trunks[index].hosts());
            self.due.set(index, now);
        }
    }

    /// A trunk's next deed may be due at another time than before.
    fn reschedule(&mut self, index: usize) {
        match self.trunks[index].poll_timeout() {
            Some(at) => self.due.set(index, at),
            None => self.due.cancel(index),
        }
    }

    pub fn by_name(&self, name: &str) -> Option<&Trunk> {
        self.trunks.get(*self.names.get(name)?)
    }

    pub fn by_name_mut(&mut self, name: &str) -> Option<&mut Trunk> {
        self.trunks.get_mut(*self.names.get(name)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Trunk> {
        self.trunks.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Trunk> {
        self.trunks.iter_mut()
    }

    /// The trunk that is at the very address and port that a request came from.
    pub fn at(&self, flow: Flow) -> Option<&Trunk> {
        self.candidates(flow).find(|trunk| trunk.is_at(flow.remote))
    }

    /// The trunk that may call from that address, whatever the port: carriers send from many.
    pub fn reaching_from(&self, flow: Flow, now: Time) -> Option<&Trunk> {
        self.candidates(flow).find(|trunk| trunk.calls_from(flow.remote.ip(), now))
    }

    fn candidates(&self, flow: Flow) -> impl Iterator<Item = &Trunk> {
        let found = self.addresses.at(flow.remote.ip()).into_iter();
        found.filter_map(|index| self.trunks.get(index)).filter(move |trunk| trunk.may_come_by(flow.transport))
    }

    /// Does what is due: look-ups, registrations, OPTIONS.
    pub fn advance(&mut self, now: Now, work: &mut Work) {
        for trunk in &mut self.leaving {
            trunk.register(now, work, &mut self.requests);
        }
        self.forget_leaving();
        let due: Vec<usize> = std::iter::from_fn(|| self.due.expire(now.time)).collect();
        for index in due {
            self.go_on(index, now, work);
        }
    }

    fn go_on(&mut self, index: usize, now: Now, work: &mut Work) {
        self.trunks[index].advance(now, work, &mut self.requests);
        self.reschedule(index);
    }

    /// Who has nothing left to be answered is gone.
    fn forget_leaving(&mut self) {
        let Trunks { leaving, requests, .. } = self;
        leaving.retain(|trunk| requests.values().any(|asked| asked.trunk == trunk.key));
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.due.next()
    }

    /// Takes the answer to a look-up; false if no trunk had asked.
    pub fn located(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: &Result<Located<Flow>, String>,
        work: &mut Work,
    ) -> bool {
        let Some(index) = self.trunks.iter().position(|trunk| trunk.has_asked(ticket)) else { return false };
        self.trunks[index].located(now.time, ticket, result, work.chance);
        self.addresses.place(index, self.trunks[index].hosts());
        self.go_on(index, now, work);
        true
    }

    /// Takes an answer to a request of ours; false if it was no trunk's.
    pub fn answered(&mut self, now: Now, id: RequestId, message: &Message, work: &mut Work) -> bool {
        let Some(asked) = self.requests.get(&id).cloned() else { return false };
        if message.status() >= 200 {
            self.requests.remove(&id);
        }
        self.tell(asked.trunk, now, work, |trunk, work, requests| trunk.answered(now, &asked, message, work, requests));
        true
    }

    pub fn failed(&mut self, now: Now, id: RequestId, cause: Failure, work: &mut Work) -> bool {
        let Some(asked) = self.requests.remove(&id) else { return false };
        self.tell(asked.trunk, now, work, |trunk, work, requests| trunk.unanswered(now, &asked, cause, work, requests));
        true
    }

    /// Lets a trunk hear what came of what it asked, and go on.
    fn tell(
        &mut self,
        key: TrunkKey,
        now: Now,
        work: &mut Work,
        news: impl FnOnce(&mut Trunk, &mut Work, &mut Requests),
    ) {
        if let Some(index) = self.trunks.iter().position(|trunk| trunk.key == key) {
            news(&mut self.trunks[index], work, &mut self.requests);
            return self.go_on(index, now, work);
        }
        if let Some(trunk) = self.leaving.iter_mut().find(|trunk| trunk.key == key) {
            news(trunk, work, &mut self.requests);
            trunk.register(now, work, &mut self.requests);
        }
        self.forget_leaving();
    }

    /// Takes our contacts back, before the process ends.
    pub fn unregister(&mut self, now: Now, work: &mut Work) {
        for index in 0..self.trunks.len() {
            self.trunks[index].unregister(now, work.chance);
            self.go_on(index, now, work);
        }
    }
}
