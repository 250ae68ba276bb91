//! Call records.

use super::moment;
use crate::admin::answer::{Answer, Refusal};
use crate::admin::json;
use crate::admin::router::AppState;
use crate::shell::store::Filter;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

/// The most records of one answer; ask again with `until` for those before.
const LIMIT: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    since: Option<String>,
    until: Option<String>,
    party: Option<String>,
    failed: bool,
    limit: u32,
}

impl Default for ListQuery {
    fn default() -> ListQuery {
        ListQuery { since: None, until: None, party: None, failed: false, limit: Filter::default().limit }
    }
}

/// Newest first.
pub async fn list(State(state): State<AppState>, query: Result<Query<ListQuery>, QueryRejection>) -> Answer {
    let Query(query) = query?;
    let filter = Filter {
        since: moment(query.since.as_deref())?,
        until: moment(query.until.as_deref())?,
        party: query.party,
        failed: query.failed,
        limit: query.limit.min(LIMIT),
    };
    state.journal.catch_up().await;
    let records = state.store.records(&filter).await?;
    Ok(Json(serde_json::json!({ "records": records.iter().map(json::record).collect::<Vec<_>>() })))
}

pub async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    state.journal.catch_up().await;
    match state.store.record(&id).await? {
        Some(record) => Ok(Json(json::record(&record))),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no record of such a call",
            "`tandem cdr` lists the calls with their ids; a Call-ID of one of its legs does as well",
        )),
    }
}
