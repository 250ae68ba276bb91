//! Whether the process lives, whether it can take calls, and its numbers. No token is asked for, and no secret shown.

use super::router::AppState;
use crate::shell::control::Control;
use crate::shell::error::ShellError;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Monitors don't wait long.
const LOOP_TIMEOUT: Duration = Duration::from_secs(2);

pub async fn alive() -> &'static str {
    "ok\n"
}

/// 200, or 503 with every reason and its mend.
pub async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let mut troubles = (state.ready)();
    troubles.extend(state.journal.troubles());
    if troubles.iter().all(|trouble| trouble.place != state.store.path().display().to_string()) {
        troubles.extend(state.store.check().await.err());
    }
    troubles.extend(loop_trouble(&state).await);
    let status = if troubles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let reasons: Vec<Value> = troubles
        .iter()
        .map(|trouble| json!({ "place": trouble.place, "error": trouble.what, "mend": trouble.mend }))
        .collect();
    (status, Json(json!({ "ready": troubles.is_empty(), "reasons": reasons })))
}

pub async fn metrics(State(state): State<AppState>) -> Response {
    state.metrics.set_records(state.journal.pending(), state.journal.lost());
    match state.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn loop_trouble(state: &AppState) -> Option<ShellError> {
    match state.ask_within(LOOP_TIMEOUT, |reply| Control::Status { reply }).await {
        Err(refusal) => Some(ShellError::new("gateway", refusal.error, "if it lasts, restart it and report its log")),
        Ok(status) if status.draining => Some(ShellError::new(
            "gateway",
            "it drains and takes no new calls",
            "it ends by itself; start it again then",
        )),
        Ok(status) if !status.accepting => {
            let what = format!("it takes no new calls ({} of {} are up)", status.calls, status.max_calls);
            Some(ShellError::new("gateway", what, "wait for calls to end, or raise limits.calls"))
        }
        Ok(_) => None,
    }
}
