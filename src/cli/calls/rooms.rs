//! `tandem calls --rooms`, and what steers the members of a room.

use crate::cli::Ground;
use crate::cli::client::{Client, Reply, Request, segment};
use crate::cli::outcome::{Answer, Outcome};
use crate::cli::screen::{cell, show, show_json, show_table, time_cell};
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Steering {
    /// The others in the room no longer hear the member
    Mute(Member),
    /// They hear it again
    Unmute(Member),
    /// The member no longer hears the others
    Deafen(Member),
    /// It hears them again
    Undeafen(Member),
    /// The others hear the member louder or softer
    Gain {
        #[command(flatten)]
        member: Member,
        /// In decibels, -30 to 20; 0 for as it comes
        #[arg(value_name = "DB", allow_negative_numbers = true)]
        db: i8,
    },
    /// Take the member out of the room, and end its call
    Kick(Member),
    /// Record a room and each of its members
    Record(Room),
    /// End the recording of a room
    Unrecord(Room),
}

#[derive(clap::Args)]
pub struct Member {
    /// The room's name
    #[arg(value_name = "ROOM")]
    room: String,
    /// The id of the member's call
    #[arg(value_name = "CALL-ID")]
    id: String,
}

#[derive(clap::Args)]
pub struct Room {
    /// The room's name
    #[arg(value_name = "ROOM")]
    room: String,
}

const HEADINGS: [&str; 8] = ["ROOM", "SINCE", "WHO", "FROM", "TALKS", "LEVEL", "STATE", "ID"];

pub fn list(ground: &Ground, as_json: bool) -> Outcome {
    match Client::new(&ground.settings()?)?.ask(Request::Get("rooms", &[]))? {
        Reply::Yes(answer) => {
            let rooms = answer["rooms"].as_array().map(Vec::as_slice).unwrap_or_default();
            if as_json {
                rooms.iter().for_each(show_json);
            } else {
                show_table(&HEADINGS, &rooms.iter().flat_map(rows).collect::<Vec<_>>(), "nobody is in a room");
            }
            Ok(Answer::Yes)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}

fn rows(room: &Value) -> Vec<Vec<String>> {
    let members = room["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    members.iter().map(|member| row(&cell(room, "name"), member)).collect()
}

fn row(room: &str, member: &Value) -> Vec<String> {
    let is = |field: &str| member[field].as_bool() == Some(true);
    let number = |field: &str| member[field].as_i64().unwrap_or(0);
    let mut state: Vec<String> = ["muted", "deaf"].into_iter().filter(|field| is(field)).map(str::to_owned).collect();
    if number("gain_db") != 0 {
        state.push(format!("{:+} dB", number("gain_db")));
    }
    if number("missing_frames") > 0 {
        state.push(format!("{} frames missing", number("missing_frames")));
    }
    vec![
        room.to_owned(),
        time_cell(member, "since"),
        cell(member, "who"),
        cell(member, "from"),
        if is("talking") { "yes".to_owned() } else { String::new() },
        format!("{} dB", number("level_db")),
        state.join(", "),
        cell(member, "id"),
    ]
}

pub fn steer(ground: &Ground, steering: &Steering) -> Outcome {
    let member = |Member { room, id }: &Member| format!("rooms/{}/members/{}", segment(room), segment(id));
    let (path, order, told) = match steering {
        Steering::Mute(of) => (member(of), json!({ "mute": true }), "is muted"),
        Steering::Unmute(of) => (member(of), json!({ "mute": false }), "is heard again"),
        Steering::Deafen(of) => (member(of), json!({ "deaf": true }), "hears nothing"),
        Steering::Undeafen(of) => (member(of), json!({ "deaf": false }), "hears again"),
        Steering::Gain { member: of, db } => (member(of), json!({ "gain_db": db }), "has another gain"),
        Steering::Kick(of) => (member(of), json!({ "kick": true }), "is out of the room"),
        Steering::Record(Room { room }) => {
            (format!("rooms/{}", segment(room)), json!({ "record": true }), "is recorded")
        }
        Steering::Unrecord(Room { room }) => {
            (format!("rooms/{}", segment(room)), json!({ "record": false }), "is recorded no longer")
        }
    };
    match Client::new(&ground.settings()?)?.ask(Request::Post(&path, order))? {
        Reply::Yes(room) => {
            let whom = match steering {
                Steering::Record(Room { room }) | Steering::Unrecord(Room { room }) => room,
                Steering::Mute(of)
                | Steering::Unmute(of)
                | Steering::Deafen(of)
                | Steering::Undeafen(of)
                | Steering::Gain { member: of, .. }
                | Steering::Kick(of) => &of.id,
            };
            match room["recording"].as_str().filter(|_| matches!(steering, Steering::Record(_))) {
                Some(folder) => show(&format!("{whom} {told}, in recordings/{folder} of the data folder")),
                None => show(&format!("{whom} {told}")),
            }
            Ok(Answer::Yes)
        }
        Reply::No(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}
