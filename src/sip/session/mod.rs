//! INVITE sessions, the usage of a dialog that an INVITE makes (RFC 3261 §13, §14, §15).
//!
//! ```text
//!   ours:    Calling ──2xx──▶ Up ──BYE──▶ Leaving ─▶ Over
//!   theirs:  Alerting ─2xx──▶ Up
//! ```
//!
//! One verb a file. A session decides; the transactions of [`Core`] carry out.

mod ack;
mod answer;
mod ask;
mod bye;
mod cancel;
mod invite;
mod prack;
mod probe;
mod progress;
mod reanswer;
mod receive;
mod reliable;
mod reoffer;
mod send;
mod terms;
mod watch;

pub(crate) use ack::{Accepted, Invitation, hang_up_fork};
pub(crate) use ask::Asking;
use invite::Calling;
pub(crate) use prack::Acknowledgement;

use crate::sip::agent::{Ending, Event, Failure, Question, SessionEvent, SessionId, Terms};
use crate::sip::core::Core;
use crate::sip::dialog::Dialog;
use crate::sip::digest::Responder;
use crate::sip::flow::{Flow, Headers};
use crate::sip::outbox::TimerKey;
use crate::sip::transaction::ServerTxId;
use answer::Unacked;
use std::time::Duration;

/// The timers of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum SessionTimer {
    /// Our 2xx is sent again, twice as late each time up to T2, until the ACK comes (§13.3.1.4).
    Answer,
    /// No ACK came within 64*T1: the session ends (§13.3.1.4).
    AnswerLimit,
    /// It still rings here: the caller's proxies are told so each minute (§13.3.1.1).
    Progress,
    /// The peer didn't answer our INVITE within the time that the owner gives it.
    NoAnswer,
    /// After a glare our offer is tried again (§14.1).
    Retry,
    /// Our provisional answer is sent again, twice as late each time, until the PRACK comes (RFC 3262 §3).
    Provisional,
    /// No PRACK came within 64*T1: the INVITE is refused (RFC 3262 §3).
    ProvisionalLimit,
    /// It is ours to refresh the session (RFC 4028 §7.2).
    Refresh,
    /// Nobody refreshed the session: it ends (RFC 4028 §10).
    Expiry,
    /// A peer without session timers is asked whether it still is there.
    Probe,
}

pub(crate) const TIMERS: [SessionTimer; 10] = [
    SessionTimer::Answer,
    SessionTimer::AnswerLimit,
    SessionTimer::Progress,
    SessionTimer::NoAnswer,
    SessionTimer::Retry,
    SessionTimer::Provisional,
    SessionTimer::ProvisionalLimit,
    SessionTimer::Refresh,
    SessionTimer::Expiry,
    SessionTimer::Probe,
];

pub(crate) struct Session {
    pub id: SessionId,
    pub call_id: String,
    pub local_tag: String,
    /// The way of the INVITE that began it.
    flow: Flow,
    /// Our Contact, a whole value.
    contact: String,
    /// Whether the Call-ID is ours, which decides who waits how long after a glare (§14.1).
    is_caller: bool,
    /// Answers digest challenges, where we have credentials for the peer.
    responder: Option<Responder>,
    /// The owner was told the end; what remains to be done, the peer alone hears of.
    is_muted: bool,
    terms: Terms,
    watch: watch::Watch,
    /// Our offer in a re-INVITE or UPDATE.
    ours: Option<Box<reoffer::Ours>>,
    /// The peer's offer in a re-INVITE, UPDATE or PRACK, which the owner hasn't answered yet.
    theirs: Option<ServerTxId>,
    stage: Stage,
}

enum Stage {
    /// Our INVITE has no final answer.
    Calling(Box<Calling>),
    /// The peer's INVITE has no final answer.
    Alerting(Box<Alerting>),
    /// Answered.
    Up(Box<Up>),
    /// Our BYE has no final answer.
    Leaving(Box<bye::Leaving>),
    Over,
}

struct Alerting {
    server: ServerTxId,
    dialog: Dialog,
    reliable: reliable::Reliable,
}

impl Alerting {
    /// Whether the caller left the offer to us.
    fn has_our_offer(&self, core: &Core) -> bool {
        core.servers.asked(self.server).is_some_and(|asked| asked.request.body().is_empty())
    }
}

