//! Parameters of the score semantics.

use serde::{Deserialize, Serialize};

use crate::spec::{SpecError, check_finite, check_range};

/// Longest window of [`Smoothing::Mean`], in clips.
pub const MAX_MEAN_CLIPS: u16 = 1_024;

/// Greatest size of a logistic parameter; it keeps every intermediate value finite.
const MAX_LOGISTIC: f64 = 1_000.0;
/// Longest duration: one day.
const MAX_DURATION_MS: f64 = 86_400_000.0;

/// Map from the raw score to the scale of the thresholds. It never changes the order of scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Calibration {
    /// The raw score itself.
    Identity,
    /// Platt scaling of the raw score's logit.
    Logistic {
        /// Factor of the logit, 0.001 to 1000.
        slope: f32,
        /// Added to it, -1000 to 1000.
        intercept: f32,
    },
}

/// Causal smoothing over clips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Smoothing {
    /// None.
    None,
    /// Exponential moving average.
    Exponential {
        /// Weight of the newest score, over 0 (at least 0.001) to 1.
        alpha: f32,
    },
    /// Mean of the latest scores.
    Mean {
        /// Scores in the mean, 1 to [`MAX_MEAN_CLIPS`].
        clips: u16,
    },
}

/// How raw clip scores become alarm edges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreSpec {
    /// Raw to calibrated score. Default: [`Calibration::Identity`].
    pub calibration: Calibration,
    /// Calibrated to smoothed score. Default: [`Smoothing::None`].
    pub smoothing: Smoothing,
    /// A smoothed score at or above this may raise, 0 to 1. Default: 0.5.
    pub raise_threshold: f32,
    /// A smoothed score below this clears, 0 to `raise_threshold`. Default: 0.4.
    pub clear_threshold: f32,
    /// Time that the score must have stayed at or above `raise_threshold` before an event is
    /// raised, in ms, at most a day. Default: 0.
    pub min_duration_ms: u32,
    /// Time after a clearing in which nothing is raised, in ms, at most a day. Default: 10 000.
    pub cool_down_ms: u32,
    /// Least time between an event's raising and its updates, in ms, at most a day; 0 means no
    /// updates. Default: 5 000.
    pub update_interval_ms: u32,
}

impl Default for ScoreSpec {
    fn default() -> Self {
        Self {
            calibration: Calibration::Identity,
            smoothing: Smoothing::None,
            raise_threshold: 0.5,
            clear_threshold: 0.4,
            min_duration_ms: 0,
            cool_down_ms: 10_000,
            update_interval_ms: 5_000,
        }
    }
}

impl ScoreSpec {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field that is out of its range, by its full name.
    pub fn validate(&self) -> Result<(), SpecError> {
        self.validate_maps()?;
        let raise = f64::from(self.raise_threshold);
        check_range("score.raise_threshold", raise, 0.0..=1.0)?;
        check_range("score.clear_threshold", self.clear_threshold.into(), 0.0..=raise)?;
        let durations = [
            ("score.min_duration_ms", self.min_duration_ms),
            ("score.cool_down_ms", self.cool_down_ms),
            ("score.update_interval_ms", self.update_interval_ms),
        ];
        for (field, duration_ms) in durations {
            check_range(field, duration_ms.into(), 0.0..=MAX_DURATION_MS)?;
        }
        Ok(())
    }

    fn validate_maps(&self) -> Result<(), SpecError> {
        if let Calibration::Logistic { slope, intercept } = self.calibration {
            check_finite("score.calibration.slope", slope)?;
            check_range("score.calibration.slope", slope.into(), 1e-3..=MAX_LOGISTIC)?;
            check_finite("score.calibration.intercept", intercept)?;
            let range = -MAX_LOGISTIC..=MAX_LOGISTIC;
            check_range("score.calibration.intercept", intercept.into(), range)?;
        }
        match self.smoothing {
            Smoothing::None => Ok(()),
            Smoothing::Exponential { alpha } => {
                check_range("score.smoothing.alpha", alpha.into(), 1e-3..=1.0)
            }
            Smoothing::Mean { clips } => {
                let range = 1.0..=f64::from(MAX_MEAN_CLIPS);
                check_range("score.smoothing.clips", clips.into(), range)
            }
        }
    }
}
