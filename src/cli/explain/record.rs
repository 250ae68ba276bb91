//! What did happen to a call, from its record.

use super::sound;
use crate::cli::client::{Client, Reply, Request, segment};
use crate::cli::offline;
use crate::cli::outcome::{Answer, Failure, Outcome};
use crate::cli::screen::{cell, plain, show, show_json, time_cell};
use serde_json::Value;
use tandem::admin::json;
use tandem::config::settings::Settings;
use tandem::shell::store::Store;

/// Prints the call's record, asked of the running gateway or, where none runs, read from its store.
pub fn explain(settings: &Settings, id: &str, as_json: bool) -> Outcome {
    let found = match Client::new(settings).and_then(|client| ask(&client, id)) {
        Ok(found) => found,
        Err(unreachable) => read(settings, id)?.ok_or(unreachable)?,
    };
    match found {
        Some(record) if as_json => {
            show_json(&record);
            Ok(Answer::Yes)
        }
        Some(record) => {
            text(&record).iter().for_each(|line| show(&plain(line)));
            Ok(Answer::Yes)
        }
        None => {
            let line = format!("there is no record of a call `{}`; `tandem cdr` lists the ids", plain(id));
            crate::cli::screen::complain(&Failure::new(line));
            Ok(Answer::No)
        }
    }
}

fn ask(client: &Client, id: &str) -> Result<Option<Value>, Failure> {
    match client.ask(Request::Get(&format!("cdr/{}", segment(id)), &[]))? {
        Reply::Yes(record) => Ok(Some(record)),
        Reply::No(_) => Ok(None),
    }
}

/// The outer none: there is no store.
fn read(settings: &Settings, id: &str) -> Result<Option<Option<Value>>, Failure> {
    offline::wait(async {
        let Some(store) = Store::open_to_read(&settings.store.url).await? else { return Ok(None) };
        let record = store.record(id).await;
        store.close().await;
        Ok(Some(record?.as_ref().map(json::record)))
    })
}

fn text(record: &Value) -> Vec<String> {
    let mut lines = vec![
        format!("call     {}", cell(record, "id")),
        format!("from     {} ({})", cell(record, "from"), cell(record, "caller")),
        format!("dialled  {}, which the rules saw as {}", cell(record, "dialled"), cell(record, "number")),
        match &record["rule"] {
            Value::Null => "rule     none took it".to_owned(),
            _ => format!("rule     {}", cell(record, "rule")),
        },
        format!("began    {} UTC", time_cell(record, "started")),
    ];
    for (word, field) in [("rang", "ringing"), ("answered", "answered"), ("ended", "ended")] {
        if !record[field].is_null() {
            lines.push(format!("{word:<8} {} UTC", time_cell(record, field)));
        }
    }
    lines.push(format!("end      {}", end_text(record)));
    for (index, leg) in record["legs"].as_array().into_iter().flatten().enumerate() {
        lines.extend(leg_text(index, leg));
    }
    lines.extend(sound::advice(record));
    lines.push(
        "(the rules tried and passed over, and the codecs offered and dropped come with a later release)".to_owned(),
    );
    lines
}

fn end_text(record: &Value) -> String {
    let cause = cell(record, "cause");
    let status = match &record["status"] {
        Value::Null => String::new(),
        status => format!("; the caller was answered {status}"),
    };
    let talk = match record["talk_ms"].as_u64() {
        Some(millis) if millis > 0 => format!(", after {:.1} s of talk", millis as f64 / 1e3),
        _ => String::new(),
    };
    match record["state"].as_str() {
        Some("open") => "not yet: the call is up".to_owned(),
        Some("cut-off") => format!("{cause}{talk}{status}"),
        _ => format!("by the {}: {cause}{talk}{status}", cell(record, "ended_by")),
    }
}

fn leg_text(index: usize, leg: &Value) -> Vec<String> {
    let side = if index == 0 { "the caller's leg".to_owned() } else { format!("try {index}") };
    let mut lines = vec![format!("{side}: {}", cell(leg, "target"))];
    let mut say = |word: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("  {word:<9} {text}"));
        }
    };
    say("number", cell(leg, "number"));
    say("address", cell(leg, "address"));
    say("sent on", leg["diverted"].as_str().map(|by| format!("by {by}")).unwrap_or_default());
    say("Call-ID", cell(leg, "call_id"));
    say("session", leg["session_id"].as_str().unwrap_or_default().to_owned());
    say("rang", time_cell(leg, "ringing"));
    say("answered", time_cell(leg, "answered"));
    say("answer", [cell(leg, "status"), cell(leg, "reason")].join(" ").trim().to_owned());
    say("codec", cell(leg, "codec"));
    say("SRTP", leg["srtp"].as_str().unwrap_or_default().to_owned());
    say("announced", sound::addresses(leg));
    if leg["media"].is_object() {
        sound::figures(&leg["media"]).into_iter().for_each(|(word, text)| say(word, text));
    }
    lines
}
