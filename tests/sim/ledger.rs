//! What each side of each call did and saw, as the peers tell it.

use crate::script::Offer;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;
use tandem::base::time::Time;

/// A peer has forgotten by then what it answered (64*T1), and an INVITE that got lost for so long may still be under way.
const TRANSACTION: Duration = Duration::from_secs(31);

/// A leg of which it isn't known yet to which call it belongs: somebody was transferred to it.
pub const NO_CALL: usize = usize::MAX;

#[derive(Default)]
pub struct Ledger {
    pub stories: Vec<Story>,
    /// Calls by the Call-IDs of their legs.
    calls: HashMap<String, usize>,
    pub violations: Vec<Violation>,
    /// Calls whose media is to be looked at, before anything changes.
    pub inspections: Vec<usize>,
    pub letters: Vec<Letter>,
    /// Whether a call may come that can't be told whose it is: somebody was transferred, or the boor calls.
    pub has_strangers: bool,
    /// Sound on its way to the gateway.
    pub spoken: Vec<Speech>,
    /// When a peer last lost all that it knew.
    pub restarts: HashMap<String, Time>,
}

/// A text that one user has written to another.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    pub to: String,
    /// When its writer was told that it arrived or will.
    pub promised: Option<Time>,
    pub arrived: Option<Time>,
}

/// A packet of sound.
#[derive(Clone)]
pub struct Speech {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub packet: Vec<u8>,
}

pub struct Violation {
    pub at: Time,
    pub call: Option<usize>,
    pub what: String,
}

/// One call, as its caller knows it, and the phones that rang for it.
pub struct Story {
    pub caller: String,
    pub dialled: String,
    pub offer: Offer,
    pub call_id: String,
    pub placed: Time,
    /// How its INVITE ended; exactly one is right.
    pub finals: Vec<(Time, Final)>,
    /// The caller cancelled.
    pub gave_up: Option<Time>,
    pub heard_ringing: bool,
    /// The caller sent BYE.
    pub hung_up: Option<Time>,
    /// After an answer: the caller's session is over, as its agent says.
    pub ended: Option<(Time, String)>,
    /// The caller went without a word.
    pub vanished: Option<Time>,
    /// An operator ended the call.
    pub operated: bool,
    /// One of its sides was to talk to somebody else.
    pub is_transferred: bool,
    /// The first of the calls to which it belongs since a transfer.
    pub family: usize,
    /// Packets of sound that the caller said and heard.
    pub traffic: (u64, u64),
    pub legs: BTreeMap<String, Leg>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Final {
    Answered,
    Refused {
        status: u16,
        reason: String,
    },
    /// Nothing came.
    Failed,
    /// It gave up, and this came of it.
    Cancelled {
        status: u16,
    },
}

/// One phone that was called for a call.
#[derive(Clone, Debug, Default)]
pub struct Leg {
    pub peer: String,
    pub invited: Time,
    pub rang: Option<Time>,
    pub answered: Option<Time>,
    pub acked: bool,
    pub refused: Option<u16>,
    pub hung_up: Option<Time>,
    pub vanished: Option<Time>,
    pub over: Option<(Time, String)>,
    /// Packets of sound that it said and heard.
    pub traffic: (u64, u64),
}

impl Ledger {
    pub fn place(&mut self, mut story: Story) -> usize {
        let call = self.stories.len();
        story.family = call;
        self.calls.insert(story.call_id.clone(), call);
        self.stories.push(story);
        call
    }

    /// The call to which a Call-ID belongs.
    pub fn call_of(&self, call_id: &str) -> Option<usize> {
        self.calls.get(call_id).copied()
    }

    /// A leg of a call is named by this Call-ID.
    pub fn belongs(&mut self, call_id: &str, call: usize) {
        if call != NO_CALL {
            self.calls.entry(call_id.to_owned()).or_insert(call);
        }
    }

