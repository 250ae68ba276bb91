//! Where a user's calls go: what the phone codes change, for whoever has the API's token.

use crate::admin::answer::{Answer, Refusal};
use crate::admin::api::users::user_changed;
use crate::admin::json;
use crate::admin::router::AppState;
use crate::call::account::forwarding::Forwarding;
use crate::dialplan::change::AFTER_S;
use crate::dialplan::is_dialable;
use crate::dialplan::route::Target;
use crate::shell::control::Control;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// What is named is changed; null takes it back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Body {
    #[serde(deserialize_with = "named")]
    always: Option<Option<String>>,
    #[serde(deserialize_with = "named")]
    busy: Option<Option<String>>,
    #[serde(deserialize_with = "named")]
    no_answer: Option<Option<String>>,
    #[serde(deserialize_with = "named")]
    after_s: Option<Option<u64>>,
    do_not_disturb: Option<bool>,
}

/// Tells a key that is null from one that isn't there.
fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub async fn show(State(state): State<AppState>, Path(name): Path<String>) -> Answer {
    known(&state, &name).await?;
    Ok(Json(json::forwarding(&name, &state.store.forwarding(&name).await?)))
}

pub async fn change(
    State(state): State<AppState>,
    Path(name): Path<String>,
    body: Result<Json<Body>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    known(&state, &name).await?;
    for to in [&body.always, &body.busy, &body.no_answer].into_iter().flatten().flatten() {
        check(&state, &name, to).await?;
    }
    let mut forwarding = state.store.forwarding(&name).await?;
    body.apply(&mut forwarding)?;
    state.store.set_forwarding(&name, &forwarding).await?;
    tracing::info!(user = %name, "where a user's calls go is changed");
    user_changed(&state, &name).await;
    Ok(Json(json::forwarding(&name, &forwarding)))
}

impl Body {
    fn apply(self, forwarding: &mut Forwarding) -> Result<(), Refusal> {
        if let Some(Some(seconds)) = self.after_s.filter(|after| after.is_some_and(|s| !AFTER_S.contains(&s))) {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("it can't ring for {seconds} s before a call goes elsewhere"),
                format!("choose from {} to {} s", AFTER_S.start(), AFTER_S.end()),
            ));
        }
        let Body { always, busy, no_answer, after_s, do_not_disturb } = self;
        forwarding.always = always.unwrap_or(forwarding.always.take());
        forwarding.busy = busy.unwrap_or(forwarding.busy.take());
        forwarding.no_answer = no_answer.unwrap_or(forwarding.no_answer.take());
        forwarding.after = after_s.map_or(forwarding.after, |after| after.map(Duration::from_secs));
        forwarding.do_not_disturb = do_not_disturb.unwrap_or(forwarding.do_not_disturb);
        Ok(())
    }
}

async fn known(state: &AppState, name: &str) -> Result<(), Refusal> {
    let configured = state.settings.load().users.iter().any(|user| user.name == name);
    if configured || state.store.has_user(name).await? {
        return Ok(());
    }
    Err(super::users::unknown(name))
}

/// A forward has the rights of the user whose calls it sends on: the number must be one that the user can call.
async fn check(state: &AppState, name: &str, to: &str) -> Result<(), Refusal> {
    let refused = |error: String, mend: &str| Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error, mend));
    if !is_dialable(to) {
        return refused("that is no number".to_owned(), "write a number or a name as the user would dial it");
    }
    let (from, dialled) = (name.to_owned(), to.to_owned());
    let decision = state.ask(|reply| Control::Explain { from, to: dialled, at: None, reply }).await?;
    let targets = decision.ok().and_then(|decision| decision.route).map(|route| route.targets).unwrap_or_default();
    if targets.iter().any(|target| *target == Target::User { name: name.to_owned() }) {
        return refused(format!("{to} is `{name}` again"), "name another number");
    }
    if !targets.iter().any(Target::takes_calls) {
        let error = format!("the dialplan doesn't let `{name}` call {to}");
        return refused(error, "`tandem explain --from … --to …` says why; name another number, or change the rules");
    }
    Ok(())
}
