//! The verbs of `tandem`. Each answers yes (0) or no (1), or could not ask (2).

mod call;
mod calls;
mod cdr;
mod check;
mod client;
mod doctor;
mod drain;
mod explain;
mod hangup;
mod offline;
mod outcome;
mod reload;
mod run;
mod screen;
mod trunks;
mod user;

use clap::{Parser, Subcommand};
use outcome::{Answer, Failure, Outcome};
use std::path::PathBuf;
use std::process::ExitCode;
use tandem::config::settings::Settings;

/// A gateway between telephone networks: SIP phones, trunks and more, bridged, transcoded and accounted for.
#[derive(Parser)]
#[command(
    name = "tandem",
    version,
    max_term_width = 100,
    after_help = "Examples:
  tandem run
  tandem check --config office.toml
  tandem call 'sip:*43@127.0.0.1' --user alice --password … --for 8s

Exits 0, 1 (the answer is no) or 2 (could not ask)."
)]
struct Cli {
    #[command(flatten)]
    ground: Ground,
    #[command(subcommand)]
    verb: Verb,
}

/// What all verbs stand on.
#[derive(clap::Args)]
pub struct Ground {
    /// The configuration; without it tandem.toml, or the defaults where there is no such file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    Run(run::Args),
    Check(check::Args),
    Explain(explain::Args),
    Doctor(doctor::Args),
    Call(call::Args),
    User(user::Args),
    Cdr(cdr::Args),
    Calls(calls::Args),
    Hangup(hangup::Args),
    Trunks(trunks::Args),
    Reload(reload::Args),
    Drain(drain::Args),
}

/// Reads the command line, obeys it, and says how it went.
pub fn main() -> ExitCode {
    let Cli { ground, verb } = Cli::parse();
    match obey(&ground, verb) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(failure) => {
            screen::complain(&failure);
            ExitCode::from(2)
        }
    }
}

fn obey(ground: &Ground, verb: Verb) -> Outcome {
    match verb {
        Verb::Run(args) => run::run(ground, args),
        Verb::Check(args) => check::run(ground, &args),
        Verb::Explain(args) => explain::run(ground, &args),
        Verb::Doctor(_) => doctor::run(),
        Verb::Call(args) => call::run(ground, args),
        Verb::User(args) => user::run(ground, args),
        Verb::Cdr(args) => cdr::run(ground, &args),
        Verb::Calls(args) => calls::run(ground, &args),
        Verb::Hangup(args) => hangup::run(ground, &args),
        Verb::Trunks(args) => trunks::run(ground, &args),
        Verb::Reload(args) => reload::run(ground, &args),
        Verb::Drain(args) => drain::run(ground, &args),
    }
}

impl Ground {
    pub fn settings(&self) -> Result<Settings, Failure> {
        Ok(tandem::config::load(self.config.as_deref(), environment())?)
    }
}

/// The environment as text; what isn't UTF-8 can't be a setting.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
