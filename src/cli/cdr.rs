//! `tandem cdr`

use super::Ground;
use super::client::{Client, Reply, Request};
use super::outcome::{Answer, Outcome};
use super::screen::{cell, show_json, show_table, span_cell, time_cell};
use serde_json::Value;

/// Print call records, the newest last
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tandem cdr --last 20
  tandem cdr --json --since 24h --failed")]
pub struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// How many, counted from the newest
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    last: u32,
    /// Calls that began at this time or later: 2026-11-21T09:00Z, 2026-11-21, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Calls that began before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Calls from or to numbers and users with this in them
    #[arg(long, value_name = "TEXT")]
    party: Option<String>,
    /// Only calls that ended without an answer
    #[arg(long)]
    failed: bool,
}

const HEADINGS: [&str; 9] = ["STARTED", "CALLER", "FROM", "DIALLED", "TARGET", "STATUS", "TALK", "END", "ID"];

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    let mut query = vec![("limit", args.last.to_string()), ("failed", args.failed.to_string())];
    for (name, value) in [("since", &args.since), ("until", &args.until), ("party", &args.party)] {
        query.extend(value.clone().map(|value| (name, value)));
    }
    match Client::new(&ground.settings()?)?.ask(Request::Get("cdr", &query))? {
        Reply::Yes(mut answer) => {
            let mut records: Vec<Value> = answer["records"].as_array_mut().map(std::mem::take).unwrap_or_default();
            records.reverse();
            if args.json {
                records.iter().for_each(show_json);
            } else {
                show_table(&HEADINGS, &records.iter().map(row).collect::<Vec<_>>(), "there are no such calls");
            }
            Ok(Answer::Yes)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}

fn row(record: &Value) -> Vec<String> {
    let end = match record["state"].as_str() {
        Some("open") => "open".to_owned(),
        Some("cut-off") => "cut off".to_owned(),
        _ => format!("{}: {}", cell(record, "ended_by"), cell(record, "cause")),
    };
    // The first leg is the caller's; the last one that was tried says where the call went.
    let legs = record["legs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let target = legs.iter().skip(1).next_back().map(|leg| cell(leg, "target")).unwrap_or_default();
    vec![
        time_cell(record, "started"),
        cell(record, "caller"),
        cell(record, "from"),
        cell(record, "dialled"),
        target,
        cell(record, "status"),
        span_cell(record, "talk_ms"),
        end,
        cell(record, "id"),
    ]
}
