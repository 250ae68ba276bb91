//! Our provisional and refusing answers to an INVITE: RFC 3261 §13.3.1.

use super::reliable::Reliable;
use super::watch::Watch;
use super::{Alerting, Session, SessionTimer, Stage};
use crate::sip::agent::{AgentSettings, SessionId, Terms};
use crate::sip::core::Core;
use crate::sip::dialog::Dialog;
use crate::sip::flow::Headers;
use crate::sip::response::{Answer, our_contact};
use crate::sip::transaction::{Asked, ServerTxId};
use std::time::Duration;

/// §13.3.1.1: proxies give up an INVITE that is silent for three minutes.
const REPEAT: Duration = Duration::from_secs(60);
/// The same where no answer gets lost.
const REPEAT_RELIABLY: Duration = Duration::from_secs(150);

impl Session {
    /// A session for the INVITE that `server` answers and that `asked` holds.
    pub fn alert(id: SessionId, server: ServerTxId, asked: &Asked, settings: &AgentSettings) -> Session {
        let dialog = Dialog::callee(&asked.request, asked.flow, asked.to_tag.clone());
        Session {
            id,
            call_id: dialog.call_id.clone(),
            local_tag: dialog.local_tag.clone(),
            flow: asked.flow,
            contact: our_contact(asked, settings),
            is_caller: false,
            responder: None,
            is_muted: false,
            terms: Terms::default(),
            watch: Watch::of(&asked.request),
            ours: None,
            theirs: None,
            stage: Stage::Alerting(Box::new(Alerting { server, dialog, reliable: Reliable::default() })),
        }
    }

    /// Quiets the caller's retransmissions (§8.2.6.1).
    pub fn trying(&mut self, core: &mut Core) {
        if let Stage::Alerting(alerting) = &self.stage
            && core.servers.is_unanswered(alerting.server)
        {
            core.reply(alerting.server, 100, Headers::new());
        }
    }

    pub fn progress(&mut self, core: &mut Core, answer: &Answer<'_>) {
        let Stage::Alerting(alerting) = &self.stage else { return };
        if !(101..=199).contains(&answer.status) {
            return;
        }
        let repeat = if self.is_acknowledged(core, answer.body.is_some()) {
            self.progress_reliably(core, answer);
            REPEAT_RELIABLY
        } else {
            let body = answer.body.filter(|_| !alerting.reliable.described);
            core.answer(alerting.server, &Answer { body, ..*answer });
            self.progressed_unreliably();
            REPEAT
        };
        self.start(core, SessionTimer::Progress, repeat);
    }

    pub(super) fn repeat_progress(&mut self, core: &mut Core) {
        if self.progress_again(core) {
            return self.start(core, SessionTimer::Progress, REPEAT_RELIABLY);
        }
        let Stage::Alerting(alerting) = &self.stage else { return };
        core.servers.repeat(&mut core.out, alerting.server);
        self.start(core, SessionTimer::Progress, REPEAT);
    }

    /// Ends without an answer: whoever asked for it gives one of which nothing is kept.
    pub fn abandon(&mut self, core: &mut Core) -> Option<Asked> {
        let Stage::Alerting(alerting) = &self.stage else { return None };
        let asked = core.servers.forget(&mut core.out, alerting.server);
        self.is_muted = true;
        self.stage = Stage::Over;
        asked
    }

    pub fn refuse(&mut self, core: &mut Core, status: u16, reason: &str, headers: &Headers) {
        let Stage::Alerting(alerting) = &self.stage else { return };
        let status = if (300..=699).contains(&status) { status } else { 500 };
        core.answer(alerting.server, &Answer { status, reason, headers, body: None });
        let left = std::mem::replace(&mut self.stage, Stage::Over);
        self.close_offers(core, &left);
        self.is_muted = true;
    }
}
