//! What a full outbox drops: the middle, in batches, each loss counted exactly.
//!
//! When the bytes exceed the bound, the oldest half of the records is set apart as the head ("how it began"). Victims
//! are the oldest records behind the head and behind everything dropped before, so successive batches join up and one
//! growing gap describes them, until that gap has been handed to the link; ranges of different gaps never overlap.
//! Gaps themselves are never dropped. Only a bound that was made smaller can eat into the head.

use alarm_proto::{BoardId, BootId, Gap, Message, RecordId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::sqlite::{KIND_ALARM, KIND_GAP, State, as_sql, insert};
use super::{ROW_OVERHEAD_BYTES, StoredRecord, encode_frame};

/// One batch frees at least this share of the bound, so that overflow costs one scan per many alarms.
const BATCH_SHARE: u64 = 64;

/// The bound and the state of the current overflow.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    max_bytes: u64,
    /// Newest record of the head.
    head_last: Option<u64>,
    /// The gap that may still grow: not yet handed to the link, made by this process.
    open_gap: Option<Span>,
}

/// A dropped range: both ends inclusive, `dropped` records of it were held.
#[derive(Debug, Clone, Copy)]
struct Span {
    record_seq: u64,
    first: u64,
    last: u64,
    dropped: u64,
}

/// Whether victims may have numbers between them that are gone already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    Any,
    /// Numbers without a break: such a range cannot overlap an older gap.
    Unbroken,
}

struct Victims {
    first: u64,
    last: u64,
    records: u64,
    bytes: u64,
}

pub(super) fn cost_bytes(frame_len: u64) -> u64 {
    frame_len + ROW_OVERHEAD_BYTES
}

impl Ring {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { max_bytes, head_last: None, open_gap: None }
    }

    /// The record `seq` may have been sent: a gap must not change any more.
    pub(super) fn freeze(&mut self, seq: u64) {
        if self.open_gap.is_some_and(|gap| gap.record_seq == seq) {
            self.open_gap = None;
        }
    }

    /// The record `seq` is gone.
    pub(super) fn forget(&mut self, seq: u64) {
        self.freeze(seq);
    }

    /// Drops until the newest record fits. Called with that record already inserted; never drops it.
    pub(super) fn make_room(
        &mut self,
        tx: &Transaction<'_>,
        state: &mut State,
        boot: BootId,
        board: &BoardId,
    ) -> rusqlite::Result<()> {
        if state.bytes <= self.max_bytes {
            return Ok(());
        }
        let newest = state.last_seq;
        let head_last = self.head(tx, newest)?;
        let wanted = (state.bytes - self.max_bytes).max(self.max_bytes / BATCH_SHARE);
        let behind_head = head_last.max(state.dropped_to);
        if let Some(victims) = find_victims(tx, behind_head, newest, wanted, Runs::Any)? {
            return self.drop_records(tx, state, boot, board, &victims);
        }
        self.open_gap = None;
        if let Some(victims) = find_victims(tx, 0, newest, wanted, Runs::Unbroken)? {
            self.drop_records(tx, state, boot, board, &victims)?;
        }
        self.open_gap = None;
        Ok(())
    }

    fn drop_records(
        &mut self,
        tx: &Transaction<'_>,
        state: &mut State,
        boot: BootId,
        board: &BoardId,
        victims: &Victims,
    ) -> rusqlite::Result<()> {
        tx.prepare_cached("DELETE FROM records WHERE seq BETWEEN ?1 AND ?2 AND kind = ?3")?
            .execute(params![as_sql(victims.first), as_sql(victims.last), KIND_ALARM])?;
        state.depth -= victims.records;
        state.bytes -= victims.bytes;
        state.dropped += victims.records;
        state.dropped_to = state.dropped_to.max(victims.last);
        self.record_gap(tx, state, boot, board, victims)
    }

    /// Newest record of the head; a head that has been delivered since gives way to a new one.
    fn head(&mut self, tx: &Transaction<'_>, newest: u64) -> rusqlite::Result<u64> {
        let oldest: u64 =
            tx.prepare_cached("SELECT min(seq) FROM records")?.query_row([], |row| row.get(0))?;
        if let Some(head_last) = self.head_last.filter(|&last| oldest <= last) {
            return Ok(head_last);
        }
        let alarms: i64 = tx
            .prepare_cached("SELECT count(*) FROM records WHERE kind = ?1 AND seq < ?2")?
            .query_row(params![KIND_ALARM, as_sql(newest)], |row| row.get(0))?;
        let head_last = tx
            .prepare_cached(
                "SELECT seq FROM records WHERE kind = ?1 AND seq < ?2 ORDER BY seq LIMIT 1 OFFSET ?3",
            )?
            .query_row(params![KIND_ALARM, as_sql(newest), alarms / 2 - 1], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        self.head_last = Some(head_last);
        self.open_gap = None;
        Ok(head_last)
    }

    fn record_gap(
        &mut self,
        tx: &Transaction<'_>,
        state: &mut State,
        boot: BootId,
        board: &BoardId,
        victims: &Victims,
    ) -> rusqlite::Result<()> {
        let span = match self.open_gap {
            Some(gap) => {
                let old = remove_gap(tx, gap.record_seq)?;
                state.depth -= 1;
                state.bytes -= cost_bytes(old);
                Span {
                    record_seq: state.last_seq + 1,
                    first: gap.first.min(victims.first),
                    last: gap.last.max(victims.last),
                    dropped: gap.dropped + victims.records,
                }
            }
            None => Span {
                record_seq: state.last_seq + 1,
                first: victims.first,
                last: victims.last,
                dropped: victims.records,
            },
        };
        let id = RecordId { board: board.clone(), boot, seq: span.record_seq };
        let gap = Gap { id, first_seq: span.first, last_seq: span.last, dropped: span.dropped };
        let bytes = encode_frame(span.record_seq, &Message::Gap(gap))
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        insert(tx, state, &StoredRecord { boot, seq: span.record_seq, bytes }, KIND_GAP)?;
        self.open_gap = Some(span);
        Ok(())
    }
}

fn remove_gap(tx: &Transaction<'_>, seq: u64) -> rusqlite::Result<u64> {
    tx.prepare_cached("DELETE FROM records WHERE seq = ?1 RETURNING length(bytes)")?
        .query_row(params![as_sql(seq)], |row| row.get(0))
}

/// The oldest alarms after `after` that free `wanted` bytes, never the newest record.
fn find_victims(
    tx: &Transaction<'_>,
    after: u64,
    newest: u64,
    wanted: u64,
    runs: Runs,
) -> rusqlite::Result<Option<Victims>> {
    let mut select = tx.prepare_cached(
        "SELECT seq, length(bytes) FROM records WHERE seq > ?1 AND seq < ?2 AND kind = ?3 ORDER BY seq",
    )?;
    let mut rows = select.query(params![as_sql(after), as_sql(newest), KIND_ALARM])?;
    let mut victims: Option<Victims> = None;
    while let Some(row) = rows.next()? {
        let (seq, bytes): (u64, u64) = (row.get(0)?, cost_bytes(row.get(1)?));
        if runs == Runs::Unbroken && victims.as_ref().is_some_and(|v| v.last + 1 != seq) {
            break;
        }
        let so_far = victims.get_or_insert(Victims { first: seq, last: seq, records: 0, bytes: 0 });
        so_far.last = seq;
        so_far.records += 1;
        so_far.bytes += bytes;
        if so_far.bytes >= wanted {
            break;
        }
    }
    Ok(victims)
}