struct Up {
    dialog: Dialog,
    /// We called, and the owner hasn't acknowledged the answer yet.
    ack_due: Option<ack::Due>,
    /// Our 2xx, to the INVITE or a re-INVITE, whose ACK hasn't come yet.
    unacked: Option<Unacked>,
    /// RSeq of a provisional answer that our 2xx overtook, and the CSeq of its INVITE.
    unpracked: Option<(u32, u32)>,
    /// Attempts of the OPTIONS under way.
    probe: Option<u8>,
    /// Those in a row that couldn't be sent.
    astray: u8,
    /// Other requests of ours that wait for an answer.
    asking: usize,
    /// A BYE, with what it says, that waits for the peer's ACK (§15).
    bye: Option<Headers>,
    /// What the peer is sent when it hangs up.
    farewell: Option<Box<Question>>,
}

impl Up {
    fn new(dialog: Dialog) -> Box<Up> {
        Box::new(Up {
            dialog,
            ack_due: None,
            unacked: None,
            unpracked: None,
            probe: None,
            astray: 0,
            asking: 0,
            bye: None,
            farewell: None,
        })
    }
}

impl Session {
    pub fn flow(&self) -> Flow {
        match &self.stage {
            Stage::Up(up) => up.dialog.flow(),
            _ => self.flow,
        }
    }

    /// The way of the INVITE that began it.
    pub fn way(&self) -> Flow {
        self.flow
    }

    /// The connection that the INVITE came or went by is gone, and nobody can make it again. What isn't answered can't be.
    pub fn flow_failed(&mut self, core: &mut Core) {
        match &self.stage {
            Stage::Alerting(alerting) => {
                core.reply(alerting.server, 487, Vec::new());
                self.finish(core, SessionEvent::Cancelled { reason: None });
            }
            Stage::Calling(calling) => {
                let client = calling.client;
                self.invite_failed(core, client, Failure::Transport);
            }
            Stage::Up(_) | Stage::Leaving(_) | Stage::Over => {}
        }
    }

    pub fn is_answered(&self) -> bool {
        !matches!(self.stage, Stage::Alerting(_) | Stage::Calling(_))
    }

    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    pub fn timer(&mut self, core: &mut Core, timer: SessionTimer) {
        match timer {
            SessionTimer::Answer => self.repeat_answer(core),
            SessionTimer::AnswerLimit => self.answer_unacknowledged(core),
            SessionTimer::Progress => self.repeat_progress(core),
            SessionTimer::NoAnswer => self.unanswered(core),
            SessionTimer::Retry => self.retry_reoffer(core),
            SessionTimer::Provisional => self.repeat_reliable(core),
            SessionTimer::ProvisionalLimit => self.reliable_unacknowledged(core),
            SessionTimer::Refresh => self.refresh(core),
            SessionTimer::Expiry => self.expired(core),
            SessionTimer::Probe => self.probe(core),
        }
    }

    fn start(&self, core: &mut Core, timer: SessionTimer, after: Duration) {
        core.out.start(TimerKey::Session(self.id, timer), after);
    }

    fn stop(&self, core: &mut Core, timer: SessionTimer) {
        core.out.stop(TimerKey::Session(self.id, timer));
    }

    fn emit(&self, core: &mut Core, event: SessionEvent) {
        if !self.is_muted {
            core.emit(Event::Session { session: self.id, event });
        }
    }

    /// Tells the owner the end, which is the last that it hears.
    fn conclude(&mut self, core: &mut Core, event: SessionEvent) {
        self.emit(core, event);
        self.is_muted = true;
    }

    /// No offer stays open in what the session leaves behind: one of the peer is answered (§15.1.2), one of ours isn't waited
    /// for without end, and a 2xx to it has its ACK all the same (§13.2.2.4).
    fn close_offers(&mut self, core: &mut Core, left: &Stage) {
        if let Some(server) = self.theirs.take() {
            core.reply(server, 487, Vec::new());
        }
        let Some(ours) = self.ours.take() else { return };
        let Some(client) = ours.client() else { return };
        let lifetime = core.timing().lifetime();
        core.clients.limit(&mut core.out, client, lifetime);
        if let (Stage::Up(up), Some(due)) = (left, ours.ack_due()) {
            due.prepare(core, &self.contact, &up.dialog, None);
        }
    }

    /// Nothing more is to be done.
    fn finish(&mut self, core: &mut Core, event: SessionEvent) {
        let left = std::mem::replace(&mut self.stage, Stage::Over);
        self.close_offers(core, &left);
        self.conclude(core, event);
    }

    /// A request in the dialog found nobody. Where the peer may only have been out of reach, it is sent a BYE.
    fn peer_gone(&mut self, core: &mut Core, sure: bool) {
        let left = std::mem::replace(&mut self.stage, Stage::Over);
        self.close_offers(core, &left);
        let Stage::Up(up) = left else { return };
        self.conclude(core, SessionEvent::ended(Ending::PeerGone));
        if !sure {
            self.leave(core, up.dialog, Headers::new(), None);
        }
    }
}
