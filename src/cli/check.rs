//! `tandem check`

use super::outcome::{Answer, Failure, Outcome};
use super::screen::{complain, show, show_json};
use super::{Ground, environment, offline};
use serde_json::{Value, json};
use tandem::config::problem::Problem;
use tandem::config::settings::Settings;
use tandem::dialplan::plan::{Plan, PlanContext};
use tandem::shell::prompt;
use tandem::shell::tls::Tls;

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

/// What a check found: problems, or how much there is.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    rules: usize,
    tests: usize,
}

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    let findings = match tandem::config::load(ground.config.as_deref(), environment()) {
        Ok(settings) => {
            let mut findings = check_plan(&settings);
            findings.problems.extend(broken_certificates(&settings));
            findings.problems.extend(silent_music(&settings));
            findings
        }
        Err(problems) => Findings { problems, ..Findings::default() },
    };
    let fine = findings.problems.is_empty();
    if args.json {
        let problems: Vec<Value> = findings.problems.iter().map(problem_json).collect();
        show_json(&json!({ "ok": fine, "problems": problems, "rules": findings.rules, "tests": findings.tests }));
    } else if fine {
        show(&format!("no problem: {} rules, {} tests passed", findings.rules, findings.tests));
    } else {
        findings.problems.iter().for_each(|problem| show(&problem.to_string()));
    }
    Ok(if fine { Answer::Yes } else { Answer::No })
}

fn check_plan(settings: &Settings) -> Findings {
    let context = offline::plan_context(settings).unwrap_or_else(|failure| {
        // The store is no part of what is checked; the plan is, as far as it goes.
        complain(&Failure { lines: failure.lines });
        PlanContext::of(settings)
    });
    match Plan::load(settings.dialplan.as_deref(), &context) {
        Err(problems) => Findings { problems, ..Findings::default() },
        Ok(plan) => {
            Findings { problems: silent_prompts(settings, &plan), rules: plan.rule_count(), tests: plan.test_count() }
        }
    }
}

/// Files of certificates and keys that can't be used.
fn broken_certificates(settings: &Settings) -> impl Iterator<Item = Problem> {
    let problems = Tls::problems(settings).into_iter();
    problems.map(|problem| Problem { file: problem.place, line: None, what: problem.what, mend: problem.mend })
}

/// The music on hold, where it can't be played.
fn silent_music(settings: &Settings) -> Option<Problem> {
    silent(settings, settings.media.hold_music.as_deref()?, "media.hold_music", None)
}

/// Sound files that the plan names and that can't be played.
fn silent_prompts(settings: &Settings, plan: &Plan) -> Vec<Problem> {
    plan.files().filter_map(|(file, place)| silent(settings, file, &place.file, place.line)).collect()
}

fn silent(settings: &Settings, file: &str, place: &str, line: Option<u32>) -> Option<Problem> {
    let error = prompt::load(&settings.media.prompts, file).err()?;
    Some(Problem {
        file: place.to_owned(),
        line,
        what: format!("`{file}` can't be played: {error}"),
        mend: format!("put a sound file (WAV, MP3, FLAC, Ogg) of that name into {}", settings.media.prompts.display()),
    })
}

fn problem_json(problem: &Problem) -> Value {
    json!({ "file": problem.file, "line": problem.line, "what": problem.what, "mend": problem.mend })
}
