//! Conference rooms in which somebody is: who hears whom, and what is recorded.

use crate::admin::answer::{Answer, Refusal};
use crate::admin::json;
use crate::admin::router::AppState;
use crate::call::room::{GAIN_DB, Steering};
use crate::call::view::RoomView;
use crate::shell::control::Control;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberOrder {
    mute: Option<bool>,
    deaf: Option<bool>,
    gain_db: Option<i8>,
    #[serde(default)]
    kick: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomOrder {
    record: bool,
}

pub async fn list(State(state): State<AppState>) -> Answer {
    let rooms = state.ask(|reply| Control::Rooms { reply }).await?;
    Ok(Json(serde_json::json!({ "rooms": rooms.iter().map(json::room).collect::<Vec<_>>() })))
}

pub async fn one(State(state): State<AppState>, Path(name): Path<String>) -> Answer {
    shown(state.ask(|reply| Control::Room { name, reply }).await?)
}

pub async fn order(
    State(state): State<AppState>,
    Path(name): Path<String>,
    order: Result<Json<RoomOrder>, JsonRejection>,
) -> Answer {
    let Json(RoomOrder { record }) = order?;
    tracing::info!(room = %name, record, "a room's recording is ordered through the API");
    shown(state.ask(|reply| Control::RecordRoom { name, on: record, reply }).await?)
}

pub async fn member(
    State(state): State<AppState>,
    Path((room, id)): Path<(String, String)>,
    order: Result<Json<MemberOrder>, JsonRejection>,
) -> Answer {
    let Json(MemberOrder { mute, deaf, gain_db, kick }) = order?;
    if gain_db.is_some_and(|gain| !GAIN_DB.contains(&gain)) {
        let mend = format!("choose from {} to {}", GAIN_DB.start(), GAIN_DB.end());
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "`gain_db` is out of range", mend));
    }
    let steering = Steering { muted: mute, deaf, gain_db, kick };
    tracing::info!(room = %room, call = %id, ?steering, "a member of a room is steered through the API");
    let view = state.ask(|reply| Control::Steer { room, id, steering, reply }).await?;
    let none = || {
        let mend = "`tandem calls --rooms` lists the rooms and who is in them";
        Refusal::new(StatusCode::NOT_FOUND, "no such call is in that room", mend)
    };
    view.map(|view| Json(json::room(&view))).ok_or_else(none)
}

fn shown(view: Option<RoomView>) -> Answer {
    let none = || {
        let mend = "`tandem calls --rooms` lists those that there are; a room opens with its first member";
        Refusal::new(StatusCode::NOT_FOUND, "nobody is in such a room", mend)
    };
    view.map(|view| Json(json::room(&view))).ok_or_else(none)
}
