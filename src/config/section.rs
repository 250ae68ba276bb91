//! Reads one table of a file key by key: types, ranges, and keys that nobody knows.

use crate::config::document::{Node, Value};
use crate::config::problem::{Place, Problems, Wrong, nearest_known};
use crate::config::quantity;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The keys that a table may have.
pub struct Keys {
    pub known: &'static [&'static str],
    /// Keys that come with a later release: naming one is answered with that, and not with a guess at a slip.
    pub later: &'static [&'static str],
}

/// A table that is being read. Each reader answers none where the key is missing or wrong; what is wrong is reported.
pub struct Section<'a> {
    node: &'a Node,
    /// As a person names it: `[sip]`, `user \`alice\``.
    name: String,
    problems: &'a Problems,
}

impl<'a> Section<'a> {
    /// Opens a table and reports the keys that it may not have.
    pub fn open(node: &'a Node, name: impl Into<String>, keys: &Keys, problems: &'a Problems) -> Section<'a> {
        let section = Section { node, name: name.into(), problems };
        if !matches!(node.value, Value::Table(_)) {
            let what = format!("{} is {}", section.name, node.value.kind());
            problems.report(&node.place, what, "write it as a table");
        }
        for entry in node.entries() {
            let key = entry.key.as_str();
            if keys.later.contains(&key) {
                let what = format!("`{key}` in {} comes with a later release", section.name);
                problems.report(&entry.key_place, what, "remove the line");
            } else if !keys.known.contains(&key) {
                let what = format!("unknown key `{key}` in {}", section.name);
                problems.report(&entry.key_place, what, nearest_known(key, keys.known));
            }
        }
        section
    }

    pub fn rename(&mut self, name: String) {
        self.name = name;
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn place(&self) -> &'a Place {
        &self.node.place
    }

    /// Where `key` stands; where the table begins if it doesn't.
    pub fn place_of(&self, key: &str) -> &'a Place {
        self.node.entry(key).map_or(&self.node.place, |entry| &entry.key_place)
    }

    /// Whether nothing at all is written in it.
    pub fn is_empty(&self) -> bool {
        self.node.entries().is_empty()
    }

    pub fn has(&self, key: &str) -> bool {
        self.node.entry(key).is_some()
    }

    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.node.entry(key).map(|entry| &entry.node)
    }

    pub fn report(&self, place: &Place, what: impl Into<String>, mend: impl Into<String>) {
        self.problems.report(place, what, mend);
    }

    /// Reports a key that has to be there.
    pub fn missing(&self, key: &str, example: &str) {
        self.problems.report(self.place(), format!("{} has no `{key}`", self.name), format!("add {key} = {example}"));
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        let node = self.get(key)?;
        match &node.value {
            Value::Text(text) => Some(text),
            other => self.mistaken(key, node, other, "a text in quotes"),
        }
    }

    /// A text that isn't empty.
    pub fn word(&self, key: &str) -> Option<&'a str> {
        let text = self.text(key)?;
        if text.trim().is_empty() {
            self.report(self.place_of(key), format!("`{key}` is empty"), "write a value, or remove the line");
            return None;
        }
        Some(text)
    }

    /// A text that means something else.
    pub fn read<T>(&self, key: &str, reader: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let text = self.text(key)?;
        self.settle(key, self.place_of(key), reader(text))
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        match &node.value {
            Value::Flag(flag) => Some(*flag),
            Value::Text(text) if is_environment(node) && text == "true" => Some(true),
            Value::Text(text) if is_environment(node) && text == "false" => Some(false),
            other => self.mistaken(key, node, other, "true or false, without quotes"),
        }
    }

    pub fn integer<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let node = self.get(key)?;
        let number = match &node.value {
            Value::Integer(number) => *number,
            Value::Text(text) if is_environment(node) && text.parse::<i64>().is_ok() => {
                text.parse().unwrap_or_default()
            }
            other => return self.mistaken(key, node, other, "a whole number, without quotes"),
        };
        match T::try_from(number).ok().filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let mend = format!("choose from {} to {}", range.start(), range.end());
                self.report(&node.place, format!("`{key}` = {number} is out of range"), mend);
                None
            }
        }
    }

    /// A duration within bounds.
    pub fn duration(&self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.read(key, |text| {
            let span = quantity::duration(text)?;
            if range.contains(&span) {
                return Ok(span);
            }
            let (least, most) = (quantity::written(*range.start()), quantity::written(*range.end()));
            Err(Wrong::new(format!("`{text}` is out of range"), format!("choose from \"{least}\" to \"{most}\"")))
        })
    }

    /// A duration within bounds, or zero for never.
    pub fn duration_or_never(&self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        match self.get(key).map(|node| &node.value) {
            Some(Value::Text(text)) if quantity::duration(text) == Ok(Duration::ZERO) => Some(Duration::ZERO),
            _ => self.duration(key, range),
        }
    }

    /// A list of texts, each with a meaning; wrong ones are reported and left out. One text counts as a list of one.
    pub fn list<T>(&self, key: &str, reader: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<(T, Place)>> {
        let node = self.get(key)?;
        let mut found = Vec::new();
        let mut take = |text: &str, place: &Place| {
            if let Some(value) = self.settle(key, place, reader(text)) {
                found.push((value, place.clone()));
            }
        };
        match &node.value {
            Value::List(items) => {
                for item in items {
                    match &item.value {
                        Value::Text(text) => take(text, &item.place),
                        other => {
                            self.mistaken::<()>(key, item, other, "a list of texts, like [\"…\", \"…\"]");
                        }
                    }
                }
            }
            Value::Text(text) if is_environment(node) => {
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).for_each(|part| take(part, &node.place));
            }
            Value::Text(text) => take(text, &node.place),
            other => return self.mistaken(key, node, other, "a list of texts, like [\"…\", \"…\"]"),
        }
        Some(found)
    }

    /// A list of whole numbers.
    pub fn integers<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<Vec<T>>
    where
        T: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let node = self.get(key)?;
        let Value::List(items) = &node.value else {
            return self.mistaken(key, node, &node.value, "a list of whole numbers, like [404, 503]");
        };
        let mut found = Vec::new();
        for item in items {
            match &item.value {
                Value::Integer(number) => match T::try_from(*number).ok().filter(|number| range.contains(number)) {
                    Some(number) => found.push(number),
                    None => {
                        let mend = format!("choose from {} to {}", range.start(), range.end());
                        self.report(&item.place, format!("{number} in `{key}` is out of range"), mend);
                    }
                },
                other => {
                    self.mistaken::<()>(key, item, other, "a list of whole numbers, like [404, 503]");
                }
            }
        }
        Some(found)
    }

    /// The tables of `[[key]]`.
    pub fn tables(&self, key: &str) -> &'a [Node] {
        match self.get(key) {
            None => &[],
            Some(Node { value: Value::List(items), .. }) => items,
            Some(node) => {
                let what = format!("`{key}` is {}", node.value.kind());
                self.report(self.place_of(key), what, format!("start each with a line [[{key}]]"));
                &[]
            }
        }
    }

    fn settle<T>(&self, key: &str, place: &Place, result: Result<T, Wrong>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.report(place, format!("`{key}`: {}", wrong.what), wrong.mend);
                None
            }
        }
    }

    fn mistaken<T>(&self, key: &str, node: &Node, value: &Value, wanted: &str) -> Option<T> {
        self.report(&node.place, format!("`{key}` in {} is {}", self.name, value.kind()), format!("write {wanted}"));
        None
    }
}

