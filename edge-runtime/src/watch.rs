//! One camera between capture and alarm, the same for a camera, a file camera and `replay`: what may be seen of a picture
//! goes to the detector and nothing else does, and of the detector's events those are let through that may be.

use vad_core::{AlarmEdge, RgbFrame, ScoreSpec, SpecError};
use vad_infer::InferError;

use crate::capture::Stamp;
use crate::detector::{ClipReport, Detector, StreamEnd};
use crate::gate::{EventGate, Permit};
use crate::picture::{PictureFault, PictureHealth};
use crate::view::{MaskedFrame, Painter, View};

/// See the module's documentation.
pub struct Watch {
    picture: PictureHealth,
    painter: Painter,
    detector: Detector,
    gate: EventGate,
}

/// What one picture led to.
pub struct Seen<'a> {
    /// The clip that it ended; its edge is the one that is let through.
    pub scored: Result<Option<ClipReport>, InferError>,
    /// What is to be announced.
    pub edge: Option<AlarmEdge>,
    /// The picture as it may be seen.
    pub picture: MaskedFrame<'a>,
    /// The detector behind it, which can explain the clip.
    pub detector: &'a Detector,
}

impl Watch {
    /// The beginning of a stream.
    #[must_use]
    pub fn new(detector: Detector, view: View, tolerated: Vec<PictureFault>) -> Self {
        let (picture, painter) = (PictureHealth::new(tolerated), Painter::new(view));
        Self { picture, painter, detector, gate: EventGate::default() }
    }

    /// Score settings in force.
    #[must_use]
    pub fn score_spec(&self) -> &ScoreSpec {
        self.detector.score_spec()
    }

    /// As [`Detector::set_thresholds`].
    ///
    /// # Errors
    /// As there.
    pub fn set_thresholds(&mut self, raise: f32, clear: f32) -> Result<(), SpecError> {
        self.detector.set_thresholds(raise, clear)
    }

    /// What is wrong with the picture, if anything is.
    #[must_use]
    pub fn picture_fault(&self) -> Option<PictureFault> {
        self.picture.fault()
    }

    /// Whether the camera switched between day and night a moment ago; that is no fault of the picture where it happens too often.
    #[must_use]
    pub fn has_switched(&self) -> bool {
        self.picture.has_switched()
    }

    /// Takes the next picture, as the camera gave it.
    pub fn push<'a>(&'a mut self, frame: RgbFrame<'a>, stamp: Stamp, is_armed: bool) -> Seen<'a> {
        let settled = self.picture.settles();
        self.picture.see(frame, stamp.start);
        if settled && !self.picture.settles() {
            self.begin_anew();
        }
        let permit = self.permit(is_armed);
        let picture = self.painter.paint(frame);
        let mut scored = self.detector.push(picture, stamp);
        let edge = match &mut scored {
            Ok(Some(report)) => {
                report.step.edge = self.gate.scored(report, permit);
                report.step.edge
            }
            Ok(None) | Err(_) => self.gate.unscored(stamp.end, permit),
        };
        Seen { scored, edge, picture, detector: &self.detector }
    }

    /// As [`Detector::finish`], with what is let through.
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self, is_armed: bool) -> Result<StreamEnd, InferError> {
        self.picture.begin_stream();
        let permit = self.permit(is_armed);
        let mut end = self.detector.finish()?;
        if let Some(report) = &mut end.tail {
            report.step.edge = self.gate.scored(report, permit);
        }
        end.cleared = self.gate.end(end.cleared);
        Ok(end)
    }

    /// As [`Detector::abandon`]; the end of an event that was announced.
    pub fn abandon(&mut self) -> Option<AlarmEdge> {
        self.picture.begin_stream();
        let cleared = self.detector.abandon();
        self.gate.end(cleared)
    }

    /// The detector, which can explain the latest clip.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The detector, and a picture as it sees it.
    pub fn seen<'a>(&'a mut self, frame: RgbFrame<'a>) -> (&'a Detector, MaskedFrame<'a>) {
        (&self.detector, self.painter.paint(frame))
    }

    /// What was scored while the camera settled is not to keep silent what happens now. An event that is announced goes on.
    fn begin_anew(&mut self) {
        if !self.gate.is_announced() {
            self.gate.end(None);
            self.detector.forget_scores();
        }
    }

    fn permit(&self, is_armed: bool) -> Permit {
        match (is_armed, self.picture.fault()) {
            (false, _) => Permit::Nothing,
            (true, Some(_)) => Permit::Running,
            (true, None) => Permit::All,
        }
    }
}
