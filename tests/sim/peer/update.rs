//! Offers by UPDATE (RFC 3311), before the answer and after.

use super::{Errand, Peer};
use crate::ledger::Ledger;
use crate::network::below;
use std::time::Duration;
use tandem::base::time::Now;
use tandem::sip::agent::{Agent, AskId, Question, SessionId};
use tandem::sip::flow::Body;
use tandem::wire::description::Direction;
use tandem::wire::sip::{Message, Method};

/// When something is said of the media before the answer, once it may be.
pub const EARLY: Duration = Duration::from_secs(3);

/// Sends an UPDATE in an answered call; its owner has to look after glares.
pub fn update(agent: &mut Agent, now: Now, id: SessionId, body: Body) -> Option<AskId> {
    agent.ask(now, id, Question { method: Method::Update, headers: Vec::new(), body: Some(body) }).ok()
}

impl Peer {
    /// What came of an UPDATE that offers something.
    pub(super) fn updated(
        &mut self,
        now: Now,
        id: SessionId,
        ask: AskId,
        answer: Option<&Message>,
        ledger: &mut Ledger,
    ) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        let Some((_, step)) = talk.updating.take_if(|(known, _)| *known == ask) else { return };
        (talk.asking, talk.changed) = (false, now.time);
        match answer {
            Some(answer) if answer.status() < 300 => {
                if let Err(why) = talk.voice.accept(answer) {
                    ledger.violation(now.time, Some(talk.call), format!("answer to {}'s UPDATE: {why}", self.name));
                }
            }
            answer => {
                talk.voice.withdraw();
                // It is at odds with an offer of the gateway's (RFC 3311 §5.2).
                if answer.is_some_and(|answer| [491, 500].contains(&answer.status())) {
                    let again = now.time + Duration::from_secs(1) + below(&mut self.chance, Duration::from_secs(3));
                    self.errands.set(Errand::Step(id, step), again);
                }
            }
        }
    }

    /// It says something else of its media before the call is answered (RFC 3311).
    pub(super) fn update_early(&mut self, now: Now, id: SessionId) {
        let Some(talk) = self.talks.get_mut(&id).filter(|talk| !talk.is_up() && !talk.asking) else { return };
        let wish = [Direction::SendRecv, Direction::SendOnly][self.chance.below(2) as usize];
        let body = talk.voice.offer(wish, false);
        match self.agent.reoffer(now, id, Some(body)) {
            Ok(()) => (talk.asking, talk.is_updated, talk.changed) = (true, true, now.time),
            Err(_) => talk.voice.withdraw(),
        }
    }

    /// An UPDATE of the gateway's before the call is answered.
    pub(super) fn answer_early(&mut self, now: Now, id: SessionId, message: &Message, ledger: &mut Ledger) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        talk.is_updated = true;
        match talk.voice.answer(message) {
            Ok(body) => self.agent.reanswer(now, id, 200, "", Vec::new(), Some(body)),
            Err(why) => {
                ledger.violation(now.time, Some(talk.call), format!("early UPDATE to {}: {why}", self.name));
                self.agent.reanswer(now, id, 488, "", Vec::new(), None);
            }
        }
    }
}
