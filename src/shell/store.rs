//! The store: users, their phones, call records and letters for users who are away, kept in one SQLite file.
//!
//! The file is in WAL mode, so that readers never stop the writer, with `synchronous=FULL`: the journal forgets what the
//! store has taken, so a commit must outlive a power failure, and one `fsync` for a batch is little.

mod bindings;
mod forwardings;
mod letters;
mod records;
mod schema;
mod users;

pub use records::Filter;
pub use users::{NewUser, StoredUser, UserChange, UserError};

use crate::base::time::Wall;
use crate::shell::error::ShellError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a writer waits for another one, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// For the API, letters and registrations.
const CONNECTIONS: u32 = 4;

/// A handle; clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
}

impl Store {
    /// Opens `sqlite:PATH`, and makes the file, its folder and its tables where they are missing.
    pub async fn open(url: &str) -> Result<Store, ShellError> {
        let path = path_of(url)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| ShellError::file(folder, "can't make the folder of the store", &error))?;
        }
        make_private(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let store = Store::connect(options, path, CONNECTIONS).await?;
        schema::migrate(&store).await?;
        Ok(store)
    }

    /// Opens the file only to read it, beside a gateway that may be running; none where there is no such file yet.
    pub async fn open_to_read(url: &str) -> Result<Option<Store>, ShellError> {
        let path = path_of(url)?;
        if !path.exists() {
            return Ok(None);
        }
        let options = SqliteConnectOptions::new().filename(&path).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let store = Store::connect(options, path, CONNECTIONS).await?;
        schema::check(&store).await?;
        Ok(Some(store))
    }

    /// A connection to the same file beside those of this handle, made by the calling thread.
    pub async fn another(&self) -> Result<Store, ShellError> {
        let options = SqliteConnectOptions::clone(&self.pool.connect_options());
        Store::connect(options, self.path.clone(), 1).await
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the time of day, from which the end of calls is taken that a crash cuts off.
    pub async fn heartbeat(&self, now: Wall) -> Result<(), ShellError> {
        self.set_note("heartbeat", &now.micros().to_string()).await
    }

    /// A fact that the gateway keeps about itself, such as whether its first accounts were made.
    pub async fn note(&self, name: &str) -> Result<Option<String>, ShellError> {
        sqlx::query_scalar("SELECT value FROM notes WHERE name = ?1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))
    }

    pub async fn set_note(&self, name: &str, value: &str) -> Result<(), ShellError> {
        sqlx::query("INSERT INTO notes (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")
            .bind(name)
            .bind(value)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.trouble(&error))
    }

    /// Whether the store answers and can be written.
    pub async fn check(&self) -> Result<(), ShellError> {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM notes")
            .fetch_one(&self.pool)
            .await
            .map(|_| ())
            .map_err(|error| self.trouble(&error))
    }

    /// Waits for what is being written, and lets go of the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn connect(options: SqliteConnectOptions, path: PathBuf, connections: u32) -> Result<Store, ShellError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|error| trouble(&path, &error))?;
        Ok(Store { pool, path })
    }

    fn trouble(&self, error: &sqlx::Error) -> ShellError {
        trouble(&self.path, error)
    }
}

/// The file that a URL such as `sqlite:data/tandem.db` names.
fn path_of(url: &str) -> Result<PathBuf, ShellError> {
    let path = url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(ShellError::new(
            "store.url",
            format_args!("`{url}` isn't a store that this release knows"),
            "write sqlite:PATH, such as sqlite:data/tandem.db",
        )),
    }
}

/// Makes the file, if it isn't there, for its owner alone: it holds digests of passwords. SQLite gives the files beside it
/// the same mode.
fn make_private(path: &Path) -> Result<(), ShellError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(ShellError::file(path, "can't make the store", &error))
        }
        _ => Ok(()),
    }
}

/// Says in an operator's words what SQLite says in its own (https://www.sqlite.org/rescode.html).
fn trouble(path: &Path, error: &sqlx::Error) -> ShellError {
    let code = match error {
        sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i32>().ok()),
        _ => None,
    };
    let mend = match code.map(|code| code & 0xff) {
        Some(5 | 6) => "another program holds it: end that program (a backup should use `sqlite3 FILE .backup`)",
        Some(3 | 8) => "give the gateway's user the right to write the file and its folder (chown or chmod)",
        Some(13) => "free some space on that disk; calls go on, and this mends itself",
        Some(11 | 26) => "move it away (a new one is made at the next start), or put a backup in its place",
        Some(14) => "see that its folder is there and that the gateway's user may write in it, or correct store.url",
        Some(10) => "see to that disk; the system's log may say more",
        _ => "see to that file; if it can't be read, move it away or put a backup in its place",
    };
    ShellError::new(path.display(), format_args!("the store fails: {error}"), mend)
}

#[cfg(test)]
mod tests;
