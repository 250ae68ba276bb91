//! The gateway as a whole: trunks, phones, what it would do, and orders to it.

use super::moment;
use crate::admin::answer::{Answer, Refusal};
use crate::admin::json;
use crate::admin::router::AppState;
use crate::dialplan::explain::explain_json;
use crate::shell::control::Control;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::time::Duration;

/// A reload reads files and runs the tests of a dialplan.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(25);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    from: String,
    to: String,
    at: Option<String>,
}

pub async fn trunks(State(state): State<AppState>) -> Answer {
    let trunks = state.ask(|reply| Control::Trunks { reply }).await?;
    Ok(Json(serde_json::json!({ "trunks": trunks.iter().map(json::trunk).collect::<Vec<_>>() })))
}

pub async fn registrations(State(state): State<AppState>) -> Answer {
    let registrations = state.ask(|reply| Control::Registrations { reply }).await?;
    let registrations: Vec<_> = registrations.iter().map(json::registration).collect();
    Ok(Json(serde_json::json!({ "registrations": registrations })))
}

pub async fn status(State(state): State<AppState>) -> Answer {
    Ok(Json(json::status(&state.ask(|reply| Control::Status { reply }).await?)))
}

pub async fn explain(State(state): State<AppState>, query: Result<Query<ExplainQuery>, QueryRejection>) -> Answer {
    let Query(ExplainQuery { from, to, at }) = query?;
    let at = moment(at.as_deref())?;
    let decision = state.ask(|reply| Control::Explain { from, to, at, reply }).await?;
    let decision = decision
        .map_err(|error| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error, "correct the question and ask again"))?;
    let mut answer = explain_json(&decision);
    let mut forwards = Vec::new();
    for user in decision.users() {
        let forwarding = state.store.forwarding(user).await?;
        if !forwarding.is_off() {
            forwards.push(json::forwarding(user, &forwarding));
        }
    }
    answer["forwards"] = forwards.into();
    Ok(Json(answer))
}

pub async fn reload(State(state): State<AppState>) -> Answer {
    let report = state.ask_within(RELOAD_TIMEOUT, |reply| Control::Reload { reply }).await?;
    report.map(|report| Json(json::reload(&report))).map_err(|problems| Refusal {
        problems,
        ..Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "nothing was changed: configuration or dialplan have problems",
            "mend them (`tandem check` lists them too) and reload again",
        )
    })
}

pub async fn drain(State(state): State<AppState>) -> Answer {
    state.ask(|reply| Control::Drain { reply }).await?;
    tracing::info!("a drain is ordered through the API");
    Ok(Json(serde_json::json!({ "draining": true })))
}
