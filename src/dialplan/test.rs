//! The tests that a plan brings with it. A plan that fails one never goes live.

use crate::base::time::Wall;
use crate::config::document::{Node, Value};
use crate::config::problem::{Place, Problem, Problems, Wrong};
use crate::config::section::{Keys, Section};
use crate::dialplan::change::Change;
use crate::dialplan::directory::Directory;
use crate::dialplan::explain;
use crate::dialplan::plan::{Plan, PlanContext};
use crate::dialplan::route::{Caller, Decision, Request, Target};
use crate::dialplan::target::{known_trunk, name_one};
use std::fmt;

/// A Wednesday at noon in UTC, for a test that doesn't say when.
const NOON: &str = "2026-01-07T12:00:00Z";

const KEYS: Keys = Keys { known: &["call", "expect"], later: &[] };
const CALL: Keys = Keys { known: &["from", "caller", "to", "at"], later: &[] };
const EXPECT: Keys = Keys {
    known: &[
        "rule",
        "trunk",
        "user",
        "number",
        "caller",
        "echo",
        "conference",
        "pickup",
        "play",
        "forward",
        "do_not_disturb",
        "reject",
    ],
    later: &["network", "voicemail", "menu", "enum", "http", "cost"],
};

#[derive(Clone, Debug)]
pub struct Test {
    place: Place,
    from: From,
    /// The number that arrives with the call; none for the user's own.
    caller: Option<String>,
    to: String,
    at: Wall,
    expect: Vec<(Fact, String)>,
}

#[derive(Clone, Debug)]
enum From {
    /// A user without a name or number, so that a test doesn't depend on who has an account.
    AnyUser,
    User(String),
    Trunk {
        name: String,
        country: Option<String>,
    },
    Stranger,
}

/// What a test can expect of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Rule,
    /// Of the first target.
    Trunk,
    /// Of all targets that are trunks, in order: a list in the test.
    Trunks,
    User,
    Number,
    Numbers,
    Caller,
    Echo,
    Conference,
    PickUp,
    Play,
    Forward,
    DoNotDisturb,
    Reject,
}

/// A call that goes another way than its test says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFailure {
    pub place: Place,
    pub from: String,
    pub to: String,
    /// `trunk = acme`.
    pub expected: String,
    pub found: String,
}

impl TestFailure {
    pub fn problem(&self) -> Problem {
        Problem {
            file: self.place.file.clone(),
            line: self.place.line,
            what: format!(
                "the test of {} calling {} expects {}, found {}",
                self.from, self.to, self.expected, self.found
            ),
            mend: "correct the rules or the test; `tandem explain` shows the way of the call".to_owned(),
        }
    }
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}

/// Reads a moment as `--at` and the tests write it: RFC 3339, the seconds may be left out.
pub fn moment(text: &str) -> Result<Wall, Wrong> {
    let stamp = text.parse::<jiff::Timestamp>().map_err(|_| {
        Wrong::new(
            format!("`{text}` is not a moment"),
            "write it like \"2026-11-21T09:00Z\" or \"2026-11-23T10:00:00-05:00\"",
        )
    })?;
    Ok(Wall::from_micros(stamp.as_microsecond()))
}

impl Test {
    /// None where it can't be run, which is reported.
    pub fn parse(node: &Node, context: &PlanContext, users: &Directory, problems: &Problems) -> Option<Test> {
        let part = Section::open(node, "the test", &KEYS, problems);
        let inner = |key: &str, example: &str| {
            if !part.has(key) {
                part.missing(key, example);
            }
            part.get(key)
        };
        let call = inner("call", "{ from = \"alice\", to = \"bob\" }");
        let expect = inner("expect", "{ rule = \"…\" }");
        let expect = expect.and_then(|node| expectations(&Section::open(node, "`expect`", &EXPECT, problems)));

        let call = Section::open(call?, "`call`", &CALL, problems);
        for (key, example) in [("from", "\"alice\""), ("to", "\"bob\"")] {
            if !call.has(key) {
                call.missing(key, example);
            }
        }
        let from = call.read("from", |text| caller(text, context, users));
        let at = match call.get("at").map(|node| &node.value) {
            None => moment(NOON).ok(),
            Some(Value::Moment(text)) => match moment(text) {
                Ok(at) => Some(at),
                Err(wrong) => {
                    call.report(call.place_of("at"), wrong.what, wrong.mend);
                    None
                }
            },
            Some(_) => call.read("at", moment),
        };
        Some(Test {
            place: node.place.clone(),
            caller: call.word("caller").map(str::to_owned),
            to: call.word("to")?.to_owned(),
            from: from?,
            at: at?,
            expect: expect?,
        })
    }

