//! `tandem user forwarding`

use crate::cli::client::{Request, segment};
use crate::cli::outcome::Failure;
use crate::cli::screen::{cell, show_json, show_table};
use serde_json::{Map, Value, json};
use tandem::config::quantity;

/// Show where a user's calls go, or change it; users do the same by phone (*72 and its kin)
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tandem user forwarding carol
  tandem user forwarding carol --no-answer +447700900001 --after 30s
  tandem user forwarding carol --always off --do-not-disturb on")]
pub struct Forwarding {
    pub name: String,
    /// Where all calls go, or `off`
    #[arg(long, value_name = "NUMBER")]
    always: Option<String>,
    /// Where calls go while the phones are busy, or `off`
    #[arg(long, value_name = "NUMBER")]
    busy: Option<String>,
    /// Where calls go that nobody answers, or `off`
    #[arg(long, value_name = "NUMBER")]
    no_answer: Option<String>,
    /// How long it rings before, or `off` for the usual time
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// Whether the phones don't ring at all: `on` or `off`
    #[arg(long, value_name = "ON|OFF", value_parser = ["on", "off"])]
    do_not_disturb: Option<String>,
    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Forwarding {
    pub fn path(&self) -> String {
        format!("users/{}/forwarding", segment(&self.name))
    }

    /// A question where nothing is to be changed.
    pub fn request<'a>(&self, path: &'a str) -> Result<Request<'a>, Failure> {
        let mut change = Map::new();
        let numbers = [("always", &self.always), ("busy", &self.busy), ("no_answer", &self.no_answer)];
        for (key, number) in numbers {
            if let Some(number) = number {
                change.insert(key.to_owned(), if number == "off" { Value::Null } else { json!(number) });
            }
        }
        if let Some(after) = &self.after {
            let seconds = match after.as_str() {
                "off" => Value::Null,
                text => json!(
                    quantity::duration(text)
                        .map_err(|wrong| Failure::new(format_args!("{}; {}", wrong.what, wrong.mend)))?
                        .as_secs()
                ),
            };
            change.insert("after_s".to_owned(), seconds);
        }
        if let Some(word) = &self.do_not_disturb {
            change.insert("do_not_disturb".to_owned(), json!(word == "on"));
        }
        if change.is_empty() { Ok(Request::Get(path, &[])) } else { Ok(Request::Patch(path, change.into())) }
    }
}

pub fn shown(forwarding: &Value, json: bool) {
    if json {
        return show_json(forwarding);
    }
    let row = |name: &str, field: &str| vec![name.to_owned(), cell(forwarding, field)];
    let disturb = if forwarding["do_not_disturb"] == true { "on" } else { "off" };
    let rows = [
        row("always", "always"),
        row("busy", "busy"),
        row("no answer", "no_answer"),
        row("after (s)", "after_s"),
        vec!["do not disturb".to_owned(), disturb.to_owned()],
    ];
    show_table(&["WHEN", "TO"], &rows, "");
}
