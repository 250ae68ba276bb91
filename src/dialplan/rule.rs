//! One rule: for whom, for what, when, and where to.

use crate::base::time::Wall;
use crate::config::document::{Node, Value};
use crate::config::identity::HeaderPatterns;
use crate::config::problem::{Place, Problems, Wrong};
use crate::config::section::{Keys, Section};
use crate::config::settings::Transfer;
use crate::config::value;
use crate::dialplan::directory::Directory;
use crate::dialplan::pattern::Pattern;
use crate::dialplan::plan::PlanContext;
use crate::dialplan::route::Caller;
use crate::dialplan::schedule::Schedule;
use crate::dialplan::target::{Aim, known_trunk, name_one};
use crate::dialplan::template::{Scope, Template};
use regex::{Regex, RegexBuilder};

/// What a regular expression may take compiled, in bytes: enough for any list of prefixes that a person writes.
const MAX_REGEX_BYTES: usize = 1 << 20;
/// A caller isn't left to wait for more.
const MAX_TARGETS: usize = 32;

const KEYS: Keys = Keys {
    known: &[
        "name",
        "from",
        "number",
        "regex",
        "address",
        "dialled",
        "when",
        "caller",
        "to",
        "transfer",
        "pass_headers",
    ],
    later: &["cost", "credit", "record"],
};

#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    pub place: Place,
    pub from: Vec<Source>,
    pub called: Called,
    pub when: Option<Schedule>,
    pub caller: Option<Template>,
    pub targets: Vec<Aim>,
    pub transfer: Transfer,
    pub pass_headers: HeaderPatterns,
}

/// Callers whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Anyone,
    Users,
    User(String),
    Trunks,
    Trunk(String),
    Strangers,
}

/// What a rule wants of the called number.
#[derive(Clone, Debug)]
pub enum Called {
    Anything,
    Number(Pattern),
    Regex(Regex),
    /// An address with a domain that isn't ours.
    Address(String, Regex),
    /// The name or the number of one of our users.
    User,
}

impl Rule {
    /// None where it can't be used, which is reported, like every lesser mistake.
    pub fn parse(node: &Node, context: &PlanContext, users: &Directory, problems: &Problems) -> Option<Rule> {
        let mut part = Section::open(node, "the rule", &KEYS, problems);
        let name = part.word("name").map(str::to_owned);
        match &name {
            Some(name) => part.rename(format!("the rule `{name}`")),
            None if !part.has("name") => part.missing("name", "\"Local calls\""),
            None => {}
        }
        let from = part.list("from", |text| Source::parse(text, context, users));
        let called = Called::parse(&part);
        let scope = called.as_ref().map_or(Scope { groups: 9, user: true }, Called::scope);
        let when = part.read("when", Schedule::parse);
        let caller = part.read("caller", |text| Template::parse(text, scope));
        let targets = targets(&part, scope, context, users, problems);
        let rule = Rule {
            name: name?,
            place: node.place.clone(),
            // A rule that doesn't say is for our own users: nobody else gets in by an oversight.
            from: match from {
                Some(sources) => sources.into_iter().map(|(source, _)| source).collect(),
                None => vec![Source::Users],
            },
            called: called?,
            when: if part.has("when") { Some(when?) } else { None },
            caller,
            targets,
            transfer: part.read("transfer", value::transfer).unwrap_or_default(),
            pass_headers: HeaderPatterns::read(&part, "pass_headers"),
        };
        rule.check(&part);
        Some(rule)
    }

    /// Whether the rule is for a call of this side at this time.
    pub fn takes(&self, caller: Caller<'_>, at: Wall) -> bool {
        self.from.iter().any(|source| source.takes(caller)) && self.when.as_ref().is_none_or(|when| when.holds(at))
    }

    /// Why it isn't, in words.
    pub fn objection(&self, caller: Caller<'_>, at: Wall) -> Option<String> {
        if !self.from.iter().any(|source| source.takes(caller)) {
            let from: Vec<String> = self.from.iter().map(Source::text).collect();
            return Some(format!("it is for {}, not for {}", from.join(", "), caller_text(caller)));
        }
        let when = self.when.as_ref().filter(|when| !when.holds(at))?;
        Some(format!("{} there is outside of {}", when.clock(at), when.text()))
    }

