//! What board and hub tell each other.

use core::fmt;

use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::name::{BoardId, CameraId};

/// One opening of a board's store of records: one start of its daemon, or the store in memory that it
/// falls back to while its disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, MaxSize)]
pub struct BootId {
    /// Durable count of openings.
    pub counter: u32,
    /// Drawn at the opening: tells apart stores that were lost, copied or restored.
    pub random: u32,
}

/// Key of a record, unique for ever. The hub deduplicates by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, MaxSize)]
pub struct RecordId {
    /// Board that wrote the record.
    pub board: BoardId,
    /// Opening of its store in which it did.
    pub boot: BootId,
    /// Number given by the store that holds the record, from 1, never used twice.
    pub seq: u64,
}

/// What an alarm says about its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It began.
    Raised,
    /// It goes on.
    Updated,
    /// It is over.
    Cleared,
    /// No event: an operator tests the way to the hub.
    Drill,
}

/// How urgent an alarm is; set per camera on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, MaxSize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Look when there is time.
    Notice,
    /// Look soon.
    Warning,
    /// Look now.
    Critical,
}

/// One edge of one event: a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, MaxSize)]
pub struct Alarm {
    /// Key of the record.
    pub id: RecordId,
    /// Camera that saw it.
    pub camera: CameraId,
    /// What happened to the event.
    pub kind: EventKind,
    /// Number of the event on its camera in this boot, from 1; 0 for a drill.
    pub event: u32,
    /// How urgent it is.
    pub severity: Severity,
    /// Unix time in ms at which the record was written; nothing while the clock is not valid.
    pub wall_clock_ms: Option<u64>,
    /// Monotonic time since the board's boot at which the record was written, in ms.
    pub uptime_ms: u64,
    /// Media time at which the event began, in ms.
    pub onset_media_ms: u64,
    /// Media time of this edge, in ms.
    pub media_ms: u64,
    /// Smoothed score at this edge, 0 to 1; finite.
    pub score: f32,
    /// Greatest smoothed score since the onset, 0 to 1; finite.
    pub peak: f32,
    /// Raise threshold in force, 0 to 1; finite.
    pub threshold: f32,
    /// First bytes of the bundle's id.
    pub model: [u8; 8],
}

/// Sign of progress, sent every few seconds and never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub struct Heartbeat {
    /// Board that sends it.
    pub board: BoardId,
    /// Opening of its durable store.
    pub boot: BootId,
    /// Monotonic time since the board's boot, in ms.
    pub uptime_ms: u64,
    /// Age of the latest frame, in ms; nothing before the first.
    pub last_frame_age_ms: Option<u32>,
    /// Age of the latest score, in ms; nothing before the first.
    pub last_score_age_ms: Option<u32>,
    /// Records that wait for an acknowledgement.
    pub outbox_depth: u32,
    /// Latest number given to a record; 0 before the first.
    pub last_seq: u64,
    /// First bytes of the bundle's id.
    pub model: [u8; 8],
}

/// The hub has committed one record. Only this lets the board drop it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub struct Ack {
    /// Board that wrote the record.
    pub board: BoardId,
    /// Boot of the record.
    pub boot: BootId,
    /// Number of the record, from 1.
    pub seq: u64,
}

/// The outbox was full and records were dropped: itself a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub struct Gap {
    /// Key of this record.
    pub id: RecordId,
    /// Least number among those dropped, from 1.
    pub first_seq: u64,
    /// Greatest number among those dropped.
    pub last_seq: u64,
    /// Records dropped, 1 to `last_seq - first_seq + 1`.
    pub dropped: u64,
}

/// What keeps a camera from being watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// No pictures come: the camera is unplugged, stalled, or what it sends cannot be read.
    NoPicture,
    /// It is too dark to see by.
    Dark,
    /// Something covers the lens.
    Covered,
    /// The same picture comes again and again.
    Frozen,
    /// The camera looks elsewhere than it did.
    Moved,
    /// The camera has just switched between day and night, and settles.
    Switched,
}

/// Which end of a fault a record reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultEdge {
    /// It began.
    Began,
    /// It is over.
    Ended,
}

