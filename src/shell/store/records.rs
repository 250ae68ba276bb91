//! Call records: written once or many times with the same end, asked for with filters.

use super::Store;
use crate::base::time::Wall;
use crate::call::record::{CallRecord, LegRecord};
use crate::shell::document::{LegDocument, ended_by_from, ended_by_text, state_from, state_text};
use crate::shell::error::ShellError;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};
use std::sync::LazyLock;

/// What `tandem cdr` asks for. The default is the last hundred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Calls that started at or after this time.
    pub since: Option<Wall>,
    /// Calls that started before this time.
    pub until: Option<Wall>,
    /// A part of the caller, the caller's number, or the called number.
    pub party: Option<String>,
    /// Only calls that ended without an answer.
    pub failed: bool,
    pub limit: u32,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter { since: None, until: None, party: None, failed: false, limit: 100 }
    }
}

/// A closed record is never opened again, so that the journal may be read twice.
const PUT: &str = "
    INSERT INTO records (id, state, caller, caller_number, dialled, number, rule, started, ringing, answered, ended,
        talk_ms, status, ended_by, cause, legs)
    VALUES {rows}
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, caller = excluded.caller,
        caller_number = excluded.caller_number, dialled = excluded.dialled, number = excluded.number,
        rule = excluded.rule, started = excluded.started, ringing = excluded.ringing, answered = excluded.answered,
        ended = excluded.ended, talk_ms = excluded.talk_ms, status = excluded.status, ended_by = excluded.ended_by,
        cause = excluded.cause, legs = excluded.legs
    WHERE excluded.state <> 'open' OR state = 'open'";
const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Records that one statement takes: each goes to SQLite's thread and back, which costs more than to store a record. Few
/// sizes, so that the statements stay prepared.
const SIZES: [usize; 3] = [64, 8, 1];
static STATEMENTS: LazyLock<[String; 3]> =
    LazyLock::new(|| SIZES.map(|rows| PUT.replace("{rows}", &vec![ROW; rows].join(", "))));

const FIND: &str = "
    SELECT * FROM records
    WHERE (?1 IS NULL OR started >= ?1) AND (?2 IS NULL OR started < ?2)
        AND (?3 IS NULL OR instr(caller, ?3) OR instr(caller_number, ?3) OR instr(dialled, ?3) OR instr(number, ?3))
        AND (NOT ?4 OR state <> 'open' AND answered IS NULL)
    ORDER BY started DESC, id DESC LIMIT ?5";

/// The end is the last sign of life: of the gateway as a whole, or of the call itself.
const CUT_OFF: &str = "
    UPDATE records SET state = 'cut-off', ended = seen, ended_by = 'gateway',
        talk_ms = CASE WHEN answered IS NULL THEN 0 ELSE max(0, (seen - answered) / 1000) END,
        cause = 'cut off: the gateway stopped before the call ended'
    FROM (SELECT id AS open_id, max(?1, started, coalesce(ringing, 0), coalesce(answered, 0)) AS seen
        FROM records WHERE state = 'open')
    WHERE id = open_id";

impl Store {
    /// Writes records in their order, in one transaction. One that is there already is replaced, unless it is closed and
    /// the new one open.
    pub async fn put_records(&self, records: &[CallRecord]) -> Result<(), ShellError> {
        self.put_all(records).await.map_err(|error| self.trouble(&error))
    }

