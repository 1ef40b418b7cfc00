//! What operators ask of the store, beside a running hub: lists and verdicts.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, params};

use super::{StoreError, schema};

/// An operator's answer to an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Something did happen.
    Real,
    /// Nothing happened.
    False,
}

impl Verdict {
    /// `real` or `false`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::False => "false",
        }
    }
}

/// Which alarms to list; everything that is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AlarmQuery {
    /// Only this board.
    pub board: Option<String>,
    /// Only this kind: `raised`, `updated`, `cleared` or `drill`.
    pub kind: Option<String>,
    /// Only what arrived at or after this time, in milliseconds since 1970-01-01 UTC.
    pub since_unix_ms: Option<i64>,
    /// At most this many, the latest.
    pub limit: u32,
}

/// One stored alarm.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AlarmRow {
    /// Row id, for `verdict`.
    pub id: i64,
    /// Hub's wall clock at arrival, in milliseconds since 1970-01-01 UTC.
    pub received_unix_ms: i64,
    /// Board's wall clock, when it had one.
    pub wall_clock_ms: Option<i64>,
    /// Site.
    pub site: String,
    /// Board.
    pub board: String,
    /// Camera.
    pub camera: String,
    /// Durable boot counter of the board.
    pub boot_counter: u32,
    /// Random part of the boot id.
    pub boot_random: u32,
    /// Sequence number within the board's life.
    pub seq: i64,
    /// `raised`, `updated`, `cleared` or `drill`.
    pub kind: String,
    /// Event number on the board.
    pub event: u32,
    /// `notice`, `warning` or `critical`.
    pub severity: String,
    /// Media time of the onset, in milliseconds.
    pub onset_media_ms: i64,
    /// Media time of this edge, in milliseconds.
    pub media_ms: i64,
    /// Score at this edge, 0-1.
    pub score: f64,
    /// Highest score of the event so far, 0-1.
    pub peak: f64,
    /// Threshold in force, 0-1.
    pub threshold: f64,
    /// First bytes of the model bundle's hash, in hex.
    pub model: String,
    /// Operator's answer, when there is one.
    pub verdict: Option<String>,
}

/// One stored gap: records that a board had to drop.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GapRow {
    /// Hub's wall clock at arrival, in milliseconds since 1970-01-01 UTC.
    pub received_unix_ms: i64,
    /// Site.
    pub site: String,
    /// Board.
    pub board: String,
    /// First sequence number dropped.
    pub first_seq: i64,
    /// Last sequence number dropped.
    pub last_seq: i64,
    /// How many were dropped.
    pub dropped: i64,
}

/// One end of a fault of a camera.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FaultRow {
    /// Hub's wall clock at arrival, in milliseconds since 1970-01-01 UTC.
    pub received_unix_ms: i64,
    /// Board's wall clock, when it had one.
    pub wall_clock_ms: Option<i64>,
    /// Site.
    pub site: String,
    /// Board.
    pub board: String,
    /// Camera.
    pub camera: String,
    /// `no picture`, `dark`, `covered`, `frozen`, `moved` or `switched`.
    pub kind: String,
    /// `began` or `ended`.
    pub edge: String,
}

/// Reads a store beside the hub that writes it.
#[derive(Debug)]
pub struct StoreReader {
    connection: Connection,
    path: PathBuf,
}

