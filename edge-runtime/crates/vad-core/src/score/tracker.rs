//! The decision: hysteresis, minimum duration, cool-down.
//!
//! ```text
//!             smoothed >= raise              held min_duration, cooled down / Raised
//!   QUIET ----------------------> CANDIDATE ---------------------------------------> ACTIVE
//!     ^  <----------------------                                                    |   ^ |
//!     |       smoothed < raise                     update interval over / Updated   +---+ |
//!     +-----------------------------------------------------------------------------------+
//!                              smoothed < clear / Cleared, cool-down begins
//! ```

use serde::{Deserialize, Serialize};

use super::ScoreSpec;
use super::smooth::Smoother;
use crate::spec::SpecError;
use crate::units::MediaTimeMs;

/// The raw score of one clip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreSample {
    /// Begin of the clip's first frame.
    pub start: MediaTimeMs,
    /// End of its last frame: the time at which the score stands.
    pub end: MediaTimeMs,
    /// Output of the head; see [`super::Calibration::apply`] for values outside 0 to 1.
    pub raw: f32,
}

/// What one sample led to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreStep {
    /// 0 to 1, or NaN when the raw score was missing.
    pub calibrated: f32,
    /// 0 to 1; the previous value (at first 0) when the raw score was missing.
    pub smoothed: f32,
    /// The edge at this sample, at most one.
    pub edge: Option<AlarmEdge>,
}

/// What happened to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// It began.
    Raised,
    /// It goes on.
    Updated,
    /// It is over.
    Cleared,
}

/// One change of an event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlarmEdge {
    /// What happened.
    pub kind: EdgeKind,
    /// Number of the event, from 1, in the life of its tracker (a reset does not restart it).
    pub event: u32,
    /// Begin of the first clip at or above the raise threshold, but not before the previous
    /// event's clearing.
    pub onset: MediaTimeMs,
    /// End of the clip that decided.
    pub at: MediaTimeMs,
    /// Smoothed score at `at`, 0 to 1.
    pub score: f32,
    /// Greatest smoothed score since the onset, 0 to 1.
    pub peak: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Quiet,
    Candidate { onset: MediaTimeMs, peak: f32 },
    Active { onset: MediaTimeMs, peak: f32, reported_at: MediaTimeMs },
}

/// Follows the scores of one stream and says when events begin, go on and end.
///
/// Clones are snapshots: a clone goes on exactly as its original would have.
#[derive(Debug, Clone)]
pub struct ScoreTracker {
    spec: ScoreSpec,
    smoother: Smoother,
    phase: Phase,
    /// Events raised so far.
    events: u32,
    /// End of the latest sample that counted.
    now: MediaTimeMs,
    smoothed: f32,
    cleared_at: MediaTimeMs,
    cooled_down_at: MediaTimeMs,
}

impl ScoreTracker {
    /// A tracker at the start of a stream.
    ///
    /// # Errors
    ///
    /// Those of [`ScoreSpec::validate`].
    pub fn new(spec: ScoreSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        Ok(Self {
            smoother: Smoother::new(spec.smoothing),
            spec,
            phase: Phase::Quiet,
            events: 0,
            now: MediaTimeMs(0),
            smoothed: 0.0,
            cleared_at: MediaTimeMs(0),
            cooled_down_at: MediaTimeMs(0),
        })
    }

    /// The spec in force.
    #[must_use]
    pub fn spec(&self) -> &ScoreSpec {
        &self.spec
    }

    /// Puts other thresholds in force from the next sample on. No event is lost and none made: one that is active goes on, and
    /// is cleared by the first sample below the new clear threshold.
    ///
    /// # Errors
    ///
    /// Those of [`ScoreSpec::validate`]; nothing is changed then.
    pub fn set_thresholds(&mut self, raise: f32, clear: f32) -> Result<(), SpecError> {
        let spec = ScoreSpec { raise_threshold: raise, clear_threshold: clear, ..self.spec.clone() };
        spec.validate()?;
        self.spec = spec;
        Ok(())
    }

