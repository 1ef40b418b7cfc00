//! The durable store of undelivered alarms.
//!
//! # Terms
//! - **raised**: the record's transaction is committed with an fsync (SQLite, WAL, `synchronous = FULL`).
//! - **sequence number**: counts from 1 over the life of the file, also across restarts; the high-water mark is written
//!   in the record's own transaction, so a number is never given twice, not even when every record is delivered.
//! - **boot**: one opening of the file: a durable counter and a random number. A lost file restarts the counter; the
//!   random part keeps (board, boot, seq) unique.
//! - **acknowledged**: the hub has committed the record. Nothing else removes it, a broker's PUBACK least of all.
//! - **gap**: a full outbox drops undelivered records from the middle, keeping how it began and what happens now. The
//!   dropped range and its exact count become a record of their own. A gap that may have been sent is never
//!   changed; the next loss starts a new one.

mod overflow;
mod recover;
mod sqlite;
mod volatile;

use std::path::PathBuf;

use alarm_proto::{BootId, Message, RecordId};

pub use sqlite::Outbox;
pub use volatile::{UnavailableStore, VolatileStore};

/// What a stored record costs beside its bytes: row header, boot id and its share of the page, bytes.
pub const ROW_OVERHEAD_BYTES: u64 = 48;

/// A record as it goes onto the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Boot that raised it.
    pub boot: BootId,
    /// Its sequence number.
    pub seq: u64,
    /// The encoded frame.
    pub bytes: Vec<u8>,
}

/// What the outbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxStatus {
    /// Undelivered records, gaps included.
    pub depth: u64,
    /// Their size with overhead, bytes.
    pub bytes: u64,
    /// The newest sequence number given.
    pub last_seq: u64,
    /// Records dropped over the life of the file.
    pub dropped: u64,
}

/// Makes the message once its identity is known.
pub type Compose<'a> = &'a mut dyn FnMut(RecordId) -> Message;

/// A store of undelivered records. The pipeline and the link see only this, so tests can make it fail.
pub trait RecordStore: Send {
    /// The running boot.
    fn boot(&self) -> BootId;

    /// Stores one record; returns only when it is as durable as this store can make it.
    ///
    /// # Errors
    /// [`OutboxError`]: nothing was stored, and the sequence number will not be given again.
    fn raise(&mut self, compose: Compose<'_>) -> Result<RecordId, OutboxError>;

    /// Removes acknowledged records; returns how many were held. Unknown ones are no error.
    ///
    /// # Errors
    /// [`OutboxError`]: nothing was removed.
    fn acknowledge(&mut self, acks: &[(BootId, u64)]) -> Result<usize, OutboxError>;

    /// Up to `limit` records with `after < seq <= up_to`, oldest first. What it returns may be sent.
    ///
    /// # Errors
    /// [`OutboxError`]: the store cannot be read.
    fn between(&mut self, after: u64, up_to: u64, limit: usize) -> Result<Vec<StoredRecord>, OutboxError>;

    /// What it holds.
    fn status(&self) -> OutboxStatus;
}

/// What opening an outbox found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// A damaged file was set aside here and a fresh one begun; its undelivered alarms are in it.
    pub set_aside: Option<PathBuf>,
    /// Single damaged records, replaced by gaps.
    pub damaged_records: u64,
    /// Undelivered records of earlier runs.
    pub undelivered: u64,
}

impl Recovery {
    /// Whether the board must report itself as degraded.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.set_aside.is_some() || self.damaged_records > 0
    }
}

/// Why the outbox refused.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// SQLite reports a failure.
    #[error("{}: cannot {doing}: {source}{}", path.display(), remedy(source))]
    Sqlite {
        /// The outbox file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file system reports a failure.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file was written by a newer program.
    #[error("{}: format {found} is newer than the {known} this program knows; install the newer program or set another outbox.path", path.display())]
    NewerFormat {
        /// The outbox file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest known format.
        known: i64,
    },
    /// The file holds undelivered alarms of another board.
    #[error("{}: holds {undelivered} undelivered alarms of board `{owner}`; deliver them under that name or set another outbox.path", path.display())]
    OtherBoard {
        /// The outbox file.
        path: PathBuf,
        /// The board that raised them.
        owner: String,
        /// How many there are.
        undelivered: u64,
    },
    /// The message does not fit a frame.
    #[error("cannot encode record {seq}: {reason}")]
    Encode {
        /// Its sequence number.
        seq: u64,
        /// The encoder's reason.
        reason: String,
    },
    /// No random numbers for the boot id.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// An injected or simulated failure.
    #[error("{0}")]
    Other(String),
}

fn remedy(source: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly};
    match source.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => {
            "; another watchpostd uses it: stop that one or set another outbox.path"
        }
        Some(DiskFull) => "; free space on that disk",
        Some(ReadOnly | CannotOpen) => "; make the folder exist and writable",
        _ => "",
    }
}

/// Random part of a boot id.
pub(crate) fn random_u32() -> Result<u32, OutboxError> {
    getrandom::u32().map_err(|e| OutboxError::Random(e.to_string()))
}

pub(crate) fn encode_frame(seq: u64, message: &Message) -> Result<Vec<u8>, OutboxError> {
    let mut buf = [0; alarm_proto::MAX_FRAME_LEN];
    alarm_proto::encode(message, &mut buf)
        .map(|frame| frame.to_vec())
        .map_err(|e| OutboxError::Encode { seq, reason: e.to_string() })
}