    pub fn run(&self, plan: &Plan) -> Vec<TestFailure> {
        let decision = self.decide(plan);
        let failure = |(fact, expected): &(Fact, String)| {
            let found = fact.of(&decision);
            if found.as_ref() == Some(expected) {
                return None;
            }
            Some(TestFailure {
                place: self.place.clone(),
                from: self.caller_name(),
                to: self.to.clone(),
                expected: format!("{} = {expected}", fact.key()),
                found: found.unwrap_or_else(|| decision_text(&decision)),
            })
        };
        self.expect.iter().filter_map(failure).collect()
    }

    fn decide(&self, plan: &Plan) -> Decision {
        let given = self.caller.as_deref();
        let (caller, from) = match &self.from {
            From::User(name) => {
                let user = plan.users().user(name);
                let number = given.or(user.and_then(|user| user.number.as_deref()));
                let country = user.and_then(|user| user.country.as_deref());
                (Caller::User { name, number, country }, number.unwrap_or(name))
            }
            From::AnyUser => (Caller::User { name: "", number: given, country: None }, given.unwrap_or("anonymous")),
            From::Trunk { name, country } => {
                (Caller::Trunk { name, country: country.as_deref() }, given.unwrap_or("anonymous"))
            }
            From::Stranger => (Caller::Stranger, given.unwrap_or("anonymous")),
        };
        plan.route(&Request { caller, from, to: &self.to, at: self.at })
    }

    fn caller_name(&self) -> String {
        match &self.from {
            From::AnyUser => "a user".to_owned(),
            From::User(name) => name.clone(),
            From::Trunk { name, .. } => format!("trunk:{name}"),
            From::Stranger => "a stranger".to_owned(),
        }
    }
}

fn caller(text: &str, context: &PlanContext, users: &Directory) -> Result<From, Wrong> {
    match text.split_once(':') {
        None if text == "stranger" => Ok(From::Stranger),
        None if text == "users" => Ok(From::AnyUser),
        Some(("trunk", name)) => {
            known_trunk(name, context)?;
            let country = context.trunk(name).and_then(|trunk| trunk.country.clone());
            Ok(From::Trunk { name: name.to_owned(), country })
        }
        None | Some(("user", _)) => {
            let name = text.strip_prefix("user:").unwrap_or(text);
            if users.user(name).is_none() {
                let mend = match context.trunk(name) {
                    Some(_) => format!("did you mean `trunk:{name}`?"),
                    None => name_one("user", name, &users.names()),
                };
                return Err(Wrong::new(format!("there is no user `{name}`"), mend));
            }
            Ok(From::User(name.to_owned()))
        }
        Some(_) => {
            Err(Wrong::new(format!("`{text}` is no caller"), "write a user's name, users, trunk:NAME, or stranger"))
        }
    }
}

