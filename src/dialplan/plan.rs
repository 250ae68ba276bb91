//! A loaded dialplan, and its answer for one call.

use crate::config::document;
use crate::config::problem::{Place, Problem, Problems};
use crate::config::section::{Keys, Section};
use crate::config::settings::Settings;
use crate::dialplan::directory::{Directory, PlanTrunk, PlanUser};
use crate::dialplan::explain;
use crate::dialplan::numbering::{self, Hand};
use crate::dialplan::route::{Caller, Decision, Request, Route, Step, Target};
use crate::dialplan::rule::Rule;
use crate::dialplan::shadow;
use crate::dialplan::target::is_dialable;
use crate::dialplan::template::Fields;
use crate::dialplan::test::{Test, TestFailure};
use std::sync::Arc;

/// A route looks at each rule once, so that this bounds what a call costs.
const MAX_RULES: usize = 1_000;
const MAX_TESTS: usize = 10_000;
/// Longer numbers are looked at by no rule.
const MAX_DIALLED: usize = 256;

const KEYS: Keys = Keys { known: &["rule", "test"], later: &["rate", "menu"] };

/// What a plan may refer to.
#[derive(Clone, Debug, Default)]
pub struct PlanContext {
    pub users: Vec<PlanUser>,
    pub trunks: Vec<PlanTrunk>,
    /// Ours: `bob@domain` is `bob`.
    pub domain: String,
    /// In which the local numbers of users are read who have none of their own.
    pub country: Option<String>,
}

impl PlanContext {
    /// What the configuration knows. Users of the store are to be added.
    pub fn of(settings: &Settings) -> PlanContext {
        let user = |user: &crate::config::settings::User| PlanUser {
            name: user.name.clone(),
            number: user.number.clone(),
            country: user.country.clone(),
        };
        let trunk = |trunk: &crate::config::settings::Trunk| PlanTrunk {
            name: trunk.name.clone(),
            country: trunk.country.clone(),
        };
        PlanContext {
            users: settings.users.iter().map(user).collect(),
            trunks: settings.trunks.iter().map(trunk).collect(),
            domain: settings.sip.domain.clone(),
            country: settings.sip.country.clone(),
        }
    }

    pub fn trunk(&self, name: &str) -> Option<&PlanTrunk> {
        self.trunks.iter().find(|trunk| trunk.name == name)
    }
}

/// Rules, from the top; the first match wins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Plan {
    rules: Arc<[Rule]>,
    tests: Arc<[Test]>,
    users: Arc<Directory>,
    domain: String,
    country: Option<String>,
}

impl Plan {
    /// Reads the texts of a plan in their order, each with the name of its file. A plan that comes back has passed its
    /// own tests.
    pub fn parse(sources: &[(String, String)], context: &PlanContext) -> Result<Plan, Vec<Problem>> {
        let problems = Problems::default();
        let plan = Plan::read(sources, context, &problems);
        if problems.is_empty() {
            plan.run_tests().iter().for_each(|failure| problems.add(failure.problem()));
        }
        if problems.is_empty() { Ok(plan) } else { Err(problems.into_sorted()) }
    }

    /// A user is added or changed, as after `tandem user add`.
    pub fn insert_user(&mut self, user: PlanUser) {
        Arc::make_mut(&mut self.users).insert(user);
    }

    pub fn remove_user(&mut self, name: &str) {
        Arc::make_mut(&mut self.users).remove(name);
    }

    /// What is to be done with a call. A caller without a country is read in the plan's. Pure, and bounded by the number of rules.
    pub fn route(&self, request: &Request<'_>) -> Decision {
        self.decide(request, Notes(None))
    }

    /// The same with every step that leads there.
    pub fn explain(&self, request: &Request<'_>) -> Decision {
        self.decide(request, Notes(Some(Vec::new())))
    }

