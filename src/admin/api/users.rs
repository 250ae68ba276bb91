//! Users: those of the store, which the API may change, beside those of the configuration file, which it shows.

use crate::admin::answer::{Answer, Refusal};
use crate::admin::json;
use crate::admin::router::AppState;
use crate::shell::control::Control;
use crate::shell::seed;
use crate::shell::store::{NewUser, UserChange};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddBody {
    name: String,
    password: Option<String>,
    number: Option<String>,
    country: Option<String>,
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    password: Option<String>,
}

pub async fn list(State(state): State<AppState>) -> Answer {
    let settings = state.settings.load_full();
    let stored = state.store.users().await?;
    let users: Vec<Value> = settings
        .users
        .iter()
        .map(json::configured_user)
        .chain(stored.iter().map(|user| json::stored_user(user, &settings.sip.domain)))
        .collect();
    Ok(Json(json!({ "users": users })))
}

/// Answers 201 with the user. Where no password was given, one is made, and the answer is the only place that shows it.
pub async fn add(
    State(state): State<AppState>,
    body: Result<Json<AddBody>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let Json(body) = body?;
    let settings = state.settings.load_full();
    refuse_configured(&state, &body.name)?;
    if let Some(other) = settings.users.iter().find(|user| user.number.is_some() && user.number == body.number) {
        let error = format!("user `{}` of the configuration file has that number already", other.name);
        return Err(Refusal::new(StatusCode::CONFLICT, error, "give another number"));
    }
    let (password, made) = given_or_made(body.password)?;
    let user = NewUser {
        name: &body.name,
        realm: &settings.sip.domain,
        password: &password,
        number: body.number.as_deref(),
        country: body.country.as_deref(),
        display_name: body.display_name.as_deref(),
    };
    state.store.add_user(&user).await?;
    tracing::info!(user = %body.name, "a user is added");
    user_changed(&state, &body.name).await;
    let shown = json!({
        "name": body.name,
        "number": body.number,
        "country": body.country,
        "display_name": body.display_name,
        "password": made.then_some(password),
    });
    Ok((StatusCode::CREATED, Json(shown)))
}

pub async fn remove(State(state): State<AppState>, Path(name): Path<String>) -> Answer {
    refuse_configured(&state, &name)?;
    if state.store.remove_user(&name).await? == UserChange::Unknown {
        return Err(unknown(&name));
    }
    tracing::info!(user = %name, "a user is removed");
    user_changed(&state, &name).await;
    Ok(Json(json!({ "removed": name })))
}

/// As with `add`, a password that wasn't given is made, and shown once.
pub async fn password(
    State(state): State<AppState>,
    Path(name): Path<String>,
    body: Result<Json<PasswordBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    refuse_configured(&state, &name)?;
    let (password, made) = given_or_made(body.password)?;
    let realm = state.settings.load().sip.domain.clone();
    if state.store.set_password(&name, &realm, &password).await? == UserChange::Unknown {
        return Err(unknown(&name));
    }
    tracing::info!(user = %name, "a user's password is changed");
    user_changed(&state, &name).await;
    Ok(Json(json!({ "name": name, "password": made.then_some(password) })))
}

/// A user of the configuration file is changed there.
fn refuse_configured(state: &AppState, name: &str) -> Result<(), Refusal> {
    if state.settings.load().users.iter().all(|user| user.name != name) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::CONFLICT,
        format!("`{name}` is a user of the configuration file"),
        "change [[user]] there, then `tandem reload`",
    ))
}

/// A password, and whether it is a new one that has to be shown.
fn given_or_made(password: Option<String>) -> Result<(String, bool), Refusal> {
    match password {
        Some(password) => Ok((password, false)),
        None => Ok((seed::password()?, true)),
    }
}

pub(super) fn unknown(name: &str) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        format!("there is no user `{name}`"),
        "`tandem user list` shows those there are",
    )
}

pub(super) async fn user_changed(state: &AppState, name: &str) {
    // Without a loop there is nobody who holds old accounts.
    let _ = state.control.send(Control::UserChanged { name: name.to_owned() }).await;
}
