//! `tandem trunks`

use super::Ground;
use super::client::{Client, Reply, Request};
use super::outcome::{Answer, Outcome};
use super::screen::{cell, show_json, show_table, time_cell};
use serde_json::Value;

/// List the trunks and how they are
///
/// ASR is the share of our calls there that were answered (answer-seizure ratio), ACD the mean length of those, PDD the mean
/// time until one rang (post-dial delay), MOS the mean opinion score of what came from there and of what went there: all since
/// the gateway started, of calls that are over.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem trunks")]
pub struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

const HEADINGS: [&str; 12] = [
    "NAME",
    "UP",
    "STATE",
    "HOST",
    "ADDRESSES",
    "CALLS",
    "ASR",
    "ACD",
    "PDD",
    "MOS",
    "REGISTERED UNTIL",
    "LAST ANSWER",
];

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
        figure(trunk, "answer_seizure_ratio", 100.0, " %"),
        figure(trunk, "mean_call_s", 1.0, " s"),
        figure(trunk, "post_dial_ms", 1.0, " ms"),
        opinions(trunk),
        time_cell(trunk, "registered_until"),
        cell(trunk, "last_answer"),
    ]
}

fn figure(trunk: &Value, field: &str, factor: f64, unit: &str) -> String {
    trunk[field].as_f64().map(|value| format!("{:.0}{unit}", value * factor)).unwrap_or_default()
}

/// Of what comes from there and of what goes there.
fn opinions(trunk: &Value) -> String {
    let known = ["mos_received", "mos_sent"].map(|field| trunk[field].as_f64());
    if known.iter().all(Option::is_none) {
        return String::new();
    }
    known.map(|mos| mos.map_or("?".to_owned(), |mos| format!("{mos:.1}"))).join(" / ")
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
