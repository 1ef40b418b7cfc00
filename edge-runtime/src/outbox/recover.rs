//! Opening the file after anything: a kill, a power cut, worn flash.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alarm_proto::{Gap, Message, RecordId};
use rusqlite::{Connection, ErrorCode, Transaction, params};

use super::overflow::cost_bytes;
use super::sqlite::{KIND_ALARM, KIND_GAP, as_sql};
use super::{OutboxError, Recovery};

/// `PRAGMA application_id` of an outbox: "WPOB".
const APPLICATION_ID: i64 = 0x5750_4F42;
const FORMAT: i64 = 1;
/// How long a predecessor that is just ending may hold the file.
const BUSY_TIMEOUT_MS: u64 = 2_000;

const SCHEMA: &str = "
    CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        board TEXT NOT NULL,
        boot_counter INTEGER NOT NULL,
        boot_random INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        dropped INTEGER NOT NULL,
        dropped_to INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE records (
        seq INTEGER PRIMARY KEY,
        boot_counter INTEGER NOT NULL,
        boot_random INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
    INSERT INTO meta VALUES (1, '', 0, 0, 0, 0, 0);
";

enum Refusal {
    Damaged(String),
    Fatal(OutboxError),
}

/// Opens `path`; a damaged file is moved aside, once, and a fresh one begun.
pub(super) fn open_or_set_aside(path: &Path) -> Result<(Connection, Recovery), OutboxError> {
    match open(path) {
        Ok(db) => Ok((db, Recovery::default())),
        Err(Refusal::Fatal(e)) => Err(e),
        Err(Refusal::Damaged(reason)) => {
            let aside = set_aside(path)?;
            tracing::error!(outbox = %path.display(), set_aside = %aside.display(), %reason, "damaged outbox set aside");
            let db = open(path).map_err(|refusal| match refusal {
                Refusal::Fatal(e) => e,
                Refusal::Damaged(reason) => OutboxError::Other(format!("{}: {reason}", path.display())),
            })?;
            Ok((db, Recovery { set_aside: Some(aside), ..Recovery::default() }))
        }
    }
}

fn open(path: &Path) -> Result<Connection, Refusal> {
    let refused = |doing| move |source| classify(path, doing, source);
    let mut db = Connection::open(path).map_err(refused("open it"))?;
    db.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(refused("open it"))?;
    db.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 256; PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY;",
    )
    .map_err(refused("open it"))?;
    verify(&db, path)?;
    ensure_schema(&mut db, path)?;
    sync_folder(path).map_err(Refusal::Fatal)?;
    Ok(db)
}

fn verify(db: &Connection, path: &Path) -> Result<(), Refusal> {
    let verdict: String = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|e| classify(path, "verify it", e))?;
    if verdict == "ok" { Ok(()) } else { Err(Refusal::Damaged(verdict)) }
}

fn ensure_schema(db: &mut Connection, path: &Path) -> Result<(), Refusal> {
    let refused = |source| classify(path, "prepare it", source);
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (id, format) = (pragma("application_id").map_err(refused)?, pragma("user_version").map_err(refused)?);
    match (id, format) {
        (APPLICATION_ID, FORMAT) => check_marks(db, path),
        (APPLICATION_ID, found) if found > FORMAT => {
            Err(Refusal::Fatal(OutboxError::NewerFormat { path: path.to_owned(), found, known: FORMAT }))
        }
        (0, 0) if is_empty(db).map_err(refused)? => {
            let tx = db.transaction().map_err(refused)?;
            tx.execute_batch(SCHEMA).map_err(refused)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(refused)?;
            tx.pragma_update(None, "user_version", FORMAT).map_err(refused)?;
            tx.commit().map_err(refused)
        }
        _ if is_ours(db).map_err(refused)? => Err(Refusal::Damaged("its header is damaged".to_owned())),
        _ => Err(Refusal::Fatal(OutboxError::Other(format!(
            "{}: this is some other program's database; set another outbox.path",
            path.display()
        )))),
    }
}

fn is_empty(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// Whether the tables are an outbox's, whatever the header says.
fn is_ours(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT count(*) = 2 FROM sqlite_schema WHERE name IN ('meta', 'records')", [], |row| {
        row.get(0)
    })
}

