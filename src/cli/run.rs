//! `tandem run`

use super::Ground;
use super::outcome::{Failure, Outcome};

/// Start the gateway
///
/// SIGHUP reloads configuration and dialplan, SIGTERM drains (no new calls, those in progress go on until
/// drain_timeout), a second SIGTERM ends at once.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem run --config office.toml")]
pub struct Args {}

pub fn run(ground: &Ground, _args: Args) -> Outcome {
    ground.settings()?;
    Err(Failure::later("`tandem run`"))
}
