//! `tandem hangup`

use super::Ground;
use super::client::{Client, Reply, Request, segment};
use super::outcome::{Answer, Outcome};
use super::screen::show;

/// End a call that is up
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem hangup 3kfb8wq2m7   (the ids are those of `tandem calls`)

Exits 1 where no such call is up.")]
pub struct Args {
    /// The call's id
    #[arg(value_name = "CALL-ID")]
    id: String,
}

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    let path = format!("calls/{}", segment(&args.id));
    match Client::new(&ground.settings()?)?.ask(Request::Delete(&path))? {
        Reply::Yes(_) => {
            show(&format!("{} is ended", args.id));
            Ok(Answer::Yes)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}
