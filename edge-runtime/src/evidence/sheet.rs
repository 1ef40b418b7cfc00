//! What is known of an event, as it is stored beside its picture and its video: one JSON file.

use serde::{Deserialize, Serialize};

use super::Announced;
use super::name::{EventName, Part};

/// Most scores of one event; a longer one keeps its first.
const MAX_SCORES: usize = 4_096;

/// See the module's documentation. Media times are in milliseconds since the camera's stream began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// The record that raised the alarm, `<board>/<boot>/<seq>`.
    pub record: String,
    /// Which camera saw it.
    pub camera: String,
    /// Number of the event on its camera.
    pub event: u32,
    /// `warning` or `critical`, the latest.
    pub severity: String,
    /// Which model raised it.
    pub model: String,
    /// Unix time at which it was raised, milliseconds; `null` while the board's clock was not valid.
    pub wall_clock_ms: Option<u64>,
    /// When the event began.
    pub onset_media_ms: u64,
    /// When it was raised.
    pub raised_media_ms: u64,
    /// When it was cleared; `null` before.
    pub cleared_media_ms: Option<u64>,
    /// Greatest smoothed score, 0 to 1.
    pub peak: f32,
    /// Smoothed score from which on an alarm is raised, 0 to 1.
    pub raise_threshold: f32,
    /// Smoothed scores from before the alarm until the event is complete.
    pub scores: Vec<ScorePoint>,
    /// Name of the picture's file.
    pub snapshot: Option<String>,
    /// The video.
    pub clip: Option<ClipSheet>,
    /// Whether nothing will be added any more. One that stays `false` ended with the board's power.
    pub is_complete: bool,
    /// How long the board had kept evidence when it was raised, hours: the age of evidence counts from here, whatever clocks say.
    pub kept_for_h: u64,
}

/// A smoothed score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScorePoint {
    /// End of its clip.
    pub media_ms: u64,
    /// 0 to 1.
    pub score: f32,
}

/// What is known of the video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipSheet {
    /// Name of its file.
    pub file: String,
    /// Media time of its first picture.
    pub begin_media_ms: u64,
    /// Media time of its end, so far.
    pub end_media_ms: u64,
    /// Width of its pictures, pixels.
    pub width_px: u32,
    /// Height of its pictures, pixels.
    pub height_px: u32,
    /// Pictures that it lacks because the board was too slow to encode them.
    pub missed_frames: u64,
    /// The disk refused a part of it: it ends there.
    pub is_cut: bool,
}

/// What is the same for all events of a camera.
#[derive(Debug, Clone)]
pub struct About {
    /// Name of the board.
    pub board: String,
    /// Which model looks.
    pub model: String,
    /// Where the model's attention lies, if it has one, and the size of the encoder's pictures.
    pub attention: Option<(vad_core::AttentionSpec, [u16; 2])>,
}

impl Sheet {
    /// Of an alarm that was just raised.
    pub(super) fn raised(name: &EventName, announced: &Announced, about: &About) -> Self {
        let Announced { edge, record, wall_ms, thresholds } = announced;
        Self {
            record: record.to_string(),
            camera: name.camera.as_str().to_owned(),
            event: edge.event,
            severity: announced.severity().to_owned(),
            model: about.model.clone(),
            wall_clock_ms: *wall_ms,
            onset_media_ms: edge.onset.0,
            raised_media_ms: edge.at.0,
            cleared_media_ms: None,
            peak: edge.peak,
            raise_threshold: thresholds.raise,
            scores: Vec::new(),
            snapshot: None,
            clip: None,
            is_complete: false,
            kept_for_h: 0,
        }
    }

    /// Takes a score.
    pub(super) fn score(&mut self, point: ScorePoint) {
        if self.scores.len() < MAX_SCORES {
            self.scores.push(point);
        }
    }

    /// Takes a later edge of the event.
    pub(super) fn edge(&mut self, announced: &Announced) {
        let edge = &announced.edge;
        self.peak = self.peak.max(edge.peak);
        if edge.kind == vad_core::EdgeKind::Cleared {
            self.cleared_media_ms = Some(edge.at.0);
        } else {
            announced.severity().clone_into(&mut self.severity);
        }
    }

    /// The picture was stored.
    pub(super) fn drawn(&mut self, name: &EventName) {
        self.snapshot = Some(name.file(Part::Snapshot));
    }

    /// The file's content.
    pub(super) fn json(&self) -> Vec<u8> {
        // Numbers, strings and lists of them: nothing that JSON cannot say.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}
