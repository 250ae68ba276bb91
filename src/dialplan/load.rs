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
