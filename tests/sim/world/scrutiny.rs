//! What must be true of everything that the switch sends, and at every moment.

use super::{Invited, World};
use crate::office;
use std::time::Duration;
use tandem::sip::flow::Transmit;
use tandem::wire::sip::{Message, Method};

/// 64*T1, after which an INVITE that nobody answered is forgotten.
const TRANSACTION: Duration = Duration::from_secs(32);

impl World {
    pub(super) fn hear(&mut self, message: &Message) {
        let (Some(invited), Ok(cseq)) = (self.invites.get_mut(message.call_id()), message.cseq()) else { return };
        if cseq.number == invited.cseq && *message.method() == Method::Invite {
            invited.heard.get_or_insert(self.time);
        }
    }

    /// Whether the switch can know that its INVITE has arrived: an answer came in while its transaction lived.
    pub fn knows_of(&self, call_id: &str) -> bool {
        let invited = self.invites.get(call_id);
        invited.is_some_and(|invited| invited.heard.is_some_and(|heard| heard - invited.sent < TRANSACTION))
    }

    /// What must be true of everything that the switch sends.
    pub(super) fn examine(&mut self, transmit: &Transmit) {
        let message = match Message::parse(transmit.bytes.clone()) {
            Ok(message) => message,
            Err(why) => return self.ledger.violation(self.time, None, format!("the gateway wrote nonsense: {why}")),
        };
        // What is missing in a request is missing in the answer that says so.
        let is_rude = transmit.flow.remote.ip() == office::BOOR.ip();
        let repeats = is_rude && !message.is_request() && [400, 416, 505].contains(&message.status());
        if let Err(defect) = message.check()
            && !repeats
        {
            let call = self.ledger.call_of(message.call_id());
            let start = String::from_utf8_lossy(&transmit.bytes).lines().take(8).collect::<Vec<_>>().join(" | ");
            let what = format!("the gateway wrote what is not legal: {}: {start}", defect.detail);
            self.ledger.violation(self.time, call, what);
        }
        // The boor asks for the first offer once more, by 401 or 422, after it has made a later one itself.
        let objection = self.lineage.objection(&message).filter(|_| !is_rude);
        if let Some(objection) = objection {
            let call = self.ledger.call_of(message.call_id());
            self.ledger.violation(self.time, call, format!("to {}: {objection}", transmit.flow.remote));
        }
        if !message.is_request() || *message.method() != Method::Invite {
            return;
        }
        let number = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let before = self.invites.get(message.call_id()).map(|invited| invited.cseq);
        if before.is_some_and(|before| before >= number) {
            return;
        }
        let invited = Invited { cseq: number, sent: self.time, heard: None };
        self.invites.insert(message.call_id().to_owned(), invited);
        let named = message.from().ok().and_then(|from| from.display()?.strip_prefix('c')?.parse::<usize>().ok());
        let known = self.ledger.call_of(message.call_id());
        let Some(call) = known.or(named) else { return };
        self.ledger.belongs(message.call_id(), call);
        let Some(story) = self.ledger.stories.get(call).filter(|story| !story.is_rude() && !story.is_transferred)
        else {
            return;
        };
        let records = self.books.of_caller(&story.call_id);
        let what = match records.as_slice() {
            [record] if record.ended.is_some() => "an INVITE was sent for a call that is over",
            [record] if record.state == tandem::call::record::State::Open => return,
            [] => "an INVITE was sent for a call without a record",
            _ => "an INVITE was sent for a call that is closed or has several records",
        };
        self.ledger.violation(self.time, Some(call), what);
    }

    /// What must be true at every moment.
    pub(super) fn look(&mut self) {
        let counts = self.switch.counts();
        if counts.calls > office::MAX_CALLS {
            self.ledger.violation(self.time, None, format!("{} calls at once", counts.calls));
        }
        self.looks += 1;
        // Trunks are shown in many words, which take their time.
        let trunks = if self.looks.is_multiple_of(16) { self.switch.trunks(self.gateway_now()) } else { Vec::new() };
        for trunk in trunks {
            if trunk.max_calls.is_some() && trunk.calls > office::GLOBEX_CALLS + 2 {
                self.ledger.violation(self.time, None, format!("{} calls over {}", trunk.calls, trunk.name));
            }
        }
        for complaint in std::mem::take(&mut self.worker.complaints) {
            self.ledger.violation(self.time, None, format!("the media worker: {complaint}"));
        }
    }
}
