//! Alarms in the shape of Frigate's `reviews`, whose users have automations for it.

use std::collections::BTreeMap;

use alarm_proto::{Alarm, BootId, CameraId, EventKind, Severity, SiteId};
use serde::Serialize;

use super::{model_name, rounded};
use crate::evidence::{EventName, Part};

/// Cameras whose latest review is kept: more than a board has.
const MAX_KNOWN: usize = 32;

/// One change of a review.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewMessage {
    /// `new`, `update` or `end`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// As it was told last; as `after` for a new one.
    pub before: Review,
    /// As it is.
    pub after: Review,
}

/// One event of one camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Review {
    /// Unique among boards and boots.
    pub id: String,
    /// Its camera.
    pub camera: String,
    /// Seconds since 1970; absent while the board does not know the time.
    pub start_time: Option<f64>,
    /// Seconds since 1970, once it is over.
    pub end_time: Option<f64>,
    /// `alert` from the critical threshold on, else `detection`; it never falls.
    pub severity: &'static str,
    /// Its picture below the folder of evidence, where that is kept; the file comes a moment later.
    pub thumb_path: Option<String>,
    /// What it is made of.
    pub data: ReviewData,
    /// What Frigate does not know of.
    pub watchpost: Details,
}

/// What a review is made of. The detector does not say what it saw, only that it is unusual.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewData {
    /// The review's own id: there is one detection.
    pub detections: Vec<String>,
    /// `anomaly`.
    pub objects: Vec<&'static str>,
    /// None.
    pub sub_labels: Vec<String>,
    /// None: a zone is what the model sees, not where something is.
    pub zones: Vec<String>,
    /// None.
    pub audio: Vec<String>,
}

/// Our own part of a review.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Details {
    /// Site.
    pub site: String,
    /// Board.
    pub board: String,
    /// Smoothed score, 0 to 1.
    pub score: f64,
    /// Greatest one since the beginning, 0 to 1.
    pub peak: f64,
    /// Raise threshold in force, 0 to 1.
    pub threshold: f64,
    /// Number of the event on its camera.
    pub event: u32,
    /// Key of the record that says the same to the hub.
    pub record: String,
    /// First bytes of the bundle's id, hexadecimal.
    pub model: String,
}

/// Follows the events of all cameras.
#[derive(Debug, Clone)]
pub struct Reviews {
    site: SiteId,
    boot: BootId,
    /// Whether pictures of events are kept.
    keeps_evidence: bool,
    known: BTreeMap<CameraId, Review>,
}

impl Reviews {
    /// None yet. `boot` is the one of the durable store, also for records that only memory holds.
    #[must_use]
    pub fn new(site: SiteId, boot: BootId, keeps_evidence: bool) -> Self {
        Self { site, boot, keeps_evidence, known: BTreeMap::new() }
    }

    /// What an alarm changes; `None` for a drill, which is no event.
    pub fn follow(&mut self, alarm: &Alarm) -> Option<ReviewMessage> {
        let kind = match alarm.kind {
            EventKind::Raised => "new",
            EventKind::Updated => "update",
            EventKind::Cleared => "end",
            EventKind::Drill => return None,
        };
        let id = format!("{}-{}-{}-{}", alarm.id.board, self.boot, alarm.camera, alarm.event);
        let before = self.known.remove(&alarm.camera).filter(|known| known.id == id);
        let after = self.review(alarm, id, before.as_ref());
        if alarm.kind != EventKind::Cleared && self.known.len() < MAX_KNOWN {
            self.known.insert(alarm.camera.clone(), after.clone());
        }
        Some(ReviewMessage { kind, before: before.unwrap_or_else(|| after.clone()), after })
    }

    /// Evidence bears the name of the record that raised the alarm, which later ones do not know.
    fn thumb_path(&self, alarm: &Alarm) -> Option<String> {
        let is_known = self.keeps_evidence && alarm.kind == EventKind::Raised;
        is_known.then(|| {
            let file = EventName::new(&alarm.camera, &alarm.id).file(Part::Snapshot);
            format!("{}/{file}", alarm.camera)
        })
    }