    /// Mistakes of the rule as a whole.
    fn check(&self, part: &Section<'_>) {
        if matches!(part.get("from"), Some(Node { value: Value::List(items), .. }) if items.is_empty()) {
            let what = format!("{} is for nobody", part.name());
            part.report(part.place_of("from"), what, "name callers, like [\"users\"]");
        }
        let public = self.from.iter().any(|source| matches!(source, Source::Anyone | Source::Strangers));
        if public && let Some((aim, trunk)) = self.targets.iter().find_map(|aim| Some((aim, aim.open_trunk()?))) {
            let what = format!("{} lets strangers call out over trunk `{trunk}`, at your cost", part.name());
            part.report(&aim.place, what, "say who may: from = [\"users\"], or a trunk");
        }
        let outsiders = self.from.iter().any(|source| !matches!(source, Source::Users | Source::User(_)));
        if let Some(aim) = self.targets.iter().find(|aim| outsiders && aim.is_for_users()) {
            let what = format!("{} changes settings, which only users have", part.name());
            part.report(&aim.place, what, "say who may: from = [\"users\"]");
        }
        if let Some([_, behind]) = self.targets.windows(2).find(|pair| pair[0].is_last()) {
            part.report(
                &behind.place,
                "the target is never reached, since the one before it ends the call",
                "remove one",
            );
        }
    }
}

impl Source {
    fn parse(text: &str, context: &PlanContext, users: &Directory) -> Result<Source, Wrong> {
        match text.split_once(':') {
            None => match text {
                "anyone" => Ok(Source::Anyone),
                "users" => Ok(Source::Users),
                "trunks" => Ok(Source::Trunks),
                "strangers" => Ok(Source::Strangers),
                name if users.user(name).is_some() => {
                    Err(Wrong::new(format!("`{name}` could be anything"), format!("write \"user:{name}\"")))
                }
                name if context.trunk(name).is_some() => {
                    Err(Wrong::new(format!("`{name}` could be anything"), format!("write \"trunk:{name}\"")))
                }
                _ => Err(Source::unknown(text)),
            },
            Some(("user", name)) if users.user(name).is_some() => Ok(Source::User(name.to_owned())),
            Some(("user", name)) => {
                Err(Wrong::new(format!("there is no user `{name}`"), name_one("user", name, &users.names())))
            }
            Some(("trunk", name)) => known_trunk(name, context).map(|()| Source::Trunk(name.to_owned())),
            Some(("network", _)) => {
                Err(Wrong::new(format!("`{text}`: networks come with a later release"), "remove it from the list"))
            }
            Some(_) => Err(Source::unknown(text)),
        }
    }

    fn unknown(text: &str) -> Wrong {
        let mend = "write users, user:NAME, trunks, trunk:NAME, strangers or anyone";
        Wrong::new(format!("nobody is called `{text}`"), mend)
    }

    fn takes(&self, caller: Caller<'_>) -> bool {
        match (self, caller) {
            (Source::Anyone, _)
            | (Source::Users, Caller::User { .. })
            | (Source::Trunks, Caller::Trunk { .. })
            | (Source::Strangers, Caller::Stranger) => true,
            (Source::User(mine), Caller::User { name, .. }) | (Source::Trunk(mine), Caller::Trunk { name, .. }) => {
                mine == name
            }
            _ => false,
        }
    }

    fn text(&self) -> String {
        match self {
            Source::Anyone => "anyone".to_owned(),
            Source::Users => "users".to_owned(),
            Source::Trunks => "trunks".to_owned(),
            Source::Strangers => "strangers".to_owned(),
            Source::User(name) => format!("user:{name}"),
            Source::Trunk(name) => format!("trunk:{name}"),
        }
    }
}

/// Who is calling, for people.
pub fn caller_text(caller: Caller<'_>) -> String {
    match caller {
        Caller::User { name, .. } => format!("user:{name}"),
        Caller::Trunk { name, .. } => format!("trunk:{name}"),
        Caller::Stranger => "a stranger".to_owned(),
    }
}

impl Called {
    fn parse(part: &Section<'_>) -> Option<Called> {
        let keys: Vec<&str> =
            ["number", "regex", "address", "dialled"].into_iter().filter(|key| part.has(key)).collect();
        match keys.as_slice() {
            [] => Some(Called::Anything),
            ["number"] => part.read("number", Pattern::parse).map(Called::Number),
            ["regex"] => part.read("regex", whole).map(Called::Regex),
            ["address"] => {
                let text = part.text("address")?.to_owned();
                part.read("address", glob).map(|regex| Called::Address(text, regex))
            }
            ["dialled"] => part.read("dialled", |text| match text {
                "user" => Ok(Called::User),
                _ => Err(Wrong::new(format!("`{text}` can't be dialled"), "write dialled = \"user\", or a `number`")),
            }),
            several => {
                let what = format!("{} has {} at once", part.name(), several.join(" and "));
                part.report(part.place_of(several[1]), what, "keep one, or write two rules");
                None
            }
        }
    }

