//! What the API answers when it doesn't do what was asked: `{"error": …, "mend": …}` with a fitting status.

use crate::shell::error::ShellError;
use crate::shell::store::UserError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub error: String,
    pub mend: String,
    /// A list of further problems, where there are several.
    pub problems: Vec<String>,
}

pub type Answer = Result<Json<Value>, Refusal>;

impl Refusal {
    pub fn new(status: StatusCode, error: impl Into<String>, mend: impl Into<String>) -> Refusal {
        Refusal { status, error: error.into(), mend: mend.into(), problems: Vec::new() }
    }

    /// The loop of the gateway is gone or stuck.
    pub fn no_loop() -> Refusal {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the gateway doesn't answer: it is starting, ending or overloaded",
            "ask again in a moment; /readyz says more",
        )
    }
}

impl From<ShellError> for Refusal {
    fn from(error: ShellError) -> Refusal {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Refusal::new(status, format!("{}: {}", error.place, error.what), error.mend)
    }
}

impl From<UserError> for Refusal {
    fn from(error: UserError) -> Refusal {
        let text = error.to_string();
        match error {
            UserError::Invalid { what, mend } => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, what, mend),
            UserError::NameTaken => {
                Refusal::new(StatusCode::CONFLICT, text, "choose another name, or change that user's password")
            }
            UserError::NumberTaken(_) => {
                Refusal::new(StatusCode::CONFLICT, text, "give another number, or remove that user first")
            }
            UserError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.error, "mend": self.mend });
        if !self.problems.is_empty() {
            body["problems"] = self.problems.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
