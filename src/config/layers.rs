//! The layers of the configuration: the file, and over it the environment. What neither says keeps its default.

use crate::config::document::{Entry, Node, Value};
use crate::config::problem::{Place, Problems};
use ::config::{Config, ConfigError, Environment, Map, Source, Value as Layered, ValueKind};

/// `TANDEM__SIP__DOMAIN` is `domain` in `[sip]`.
const PREFIX: &str = "TANDEM";
const SEPARATOR: &str = "__";

/// Lays the environment over `file`. Every value keeps its line; what the environment set has the variable's name.
pub fn merge(file: &Node, env: impl Iterator<Item = (String, String)>, problems: &Problems) -> Node {
    let env: Map<String, String> = env.filter(|(name, _)| is_ours(name)).collect();
    let environment =
        Environment::with_prefix(PREFIX).prefix_separator(SEPARATOR).separator(SEPARATOR).source(Some(env));
    let layers = Config::builder().add_source(File(layer(file, problems))).add_source(environment);
    match layers.build().and_then(|config| config.collect()) {
        Ok(map) => Node { place: file.place.clone(), value: table(map, Some(file), "") },
        Err(error) => {
            problems.report(&file.place, error.to_string(), "check the file and the environment");
            file.clone()
        }
    }
}

fn is_ours(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.len() <= 256 && name.starts_with("TANDEM__") && name.chars().all(plain)
}

/// The file as a layer.
#[derive(Clone, Debug)]
struct File(Map<String, Layered>);

impl Source for File {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Layered>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// The tables of a file as the layers want them. They take a key of the top for a path, so an odd one is refused here.
fn layer(file: &Node, problems: &Problems) -> Map<String, Layered> {
    let plain = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && !key.is_empty();
    let mut map = Map::new();
    for entry in file.entries() {
        if plain(&entry.key) {
            map.insert(entry.key.clone(), layered(&entry.node));
        } else {
            let what = format!("unknown key `{}`", entry.key);
            problems.report(&entry.key_place, what, "keys have letters, digits, `_` and `-` only; remove it");
        }
    }
    map
}

fn layered(node: &Node) -> Layered {
    let kind = match &node.value {
        // The layers know no dates; no setting is one, and the text is refused with the right line.
        Value::Text(text) | Value::Moment(text) => ValueKind::String(text.clone()),
        Value::Integer(number) => ValueKind::I64(*number),
        Value::Float(number) => ValueKind::Float(*number),
        Value::Flag(flag) => ValueKind::Boolean(*flag),
        Value::List(items) => ValueKind::Array(items.iter().map(layered).collect()),
        Value::Table(entries) => {
            ValueKind::Table(entries.iter().map(|entry| (entry.key.clone(), layered(&entry.node))).collect())
        }
    };
    Layered::new(None, kind)
}

/// Back into a tree, with the places of the file found again by walking it alongside.
fn table(map: Map<String, Layered>, file: Option<&Node>, path: &str) -> Value {
    let mut entries: Vec<Entry> = map
        .into_iter()
        .map(|(key, value)| {
            let path = format!("{path}{SEPARATOR}{}", key.to_ascii_uppercase());
            let written = file.and_then(|node| node.entry(&key));
            let from_file = written.filter(|_| value.origin().is_none());
            let key_place = from_file.map_or_else(|| environment(&path), |entry| entry.key_place.clone());
            let node = node(value, written.map(|entry| &entry.node), &path);
            Entry { key, key_place, node }
        })
        .collect();
    entries.sort_by(|one, other| (&one.key_place.line, &one.key).cmp(&(&other.key_place.line, &other.key)));
    Value::Table(entries)
}

fn node(value: Layered, file: Option<&Node>, path: &str) -> Node {
    let file = file.filter(|_| value.origin().is_none());
    let place = file.map_or_else(|| environment(path), |node| node.place.clone());
    let value = match value.kind {
        ValueKind::Nil => Value::Text(String::new()),
        ValueKind::Boolean(flag) => Value::Flag(flag),
        ValueKind::I64(number) => Value::Integer(number),
        ValueKind::Float(number) => Value::Float(number),
        ValueKind::String(text) => Value::Text(text),
        ValueKind::Array(items) => Value::List(list(items, file, path)),
        ValueKind::Table(map) => table(map, file, path),
        // Neither layer makes any of these.
        ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => Value::Float(f64::NAN),
    };
    Node { place, value }
}

fn list(items: Vec<Layered>, file: Option<&Node>, path: &str) -> Vec<Node> {
    let written: &[Node] = match file.map(|node| &node.value) {
        Some(Value::List(nodes)) => nodes,
        _ => &[],
    };
    items.into_iter().enumerate().map(|(i, item)| node(item, written.get(i), path)).collect()
}

fn environment(path: &str) -> Place {
    Place { file: format!("environment {PREFIX}{path}"), line: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;

    #[test]
    fn the_environment_wins_and_the_rest_keeps_its_line() {
        let problems = Problems::default();
        let file = document::parse(
            "t.toml",
            "[sip]\ndomain = \"a\"\nudp = [\"x\",\n\"y\"]\n[[user]]\nname = \"u\"\n",
            &problems,
        );
        let env = [("TANDEM__SIP__DOMAIN", "b"), ("TANDEM__HTTP__LISTEN", "z"), ("TANDEM_OTHER", "no"), ("PATH", "no")];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let merged = merge(&file, env, &problems);
        assert!(problems.is_empty());

        let sip = &merged.entry("sip").unwrap();
        assert_eq!(sip.key_place.line, Some(1));
        let domain = &sip.node.entry("domain").unwrap().node;
        assert_eq!(domain.value, Value::Text("b".into()));
        assert_eq!(domain.place.to_string(), "environment TANDEM__SIP__DOMAIN");
        let Value::List(udp) = &sip.node.entry("udp").unwrap().node.value else { panic!() };
        assert_eq!((udp[0].place.line, udp[1].place.line), (Some(3), Some(4)));
        let Value::List(users) = &merged.entry("user").unwrap().node.value else { panic!() };
        assert_eq!(users[0].entry("name").unwrap().node.place.line, Some(6));
        assert!(merged.entry("http").unwrap().node.entry("listen").is_some());
        assert_eq!(merged.entries().len(), 3);
    }

    #[test]
    fn odd_keys_are_refused_and_not_taken_for_paths() {
        let problems = Problems::default();
        let file = document::parse("t.toml", "\"a[99999999]\" = 1\n\"b.c\" = 2\n", &problems);
        let merged = merge(&file, std::iter::empty(), &problems);
        assert!(merged.entries().is_empty());
        assert_eq!(problems.into_sorted().len(), 2);
    }
}
