//! `tandem calls`

mod rooms;

use super::Ground;
use super::client::{Client, Reply, Request};
use super::outcome::{Answer, Outcome};
use super::screen::{cell, show_json, show_table, time_cell};
use serde_json::Value;

/// List the calls that are up, and steer those in conference rooms
///
/// SOUND is the mean opinion score (1 to 4.5) of what comes from the caller and of what comes from the called side, as it is
/// here, up to some seconds ago; or from whom alone sound comes.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  tandem calls --json
  tandem calls --rooms
  tandem calls mute 88 3kfb8wq2m7-12   (the room, and the id of the call)
  tandem calls gain 88 3kfb8wq2m7-12 -6
  tandem calls record 88"
)]
pub struct Args {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// List the conference rooms, and who is in them
    #[arg(long)]
    rooms: bool,
    #[command(subcommand)]
    steering: Option<rooms::Steering>,
}

const HEADINGS: [&str; 9] = ["STARTED", "STATE", "CALLER", "FROM", "DIALLED", "TARGET", "CODECS", "SOUND", "ID"];

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    match &args.steering {
        Some(steering) => return rooms::steer(ground, steering),
        None if args.rooms => return rooms::list(ground, args.json),
        None => {}
    }
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
        sound(call),
        cell(call, "id"),
    ]
}

/// Two opinions, or what is wrong.
fn sound(call: &Value) -> String {
    if let Some(one_way) = call["one_way"].as_str() {
        return format!("one way: {one_way}");
    }
    let sides = ["caller_sound", "callee_sound"].map(|side| call[side]["mos_received"].as_f64());
    if sides.iter().all(Option::is_none) {
        return String::new();
    }
    sides.map(|mos| mos.map_or("?".to_owned(), |mos| format!("{mos:.1}"))).join(" - ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_sound_of_each_side_is_shown_or_that_one_has_none() {
        assert_eq!(sound(&json!({ "caller_sound": null, "callee_sound": null, "one_way": null })), "");
        let call = json!({ "caller_sound": { "mos_received": 4.37 }, "callee_sound": null, "one_way": null });
        assert_eq!(sound(&call), "4.4 - ?");
        let call = json!({ "one_way": "from the callee only, from the answer on" });
        assert_eq!(sound(&call), "one way: from the callee only, from the answer on");
    }
}
