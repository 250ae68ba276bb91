//! TOML text → a tree in which every key and value knows its line.

use crate::config::problem::{Place, Problems};
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    /// A date or time, as written.
    Moment(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Value {
    /// What a person calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number with a fraction",
            Value::Flag(_) => "true or false",
            Value::Moment(_) => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

impl Node {
    /// An empty table, for a section that nobody wrote.
    pub fn empty(place: Place) -> Node {
        Node { place, value: Value::Table(Vec::new()) }
    }

    /// The entries of a table; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }
}

/// Reads what can be read of `text`; every mistake of form is reported with its line, and what is around it still counts.
pub fn parse(file: &str, text: &str, problems: &Problems) -> Node {
    let lines = Lines::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = lines.place(error.span().map_or(0, |span| span.start));
        problems.report(&place, one_line(error.message()), "see https://toml.io for how TOML is written");
    }
    Node { place: lines.place(0), value: lines.table(table.get_ref()) }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

/// Finds the line of a byte.
struct Lines<'a> {
    file: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(file: &'a str, text: &str) -> Lines<'a> {
        let after_breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        Lines { file, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn place(&self, at: usize) -> Place {
        let line = self.starts.partition_point(|&start| start <= at);
        Place { file: self.file.to_owned(), line: u32::try_from(line).ok() }
    }

    fn table(&self, table: &DeTable<'_>) -> Value {
        let mut entries: Vec<(usize, Entry)> = table
            .iter()
            .map(|(key, value)| {
                let key_place = self.place(key.span().start);
                let node = self.node(value.span().start, value.get_ref());
                (key.span().start, Entry { key: key.get_ref().to_string(), key_place, node })
            })
            .collect();
        entries.sort_by_key(|(at, _)| *at);
        Value::Table(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    fn node(&self, at: usize, value: &DeValue<'_>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                // Larger than anything that a setting could mean: a text here makes the reader say what it wants.
                Err(_) => Value::Text(number.to_string()),
            },
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
            DeValue::Array(list) => {
                Value::List(list.iter().map(|item| self.node(item.span().start, item.get_ref())).collect())
            }
            DeValue::Table(table) => self.table(table),
        };
        Node { place: self.place(at), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Node, Vec<String>) {
        let problems = Problems::default();
        let node = parse("t.toml", text, &problems);
        (node, problems.into_sorted().iter().map(ToString::to_string).collect())
    }

    fn line(node: &Node) -> u32 {
        node.place.line.unwrap()
    }

    #[test]
    fn every_value_knows_its_line() {
        let (node, problems) =
            read("a = 1\n[b]\nc = [\n  \"x\",\n  \"y\",\n]\n\n[[d]]\ne = true\n[[d]]\ne = { f = 2026-01-01 }\n");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(line(&node.entry("a").unwrap().node), 1);
        let b = node.entry("b").unwrap();
        assert_eq!(b.key_place.line, Some(2));
        let Value::List(items) = &b.node.entry("c").unwrap().node.value else { panic!() };
        assert_eq!((line(&items[0]), line(&items[1])), (4, 5));
        let Value::List(tables) = &node.entry("d").unwrap().node.value else { panic!() };
        assert_eq!((line(&tables[0]), line(&tables[1])), (8, 10));
        let f = &tables[1].entry("e").unwrap().node.entry("f").unwrap().node;
        assert_eq!(f.value, Value::Moment("2026-01-01".into()));
    }

    #[test]
    fn a_mistake_of_form_does_not_hide_the_next() {
        let (_, problems) = read("a = \nb = 2\nc = \"open\nd = 3\n");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("t.toml:1: "), "{problems:?}");
        assert!(problems[1].starts_with("t.toml:3: "), "{problems:?}");
    }
}
