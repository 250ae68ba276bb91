//! Texts with places to fill in, such as `011{digits}`.
//!
//! `{number}` is the called number as the rule saw it, `{digits}` the same without a plus, `{national}` as it is dialled
//! within its own country, `{dialled}` as it was dialled, `{from}` the caller's number, `{user}` the user whom the caller
//! dialled, and `{1}` to `{9}` what the groups of a regular expression or the runs of wildcards of a pattern took.

use crate::config::problem::{Wrong, nearest_known};
use crate::dialplan::numbering;

const FIELDS: [&str; 6] = ["number", "digits", "national", "dialled", "from", "user"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Number,
    Digits,
    National,
    Dialled,
    From,
    User,
    Group(usize),
}

/// What a rule's templates may name.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// How many groups the rule takes out of a number.
    pub groups: usize,
    /// Whether the rule is about our users, so that there is one to name.
    pub user: bool,
}

/// What one call fills in.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    pub number: &'a str,
    pub dialled: &'a str,
    pub from: &'a str,
    pub user: Option<&'a str>,
    pub groups: Vec<String>,
}

impl Template {
    pub fn parse(text: &str, scope: Scope) -> Result<Template, Wrong> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, field) = rest.split_at(open);
            let inside = field.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let Some((name, after)) = inside else {
                return Err(Wrong::new(format!("`{text}` has a brace too many"), "write fields like {number}"));
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(part(name, scope)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template { parts })
    }

    /// Whether it says the same for every call.
    pub fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    pub fn fill(&self, fields: &Fields<'_>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(fixed) => text.push_str(fixed),
                Part::Number => text.push_str(fields.number),
                Part::Digits => text.push_str(fields.number.strip_prefix('+').unwrap_or(fields.number)),
                Part::National => match numbering::national(fields.number) {
                    Some(national) => text.push_str(&national),
                    None => text.push_str(fields.number),
                },
                Part::Dialled => text.push_str(fields.dialled),
                Part::From => text.push_str(fields.from),
                Part::User => text.push_str(fields.user.unwrap_or_default()),
                Part::Group(i) => text.push_str(fields.groups.get(*i).map_or("", String::as_str)),
            }
        }
        text
    }
}

fn part(name: &str, scope: Scope) -> Result<Part, Wrong> {
    if let Ok(group) = name.parse::<usize>() {
        let mend = match scope.groups {
            0 => "the rule's number takes no groups; use {number} or {digits}".to_owned(),
            1 => "the rule's number takes one group: {1}".to_owned(),
            most => format!("the rule's number takes the groups {{1}} to {{{most}}}"),
        };
        return match group.checked_sub(1).filter(|group| *group < scope.groups) {
            Some(group) => Ok(Part::Group(group)),
            None => Err(Wrong::new(format!("there is no group {{{name}}}"), mend)),
        };
    }
    match name {
        "number" => Ok(Part::Number),
        "digits" => Ok(Part::Digits),
        "national" => Ok(Part::National),
        "dialled" => Ok(Part::Dialled),
        "from" => Ok(Part::From),
        "user" if scope.user => Ok(Part::User),
        "user" => {
            Err(Wrong::new("{user} is known only where a user was dialled", "add dialled = \"user\" to the rule"))
        }
        _ => Err(Wrong::new(format!("unknown field {{{name}}}"), nearest_known(name, &FIELDS))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope = Scope { groups: 2, user: true };

    fn fill(text: &str) -> String {
        let fields = Fields {
            number: "+442079460000",
            dialled: "020 7946 0000",
            from: "+15550100001",
            user: Some("bob"),
            groups: vec!["20".into(), "7946".into()],
        };
        Template::parse(text, SCOPE).unwrap().fill(&fields)
    }

    #[test]
    fn fields_are_filled_in() {
        assert_eq!(fill("011{digits}"), "011442079460000");
        assert_eq!(fill("{number}"), "+442079460000");
        assert_eq!(fill("{national}"), "02079460000");
        assert_eq!(fill("{1}-{2}"), "20-7946");
        assert_eq!(fill("{dialled}/{from}/{user}"), "020 7946 0000/+15550100001/bob");
        assert_eq!(fill("+15550100000"), "+15550100000");
        assert!(Template::parse("112", SCOPE).unwrap().is_fixed());
        assert!(!Template::parse("{1}", SCOPE).unwrap().is_fixed());
    }

    #[test]
    fn unknown_fields_are_refused() {
        let none = Scope { groups: 0, user: false };
        for (text, scope, what, mend) in [
            ("{nubmer}", SCOPE, "unknown field {nubmer}", "did you mean `number`?"),
            ("{3}", SCOPE, "no group {3}", "{1} to {2}"),
            ("{0}", SCOPE, "no group {0}", "{1} to {2}"),
            ("{1}", none, "no group {1}", "takes no groups"),
            ("{user}", none, "{user} is known only", "dialled = \"user\""),
            ("{number", SCOPE, "a brace too many", "{number}"),
            ("number}", SCOPE, "a brace too many", "{number}"),
        ] {
            let wrong = Template::parse(text, scope).unwrap_err();
            assert!(wrong.what.contains(what) && wrong.mend.contains(mend), "{text}: {wrong:?}");
        }
    }
}
