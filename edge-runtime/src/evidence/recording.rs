//! One camera's recording thread: encodes every picture once, and turns events into files.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use alarm_proto::CameraId;
use heat_map::Picture;
use vad_core::{EdgeKind, RgbFrame};
use vad_infer::AttentionMap;

use super::Announced;
use super::clip::Clip;
use super::name::EventName;
use super::queue::{self, Inbox};
use super::reel::{Coded, Reel};
use super::sheet::{About, ScorePoint, Sheet};
use super::snapshot::{self, Moment};
use super::store::Job;
use crate::capture::Stamp;
use crate::config::EvidenceConfig;
use crate::health::Health;

/// Scores from before an alarm that are kept.
const MAX_SCORES_BEFORE: usize = 64;

/// What a camera's thread tells.
pub(super) enum Message {
    /// A picture, as it may be seen.
    Picture(Picture, Stamp),
    /// The latest picture ended a clip; what explains an event, if it is the highest so far.
    Score(ScorePoint, Option<Peak>),
    /// An edge was announced.
    Edge(Announced),
    /// The stream is over; the next picture begins another one.
    StreamEnd,
}

/// The highest clip of an event.
pub(super) struct Peak {
    /// Its own score.
    pub(super) score: f32,
    /// Where the model looked.
    pub(super) attention: Option<AttentionMap>,
}

impl queue::Message for Message {
    fn is_picture(&self) -> bool {
        matches!(self, Self::Picture(..))
    }
}

/// See the module's documentation.
pub(super) struct Recording {
    camera: CameraId,
    about: About,
    post_roll_ms: u64,
    max_clip_ms: u64,
    reel: Reel,
    scores: VecDeque<ScorePoint>,
    latest: Option<Picture>,
    /// When it began.
    latest_ms: u64,
    is_defective: bool,
    moment: Option<Moment>,
    event: Option<Event>,
    store: SyncSender<Job>,
    health: Arc<Health>,
}

/// An event whose files are not complete.
struct Event {
    name: EventName,
    sheet: Sheet,
    /// What explains it, once it is over; the camera's latest moment before.
    moment: Option<Moment>,
    clip: Option<Clip>,
    /// Media time at which the video ends, once that is known.
    ends_ms: Option<u64>,
    missed_before: u64,
}

impl Recording {
    pub(super) fn new(
        camera: CameraId,
        about: About,
        config: &EvidenceConfig,
        store: SyncSender<Job>,
        health: Arc<Health>,
    ) -> Self {
        Self {
            camera,
            about,
            post_roll_ms: config.post_roll_ms,
            max_clip_ms: config.max_clip_ms,
            reel: Reel::new(config.pre_roll_ms),
            scores: VecDeque::new(),
            latest: None,
            latest_ms: 0,
            is_defective: false,
            moment: None,
            event: None,
            store,
            health,
        }
    }

    /// Works until the camera is gone.
    pub(super) fn run(mut self, inbox: &Inbox<Message>) {
        while let Some(message) = inbox.next() {
            self.take(message, inbox.missed());
        }
        self.close(inbox.missed());
    }

    /// Takes a message; `missed` pictures were left out so far.
    pub(super) fn take(&mut self, message: Message, missed: u64) {
        match message {
            Message::Picture(picture, stamp) => self.picture(picture, stamp, missed),
            Message::Score(point, peak) => self.score(point, peak),
            Message::Edge(announced) => match announced.edge.kind {
                EdgeKind::Raised => self.raised(&announced, missed),
                EdgeKind::Updated | EdgeKind::Cleared => self.goes_on(&announced),
            },
            Message::StreamEnd => self.end_stream(missed),
        }
    }

    fn end_stream(&mut self, missed: u64) {
        self.close(missed);
        self.reel.clear();
        self.scores.clear();
        (self.latest, self.latest_ms, self.moment) = (None, 0, None);
    }

    fn picture(&mut self, picture: Picture, stamp: Stamp, missed: u64) {
        if stamp.start.0 < self.latest_ms {
            // The end of the stream before found no room in the queue.
            self.end_stream(missed);
        }
        self.latest_ms = stamp.start.0;
        let (width_px, height_px) = picture.dimensions();
        if self.reel.would_cut((width_px, height_px)) {
            // One video has pictures of one size.
            self.end_clip(missed);
        }
        if let Ok(frame) = RgbFrame::new(width_px, height_px, picture.as_raw()) {
            match self.reel.push(frame, stamp) {
                Ok(coded) => {
                    self.set_defective(false);
                    coded.into_iter().for_each(|coded| self.film(coded));
                }
                Err(e) => {
                    tracing::debug!(camera = %self.camera, error = %e, "picture not encoded");
                    self.set_defective(true);
                }
            }
        }
        self.latest = Some(picture);
        if self.event.as_ref().is_some_and(|event| event.is_over(stamp.end.0)) {
            self.close(missed);
        } else if self.event.as_ref().is_some_and(|event| event.is_long(stamp.end.0, self.max_clip_ms)) {
            self.end_clip(missed);
            self.send_sheet();
        }
    }

