//! Which records are on their way to the hub, and which go next. Pure: time and records come in as arguments.
//!
//! # Terms
//! - **fresh lane**: records raised since the connection came up, and the last few before it, oldest first.
//! - **backlog lane**: everything older, oldest first. It may fill at most three quarters of the window, so a fresh
//!   alarm never waits for it.
//! - **due**: never sent, or sent without an Ack for as long as its back-off says.

use std::collections::BTreeMap;

use alarm_proto::BootId;

use crate::desk::Shelf;
use crate::outbox::{OutboxError, StoredRecord};

/// Records from just before the connection that still count as fresh.
const FRESH_AT_CONNECT: u64 = 32;
/// The wait for an Ack doubles up to this many times the first wait.
const MAX_BACKOFF_FACTOR: u64 = 8;

/// A record's place: sequence numbers are unique within a shelf.
pub(super) type Key = (Shelf, u64);

/// Fetches records: shelf, after, up to, limit.
pub(super) type Fetch<'a> =
    &'a mut dyn FnMut(Shelf, u64, u64, usize) -> Result<Vec<StoredRecord>, OutboxError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Fresh,
    Backlog,
}

#[derive(Debug)]
struct InFlight {
    boot: BootId,
    bytes: Vec<u8>,
    lane: Lane,
    sent: bool,
    due_ms: u64,
    wait_ms: u64,
}

