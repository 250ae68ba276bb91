//! `tandem drain`

use super::Ground;
use super::client::{Client, Reply, Request};
use super::outcome::{Answer, Outcome};
use super::screen::show;
use serde_json::json;

/// Take no new calls, and end after those in progress
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem drain   (the same as SIGTERM; `drain_timeout` limits how long it takes)")]
pub struct Args {}

pub fn run(ground: &Ground, _args: &Args) -> Outcome {
    match Client::new(&ground.settings()?)?.ask(Request::Post("drain", json!({})))? {
        Reply::Yes(_) => {
            show("no new calls are taken; the gateway ends after those in progress");
            Ok(Answer::Yes)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}
