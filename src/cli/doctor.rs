//! `tandem doctor`

use super::outcome::{Failure, Outcome};

/// Test the installation itself (comes with a later release)
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem doctor

Comes with a later release. Until then `tandem check` reads configuration and dialplan, and
/readyz says why a running gateway takes no calls.")]
pub struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run() -> Outcome {
    Err(Failure::later("`tandem doctor`"))
}
