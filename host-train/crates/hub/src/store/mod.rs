//! The durable part: every alarm once, in SQLite (WAL, synchronous FULL).
//!
//! The key `(board, boot_counter, boot_random, seq)` is a UNIQUE constraint of the table that holds the alarm, so that
//! the alarm and the memory of having it commit together. What [`Store::commit`] returned `Ok` for survives a power cut.

mod read;
mod schema;
mod write;

use std::path::PathBuf;

pub use read::{AlarmQuery, AlarmRow, FaultRow, GapRow, StoreReader, Verdict};
pub use write::Store;

use crate::ingest::Received;

/// What became of one record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now, under this row id.
    New(i64),
    /// Stored earlier, with the same content.
    Duplicate,
    /// Another record was stored earlier under the same key; this one is kept beside it, as evidence of a faulty board.
    Conflict,
}

/// A store that the hub can write to; the seam for fault injection.
pub trait AlarmStore {
    /// Stores a batch in one transaction. `Ok` means: durable, one outcome for each record in order.
    ///
    /// # Errors
    /// Nothing of the batch is stored then, and nothing of it may be acknowledged.
    fn commit(&mut self, batch: &[Received]) -> Result<Vec<Outcome>, StoreError>;

    /// Remembers that a board exists, so that its absence is noticed after a restart of the hub.
    ///
    /// # Errors
    /// The board is unknown after a restart then, until it speaks again.
    fn remember_board(&mut self, board: &str, site: &str, unix_ms: i64) -> Result<(), StoreError>;

    /// The boards remembered: `(board, site)`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn boards(&self) -> Result<Vec<(String, String)>, StoreError>;
}

/// What can be wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error("{}: cannot open the alarm store: {reason}. Check that the folder exists and may be written to", path.display())]
    Open {
        /// The store's file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// It does not exist, and reading does not create it.
    #[error("{}: there is no alarm store here. Start the hub once to create it, or name another with --store", path.display())]
    Missing {
        /// The store's file.
        path: PathBuf,
    },
    /// Another hub writes to it.
    #[error("{}: another hub is running on this store. Stop it, or name another store with --store", path.display())]
    Locked {
        /// The store's file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{}: this file is not an alarm store. It was left as it is; name another with --store", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer hub wrote it.
    #[error("{}: the store has format {found}, this program knows formats up to {known}. Update this program", path.display())]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// Format found.
        found: i64,
        /// Newest format known.
        known: i64,
    },
    /// An older hub wrote it, and reading does not change it.
    #[error("{}: the store has format {found}, this program reads format {known}. Start the hub once to bring it up to date", path.display())]
    Older {
        /// The store's file.
        path: PathBuf,
        /// Format found.
        found: i64,
        /// Format read.
        known: i64,
    },
    /// An operation failed.
    #[error("{}: {what} failed: {reason}. Check free space and the disk's health", path.display())]
    Failed {
        /// The store's file.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// SQLite's reason.
        reason: String,
    },
    /// No alarm has this id.
    #[error("{}: no alarm has the id {id}. `alarms` lists the ids", path.display())]
    NoSuchAlarm {
        /// The store's file.
        path: PathBuf,
        /// The id asked for.
        id: i64,
    },
}
