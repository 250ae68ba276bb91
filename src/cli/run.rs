//! `tandem run`

use super::outcome::{Answer, Failure, Outcome};
use super::{Ground, screen};

/// Start the gateway
///
/// SIGHUP reloads configuration and dialplan, SIGTERM drains (no new calls, those in progress go on until
/// drain_timeout), a second SIGTERM ends at once. `TANDEM_LOG` sets how much is logged: error, warn, info or debug.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem run --config office.toml")]
pub struct Args {}

pub fn run(ground: &Ground, _args: Args) -> Outcome {
    let _log = screen::log_from_environment("info")?;
    match tandem::gateway::run(ground.config.clone()) {
        Ok(()) => Ok(Answer::Yes),
        Err(problems) => Err(Failure { lines: problems.0 }),
    }
}