/// A camera cannot be watched, or can again: a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, MaxSize)]
pub struct Fault {
    /// Key of this record.
    pub id: RecordId,
    /// The camera.
    pub camera: CameraId,
    /// What is wrong with it.
    pub kind: FaultKind,
    /// Whether that began or is over.
    pub edge: FaultEdge,
    /// Unix time in ms at which the record was written; nothing while the clock is not valid.
    pub wall_clock_ms: Option<u64>,
    /// Monotonic time since the board's boot at which the fault began, in ms.
    pub began_uptime_ms: u64,
    /// Monotonic time since the board's boot at which the record was written, in ms; at least `began_uptime_ms`.
    pub uptime_ms: u64,
}

/// Anything that travels in a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Board to hub, a record.
    Alarm(Alarm),
    /// Board to hub.
    Heartbeat(Heartbeat),
    /// Hub to board.
    Ack(Ack),
    /// Board to hub, a record.
    Gap(Gap),
    /// Board to hub, a record.
    Fault(Fault),
}

/// A field whose value breaks the message's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field} must be {rule}")]
pub struct InvalidField {
    /// Full name of the field, such as `alarm.score`.
    pub field: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

impl fmt::Display for BootId {
    /// `<counter>-<random as 8 hexadecimal digits>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.counter, self.random)
    }
}

impl fmt::Display for RecordId {
    /// `<board>/<boot>/<seq>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.board, self.boot, self.seq)
    }
}

impl Ack {
    /// The acknowledgement of one record.
    #[must_use]
    pub fn of(record: &RecordId) -> Self {
        Self { board: record.board.clone(), boot: record.boot, seq: record.seq }
    }

    /// Key of the record that it acknowledges.
    #[must_use]
    pub fn record(&self) -> RecordId {
        RecordId { board: self.board.clone(), boot: self.boot, seq: self.seq }
    }
}

impl Message {
    /// Key of the record, if the message is one.
    #[must_use]
    pub fn record(&self) -> Option<&RecordId> {
        match self {
            Self::Alarm(alarm) => Some(&alarm.id),
            Self::Gap(gap) => Some(&gap.id),
            Self::Fault(fault) => Some(&fault.id),
            Self::Heartbeat(_) | Self::Ack(_) => None,
        }
    }

    /// Board that the message comes from or, for an [`Ack`], goes to.
    #[must_use]
    pub fn board(&self) -> &BoardId {
        match self {
            Self::Alarm(alarm) => &alarm.id.board,
            Self::Gap(gap) => &gap.id.board,
            Self::Fault(fault) => &fault.id.board,
            Self::Heartbeat(heartbeat) => &heartbeat.board,
            Self::Ack(ack) => &ack.board,
        }
    }

    /// Checks the rules that the types do not express.
    ///
    /// # Errors
    ///
    /// The first field that breaks its rule: numbers of records count from 1, scores are finite,
    /// a gap's count fits its range, a fault is reported after it began.
    pub fn validate(&self) -> Result<(), InvalidField> {
        match self {
            Self::Alarm(alarm) => alarm.validate(),
            Self::Gap(gap) => gap.validate(),
            Self::Fault(fault) => fault.validate(),
            Self::Ack(ack) => check(ack.seq >= 1, "ack.seq", "at least 1"),
            Self::Heartbeat(_) => Ok(()),
        }
    }
}

impl Alarm {
    fn validate(&self) -> Result<(), InvalidField> {
        check(self.id.seq >= 1, "alarm.id.seq", "at least 1")?;
        check(self.score.is_finite(), "alarm.score", "finite")?;
        check(self.peak.is_finite(), "alarm.peak", "finite")?;
        check(self.threshold.is_finite(), "alarm.threshold", "finite")
    }
}

impl Gap {
    fn validate(&self) -> Result<(), InvalidField> {
        check(self.id.seq >= 1, "gap.id.seq", "at least 1")?;
        check(self.first_seq >= 1, "gap.first_seq", "at least 1")?;
        check(self.first_seq <= self.last_seq, "gap.last_seq", "at least gap.first_seq")?;
        // No overflow: `first_seq` is at least 1.
        let most = self.last_seq - self.first_seq + 1;
        check((1..=most).contains(&self.dropped), "gap.dropped", "1 to the numbers in its range")
    }
}

impl Fault {
    fn validate(&self) -> Result<(), InvalidField> {
        check(self.id.seq >= 1, "fault.id.seq", "at least 1")?;
        check(self.began_uptime_ms <= self.uptime_ms, "fault.uptime_ms", "at least fault.began_uptime_ms")
    }
}

fn check(holds: bool, field: &'static str, rule: &'static str) -> Result<(), InvalidField> {
    if holds { Ok(()) } else { Err(InvalidField { field, rule }) }
}
