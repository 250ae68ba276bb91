//! Whether the process lives, whether it can take calls, and its numbers. No token is asked for, and no secret shown.

use super::router::AppState;
use crate::call::view::Closed;
use crate::shell::control::{Control, Status};
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
        Ok(status) => why_closed(&status),
    }
}

fn why_closed(status: &Status) -> Option<ShellError> {
    let (what, mend) = match status.closed? {
        Closed::Draining => ("it drains and takes no new calls".to_owned(), "it ends by itself; start it again then"),
        Closed::NoRecords => {
            let what = "it takes no new calls, since their records couldn't be kept".to_owned();
            (what, "make room on the disk of the data folder, or mend it")
        }
        Closed::Full => {
            let what = format!("it takes no new calls ({} of {} are up)", status.calls, status.max_calls);
            (what, "wait for calls to end, or raise limits.calls")
        }
    };
    Some(ShellError::new("gateway", what, mend))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;

    #[test]
    fn readiness_says_why_no_calls_are_taken() {
        let status = |closed| Status {
            version: "1",
            started: Wall::from_micros(0),
            uptime: Duration::ZERO,
            closed,
            calls: 12,
            max_calls: 2_500,
            registrations: 0,
            trunks_up: 0,
            trunks: 0,
            workers: 1,
            listening: Vec::new(),
        };
        let says = |closed| why_closed(&status(Some(closed))).unwrap().to_string();
        assert!(why_closed(&status(None)).is_none());
        assert!(says(Closed::Draining).contains("drains"));
        assert!(says(Closed::NoRecords).contains("disk") && !says(Closed::NoRecords).contains("limits.calls"));
        assert!(says(Closed::Full).contains("12 of 2500") && says(Closed::Full).contains("limits.calls"));
    }
}
