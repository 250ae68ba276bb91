//! What is read while calls go on: users that were changed, and the whole configuration at a reload. The loop doesn't wait
//! for disks; what is read is handed to it when it is finished. One thing is read at a time, and whatever is asked for
//! meanwhile is read once after it.

use crate::call::account::{Account, Accounts};
use crate::config;
use crate::config::settings::Settings;
use crate::dialplan::directory::PlanUser;
use crate::dialplan::plan::{Plan, PlanContext};
use crate::gateway::accounts;
use crate::shell::control::ReloadReport;
use crate::shell::error::Problems;
use crate::shell::store::Store;
use crate::shell::tls::Tls;
use std::collections::BTreeSet;
use std::future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

/// Who waits to hear what came of a reload.
pub type Waiting = oneshot::Sender<Result<ReloadReport, Vec<String>>>;

pub struct Reading {
    runtime: Handle,
    config: Option<PathBuf>,
    store: Store,
    /// Users to be read again.
    changed: BTreeSet<String>,
    /// Who waits for the next reload; none where none is due.
    reload: Option<Vec<Waiting>>,
    under_way: Option<JoinHandle<Read>>,
}

/// What was read.
pub enum Read {
    /// Each user's account, or none where there is none any more.
    Users(Vec<(String, Option<Account>)>),
    All(Vec<Waiting>, Result<Box<Everything>, Problems>),
    /// The users of these names couldn't be read.
    Failed(String),
}

/// A configuration with all that it names.
pub struct Everything {
    pub settings: Arc<Settings>,
    pub accounts: Arc<Accounts>,
    pub plan: Arc<Plan>,
    pub certificates: Option<Tls>,
}

impl Reading {
    /// Reads on `runtime`, which isn't the loop's.
    pub fn new(runtime: Handle, config: Option<PathBuf>, store: Store) -> Reading {
        Reading { runtime, config, store, changed: BTreeSet::new(), reload: None, under_way: None }
    }

    pub fn user_changed(&mut self, name: String, settings: &Arc<Settings>) {
        self.changed.insert(name);
        self.begin(settings);
    }

    pub fn reload(&mut self, waiting: Option<Waiting>, settings: &Arc<Settings>) {
        self.reload.get_or_insert_default().extend(waiting);
        self.begin(settings);
    }

    /// What was read next; never, where nothing is to be read.
    pub async fn next(&mut self) -> Read {
        let Some(under_way) = &mut self.under_way else { return future::pending().await };
        let read = under_way.await;
        self.under_way = None;
        read.unwrap_or_else(|error: JoinError| Read::Failed(error.to_string()))
    }

    /// Begins with what is due, unless something else is being read. Called again when that is done.
    pub fn begin(&mut self, settings: &Arc<Settings>) {
        if self.under_way.is_some() {
            return;
        }
        let (store, settings) = (self.store.clone(), Arc::clone(settings));
        if let Some(waiting) = self.reload.take() {
            let config = self.config.clone();
            let read = async move { Read::All(waiting, read_all(config.as_deref(), &store).await.map(Box::new)) };
            self.under_way = Some(self.runtime.spawn(read));
        } else if !self.changed.is_empty() {
            let names = std::mem::take(&mut self.changed);
            self.under_way = Some(self.runtime.spawn(async move { read_users(&settings, &store, names).await }));
        }
    }
}

async fn read_users(settings: &Settings, store: &Store, names: BTreeSet<String>) -> Read {
    let mut users = Vec::new();
    for name in names {
        match accounts::load_one(settings, store, &name).await {
            Ok(account) => users.push((name, account)),
            Err(error) => return Read::Failed(error.to_string()),
        }
    }
    Read::Users(users)
}

async fn read_all(config: Option<&Path>, store: &Store) -> Result<Everything, Problems> {
    let settings = Arc::new(read_settings(config)?);
    let accounts = Arc::new(accounts::load(&settings, store).await?);
    let plan = Arc::new(read_plan(&settings, &accounts)?);
    let certificates = Tls::load(&settings)?;
    Ok(Everything { settings, accounts, plan, certificates })
}

pub fn read_settings(config: Option<&Path>) -> Result<Settings, Problems> {
    config::load(config, std::env::vars())
        .map_err(|problems| Problems(problems.iter().map(ToString::to_string).collect()))
}

pub fn read_plan(settings: &Settings, accounts: &Accounts) -> Result<Plan, Problems> {
    let context = PlanContext { users: accounts.iter().map(plan_user).collect(), ..PlanContext::of(settings) };
    let said = |problems: Vec<config::problem::Problem>| Problems(problems.iter().map(ToString::to_string).collect());
    Plan::load(settings.dialplan.as_deref(), &context).map_err(said)
}

fn plan_user(account: &Account) -> PlanUser {
    PlanUser { name: account.name.clone(), number: account.number.clone(), country: account.country.clone() }
}
