//! Who gets no answer at all, where the operator has it so: an answer of any kind tells a scanner that somebody is here.

use crate::base::time::Now;
use crate::call::admission;
use crate::call::switch::Switch;
use crate::sip::flow::Flow;
use crate::wire::sip::{Message, Name};

impl Switch {
    /// Whether a request is dropped without a word: its User-Agent is one of those named, or it comes from where many
    /// missing accounts were asked for and names no user who was there lately. Trunks are heard, and who is in a
    /// call or watches somebody.
    pub(in crate::call) fn ignores(&mut self, now: Now, flow: Flow, message: &Message) -> bool {
        if !message.is_request() || self.exchange.trunks.at(flow).is_some() {
            return false;
        }
        let is_scanner = is_named(&self.exchange.settings.security.silent_agents, message) || {
            let account = admission::claimed_name(message).unwrap_or_default();
            self.exchange.guessing.is_scanner(now.time, flow.remote.ip(), &account)
        };
        let is_known = self.exchange.agent.knows(message) || self.exchange.notifier.find(message).is_some();
        let is_ignored = is_scanner && !is_known;
        self.ignored += u64::from(is_ignored);
        is_ignored
    }
}

fn is_named(patterns: &[String], message: &Message) -> bool {
    let Some(agent) = message.header(Name::UserAgent).filter(|_| !patterns.is_empty()) else { return false };
    let agent = agent.to_lowercase();
    patterns.iter().any(|pattern| agent.contains(pattern.as_str()))
}
