//! `tandem check`

use super::outcome::{Answer, Outcome};
use super::screen::{show, show_json};
use super::{Ground, environment};
use serde_json::json;
use tandem::config::problem::Problem;

/// Read configuration and dialplans, run the dialplans' tests, print every problem
///
/// A problem is printed as `file:line: what is wrong; the mend`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem check --config office.toml

Exits 1 where there is a problem.")]
pub struct Args {
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    let mut problems = Vec::new();
    match tandem::config::load(ground.config.as_deref(), environment()) {
        Ok(_settings) => {}
        Err(found) => problems.extend(found),
    }
    if args.json {
        show_json(&json!({ "ok": problems.is_empty(), "problems": problems.iter().map(problem).collect::<Vec<_>>() }));
    } else {
        problems.iter().for_each(|problem| show(&problem.to_string()));
        if problems.is_empty() {
            show("no problem was found");
        }
    }
    Ok(if problems.is_empty() { Answer::Yes } else { Answer::No })
}

fn problem(problem: &Problem) -> serde_json::Value {
    json!({ "file": problem.file, "line": problem.line, "what": problem.what, "mend": problem.mend })
}
