//! What a verb finds out without a running gateway: from the files that one would read.

use super::outcome::Failure;
use std::future::Future;
use tandem::call::account::forwarding::Forwarding;
use tandem::config::settings::Settings;
use tandem::dialplan::directory::PlanUser;
use tandem::dialplan::plan::PlanContext;
use tandem::shell::error::ShellError;
use tandem::shell::store::{Store, StoredUser};

/// What a dialplan may refer to: trunks and users of the configuration, and users of the store.
pub fn plan_context(settings: &Settings) -> Result<PlanContext, Failure> {
    let mut context = PlanContext::of(settings);
    let stored = stored_users(settings)?;
    // Of two users of one name, the configuration's counts.
    let new = stored.into_iter().filter(|user| settings.users.iter().all(|configured| configured.name != user.name));
    context.users.extend(new.map(|user| PlanUser { name: user.name, number: user.number, country: user.country }));
    Ok(context)
}

/// Where the calls of these users go by their own wish, of those who have one.
pub fn forwardings<'a>(
    settings: &Settings,
    users: impl Iterator<Item = &'a str>,
) -> Result<Vec<(&'a str, Forwarding)>, Failure> {
    let users: Vec<&str> = users.collect();
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = wait(async {
        let Some(store) = Store::open_to_read(&settings.store.url).await? else { return Ok(Vec::new()) };
        let known = store.forwardings().await;
        store.close().await;
        known
    })?;
    let mut of = |user: &str| known.iter().position(|(name, _)| name == user).map(|at| known.swap_remove(at).1);
    Ok(users.into_iter().filter_map(|user| Some((user, of(user)?))).collect())
}

/// Waits for what reads the store.
pub fn wait<T>(reading: impl Future<Output = Result<T, ShellError>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(format_args!("can't start reading the store: {error}; see the system's limits"))
    })?;
    Ok(runtime.block_on(reading)?)
}

fn stored_users(settings: &Settings) -> Result<Vec<StoredUser>, Failure> {
    wait(async {
        let Some(store) = Store::open_to_read(&settings.store.url).await? else { return Ok(Vec::new()) };
        let users = store.users().await;
        store.close().await;
        users
    })
}
