//! Where phones can be reached, for the next process: those that need no connection of theirs.

use super::Store;
use crate::base::time::{Now, Time, Wall};
use crate::shell::error::ShellError;
use crate::sip::flow::{Flow, Transport};
use crate::sip::registrar::Binding;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};
use std::net::SocketAddr;
use std::time::Duration;

/// Between values of Path, in which no line ends.
const SEPARATOR: &str = "\n";

impl Store {
    /// Puts all bindings of the users named in the place of what was kept for them, in one transaction.
    pub async fn keep_bindings(&self, now: Now, users: &[(String, Vec<Binding>)]) -> Result<(), ShellError> {
        let keep = async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            for (user, bindings) in users {
                sqlx::query("DELETE FROM bindings WHERE user = ?1").bind(user).execute(&mut *transaction).await?;
                for binding in bindings {
                    keep(&mut transaction, now, user, binding).await?;
                }
            }
            transaction.commit().await
        };
        keep.await.map_err(|error| self.trouble(&error))
    }

    /// What hasn't expired at `now`, with its user, the least recently refreshed first; what has is forgotten.
    pub async fn bindings(&self, now: Now) -> Result<Vec<(String, Binding)>, ShellError> {
        let done = sqlx::query("DELETE FROM bindings WHERE expires <= ?1").bind(now.wall.micros()).execute(&self.pool);
        done.await.map_err(|error| self.trouble(&error))?;
        let rows = sqlx::query("SELECT * FROM bindings ORDER BY refreshed, rowid")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))?;
        rows.iter().map(|row| of_row(now, row)).collect::<Result<_, _>>().map_err(|error| self.trouble(&error))
    }
}

async fn keep(
    transaction: &mut Transaction<'_, Sqlite>,
    now: Now,
    user: &str,
    binding: &Binding,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO bindings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)")
        .bind(user)
        .bind(&binding.uri)
        .bind(binding.flow.local.to_string())
        .bind(binding.flow.remote.to_string())
        .bind(binding.q)
        .bind(now.wall.micros().saturating_sub(micros(now.time - binding.refreshed_at)))
        .bind(now.wall.micros().saturating_add(micros(binding.expires_at - now.time)))
        .bind(&binding.call_id)
        .bind(binding.cseq)
        .bind(&binding.user_agent)
        .bind(binding.instance.as_deref())
        .bind(binding.reg_id)
        .bind(binding.path.join(SEPARATOR))
        .bind(binding.behind_nat)
        .bind(&binding.params)
        .bind(binding.flow.transport.name())
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}

fn of_row(now: Now, row: &SqliteRow) -> Result<(String, Binding), sqlx::Error> {
    let path: String = row.try_get("path")?;
    let transport = Transport::from_name(row.try_get("transport")?).unwrap_or(Transport::Udp);
    let binding = Binding {
        id: 0,
        uri: row.try_get("uri")?,
        flow: Flow { transport, local: address(row, "local")?, remote: address(row, "remote")? },
        q: row.try_get("q")?,
        expires_at: now.time + left(now.wall, Wall::from_micros(row.try_get("expires")?)),
        refreshed_at: Time::ZERO,
        call_id: row.try_get("call_id")?,
        cseq: row.try_get("cseq")?,
        user_agent: row.try_get("user_agent")?,
        instance: row.try_get("instance")?,
        reg_id: row.try_get("reg_id")?,
        path: path.split(SEPARATOR).filter(|value| !value.is_empty()).map(str::to_owned).collect(),
        epoch: 0,
        behind_nat: row.try_get("behind_nat")?,
        params: row.try_get("params")?,
    };
    Ok((row.try_get("user")?, binding))
}

fn address(row: &SqliteRow, column: &str) -> Result<SocketAddr, sqlx::Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) })
}

fn left(now: Wall, end: Wall) -> Duration {
    Duration::from_micros(u64::try_from(end.micros().saturating_sub(now.micros())).unwrap_or(0))
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