/// None where one of them is wrong, so that a test doesn't pass on what is left.
fn expectations(part: &Section<'_>) -> Option<Vec<(Fact, String)>> {
    let mut expected = Vec::new();
    let texts = [Fact::Rule, Fact::User, Fact::Conference, Fact::PickUp, Fact::Caller, Fact::Play, Fact::Forward];
    for fact in texts {
        if part.has(fact.key()) {
            expected.push((fact, part.text(fact.key())?.to_owned()));
        }
    }
    for (one, all) in [(Fact::Trunk, Fact::Trunks), (Fact::Number, Fact::Numbers)] {
        match part.get(one.key()).map(|node| &node.value) {
            None => {}
            Some(Value::List(_)) => {
                let names = part.list(one.key(), |text| Ok(text.to_owned()))?;
                expected.push((all, list_text(names.iter().map(|(name, _)| name.as_str()))));
            }
            Some(_) => expected.push((one, part.text(one.key())?.to_owned())),
        }
    }
    if part.has("echo") {
        expected.push((Fact::Echo, part.flag("echo")?.to_string()));
    }
    if part.has("do_not_disturb") {
        expected.push((Fact::DoNotDisturb, part.flag("do_not_disturb")?.to_string()));
    }
    if part.has("reject") {
        expected.push((Fact::Reject, part.integer("reject", 400..=699u16)?.to_string()));
    }
    if part.is_empty() {
        part.report(part.place(), "the test expects nothing", "name the rule, the trunk, the number …");
    }
    if expected.is_empty() { None } else { Some(expected) }
}

impl Fact {
    fn key(self) -> &'static str {
        match self {
            Fact::Rule => "rule",
            Fact::Trunk | Fact::Trunks => "trunk",
            Fact::User => "user",
            Fact::Number | Fact::Numbers => "number",
            Fact::Caller => "caller",
            Fact::Echo => "echo",
            Fact::Conference => "conference",
            Fact::PickUp => "pickup",
            Fact::Play => "play",
            Fact::Forward => "forward",
            Fact::DoNotDisturb => "do_not_disturb",
            Fact::Reject => "reject",
        }
    }

    fn of(self, decision: &Decision) -> Option<String> {
        let route = decision.route.as_ref();
        let first = route.and_then(|route| route.targets.first());
        match (self, first) {
            (Fact::Rule, _) => Some(route?.rule.clone()),
            (Fact::Caller, _) => route?.caller.clone(),
            (Fact::Echo, first) => Some(matches!(first, Some(Target::Echo)).to_string()),
            (Fact::Trunk, Some(Target::Trunk { name, .. }))
            | (Fact::Number, Some(Target::Trunk { number: name, .. }))
            | (Fact::User, Some(Target::User { name }))
            | (Fact::Conference, Some(Target::Conference { name, .. }))
            | (Fact::PickUp, Some(Target::PickUp { user: name }))
            | (Fact::Play, Some(Target::Play { file: name, .. })) => Some(name.clone()),
            (Fact::Number, Some(Target::Change(Change::Forward { to, .. }))) => to.clone(),
            (Fact::Forward, Some(Target::Change(Change::Forward { when, .. }))) => Some(when.as_str().to_owned()),
            (Fact::DoNotDisturb, Some(Target::Change(Change::DoNotDisturb { on }))) => Some(on.to_string()),
            (Fact::Trunks, _) => Some(list_text(trunks(&route?.targets).map(|(name, _)| name))),
            (Fact::Numbers, _) => Some(list_text(trunks(&route?.targets).map(|(_, number)| number))),
            // A call that no rule wants is answered 404.
            (Fact::Reject, None) => Some("404".to_owned()),
            (Fact::Reject, Some(Target::Reject { status, .. })) => Some(status.to_string()),
            _ => None,
        }
    }
}

fn trunks(targets: &[Target]) -> impl Iterator<Item = (&str, &str)> {
    targets.iter().filter_map(|target| match target {
        Target::Trunk { name, number, .. } => Some((name.as_str(), number.as_str())),
        _ => None,
    })
}

fn list_text<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", names.collect::<Vec<_>>().join(", "))
}

fn decision_text(decision: &Decision) -> String {
    match &decision.route {
        None => "no rule for it".to_owned(),
        Some(route) => {
            let targets: Vec<String> = route.targets.iter().map(explain::target_text).collect();
            format!("{} by the rule `{}`", targets.join(", then "), route.rule)
        }
    }
}
