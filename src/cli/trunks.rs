//! `tandem trunks`

use super::Ground;
use super::client::{Client, Reply, Request};
use super::outcome::{Answer, Outcome};
use super::screen::{cell, show_json, show_table, time_cell};
use serde_json::Value;

/// List the trunks and how they are
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem trunks")]
pub struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

const HEADINGS: [&str; 8] = ["NAME", "UP", "STATE", "HOST", "ADDRESSES", "CALLS", "REGISTERED UNTIL", "LAST ANSWER"];

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    match Client::new(&ground.settings()?)?.ask(Request::Get("trunks", &[]))? {
        Reply::Yes(answer) => {
            let trunks = answer["trunks"].as_array().map(Vec::as_slice).unwrap_or_default();
            if args.json {
                trunks.iter().for_each(show_json);
            } else {
                show_table(&HEADINGS, &trunks.iter().map(row).collect::<Vec<_>>(), "there are no trunks");
            }
            Ok(Answer::Yes)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}

fn row(trunk: &Value) -> Vec<String> {
    let calls = match &trunk["max_calls"] {
        Value::Null => cell(trunk, "calls"),
        limit => format!("{} of {limit}", cell(trunk, "calls")),
    };
    vec![
        cell(trunk, "name"),
        if trunk["up"] == true { "up" } else { "down" }.to_owned(),
        cell(trunk, "state"),
        cell(trunk, "host"),
        addresses(trunk),
        calls,
        time_cell(trunk, "registered_until"),
        cell(trunk, "last_answer"),
    ]
}

/// Each address, and for how long it is left alone where it failed.
fn addresses(trunk: &Value) -> String {
    let addresses = trunk["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    let words = addresses.iter().map(|address| match address["out_for_s"].as_u64() {
        Some(seconds) => format!("{} (out for {seconds} s: {})", cell(address, "address"), cell(address, "why")),
        None => cell(address, "address"),
    });
    words.collect::<Vec<_>>().join(", ")
}