    fn review(&self, alarm: &Alarm, id: String, before: Option<&Review>) -> Review {
        let lasted_ms = alarm.media_ms.saturating_sub(alarm.onset_media_ms);
        let start_ms = alarm.wall_clock_ms.map(|wall_ms| wall_ms.saturating_sub(lasted_ms));
        let end_ms = alarm.wall_clock_ms.filter(|_| alarm.kind == EventKind::Cleared);
        let was_alert = before.is_some_and(|review| review.severity == "alert");
        let is_alert = was_alert || alarm.severity == Severity::Critical;
        Review {
            camera: alarm.camera.to_string(),
            start_time: before.and_then(|review| review.start_time).or(start_ms.map(seconds)),
            end_time: end_ms.map(seconds),
            severity: if is_alert { "alert" } else { "detection" },
            thumb_path: before.map_or_else(|| self.thumb_path(alarm), |review| review.thumb_path.clone()),
            data: ReviewData {
                detections: vec![id.clone()],
                objects: vec!["anomaly"],
                sub_labels: Vec::new(),
                zones: Vec::new(),
                audio: Vec::new(),
            },
            watchpost: Details {
                site: self.site.to_string(),
                board: alarm.id.board.to_string(),
                score: rounded(alarm.score),
                peak: rounded(alarm.peak),
                threshold: rounded(alarm.threshold),
                event: alarm.event,
                record: alarm.id.to_string(),
                model: model_name(alarm.model),
            },
            id,
        }
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm_proto::{BoardId, RecordId};

    const BOOT: BootId = BootId { counter: 7, random: 0x1234_5678 };

    fn alarm(kind: EventKind, event: u32, severity: Severity, wall_clock_ms: Option<u64>) -> Alarm {
        Alarm {
            id: RecordId { board: BoardId::try_from("gate-2").unwrap(), boot: BOOT, seq: 42 },
            camera: CameraId::try_from("north").unwrap(),
            kind,
            event,
            severity,
            wall_clock_ms,
            uptime_ms: 0,
            onset_media_ms: 1_000,
            media_ms: 2_500,
            score: 0.7,
            peak: 0.8,
            threshold: 0.5,
            model: [0xAB; 8],
        }
    }

    fn reviews() -> Reviews {
        Reviews::new(SiteId::try_from("yard").unwrap(), BOOT, true)
    }

    #[test]
    fn an_event_is_new_then_updated_then_over() {
        let mut reviews = reviews();
        let new = reviews.follow(&alarm(EventKind::Raised, 3, Severity::Warning, Some(10_000))).unwrap();
        assert_eq!((new.kind, new.after.severity), ("new", "detection"));
        assert_eq!(new.before, new.after);
        assert_eq!(new.after.thumb_path.as_deref(), Some("north/7-12345678-42.jpg"));
        assert_eq!((new.after.start_time, new.after.end_time), (Some(8.5), None));
        let update = reviews.follow(&alarm(EventKind::Updated, 3, Severity::Critical, Some(15_000))).unwrap();
        assert_eq!(
            (update.kind, update.before.severity, update.after.severity),
            ("update", "detection", "alert")
        );
        assert_eq!(update.before, new.after);
        assert_eq!(update.after.thumb_path, new.after.thumb_path, "the record's own name is another");
        let end = reviews.follow(&alarm(EventKind::Cleared, 3, Severity::Notice, Some(20_000))).unwrap();
        assert_eq!((end.kind, end.after.severity), ("end", "alert"), "what was an alert stays one");
        assert_eq!((end.after.start_time, end.after.end_time), (Some(8.5), Some(20.0)));
        assert_eq!([&new.after.id, &update.after.id], [&end.after.id, &end.after.id]);
        assert!(reviews.known.is_empty());
    }

    #[test]
    fn without_a_clock_there_is_no_time_and_a_drill_is_no_review() {
        let mut reviews = reviews();
        let new = reviews.follow(&alarm(EventKind::Raised, 1, Severity::Warning, None)).unwrap();
        assert_eq!((new.after.start_time, new.after.end_time), (None, None));
        assert_eq!(reviews.follow(&alarm(EventKind::Drill, 0, Severity::Notice, None)), None);
    }

    #[test]
    fn another_event_of_a_camera_has_nothing_before_it() {
        let mut reviews = reviews();
        reviews.follow(&alarm(EventKind::Raised, 1, Severity::Critical, Some(10_000)));
        let next = reviews.follow(&alarm(EventKind::Raised, 2, Severity::Warning, Some(20_000))).unwrap();
        assert_eq!(next.before, next.after);
        assert_eq!(next.after.severity, "detection");
    }
}
