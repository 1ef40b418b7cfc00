//! The hub's side of the store: one writer, batches in one transaction.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use alarm_proto::{Alarm, Fault, Gap, RecordId};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{AlarmStore, Outcome, StoreError, schema};
use crate::ingest::{Received, Record};
use crate::present;

/// The only writer of alarms; holds a lock file beside the store for as long as it lives.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens the store at `path`, creating it where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the folder is missing, another hub holds it, or the file is something else or newer.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let connection = schema::open_writer(path)?;
        Ok(Self { connection, path: path.to_owned(), _lock: lock })
    }

    /// The connection, for tests that look at or break the store from inside.
    #[doc(hidden)]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    fn failed(&self, what: &'static str, error: &rusqlite::Error) -> StoreError {
        StoreError::Failed { path: self.path.clone(), what, reason: error.to_string() }
    }
}

impl AlarmStore for Store {
    fn commit(&mut self, batch: &[Received]) -> Result<Vec<Outcome>, StoreError> {
        commit(&mut self.connection, batch).map_err(|error| self.failed("storing alarms", &error))
    }

    fn remember_board(&mut self, board: &str, site: &str, unix_ms: i64) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT INTO boards (board, site, first_seen_unix_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT (board) DO UPDATE SET site = excluded.site",
                params![board, site, unix_ms],
            )
            .map(|_| ())
            .map_err(|error| self.failed("remembering a board", &error))
    }

    fn boards(&self) -> Result<Vec<(String, String)>, StoreError> {
        let list = || {
            let mut statement = self.connection.prepare("SELECT board, site FROM boards ORDER BY board")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        list().map_err(|error| self.failed("reading the boards", &error))
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let open = |error: std::io::Error| StoreError::Open { path: path.to_owned(), reason: error.to_string() };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(open(error)),
    }
}

fn commit(connection: &mut Connection, batch: &[Received]) -> rusqlite::Result<Vec<Outcome>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let outcomes =
        batch.iter().map(|received| insert(&transaction, received)).collect::<rusqlite::Result<Vec<_>>>()?;
    transaction.commit()?;
    Ok(outcomes)
}

fn insert(transaction: &Transaction<'_>, received: &Received) -> rusqlite::Result<Outcome> {
    let (inserted, table) = match &received.record {
        Record::Alarm(alarm) => (insert_alarm(transaction, received, alarm)?, "alarms"),
        Record::Gap(gap) => (insert_gap(transaction, received, gap)?, "gaps"),
        Record::Fault(fault) => (insert_fault(transaction, received, fault)?, "faults"),
    };
    if inserted {
        return Ok(Outcome::New(transaction.last_insert_rowid()));
    }
    let id = received.record.id();
    let select = format!(
        "SELECT frame = ?5 FROM {table} WHERE board = ?1 AND boot_counter = ?2 AND boot_random = ?3 AND seq = ?4"
    );
    let same: bool = transaction.prepare_cached(&select)?.query_row(
        params![id.board.as_str(), id.boot.counter, id.boot.random, seq(id), received.frame],
        |row| row.get(0),
    )?;
    if same {
        return Ok(Outcome::Duplicate);
    }
    transaction
        .prepare_cached(
            "INSERT INTO conflicts (site, board, boot_counter, boot_random, seq, received_unix_ms, frame)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            received.site.as_str(),
            id.board.as_str(),
            id.boot.counter,
            id.boot.random,
            seq(id),
            received.received_unix_ms,
            received.frame
        ])?;
    Ok(Outcome::Conflict)
}

fn insert_alarm(transaction: &Transaction<'_>, received: &Received, alarm: &Alarm) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached(
            "INSERT INTO alarms (board, boot_counter, boot_random, seq, site, camera, kind, event, severity, wall_clock_ms,
                 uptime_ms, onset_media_ms, media_ms, score, peak, threshold, model, received_unix_ms, frame)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
             ON CONFLICT (board, boot_counter, boot_random, seq) DO NOTHING",
        )?
        .execute(params![
            alarm.id.board.as_str(),
            alarm.id.boot.counter,
            alarm.id.boot.random,
            seq(&alarm.id),
            received.site.as_str(),
            alarm.camera.as_str(),
            present::kind(alarm.kind),
            alarm.event,
            present::severity(alarm.severity),
            alarm.wall_clock_ms.map(signed),
            signed(alarm.uptime_ms),
            signed(alarm.onset_media_ms),
            signed(alarm.media_ms),
            f64::from(alarm.score),
            f64::from(alarm.peak),
            f64::from(alarm.threshold),
            alarm.model.as_slice(),
            received.received_unix_ms,
            received.frame,
        ])?;
    Ok(changed == 1)
}

fn insert_gap(transaction: &Transaction<'_>, received: &Received, gap: &Gap) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached(
            "INSERT INTO gaps (board, boot_counter, boot_random, seq, site, first_seq, last_seq, dropped, received_unix_ms, frame)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (board, boot_counter, boot_random, seq) DO NOTHING",
        )?
        .execute(params![
            gap.id.board.as_str(),
            gap.id.boot.counter,
            gap.id.boot.random,
            seq(&gap.id),
            received.site.as_str(),
            signed(gap.first_seq),
            signed(gap.last_seq),
            signed(gap.dropped),
            received.received_unix_ms,
            received.frame,
        ])?;
    Ok(changed == 1)
}

fn insert_fault(transaction: &Transaction<'_>, received: &Received, fault: &Fault) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached(
            "INSERT INTO faults (board, boot_counter, boot_random, seq, site, camera, kind, edge, wall_clock_ms, began_uptime_ms,
                 uptime_ms, received_unix_ms, frame)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT (board, boot_counter, boot_random, seq) DO NOTHING",
        )?
        .execute(params![
            fault.id.board.as_str(),
            fault.id.boot.counter,
            fault.id.boot.random,
            seq(&fault.id),
            received.site.as_str(),
            fault.camera.as_str(),
            present::fault(fault.kind),
            present::fault_edge(fault.edge),
            fault.wall_clock_ms.map(signed),
            signed(fault.began_uptime_ms),
            signed(fault.uptime_ms),
            received.received_unix_ms,
            received.frame,
        ])?;
    Ok(changed == 1)
}

fn seq(id: &RecordId) -> i64 {
    signed(id.seq)
}

/// `ingest` refuses what does not fit, so nothing is ever clamped here.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
