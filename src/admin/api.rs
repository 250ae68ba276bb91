//! What stands under `/api/v1`.

pub mod calls;
pub mod forwarding;
pub mod gateway;
pub mod records;
pub mod rooms;
pub mod users;

use super::answer::Refusal;
use crate::base::time::Wall;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use std::time::{SystemTime, UNIX_EPOCH};

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Refusal {
        Refusal::new(
            rejection.status(),
            rejection.body_text(),
            "send a JSON object with `Content-Type: application/json`",
        )
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Refusal {
        Refusal::new(rejection.status(), rejection.body_text(), "GET / shows the parameters of each path")
    }
}

/// A time in a query. The error of one that can't be read says how to write it.
fn moment(text: Option<&str>) -> Result<Option<Wall>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let time = super::moment::parse(text, wall());
    time.map(Some).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error, "correct the time and ask again"))
}

#[allow(clippy::disallowed_methods, reason = "a span in a query counts back from the moment of the request")]
fn wall() -> Wall {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    Wall::from_micros(i64::try_from(micros).unwrap_or(0))
}
