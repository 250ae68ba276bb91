//! Letters for users who are away, in the order in which they came.

use super::Store;
use crate::base::time::Wall;
use crate::call::letter::{Letter, LetterId, Pile};
use crate::call::party::Party;
use crate::shell::error::ShellError;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

impl Store {
    /// Keeps a letter for the user in its `to`.
    pub async fn keep_letter(&self, letter: &Letter) -> Result<LetterId, ShellError> {
        sqlx::query_scalar(
            "INSERT INTO letters (user, sender, sender_host, sender_name, sender_asserted, sender_private,
                 content_type, content_encoding, language, subject, body, sent, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) RETURNING id",
        )
        .bind(&letter.to)
        .bind(&letter.from.user)
        .bind(&letter.from.host)
        .bind(&letter.from.display_name)
        .bind(letter.from.is_asserted)
        .bind(letter.from.is_private)
        .bind(&letter.content_type)
        .bind(&letter.content_encoding)
        .bind(&letter.language)
        .bind(&letter.subject)
        .bind(&letter.body[..])
        .bind(letter.sent.micros())
        .bind(letter.expires.micros())
        .fetch_one(&self.pool)
        .await
        .map(LetterId)
        .map_err(|error| self.trouble(&error))
    }

    /// The oldest letters of a user that come after one and haven't expired at `now`.
    pub async fn letters(
        &self,
        user: &str,
        after: LetterId,
        limit: usize,
        now: Wall,
    ) -> Result<Vec<(LetterId, Letter)>, ShellError> {
        let rows =
            sqlx::query("SELECT * FROM letters WHERE user = ?1 AND id > ?2 AND expires > ?3 ORDER BY id LIMIT ?4")
                .bind(user)
                .bind(after.0)
                .bind(now.micros())
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.trouble(&error))?;
        rows.iter().map(letter_of).collect::<Result<_, _>>().map_err(|error| self.trouble(&error))
    }

    pub async fn discard_letter(&self, id: LetterId) -> Result<(), ShellError> {
        let done = sqlx::query("DELETE FROM letters WHERE id = ?1").bind(id.0).execute(&self.pool).await;
        done.map(|_| ()).map_err(|error| self.trouble(&error))
    }

    pub async fn forget_letters(&self, user: &str) -> Result<(), ShellError> {
        let done = sqlx::query("DELETE FROM letters WHERE user = ?1").bind(user).execute(&self.pool).await;
        done.map(|_| ()).map_err(|error| self.trouble(&error))
    }

    /// Deletes what has expired at `now`, and tells what that was.
    pub async fn expire_letters(&self, now: Wall) -> Result<Vec<Pile>, ShellError> {
        let gone = sqlx::query("DELETE FROM letters WHERE expires <= ?1 RETURNING user, 1, length(body)")
            .bind(now.micros())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))?;
        gone.iter().map(pile_of).collect::<Result<_, _>>().map_err(|error| self.trouble(&error))
    }

    /// How much is kept for each user.
    pub async fn letter_census(&self) -> Result<Vec<Pile>, ShellError> {
        let rows = sqlx::query("SELECT user, count(*), sum(length(body)) FROM letters GROUP BY user ORDER BY user")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))?;
        rows.iter().map(pile_of).collect::<Result<_, _>>().map_err(|error| self.trouble(&error))
    }
}

fn letter_of(row: &SqliteRow) -> Result<(LetterId, Letter), sqlx::Error> {
    let letter = Letter {
        from: Party {
            user: row.try_get("sender")?,
            host: row.try_get("sender_host")?,
            display_name: row.try_get("sender_name")?,
            is_asserted: row.try_get("sender_asserted")?,
            is_private: row.try_get("sender_private")?,
        },
        to: row.try_get("user")?,
        content_type: row.try_get("content_type")?,
        content_encoding: row.try_get("content_encoding")?,
        language: row.try_get("language")?,
        subject: row.try_get("subject")?,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
        sent: Wall::from_micros(row.try_get("sent")?),
        expires: Wall::from_micros(row.try_get("expires")?),
    };
    Ok((LetterId(row.try_get("id")?), letter))
}

/// A user, a count, and bytes.
fn pile_of(row: &SqliteRow) -> Result<Pile, sqlx::Error> {
    let count = |index| row.try_get::<i64, _>(index).map(|count| usize::try_from(count).unwrap_or(0));
    Ok(Pile { user: row.try_get(0)?, letters: count(1)?, bytes: count(2)? })
}
