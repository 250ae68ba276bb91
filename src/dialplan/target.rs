//! Targets as a rule writes them: `{ trunk = "acme", number = "011{digits}" }`.

use crate::config::document::{Node, Value};
use crate::config::problem::{Place, Problems, Wrong, nearest_known};
use crate::config::section::{Keys, Section};
use crate::dialplan::change::ChangeAim;
use crate::dialplan::directory::Directory;
use crate::dialplan::numbering;
use crate::dialplan::plan::PlanContext;
use crate::dialplan::route::Target;
use crate::dialplan::template::{Fields, Scope, Template};

/// Longer numbers are dialled by nobody.
const MAX_NUMBER: usize = 128;

/// Nor does anybody say longer names.
const MAX_ROOM_NAME: usize = 40;

const KEYS: Keys = Keys {
    known: &[
        "user",
        "trunk",
        "number",
        "strip",
        "prefix",
        "next_on",
        "echo",
        "conference",
        "record",
        "pickup",
        "play",
        "repeat",
        "forward",
        "after",
        "do_not_disturb",
        "reject",
        "reason",
    ],
    later: &["network", "voicemail", "menu", "enum", "http"],
};
const KINDS: [&str; 9] =
    ["user", "trunk", "echo", "conference", "pickup", "play", "forward", "do_not_disturb", "reject"];

/// One target of a rule, before a call fills it in.
#[derive(Clone, Debug)]
pub struct Aim {
    pub place: Place,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    User(Template),
    Trunk { name: String, number: Number, next_on: Vec<u16> },
    Echo,
    Conference { name: Template, record: bool },
    PickUp(Template),
    Play { file: String, repeat: bool },
    Change(ChangeAim),
    Reject { status: u16, reason: String },
}

/// How a trunk is sent the called number.
#[derive(Clone, Debug)]
enum Number {
    /// As it is written in the trunk's country, where it has one.
    Usual {
        country: Option<String>,
    },
    Template(Template),
    /// Without so many digits at the start, and with these before the rest.
    Rewritten {
        strip: usize,
        prefix: String,
    },
}

