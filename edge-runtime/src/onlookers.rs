//! Those who look on while a camera is watched: what keeps evidence of its alarms, and what shows it in a browser. Neither delays it.

use std::sync::Arc;

use crate::capture::Stamp;
use crate::detector::{ClipReport, Detector};
use crate::evidence::{Announced, Recorder};
use crate::page::Screen;
use crate::pipeline::Thresholds;
use crate::watch::Seen;

/// See the module's documentation; the default is nobody.
#[derive(Default)]
pub struct Onlookers {
    /// Keeps pictures and videos of its alarms, if any are kept.
    pub recorder: Option<Recorder>,
    /// Shows it to who asks: browsers, and commands from afar.
    pub screen: Option<Arc<Screen>>,
}

impl Onlookers {
    /// Takes what one picture led to, at `now_ms` on the monotonic clock.
    pub fn seen(&mut self, seen: &Seen<'_>, stamp: Stamp, thresholds: Thresholds, now_ms: u64) {
        self.recorder.iter().for_each(|recorder| recorder.picture(seen.picture, stamp));
        self.screen.iter().for_each(|screen| screen.picture(seen.picture, now_ms));
        if let Ok(Some(report)) = &seen.scored {
            self.scored(report, seen.detector, thresholds, now_ms);
        }
    }

    /// Takes a clip that the detector just reported.
    pub fn scored(&mut self, report: &ClipReport, detector: &Detector, thresholds: Thresholds, now_ms: u64) {
        self.recorder.iter_mut().for_each(|recorder| recorder.score(report, detector, thresholds.raise));
        self.screen.iter().for_each(|screen| screen.score(report, detector, thresholds.raise, now_ms));
    }

    /// Takes an edge that was announced.
    pub fn announced(&mut self, announced: Announced) {
        self.screen.iter().for_each(|screen| screen.announced(&announced));
        self.recorder.iter_mut().for_each(|recorder| recorder.announced(announced.clone()));
    }

    /// The stream is over.
    pub fn stream_ended(&mut self) {
        self.screen.iter().for_each(|screen| screen.stream_ended());
        self.recorder.iter_mut().for_each(Recorder::stream_ended);
    }
}
