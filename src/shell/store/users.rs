//! The users that the API manages. Of a password only its digests are kept (HA1 of RFC 7616 §3.4.2), one for each
//! algorithm that a phone may choose.

use super::Store;
use crate::shell::error::ShellError;
use crate::sip::digest::Hashes;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub struct StoredUser {
    pub name: String,
    /// What the digests are bound to; after a change of `sip.domain` they fit no more, and need a new password.
    pub realm: String,
    /// Hex of MD5(name:realm:password).
    pub ha1_md5: String,
    /// Hex of SHA-256(name:realm:password).
    pub ha1_sha256: String,
    /// E.164 with its plus sign.
    pub number: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    pub display_name: Option<String>,
}

pub struct NewUser<'a> {
    pub name: &'a str,
    pub realm: &'a str,
    pub password: &'a str,
    pub number: Option<&'a str>,
    pub country: Option<&'a str>,
    pub display_name: Option<&'a str>,
}

/// Whether there was such a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    Done,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserError {
    /// Which value is wrong, and what it should be.
    Invalid {
        what: String,
        mend: String,
    },
    NameTaken,
    /// The other user.
    NumberTaken(String),
    Store(ShellError),
}

impl fmt::Debug for StoredUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredUser").field("name", &self.name).field("number", &self.number).finish_non_exhaustive()
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserError::Invalid { what, mend } => write!(f, "{what}; {mend}"),
            UserError::NameTaken => f.write_str("there is a user of that name already"),
            UserError::NumberTaken(other) => write!(f, "user `{other}` has that number already"),
            UserError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UserError {}

impl Store {
    pub async fn add_user(&self, user: &NewUser<'_>) -> Result<(), UserError> {
        check(user)?;
        let (ha1_md5, ha1_sha256) = digests(user.name, user.realm, user.password);
        let added = sqlx::query(
            "INSERT INTO users (name, realm, ha1_md5, ha1_sha256, number, country, display_name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(user.name)
        .bind(user.realm)
        .bind(ha1_md5)
        .bind(ha1_sha256)
        .bind(user.number)
        .bind(user.country)
        .bind(user.display_name)
        .execute(&self.pool)
        .await;
        match added {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(self.taken(user).await),
            Err(error) => Err(UserError::Store(self.trouble(&error))),
        }
    }

    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<StoredUser>, ShellError> {
        let rows = sqlx::query(
            "SELECT name, realm, ha1_md5, ha1_sha256, number, country, display_name FROM users ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.trouble(&error))?;
        rows.iter().map(user_of).collect::<Result<_, _>>().map_err(|error| self.trouble(&error))
    }

    pub async fn user(&self, name: &str) -> Result<Option<StoredUser>, ShellError> {
        let row = sqlx::query(
            "SELECT name, realm, ha1_md5, ha1_sha256, number, country, display_name FROM users WHERE name = ?1",
        )
        .bind(name)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.trouble(&error))?;
        row.as_ref().map(user_of).transpose().map_err(|error| self.trouble(&error))
    }

    pub async fn has_user(&self, name: &str) -> Result<bool, ShellError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1)")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))
    }

    pub async fn remove_user(&self, name: &str) -> Result<UserChange, ShellError> {
        let done = sqlx::query("DELETE FROM users WHERE name = ?1").bind(name).execute(&self.pool).await;
        let change = self.change(done)?;
        if change == UserChange::Done {
            self.forget_forwarding(name).await?;
        }
        Ok(change)
    }

    pub async fn set_password(&self, name: &str, realm: &str, password: &str) -> Result<UserChange, UserError> {
        check_password(password)?;
        let (ha1_md5, ha1_sha256) = digests(name, realm, password);
        let done = sqlx::query("UPDATE users SET realm = ?2, ha1_md5 = ?3, ha1_sha256 = ?4 WHERE name = ?1")
            .bind(name)
            .bind(realm)
            .bind(ha1_md5)
            .bind(ha1_sha256)
            .execute(&self.pool)
            .await;
        self.change(done).map_err(UserError::Store)
    }

    fn change(&self, done: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>) -> Result<UserChange, ShellError> {
        match done {
            Ok(result) if result.rows_affected() == 0 => Ok(UserChange::Unknown),
            Ok(_) => Ok(UserChange::Done),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Which of the two unique values of `user` is taken.
    async fn taken(&self, user: &NewUser<'_>) -> UserError {
        let other = sqlx::query_scalar("SELECT name FROM users WHERE number = ?1 AND name <> ?2")
            .bind(user.number)
            .bind(user.name)
            .fetch_optional(&self.pool)
            .await;
        match other {
            Ok(Some(other)) => UserError::NumberTaken(other),
            _ => UserError::NameTaken,
        }
    }
}

fn user_of(row: &SqliteRow) -> Result<StoredUser, sqlx::Error> {
    Ok(StoredUser {
        name: row.try_get("name")?,
        realm: row.try_get("realm")?,
        ha1_md5: row.try_get("ha1_md5")?,
        ha1_sha256: row.try_get("ha1_sha256")?,
        number: row.try_get("number")?,
        country: row.try_get("country")?,
        display_name: row.try_get("display_name")?,
    })
}

/// HA1 with MD5 and with SHA-256, in hex.
fn digests(name: &str, realm: &str, password: &str) -> (String, String) {
    let Hashes { ha1_md5, ha1_sha256 } = Hashes::from_password(name, realm, password);
    (ha1_md5.unwrap_or_default(), ha1_sha256.unwrap_or_default())
}

fn check(user: &NewUser<'_>) -> Result<(), UserError> {
    check_name(user.name)?;
    check_password(user.password)?;
    if let Some(number) = user.number {
        let digits = number.strip_prefix('+').unwrap_or("");
        if !(3..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let mend = "write a plus sign, the country code and the rest, such as +442079460000";
            return Err(invalid(format!("`{}` isn't a number in E.164", shown(number)), mend));
        }
    }
    if let Some(country) = user.country
        && !(country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        let mend = "write its two capital letters (ISO 3166-1), such as GB";
        return Err(invalid(format!("`{}` isn't a country", shown(country)), mend));
    }
    match user.display_name {
        Some(name) if name.len() > 128 || name.chars().any(char::is_control) => {
            Err(invalid("the display name is longer than 128 bytes or has control characters".to_owned(), "shorten it"))
        }
        _ => Ok(()),
    }
}

/// What may stand before the @ of an address without escapes, and in a file name.
fn check_name(name: &str) -> Result<(), UserError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    if starts && name.len() <= 64 && name.bytes().all(fits) {
        return Ok(());
    }
    let mend = "use up to 64 of a-z, A-Z, 0-9, `.`, `_`, `-`, `+`, a letter or digit first";
    Err(invalid(format!("`{}` can't be a user's name", shown(name)), mend))
}

fn check_password(password: &str) -> Result<(), UserError> {
    if password.chars().count() < 8 || password.len() > 256 || password.chars().any(char::is_control) {
        let mend = "a password has 8 to 256 characters and no control characters";
        return Err(invalid("this can't be a password".to_owned(), mend));
    }
    Ok(())
}

fn invalid(what: String, mend: &str) -> UserError {
    UserError::Invalid { what, mend: mend.to_owned() }
}

/// A wrong value, fit to be printed.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
