//! `tandem calls`

use super::Ground;
use super::client::{Client, Reply, Request};
use super::outcome::{Answer, Outcome};
use super::screen::{cell, show_json, show_table, time_cell};
use serde_json::Value;

/// List the calls that are up
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem calls --json")]
pub struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

const HEADINGS: [&str; 8] = ["STARTED", "STATE", "CALLER", "FROM", "DIALLED", "TARGET", "CODECS", "ID"];

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    match Client::new(&ground.settings()?)?.ask(Request::Get("calls", &[]))? {
        Reply::Yes(answer) => {
            let calls = answer["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
            if args.json {
                calls.iter().for_each(show_json);
            } else {
                show_table(&HEADINGS, &calls.iter().map(row).collect::<Vec<_>>(), "no call is up");
            }
            Ok(Answer::Yes)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}

fn row(call: &Value) -> Vec<String> {
    let codecs = [cell(call, "caller_codec"), cell(call, "callee_codec")];
    let codecs: Vec<&str> = codecs.iter().map(String::as_str).filter(|codec| !codec.is_empty()).collect();
    vec![
        time_cell(call, "started"),
        cell(call, "state"),
        cell(call, "caller"),
        cell(call, "from"),
        cell(call, "dialled"),
        cell(call, "target"),
        codecs.join(" - "),
        cell(call, "id"),
    ]
}