impl Aim {
    /// None where it is wrong, which is reported.
    pub fn parse(
        node: &Node,
        scope: Scope,
        context: &PlanContext,
        users: &Directory,
        problems: &Problems,
    ) -> Option<Aim> {
        let part = Section::open(node, "the target", &KEYS, problems);
        if !matches!(node.value, Value::Table(_)) {
            return None;
        }
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| part.has(kind)).collect();
        let kind = match kinds.as_slice() {
            [kind] => *kind,
            [] => {
                let later = node.entries().iter().any(|entry| KEYS.later.contains(&entry.key.as_str()));
                if !later {
                    part.report(
                        &node.place,
                        "the target says nothing of where to",
                        format!("name one of {}", KINDS.join(", ")),
                    );
                }
                return None;
            }
            several => {
                let what = format!("the target has {} at once", several.join(" and "));
                part.report(&node.place, what, "write a target for each, in the order to try them");
                return None;
            }
        };
        refuse_strangers(&part, kind);
        let kind = match kind {
            "user" => Kind::User(user(&part, "user", scope, users)?),
            "pickup" => Kind::PickUp(user(&part, "pickup", scope, users)?),
            "trunk" => trunk(&part, scope, context)?,
            "echo" => echo(&part)?,
            "conference" => conference(&part, scope)?,
            "play" => play(&part)?,
            "forward" => Kind::Change(ChangeAim::forward(&part, scope)?),
            "do_not_disturb" => Kind::Change(ChangeAim::do_not_disturb(&part)?),
            _ => reject(&part)?,
        };
        Some(Aim { place: node.place.clone(), kind })
    }

    /// Whether a call that gets here never goes on to another target.
    pub fn is_last(&self) -> bool {
        !matches!(self.kind, Kind::User(_) | Kind::PickUp(_) | Kind::Trunk { .. })
    }

    /// The trunk over which a caller may reach a number of their own choice.
    pub fn open_trunk(&self) -> Option<&str> {
        match &self.kind {
            Kind::Trunk { number: Number::Template(number), .. } if number.is_fixed() => None,
            Kind::Trunk { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether it changes a setting of the caller's own, which only users have.
    pub fn is_for_users(&self) -> bool {
        matches!(self.kind, Kind::Change(_))
    }

    pub fn file(&self) -> Option<&str> {
        match &self.kind {
            Kind::Play { file, .. } => Some(file),
            _ => None,
        }
    }

    /// The target of one call; why not, where there is none.
    pub fn fill(&self, fields: &Fields<'_>, users: &Directory) -> Result<Target, String> {
        match &self.kind {
            Kind::User(template) => {
                let name = template.fill(fields);
                let user = users.user(&name).ok_or_else(|| format!("user {name}, who doesn't exist"))?;
                Ok(Target::User { name: user.name.clone() })
            }
            Kind::Trunk { name, number, next_on } => {
                let number = number.fill(fields);
                if !is_dialable(&number) {
                    return Err(format!("trunk {name}, since \"{}\" can't be dialled", number.escape_debug()));
                }
                Ok(Target::Trunk { name: name.clone(), number, next_on: next_on.clone() })
            }
            Kind::PickUp(template) => {
                let name = template.fill(fields);
                let user = users.dialled(&name).ok_or_else(|| format!("pick-up at {name}, who is no user"))?;
                Ok(Target::PickUp { user: user.name.clone() })
            }
            Kind::Echo => Ok(Target::Echo),
            Kind::Conference { name, record } => {
                let name = name.fill(fields);
                if !is_room_name(&name) {
                    return Err(format!("conference \"{}\", which is no name for a room", name.escape_debug()));
                }
                Ok(Target::Conference { name, record: *record })
            }
            Kind::Play { file, repeat } => Ok(Target::Play { file: file.clone(), repeat: *repeat }),
            Kind::Change(change) => change.fill(fields).map(Target::Change),
            Kind::Reject { status, reason } => Ok(Target::Reject { status: *status, reason: reason.clone() }),
        }
    }
}

impl Number {
    fn fill(&self, fields: &Fields<'_>) -> String {
        match self {
            Number::Usual { country: Some(country) } => {
                numbering::write(fields.number, country).unwrap_or_else(|| fields.number.to_owned())
            }
            Number::Usual { country: None } => fields.number.to_owned(),
            Number::Template(template) => template.fill(fields),
            Number::Rewritten { strip, prefix } => {
                let digits = fields.number.strip_prefix('+').unwrap_or(fields.number);
                prefix.chars().chain(digits.chars().skip(*strip)).collect()
            }
        }
    }
}

/// Whether a room may be called so. Recordings have its name in theirs.
fn is_room_name(name: &str) -> bool {
    is_dialable(name) && name.chars().count() <= MAX_ROOM_NAME && !name.starts_with('.')
}

/// Whether a text may be sent as the user part of an address, as a number or a name.
pub fn is_dialable(number: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '+' | '*' | '#' | '-' | '_' | '.' | '~' | '=' | '&' | '!');
    !number.is_empty() && number.len() <= MAX_NUMBER && number.chars().all(fits)
}

/// Keys that another kind of target has.
fn refuse_strangers(part: &Section<'_>, kind: &str) {
    let companions: &[&str] = match kind {
        "trunk" => &["number", "strip", "prefix", "next_on"],
        "play" => &["repeat"],
        "conference" => &["record"],
        "forward" => &["number", "after"],
        "reject" => &["reason"],
        _ => &[],
    };
    for key in KEYS.known.iter().filter(|key| !KINDS.contains(key) && part.has(key) && !companions.contains(key)) {
        part.report(part.place_of(key), format!("`{key}` means nothing to the target `{kind}`"), "remove it");
    }
}

fn user(part: &Section<'_>, key: &str, scope: Scope, users: &Directory) -> Option<Template> {
    part.read(key, |text| {
        let template = Template::parse(text, scope)?;
        if template.is_fixed() && users.user(text).is_none() {
            return Err(Wrong::new(format!("there is no user `{text}`"), name_one("user", text, &users.names())));
        }
        Ok(template)
    })
}

fn trunk(part: &Section<'_>, scope: Scope, context: &PlanContext) -> Option<Kind> {
    let name = part.read("trunk", |name| known_trunk(name, context).map(|()| name.to_owned()));
    let country = name.as_ref().and_then(|name| context.trunk(name)).and_then(|trunk| trunk.country.clone());
    let number = part.read("number", |text| Template::parse(text, scope));
    let strip = part.integer("strip", 0..=30u8).map(usize::from);
    let prefix = part.read("prefix", |text| match text {
        "" => Ok(String::new()),
        text if is_dialable(text) => Ok(text.to_owned()),
        text => Err(Wrong::new(format!("`{text}` can't be dialled"), "write digits, or leave it out")),
    });
    if part.has("number") && (part.has("strip") || part.has("prefix")) {
        let mend = "write the whole number with {digits} and the like, or keep `strip` and `prefix`";
        part.report(part.place_of("number"), "`number` leaves nothing to `strip` and `prefix`", mend);
    }
    let number = match number {
        Some(template) => Number::Template(template),
        None if strip.is_some() || prefix.is_some() => {
            Number::Rewritten { strip: strip.unwrap_or(0), prefix: prefix.unwrap_or_default() }
        }
        None => Number::Usual { country },
    };
    Some(Kind::Trunk { name: name?, number, next_on: next_on(part) })
}

fn next_on(part: &Section<'_>) -> Vec<u16> {
    let mut statuses = part.integers("next_on", 300..=699u16).unwrap_or_default();
    statuses.retain(|&status| {
        let never = status == 486 || status >= 600;
        if never {
            let what = format!("{status} in `next_on`: a person who is busy or declines is not called by another way");
            part.report(part.place_of("next_on"), what, "remove it");
        }
        !never
    });
    statuses
}

fn echo(part: &Section<'_>) -> Option<Kind> {
    if !part.flag("echo")? {
        part.report(part.place_of("echo"), "`echo` is false", "write echo = true, or remove the target");
        return None;
    }
    Some(Kind::Echo)
}

fn conference(part: &Section<'_>, scope: Scope) -> Option<Kind> {
    let name = part.read("conference", |text| {
        let template = Template::parse(text, scope)?;
        if template.is_fixed() && !is_room_name(text) {
            let mend = format!("take up to {MAX_ROOM_NAME} letters, digits and signs like - and _");
            return Err(Wrong::new(format!("`{text}` is no name for a room"), mend));
        }
        Ok(template)
    });
    Some(Kind::Conference { record: part.flag("record").unwrap_or(false), name: name? })
}

fn play(part: &Section<'_>) -> Option<Kind> {
    let file = part.read("play", |file| {
        let inside = !file.starts_with('/')
            && !file.contains('\\')
            && file.split('/').all(|step| step != ".." && !step.is_empty());
        if inside {
            return Ok(file.to_owned());
        }
        let mend = "name a file in the folder of the prompts, like \"welcome.wav\"";
        Err(Wrong::new(format!("`{file}` isn't in the folder of the prompts"), mend))
    });
    Some(Kind::Play { repeat: part.flag("repeat").unwrap_or(false), file: file? })
}

fn reject(part: &Section<'_>) -> Option<Kind> {
    let status = part.integer("reject", 400..=699u16);
    let reason = part.read("reason", |text| {
        if text.len() <= MAX_NUMBER && !text.chars().any(char::is_control) {
            return Ok(text.to_owned());
        }
        Err(Wrong::new("it doesn't fit into one line", format!("take {MAX_NUMBER} characters at most")))
    });
    Some(Kind::Reject { status: status?, reason: reason.unwrap_or_default() })
}

/// Whether a trunk of this name is configured.
pub fn known_trunk(name: &str, context: &PlanContext) -> Result<(), Wrong> {
    if context.trunk(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = context.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    Err(Wrong::new(format!("there is no trunk `{name}`"), name_one("trunk", name, &names)))
}

/// The mend for a name that nobody has.
pub fn name_one(kind: &str, name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("add a [[{kind}]] with this name to the configuration");
    }
    let known = known.get(..20).unwrap_or(known);
    nearest_known(name, known)
}
