//! Memory-only store, used when the disk refuses (full, failing, read-only): the alarm still goes out directly.
//!
//! It has a boot id of its own, so its numbers never collide with durable ones. It is small and bounded: the oldest
//! record goes first, and the count of those is kept.

use std::collections::VecDeque;

use alarm_proto::{BoardId, BootId, RecordId};

use super::{
    Compose, OutboxError, OutboxStatus, ROW_OVERHEAD_BYTES, RecordStore, StoredRecord, encode_frame,
    random_u32,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct VolatileStore {
    board: BoardId,
    boot: BootId,
    last_seq: u64,
    dropped: u64,
    max_records: usize,
    records: VecDeque<StoredRecord>,
}

impl VolatileStore {
    /// An empty store for `board` that holds at most `max_records`.
    ///
    /// # Errors
    /// [`OutboxError::Random`].
    pub fn new(board: BoardId, boot_counter: u32, max_records: usize) -> Result<Self, OutboxError> {
        let boot = BootId { counter: boot_counter, random: random_u32()? };
        Ok(Self { board, boot, last_seq: 0, dropped: 0, max_records, records: VecDeque::new() })
    }
}

impl RecordStore for VolatileStore {
    fn boot(&self) -> BootId {
        self.boot
    }

    fn raise(&mut self, compose: Compose<'_>) -> Result<RecordId, OutboxError> {
        self.last_seq += 1;
        let id = RecordId { board: self.board.clone(), boot: self.boot, seq: self.last_seq };
        let bytes = encode_frame(id.seq, &compose(id.clone()))?;
        if self.records.len() >= self.max_records {
            self.records.pop_front();
            self.dropped += 1;
        }
        self.records.push_back(StoredRecord { boot: self.boot, seq: id.seq, bytes });
        Ok(id)
    }

    fn acknowledge(&mut self, acks: &[(BootId, u64)]) -> Result<usize, OutboxError> {
        let before = self.records.len();
        self.records.retain(|r| !acks.contains(&(r.boot, r.seq)));
        Ok(before - self.records.len())
    }

    fn between(&mut self, after: u64, up_to: u64, limit: usize) -> Result<Vec<StoredRecord>, OutboxError> {
        let wanted = |r: &&StoredRecord| r.seq > after && r.seq <= up_to;
        Ok(self.records.iter().filter(wanted).take(limit).cloned().collect())
    }

    fn status(&self) -> OutboxStatus {
        let bytes = self.records.iter().map(|r| r.bytes.len() as u64 + ROW_OVERHEAD_BYTES).sum();
        OutboxStatus {
            depth: self.records.len() as u64,
            bytes,
            last_seq: self.last_seq,
            dropped: self.dropped,
        }
    }
}

/// Stands in for an outbox that could not be opened: every alarm goes to the volatile store.
#[derive(Debug)]
pub struct UnavailableStore {
    boot: BootId,
    reason: String,
}

impl UnavailableStore {
    /// `reason` is reported for every alarm.
    ///
    /// # Errors
    /// [`OutboxError::Random`].
    pub fn new(reason: String) -> Result<Self, OutboxError> {
        Ok(Self { boot: BootId { counter: 0, random: random_u32()? }, reason })
    }
}

impl RecordStore for UnavailableStore {
    fn boot(&self) -> BootId {
        self.boot
    }

    fn raise(&mut self, _: Compose<'_>) -> Result<RecordId, OutboxError> {
        Err(OutboxError::Other(self.reason.clone()))
    }

    fn acknowledge(&mut self, _: &[(BootId, u64)]) -> Result<usize, OutboxError> {
        Ok(0)
    }

    fn between(&mut self, _: u64, _: u64, _: usize) -> Result<Vec<StoredRecord>, OutboxError> {
        Ok(Vec::new())
    }

    fn status(&self) -> OutboxStatus {
        OutboxStatus::default()
    }
}