    fn decide(&self, request: &Request<'_>, mut notes: Notes) -> Decision {
        if request.to.len() > MAX_DIALLED {
            let number: String = request.to.chars().take(32).chain("…".chars()).collect();
            let why = || format!("longer than {MAX_DIALLED} bytes, so that no rule looks at it");
            notes.add(|| Step::Rewritten { number: number.clone(), result: number.clone(), why: why() });
            return Decision { number, route: None, steps: notes.into_steps() };
        }
        let number = self.called_number(request, &mut notes);
        let from = self.caller_number(request);
        let user = self.users.dialled(&number).map(|user| user.name.as_str());
        for rule in self.rules.iter() {
            let takes = rule.takes(request.caller, request.at);
            let groups = if takes { rule.called.groups_of(&number, user) } else { None };
            let name = || (rule.name.clone(), rule.place.to_string());
            let Some(groups) = groups else {
                notes.add(|| {
                    let (rule_name, place) = name();
                    let objection = rule.objection(request.caller, request.at);
                    let why = objection.unwrap_or_else(|| rule.called.objection(&number));
                    Step::Passed { rule: rule_name, place, why }
                });
                continue;
            };
            notes.add(|| {
                let (rule, place) = name();
                Step::Matched { rule, place }
            });
            let fields = Fields { number: &number, dialled: request.to, from: &from, user, groups };
            let route = self.fill(rule, &fields, &mut notes);
            return Decision { number, route: Some(route), steps: notes.into_steps() };
        }
        Decision { number, route: None, steps: notes.into_steps() }
    }

    /// The tests that the plan brings with it and fails.
    pub fn run_tests(&self) -> Vec<TestFailure> {
        self.tests.iter().flat_map(|test| test.run(self)).collect()
    }

    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    pub fn test_count(&self) -> usize {
        self.tests.len()
    }