    fn scope(&self) -> Scope {
        let groups = match self {
            Called::Number(pattern) => pattern.groups(),
            Called::Regex(regex) | Called::Address(_, regex) => regex.captures_len() - 1,
            Called::Anything | Called::User => 0,
        };
        Scope { groups, user: matches!(self, Called::User) }
    }

    /// The groups that the called number gives; none where it isn't meant.
    pub fn groups_of(&self, number: &str, user: Option<&str>) -> Option<Vec<String>> {
        let is_address = number.contains('@');
        match self {
            Called::Anything => Some(Vec::new()),
            Called::User => user.map(|_| Vec::new()),
            Called::Address(_, regex) if is_address => groups(regex, &number.to_lowercase()),
            Called::Address(..) => None,
            _ if is_address => None,
            Called::Number(pattern) => pattern.groups_of(number),
            Called::Regex(regex) => groups(regex, number),
        }
    }

    /// Why a number that it doesn't fit doesn't.
    pub fn objection(&self, number: &str) -> String {
        let is_address = number.contains('@');
        match self {
            Called::Anything => String::new(),
            Called::User => format!("no user has the name or number {number}"),
            Called::Address(..) if is_address => format!("{number} doesn't fit the address {}", self.text()),
            Called::Address(..) => format!("{number} is not an address of another domain"),
            _ if is_address => format!("{number} is an address, not a number"),
            Called::Number(pattern) => format!("{number} doesn't fit {}", pattern.text()),
            Called::Regex(_) => format!("{number} doesn't fit the regex {}", self.text()),
        }
    }

    /// As the rule has it.
    fn text(&self) -> &str {
        match self {
            Called::Anything | Called::User => "",
            Called::Number(pattern) => pattern.text(),
            Called::Address(text, _) => text,
            Called::Regex(regex) => {
                let text = regex.as_str();
                text.strip_prefix("^(?:").and_then(|text| text.strip_suffix(")$")).unwrap_or(text)
            }
        }
    }
}

fn groups(regex: &Regex, number: &str) -> Option<Vec<String>> {
    // Most rules don't fit, which is found out without room for groups.
    let captures = regex.is_match(number).then(|| regex.captures(number)).flatten()?;
    Some(captures.iter().skip(1).map(|group| group.map_or("", |group| group.as_str()).to_owned()).collect())
}

/// A regular expression that has to fit from the first character to the last.
fn whole(text: &str) -> Result<Regex, Wrong> {
    let mend = "see https://docs.rs/regex for what can be written";
    // Checked alone first, so that a parenthesis too many isn't mended by the ones around it.
    let check = RegexBuilder::new(text).size_limit(MAX_REGEX_BYTES).build();
    let built = check.and_then(|_| RegexBuilder::new(&format!("^(?:{text})$")).size_limit(MAX_REGEX_BYTES).build());
    let regex = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Wrong::new("it is too large", "write several rules"),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            Wrong::new(format!("it is not a regular expression: {}", last.trim_start_matches("error: ")), mend)
        }
    })?;
    if regex.captures_len() > 10 {
        return Err(Wrong::new("it has more than 9 groups", "write (?:…) for those that no template needs"));
    }
    Ok(regex)
}

/// An address in which `*` stands for anything. Case doesn't count.
fn glob(text: &str) -> Result<Regex, Wrong> {
    let example = "write it like \"*@jabber.example\"";
    if !text.contains('@') {
        return Err(Wrong::new(format!("`{text}` is not an address"), example));
    }
    let parts: Vec<String> = text.split('*').map(|part| regex::escape(&part.to_lowercase())).collect();
    if parts.len() > 10 {
        return Err(Wrong::new(format!("`{text}` has more than 9 stars"), example));
    }
    whole(&parts.join("(.*)"))
}

fn targets(
    part: &Section<'_>,
    scope: Scope,
    context: &PlanContext,
    users: &Directory,
    problems: &Problems,
) -> Vec<Aim> {
    let items = match part.get("to") {
        Some(Node { value: Value::List(items), .. }) if !items.is_empty() => items,
        Some(_) => {
            let mend = "write it like to = [{ user = \"bob\" }], or [{ reject = 603 }]";
            part.report(part.place_of("to"), format!("`to` of {} has no targets", part.name()), mend);
            return Vec::new();
        }
        None => {
            part.missing("to", "[{ user = \"bob\" }]");
            return Vec::new();
        }
    };
    if let Some(extra) = items.get(MAX_TARGETS) {
        part.report(&extra.place, format!("there are more than {MAX_TARGETS} targets"), "remove the rest");
    }
    items.iter().take(MAX_TARGETS).filter_map(|item| Aim::parse(item, scope, context, users, problems)).collect()
}
