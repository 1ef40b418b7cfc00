use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;

use super::*;
use crate::pipeline::Thresholds;
use alarm_proto::{BoardId, BootId};
use vad_core::{EdgeKind, MediaTimeMs};

const FRAME_MS: u64 = 100;

/// A recording whose jobs are kept.
struct Rig {
    recording: Recording,
    jobs: Receiver<Job>,
    health: Arc<Health>,
    now: u64,
    begun: RefCell<BTreeSet<EventName>>,
}

impl Rig {
    fn new(pre_roll_ms: u64, post_roll_ms: u64, max_clip_ms: u64) -> Self {
        let config = EvidenceConfig {
            folder: "e".into(),
            max_bytes: 0,
            max_age_days: 0,
            min_free_bytes: 0,
            pre_roll_ms,
            post_roll_ms,
            max_clip_ms,
        };
        let about = About { board: "gate-1".to_owned(), model: "m".to_owned(), attention: None };
        let (sender, jobs) = sync_channel(1_000);
        let health = Arc::new(Health::default());
        let recording = Recording::new(camera(), about, &config, sender, Arc::clone(&health));
        Self { recording, jobs, health, now: 0, begun: RefCell::default() }
    }

    fn pictures(&mut self, count: u64, side: u32) {
        for _ in 0..count {
            let value = (self.now / FRAME_MS) as u8;
            let stamp = Stamp { start: MediaTimeMs(self.now), end: MediaTimeMs(self.now + FRAME_MS) };
            self.now += FRAME_MS;
            let picture = Picture::from_pixel(side, side, [value, 90, 40].into());
            self.recording.take(Message::Picture(picture, stamp), 0);
        }
    }

    fn score(&mut self, score: f32, is_peak: bool) {
        let peak = is_peak.then_some(Peak { score, attention: None });
        self.recording.take(Message::Score(ScorePoint { media_ms: self.now, score }, peak), 0);
    }

    fn edge(&mut self, kind: EdgeKind, event: u32) {
        let at = MediaTimeMs(self.now);
        let edge = AlarmEdge { kind, event, onset: at, at, score: 0.8, peak: 0.8 };
        let boot = BootId { counter: 1, random: 1 };
        let record = RecordId { board: BoardId::try_from("gate-1").unwrap(), boot, seq: event.into() };
        let thresholds = Thresholds { raise: 0.5, critical: 0.75 };
        self.recording.take(Message::Edge(Announced { edge, record, wall_ms: None, thresholds }), 0);
    }

    /// The latest sheet of each event, and how many pieces of video there were since the last call.
    fn events(&self) -> Vec<(Sheet, usize)> {
        let mut sheets = BTreeMap::new();
        let mut pieces = Vec::new();
        for job in self.jobs.try_iter() {
            match job {
                Job::Sheet(name, sheet) => {
                    sheets.insert(name.seq, *sheet);
                    self.begun.borrow_mut().insert(name);
                }
                Job::Clip(name, bytes) => {
                    assert!(
                        !bytes.is_empty() && self.begun.borrow().contains(&name),
                        "the sheet comes first"
                    );
                    pieces.push(name.seq);
                }
                Job::Snapshot(name, bytes) => {
                    assert!(name.camera == camera() && bytes.starts_with(&[0xff, 0xd8]), "a JPEG");
                }
            }
        }
        let count = |seq| pieces.iter().filter(|piece| **piece == seq).count();
        sheets.into_iter().map(|(seq, sheet)| (sheet, count(seq))).collect()
    }
}

impl Rig {
    /// The one event that there are jobs of, and how many pieces of video.
    fn event(&self) -> (Sheet, usize) {
        let mut events = self.events();
        assert_eq!(events.len(), 1);
        events.remove(0)
    }
}

fn camera() -> CameraId {
    CameraId::try_from("north").unwrap()
}