    /// Whether an event is raised and not yet cleared.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active { .. })
    }

    /// Takes the next sample of the stream.
    ///
    /// Samples come in order of `end`. One whose `end` lies before the previous one's counts as
    /// ending with it (media time never runs back within a stream), and a `start` after its `end`
    /// counts as the `end`. A missing raw score changes nothing; see the module's text.
    pub fn push(&mut self, sample: ScoreSample) -> ScoreStep {
        let Some(calibrated) = self.spec.calibration.apply(sample.raw) else {
            return ScoreStep { calibrated: f32::NAN, smoothed: self.smoothed, edge: None };
        };
        self.now = self.now.max(sample.end);
        self.smoothed = self.smoother.push(calibrated);
        let edge = self.decide(sample.start.min(self.now));
        ScoreStep { calibrated, smoothed: self.smoothed, edge }
    }

    /// Ends the stream: an active event is cleared at the end of the latest sample, a candidate is
    /// dropped. The next push begins a new stream.
    pub fn finish(&mut self) -> Option<AlarmEdge> {
        let edge = match self.phase {
            Phase::Active { onset, peak, .. } => Some(self.edge(EdgeKind::Cleared, onset, peak)),
            Phase::Quiet | Phase::Candidate { .. } => None,
        };
        self.reset();
        edge
    }

    /// Forgets the stream: smoothing, time, cool-down and any active event, whose clearing is not
    /// reported (use [`Self::finish`] for that). Event numbers go on.
    pub fn reset(&mut self) {
        self.smoother.reset();
        self.phase = Phase::Quiet;
        self.now = MediaTimeMs(0);
        self.smoothed = 0.0;
        self.cleared_at = MediaTimeMs(0);
        self.cooled_down_at = MediaTimeMs(0);
    }

    fn decide(&mut self, start: MediaTimeMs) -> Option<AlarmEdge> {
        match self.phase {
            Phase::Quiet => {
                let onset = start.max(self.cleared_at);
                self.decide_inactive(onset, 0.0)
            }
            Phase::Candidate { onset, peak } => self.decide_inactive(onset, peak),
            Phase::Active { onset, peak, reported_at } => {
                self.decide_active(onset, peak.max(self.smoothed), reported_at)
            }
        }
    }

    fn decide_inactive(&mut self, onset: MediaTimeMs, peak: f32) -> Option<AlarmEdge> {
        if self.smoothed < self.spec.raise_threshold {
            self.phase = Phase::Quiet;
            return None;
        }
        let peak = peak.max(self.smoothed);
        let held_ms = self.now.ms_since(onset);
        if held_ms < self.spec.min_duration_ms.into() || self.now < self.cooled_down_at {
            self.phase = Phase::Candidate { onset, peak };
            return None;
        }
        self.events = self.events.wrapping_add(1);
        self.phase = Phase::Active { onset, peak, reported_at: self.now };
        Some(self.edge(EdgeKind::Raised, onset, peak))
    }

    fn decide_active(
        &mut self,
        onset: MediaTimeMs,
        peak: f32,
        reported_at: MediaTimeMs,
    ) -> Option<AlarmEdge> {
        if self.smoothed < self.spec.clear_threshold {
            self.phase = Phase::Quiet;
            self.cleared_at = self.now;
            self.cooled_down_at = self.now.plus_ms(self.spec.cool_down_ms.into());
            return Some(self.edge(EdgeKind::Cleared, onset, peak));
        }
        let interval_ms = u64::from(self.spec.update_interval_ms);
        let due = interval_ms > 0 && self.now.ms_since(reported_at) >= interval_ms;
        let reported_at = if due { self.now } else { reported_at };
        self.phase = Phase::Active { onset, peak, reported_at };
        due.then(|| self.edge(EdgeKind::Updated, onset, peak))
    }

    fn edge(&self, kind: EdgeKind, onset: MediaTimeMs, peak: f32) -> AlarmEdge {
        AlarmEdge { kind, event: self.events, onset, at: self.now, score: self.smoothed, peak }
    }
}
