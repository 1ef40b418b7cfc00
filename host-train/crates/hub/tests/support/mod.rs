//! Shared by the hub's integration tests: records, a clock in hand, a store that fails on command, a board.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod board;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use alarm_proto::{
    Alarm, BootId, EventKind, Fault, FaultEdge, FaultKind, Gap, Heartbeat, MAX_FRAME_LEN, Message, RecordId,
    Severity,
};
use hub::boards::BoardChange;
use hub::clock::Clock;
use hub::ingest::{RawMessage, Received, Record};
use hub::report::Reporter;
use hub::store::{AlarmStore, Outcome, Store, StoreError};

pub const PREFIX: &str = "watchpost";
pub fn prefix() -> alarm_proto::topics::Prefix {
    PREFIX.try_into().unwrap()
}

pub const SITE: &str = "yard";

pub fn record_id(board: &str, counter: u32, seq: u64) -> RecordId {
    RecordId { board: board.try_into().unwrap(), boot: BootId { counter, random: 0xfeed }, seq }
}

pub fn alarm(board: &str, counter: u32, seq: u64) -> Alarm {
    Alarm {
        id: record_id(board, counter, seq),
        camera: "gate".try_into().unwrap(),
        kind: EventKind::Raised,
        event: 1,
        severity: Severity::Warning,
        wall_clock_ms: Some(1_780_000_000_000),
        uptime_ms: 1_000 * (seq % 1_000_000),
        onset_media_ms: 500,
        media_ms: 1_500,
        score: 0.75,
        peak: 0.875,
        threshold: 0.5,
        model: [1, 2, 3, 4, 5, 6, 7, 8],
    }
}

pub fn gap(board: &str, counter: u32, seq: u64) -> Gap {
    Gap { id: record_id(board, counter, seq), first_seq: 3, last_seq: 9, dropped: 7 }
}

pub fn fault(board: &str, counter: u32, seq: u64, edge: FaultEdge) -> Fault {
    Fault {
        id: record_id(board, counter, seq),
        camera: "gate".try_into().unwrap(),
        kind: FaultKind::NoPicture,
        edge,
        wall_clock_ms: None,
        began_uptime_ms: 1_000,
        uptime_ms: 3_500,
    }
}

pub fn heartbeat(board: &str, counter: u32, uptime_ms: u64) -> Heartbeat {
    Heartbeat {
        board: board.try_into().unwrap(),
        boot: BootId { counter, random: 0xfeed },
        uptime_ms,
        last_frame_age_ms: Some(40),
        last_score_age_ms: Some(400),
        outbox_depth: 0,
        last_seq: 0,
        model: [0; 8],
    }
}

pub fn frame(message: &Message) -> Vec<u8> {
    let mut buffer = [0; MAX_FRAME_LEN];
    alarm_proto::encode(message, &mut buffer).unwrap().to_vec()
}

pub fn received(record: Record) -> Received {
    let message = match &record {
        Record::Alarm(alarm) => Message::Alarm(alarm.clone()),
        Record::Gap(gap) => Message::Gap(gap.clone()),
        Record::Fault(fault) => Message::Fault(fault.clone()),
    };
    Received {
        site: SITE.try_into().unwrap(),
        frame: frame(&message),
        record,
        received_unix_ms: 1_780_000_000_123,
    }
}

pub fn alarm_message(alarm: &Alarm) -> RawMessage {
    raw(
        &format!("{PREFIX}/{SITE}/{}/alarm/bin", alarm.id.board.as_str()),
        frame(&Message::Alarm(alarm.clone())),
    )
}

pub fn heartbeat_message(heartbeat: &Heartbeat) -> RawMessage {
    raw(
        &format!("{PREFIX}/{SITE}/{}/heartbeat/bin", heartbeat.board.as_str()),
        frame(&Message::Heartbeat(heartbeat.clone())),
    )
}

pub fn raw(topic: &str, payload: Vec<u8>) -> RawMessage {
    RawMessage { topic: topic.as_bytes().to_vec(), payload }
}

/// A clock that stands still until it is moved.
#[derive(Clone, Default)]
pub struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn unix_ms(&self) -> i64 {
        1_780_000_000_000
    }
}

/// Keeps what the hub tells.
#[derive(Default)]
pub struct Heard {
    pub stored: Vec<(i64, Received)>,
    pub boards: Vec<BoardChange>,
    pub notices: Vec<String>,
}

impl Reporter for Heard {
    fn stored(&mut self, id: i64, received: &Received) {
        self.stored.push((id, received.clone()));
    }

    fn board(&mut self, change: &BoardChange) {
        self.boards.push(change.clone());
    }

    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }
}

/// A real store whose commits fail while the switch is on.
pub struct FailingStore {
    pub store: Store,
    pub fails: Arc<AtomicBool>,
}

impl AlarmStore for FailingStore {
    fn commit(&mut self, batch: &[Received]) -> Result<Vec<Outcome>, StoreError> {
        match self.fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Failed {
                path: "test".into(),
                what: "storing alarms",
                reason: "EIO".to_owned(),
            }),
            false => self.store.commit(batch),
        }
    }

    fn remember_board(&mut self, board: &str, site: &str, unix_ms: i64) -> Result<(), StoreError> {
        self.store.remember_board(board, site, unix_ms)
    }

    fn boards(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.store.boards()
    }
}
