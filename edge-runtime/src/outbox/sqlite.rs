//! The outbox file.

use std::path::{Path, PathBuf};

use alarm_proto::{BoardId, BootId, Message, RecordId};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::overflow::{Ring, cost_bytes};
use super::{
    Compose, OutboxError, OutboxStatus, RecordStore, Recovery, StoredRecord, encode_frame, random_u32,
    recover,
};

/// Alarms and faults: what an overflow may drop.
pub(super) const KIND_ALARM: i64 = 0;
pub(super) const KIND_GAP: i64 = 1;

/// A durable store of undelivered records in one SQLite file, held by one process at a time.
#[derive(Debug)]
pub struct Outbox {
    db: Connection,
    path: PathBuf,
    board: BoardId,
    boot: BootId,
    state: State,
    ring: Ring,
}

/// What the file holds, kept in memory; follows every commit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    pub(super) last_seq: u64,
    pub(super) depth: u64,
    pub(super) bytes: u64,
    pub(super) dropped: u64,
    /// The newest sequence number ever dropped.
    pub(super) dropped_to: u64,
}

impl Outbox {
    /// Opens or creates the file and begins a new boot. A damaged file is set aside as `<name>.corrupt-<n>`, and
    /// [`Recovery`] says so.
    ///
    /// # Errors
    /// [`OutboxError`]: the file is in use, cannot be written, belongs to another board or to a newer program.
    pub fn open(path: &Path, board: &BoardId, max_bytes: u64) -> Result<(Self, Recovery), OutboxError> {
        let (db, mut recovery) = recover::open_or_set_aside(path)?;
        let mut outbox = Self {
            db,
            path: path.to_owned(),
            board: board.clone(),
            boot: BootId { counter: 0, random: 0 },
            state: State::default(),
            ring: Ring::new(max_bytes),
        };
        outbox.claim()?;
        outbox.begin_boot()?;
        recovery.undelivered = outbox.state.depth;
        recovery.damaged_records = outbox.replace_damaged()?;
        Ok((outbox, recovery))
    }

    /// Number of undelivered records in an existing file, without changing it.
    ///
    /// # Errors
    /// [`OutboxError`]: the file is in use, damaged or not an outbox.
    pub fn inspect(path: &Path) -> Result<u64, OutboxError> {
        let failed = |source| OutboxError::Sqlite { path: path.to_owned(), doing: "read it", source };
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
        db.query_row("SELECT count(*) FROM records", [], |row| row.get(0)).map_err(failed)
    }

