//! `tandem reload`

use super::Ground;
use super::client::{Client, Reply, Request};
use super::outcome::{Answer, Outcome};
use super::screen::{cell, show, show_json};
use serde_json::json;

/// Read configuration and dialplan again, with no call touched
///
/// All or nothing: where something is wrong, what ran before goes on, and every problem is printed.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem reload

Exits 1 where something is wrong and nothing was changed.")]
pub struct Args {
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    match Client::new(&ground.settings()?)?.ask(Request::Post("reload", json!({})))? {
        Reply::Yes(report) if args.json => {
            show_json(&report);
            Ok(Answer::Yes)
        }
        Reply::Yes(report) => {
            let count = |field| cell(&report, field);
            show(&format!("reloaded: {} rules, {} users, {} trunks", count("rules"), count("users"), count("trunks")));
            for sentence in report["after_restart"].as_array().map(Vec::as_slice).unwrap_or_default() {
                show(&format!("after a restart: {}", sentence.as_str().unwrap_or("-")));
            }
            Ok(Answer::Yes)
        }
        Reply::No(refused) if args.json => {
            show_json(&json!({ "error": refused.error, "mend": refused.mend, "problems": refused.problems }));
            Ok(Answer::No)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}
