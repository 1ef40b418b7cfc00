//! What the page knows of a camera: written by the camera's thread, read by browsers.

use std::sync::Mutex;

use alarm_proto::CameraId;
use vad_infer::InferError;

use super::journal::Journal;
use super::live::{Gaze, Live};
use super::trace::{Trace, TracePoint};
use crate::clock::Clock;
use crate::detector::{ClipReport, Detector};
use crate::evidence::Announced;
use crate::health::lock;
use crate::view::{MaskedFrame, View};

/// The first picture that is asked for may come a while later, milliseconds.
pub(super) const PATIENCE_MS: u64 = 1_500;
pub(super) const SLICE_MS: u64 = 50;
pub(super) const NO_PICTURE: &str = "the camera gives no picture now";

/// See the module's documentation. The camera's thread waits for nobody here.
pub struct Screen {
    pub(super) camera: CameraId,
    pub(super) view: View,
    pub(super) gaze: Option<Gaze>,
    pub(super) live: Live,
    pub(super) trace: Mutex<Trace>,
    pub(super) journal: Mutex<Journal>,
}

impl Screen {
    /// Of a camera; `gaze` says where the model's attention lies in its picture, if it has one.
    #[must_use]
    pub fn new(camera: CameraId, view: View, gaze: Option<Gaze>) -> Self {
        let (live, trace, journal) = (Live::default(), Mutex::default(), Mutex::default());
        Self { camera, view, gaze, live, trace, journal }
    }

    /// Whether it is this camera's.
    #[must_use]
    pub fn is_of(&self, camera: &CameraId) -> bool {
        self.camera == *camera
    }

    /// Takes a picture.
    pub fn picture(&self, picture: MaskedFrame<'_>, now_ms: u64) {
        self.live.picture(picture, now_ms);
    }

    /// Takes a clip that the detector just reported, which ended with the latest picture.
    pub fn score(&self, report: &ClipReport, detector: &Detector, raise_threshold: f32, now_ms: u64) {
        let point = TracePoint { at_ms: now_ms, score: report.step.smoothed, threshold: raise_threshold };
        lock(&self.trace).push(point);
        if self.gaze.is_some() && self.live.wants_map(now_ms) {
            let told = |e: &InferError| tracing::warn!(camera = %self.camera, error = %e, "a picture without its map");
            self.live.map(detector.attention().inspect_err(told).ok().flatten());
        }
    }

    /// Takes an edge that was announced.
    pub fn announced(&self, announced: &Announced) {
        lock(&self.journal).take(&self.camera, announced);
    }

    /// Its picture now, as JPEG with no side longer than `max_side_px`; waits for it a while.
    ///
    /// # Errors
    /// There is none, in words.
    pub fn snapshot(&self, clock: &dyn Clock, max_side_px: u32) -> Result<Vec<u8>, String> {
        let until_ms = clock.monotonic_ms() + PATIENCE_MS;
        loop {
            let now_ms = clock.monotonic_ms();
            self.live.want(false, now_ms);
            if let Some(sight) = self.live.sight(now_ms) {
                return sight
                    .jpeg(None, max_side_px)
                    .map_err(|e| format!("the picture cannot be drawn: {e}"));
            }
            if now_ms >= until_ms {
                return Err(NO_PICTURE.to_owned());
            }
            clock.sleep_ms(SLICE_MS);
        }
    }

    /// The stream is over.
    pub fn stream_ended(&self) {
        self.live.end();
    }
}