impl StoreReader {
    /// Opens an existing store for listing.
    ///
    /// # Errors
    /// [`StoreError`] when there is none, or the file is something else or newer.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: schema::open_existing(path, false)?, path: path.to_owned() })
    }

    /// Opens an existing store for listing and verdicts.
    ///
    /// # Errors
    /// As [`StoreReader::open`], and when it may not be written to.
    pub fn open_for_verdicts(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: schema::open_existing(path, true)?, path: path.to_owned() })
    }

    /// The latest alarms that match, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn alarms(&self, query: &AlarmQuery) -> Result<Vec<AlarmRow>, StoreError> {
        let list = || {
            let mut statement = self.connection.prepare(
                "SELECT a.*, v.verdict FROM alarms a LEFT JOIN verdicts v ON v.alarm_id = a.id
                 WHERE (?1 IS NULL OR a.board = ?1) AND (?2 IS NULL OR a.kind = ?2)
                   AND (?3 IS NULL OR a.received_unix_ms >= ?3)
                 ORDER BY a.id DESC LIMIT ?4",
            )?;
            let rows = statement
                .query_map(params![query.board, query.kind, query.since_unix_ms, query.limit], alarm_row)?;
            let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            rows.reverse();
            Ok(rows)
        };
        list().map_err(|error| self.failed("listing alarms", &error))
    }

    /// The latest gaps that match `query` (its kind does not apply), oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn gaps(&self, query: &AlarmQuery) -> Result<Vec<GapRow>, StoreError> {
        let from = "received_unix_ms, site, board, first_seq, last_seq, dropped FROM gaps";
        self.latest("listing gaps", from, query, |row| {
            Ok(GapRow {
                received_unix_ms: row.get(0)?,
                site: row.get(1)?,
                board: row.get(2)?,
                first_seq: row.get(3)?,
                last_seq: row.get(4)?,
                dropped: row.get(5)?,
            })
        })
    }

    /// The latest faults that match `query` (its kind does not apply), oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn faults(&self, query: &AlarmQuery) -> Result<Vec<FaultRow>, StoreError> {
        let from = "received_unix_ms, wall_clock_ms, site, board, camera, kind, edge FROM faults";
        self.latest("listing faults", from, query, |row| {
            Ok(FaultRow {
                received_unix_ms: row.get(0)?,
                wall_clock_ms: row.get(1)?,
                site: row.get(2)?,
                board: row.get(3)?,
                camera: row.get(4)?,
                kind: row.get(5)?,
                edge: row.get(6)?,
            })
        })
    }

    /// Records an operator's answer; a later answer replaces an earlier one.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAlarm`] when no alarm has this id.
    pub fn set_verdict(&self, id: i64, verdict: Verdict, decided_unix_ms: i64) -> Result<(), StoreError> {
        let changed = self
            .connection
            .execute(
                "INSERT INTO verdicts (alarm_id, verdict, decided_unix_ms) SELECT id, ?2, ?3 FROM alarms WHERE id = ?1
                 ON CONFLICT (alarm_id) DO UPDATE SET verdict = excluded.verdict, decided_unix_ms = excluded.decided_unix_ms",
                params![id, verdict.as_str(), decided_unix_ms],
            )
            .map_err(|error| self.failed("recording the verdict", &error))?;
        match changed {
            0 => Err(StoreError::NoSuchAlarm { path: self.path.clone(), id }),
            _ => Ok(()),
        }
    }

    /// The latest rows that match, oldest first; `from` names the columns and their table.
    fn latest<T>(
        &self,
        what: &'static str,
        from: &str,
        query: &AlarmQuery,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let list = || {
            let mut statement = self.connection.prepare(&format!(
                "SELECT {from}
                 WHERE (?1 IS NULL OR board = ?1) AND (?2 IS NULL OR received_unix_ms >= ?2)
                 ORDER BY id DESC LIMIT ?3"
            ))?;
            let rows = statement
                .query_map(params![query.board, query.since_unix_ms, query.limit], |row| read(row))?;
            let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            rows.reverse();
            Ok(rows)
        };
        list().map_err(|error| self.failed(what, &error))
    }

    fn failed(&self, what: &'static str, error: &rusqlite::Error) -> StoreError {
        StoreError::Failed { path: self.path.clone(), what, reason: error.to_string() }
    }
}

fn alarm_row(row: &Row<'_>) -> rusqlite::Result<AlarmRow> {
    let model: Vec<u8> = row.get("model")?;
    Ok(AlarmRow {
        id: row.get("id")?,
        received_unix_ms: row.get("received_unix_ms")?,
        wall_clock_ms: row.get("wall_clock_ms")?,
        site: row.get("site")?,
        board: row.get("board")?,
        camera: row.get("camera")?,
        boot_counter: row.get("boot_counter")?,
        boot_random: row.get("boot_random")?,
        seq: row.get("seq")?,
        kind: row.get("kind")?,
        event: row.get("event")?,
        severity: row.get("severity")?,
        onset_media_ms: row.get("onset_media_ms")?,
        media_ms: row.get("media_ms")?,
        score: row.get("score")?,
        peak: row.get("peak")?,
        threshold: row.get("threshold")?,
        model: model.iter().map(|byte| format!("{byte:02x}")).collect(),
        verdict: row.get("verdict")?,
    })
}
