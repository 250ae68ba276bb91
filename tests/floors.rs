//! The house keeps its floors: imports go down, never up, never sideways; what touches the world stands where the map says.
//!
//! This reads the sources as text. Comments, literals and test modules don't count.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of `src` and their floors. `cli` and `main.rs` stand above the house and may use all of it.
const FLOORS: [(&str, u8); 10] = [
    ("base", 0),
    ("config", 0),
    ("wire", 1),
    ("sip", 2),
    ("dialplan", 2),
    ("media", 2),
    ("call", 3),
    ("shell", 4),
    ("admin", 4),
    ("gateway", 5),
];

/// Neighbours on one floor of which the first may use the second.
const NEIGHBOURS: [(&str, &str); 2] = [("config", "base"), ("admin", "shell")];

/// What touches the world, and where beside `WORLDLY` it may stand.
const WORLD: [(&[&str], &[&str]); 7] = [
    (&["tokio"], &[]),
    (&["socket2"], &["src/media/worker"]),
    (&["std", "net", "UdpSocket"], &["src/media/worker"]),
    (&["std", "net", "TcpStream"], &[]),
    (&["std", "net", "TcpListener"], &[]),
    (&["std", "fs"], &["src/media/worker", "src/config/load.rs", "src/dialplan/load.rs"]),
    (&["std", "env"], &[]),
];

/// The same, by what is called on a type that may have been imported.
const CLOCKS: [(&str, &[&str]); 3] =
    [("Instant::now", &["src/media/worker"]), ("SystemTime::now", &["src/media/worker"]), ("thread::sleep", &[])];

/// These touch the world all over.
const WORLDLY: [&str; 5] = ["src/shell", "src/admin", "src/gateway", "src/cli", "src/main.rs"];

#[test]
fn imports_go_down() {
    let broken: Vec<Broken> = sources().iter().flat_map(imports).collect();
    assert!(broken.is_empty(), "\n{}", text(&broken));
}

#[test]
fn the_world_is_touched_in_few_places() {
    let broken: Vec<Broken> = sources().iter().flat_map(world).collect();
    assert!(broken.is_empty(), "\n{}", text(&broken));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        sources().iter().filter(|source| !source.raw.starts_with("//!")).map(|source| source.path.clone()).collect();
    assert!(silent.is_empty(), "open each with `//!` and a sentence: {silent:?}");
}

#[test]
fn every_folder_has_a_floor() {
    let folders = fs::read_dir(root().join("src")).expect("src").filter_map(|entry| {
        let entry = entry.expect("an entry of src");
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder.then(|| entry.file_name().to_string_lossy().into_owned())
    });
    let homeless: Vec<String> = folders.filter(|name| name != "cli" && floor(name).is_none()).collect();
    assert!(homeless.is_empty(), "give each a floor in FLOORS and in ARCHITECTURE.md: {homeless:?}");
}