/// The environment has texts only, so that there a text may also stand for a number, a flag or a list.
fn is_environment(node: &Node) -> bool {
    node.place.line.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;

    const KEYS: Keys = Keys { known: &["port", "name", "on", "wait", "many", "numbers", "part"], later: &["tls"] };

    fn read<T>(text: &str, reader: impl FnOnce(&Section<'_>) -> T) -> (T, Vec<String>) {
        let problems = Problems::default();
        let node = document::parse("t.toml", text, &problems);
        let value = reader(&Section::open(&node, "[t]", &KEYS, &problems));
        (value, problems.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn right_values_are_read() {
        let text =
            "port = 5\nname = \"n\"\non = true\nwait = \"2s\"\nmany = [\"1\", \"2\"]\nnumbers = [404]\n[[part]]\n";
        let (_, problems) = read(text, |section| {
            assert_eq!(section.integer("port", 1..=9u16), Some(5));
            assert_eq!(section.word("name"), Some("n"));
            assert_eq!(section.flag("on"), Some(true));
            let seconds = Duration::from_secs;
            assert_eq!(section.duration("wait", seconds(1)..=seconds(3)), Some(seconds(2)));
            let many = section.list("many", |text| Ok(text.len())).unwrap();
            assert_eq!(many.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 1]);
            assert_eq!(section.integers("numbers", 400..=499u16), Some(vec![404]));
            assert_eq!(section.tables("part").len(), 1);
            assert_eq!(section.text("absent"), None);
        });
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn wrong_values_are_all_reported() {
        let text = "port = 70\nname = 1\non = \"yes\"\nwait = \"9s\"\nmany = [1]\nnumbers = [\"a\", 7]\npart = 1\ntls = 1\nnmae = 1\n";
        let (_, problems) = read(text, |section| {
            let seconds = Duration::from_secs;
            assert_eq!(section.integer("port", 1..=9u16), None);
            assert_eq!(section.word("name"), None);
            assert_eq!(section.flag("on"), None);
            assert_eq!(section.duration("wait", seconds(1)..=seconds(3)), None);
            assert!(section.list("many", |text| Ok(text.len())).unwrap().is_empty());
            assert_eq!(section.integers("numbers", 400..=499u16), Some(vec![]));
            assert!(section.tables("part").is_empty());
        });
        assert_eq!(
            problems,
            [
                "t.toml:1: `port` = 70 is out of range; choose from 1 to 9",
                "t.toml:2: `name` in [t] is a whole number; write a text in quotes",
                "t.toml:3: `on` in [t] is a text; write true or false, without quotes",
                "t.toml:4: `wait`: `9s` is out of range; choose from \"1s\" to \"3s\"",
                "t.toml:5: `many` in [t] is a whole number; write a list of texts, like [\"…\", \"…\"]",
                "t.toml:6: 7 in `numbers` is out of range; choose from 400 to 499",
                "t.toml:6: `numbers` in [t] is a text; write a list of whole numbers, like [404, 503]",
                "t.toml:7: `part` is a whole number; start each with a line [[part]]",
                "t.toml:8: `tls` in [t] comes with a later release; remove the line",
                "t.toml:9: unknown key `nmae` in [t]; did you mean `name`?",
            ]
        );
    }
}
