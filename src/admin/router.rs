//! Which path leads where, and what stands before all of them: limits, and the token.

use super::answer::Refusal;
use super::metrics::Metrics;
use super::token::Token;
use super::{api, health, home, sip};
use crate::config::settings::Settings;
use crate::shell::control::Control;
use crate::shell::error::ShellError;
use crate::shell::journal::JournalWatch;
use crate::shell::store::Store;
use crate::shell::transport::Guests;
use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

const BODY_BYTES: usize = 1 << 20;
/// A whole request, its body read and its answer made.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the loop may take for an answer. It reads no disk but for a reload, which has the request's whole time.
const LOOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What the API knows of the gateway.
#[derive(Clone)]
pub struct AppState {
    pub control: mpsc::Sender<Control>,
    pub store: Store,
    pub journal: JournalWatch,
    pub metrics: Arc<Metrics>,
    /// The present ones, replaced by a reload.
    pub settings: Arc<ArcSwap<Settings>>,
    pub token: Token,
    /// Takes in SIP over WebSocket; none where there is no gateway behind.
    pub sip: Option<Guests>,
    /// What else keeps the gateway from being ready, beside journal, store and loop; empty when nothing does.
    pub ready: Arc<dyn Fn() -> Vec<ShellError> + Send + Sync>,
}

pub fn router(state: AppState) -> Router {
    let api = Router::new()
        .route("/users", get(api::users::list).post(api::users::add))
        .route("/users/{name}", delete(api::users::remove))
        .route("/users/{name}/password", put(api::users::password))
        .route("/users/{name}/forwarding", get(api::forwarding::show).patch(api::forwarding::change))
        .route("/cdr", get(api::records::list))
        .route("/cdr/{id}", get(api::records::one))
        .route("/calls", get(api::calls::list))
        .route("/calls/{id}", get(api::calls::one).delete(api::calls::hangup))
        .route("/rooms", get(api::rooms::list))
        .route("/rooms/{name}", get(api::rooms::one).post(api::rooms::order))
        .route("/rooms/{name}/members/{id}", post(api::rooms::member))
        .route("/trunks", get(api::gateway::trunks))
        .route("/registrations", get(api::gateway::registrations))
        .route("/explain", get(api::gateway::explain))
        .route("/status", get(api::gateway::status))
        .route("/reload", post(api::gateway::reload))
        .route("/drain", post(api::gateway::drain))
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_path)
        .layer(middleware::from_fn_with_state(state.clone(), authorize));
    Router::new()
        .route("/", get(home::page))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/sip", get(sip::upgrade))
        .nest("/api/v1", api)
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_path)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(limit_time))
        .with_state(state)
}

impl AppState {
    /// Asks the loop, and waits for its answer.
    pub(super) async fn ask<T>(&self, control: impl FnOnce(oneshot::Sender<T>) -> Control) -> Result<T, Refusal> {
        self.ask_within(LOOP_TIMEOUT, control).await
    }

    pub(super) async fn ask_within<T>(
        &self,
        limit: Duration,
        control: impl FnOnce(oneshot::Sender<T>) -> Control,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.control.send(control(reply)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(limit, asked).await.ok().flatten().ok_or_else(Refusal::no_loop)
    }
}

async fn authorize(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let offered = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    if offered.is_some_and(|offered| state.token.is(offered)) {
        return next.run(request).await;
    }
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "the API asks for its token",
        "send `Authorization: Bearer TOKEN`; the token is in admin.token in the gateway's data folder",
    )
    .into_response()
}

/// The credentials of the Bearer scheme (RFC 6750 §2.1), whose name may be in any case (RFC 9110 §11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn limit_time(request: Request, next: Next) -> Response {
    let mut response = match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("that took longer than {} s", REQUEST_TIMEOUT.as_secs()),
            "ask for less at once, or look at /readyz",
        )
        .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn unknown_path() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path", "GET / lists what there is")
}

async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this path doesn't know that method", "GET / lists what there is")
}
