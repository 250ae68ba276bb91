//! Where the calls of users go, of those in the configuration file too.

use super::Store;
use crate::call::account::forwarding::Forwarding;
use crate::shell::error::ShellError;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::time::Duration;

const PUT: &str = "
    INSERT INTO forwardings (user, always, busy, no_answer, after_s, do_not_disturb) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (user) DO UPDATE SET always = ?2, busy = ?3, no_answer = ?4, after_s = ?5, do_not_disturb = ?6";

impl Store {
    /// Of all users who set something, by name.
    pub async fn forwardings(&self) -> Result<Vec<(String, Forwarding)>, ShellError> {
        let rows = sqlx::query("SELECT * FROM forwardings ORDER BY user")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))?;
        rows.iter().map(of_row).collect::<Result<_, _>>().map_err(|error| self.trouble(&error))
    }

    pub async fn forwarding(&self, user: &str) -> Result<Forwarding, ShellError> {
        let row = sqlx::query("SELECT * FROM forwardings WHERE user = ?1")
            .bind(user)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))?;
        let found = row.as_ref().map(of_row).transpose().map_err(|error| self.trouble(&error))?;
        Ok(found.map(|(_, forwarding)| forwarding).unwrap_or_default())
    }

    pub async fn set_forwarding(&self, user: &str, forwarding: &Forwarding) -> Result<(), ShellError> {
        if forwarding.is_off() {
            return self.forget_forwarding(user).await;
        }
        sqlx::query(PUT)
            .bind(user)
            .bind(forwarding.always.as_deref())
            .bind(forwarding.busy.as_deref())
            .bind(forwarding.no_answer.as_deref())
            .bind(forwarding.after.map(|after| i64::try_from(after.as_secs()).unwrap_or(i64::MAX)))
            .bind(forwarding.do_not_disturb)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.trouble(&error))
    }

    /// Who has the name of a former user begins anew.
    pub(super) async fn forget_forwarding(&self, user: &str) -> Result<(), ShellError> {
        sqlx::query("DELETE FROM forwardings WHERE user = ?1")
            .bind(user)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.trouble(&error))
    }
}

fn of_row(row: &SqliteRow) -> Result<(String, Forwarding), sqlx::Error> {
    let forwarding = Forwarding {
        always: row.try_get("always")?,
        busy: row.try_get("busy")?,
        no_answer: row.try_get("no_answer")?,
        after: row.try_get::<Option<u32>, _>("after_s")?.map(|seconds| Duration::from_secs(seconds.into())),
        do_not_disturb: row.try_get("do_not_disturb")?,
    };
    Ok((row.try_get("user")?, forwarding))
}
