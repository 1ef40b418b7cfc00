//! The board as it is now.

use std::collections::BTreeMap;

use alarm_proto::{BoardId, BootId, SiteId};
use serde::Serialize;

use super::{model_name, rounded};
use crate::health::{CameraHealth, CameraState, Health};

/// Most reasons that are told, and the longest of them in characters: the message stays bounded.
const MAX_REASONS: usize = 32;
const MAX_REASON_CHARS: usize = 200;

/// The whole board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateTold {
    /// Site.
    pub site: String,
    /// Board.
    pub board: String,
    /// Version of `watchpostd`.
    pub version: &'static str,
    /// First bytes of the bundle's id, hexadecimal.
    pub model: String,
    /// Opening of the durable store.
    pub boot: String,
    /// Monotonic time, seconds.
    pub uptime_s: u64,
    /// What is wrong; empty when nothing is.
    pub degraded: Vec<String>,
    /// Records that wait for the hub's Ack.
    pub outbox_depth: u64,
    /// Who may command, if anybody may.
    pub commands: Option<CommandsTold>,
    /// By name.
    pub cameras: BTreeMap<String, CameraTold>,
}

/// Who may command, and how long it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CommandsTold {
    /// `broker` or `key`.
    pub trust: &'static str,
    /// `restart`: the board is armed as configured then.
    pub hold_until: &'static str,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraTold {
    /// `starting`, `live`, `fault`, `ended` or `failed`.
    pub state: &'static str,
    /// `dark`, `covered`, `frozen`, `switched` or `moved`.
    pub picture_fault: Option<String>,
    /// Whether it may alarm; absent before its first picture.
    pub armed: Option<bool>,
    /// What keeps it from alarming.
    pub disarmed_by: Vec<&'static str>,
    /// The event that goes on.
    pub event: Option<EventTold>,
    /// Latest smoothed score, 0 to 1.
    pub score: Option<f64>,
    /// In force, 0 to 1; absent before its first picture.
    pub raise_threshold: Option<f64>,
    /// In force, 0 to 1; absent before its first picture.
    pub clear_threshold: Option<f64>,
}

/// An event that goes on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventTold {
    /// Its number on its camera.
    pub number: u32,
    /// Greatest smoothed score since it began, 0 to 1.
    pub peak: f64,
}

impl StateTold {
    /// The board as it is.
    #[must_use]
    pub fn of(
        (site, board, model): (&SiteId, &BoardId, [u8; 8]),
        boot: BootId,
        health: &Health,
        commands: Option<CommandsTold>,
        outbox_depth: u64,
        now_ms: u64,
    ) -> Self {
        let short = |reason: String| reason.chars().take(MAX_REASON_CHARS).collect();
        Self {
            site: site.to_string(),
            board: board.to_string(),
            version: env!("CARGO_PKG_VERSION"),
            model: model_name(model),
            boot: boot.to_string(),
            uptime_s: now_ms / 1_000,
            degraded: health.degraded().into_iter().take(MAX_REASONS).map(short).collect(),
            outbox_depth,
            commands,
            cameras: health.cameras().iter().map(|c| (c.id.to_string(), CameraTold::of(c))).collect(),
        }
    }

    /// The same without what changes all the time: two that differ in this way are news.
    #[must_use]
    pub fn essence(&self) -> Self {
        let mut essence = Self { uptime_s: 0, ..self.clone() };
        for camera in essence.cameras.values_mut() {
            camera.score = None;
            if let Some(event) = &mut camera.event {
                event.peak = 0.0;
            }
        }
        essence
    }
}

impl CameraTold {
    fn of(camera: &CameraHealth) -> Self {
        let standing = camera.standing();
        Self {
            state: match camera.state() {
                CameraState::Starting => "starting",
                CameraState::Live => "live",
                CameraState::Fault => "fault",
                CameraState::Ended => "ended",
                CameraState::Failed => "failed",
            },
            picture_fault: camera.picture_fault().map(|fault| fault.to_string()),
            armed: standing.hindrances.map(|hindrances| hindrances.is_armed()),
            disarmed_by: standing.hindrances.map_or_else(Vec::new, |hindrances| hindrances.names()),
            event: standing.event.map(|event| EventTold { number: event.number, peak: rounded(event.peak) }),
            score: standing.score.map(rounded),
            raise_threshold: standing.thresholds.map(|thresholds| rounded(thresholds.raise)),
            clear_threshold: standing.thresholds.map(|thresholds| rounded(thresholds.clear)),
        }
    }
}
