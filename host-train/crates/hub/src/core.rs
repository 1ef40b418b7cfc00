//! The hub's decisions, without network, threads or a terminal.

use std::collections::BTreeSet;
use std::time::Duration;

use alarm_proto::topics::Prefix;
use alarm_proto::{Ack, EncodeError};

use crate::boards::Boards;
use crate::clock::Clock;
use crate::ingest::{self, Input, RawMessage, Received, Refusal};
use crate::link::AckMessage;
use crate::refusals::Refusals;
use crate::report::Reporter;
use crate::store::{AlarmStore, Outcome, StoreError};

/// A failing store is reported at most this often.
const STORE_NOTICE_INTERVAL: Duration = Duration::from_secs(5);

/// What the hub did since it started.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Records stored for the first time.
    pub stored: u64,
    /// Records that had been stored before.
    pub duplicates: u64,
    /// Records whose key belonged to another record.
    pub conflicts: u64,
    /// Heartbeats taken.
    pub heartbeats: u64,
    /// Batches that could not be committed, and so were not acknowledged.
    pub failed_commits: u64,
}

/// Store, supervision and reports, driven by batches of messages and by ticks.
pub struct Core<S, R> {
    store: S,
    reporter: R,
    clock: Box<dyn Clock>,
    prefix: Prefix,
    boards: Boards,
    refusals: Refusals,
    counters: Counters,
    store_notice_at: Option<Duration>,
}

impl<S: AlarmStore, R: Reporter> Core<S, R> {
    /// Starts supervising the boards that the store remembers.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn new(store: S, reporter: R, clock: Box<dyn Clock>, prefix: Prefix) -> Result<Self, StoreError> {
        let mut boards = Boards::default();
        let now = clock.monotonic();
        for (board, site) in store.boards()? {
            // Beyond the bound a remembered board is not supervised; it is again as soon as it speaks and there is room.
            drop(boards.expect(&site, &board, now));
        }
        Ok(Self {
            store,
            reporter,
            clock,
            prefix,
            boards,
            refusals: Refusals::default(),
            counters: Counters::default(),
            store_notice_at: None,
        })
    }

    /// Handles what has arrived. The acknowledgements returned are for records whose commit has succeeded, and no others.
    pub fn handle(&mut self, batch: &[RawMessage]) -> Vec<AckMessage> {
        let mut records = Vec::with_capacity(batch.len());
        let unix_ms = self.clock.unix_ms();
        for message in batch {
            if let Err(refusal) = self.take(message, unix_ms, &mut records) {
                self.refuse(message, &refusal);
            }
        }
        match records.is_empty() {
            true => Vec::new(),
            false => self.store(&records),
        }
    }

    /// Notices what only the passing of time changes.
    pub fn tick(&mut self) {
        for change in self.boards.tick(self.clock.monotonic()) {
            self.reporter.board(&change);
        }
    }

    /// Tells an operator something.
    pub fn notice(&mut self, text: &str) {
        self.reporter.notice(text);
    }

    /// What was done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What was refused so far.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Boards and their states.
    pub fn boards(&self) -> &Boards {
        &self.boards
    }

    /// The reporter, for tests.
    pub fn reporter(&self) -> &R {
        &self.reporter
    }

    /// The store, for tests.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    fn take(
        &mut self,
        message: &RawMessage,
        unix_ms: i64,
        records: &mut Vec<Received>,
    ) -> Result<(), Refusal> {
        match ingest::understand(message, &self.prefix, unix_ms)? {
            Input::Record(received) => records.push(received),
            Input::Heartbeat { site, heartbeat } => {
                let now = self.clock.monotonic();
                let board = heartbeat.board.as_str();
                let is_new = self.boards.state(board, now).is_none();
                let change = self.boards.heartbeat(site.as_str(), &heartbeat, now)?;
                self.counters.heartbeats += 1;
                if is_new {
                    self.remember(board, site.as_str(), unix_ms);
                }
                if let Some(change) = change {
                    self.reporter.board(&change);
                }
            }
        }
        Ok(())
    }

    fn store(&mut self, records: &[Received]) -> Vec<AckMessage> {
        let outcomes = match self.store.commit(records) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.commit_failed(&error);
                return Vec::new();
            }
        };
        self.store_notice_at = None;
        let mut acks = Vec::with_capacity(records.len());
        for (received, outcome) in records.iter().zip(outcomes) {
            self.count(received, outcome);
            match ack(&self.prefix, received) {
                Ok(ack) => acks.push(ack),
                Err(reason) => tracing::error!("cannot encode an acknowledgement: {reason}"),
            }
        }
        self.expect_boards_of(records);
        acks
    }

    fn count(&mut self, received: &Received, outcome: Outcome) {
        match outcome {
            Outcome::New(id) => {
                self.counters.stored += 1;
                self.reporter.stored(id, received);
            }
            Outcome::Duplicate => self.counters.duplicates += 1,
            Outcome::Conflict => {
                self.counters.conflicts += 1;
                let id = received.record.id();
                tracing::warn!(
                    "{}/{} reused sequence number {} of boot {}-{:08x} for another record; both are kept, see table conflicts",
                    received.site.as_str(),
                    id.board.as_str(),
                    id.seq,
                    id.boot.counter,
                    id.boot.random
                );
            }
        }
    }

    /// A board that sends alarms owes heartbeats too.
    fn expect_boards_of(&mut self, records: &[Received]) {
        let now = self.clock.monotonic();
        let boards: BTreeSet<(&str, &str)> = records
            .iter()
            .map(|received| (received.record.id().board.as_str(), received.site.as_str()))
            .collect();
        for (board, site) in boards {
            if matches!(self.boards.expect(site, board, now), Ok(true)) {
                self.remember(board, site, self.clock.unix_ms());
            }
        }
    }

    fn remember(&mut self, board: &str, site: &str, unix_ms: i64) {
        if let Err(error) = self.store.remember_board(board, site, unix_ms) {
            tracing::warn!("{error}; {board} is supervised until the hub stops");
        }
    }

    fn commit_failed(&mut self, error: &StoreError) {
        self.counters.failed_commits += 1;
        let now = self.clock.monotonic();
        if self.store_notice_at.is_some_and(|last| now.saturating_sub(last) < STORE_NOTICE_INTERVAL) {
            return;
        }
        self.store_notice_at = Some(now);
        self.reporter.notice(&format!(
            "DEGRADED: alarms are not stored and not acknowledged; boards keep them. {error}"
        ));
    }

    fn refuse(&mut self, message: &RawMessage, refusal: &Refusal) {
        if let Some(line) = self.refusals.note(message, refusal, self.clock.monotonic()) {
            tracing::warn!("{line}");
        }
    }
}

fn ack(prefix: &Prefix, received: &Received) -> Result<AckMessage, EncodeError> {
    let id = received.record.id();
    let ack = Ack { board: id.board.clone(), boot: id.boot, seq: id.seq };
    AckMessage::new(prefix, &received.site, &ack)
}
