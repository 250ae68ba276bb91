//! A call: the caller's leg, the legs that are tried for it, and the one that answered.

use crate::base::time::Time;
use crate::call::admission::Identity;
use crate::call::exchange::{CallKey, Exchange, LegKey};
use crate::call::failure::Failure;
use crate::call::leg::Leg;
use crate::call::party::Party;
use crate::call::party::diversion::Diversion;
use crate::call::record::{CallRecord, LegRecord};
use crate::call::set_up::forward::{Detour, Forward};
use crate::call::talk::asked::Carried;
use crate::call::talk::change::Change;
use crate::call::talk::one_way::OneWay;
use crate::call::transfer::{Onward, Passed};
use crate::call::view::{CallView, Phase, Side};
use crate::config::identity::HeaderPatterns;
use crate::dialplan::route::Target;
use crate::sip::agent::SessionId;
use crate::sip::flow::Headers;
use crate::sip::registrar::Phone;
use crate::wire::description::Description;
use crate::wire::sdp::MAX_MEDIA;
use crate::wire::sip::Replaces;
use std::collections::VecDeque;
use std::time::Duration;
use tandem_codecs::Codec;

/// How long a worker may owe the answer to an order: a thousand times what it takes.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Lines of the caller's offer are numbered by their place; what comes later has numbers above these.
const FIRST_BOND: usize = MAX_MEDIA + 1;

pub struct Call {
    pub key: CallKey,
    pub worker: usize,
    pub record: CallRecord,
    pub stage: Stage,
    /// The caller's leg first, then each that was tried.
    pub legs: Vec<Leg>,
    pub caller: CallerSide,
    /// What the plan says is to be tried next.
    pub targets: VecDeque<Target>,
    /// What is being tried.
    pub target: Option<Target>,
    /// Header fields that the rule lets pass between the two sides.
    pub pass_headers: HeaderPatterns,
    /// What a side's BYE says to the other.
    pub parting: Headers,
    /// Over whom the call came, here and before, the latest last.
    pub diversions: Vec<Diversion>,
    /// How often it was sent on here, the latest last, and before it came.
    pub forwards: Vec<Forward>,
    pub forwards_before: usize,
    /// The best failure among the legs of this target: as seen there, and as the caller is told.
    pub failure: Option<(u16, Failure)>,
    /// Redirections that were taken up, and where those of the present target lead.
    pub redirects: usize,
    pub redirected_to: Option<Box<Detour>>,
    /// The leg whose early media the caller hears, before the answer.
    pub heard: Option<usize>,
    /// Offers of ours since a side last changed something of its own accord.
    pub offers: u8,
    pub answered_at: Option<Time>,
    /// That only one of the two is heard, once it was told.
    pub one_way: Option<OneWay>,
    /// Lines that one side wants to add, until the other has said whether it wants them too.
    pub change: Option<Box<Change>>,
    /// What the next line that is added has in common on both legs.
    pub next_bond: usize,
    /// Requests of one side that the other has yet to answer.
    pub carried: Vec<Carried>,
    /// The call that this one continues, where it is the second half of a transfer.
    pub origin: Option<Box<Origin>>,
    /// The call into which one of the legs is to move.
    pub onward: Option<Box<Onward>>,
    /// A REFER that the other side carries out.
    pub passed: Option<Passed>,
    /// The dialog whose place the caller wants.
    pub replaces: Option<Box<Replaces>>,
    /// Transfers that led here.
    pub transfers: usize,
}

/// Where a transferred call comes from.
pub struct Origin {
    /// The call that the transferred leg leaves.
    pub from: CallKey,
    /// Referred-By for the target (RFC 3892).
    pub referred_by: Option<String>,
}

