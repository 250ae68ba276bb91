//! Calls that are up.

use crate::admin::answer::{Answer, Refusal};
use crate::admin::json;
use crate::admin::router::AppState;
use crate::shell::control::Control;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

pub async fn list(State(state): State<AppState>) -> Answer {
    let calls = state.ask(|reply| Control::Calls { reply }).await?;
    Ok(Json(serde_json::json!({ "calls": calls.iter().map(json::call).collect::<Vec<_>>() })))
}

pub async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let calls = state.ask(|reply| Control::Calls { reply }).await?;
    calls.iter().find(|call| call.id == id).map(|call| Json(json::call(call))).ok_or_else(unknown)
}

pub async fn hangup(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let asked = id.clone();
    if state.ask(|reply| Control::Hangup { id: asked, reply }).await? {
        tracing::info!(call = %id, "a call is ended through the API");
        return Ok(Json(serde_json::json!({ "ended": id })));
    }
    Err(unknown())
}

fn unknown() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "no such call is up",
        "`tandem calls` lists those that are, and `tandem cdr` those that were",
    )
}
