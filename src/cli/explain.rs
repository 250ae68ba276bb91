//! `tandem explain`

use super::Ground;
use super::outcome::{Failure, Outcome};

/// Say what would happen to a call, or what did happen to one
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tandem explain --from alice --to 00442079460000 --at 2026-11-21T09:00Z
  tandem explain 3kfb8wq2m7")]
pub struct Args {}

pub fn run(_ground: &Ground, _args: &Args) -> Outcome {
    Err(Failure::later("this"))
}