/// What the caller's INVITE said, as far as the other side needs it.
pub struct CallerSide {
    pub identity: Identity,
    /// Its offer; none where it left the offer to us.
    pub offer: Option<Description>,
    /// As the called side is shown it.
    pub shown: Party,
    pub max_forwards: u32,
    /// What it speaks already, where there is no offer of its own.
    pub speaks: Vec<Codec>,
    /// The one phone of the called user that it wants (RFC 5627).
    pub phone: Option<Phone>,
    /// The last provisional answer that it was given, and whether media came with it.
    pub told: Option<(u16, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The caller's port is awaited.
    Preparing,
    /// Targets are being tried.
    Trying,
    /// Two legs are joined; `with` is the one that answered.
    Talking { with: usize },
    /// Over, but for what the workers still owe.
    Ending,
}

impl Call {
    pub fn new(key: CallKey, worker: usize, record: CallRecord, caller: CallerSide) -> Call {
        Call {
            key,
            worker,
            record,
            stage: Stage::Preparing,
            legs: Vec::with_capacity(2),
            caller,
            targets: VecDeque::new(),
            target: None,
            pass_headers: HeaderPatterns::default(),
            parting: Headers::new(),
            diversions: Vec::new(),
            forwards: Vec::new(),
            forwards_before: 0,
            failure: None,
            redirects: 0,
            redirected_to: None,
            heard: None,
            offers: 0,
            answered_at: None,
            one_way: None,
            change: None,
            next_bond: FIRST_BOND,
            carried: Vec::new(),
            origin: None,
            onward: None,
            passed: None,
            replaces: None,
            transfers: 0,
        }
    }

    pub fn caller_session(&self) -> Option<SessionId> {
        self.legs.first().and_then(Leg::session)
    }

    pub fn leg_key(&self, leg: usize) -> LegKey {
        LegKey { call: self.key, leg }
    }

    /// Adds a leg beside its record.
    pub fn add_leg(&mut self, leg: Leg, mut record: LegRecord) {
        record.diverted = self.forwards.last().map(Forward::text);
        self.legs.push(leg);
        self.record.legs.push(record);
    }

    /// The leg that this one is joined to.
    pub fn other(&self, leg: usize) -> Option<usize> {
        match self.stage {
            Stage::Talking { with } if leg == 0 => Some(with),
            Stage::Talking { with } if leg == with => Some(0),
            _ => None,
        }
    }

    /// The leg whose wishes this one is told of: the one that it is joined to, or before the answer the one that is heard.
    pub fn across(&self, leg: usize) -> Option<usize> {
        match self.stage {
            Stage::Trying if leg == 0 => self.heard,
            Stage::Trying => Some(0),
            _ => self.other(leg),
        }
    }

    /// Whether the caller hears this leg of the called side.
    pub fn is_heard(&self, leg: usize) -> bool {
        self.heard == Some(leg) || self.other(leg).is_some()
    }

    /// The legs of the called side that may still answer.
    pub fn hopefuls(&self) -> impl Iterator<Item = usize> {
        (1..self.legs.len()).filter(|&leg| self.legs[leg].is_live() && self.legs[leg].arrival.is_none())
    }

    /// Over, recorded and owing nothing.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Ending && !self.legs.iter().any(Leg::owes_report)
    }

    /// For people.
    pub fn view(&self) -> CallView {
        let called = match self.stage {
            Stage::Talking { with } => Some(with),
            _ => self.hopefuls().last(),
        };
        let codec = |leg: usize| {
            let media = self.legs[leg].media.as_ref()?;
            Some(media.agreed()?.codec_text())
        };
        let sound = |leg: usize| self.legs[leg].media.as_ref()?.sound_so_far();
        CallView {
            id: self.record.id.clone(),
            caller: self.record.caller.clone(),
            from: self.record.from.clone(),
            dialled: self.record.dialled.clone(),
            number: self.record.number.clone(),
            target: called.map(|leg| self.record.legs[leg].target.clone()),
            phase: match self.stage {
                Stage::Talking { .. } => Phase::Talking,
                Stage::Ending => Phase::Ending,
                _ if self.record.ringing.is_some() => Phase::Ringing,
                _ => Phase::Routing,
            },
            started: self.record.started,
            answered: self.record.answered,
            caller_codec: codec(0),
            callee_codec: called.and_then(codec),
            caller_sound: sound(0),
            callee_sound: called.and_then(sound),
            one_way: self.one_way.and_then(|one_way| {
                let unheard = self.record.legs[one_way.silent].unheard.last()?;
                Some((if one_way.silent == 0 { Side::Caller } else { Side::Callee }, *unheard))
            }),
        }
    }

    pub fn hold_trunk(&mut self, exchange: &mut Exchange, leg: usize, name: &str) {
        if let Some(trunk) = exchange.trunks.by_name_mut(name) {
            trunk.calls += 1;
            self.legs[leg].trunk = Some(name.to_owned());
        }
    }

    pub fn release_trunk(&mut self, exchange: &mut Exchange, leg: usize) {
        if let Some(trunk) = self.legs[leg].trunk.take().and_then(|name| exchange.trunks.by_name_mut(&name)) {
            trunk.calls = trunk.calls.saturating_sub(1);
        }
    }
}
