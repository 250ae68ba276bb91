//! What a user changes by phone: targets that set up a forward of the caller's own calls, or let nobody disturb them.

use crate::config::problem::Wrong;
use crate::config::section::Section;
use crate::dialplan::target::is_dialable;
use crate::dialplan::template::{Fields, Scope, Template};
use std::fmt;
use std::time::Duration;

/// How long a phone may ring before its calls go elsewhere: shorter is no time to answer, longer is more than callers wait.
pub const AFTER_S: std::ops::RangeInclusive<u64> = 5..=180;

/// When a user's calls go elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    Busy,
    /// Nobody answers in time, or no phone is there.
    NoAnswer,
}

/// A change of the calling user's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Forward {
        when: When,
        /// None to forward no longer.
        to: Option<String>,
        /// How long it rings before; none for the usual time.
        after: Option<Duration>,
    },
    DoNotDisturb {
        on: bool,
    },
}

/// A change as a rule writes it.
#[derive(Clone, Debug)]
pub enum ChangeAim {
    Forward { when: When, to: Option<Template>, after: Option<Template> },
    DoNotDisturb { on: bool },
}

impl When {
    pub fn as_str(self) -> &'static str {
        match self {
            When::Always => "always",
            When::Busy => "busy",
            When::NoAnswer => "no_answer",
        }
    }

    fn parse(text: &str) -> Result<When, Wrong> {
        let all = [When::Always, When::Busy, When::NoAnswer];
        let mend = "write \"always\", \"busy\" or \"no_answer\"";
        let found = all.into_iter().find(|when| when.as_str() == text);
        found.ok_or_else(|| Wrong::new(format!("`{text}` is no time to forward calls"), mend))
    }
}

impl Change {
    /// As records name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Change::Forward { when: When::Always, .. } => "forward:always",
            Change::Forward { when: When::Busy, .. } => "forward:busy",
            Change::Forward { when: When::NoAnswer, .. } => "forward:no_answer",
            Change::DoNotDisturb { .. } => "do_not_disturb",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Forward { when, to: None, .. } => write!(f, "forward no more calls ({})", when.as_str()),
            Change::Forward { when, to: Some(to), after: None } => {
                write!(f, "forward the caller's own calls to {to} ({})", when.as_str())
            }
            Change::Forward { when, to: Some(to), after: Some(after) } => {
                write!(f, "forward the caller's own calls to {to} ({}, after {} s)", when.as_str(), after.as_secs())
            }
            Change::DoNotDisturb { on: true } => f.write_str("let nobody disturb the caller"),
            Change::DoNotDisturb { on: false } => f.write_str("let calls through to the caller again"),
        }
    }
}

impl ChangeAim {
    /// `{ forward = "always", number = "{1}" }`; without a number, calls are forwarded no longer.
    pub fn forward(part: &Section<'_>, scope: Scope) -> Option<ChangeAim> {
        let when = part.read("forward", When::parse);
        let to = part.read("number", |text| Template::parse(text, scope));
        let after = part.read("after", |text| Template::parse(text, scope));
        if part.has("after") && (when.is_some_and(|when| when != When::NoAnswer) || !part.has("number")) {
            let mend = "remove it, or forward = \"no_answer\" to a `number`";
            part.report(part.place_of("after"), "`after` says how long it rings before calls go elsewhere", mend);
        }
        let to = if part.has("number") { Some(to?) } else { None };
        Some(ChangeAim::Forward { when: when?, to, after })
    }

    /// `{ do_not_disturb = true }`
    pub fn do_not_disturb(part: &Section<'_>) -> Option<ChangeAim> {
        Some(ChangeAim::DoNotDisturb { on: part.flag("do_not_disturb")? })
    }

    /// The change that one call makes; why not, where there is none.
    pub fn fill(&self, fields: &Fields<'_>) -> Result<Change, String> {
        match self {
            ChangeAim::DoNotDisturb { on } => Ok(Change::DoNotDisturb { on: *on }),
            ChangeAim::Forward { when, to, after } => {
                let to = to.as_ref().map(|to| to.fill(fields));
                if let Some(to) = to.as_ref().filter(|to| !is_dialable(to)) {
                    return Err(format!("a forward, since \"{}\" can't be dialled", to.escape_debug()));
                }
                let after = after.as_ref().map(|after| after.fill(fields)).filter(|after| !after.is_empty());
                let after = after.map(|after| seconds(&after)).transpose()?;
                Ok(Change::Forward { when: *when, to, after })
            }
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.trim_end_matches('s').parse().ok().filter(|seconds| AFTER_S.contains(seconds));
    let why = || format!("a forward, since {text:?} isn't {} to {} seconds", AFTER_S.start(), AFTER_S.end());
    seconds.map(Duration::from_secs).ok_or_else(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;
    use crate::dialplan::directory::PlanUser;
    use crate::dialplan::plan::{Plan, PlanContext};
    use crate::dialplan::route::{Caller, Request, Target};

    fn parse(text: &str) -> Result<Plan, Vec<String>> {
        let alice = PlanUser { name: "alice".into(), number: None, country: None };
        let context = PlanContext { users: vec![alice], ..PlanContext::default() };
        Plan::parse(&[("t.toml".into(), text.into())], &context)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn first(plan: &Plan, to: &str) -> Target {
        let caller = Caller::User { name: "alice", number: None, country: None };
        let request = Request { caller, from: "alice", to, at: Wall::from_micros(0) };
        plan.route(&request).route.unwrap().targets.remove(0)
    }

    #[test]
    fn a_number_and_a_time_come_out_of_what_is_dialled() {
        let plan = parse(
            "[[rule]]\nname = \"a\"\nregex = \"\\\\*52([^*]+)(?:\\\\*(\\\\d+))?\"\n\
             to = [{ forward = \"no_answer\", number = \"{1}\", after = \"{2}\" }]\n",
        )
        .unwrap();
        let forward = |to: &str, after: Option<u64>| {
            let after = after.map(Duration::from_secs);
            Target::Change(Change::Forward { when: When::NoAnswer, to: Some(to.into()), after })
        };
        assert_eq!(first(&plan, "*52100"), forward("100", None));
        assert_eq!(first(&plan, "*52100*30"), forward("100", Some(30)));
        for wrong in ["*52100*1", "*52100*999", "*52a,b"] {
            assert_eq!(first(&plan, wrong), Target::Reject { status: 404, reason: String::new() }, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_change() {
        let rule = |from: &str, to: &str| format!("[[rule]]\nname = \"a\"\nfrom = [\"{from}\"]\nto = [{to}]\n");
        let wrong = |from: &str, to: &str| parse(&rule(from, to)).unwrap_err();
        assert_eq!(
            wrong("anyone", "{ do_not_disturb = true }"),
            ["t.toml:4: the rule `a` changes settings, which only users have; say who may: from = [\"users\"]"]
        );
        assert_eq!(
            wrong("users", "{ forward = \"sometimes\" }"),
            [
                "t.toml:4: `forward`: `sometimes` is no time to forward calls; write \"always\", \"busy\" or \"no_answer\""
            ]
        );
        assert_eq!(wrong("users", "{ forward = \"busy\", number = \"1\", after = \"9\" }").len(), 1);
        assert_eq!(wrong("users", "{ forward = \"busy\", number = \"{1}\" }").len(), 1);
        assert_eq!(wrong("users", "{ forward = \"busy\", strip = 1 }").len(), 1);
        assert!(parse(&rule("user:alice", "{ do_not_disturb = false }")).is_ok());
    }
}