    /// A side of a call asked for a transfer, to the other side of a second call if there is one.
    pub fn transferred(&mut self, call: usize, second: Option<usize>) {
        self.has_strangers = true;
        let first = self.stories.get(call).or_else(|| self.stories.get(second?));
        let Some(family) = first.map(|story| story.family) else { return };
        let joins = second.map(|second| self.stories[second].family);
        for story in &mut self.stories {
            if story.family == family || Some(story.family) == joins {
                (story.family, story.is_transferred) = (family, true);
            }
        }
    }

    /// A call, and those with which transfers have joined it.
    pub fn joined(&self, call: usize) -> Vec<usize> {
        match self.stories.get(call) {
            Some(story) if story.is_transferred => {
                (0..self.stories.len()).filter(|&other| self.stories[other].family == story.family).collect()
            }
            _ => vec![call],
        }
    }

    pub fn violation(&mut self, at: Time, call: Option<usize>, what: impl Into<String>) {
        let call = call.filter(|&call| call != NO_CALL);
        self.violations.push(Violation { at, call, what: what.into() });
    }

    /// The caller's INVITE has ended.
    pub fn concluded(&mut self, at: Time, call: usize, how: Final) {
        let Some(story) = self.stories.get_mut(call) else { return };
        story.finals.push((at, how.clone()));
        if story.finals.len() > 1 && story.vanished.is_none() {
            let what = format!("a second end of one INVITE: {how:?} after {:?}", story.finals[0]);
            self.violation(at, Some(call), what);
        }
    }

    pub fn invited(&mut self, at: Time, call: usize, peer: &str, call_id: &str) {
        self.belongs(call_id, call);
        let Some(story) = self.stories.get_mut(call) else { return };
        let leg = Leg { peer: peer.to_owned(), invited: at, ..Leg::default() };
        let Some(before) = story.legs.insert(call_id.to_owned(), leg) else { return };
        // It forgot the call, and took a repetition of the INVITE for a new one.
        let has_restarted = self.restarts.get(peer).is_some_and(|&restart| restart >= before.invited);
        let has_forgotten = has_restarted || before.vanished.is_some() || at - before.invited >= TRANSACTION;
        match has_forgotten {
            true => _ = story.legs.insert(format!("{call_id} before"), before),
            false => self.violation(at, Some(call), format!("{peer} was invited twice with one Call-ID")),
        }
    }

    /// A leg of a call, which is nobody's where the Call-ID is unknown.
    pub fn leg(&mut self, call: usize, call_id: &str) -> Option<&mut Leg> {
        self.stories.get_mut(call)?.legs.get_mut(call_id)
    }
}

impl Story {
    pub fn new(caller: &str, dialled: String, offer: Offer, call_id: String, placed: Time) -> Story {
        Story {
            caller: caller.to_owned(),
            dialled,
            offer,
            call_id,
            placed,
            finals: Vec::new(),
            gave_up: None,
            heard_ringing: false,
            hung_up: None,
            ended: None,
            vanished: None,
            operated: false,
            is_transferred: false,
            family: usize::MAX,
            traffic: (0, 0),
            legs: BTreeMap::new(),
        }
    }

    /// Whether nobody decent has placed it.
    pub fn is_rude(&self) -> bool {
        self.caller == "boor"
    }

    /// Whether somebody without manners may have had a hand in it.
    pub fn is_tainted(&self) -> bool {
        self.is_rude() || self.dialled.starts_with('5')
    }

    pub fn is_answered(&self) -> bool {
        self.finals.iter().any(|(_, how)| *how == Final::Answered)
    }

    /// Whether what its sides hear can't be told from here.
    pub fn is_unsure(&self) -> bool {
        self.is_tainted() || self.vanished.is_some() || self.legs.values().any(|leg| leg.vanished.is_some())
    }

    /// Whether the caller has nothing more to do or to hear.
    pub fn is_over(&self) -> bool {
        match self.finals.first() {
            Some((_, Final::Answered)) => self.ended.is_some(),
            Some(_) => true,
            None => false,
        }
    }
}