    fn set_defective(&mut self, is_defective: bool) {
        if std::mem::replace(&mut self.is_defective, is_defective) == is_defective {
            return;
        }
        let defect = format!("camera {}: its video cannot be encoded", self.camera);
        if is_defective { self.health.degrade(&defect) } else { self.health.restore(&defect) }
    }

    fn film(&mut self, coded: Coded) {
        if let Some((event, clip)) = self.event.as_mut().and_then(|e| Some((&e.name, e.clip.as_mut()?)))
            && let Some(bytes) = clip.push(coded)
        {
            let job = Job::Clip(event.clone(), bytes);
            self.send(job);
        }
    }

    fn score(&mut self, point: ScorePoint, peak: Option<Peak>) {
        self.scores.push_back(point);
        if self.scores.len() > MAX_SCORES_BEFORE {
            self.scores.pop_front();
        }
        if let Some(event) = &mut self.event {
            event.sheet.score(point);
        }
        if let (Some(Peak { score, attention }), Some(picture)) = (peak, &self.latest) {
            let picture = picture.clone();
            self.moment = Some(Moment { score, at_ms: point.media_ms, picture, attention });
        }
    }

    fn raised(&mut self, announced: &Announced, missed: u64) {
        self.close(missed);
        let name = EventName::new(&self.camera, &announced.record);
        let mut sheet = Sheet::raised(&name, announced, &self.about);
        self.scores.iter().for_each(|point| sheet.score(*point));
        let (clip, begun) = Clip::begin(&self.reel, name.file(super::Part::Clip)).unzip();
        sheet.clip = clip.as_ref().map(Clip::sheet);
        let event =
            Event { name: name.clone(), sheet, moment: None, clip, ends_ms: None, missed_before: missed };
        self.event = Some(event);
        self.draw();
        self.send_sheet();
        begun.into_iter().for_each(|bytes| self.send(Job::Clip(name.clone(), bytes)));
    }

    /// The event goes on, or is over but for its last seconds.
    fn goes_on(&mut self, announced: &Announced) {
        let edge = &announced.edge;
        let Some(event) = self.event.as_mut().filter(|event| event.sheet.event == edge.event) else { return };
        event.sheet.edge(announced);
        if edge.kind == EdgeKind::Cleared {
            event.ends_ms = Some(edge.at.0.saturating_add(self.post_roll_ms));
            event.moment = self.moment.take();
        }
        self.send_sheet();
    }

    /// Draws the event as far as it is known, if there is something to draw.
    fn draw(&mut self) {
        let Some(event) = &mut self.event else { return };
        let Some(moment) = event.moment.as_ref().or(self.moment.as_ref()) else { return };
        match snapshot::draw(moment, &event.sheet, &self.about) {
            Ok(bytes) => {
                event.sheet.drawn(&event.name);
                let job = Job::Snapshot(event.name.clone(), bytes);
                self.send(job);
            }
            Err(e) => tracing::warn!(camera = %self.camera, error = %e, "no picture of the event"),
        }
    }

    /// Ends the video, and not the event.
    fn end_clip(&mut self, missed: u64) {
        let Some(event) = &mut self.event else { return };
        let Some(mut clip) = event.clip.take() else { return };
        let rest = clip.finish();
        let missed_frames = missed - event.missed_before;
        event.sheet.clip = Some(super::sheet::ClipSheet { missed_frames, ..clip.sheet() });
        let name = event.name.clone();
        rest.into_iter().for_each(|bytes| self.send(Job::Clip(name.clone(), bytes)));
    }

    /// Completes the event, if there is one.
    fn close(&mut self, missed: u64) {
        self.draw();
        self.end_clip(missed);
        if let Some(event) = &mut self.event {
            event.sheet.is_complete = true;
            self.send_sheet();
            self.event = None;
        }
    }

    fn send_sheet(&self) {
        if let Some(event) = &self.event {
            self.send(Job::Sheet(event.name.clone(), Box::new(event.sheet.clone())));
        }
    }

    fn send(&self, job: Job) {
        if self.store.send(job).is_err() {
            self.health.degrade("nobody stores evidence any more");
        }
    }
}

impl Event {
    fn is_over(&self, now_ms: u64) -> bool {
        self.ends_ms.is_some_and(|ends_ms| now_ms >= ends_ms)
    }

    fn is_long(&self, now_ms: u64, max_clip_ms: u64) -> bool {
        self.clip.is_some() && now_ms.saturating_sub(self.sheet.raised_media_ms) >= max_clip_ms
    }
}