    /// Sound files that the rules play, relative to the folder of the prompts, and where they are named.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.rules.iter().flat_map(|rule| &rule.targets).filter_map(|aim| Some((aim.file()?, &aim.place)))
    }

    pub fn users(&self) -> &Directory {
        &self.users
    }

    fn read(sources: &[(String, String)], context: &PlanContext, problems: &Problems) -> Plan {
        let users = Directory::new(context.users.iter().cloned());
        let countries = context.trunks.iter().filter_map(|trunk| trunk.country.as_deref());
        let countries = countries.chain(context.users.iter().filter_map(|user| user.country.as_deref()));
        countries.chain(context.country.as_deref()).for_each(numbering::prepare);
        let (mut rules, mut tests) = (Vec::new(), Vec::new());
        for (file, text) in sources {
            let root = document::parse(file, text, problems);
            let part = Section::open(&root, "the dialplan", &KEYS, problems);
            for node in part.tables("rule") {
                rules.push((node.place.clone(), Rule::parse(node, context, &users, problems)));
            }
            for node in part.tables("test") {
                tests.push((node.place.clone(), Test::parse(node, context, &users, problems)));
            }
        }
        if let Some((place, _)) = rules.get(MAX_RULES) {
            problems.report(
                place,
                format!("there are more than {MAX_RULES} rules"),
                "join some with `regex` or `[..]`",
            );
        }
        if let Some((place, _)) = tests.get(MAX_TESTS) {
            problems.report(place, format!("there are more than {MAX_TESTS} tests"), "remove some");
        }
        if rules.is_empty() {
            let file = sources.first().map_or("the dialplan", |(file, _)| file);
            let place = Place { file: file.to_owned(), line: None };
            problems.report(&place, "there are no rules", "start one with a line [[rule]]");
        }
        let rules: Vec<Rule> = rules.into_iter().take(MAX_RULES).filter_map(|(_, rule)| rule).collect();
        let tests: Vec<Test> = tests.into_iter().take(MAX_TESTS).filter_map(|(_, test)| test).collect();
        shadow::report(&rules, problems);
        Plan {
            rules: rules.into(),
            tests: tests.into(),
            users: Arc::new(users),
            domain: context.domain.clone(),
            country: context.country.clone(),
        }
    }

    /// What was dialled, without our own domain, and in E.164 where that can be told.
    fn called_number(&self, request: &Request<'_>, notes: &mut Notes) -> String {
        let mut number = request.to.to_owned();
        if let Some((user, domain)) = request.to.rsplit_once('@')
            && domain.eq_ignore_ascii_case(&self.domain)
        {
            number = user.to_owned();
            let why = || format!("{domain} is our own domain");
            notes.add(|| Step::Rewritten { number: request.to.to_owned(), result: number.clone(), why: why() });
        }
        if let Some(reading) = self.read_number(&number, request.caller) {
            notes.add(|| Step::Rewritten { number, result: reading.number.clone(), why: reading.why });
            number = reading.number;
        }
        number
    }

    /// The caller's number in E.164 where that can be told: the user's own, or what arrived.
    fn caller_number(&self, request: &Request<'_>) -> String {
        match request.caller {
            Caller::User { number: Some(number), .. } => number.to_owned(),
            caller => {
                self.read_number(request.from, caller).map_or_else(|| request.from.to_owned(), |reading| reading.number)
            }
        }
    }

    fn read_number(&self, number: &str, caller: Caller<'_>) -> Option<numbering::Reading> {
        let (country, hand) = match caller {
            Caller::User { country, .. } => (country.or(self.country.as_deref()), Hand::Person),
            Caller::Trunk { country, .. } => (country, Hand::Carrier),
            Caller::Stranger => (None, Hand::Person),
        };
        numbering::read(number, country, hand)
    }

    fn fill(&self, rule: &Rule, fields: &Fields<'_>, notes: &mut Notes) -> Route {
        let mut caller = rule.caller.as_ref().map(|template| template.fill(fields));
        if let Some(shown) = caller.take_if(|shown| !is_dialable(shown)) {
            let why = || format!("\"{}\", which the rule makes of it, can't be shown", shown.escape_debug());
            let from = || fields.from.to_owned();
            notes.add(|| Step::Rewritten { number: from(), result: from(), why: why() });
        } else if let Some(shown) = &caller {
            let why = || "the caller is shown with it".to_owned();
            notes.add(|| Step::Rewritten { number: fields.from.to_owned(), result: shown.clone(), why: why() });
        }
        let mut targets = Vec::with_capacity(rule.targets.len());
        for aim in &rule.targets {
            match aim.fill(fields, &self.users) {
                Ok(target) => {
                    notes.add(|| Step::Target { index: targets.len(), text: explain::target_text(&target) });
                    targets.push(target);
                }
                Err(why) => {
                    notes.add(|| Step::Target { index: targets.len(), text: format!("left out: {why}") });
                }
            }
        }
        if targets.is_empty() {
            let target = Target::Reject { status: 404, reason: String::new() };
            notes.add(|| Step::Target { index: 0, text: explain::target_text(&target) });
            targets.push(target);
        }
        let (transfer, pass_headers) = (rule.transfer, rule.pass_headers.clone());
        Route { rule: rule.name.clone(), caller, targets, transfer, pass_headers }
    }
}

/// The steps of a decision, where somebody wants to read them.
struct Notes(Option<Vec<Step>>);

impl Notes {
    fn add(&mut self, step: impl FnOnce() -> Step) {
        if let Some(steps) = &mut self.0 {
            steps.push(step());
        }
    }

