//! Which clip of an event explains it: the one with the highest score.

use vad_core::EdgeKind;

use crate::detector::ClipReport;

/// Follows the scores of one camera.
#[derive(Debug, Default)]
pub(crate) struct PeakFinder {
    is_active: bool,
    /// Of the event that is raised, or may be next.
    highest: Option<f32>,
}

impl PeakFinder {
    /// Takes the next clip; whether it is the highest of its event so far. Its score is its own, before smoothing;
    /// alarms are raised from a smoothed score on.
    pub(crate) fn is_peak(&mut self, report: &ClipReport, raise_threshold: f32) -> bool {
        match report.step.edge.map(|edge| edge.kind) {
            Some(EdgeKind::Cleared) => {
                self.end();
                return false;
            }
            Some(EdgeKind::Raised | EdgeKind::Updated) => self.is_active = true,
            None => {}
        }
        if !self.is_active && report.step.smoothed < raise_threshold {
            self.highest = None;
            return false;
        }
        let score = report.step.calibrated;
        let is_higher = !score.is_nan() && self.highest.is_none_or(|highest| score > highest);
        if is_higher {
            self.highest = Some(score);
        }
        is_higher
    }

    /// The event, or its stream, is over.
    pub(crate) fn end(&mut self) {
        (self.is_active, self.highest) = (false, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_core::{AlarmEdge, ClipSpan, FrameIndex, MediaTimeMs, ScoreStep};

    fn clip(calibrated: f32, smoothed: f32, edge: Option<EdgeKind>) -> ClipReport {
        let at = MediaTimeMs(0);
        let edge =
            edge.map(|kind| AlarmEdge { kind, event: 1, onset: at, at, score: smoothed, peak: smoothed });
        let step = ScoreStep { calibrated, smoothed, edge };
        let span = ClipSpan { index: 0, first_frame: FrameIndex(0), frames: 16 };
        ClipReport { span, start: at, end: at, raw: calibrated, step }
    }

    #[test]
    fn peaks_belong_to_an_event_or_to_what_may_become_one() {
        let mut finder = PeakFinder::default();
        let clips = [
            (clip(0.9, 0.4, None), false, "smoothed below the threshold"),
            (clip(0.6, 0.5, None), true, "the alarm may come"),
            (clip(0.55, 0.52, Some(EdgeKind::Raised)), false, "lower than the clip before"),
            (clip(0.8, 0.3, None), true, "the event lasts, whatever the score"),
            (clip(0.7, 0.6, Some(EdgeKind::Updated)), false, "lower"),
            (clip(0.1, 0.1, Some(EdgeKind::Cleared)), false, "it is over"),
            (clip(0.6, 0.55, None), true, "the next one"),
            (clip(0.2, 0.2, None), false, "which did not come"),
            (clip(0.55, 0.55, None), true, "and one after it"),
        ];
        for (report, expected, why) in clips {
            assert_eq!(finder.is_peak(&report, 0.5), expected, "{why}");
        }
    }

    #[test]
    fn an_event_that_ends_between_two_clips_leaves_nothing_to_the_next_one() {
        let mut finder = PeakFinder::default();
        assert!(finder.is_peak(&clip(0.9, 0.9, Some(EdgeKind::Raised)), 0.5));
        finder.end();
        assert!(finder.is_peak(&clip(0.6, 0.6, Some(EdgeKind::Raised)), 0.5), "lower than the one before");
    }
}