#[test]
fn the_documents_name_what_is_there() {
    let mut missing = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        // Each comes when there is something to say.
        let Ok(text) = fs::read_to_string(root().join(document)) else { continue };
        for (line, path) in paths(&text) {
            if !root().join(&path).exists() {
                missing.push(format!("{document}:{line}: there is no `{path}`; correct the document"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// A rule that a line breaks.
#[derive(Debug, PartialEq)]
struct Broken {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

fn text(broken: &[Broken]) -> String {
    broken.iter().map(|broken| format!("{broken}\n")).collect()
}

struct Source {
    /// From the root of the project, with slashes.
    path: String,
    raw: String,
    /// Comments, literals and test modules are blank, lines are where they were.
    code: String,
}

impl Source {
    fn new(path: &str, raw: &str) -> Source {
        Source { path: path.to_owned(), raw: raw.to_owned(), code: without_tests(&blank(raw)) }
    }

    fn broken(&self, line: usize, rule: String) -> Broken {
        Broken { file: self.path.clone(), line, rule }
    }

    /// The folder of `src`; none for files that stand in it themselves.
    fn folder(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split_once('/').map(|(folder, _)| folder)
    }
}

fn imports(source: &Source) -> Vec<Broken> {
    let Some(folder) = source.folder().filter(|folder| *folder != "cli") else { return Vec::new() };
    let Some(mine) = floor(folder) else { return Vec::new() };
    let mut broken = Vec::new();
    for (line, path) in used_paths(&source.code, "crate") {
        let Some(target) = path.first().map(String::as_str) else { continue };
        let Some(theirs) = floor(target) else { continue };
        if target != folder && theirs >= mine && !NEIGHBOURS.contains(&(folder, target)) {
            let way = if theirs > mine { "up" } else { "sideways" };
            let rule = format!("{folder} (floor {mine}) uses {target} (floor {theirs}); imports never go {way}");
            broken.push(source.broken(line, rule));
        } else if folder == "call" && target == "media" && path.get(1).is_some_and(|module| module != "command") {
            let rule =
                format!("call uses media::{}; it sees of media only its commands and events (media::command)", path[1]);
            broken.push(source.broken(line, rule));
        }
    }
    broken
}

fn world(source: &Source) -> Vec<Broken> {
    let allowed = |places: &[&str]| WORLDLY.iter().chain(places).any(|place| source.path.starts_with(place));
    let mut broken = Vec::new();
    for (banned, places) in WORLD.iter().filter(|(_, places)| !allowed(places)) {
        for (line, path) in used_paths(&source.code, banned[0]) {
            if path.iter().map(String::as_str).zip(&banned[1..]).filter(|(one, other)| one == *other).count()
                == banned.len() - 1
            {
                let rule = format!(
                    "{} stands in {}{} only",
                    banned.join("::"),
                    where_it_stands(places),
                    "shell, admin, gateway and cli"
                );
                broken.push(source.broken(line, rule));
            }
        }
    }
    for (clock, places) in CLOCKS.iter().filter(|(_, places)| !allowed(places)) {
        for (line, _) in source.code.lines().enumerate().filter(|(_, text)| text.contains(clock)) {
            let rule = format!(
                "{clock} is called in {}shell, admin, gateway and cli only; time is an argument",
                where_it_stands(places)
            );
            broken.push(source.broken(line + 1, rule));
        }
    }
    broken
}

fn where_it_stands(places: &[&str]) -> String {
    places.iter().map(|place| format!("{place}, ")).collect()
}

fn floor(folder: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == folder).map(|(_, floor)| *floor)
}

/// What stands behind each `first::`, imported or named in place, with the line: `use crate::{a::b, c}` is `a::b` and `c`.
fn used_paths(code: &str, first: &str) -> Vec<(usize, Vec<String>)> {
    let head = format!("{first}::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&head) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            || code[..at].ends_with("::") && !starts_absolute(code, at)
        {
            continue;
        }
        let line = 1 + code[..at].matches('\n').count();
        let mut rest = code[at + head.len()..].chars().peekable();
        let mut paths = Vec::new();
        tree(&mut rest, &mut Vec::new(), &mut paths);
        found.extend(paths.into_iter().map(|path| (line, path)));
    }
    found
}

/// `::tokio::…` with nothing before it.
fn starts_absolute(code: &str, at: usize) -> bool {
    let before = code[..at].trim_end_matches("::");
    !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>')
}

/// One branch of a `use`, or a path in place.
fn tree(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, stem: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    skip_space(rest);
    if rest.next_if_eq(&'{').is_some() {
        loop {
            tree(rest, &mut stem.clone(), paths);
            skip_space(rest);
            match rest.next() {
                Some(',') => {}
                // `as name` and whatever else stands before the next comma.
                Some(c) if c != '}' => while rest.next_if(|c| !matches!(c, ',' | '}')).is_some() {},
                _ => return,
            }
        }
    }
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
        word.push(c);
    }
    if word.is_empty() {
        return;
    }
    stem.push(word);
    let mut ahead = rest.clone();
    if ahead.next() == Some(':') && ahead.next() == Some(':') {
        *rest = ahead;
        let before = paths.len();
        tree(rest, stem, paths);
        if paths.len() > before {
            return;
        }
    }
    paths.push(stem.clone());
}

fn skip_space(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}

/// The text with comments, strings and characters turned into spaces.
fn blank(raw: &str) -> String {
    let chars: Vec<char> = raw.chars().collect();
    let mut code = String::with_capacity(raw.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment or literal ends that begins at `at`; `at` itself where none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let find = |from: usize, end: &[char]| {
        (from..chars.len()).find(|i| chars[*i..].starts_with(end)).map_or(chars.len(), |i| i + end.len())
    };
    let quoted = |mut i: usize, quote: char| {
        while i < chars.len() && chars[i] != quote {
            i += if chars[i] == '\\' { 2 } else { 1 };
        }
        (i + 1).min(chars.len())
    };
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at..] {
        ['/', '/', ..] => find(at, &['\n']) - 1,
        ['/', '*', ..] => find(at + 2, &['*', '/']),
        ['r', ..] if !in_word || chars[at - 1] == 'b' => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if chars.get(at + 1 + hashes) != Some(&'"') {
                return at;
            }
            let mut end = vec!['"'];
            end.extend(std::iter::repeat_n('#', hashes));
            find(at + 2 + hashes, &end)
        }
        ['"', ..] => quoted(at + 1, '"'),
        ['\'', '\\', ..] => quoted(at + 1, '\''),
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

/// The code without its test modules.
fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    let mut from = 0;
    while let Some(at) = kept[from..].find("#[cfg(test)]").map(|at| at + from) {
        from = at + 1;
        let behind = kept[at + "#[cfg(test)]".len()..].trim_start();
        if !behind.starts_with("mod ") {
            continue;
        }
        let start = kept.len() - behind.len();
        let mut depth = 0;
        let end = kept[start..].char_indices().find(|(_, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth == 0 && matches!(c, '}' | ';')
        });
        let end = end.map_or(kept.len(), |(i, _)| start + i + 1);
        let gone: String = kept[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        kept.replace_range(at..end, &gone);
    }
    kept
}

/// Paths of the project that a document names, with their lines. Of one with a star, its folder.
fn paths(document: &str) -> Vec<(usize, String)> {
    const TOPS: [&str; 7] = ["src/", "tests/", "codecs/", "dialplans/", "benches/", "fuzz/", "console/"];
    let mut found = Vec::new();
    for (i, line) in document.lines().enumerate() {
        let words = line.split(|c: char| !(c.is_alphanumeric() || "/._-*".contains(c)));
        for word in words.filter(|word| TOPS.iter().any(|top| word.starts_with(top))) {
            let word = word.trim_end_matches(['.', '-']);
            let fixed = word.find('*').map_or(word, |star| &word[..word[..star].rfind('/').unwrap_or(0)]);
            found.push((i + 1, fixed.to_owned()));
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(root()).expect("inside of the project");
        let path: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        Source::new(&path.join("/"), &fs::read_to_string(file).expect("a source that can be read"))
    };
    files.iter().map(read).collect()
}

/// Files of tests are tests, as the modules of that name are.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.ends_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

mod the_reader {
    use super::*;

    fn rules(path: &str, code: &str) -> Vec<String> {
        let source = Source::new(path, code);
        imports(&source).iter().chain(&world(&source)).map(ToString::to_string).collect()
    }

    #[test]
    fn finds_what_goes_up_or_sideways() {
        let code = "//! x\nuse crate::base::time::Time;\nuse crate::{\n    sip::flow::Flow,\n    call::{record as r, view},\n};\n";
        assert_eq!(
            rules("src/media/engine.rs", code),
            [
                "src/media/engine.rs:3: media (floor 2) uses sip (floor 2); imports never go sideways",
                "src/media/engine.rs:3: media (floor 2) uses call (floor 3); imports never go up",
                "src/media/engine.rs:3: media (floor 2) uses call (floor 3); imports never go up",
            ]
        );
        assert_eq!(rules("src/call/leg.rs", "use crate::{media::command::Port, sip::flow};").len(), 0);
        assert_eq!(
            rules("src/call/leg.rs", "fn f() -> crate::media::engine::Engine {}"),
            [
                "src/call/leg.rs:1: call uses media::engine; it sees of media only its commands and events (media::command)"
            ]
        );
        assert_eq!(rules("src/admin/api.rs", "use crate::shell::control::Control;").len(), 0);
        assert_eq!(rules("src/shell/run.rs", "use crate::admin::serve;").len(), 1);
        assert_eq!(rules("src/base/time.rs", "use crate::config::settings;").len(), 1);
        assert_eq!(rules("src/main.rs", "use tandem::shell; use tokio::runtime;").len(), 0);
    }

    #[test]
    fn finds_the_world() {
        assert_eq!(
            rules(
                "src/sip/agent.rs",
                "//! x\nuse tokio::sync::mpsc;\nlet t = Instant::now();\nlet f = std::fs::read(\"a\");"
            ),
            [
                "src/sip/agent.rs:2: tokio stands in shell, admin, gateway and cli only",
                "src/sip/agent.rs:4: std::fs stands in src/media/worker, src/config/load.rs, src/dialplan/load.rs, shell, admin, gateway and cli only",
                "src/sip/agent.rs:3: Instant::now is called in src/media/worker, shell, admin, gateway and cli only; time is an argument",
            ]
        );
        assert_eq!(rules("src/sip/agent.rs", "use std::{fmt, net::{IpAddr, UdpSocket}};").len(), 1);
        assert_eq!(rules("src/sip/agent.rs", "use std::net::SocketAddr;").len(), 0);
        assert_eq!(rules("src/config/load.rs", "use std::fs;").len(), 0);
        assert_eq!(rules("src/media/worker/sockets.rs", "use socket2::Socket; use std::net::UdpSocket;").len(), 0);
        assert_eq!(rules("src/sip/agent.rs", "use ::tokio::sync;").len(), 1);
    }

    #[test]
    fn passes_over_comments_literals_and_tests() {
        let code = "// use crate::shell::x;\n/* crate::shell::x */ let a = \"crate::shell::x\"; let b = r#\"tokio::\"#; let c = '\"';\n\
                    fn f<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests {\n    use crate::shell::x;\n    fn g() { Instant::now(); }\n}\n";
        assert_eq!(rules("src/wire/a.rs", code), Vec::<String>::new());
        let code = format!("{code}use crate::shell::y;\n");
        assert_eq!(
            rules("src/wire/a.rs", &code),
            ["src/wire/a.rs:9: wire (floor 1) uses shell (floor 4); imports never go up"]
        );
    }

    #[test]
    fn finds_paths_in_documents() {
        let text = "See `src/call/leg.rs`, dialplans/*.toml and [this](tests/floors.rs).\nsrc/media/worker.\n";
        let found: Vec<(usize, String)> = paths(text);
        let expected = [(1, "src/call/leg.rs"), (1, "dialplans"), (1, "tests/floors.rs"), (2, "src/media/worker")];
        assert_eq!(found, expected.map(|(line, path)| (line, path.to_owned())));
    }
}
