//! All trunks: what is due is done for each, and what the world answers finds the one that asked.

use crate::base::chance::Chance;
use crate::base::time::{Now, Time};
use crate::call::io::{Output, Ticket};
use crate::call::trunk::Trunk;
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
    requests: Requests,
}

/// Requests of ours outside calls that wait for their answer.
pub type Requests = HashMap<RequestId, Asked>;

/// Who asked what, and where.
#[derive(Clone, Debug)]
pub struct Asked {
    pub trunk: String,
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
    /// anew, and its calls in progress are for the owner to count.
    pub fn reload(&mut self, settings: &settings::Settings, now: Now, chance: &mut Chance) {
        let mut before: Vec<Trunk> = std::mem::take(&mut self.trunks);
        for trunk in &settings.trunks {
            let known = before.iter().position(|known| known.settings.name == trunk.name);
            match known.map(|at| before.swap_remove(at)) {
                Some(known) if known.is_as(trunk, settings) => self.trunks.push(known),
                known => {
                    let mut fresh = Trunk::new(trunk.clone(), settings, now, chance);
                    if let Some(known) = known {
                        fresh.take_over(known, now, chance);
                    }
                    // What was asked in its name before concerns it no more.
                    self.requests.retain(|_, asked| asked.trunk != trunk.name);
                    self.trunks.push(fresh);
                }
            }
        }
    }

    pub fn by_name(&self, name: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.settings.name == name)
    }

    pub fn by_name_mut(&mut self, name: &str) -> Option<&mut Trunk> {
        self.trunks.iter_mut().find(|trunk| trunk.settings.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Trunk> {
        self.trunks.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Trunk> {
        self.trunks.iter_mut()
    }

    /// The trunk that is at the very address and port that a request came from.
    pub fn at(&self, flow: Flow) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.may_come_by(flow.transport) && trunk.is_at(flow.remote))
    }

    /// The trunk that may call from that address, whatever the port: carriers send from many.
    pub fn reaching_from(&self, flow: Flow, now: Time) -> Option<&Trunk> {
        let may = |trunk: &&Trunk| trunk.may_come_by(flow.transport) && trunk.calls_from(flow.remote.ip(), now);
        self.trunks.iter().find(may)
    }

    /// Does what is due: look-ups, registrations, OPTIONS.
    pub fn advance(&mut self, now: Now, work: &mut Work) {
        for trunk in &mut self.trunks {
            trunk.advance(now, work, &mut self.requests);
        }
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.trunks.iter().filter_map(Trunk::poll_timeout).min()
    }

    /// Takes the answer to a look-up; false if no trunk had asked.
    pub fn located(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: &Result<Located<Flow>, String>,
        work: &mut Work,
    ) -> bool {
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.has_asked(ticket)) else { return false };
        trunk.located(now.time, ticket, result, work.chance);
        trunk.advance(now, work, &mut self.requests);
        true
    }

    /// Takes an answer to a request of ours; false if it was no trunk's.
    pub fn answered(&mut self, now: Now, id: RequestId, message: &Message, work: &mut Work) -> bool {
        let Some(asked) = self.requests.get(&id).cloned() else { return false };
        if message.status() >= 200 {
            self.requests.remove(&id);
        }
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.settings.name == asked.trunk) else { return true };
        trunk.answered(now, &asked, message, work, &mut self.requests);
        trunk.advance(now, work, &mut self.requests);
        true
    }

    pub fn failed(&mut self, now: Now, id: RequestId, cause: Failure, work: &mut Work) -> bool {
        let Some(asked) = self.requests.remove(&id) else { return false };
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.settings.name == asked.trunk) else { return true };
        trunk.unanswered(now, &asked, cause, work, &mut self.requests);
        trunk.advance(now, work, &mut self.requests);
        true
    }

    /// Takes our contacts back, before the process ends.
    pub fn unregister(&mut self, now: Now, work: &mut Work) {
        for trunk in &mut self.trunks {
            trunk.unregister(now, work.chance);
            trunk.advance(now, work, &mut self.requests);
        }
    }
}
