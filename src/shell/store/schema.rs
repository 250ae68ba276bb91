//! The tables, and how an older file becomes a present one.

use super::{Store, trouble};
use crate::shell::error::ShellError;

/// Each makes the next version of the schema out of the one before; the file's `user_version` counts those it has had.
const MIGRATIONS: [&str; 5] = [
    "
    CREATE TABLE users (
        name TEXT PRIMARY KEY,
        realm TEXT NOT NULL,
        ha1_md5 TEXT NOT NULL,
        ha1_sha256 TEXT NOT NULL,
        number TEXT,
        country TEXT,
        display_name TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX users_by_number ON users (number) WHERE number IS NOT NULL;
    CREATE TABLE records (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        caller TEXT NOT NULL,
        caller_number TEXT NOT NULL,
        dialled TEXT NOT NULL,
        number TEXT NOT NULL,
        rule TEXT,
        started INTEGER NOT NULL,
        ringing INTEGER,
        answered INTEGER,
        ended INTEGER,
        talk_ms INTEGER NOT NULL,
        status INTEGER NOT NULL,
        ended_by TEXT NOT NULL,
        cause TEXT NOT NULL,
        legs TEXT NOT NULL
    ) STRICT;
    CREATE INDEX records_by_start ON records (started);
    CREATE INDEX records_open ON records (state) WHERE state = 'open';
    CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user TEXT NOT NULL,
        sender TEXT NOT NULL,
        sender_host TEXT,
        sender_name TEXT,
        sender_asserted INTEGER NOT NULL,
        sender_private INTEGER NOT NULL,
        content_type TEXT NOT NULL,
        content_encoding TEXT,
        language TEXT,
        subject TEXT,
        body BLOB NOT NULL,
        sent INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX letters_by_user ON letters (user, id);
    CREATE INDEX letters_by_expiry ON letters (expires);
",
    "
    CREATE TABLE forwardings (
        user TEXT PRIMARY KEY,
        always TEXT,
        busy TEXT,
        no_answer TEXT,
        after_s INTEGER,
        do_not_disturb INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE bindings (
        user TEXT NOT NULL,
        uri TEXT NOT NULL,
        local TEXT NOT NULL,
        remote TEXT NOT NULL,
        q INTEGER NOT NULL,
        refreshed INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        call_id TEXT NOT NULL,
        cseq INTEGER NOT NULL,
        user_agent TEXT NOT NULL,
        instance TEXT,
        reg_id INTEGER,
        path TEXT NOT NULL,
        behind_nat INTEGER NOT NULL,
        params TEXT NOT NULL
    ) STRICT;
    CREATE INDEX bindings_by_user ON bindings (user);
",
    "ALTER TABLE bindings ADD COLUMN transport TEXT NOT NULL DEFAULT 'udp';",
];

/// Brings the file up to date in one transaction.
pub async fn migrate(store: &Store) -> Result<(), ShellError> {
    let version = check(store).await?;
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    apply(store, version).await.map_err(|error| trouble(&store.path, &error))
}

/// The version of the file; an error where a newer Tandem wrote it.
pub async fn check(store: &Store) -> Result<usize, ShellError> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&store.pool)
        .await
        .map_err(|error| trouble(&store.path, &error))?;
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(ShellError::new(
            store.path.display(),
            format_args!(
                "the store has schema {version}, and this release knows those up to {}: a newer Tandem wrote it",
                MIGRATIONS.len()
            ),
            "run that newer Tandem, or put a backup from before the upgrade in its place",
        )),
    }
}

async fn apply(store: &Store, version: usize) -> Result<(), sqlx::Error> {
    let mut transaction = store.pool.begin_with("BEGIN IMMEDIATE").await?;
    for migration in MIGRATIONS.iter().skip(version) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    // A pragma takes no bound value; the number is ours.
    let count = format!("PRAGMA user_version = {}", MIGRATIONS.len());
    sqlx::raw_sql(sqlx::AssertSqlSafe(count)).execute(&mut *transaction).await?;
    transaction.commit().await
}
