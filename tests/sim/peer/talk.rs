//! One call at one peer: its script, and how far it is.

use crate::ledger::Ledger;
use crate::script::{Offer, Taking, Talking};
use crate::voice::Voice;
use tandem::base::time::Time;
use tandem::sip::agent::AskId;
use tandem::sip::flow::Body;
use tandem::wire::sip::Message;

pub struct Talk {
    pub call: usize,
    pub call_id: String,
    pub is_caller: bool,
    pub stage: Stage,
    /// The tags of its dialog, ours first, where it has them.
    pub tags: Option<(String, String)>,
    pub voice: Voice,
    pub talking: Talking,
    /// The caller's.
    pub offer: Offer,
    /// The called side's.
    pub taking: Option<Taking>,
    /// The gateway's INVITE or re-INVITE that waits for an answer.
    pub asked: Option<Message>,
    /// What was said in a provisional answer, to be said again in the final one.
    pub early: Option<Body>,
    /// The gateway's answer came with a provisional answer, which it acknowledged: the final one has none.
    pub is_described: bool,
    /// When its media last changed, or was about to.
    pub changed: Time,
    /// A re-INVITE or UPDATE of ours has no answer.
    pub asking: bool,
    /// The UPDATE, and the step that it is.
    pub updating: Option<(AskId, usize)>,
    /// It refused a re-INVITE, and so knows less than the gateway.
    pub is_behind: bool,
    /// An UPDATE has said something else of its media before the answer.
    pub is_updated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Calling,
    Alerting,
    Up,
    Leaving,
}

/// A side of a call for whoever compares it with the gateway's ports.
pub struct Side<'a> {
    /// Whose phone it is.
    pub user: Option<&'a str>,
    pub voice: &'a Voice,
    pub changed: Time,
    pub is_settled: bool,
}

impl Talk {
    pub fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    pub fn side<'a>(&'a self, user: Option<&'a str>) -> Option<Side<'a>> {
        (self.stage == Stage::Up).then(|| Side {
            user,
            voice: &self.voice,
            changed: self.changed,
            is_settled: !self.asking && self.asked.is_none() && !self.is_behind,
        })
    }

    /// The peer has lost it; nobody will be told.
    pub fn abandon(&self, now: Time, ledger: &mut Ledger) {
        self.tell_traffic(ledger);
        match self.is_caller {
            true => {
                if let Some(story) = ledger.stories.get_mut(self.call) {
                    story.vanished.get_or_insert(now);
                }
            }
            false => {
                if let Some(leg) = ledger.leg(self.call, &self.call_id) {
                    leg.vanished.get_or_insert(now);
                }
            }
        }
    }

    /// What went through the gateway's port is known for good.
    pub fn tell_traffic(&self, ledger: &mut Ledger) {
        match self.is_caller {
            true => ledger.stories[self.call].traffic = self.voice.traffic(),
            false => {
                if let Some(leg) = ledger.leg(self.call, &self.call_id) {
                    leg.traffic = self.voice.traffic();
                }
            }
        }
    }
}
