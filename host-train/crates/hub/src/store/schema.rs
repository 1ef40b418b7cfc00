//! Tables, pragmas and the format check, shared by writer and readers.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// "WPhb": marks the file as ours.
const APPLICATION_ID: i64 = 0x5750_6862;
/// Newest format this program reads and writes.
const FORMAT: i64 = 2;
/// How long a writer waits for another one, such as a verdict during a commit.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE alarms (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    board            TEXT    NOT NULL,
    boot_counter     INTEGER NOT NULL,
    boot_random      INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    site             TEXT    NOT NULL,
    camera           TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    event            INTEGER NOT NULL,
    severity         TEXT    NOT NULL,
    wall_clock_ms    INTEGER,
    uptime_ms        INTEGER NOT NULL,
    onset_media_ms   INTEGER NOT NULL,
    media_ms         INTEGER NOT NULL,
    score            REAL    NOT NULL,
    peak             REAL    NOT NULL,
    threshold        REAL    NOT NULL,
    model            BLOB    NOT NULL,
    received_unix_ms INTEGER NOT NULL,
    frame            BLOB    NOT NULL,
    UNIQUE (board, boot_counter, boot_random, seq)
) STRICT;
CREATE TABLE gaps (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    board            TEXT    NOT NULL,
    boot_counter     INTEGER NOT NULL,
    boot_random      INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    site             TEXT    NOT NULL,
    first_seq        INTEGER NOT NULL,
    last_seq         INTEGER NOT NULL,
    dropped          INTEGER NOT NULL,
    received_unix_ms INTEGER NOT NULL,
    frame            BLOB    NOT NULL,
    UNIQUE (board, boot_counter, boot_random, seq)
) STRICT;
CREATE TABLE conflicts (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    site             TEXT    NOT NULL,
    board            TEXT    NOT NULL,
    boot_counter     INTEGER NOT NULL,
    boot_random      INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    received_unix_ms INTEGER NOT NULL,
    frame            BLOB    NOT NULL,
    UNIQUE (board, boot_counter, boot_random, seq, frame)
) STRICT;
CREATE TABLE verdicts (
    alarm_id        INTEGER PRIMARY KEY REFERENCES alarms (id),
    verdict         TEXT    NOT NULL CHECK (verdict IN ('real', 'false')),
    decided_unix_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE boards (
    board              TEXT PRIMARY KEY,
    site               TEXT NOT NULL,
    first_seen_unix_ms INTEGER NOT NULL
) STRICT;
";

/// What came with format 2.
const FAULTS: &str = "
CREATE TABLE faults (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    board            TEXT    NOT NULL,
    boot_counter     INTEGER NOT NULL,
    boot_random      INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    site             TEXT    NOT NULL,
    camera           TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    edge             TEXT    NOT NULL,
    wall_clock_ms    INTEGER,
    began_uptime_ms  INTEGER NOT NULL,
    uptime_ms        INTEGER NOT NULL,
    received_unix_ms INTEGER NOT NULL,
    frame            BLOB    NOT NULL,
    UNIQUE (board, boot_counter, boot_random, seq)
) STRICT;
";

/// Opens the file for the hub, creating an empty store where there is none.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = open(path, flags)?;
    let format = check(&connection, path)?;
    configure(&connection).map_err(|error| opening(path, &error))?;
    if format < FORMAT {
        bring_up_to_date(&mut connection, format).map_err(|error| opening(path, &error))?;
    }
    Ok(connection)
}

/// Opens an existing store beside a running hub; `verdicts` need write access, listing does not.
pub(super) fn open_existing(path: &Path, write: bool) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    // A WAL reader maintains the shared index, so even listing opens read-write where it may.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match open(path, flags) {
        Err(_) if !write => open(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?,
        other => other?,
    };
    match check(&connection, path)? {
        0 => Err(StoreError::Foreign { path: path.to_owned() }),
        found if found < FORMAT => Err(StoreError::Older { path: path.to_owned(), found, known: FORMAT }),
        _ => {
            connection
                .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
                .map_err(|error| opening(path, &error))?;
            Ok(connection)
        }
    }
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags).map_err(|error| opening(path, &error))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| opening(path, &error))?;
    Ok(connection)
}

/// The format of the file; 0 for an empty one. Reads only, so that a foreign file stays as it is.
fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let foreign = || StoreError::Foreign { path: path.to_owned() };
    let (application, format) = match (pragma("application_id"), pragma("user_version")) {
        (Ok(application), Ok(format)) => (application, format),
        (Err(error), _) | (_, Err(error))
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) =>
        {
            return Err(foreign());
        }
        (Err(error), _) | (_, Err(error)) => return Err(opening(path, &error)),
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| opening(path, &error))?;
    match (application, format, tables) {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, found, _) if found > FORMAT => {
            Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        (APPLICATION_ID, found, _) if found > 0 => Ok(found),
        _ => Err(foreign()),
    }
}

/// An alarm is acknowledged after the commit, so the commit must reach the disk: FULL, never NORMAL.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
}

/// Tables and format number appear together or not at all.
fn bring_up_to_date(connection: &mut Connection, format: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if format < 1 {
        transaction.execute_batch(TABLES)?;
    }
    transaction.execute_batch(FAULTS)?;
    transaction.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
    ))?;
    transaction.commit()
}

fn opening(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::Open { path: path.to_owned(), reason: error.to_string() }
}
