//! The accounts of a gateway: those in its configuration, and those in its store.

use crate::base::chance::Chance;
use crate::call::account::forwarding::Forwarding;
use crate::call::account::{Account, Accounts};
use crate::config::settings::{Secret, Settings, User};
use crate::shell::error::ShellError;
use crate::shell::store::{NewUser, Store, StoredUser, UserError};
use crate::sip::digest::Hashes;

/// The note in the store which says that the ready accounts were made once.
const READY_MADE: &str = "ready_accounts";
const READY: [(&str, &str); 2] = [("alice", "Alice"), ("bob", "Bob")];
const PASSWORD_LENGTH: usize = 12;

/// All accounts; the configuration's win over the store's of the same name.
pub async fn load(settings: &Settings, store: &Store) -> Result<Accounts, ShellError> {
    let realm = &settings.sip.domain;
    let stored = store.users().await?.into_iter().map(from_store);
    let configured = settings.users.iter().map(|user| from_settings(user, realm));
    let mut accounts = Accounts::new(stored.chain(configured));
    for (user, forwarding) in store.forwardings().await? {
        accounts.set_forwarding(&user, forwarding);
    }
    Ok(accounts)
}

/// The account of one user; none where there is no such user.
pub async fn load_one(settings: &Settings, store: &Store, name: &str) -> Result<Option<Account>, ShellError> {
    let configured = settings.users.iter().find(|user| user.name == name);
    let account = match configured {
        Some(user) => Some(from_settings(user, &settings.sip.domain)),
        None => store.user(name).await?.map(from_store),
    };
    let forwarding = store.forwarding(name).await?;
    Ok(account.map(|account| Account { forwarding, ..account }))
}

/// On the first start of a gateway without users: makes `alice` and `bob`, and returns their passwords, which nobody can
/// read again.
pub async fn make_ready(
    settings: &Settings,
    store: &Store,
    chance: &mut Chance,
) -> Result<Vec<(String, String)>, ShellError> {
    if !settings.users.is_empty() || store.note(READY_MADE).await?.is_some() || !store.users().await?.is_empty() {
        return Ok(Vec::new());
    }
    let mut made = Vec::new();
    for (name, display_name) in READY {
        let password = chance.token(PASSWORD_LENGTH);
        let user = NewUser {
            name,
            realm: &settings.sip.domain,
            password: &password,
            number: None,
            country: None,
            display_name: Some(display_name),
        };
        match store.add_user(&user).await {
            Ok(()) => made.push((name.to_owned(), password)),
            Err(UserError::Store(error)) => return Err(error),
            Err(error) => return Err(ShellError::new(format!("user {name}"), error, "add it with `tandem user add`")),
        }
    }
    store.set_note(READY_MADE, "yes").await?;
    Ok(made)
}

fn from_settings(user: &User, realm: &str) -> Account {
    Account {
        name: user.name.clone(),
        number: user.number.clone(),
        country: user.country.clone(),
        display_name: user.display_name.clone(),
        hashes: match &user.secret {
            Secret::Password(password) => Hashes::from_password(&user.name, realm, password),
            Secret::Ha1(ha1) => Hashes { ha1_md5: Some(ha1.clone()), ha1_sha256: None },
        },
        forwarding: Forwarding::default(),
    }
}

fn from_store(user: StoredUser) -> Account {
    Account {
        name: user.name,
        number: user.number,
        country: user.country,
        display_name: user.display_name,
        hashes: Hashes { ha1_md5: Some(user.ha1_md5), ha1_sha256: Some(user.ha1_sha256) },
        forwarding: Forwarding::default(),
    }
}