impl InFlight {
    /// Fresh first, then what was sent before, then the backlog.
    fn rank(&self) -> u8 {
        match (self.sent, self.lane) {
            (false, Lane::Fresh) => 0,
            (true, _) => 1,
            (false, Lane::Backlog) => 2,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SendWindow {
    limit: usize,
    resend_after_ms: u64,
    in_flight: BTreeMap<Key, InFlight>,
    fresh_after: BTreeMap<Shelf, u64>,
    backlog_after: u64,
    backlog_to: u64,
    last_ack_ms: u64,
}

impl SendWindow {
    pub(super) fn new(limit: usize, resend_after_ms: u64) -> Self {
        Self {
            limit,
            resend_after_ms,
            in_flight: BTreeMap::new(),
            fresh_after: BTreeMap::new(),
            backlog_after: 0,
            backlog_to: 0,
            last_ack_ms: 0,
        }
    }

    /// A connection came up: everything unacknowledged is sent again.
    pub(super) fn begin(&mut self, last_seq: u64, now_ms: u64) {
        let split = last_seq.saturating_sub(FRESH_AT_CONNECT);
        self.in_flight.clear();
        self.fresh_after = BTreeMap::from([(Shelf::Durable, split), (Shelf::Volatile, 0)]);
        self.backlog_after = 0;
        self.backlog_to = split;
        self.last_ack_ms = now_ms;
    }

    /// Takes records in, as far as the window has room.
    pub(super) fn fill(&mut self, now_ms: u64, fetch: Fetch<'_>) -> Result<(), OutboxError> {
        for shelf in [Shelf::Durable, Shelf::Volatile] {
            let after = self.fresh_after.get(&shelf).copied().unwrap_or(0);
            let room = self.limit.saturating_sub(self.in_flight.len());
            if room > 0 {
                let records = fetch(shelf, after, u64::MAX, room)?;
                if let Some(last) = records.last() {
                    self.fresh_after.insert(shelf, last.seq);
                }
                self.admit(shelf, Lane::Fresh, records, now_ms);
            }
        }
        self.fill_backlog(now_ms, fetch)
    }

    fn fill_backlog(&mut self, now_ms: u64, fetch: Fetch<'_>) -> Result<(), OutboxError> {
        let share = self.limit * 3 / 4;
        let held = self.in_flight.values().filter(|r| r.lane == Lane::Backlog).count();
        let room = share.saturating_sub(held).min(self.limit.saturating_sub(self.in_flight.len()));
        if room == 0 || self.backlog_after >= self.backlog_to {
            return Ok(());
        }
        let records = fetch(Shelf::Durable, self.backlog_after, self.backlog_to, room)?;
        self.backlog_after = match records.last() {
            Some(last) if records.len() == room => last.seq,
            _ => self.backlog_to,
        };
        self.admit(Shelf::Durable, Lane::Backlog, records, now_ms);
        Ok(())
    }

    fn admit(&mut self, shelf: Shelf, lane: Lane, records: Vec<StoredRecord>, now_ms: u64) {
        for StoredRecord { boot, seq, bytes } in records {
            let entry =
                InFlight { boot, bytes, lane, sent: false, due_ms: now_ms, wait_ms: self.resend_after_ms };
            self.in_flight.insert((shelf, seq), entry);
        }
    }

    /// What is to be sent now, most urgent first.
    pub(super) fn due(&self, now_ms: u64) -> Vec<Key> {
        let mut due: Vec<_> = self
            .in_flight
            .iter()
            .filter(|(_, r)| r.due_ms <= now_ms)
            .map(|(key, r)| (r.rank(), *key))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, key)| key).collect()
    }

    /// The frame of a record in flight.
    pub(super) fn frame(&self, key: Key) -> Option<&[u8]> {
        self.in_flight.get(&key).map(|r| r.bytes.as_slice())
    }

    /// A record was handed to the connection.
    pub(super) fn sent(&mut self, key: Key, now_ms: u64) {
        let most_ms = self.resend_after_ms.saturating_mul(MAX_BACKOFF_FACTOR);
        if let Some(record) = self.in_flight.get_mut(&key) {
            record.sent = true;
            record.due_ms = now_ms.saturating_add(record.wait_ms);
            record.wait_ms = record.wait_ms.saturating_mul(2).min(most_ms);
        }
    }

    /// The hub has committed a record; its frame, if it was in flight. The first Ack after a silence means that the hub
    /// is back: everything waiting is due at once.
    pub(super) fn acknowledged(&mut self, boot: BootId, seq: u64, now_ms: u64) -> Option<Vec<u8>> {
        let was_silent = now_ms.saturating_sub(self.last_ack_ms) > self.resend_after_ms;
        self.last_ack_ms = now_ms;
        if was_silent {
            for record in self.in_flight.values_mut().filter(|r| r.sent) {
                record.due_ms = now_ms;
                record.wait_ms = self.resend_after_ms;
            }
        }
        let key = [Shelf::Durable, Shelf::Volatile]
            .into_iter()
            .map(|shelf| (shelf, seq))
            .find(|key| self.in_flight.get(key).is_some_and(|r| r.boot == boot));
        self.in_flight.remove(&key?).map(|record| record.bytes)
    }

    /// When the next record falls due.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.in_flight.values().map(|r| r.due_ms).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOOT: BootId = BootId { counter: 1, random: 7 };

    fn record(seq: u64) -> StoredRecord {
        StoredRecord { boot: BOOT, seq, bytes: seq.to_le_bytes().to_vec() }
    }

    /// A store of the durable records `1..=last` that are not in `acked`.
    fn store(
        last: u64,
        acked: &[u64],
    ) -> impl FnMut(Shelf, u64, u64, usize) -> Result<Vec<StoredRecord>, OutboxError> {
        move |shelf, after, to, limit| {
            let wanted = (after + 1..=last.min(to)).filter(|s| shelf == Shelf::Durable && !acked.contains(s));
            Ok(wanted.take(limit).map(record).collect())
        }
    }

    fn seqs(keys: &[Key]) -> Vec<u64> {
        keys.iter().map(|(_, seq)| *seq).collect()
    }

    #[test]
    fn a_fresh_alarm_overtakes_the_backlog() {
        let mut window = SendWindow::new(16, 1_000);
        window.begin(1_000, 0);
        window.fill(0, &mut store(1_000, &[])).unwrap();
        let first = window.due(0);
        assert_eq!(seqs(&first)[..2], [969, 970], "the newest before the connection come first");
        for key in first {
            window.sent(key, 0);
            window.acknowledged(BOOT, key.1, 0);
        }
        let acked: Vec<u64> = (969..=984).collect();
        window.fill(0, &mut store(1_000, &acked)).unwrap();
        for key in window.due(0) {
            window.sent(key, 0);
            window.acknowledged(BOOT, key.1, 0);
        }
        let acked: Vec<u64> = (969..=1_000).collect();
        window.fill(0, &mut store(1_000, &acked)).unwrap();
        assert_eq!(window.due(0).len(), 12, "the backlog leaves a quarter of the window free");
        window.fill(1, &mut store(1_001, &acked)).unwrap();
        assert_eq!(seqs(&window.due(1))[0], 1_001);
    }

    #[test]
    fn waits_double_up_to_eight_times() {
        let mut window = SendWindow::new(4, 100);
        window.begin(0, 0);
        window.fill(0, &mut store(1, &[])).unwrap();
        let mut now_ms = 0;
        let mut waits_ms = Vec::new();
        for _ in 0..6 {
            window.sent((Shelf::Durable, 1), now_ms);
            let due_ms = window.next_due_ms().unwrap();
            waits_ms.push(due_ms - now_ms);
            now_ms = due_ms;
        }
        assert_eq!(waits_ms, [100, 200, 400, 800, 800, 800]);
    }

    #[test]
    fn the_first_ack_after_a_silence_makes_everything_due() {
        let mut window = SendWindow::new(8, 100);
        window.begin(0, 0);
        window.fill(0, &mut store(3, &[])).unwrap();
        for now_ms in [0, 100, 300] {
            for key in window.due(now_ms) {
                window.sent(key, now_ms);
            }
        }
        assert!(window.due(310).is_empty());
        assert_eq!(window.acknowledged(BOOT, 1, 310), Some(record(1).bytes));
        assert_eq!(seqs(&window.due(310)), [2, 3]);
    }

    #[test]
    fn an_ack_of_another_boot_removes_nothing() {
        let mut window = SendWindow::new(8, 100);
        window.begin(0, 0);
        window.fill(0, &mut store(1, &[])).unwrap();
        assert_eq!(window.acknowledged(BootId { counter: 1, random: 8 }, 1, 0), None);
        assert_eq!(seqs(&window.due(0)), [1]);
    }

    proptest! {
        /// Whatever is lost on the way: every record is delivered in the end, and the window stays bounded.
        #[test]
        fn every_record_is_delivered_in_the_end(
            stored in 0_u64..120, raised_later in 0_u64..40, limit in 4_usize..24, losses in prop::collection::vec(any::<bool>(), 1..64),
        ) {
            let mut window = SendWindow::new(limit, 10);
            let mut acked = Vec::new();
            let mut lost = losses.iter().cycle();
            window.begin(stored, 0);
            let all = stored + raised_later;
            let mut now_ms = 0;
            while acked.len() < usize::try_from(all).unwrap() {
                prop_assert!(now_ms < 1_000_000, "stuck with {} of {all}", acked.len());
                let last = if now_ms == 0 { stored } else { all };
                window.fill(now_ms, &mut store(last, &acked)).unwrap();
                prop_assert!(window.in_flight.len() <= limit);
                for key in window.due(now_ms) {
                    window.sent(key, now_ms);
                    // At least one copy in 64 comes through.
                    if !lost.next().copied().unwrap_or(false) || now_ms % 640 == 0 {
                        window.acknowledged(BOOT, key.1, now_ms);
                        acked.push(key.1);
                    }
                }
                acked.sort_unstable();
                acked.dedup();
                now_ms += 10;
            }
        }
    }
}
