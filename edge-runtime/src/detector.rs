//! Frames of one camera in, scored clips and alarm edges out.

use std::collections::VecDeque;

use vad_core::{
    AlarmEdge, ClipSpan, MediaTimeMs, ScoreSample, ScoreSpec, ScoreStep, ScoreTracker, SpecError,
};
use vad_infer::{AttentionMap, ClipScore, InferError, Scorer};

use crate::capture::Stamp;
use crate::view::MaskedFrame;

/// One scored clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipReport {
    /// Which frames.
    pub span: ClipSpan,
    /// Begin of its first frame.
    pub start: MediaTimeMs,
    /// End of its last frame.
    pub end: MediaTimeMs,
    /// Output of the head.
    pub raw: f32,
    /// What it led to.
    pub step: ScoreStep,
}

/// The end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StreamEnd {
    /// The frames not covered before, if any.
    pub tail: Option<ClipReport>,
    /// An event that was still active is cleared.
    pub cleared: Option<AlarmEdge>,
}

/// See the module's documentation.
pub struct Detector {
    scorer: Scorer,
    tracker: ScoreTracker,
    /// Times of the newest frames; the first entry belongs to frame `first_kept`.
    stamps: VecDeque<Stamp>,
    first_kept: u64,
}

impl Detector {
    /// A detector at the start of a stream.
    ///
    /// # Errors
    /// Those of [`ScoreSpec::validate`].
    pub fn new(scorer: Scorer, score: ScoreSpec) -> Result<Self, SpecError> {
        Ok(Self { scorer, tracker: ScoreTracker::new(score)?, stamps: VecDeque::new(), first_kept: 0 })
    }

    /// Score settings in force.
    #[must_use]
    pub fn score_spec(&self) -> &ScoreSpec {
        self.tracker.spec()
    }

    /// As [`ScoreTracker::set_thresholds`].
    ///
    /// # Errors
    /// As there.
    pub fn set_thresholds(&mut self, raise: f32, clear: f32) -> Result<(), SpecError> {
        self.tracker.set_thresholds(raise, clear)
    }

    /// Takes the next frame.
    ///
    /// # Errors
    /// [`InferError`]: the clip is not scored; the next push goes on with the stream.
    pub fn push(&mut self, frame: MaskedFrame<'_>, stamp: Stamp) -> Result<Option<ClipReport>, InferError> {
        self.stamps.push_back(stamp);
        let scored = self.scorer.push(frame.rgb());
        if scored.is_err() {
            self.forget_lost_stamps();
        }
        let report = scored.map(|clip| clip.map(|clip| self.report(clip)));
        self.forget_old_stamps();
        report
    }

    /// Ends the stream: scores what is left and clears an active event. The next push begins a new stream.
    ///
    /// # Errors
    /// [`InferError`]; the stream is ended all the same, but an active event must be cleared by [`Detector::abandon`].
    pub fn finish(&mut self) -> Result<StreamEnd, InferError> {
        let tail = self.scorer.finish()?.map(|clip| self.report(clip));
        Ok(StreamEnd { tail, cleared: self.forget() })
    }

    /// Where the encoder looked in the clip that the latest push or finish reported, computed now. Nothing where it reported
    /// none, and of a model without attention.
    ///
    /// # Errors
    /// [`InferError`]; the stream goes on.
    pub fn attention(&self) -> Result<Option<AttentionMap>, InferError> {
        self.scorer.attention()
    }

    /// Ends the stream without scoring what is left, as after a fault.
    pub fn abandon(&mut self) -> Option<AlarmEdge> {
        self.scorer.reset();
        self.forget()
    }

    /// Forgets the scores so far, with an event that goes on and the cool-down of one that is over; the stream goes on.
    pub fn forget_scores(&mut self) {
        self.tracker.reset();
    }

    /// A new beginning of all but the scorer.
    fn forget(&mut self) -> Option<AlarmEdge> {
        self.stamps.clear();
        self.first_kept = 0;
        self.tracker.finish()
    }

    fn report(&mut self, ClipScore { span, raw }: ClipScore) -> ClipReport {
        let (start, end) = self.times(span);
        let step = self.tracker.push(ScoreSample { start, end, raw });
        ClipReport { span, start, end, raw, step }
    }

    fn times(&self, span: ClipSpan) -> (MediaTimeMs, MediaTimeMs) {
        let stamp = |frame: u64| {
            let at = usize::try_from(frame.saturating_sub(self.first_kept)).unwrap_or(usize::MAX);
            self.stamps.get(at).or(self.stamps.back())
        };
        let frames = span.frame_range();
        let start = stamp(frames.start).map_or(MediaTimeMs(0), |s| s.start);
        (start, stamp(frames.end.saturating_sub(1)).map_or(start, |s| s.end))
    }

    /// Stamps belong to frames that the scorer still has: not to one that it refused, nor to those before a new beginning.
    fn forget_lost_stamps(&mut self) {
        let frames = self.scorer.frames();
        self.first_kept = self.first_kept.min(frames);
        let kept = usize::try_from(frames - self.first_kept).unwrap_or(usize::MAX);
        self.stamps.truncate(kept);
    }

    /// No clip reaches back further than the longest clip has frames.
    fn forget_old_stamps(&mut self) {
        while self.stamps.len() > usize::from(vad_core::clip::MAX_CLIP_FRAMES) {
            self.stamps.pop_front();
            self.first_kept += 1;
        }
    }
}