    /// Newest first.
    pub async fn records(&self, filter: &Filter) -> Result<Vec<CallRecord>, ShellError> {
        let rows = sqlx::query(FIND)
            .bind(filter.since.map(Wall::micros))
            .bind(filter.until.map(Wall::micros))
            .bind(filter.party.as_deref().filter(|party| !party.is_empty()))
            .bind(filter.failed)
            .bind(filter.limit)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.trouble(&error))?;
        rows.iter().map(record_of).collect::<Result<_, _>>().map_err(|error| self.trouble(&error))
    }

    /// By its id, or by the Call-ID of one of its legs.
    pub async fn record(&self, id: &str) -> Result<Option<CallRecord>, ShellError> {
        let row = sqlx::query(
            "SELECT * FROM records WHERE id = ?1 OR id = (SELECT records.id FROM records, json_each(legs)
             WHERE json_extract(value, '$.call_id') = ?1 ORDER BY started DESC LIMIT 1) LIMIT 1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| self.trouble(&error))?;
        row.as_ref().map(record_of).transpose().map_err(|error| self.trouble(&error))
    }

    /// Marks as cut off what a process that is gone left open; `last_alive` is when it was last known to run, if later
    /// than its last heartbeat. Returns how many calls that were.
    pub async fn close_open(&self, last_alive: Option<Wall>) -> Result<u64, ShellError> {
        let heartbeat = self.note("heartbeat").await?.and_then(|micros| micros.parse().ok()).unwrap_or(0);
        let seen = last_alive.map_or(0, Wall::micros).max(heartbeat);
        sqlx::query(CUT_OFF)
            .bind(seen)
            .execute(&self.pool)
            .await
            .map(|result| result.rows_affected())
            .map_err(|error| self.trouble(&error))
    }

    async fn put_all(&self, records: &[CallRecord]) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let done = put_at_once(&mut connection, records).await;
        if done.is_err() {
            // Where the disk is full, SQLite rolls back by itself. The connection doesn't notice, takes the transaction
            // for one that goes on, and would never begin another.
            connection.close_on_drop();
        }
        done
    }
}

async fn put_at_once(connection: &mut SqliteConnection, records: &[CallRecord]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut rest = records;
    for (size, statement) in SIZES.into_iter().zip(STATEMENTS.iter()) {
        while let Some((some, others)) = rest.split_at_checked(size) {
            put(&mut transaction, statement, some).await?;
            rest = others;
        }
    }
    transaction.commit().await
}

async fn put(
    connection: &mut SqliteConnection,
    statement: &'static str,
    records: &[CallRecord],
) -> Result<(), sqlx::Error> {
    let mut query = sqlx::query(statement);
    for record in records {
        let legs: Vec<LegDocument<'_>> = record.legs.iter().map(LegDocument::from).collect();
        let legs = serde_json::to_string(&legs).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        query = query
            .bind(&record.id)
            .bind(state_text(record.state))
            .bind(&record.caller)
            .bind(&record.from)
            .bind(&record.dialled)
            .bind(&record.number)
            .bind(&record.rule)
            .bind(record.started.micros())
            .bind(record.ringing.map(Wall::micros))
            .bind(record.answered.map(Wall::micros))
            .bind(record.ended.map(Wall::micros))
            .bind(i64::try_from(record.talk_ms).unwrap_or(i64::MAX))
            .bind(record.status)
            .bind(ended_by_text(record.ended_by))
            .bind(&record.cause)
            .bind(legs);
    }
    query.execute(connection).await.map(|_| ())
}

fn record_of(row: &SqliteRow) -> Result<CallRecord, sqlx::Error> {
    let legs: Vec<LegDocument<'_>> = serde_json::from_str(row.try_get("legs")?)
        .map_err(|error| sqlx::Error::ColumnDecode { index: "legs".to_owned(), source: Box::new(error) })?;
    let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(Wall::from_micros));
    Ok(CallRecord {
        id: row.try_get("id")?,
        state: state_from(row.try_get("state")?),
        caller: row.try_get("caller")?,
        from: row.try_get("caller_number")?,
        dialled: row.try_get("dialled")?,
        number: row.try_get("number")?,
        rule: row.try_get("rule")?,
        started: Wall::from_micros(row.try_get("started")?),
        ringing: time("ringing")?,
        answered: time("answered")?,
        ended: time("ended")?,
        talk_ms: u64::try_from(row.try_get::<i64, _>("talk_ms")?).unwrap_or(0),
        legs: legs.into_iter().map(LegRecord::from).collect(),
        status: row.try_get("status")?,
        ended_by: ended_by_from(row.try_get("ended_by")?),
        cause: row.try_get("cause")?,
    })
}