/// The high-water mark covers every record; otherwise the file is not one that this program wrote.
fn check_marks(db: &Connection, path: &Path) -> Result<(), Refusal> {
    let covered: bool = db
        .query_row(
            "SELECT (SELECT count(*) FROM meta) = 1
                AND (SELECT last_seq FROM meta) >= (SELECT coalesce(max(seq), 0) FROM records)
                AND (SELECT min(boot_counter, boot_random, last_seq, dropped, dropped_to) >= 0 AND typeof(board) = 'text' FROM meta)
                AND NOT EXISTS (SELECT 1 FROM records WHERE min(seq, boot_counter, boot_random, kind) < 0 OR bytes IS NULL)",
            [],
            |row| row.get(0),
        )
        .map_err(|e| classify(path, "verify it", e))?;
    if covered { Ok(()) } else { Err(Refusal::Damaged("its marks contradict its records".to_owned())) }
}

fn classify(path: &Path, doing: &'static str, source: rusqlite::Error) -> Refusal {
    match source.sqlite_error_code() {
        // A plain SQL error or a value of another type: the schema is not the one that was written.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
            Refusal::Damaged(source.to_string())
        }
        _ => Refusal::Fatal(OutboxError::Sqlite { path: path.to_owned(), doing, source }),
    }
}

/// Renames the file and its write-ahead log to the first free `<name>.corrupt-<n>`.
fn set_aside(path: &Path) -> Result<PathBuf, OutboxError> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = (1_u32..)
        .map(|n| with(&format!(".corrupt-{n}")))
        .find(|p| !p.exists())
        .unwrap_or_else(|| with(".corrupt"));
    let failed = |doing| move |source| OutboxError::Io { path: path.to_owned(), doing, source };
    std::fs::rename(path, &aside).map_err(failed("set the damaged file aside"))?;
    for suffix in ["-wal", "-shm"] {
        let (from, mut to) = (with(suffix), aside.as_os_str().to_owned());
        to.push(suffix);
        if from.exists() {
            std::fs::rename(&from, PathBuf::from(to)).map_err(failed("set the damaged log aside"))?;
        }
    }
    sync_folder(path)?;
    Ok(aside)
}

/// A new or renamed file is durable once its folder is.
fn sync_folder(path: &Path) -> Result<(), OutboxError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(|source| OutboxError::Io {
        path: folder.to_owned(),
        doing: "sync the folder",
        source,
    })
}

/// Records with consecutive numbers that do not decode.
#[derive(Debug)]
pub(super) struct DamagedRun {
    first: u64,
    last: u64,
    pub(super) dropped: u64,
}

impl DamagedRun {
    pub(super) fn gap(&self, id: RecordId) -> Gap {
        Gap { id, first_seq: self.first, last_seq: self.last, dropped: self.dropped }
    }
}

/// What a removal freed.
#[derive(Debug, Default)]
pub(super) struct Freed {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

pub(super) fn damaged_runs(db: &Connection) -> rusqlite::Result<Vec<DamagedRun>> {
    let mut select = db.prepare("SELECT seq, kind, bytes FROM records ORDER BY seq")?;
    let mut rows = select.query([])?;
    let mut runs: Vec<DamagedRun> = Vec::new();
    while let Some(row) = rows.next()? {
        let (seq, kind): (u64, i64) = (row.get(0)?, row.get(1)?);
        if is_intact(seq, kind, row.get_ref(2)?.as_blob().unwrap_or_default()) {
            continue;
        }
        match runs.last_mut().filter(|run| run.last + 1 == seq) {
            Some(run) => {
                run.last = seq;
                run.dropped += 1;
            }
            None => runs.push(DamagedRun { first: seq, last: seq, dropped: 1 }),
        }
    }
    Ok(runs)
}

fn is_intact(seq: u64, kind: i64, frame: &[u8]) -> bool {
    match alarm_proto::decode(frame) {
        Ok(Message::Alarm(alarm)) => kind == KIND_ALARM && alarm.id.seq == seq,
        Ok(Message::Fault(fault)) => kind == KIND_ALARM && fault.id.seq == seq,
        Ok(Message::Gap(gap)) => kind == KIND_GAP && gap.id.seq == seq,
        _ => false,
    }
}

pub(super) fn remove_run(tx: &Transaction<'_>, run: &DamagedRun) -> rusqlite::Result<Freed> {
    let mut delete = tx.prepare("DELETE FROM records WHERE seq BETWEEN ?1 AND ?2 RETURNING length(bytes)")?;
    let mut rows = delete.query(params![as_sql(run.first), as_sql(run.last)])?;
    let mut freed = Freed::default();
    while let Some(row) = rows.next()? {
        freed.records += 1;
        freed.bytes += cost_bytes(row.get(0)?);
    }
    Ok(freed)
}