#[test]
fn a_video_begins_before_its_alarm_and_ends_after_its_event() {
    let mut rig = Rig::new(2_000, 1_000, 60_000);
    rig.pictures(50, 32);
    rig.score(0.8, true);
    rig.edge(EdgeKind::Raised, 1);
    rig.pictures(30, 32);
    rig.score(0.1, false);
    rig.edge(EdgeKind::Cleared, 1);
    rig.pictures(9, 32);
    let (sheet, pieces) = rig.event();
    assert_eq!((sheet.event, pieces), (1, 2));
    assert!(!sheet.is_complete && sheet.cleared_media_ms == Some(8_000), "one picture is missing");
    assert_eq!(sheet.snapshot.as_deref(), Some("1-00000001-1.jpg"));
    rig.pictures(20, 32);
    let (sheet, pieces) = rig.event();
    assert_eq!(pieces, 1, "the rest");
    let clip = sheet.clip.unwrap();
    assert!(sheet.is_complete && clip.begin_media_ms <= 3_000 && clip.begin_media_ms >= 1_900);
    assert_eq!((clip.end_media_ms, clip.missed_frames), (9_000, 0));
    assert_eq!(sheet.scores.len(), 2);
}

#[test]
fn an_event_that_lasts_has_a_video_that_does_not() {
    let mut rig = Rig::new(0, 1_000, 3_000);
    rig.pictures(10, 32);
    rig.edge(EdgeKind::Raised, 1);
    rig.pictures(100, 32);
    rig.edge(EdgeKind::Updated, 1);
    rig.edge(EdgeKind::Cleared, 1);
    rig.pictures(10, 32);
    let (sheet, _) = rig.event();
    assert!(sheet.is_complete);
    assert_eq!((sheet.clip.unwrap().end_media_ms, sheet.cleared_media_ms), (4_000, Some(11_000)));
}

#[test]
fn the_next_alarm_completes_the_event_before_it() {
    let mut rig = Rig::new(2_000, 5_000, 60_000);
    rig.pictures(20, 32);
    rig.edge(EdgeKind::Raised, 1);
    rig.edge(EdgeKind::Cleared, 1);
    rig.pictures(10, 32);
    rig.edge(EdgeKind::Raised, 2);
    rig.edge(EdgeKind::Cleared, 1);
    rig.pictures(10, 32);
    let mut events = rig.events();
    assert_eq!(events.len(), 2);
    let ((second, _), (first, _)) = (events.remove(1), events.remove(0));
    assert!(first.is_complete && !second.is_complete);
    assert_eq!(second.cleared_media_ms, None, "an edge of the event before it is none of this one");
    let (first, second) = (first.clip.unwrap(), second.clip.unwrap());
    assert!(second.begin_media_ms < first.end_media_ms, "its own seconds from before");
}

#[test]
fn the_end_of_a_stream_completes_everything_and_another_size_ends_the_video() {
    let mut rig = Rig::new(2_000, 5_000, 60_000);
    rig.pictures(10, 32);
    rig.edge(EdgeKind::Raised, 1);
    rig.pictures(10, 32);
    rig.pictures(10, 48);
    rig.edge(EdgeKind::Cleared, 1);
    rig.recording.take(Message::StreamEnd, 0);
    let (sheet, _) = rig.event();
    let clip = sheet.clip.unwrap();
    assert_eq!((sheet.is_complete, clip.width_px, clip.end_media_ms), (true, 32, 2_000));
    rig.now = 0;
    rig.edge(EdgeKind::Raised, 2);
    let (sheet, pieces) = rig.event();
    assert_eq!((sheet.clip, pieces), (None, 0), "no video without a picture");
    rig.recording.take(Message::StreamEnd, 0);
}

#[test]
fn a_picture_that_cannot_be_encoded_is_a_defect_while_it_lasts() {
    let mut rig = Rig::new(2_000, 5_000, 60_000);
    rig.pictures(1, 8);
    assert_eq!(rig.health.degraded(), ["camera north: its video cannot be encoded"]);
    rig.score(0.9, true);
    rig.edge(EdgeKind::Raised, 1);
    let (sheet, pieces) = rig.event();
    assert!(pieces == 0 && sheet.snapshot.is_some(), "a picture all the same");
    rig.pictures(1, 32);
    assert!(rig.health.degraded().is_empty());
}

#[test]
fn a_stream_whose_end_was_not_heard_of_ends_with_the_next_ones_first_picture() {
    let mut rig = Rig::new(2_000, 5_000, 60_000);
    rig.pictures(30, 32);
    rig.edge(EdgeKind::Raised, 1);
    rig.now = 0;
    rig.pictures(1, 32);
    let (sheet, _) = rig.event();
    assert_eq!((sheet.is_complete, sheet.clip.unwrap().end_media_ms), (true, 3_000));
    rig.edge(EdgeKind::Raised, 2);
    assert_eq!(rig.event().0.clip.unwrap().begin_media_ms, 0);
}
