//! What an agent tells its owner.

use crate::sip::flow::Flow;
use crate::sip::locate::Target;
use crate::sip::transaction::ClientId;
use crate::wire::sip::Message;
use std::fmt;

/// An INVITE session. A number is never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SessionId(pub(crate) u64);

/// A request of a peer that waits for [`Agent::respond`](super::Agent::respond).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ServerId(pub(crate) u64);

/// A request of ours outside a dialog.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// A request of ours in a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct AskId(pub(crate) u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

#[derive(Debug)]
pub enum Event {
    /// A new INVITE outside a dialog; 100 is already sent.
    Invited {
        session: SessionId,
        flow: Flow,
        message: Message,
    },
    /// REGISTER, OPTIONS or another method that the owner takes, outside a dialog.
    Request {
        id: ServerId,
        flow: Flow,
        message: Message,
    },
    /// Provisional and final answers to [`Agent::request`](super::Agent::request); the request is over after a final one.
    Response {
        id: RequestId,
        message: Message,
    },
    /// No final answer came to a request of ours; it is over.
    Failed {
        id: RequestId,
        cause: Failure,
    },
    /// The connection of a request of ours is gone. It goes to a host whose address only the owner can find, for
    /// [`Agent::lead`](super::Agent::lead).
    Astray {
        id: ClientId,
        target: Target,
    },
    Session {
        session: SessionId,
        event: SessionEvent,
    },
}

#[derive(Debug)]
pub enum SessionEvent {
    /// 101 to 199. The To tag tells the early dialogs of several forks apart.
    Progress { message: Message },
    /// The first 2xx: the owner must call [`Agent::ack`](super::Agent::ack).
    Answered { message: Message },
    /// The final answer to our INVITE is 300 to 699 (digest was tried where there are credentials); the session is gone.
    Refused { message: Message },
    /// No final answer came to our INVITE; the session is gone.
    Failed { cause: Failure },
    /// Our 200 was acknowledged; the body may hold the answer to an offer in it.
    Acked { message: Message },
    /// The caller gave up before our final answer; 487 was sent, the session is gone.
    Cancelled { reason: Option<String> },
    /// The caller acknowledged the first provisional answer of ours that held a description; the body may hold the answer
    /// to an offer in it.
    Pracked { message: Message },
    /// A re-INVITE, UPDATE or PRACK of the peer with an offer: the owner must call [`Agent::reanswer`](super::Agent::reanswer).
    Reoffered { message: Message },
    /// The peer cancelled the re-INVITE of the last [`Reoffered`](Self::Reoffered); 487 was sent.
    Withdrawn,
    /// The ACK of our 2xx to a re-INVITE.
    ReAcked { message: Message },
    /// The 2xx to our re-INVITE; its ACK is sent already.
    Reanswered { message: Message },
    /// Our re-INVITE was refused, or couldn't be sent, and the session goes on as before.
    Rerefused { message: Option<Message> },
    /// It is time to refresh the session, and the peer takes no UPDATE: the owner should
    /// [`reoffer`](super::Agent::reoffer) what it described last.
    RefreshDue,
    /// An exchange of the agent's own is over: what was [`Busy`](super::Busy) may be tried again.
    Settled,
    /// Another request in the dialog (INFO, MESSAGE, REFER, NOTIFY): the owner must call
    /// [`Agent::respond`](super::Agent::respond).
    Asked { id: ServerId, message: Message },
    /// The final answer to a request of [`Agent::ask`](super::Agent::ask).
    Replied { id: AskId, message: Message },
    /// Such a request has no final answer and will have none.
    Unanswered { id: AskId, cause: Failure },
    /// The session is over and gone; after the peer's BYE with that.
    Ended { by: Ending, bye: Option<Message> },
}

impl SessionEvent {
    pub(crate) fn ended(by: Ending) -> SessionEvent {
        SessionEvent::Ended { by, bye: None }
    }
}

/// Why a request of ours has no final answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// Nobody answered in time.
    Timeout,
    /// The message could not be sent, or its connection broke.
    Transport,
    /// A limit of ours is reached: nothing was sent.
    Limit,
}

/// Who or what ended an answered session, or one that we cancelled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The peer's BYE, with its Reason header (RFC 3326).
    Peer { reason: Option<String> },
    /// Our BYE was answered, or nobody answered it.
    Local,
    /// Our 200 was never acknowledged; BYE was sent.
    NoAck,
    /// A provisional answer of ours was never acknowledged; the INVITE was answered 504.
    NoPrack,
    /// Nobody refreshed the session in time (RFC 4028); BYE was sent.
    Expired,
    /// A request in the dialog was answered with 481 or 408, or not at all.
    PeerGone,
    /// After [`Agent::cancel`](super::Agent::cancel): the INVITE's final status, 200 where the answer crossed our CANCEL
    /// and was ended with BYE, 408 where none came.
    Cancelled { status: u16 },
}

/// What is alive inside an agent. All are zero once everything is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub sessions: usize,
    pub requests: usize,
    pub client_transactions: usize,
    pub server_transactions: usize,
    pub timers: usize,
}

impl Counts {
    pub fn is_empty(&self) -> bool {
        *self == Counts::default()
    }
}
