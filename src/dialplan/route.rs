//! What a plan is asked, and what it answers.

use crate::base::time::Wall;
use crate::config::identity::HeaderPatterns;
use crate::config::settings::Transfer;
use crate::dialplan::change::Change;

/// One call that wants a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    pub caller: Caller<'a>,
    /// The caller's number or address, as it arrived.
    pub from: &'a str,
    /// What was dialled: a number, a name, a feature code, or `user@domain` where the domain isn't ours.
    pub to: &'a str,
    pub at: Wall,
}

/// Who is calling, after authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    /// Without a country, the plan's is taken.
    User {
        name: &'a str,
        number: Option<&'a str>,
        country: Option<&'a str>,
    },
    Trunk {
        name: &'a str,
        country: Option<&'a str>,
    },
    Stranger,
}

/// What a plan says about one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The number as the rules saw it: E.164 where a country was known, otherwise as dialled.
    pub number: String,
    /// None where no rule matched.
    pub route: Option<Route>,
    /// Every step on the way, for `tandem explain`.
    pub steps: Vec<Step>,
}

impl Decision {
    /// The users whose phones it leads to.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.route.iter().flat_map(|route| &route.targets).filter_map(|target| match target {
            Target::User { name } => Some(name.as_str()),
            _ => None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The name of the rule that matched.
    pub rule: String,
    /// What the called side is shown as the caller's number; none for the caller's own.
    pub caller: Option<String>,
    /// To be tried in order.
    pub targets: Vec<Target>,
    /// Who carries a transfer to these targets out.
    pub transfer: Transfer,
    /// Header fields that pass between the two sides.
    pub pass_headers: HeaderPatterns,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All phones that a user has registered.
    User { name: String },
    Trunk {
        name: String,
        /// The called number as this trunk is sent it.
        number: String,
        /// Answers after which the next target is tried, beside the default ones; 486, 600 and 603 never are.
        next_on: Vec<u16>,
    },
    /// The caller hears themself.
    Echo,
    /// A room in which all hear each other; recorded from its beginning on, where that is wished.
    Conference { name: String, record: bool },
    /// The call that rings longest at a user.
    PickUp { user: String },
    /// A sound file, once or until the caller hangs up.
    Play { file: String, repeat: bool },
    /// A setting of the calling user is changed, and the caller hears that it is.
    Change(Change),
    Reject {
        status: u16,
        /// Empty for the usual phrase of the status.
        reason: String,
    },
}

/// One step of a decision, to be shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `number` became `result`, because `why`.
    Rewritten {
        number: String,
        result: String,
        why: String,
    },
    /// A rule was passed over.
    Passed {
        rule: String,
        place: String,
        why: String,
    },
    Matched {
        rule: String,
        place: String,
    },
    Target {
        index: usize,
        text: String,
    },
}

impl Target {
    /// Whether the caller needs no sound of its own for it.
    pub fn is_silent(&self) -> bool {
        matches!(self, Target::Reject { .. } | Target::PickUp { .. })
    }

    /// The room that it leads to.
    pub fn room(&self) -> Option<&str> {
        match self {
            Target::Conference { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether a call that somebody else sends on may end there.
    pub fn takes_calls(&self) -> bool {
        !matches!(self, Target::Reject { .. } | Target::PickUp { .. } | Target::Change(_))
    }

    /// Whether an answer of this target leads to the next one.
    ///
    /// A busy or declining person is not called again by another way (486, 600, 603), nor is any global failure (6xx).
    pub fn leads_on(&self, status: u16) -> bool {
        if status == 486 || (600..700).contains(&status) {
            return false;
        }
        let chosen = match self {
            Target::Trunk { next_on, .. } => next_on.as_slice(),
            _ => &[],
        };
        chosen.contains(&status)
            || status == 408
            || status == 480 && matches!(self, Target::User { .. } | Target::PickUp { .. })
            || (500..600).contains(&status)
    }
}