    /// Checks whose alarms the file holds and reads what it holds.
    fn claim(&mut self) -> Result<(), OutboxError> {
        let doing = "read it";
        let owner: String = self
            .db
            .query_row("SELECT board FROM meta", [], |row| row.get(0))
            .map_err(|e| self.failed(doing, e))?;
        let (last_seq, dropped, dropped_to) = self
            .db
            .query_row("SELECT last_seq, dropped, dropped_to FROM meta", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(|e| self.failed(doing, e))?;
        let (depth, bytes): (u64, u64) = self
            .db
            .query_row("SELECT count(*), coalesce(sum(length(bytes)), 0) FROM records", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(|e| self.failed(doing, e))?;
        if depth > 0 && !owner.is_empty() && owner != self.board.as_str() {
            return Err(OutboxError::OtherBoard { path: self.path.clone(), owner, undelivered: depth });
        }
        let bytes = bytes + depth * super::ROW_OVERHEAD_BYTES;
        self.state = State { last_seq, depth, bytes, dropped, dropped_to };
        Ok(())
    }

    fn begin_boot(&mut self) -> Result<(), OutboxError> {
        let random = random_u32()?;
        let board = self.board.clone();
        let counter = self.transaction("begin a boot", |tx| {
            tx.execute(
                "UPDATE meta SET board = ?1, boot_counter = boot_counter + 1, boot_random = ?2",
                params![board.as_str(), random],
            )?;
            tx.query_row("SELECT boot_counter FROM meta", [], |row| row.get(0))
        })?;
        self.boot = BootId { counter, random };
        Ok(())
    }

    /// Checks every frame; replaces the damaged ones by gaps.
    fn replace_damaged(&mut self) -> Result<u64, OutboxError> {
        let damaged = recover::damaged_runs(&self.db).map_err(|e| self.failed("verify records", e))?;
        for run in &damaged {
            let seq = self.state.last_seq + 1;
            let id = RecordId { board: self.board.clone(), boot: self.boot, seq };
            let gap = encode_frame(seq, &Message::Gap(run.gap(id)))?;
            let (mut state, boot) = (self.state, self.boot);
            self.state = self.transaction("replace damaged records", |tx| {
                let freed = recover::remove_run(tx, run)?;
                state.depth -= freed.records;
                state.bytes -= freed.bytes;
                state.dropped += freed.records;
                insert(tx, &mut state, &StoredRecord { boot, seq, bytes: gap }, KIND_GAP)?;
                write_marks(tx, &state)?;
                Ok(state)
            })?;
        }
        Ok(damaged.iter().map(|run| run.dropped).sum())
    }

    /// Runs `body` in one transaction that is on disk when this returns.
    fn transaction<T>(
        &mut self,
        doing: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, OutboxError> {
        let path = &self.path;
        let failed = |source| OutboxError::Sqlite { path: path.clone(), doing, source };
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let value = body(&tx).map_err(failed)?;
        tx.commit().map_err(failed)?;
        Ok(value)
    }

    fn failed(&self, doing: &'static str, source: rusqlite::Error) -> OutboxError {
        OutboxError::Sqlite { path: self.path.clone(), doing, source }
    }

    /// Makes the disk look full beyond `pages` pages, for tests.
    #[doc(hidden)]
    pub fn limit_pages_for_test(&self, pages: u32) {
        // The limit itself is the answer; there is nothing to handle.
        let _ = self.db.pragma_update(None, "max_page_count", pages);
    }
}

impl RecordStore for Outbox {
    fn boot(&self) -> BootId {
        self.boot
    }

    fn raise(&mut self, compose: Compose<'_>) -> Result<RecordId, OutboxError> {
        let seq = self.state.last_seq + 1;
        let id = RecordId { board: self.board.clone(), boot: self.boot, seq };
        let bytes = encode_frame(seq, &compose(id.clone()))?;
        let record = StoredRecord { boot: self.boot, seq, bytes };
        let (mut state, mut ring, boot, board) =
            (self.state, self.ring.clone(), self.boot, self.board.clone());
        let stored = self.transaction("store an alarm", |tx| {
            insert(tx, &mut state, &record, KIND_ALARM)?;
            ring.make_room(tx, &mut state, boot, &board)?;
            write_marks(tx, &state)?;
            Ok(())
        });
        match stored {
            Ok(()) => {
                self.state = state;
                self.ring = ring;
                Ok(id)
            }
            Err(e) => {
                // Whether a failed commit reached the disk is unknown: burn its numbers (its own and its gap's).
                self.state.last_seq += 2;
                Err(e)
            }
        }
    }

    fn acknowledge(&mut self, acks: &[(BootId, u64)]) -> Result<usize, OutboxError> {
        let mut state = self.state;
        let mut ring = self.ring.clone();
        let removed = self.transaction("remove acknowledged alarms", |tx| {
            let mut delete = tx.prepare_cached(
                "DELETE FROM records WHERE seq = ?1 AND boot_counter = ?2 AND boot_random = ?3 RETURNING length(bytes)",
            )?;
            let mut removed = 0;
            for (boot, seq) in acks {
                let mut rows = delete.query(params![as_sql(*seq), boot.counter, boot.random])?;
                while let Some(row) = rows.next()? {
                    state.bytes = state.bytes.saturating_sub(cost_bytes(row.get(0)?));
                    state.depth = state.depth.saturating_sub(1);
                    ring.forget(*seq);
                    removed += 1;
                }
            }
            Ok(removed)
        })?;
        self.state = state;
        self.ring = ring;
        Ok(removed)
    }

    fn between(&mut self, after: u64, up_to: u64, limit: usize) -> Result<Vec<StoredRecord>, OutboxError> {
        let read = || -> rusqlite::Result<Vec<StoredRecord>> {
            let mut select = self.db.prepare_cached(
                "SELECT seq, boot_counter, boot_random, bytes FROM records WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            select
                .query_map(params![as_sql(after), as_sql(up_to), limit], |row| {
                    Ok(StoredRecord {
                        seq: row.get(0)?,
                        boot: BootId { counter: row.get(1)?, random: row.get(2)? },
                        bytes: row.get(3)?,
                    })
                })?
                .collect()
        };
        let records = read().map_err(|e| self.failed("read undelivered alarms", e))?;
        for record in &records {
            self.ring.freeze(record.seq);
        }
        Ok(records)
    }

    fn status(&self) -> OutboxStatus {
        let State { last_seq, depth, bytes, dropped, .. } = self.state;
        OutboxStatus { depth, bytes, last_seq, dropped }
    }
}

/// Sequence numbers fit SQLite's signed integers for ever; a hostile larger one matches nothing.
pub(super) fn as_sql(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    state: &mut State,
    record: &StoredRecord,
    kind: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO records (seq, boot_counter, boot_random, kind, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        as_sql(record.seq),
        record.boot.counter,
        record.boot.random,
        kind,
        record.bytes
    ])?;
    state.last_seq = record.seq;
    state.depth += 1;
    state.bytes += cost_bytes(record.bytes.len() as u64);
    Ok(())
}

fn write_marks(tx: &Transaction<'_>, state: &State) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE meta SET last_seq = ?1, dropped = ?2, dropped_to = ?3")?.execute(params![
        as_sql(state.last_seq),
        as_sql(state.dropped),
        as_sql(state.dropped_to)
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No kill shows a missing fsync, only a power cut does: so the settings themselves are held fast.
    #[test]
    fn every_commit_is_synced_to_disk() {
        let folder = tempfile::tempdir().unwrap();
        let board = BoardId::try_from("b").unwrap();
        let (outbox, _) = Outbox::open(&folder.path().join("o.db"), &board, 1 << 20).unwrap();
        let synchronous: i64 = outbox.db.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!(synchronous, 2, "FULL: an fsync of the log at each commit");
        let journal: String = outbox.db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(journal, "wal");
    }
}
