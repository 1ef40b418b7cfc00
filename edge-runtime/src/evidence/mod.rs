//! What an operator is shown of an alarm: a picture with where the model looked and the score over time, and a video that begins
//! before it.
//!
//! ```text
//! camera's thread -> Recorder -> queue (bounded) -> recording thread: encode once, ring in memory -> store's thread -> files
//! ```
//!
//! One folder per camera, three files per event (`docs/reference/evidence.md`).
//!
//! # Invariants
//! - Nothing is stored that a mask hides: a recorder takes a [`MaskedFrame`] alone.
//! - Evidence never delays a score or an alarm: pictures that find no room are left out of the video and counted.
//! - Memory is bounded per camera: a ring of video, a few pictures that wait, one that explains.
//! - Without events nothing is written but one number an hour.

mod clip;
mod listing;
mod mp4;
mod name;
pub(crate) mod peak;
mod queue;
mod recording;
mod reel;
pub(crate) mod scan;
mod sheet;
mod shelf;
mod snapshot;
pub(crate) mod store;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use alarm_proto::{CameraId, RecordId, Severity};
use heat_map::Picture;
use vad_core::{AlarmEdge, EdgeKind};
use vad_infer::{AttentionMap, InferError};

use self::peak::PeakFinder;
use self::queue::Sender;
use self::recording::{Message, Peak, Recording};
use self::store::{Job, Store};
use crate::capture::Stamp;
use crate::clock::Clock;
use crate::config::EvidenceConfig;
use crate::detector::{ClipReport, Detector};
use crate::health::{Health, lock};
use crate::pipeline::{Thresholds, severity_of};
use crate::view::MaskedFrame;

pub use self::listing::Listing;
pub use self::name::{EventName, Part};
pub use self::sheet::{About, ClipSheet, ScorePoint, Sheet};

/// Jobs that may wait for the disk; the recording threads wait then, and no camera does.
const MAX_JOBS: usize = 32;
/// How long the last files may take at the end of the program.
const FINISH_MS: u64 = 5_000;
const SLICE_MS: u64 = 10;

/// The evidence of a whole board.
pub struct Evidence {
    config: EvidenceConfig,
    jobs: SyncSender<Job>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
}

impl Evidence {
    /// Starts the thread that looks at what is kept, and writes.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(config: &EvidenceConfig, clock: &Arc<dyn Clock>, health: &Arc<Health>) -> io::Result<Self> {
        let (jobs, inbox) = sync_channel(MAX_JOBS);
        let evidence = Self {
            config: config.clone(),
            jobs,
            threads: Mutex::default(),
            clock: Arc::clone(clock),
            health: Arc::clone(health),
        };
        // Its disk may be slow, and nobody waits for it.
        let (config, clock, health) = (config.clone(), Arc::clone(clock), Arc::clone(health));
        evidence.spawn("evidence".to_owned(), move || Store::open(&config, clock, health).run(&inbox))?;
        Ok(evidence)
    }

    /// A recorder for a camera. One that `waits` loses no picture: for files that are read as fast as possible.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn recorder(&self, camera: &CameraId, about: About, waits: bool) -> io::Result<Recorder> {
        let (sender, inbox) = queue::queue(waits);
        let peaks = PeakFinder::default();
        let explains = about.attention.is_some();
        let recording =
            Recording::new(camera.clone(), about, &self.config, self.jobs.clone(), Arc::clone(&self.health));
        self.spawn(format!("record {camera}"), move || recording.run(&inbox))?;
        Ok(Recorder { camera: camera.clone(), sender, peaks, explains, health: Arc::clone(&self.health) })
    }

    /// Waits for the last files, a while; every recorder must be gone.
    pub fn finish(self) {
        let Self { jobs, threads, clock, .. } = self;
        drop(jobs);
        let until_ms = clock.monotonic_ms() + FINISH_MS;
        let threads = std::mem::take(&mut *lock(&threads));
        while threads.iter().any(|thread| !thread.is_finished()) {
            if clock.monotonic_ms() >= until_ms {
                tracing::warn!("the disk is slow: the latest evidence is not complete");
                return;
            }
            clock.sleep_ms(SLICE_MS);
        }
    }

    /// A thread whose panic costs evidence and nothing else.
    fn spawn(&self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let (health, defect) = (Arc::clone(&self.health), format!("the thread `{name}` failed inside"));
        let work = move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                health.degrade(&defect);
            }
        };
        lock(&self.threads).push(std::thread::Builder::new().name(name).spawn(work)?);
        Ok(())
    }
}

/// An edge that the hub is told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Announced {
    /// What happened.
    pub edge: AlarmEdge,
    /// The record that says so.
    pub record: RecordId,
    /// Time of day, Unix milliseconds; `None` while the clock is not valid.
    pub wall_ms: Option<u64>,
    /// From where on there are alarms; they may be changed while the board watches.
    pub thresholds: Thresholds,
}

impl Announced {
    /// `notice`, `warning` or `critical`.
    #[must_use]
    pub fn severity(&self) -> &'static str {
        match severity_of(&self.edge, self.thresholds) {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// A camera's end: hands over what it sees, and waits for nothing.
pub struct Recorder {
    camera: CameraId,
    sender: Sender<Message>,
    peaks: PeakFinder,
    /// The model can say where it looked.
    explains: bool,
    health: Arc<Health>,
}

impl Recorder {
    /// Takes a picture.
    pub fn picture(&self, picture: MaskedFrame<'_>, stamp: Stamp) {
        let frame = picture.rgb();
        if !self.sender.has_room() {
            return self.sender.missed();
        }
        if let Some(picture) = Picture::from_raw(frame.width_px(), frame.height_px(), frame.data().to_vec()) {
            self.sender.send(Message::Picture(picture, stamp));
        }
    }

    /// Takes a clip that the detector just reported, which ended with the latest picture; alarms are raised from a smoothed score on.
    pub fn score(&mut self, report: &ClipReport, detector: &Detector, raise_threshold: f32) {
        let point = ScorePoint { media_ms: report.end.0, score: report.step.smoothed };
        let peak = self.peaks.is_peak(report, raise_threshold).then(|| Peak {
            score: report.step.calibrated,
            attention: if self.explains { self.attention(detector) } else { None },
        });
        self.sender.send(Message::Score(point, peak));
    }

    fn attention(&self, detector: &Detector) -> Option<AttentionMap> {
        let told =
            |e: &InferError| tracing::warn!(camera = %self.camera, error = %e, "a picture without its map");
        detector.attention().inspect_err(told).ok().flatten()
    }

    /// Takes an edge that was announced.
    pub fn announced(&mut self, announced: Announced) {
        // One that is disarmed is cleared between two clips.
        if announced.edge.kind == EdgeKind::Cleared {
            self.peaks.end();
        }
        let defect = format!(
            "camera {}: its evidence is too slow, and lacks an event's beginning or end",
            self.camera
        );
        if self.sender.send(Message::Edge(announced)) {
            self.health.restore(&defect);
        } else {
            self.health.degrade(&defect);
        }
    }

    /// The stream is over.
    pub fn stream_ended(&mut self) {
        self.peaks.end();
        self.sender.send(Message::StreamEnd);
    }
}

#[cfg(test)]
mod tests;
