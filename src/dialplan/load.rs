//! Reads a plan from where it is kept.

use crate::config::problem::{Place, Problem, Problems};
use crate::dialplan::plan::{Plan, PlanContext};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The plan of a gateway that nobody has configured.
const FIRST: (&str, &str) = ("dialplans/first.toml (built in)", include_str!("../../dialplans/first.toml"));

const MAX_FILES: usize = 200;
const MAX_BYTES: u64 = 1 << 20;

impl Plan {
    /// Loads a file, all `*.toml` of a folder in the order of their names, or without a `path` the built-in sample. A plan
    /// that comes back has passed its own tests.
    pub fn load(path: Option<&Path>, context: &PlanContext) -> Result<Plan, Vec<Problem>> {
        let problems = Problems::default();
        let sources = match path {
            None => vec![(FIRST.0.to_owned(), FIRST.1.to_owned())],
            Some(path) => read_all(path, &problems),
        };
        if problems.is_empty() {
            return Plan::parse(&sources, context);
        }
        // What could be read is checked too, so that one visit shows everything.
        let parsed = Plan::parse(&sources, context).err().unwrap_or_default();
        if !sources.is_empty() {
            parsed.into_iter().for_each(|problem| problems.add(problem));
        }
        Err(problems.into_sorted())
    }
}

fn read_all(path: &Path, problems: &Problems) -> Vec<(String, String)> {
    let place = |path: &Path| Place { file: path.display().to_string(), line: None };
    let files = match files(path) {
        Ok(files) => files,
        Err(error) => {
            problems.report(&place(path), format!("can't be read: {error}"), "name a file or a folder in `dialplan`");
            return Vec::new();
        }
    };
    if files.is_empty() {
        problems.report(&place(path), "the folder has no *.toml", "put a dialplan there, or name another folder");
    }
    if files.len() > MAX_FILES {
        problems.report(&place(path), format!("the folder has more than {MAX_FILES} files"), "join some");
    }
    let mut sources = Vec::new();
    for file in files.iter().take(MAX_FILES) {
        match bounded(file) {
            Ok(text) => sources.push((file.display().to_string(), text)),
            Err(error) => {
                problems.report(&place(file), format!("can't be read: {error}"), "check the file and who may read it");
            }
        }
    }
    sources
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;
    use crate::dialplan::directory::{PlanTrunk, PlanUser};
    use crate::dialplan::route::{Caller, Request, Target};

    fn user(name: &str, number: &str, country: &str) -> PlanUser {
        PlanUser { name: name.into(), number: Some(number.into()), country: Some(country.into()) }
    }

    fn trunk(name: &str, country: Option<&str>) -> PlanTrunk {
        PlanTrunk { name: name.into(), country: country.map(Into::into) }
    }

    fn load(path: &str, context: &PlanContext) -> Plan {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans").join(path);
        match Plan::load(Some(&path), context) {
            Ok(plan) => plan,
            Err(problems) => panic!("{}", problems.iter().map(|problem| format!("{problem}\n")).collect::<String>()),
        }
    }

    fn office() -> PlanContext {
        PlanContext {
            users: vec![
                user("alice", "+442079460101", "GB"),
                user("bob", "+442079460102", "GB"),
                user("carol", "+442079460103", "GB"),
            ],
            trunks: vec![trunk("acme", Some("GB")), trunk("globex", None)],
            ..PlanContext::default()
        }
    }

    #[test]
    fn the_office_passes_its_tests() {
        let plan = load("office.toml", &office());
        assert!(plan.rule_count() >= 15 && plan.test_count() >= 18);
        assert_eq!(plan.files().map(|(file, _)| file).collect::<Vec<_>>(), ["closed.wav"]);
    }

    #[test]
    fn the_carrier_passes_its_tests() {
        let context =
            PlanContext { trunks: vec![trunk("north", None), trunk("south", None)], ..PlanContext::default() };
        assert!(load("carrier.toml", &context).test_count() >= 9);
    }

    #[test]
    fn the_built_in_plan_needs_nobody_and_finds_everybody() {
        Plan::load(None, &PlanContext::default()).unwrap();
        let plan = Plan::load(None, &office()).unwrap();
        let caller = Caller::User { name: "alice", number: None, country: None };
        for to in ["bob", "+442079460102"] {
            let request = Request { caller, from: "alice", to, at: Wall::default() };
            assert_eq!(plan.route(&request).route.unwrap().targets, [Target::User { name: "bob".into() }]);
        }
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let rule = |name: &str| format!("[[rule]]\nname = \"{name}\"\nnumber = \"1\"\nto = [{{ reject = 404 }}]\n");
        write("20.toml", &rule("b").replace("\"1\"", "\"1!\""));
        write("10.toml", &rule("a"));
        write(".hidden.toml", "nonsense");
        write("notes.txt", "nonsense");
        let plan = Plan::load(Some(folder.path()), &PlanContext::default()).unwrap();
        assert_eq!(plan.rule_count(), 2);

        write("05.toml", "[[rule]]\nname = 1\n");
        fs::write(folder.path().join("06.toml"), [0xff, 0xfe]).unwrap();
        let problems = Plan::load(Some(folder.path()), &PlanContext::default()).unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(text.iter().any(|line| line.contains("05.toml:2: `name`")), "{text:?}");
        assert!(text.iter().any(|line| line.contains("06.toml: can't be read")), "{text:?}");
    }

    #[test]
    fn a_plan_that_is_not_there_says_so() {
        let problems = Plan::load(Some(Path::new("no/such.toml")), &PlanContext::default()).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().starts_with("no/such.toml: can't be read: "));
        let folder = tempfile::tempdir().unwrap();
        let problems = Plan::load(Some(folder.path()), &PlanContext::default()).unwrap_err();
        assert!(problems[0].what.contains("has no *.toml"));
    }
}