    fn into_steps(self) -> Vec<Step> {
        self.0.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;
    use crate::dialplan::moment;

    fn user(name: &str, number: Option<&str>, country: Option<&str>) -> PlanUser {
        PlanUser { name: name.into(), number: number.map(Into::into), country: country.map(Into::into) }
    }

    fn trunk(name: &str, country: Option<&str>) -> PlanTrunk {
        PlanTrunk { name: name.into(), country: country.map(Into::into) }
    }

    fn context() -> PlanContext {
        PlanContext {
            users: vec![
                user("alice", Some("+15550100001"), Some("US")),
                user("bob", Some("+442079460002"), None),
                user("carol", None, None),
            ],
            trunks: vec![trunk("acme", Some("GB")), trunk("globex", None)],
            domain: "example.net".into(),
            country: Some("GB".into()),
        }
    }

    fn parse(text: &str) -> Result<Plan, Vec<String>> {
        Plan::parse(&[("t.toml".into(), text.into())], &context())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn plan(text: &str) -> Plan {
        parse(text).unwrap()
    }

    fn problems(text: &str) -> Vec<String> {
        parse(text).unwrap_err()
    }

    const ALICE: Caller<'static> = Caller::User { name: "alice", number: Some("+15550100001"), country: Some("US") };
    const CAROL: Caller<'static> = Caller::User { name: "carol", number: None, country: None };
    const ACME: Caller<'static> = Caller::Trunk { name: "acme", country: Some("GB") };

    fn ask(plan: &Plan, caller: Caller<'_>, to: &str) -> Decision {
        let at = moment("2026-11-23T15:00Z").unwrap();
        let request = Request { caller, from: "02079460009", to, at };
        let decision = plan.explain(&request);
        // Only who asks for the steps pays for them.
        assert_eq!(plan.route(&request), Decision { steps: Vec::new(), ..decision.clone() });
        decision
    }

    fn first(plan: &Plan, caller: Caller<'_>, to: &str) -> Option<Target> {
        ask(plan, caller, to).route.and_then(|route| route.targets.into_iter().next())
    }

    fn to_trunk(name: &str, number: &str) -> Option<Target> {
        Some(Target::Trunk { name: name.into(), number: number.into(), next_on: vec![] })
    }

    const TOUR: &str = r#"
[[rule]]
name = "Landlines in the USA and Canada"
from = ["users"]
number = "+1NXXNXXXXXX"
when = "Mon-Fri 08:00-18:00 America/New_York"
caller = "+15550100000"
to = [{ trunk = "acme" }, { trunk = "globex", number = "011{digits}" }]

[[test]]
call = { from = "alice", to = "4155550100", at = "2026-11-23T10:00:00-05:00" }
expect = { rule = "Landlines in the USA and Canada", trunk = "acme", number = "+14155550100" }
"#;

    #[test]
    fn the_tour_s_plan_does_what_it_says() {
        let plan = plan(TOUR);
        assert_eq!((plan.rule_count(), plan.test_count()), (1, 1));
        let decision = ask(&plan, ALICE, "4155550100");
        assert_eq!(decision.number, "+14155550100");
        let route = decision.route.unwrap();
        assert_eq!(route.caller.as_deref(), Some("+15550100000"));
        assert_eq!(Some(route.targets[0].clone()), to_trunk("acme", "+14155550100"));
        assert_eq!(Some(route.targets[1].clone()), to_trunk("globex", "01114155550100"));
    }

    #[test]
    fn jabber_is_later_and_says_so() {
        let text =
            "[[rule]]\nname = \"People on Jabber\"\naddress = \"*@jabber.example\"\nto = [{ network = \"xmpp\" }]\n";
        assert_eq!(problems(text), ["t.toml:4: `network` in the target comes with a later release; remove the line"]);
        for kind in ["voicemail", "menu", "enum", "http"] {
            let text = text.replace("network", kind);
            assert_eq!(
                problems(&text),
                [format!("t.toml:4: `{kind}` in the target comes with a later release; remove the line")]
            );
        }
    }

    #[test]
    fn a_failing_test_names_what_was_expected_and_what_was_found() {
        let text = TOUR.replace("trunk = \"acme\", number = \"+1", "trunk = \"globex\", number = \"1");
        assert_eq!(
            problems(&text),
            [
                "t.toml:10: the test of alice calling 4155550100 expects number = 14155550100, found +14155550100; correct the rules or the test; `tandem explain` shows the way of the call",
                "t.toml:10: the test of alice calling 4155550100 expects trunk = globex, found acme; correct the rules or the test; `tandem explain` shows the way of the call",
            ]
        );
        let closed = TOUR.replace("10:00:00-05:00", "20:00:00-05:00");
        assert!(problems(&closed)[0].contains("found no rule for it"), "{:?}", problems(&closed));
    }

    #[test]
    fn the_explanation_shows_every_step() {
        let text = format!(
            "[[rule]]\nname = \"Emergency\"\nfrom = [\"users\"]\nnumber = \"112\"\nto = [{{ trunk = \"acme\" }}]\n{TOUR}"
        );
        let decision = ask(&plan(&text), ALICE, "4155550100");
        assert_eq!(
            explain::explain_text(&decision),
            "number  4155550100 → +14155550100: a national number of US\n\
             rule    Emergency (t.toml:1): no, +14155550100 doesn't fit 112\n\
             rule    Landlines in the USA and Canada (t.toml:7): yes\n\
             number  +15550100001 → +15550100000: the caller is shown with it\n\
             target  1. trunk acme, number +14155550100\n\
             target  2. trunk globex, number 01114155550100\n"
        );
        let json = explain::explain_json(&decision);
        assert_eq!(json["route"]["targets"][1]["number"], "01114155550100");
        assert_eq!(json["steps"][1]["step"], "passed");
        assert_eq!(json["steps"].as_array().unwrap().len(), 6);

        let decision = ask(&plan(&text), ACME, "4155550100");
        let text = explain::explain_text(&decision);
        assert!(text.contains("no, it is for users, not for trunk:acme\n"), "{text}");
        assert!(text.ends_with("result  no rule takes 4155550100: the call is answered 404\n"), "{text}");
        let night = Request { caller: ALICE, from: "", to: "4155550100", at: Wall::from_micros(0) };
        let text = explain::explain_text(&plan(TOUR).explain(&night));
        assert!(
            text.contains("no, Wed 1969-12-31 19:00 there is outside of Mon-Fri 08:00-18:00 America/New_York"),
            "{text}"
        );
    }

    #[test]
    fn users_are_dialled_by_name_and_number() {
        let plan = plan(
            "[[rule]]\nname = \"r\"\nfrom = [\"users\", \"trunks\"]\ndialled = \"user\"\nto = [{ user = \"{user}\" }]\n",
        );
        let bob = Some(Target::User { name: "bob".into() });
        for to in ["bob", "bob@example.net", "bob@EXAMPLE.net", "+442079460002", "02079460002", "020 7946 0002"] {
            assert_eq!(first(&plan, CAROL, to), bob, "{to}");
        }
        assert_eq!(first(&plan, ALICE, "011442079460002"), bob);
        assert_eq!(first(&plan, ACME, "442079460002"), bob);
        for to in ["bobby", "bob@elsewhere.net", "Bob", "+442079460003", ""] {
            assert_eq!(first(&plan, CAROL, to), None, "{to}");
        }
        assert_eq!(first(&plan, Caller::Stranger, "bob"), None);

        let mut later = plan.clone();
        later.insert_user(user("dave", None, None));
        later.insert_user(user("bob", Some("+442079460009"), None));
        assert_eq!(first(&later, CAROL, "+442079460009"), bob);
        assert_eq!(first(&later, CAROL, "+442079460002"), None);
        // A number that passes from one to another is the latter's, in whatever order that is heard of.
        later.insert_user(user("dave", Some("+442079460009"), None));
        later.remove_user("bob");
        assert_eq!(first(&later, CAROL, "+442079460009"), Some(Target::User { name: "dave".into() }));
        assert_eq!(first(&later, CAROL, "bob"), None);
        later.remove_user("dave");
        assert_eq!(first(&later, CAROL, "+442079460009"), None);
        assert_eq!(first(&later, CAROL, "dave"), None);
    }

    #[test]
    fn numbers_are_written_as_the_trunk_s_country_writes_them() {
        let plan = plan(
            "[[rule]]\nname = \"a\"\nnumber = \"+44.\"\nto = [{ trunk = \"acme\" }]\n\
             [[rule]]\nname = \"b\"\nnumber = \"+1.\"\nto = [{ trunk = \"globex\" }]\n\
             [[rule]]\nname = \"c\"\nnumber = \"9X.\"\nto = [{ trunk = \"globex\", strip = 1, prefix = \"00\" }]\n\
             [[rule]]\nname = \"d\"\nnumber = \"+49!\"\nto = [{ trunk = \"globex\", strip = 2, prefix = \"0\" }]\n\
             [[rule]]\nname = \"e\"\nregex = \"(\\\\d\\\\d)\\\\*(\\\\d+)\"\nto = [{ trunk = \"globex\", number = \"{2}{1}\" }]\n\
             [[rule]]\nname = \"f\"\nnumber = \"+33.\"\nto = [{ trunk = \"globex\", number = \"{national}\" }]\n\
             [[rule]]\nname = \"g\"\nnumber = \"8!\"\nto = [{ trunk = \"globex\", number = \"{1}\" }, { reject = 484 }]\n",
        );
        assert_eq!(first(&plan, CAROL, "02079460000"), to_trunk("acme", "02079460000"));
        assert_eq!(first(&plan, CAROL, "0014155550100"), to_trunk("globex", "+14155550100"));
        assert_eq!(first(&plan, CAROL, "91234"), to_trunk("globex", "001234"));
        assert_eq!(first(&plan, CAROL, "+4930123456"), to_trunk("globex", "030123456"));
        assert_eq!(first(&plan, CAROL, "12*345"), to_trunk("globex", "34512"));
        assert_eq!(first(&plan, CAROL, "+33612345678"), to_trunk("globex", "0612345678"));
        assert_eq!(first(&plan, CAROL, "85"), to_trunk("globex", "5"));
        // Nothing is left to dial, so that the target is left out.
        assert_eq!(first(&plan, CAROL, "8"), Some(Target::Reject { status: 484, reason: String::new() }));
    }

    #[test]
    fn a_rule_is_for_those_whom_it_names() {
        let plan = plan(
            "[[rule]]\nname = \"a\"\nfrom = [\"user:alice\"]\nto = [{ reject = 401 }]\n\
             [[rule]]\nname = \"b\"\nto = [{ reject = 402 }]\n\
             [[rule]]\nname = \"c\"\nfrom = [\"trunk:globex\", \"strangers\"]\nto = [{ reject = 403 }]\n\
             [[rule]]\nname = \"d\"\nfrom = [\"anyone\"]\naddress = \"*@Jabber.example\"\nto = [{ reject = 404 }]\n\
             [[rule]]\nname = \"e\"\nfrom = [\"anyone\"]\nnumber = \".\"\nto = [{ reject = 405 }]\n",
        );
        let status = |caller, to| match first(&plan, caller, to) {
            Some(Target::Reject { status, .. }) => status,
            other => panic!("{other:?}"),
        };
        assert_eq!(status(ALICE, "x"), 401);
        assert_eq!(status(CAROL, "x"), 402);
        assert_eq!(status(Caller::Trunk { name: "globex", country: None }, "x"), 403);
        assert_eq!(status(Caller::Stranger, "x"), 403);
        assert_eq!(status(ACME, "Juliet@jabber.EXAMPLE"), 404);
        assert_eq!(status(ACME, "x"), 405);
        assert_eq!(first(&plan, ACME, "x@other.example"), None);
    }

    #[test]
    fn every_mistake_of_a_plan_is_answered() {
        let text = r#"
[[rule]]
name = "a"
from = ["user", "trunk:acne", "user:dave", "alice", "network:xmpp", "martians:x"]
nubmer = "112"
to = [{ trunk = "acne" }, { user = "allice" }, { echo = false }, { user = "bob", trunk = "acme" }, {}]
[[rule]]
name = "b"
number = "1-2"
when = "Mon-Fri 08:00-18:00"
to = []
[[rule]]
name = "c"
regex = "(12"
caller = "{nobody}"
to = [{ trunk = "acme", number = "{1}", strip = 1 }, { play = "../secret.wav" }, { reject = 200 }]
[[rule]]
name = "d"
from = ["anyone"]
number = "+44."
address = "*@x"
to = [{ user = "{user}", repeat = true }]
[[rule]]
name = "e"
from = ["anyone"]
number = "+44."
to = [{ trunk = "acme", next_on = [404, 486, 603, 200] }, { echo = true }, { user = "bob" }]
[[rule]]
to = 5
[[test]]
call = { from = "dave", to = "x", at = "noon" }
expect = { rul = "a" }
[[test]]
call = { from = "acme" }
"#;
        assert_eq!(
            problems(text),
            [
                "t.toml:4: `from`: `alice` could be anything; write \"user:alice\"",
                "t.toml:4: `from`: `network:xmpp`: networks come with a later release; remove it from the list",
                "t.toml:4: `from`: nobody is called `martians:x`; write users, user:NAME, trunks, trunk:NAME, strangers or anyone",
                "t.toml:4: `from`: nobody is called `user`; write users, user:NAME, trunks, trunk:NAME, strangers or anyone",
                "t.toml:4: `from`: there is no trunk `acne`; did you mean `acme`?",
                "t.toml:4: `from`: there is no user `dave`; the nearest known one is `alice`, of: alice, bob, carol",
                "t.toml:5: unknown key `nubmer` in the rule; did you mean `number`?",
                "t.toml:6: `echo` is false; write echo = true, or remove the target",
                "t.toml:6: `trunk`: there is no trunk `acne`; did you mean `acme`?",
                "t.toml:6: `user`: there is no user `allice`; did you mean `alice`?",
                "t.toml:6: the target has user and trunk at once; write a target for each, in the order to try them",
                "t.toml:6: the target says nothing of where to; name one of user, trunk, echo, conference, pickup, play, forward, do_not_disturb, reject",
                "t.toml:9: `number`: `1-2` has a `-`, which no pattern has; take digits, letters, +, *, #, X, Z, N, [..], and . or ! at the end; or write a `regex`",
                "t.toml:10: `when`: `Mon-Fri 08:00-18:00` has no time zone; add one, like \"Europe/London\" or \"UTC\"",
                "t.toml:11: `to` of the rule `b` has no targets; write it like to = [{ user = \"bob\" }], or [{ reject = 603 }]",
                "t.toml:14: `regex`: it is not a regular expression: unclosed group; see https://docs.rs/regex for what can be written",
                "t.toml:15: `caller`: unknown field {nobody}; the nearest known one is `from`, of: number, digits, national, dialled, from, user",
                "t.toml:16: `number` leaves nothing to `strip` and `prefix`; write the whole number with {digits} and the like, or keep `strip` and `prefix`",
                "t.toml:16: `play`: `../secret.wav` isn't in the folder of the prompts; name a file in the folder of the prompts, like \"welcome.wav\"",
                "t.toml:16: `reject` = 200 is out of range; choose from 400 to 699",
                "t.toml:21: the rule `d` has number and address at once; keep one, or write two rules",
                "t.toml:22: `repeat` means nothing to the target `user`; remove it",
                "t.toml:27: 200 in `next_on` is out of range; choose from 300 to 699",
                "t.toml:27: 486 in `next_on`: a person who is busy or declines is not called by another way; remove it",
                "t.toml:27: 603 in `next_on`: a person who is busy or declines is not called by another way; remove it",
                "t.toml:27: the rule `e` lets strangers call out over trunk `acme`, at your cost; say who may: from = [\"users\"], or a trunk",
                "t.toml:27: the target is never reached, since the one before it ends the call; remove one",
                "t.toml:28: the rule has no `name`; add name = \"Local calls\"",
                "t.toml:29: `to` of the rule has no targets; write it like to = [{ user = \"bob\" }], or [{ reject = 603 }]",
                "t.toml:31: `at`: `noon` is not a moment; write it like \"2026-11-21T09:00Z\" or \"2026-11-23T10:00:00-05:00\"",
                "t.toml:31: `from`: there is no user `dave`; the nearest known one is `alice`, of: alice, bob, carol",
                "t.toml:32: unknown key `rul` in `expect`; did you mean `rule`?",
                "t.toml:33: the test has no `expect`; add expect = { rule = \"…\" }",
                "t.toml:34: `call` has no `to`; add to = \"bob\"",
                "t.toml:34: `from`: there is no user `acme`; did you mean `trunk:acme`?",
            ]
        );
    }

    #[test]
    fn rules_that_nothing_reaches_are_named() {
        let rule = |name: &str, rest: &str| format!("[[rule]]\nname = \"{name}\"\n{rest}\nto = [{{ reject = 404 }}]\n");
        let text = rule("a", "number = \"+44.\"")
            + &rule("b", "number = \"+442.\"\nwhen = \"Mon UTC\"")
            + &rule("c", "from = [\"anyone\"]\nnumber = \"+442.\"");
        assert_eq!(
            problems(&text),
            ["t.toml:5: the rule `b` is never reached: `a` at t.toml:1 takes all its calls; move it up, or remove one"]
        );
        let text = rule("a", "") + &rule("a", "from = [\"user:bob\"]\ndialled = \"user\"");
        assert_eq!(
            problems(&text),
            [
                "t.toml:5: the rule `a` has the name of the one at t.toml:1; give each rule a name of its own",
                "t.toml:5: the rule `a` is never reached: `a` at t.toml:1 takes all its calls; move it up, or remove one",
            ]
        );
        let fine = rule("a", "number = \"112\"\nwhen = \"Mon UTC\"")
            + &rule("b", "number = \"112\"")
            + &rule("c", "dialled = \"user\"")
            + &rule("d", "regex = \"x+\"")
            + &rule("e", "");
        assert_eq!(plan(&fine).rule_count(), 5);
        assert_eq!(problems(""), ["t.toml: there are no rules; start one with a line [[rule]]"]);
    }

    #[test]
    fn what_no_phone_sends_is_refused_early() {
        let plan = plan(
            "[[rule]]\nname = \"a\"\nregex = \"(.*)\"\ncaller = \"{1}\"\nto = [{ trunk = \"globex\", number = \"{1}\" }]\n",
        );
        let long = "9".repeat(5_000);
        let decision = ask(&plan, CAROL, &long);
        assert!(decision.route.is_none() && decision.number.len() < 64);
        // Nothing gets through that could end one header and begin another.
        let decision = ask(&plan, CAROL, "1\r\nX: y").route;
        assert_eq!(decision, None);
        let route = ask(&plan, CAROL, "1;x=y>").route.unwrap();
        assert_eq!((route.caller, &route.targets[0]), (None, &Target::Reject { status: 404, reason: String::new() }));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "\\PC{0,80}", key in "(name|from|number|regex|when|caller|to|address)", value in "[\"'\\[{0-9a-zX.*:@-]{0,12}") {
            let _ = parse(&text);
            let _ = parse(&format!("[[rule]]\nname = \"n\"\n{key} = {value}\n"));
            let _ = parse(&format!("[[rule]]\nname = \"n\"\n{key} = \"{value}\"\nto = [{{ echo = true }}]\n"));
        }

        #[test]
        fn any_number_has_an_answer(to in "\\PC{0,40}") {
            let plan = plan(TOUR);
            for caller in [ALICE, CAROL, ACME, Caller::Stranger] {
                ask(&plan, caller, &to);
            }
        }
    }
}
