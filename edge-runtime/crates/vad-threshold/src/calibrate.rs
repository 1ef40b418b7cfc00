//! The raise threshold for "at most N false alarms per camera-day", from normal footage alone.
//!
//! Every candidate threshold is tried by replaying the board's score tracker on the normal videos, so that smoothing,
//! hysteresis, minimum duration and cool-down count as they will on the board. Each alarm is false, because the footage
//! is normal. The number of alarms need not fall steadily as the threshold rises (a lower threshold can melt two alarms
//! into one), so the choice is the lowest threshold *above which every candidate* keeps the goal.
//! Candidates lie half-way between neighbouring scores, and one half-way from the greatest normal score to 1: where no
//! alarm is allowed, this last one leaves equal room on both sides, because nothing is known about abnormal scores.
//!
//! # What short footage cannot say
//!
//! In `D` camera-days the goal of `N` per day allows `floor(N D)` alarms. When none is seen, the true rate is below
//! `3 / D` per day with 95 % confidence (the rule of three) and nothing better is known: to show "at most one per
//! camera-day", three normal camera-days without an alarm are needed. [`ThresholdChoice::upper95_per_camera_day`] and
//! [`ThresholdChoice::is_shown`] state this with every choice; ten minutes of footage show no more than 432 per day.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vad_core::{ScoreSpec, SpecError};

use crate::poisson;
use crate::track::ScoreTrack;

const MS_PER_DAY: f64 = 86_400_000.0;
/// Of more candidates every so many-th is tried first, and then each between the last that keeps the goal and the first that does not.
const FIRST_TRIES: usize = 1_024;

/// Why no threshold could be chosen.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CalibrateError {
    /// The goal is not a rate.
    #[error("the goal is {0} false alarms per camera-day; it must be 0 or a positive number")]
    Goal(f64),
    /// There is nothing to choose from.
    #[error(
        "no normal footage with scores: a threshold is chosen from normal videos alone, so hold some back"
    )]
    NoFootage,
    /// Even the highest threshold raises too many alarms.
    #[error(
        "normal footage scores up to {highest_score}, so that even the highest threshold raises {alarms} alarms where {allowed} \
         are allowed: the model calls normal footage abnormal; train it on more of it, or smooth longer"
    )]
    Unreachable {
        /// Greatest smoothed score.
        highest_score: f32,
        /// Alarms at the highest threshold tried.
        alarms: u64,
        /// Alarms that the goal allows.
        allowed: u64,
    },
    /// The other fields of the score spec are out of range.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// A chosen threshold and what the footage shows about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdChoice {
    /// Smoothed scores at or above this raise, 0 to 1.
    pub raise_threshold: f32,
    /// Smoothed scores below this clear; in the same proportion to `raise_threshold` as before.
    pub clear_threshold: f32,
    /// The goal.
    pub goal_per_camera_day: f64,
    /// Alarms on the normal footage at this threshold.
    pub false_alarms: u64,
    /// Length of the normal footage, in camera-days.
    pub normal_camera_days: f64,
    /// Upper end of the one-sided 95 % confidence interval of the rate.
    pub upper95_per_camera_day: f64,
}

impl ThresholdChoice {
    /// The rate seen.
    pub fn false_alarms_per_camera_day(&self) -> f64 {
        self.false_alarms as f64 / self.normal_camera_days
    }

    /// Whether the footage shows the goal with 95 % confidence, and not only fails to contradict it.
    pub fn is_shown(&self) -> bool {
        self.upper95_per_camera_day <= self.goal_per_camera_day
    }

    /// Normal camera-days without any alarm that would show the goal; infinite for the goal 0.
    pub fn camera_days_needed(&self) -> f64 {
        poisson::upper95(0) / self.goal_per_camera_day
    }

    /// The choice and its limits in plain words.
    pub fn explain(&self) -> String {
        let seen = format!(
            "raise threshold {:.4}: {} alarms in {} of normal footage, so at most {} per camera-day with 95 % confidence",
            self.raise_threshold,
            self.false_alarms,
            duration_text(self.normal_camera_days),
            rate_text(self.upper95_per_camera_day),
        );
        if self.is_shown() {
            return format!("{seen}; the goal of {} is shown", rate_text(self.goal_per_camera_day));
        }
        if self.goal_per_camera_day == 0.0 {
            return format!("{seen}; no footage can show a rate of zero");
        }
        format!(
            "{seen}; the goal of {} is not contradicted but not shown either: that takes {} without an alarm",
            rate_text(self.goal_per_camera_day),
            duration_text(self.camera_days_needed()),
        )
    }

    /// `spec` with the chosen thresholds.
    pub fn apply_to(&self, spec: &ScoreSpec) -> ScoreSpec {
        ScoreSpec {
            raise_threshold: self.raise_threshold,
            clear_threshold: self.clear_threshold,
            ..spec.clone()
        }
    }
}

/// Chooses the lowest raise threshold that keeps `goal_per_camera_day` on the normal footage `normal`. Calibration,
/// smoothing and times are those of `spec`; the clear threshold keeps its proportion.
///
/// # Errors
/// [`CalibrateError`], when the goal is no rate, there is no footage, or no threshold keeps the goal.
pub fn choose_threshold(
    normal: &[ScoreTrack],
    spec: &ScoreSpec,
    goal_per_camera_day: f64,
) -> Result<ThresholdChoice, CalibrateError> {
    if !goal_per_camera_day.is_finite() || goal_per_camera_day < 0.0 {
        return Err(CalibrateError::Goal(goal_per_camera_day));
    }
    let scores = smoothed_scores(normal, spec)?;
    let days = normal.iter().map(|track| track.duration_ms as f64).sum::<f64>() / MS_PER_DAY;
    let Some(&highest_score) = scores.last().filter(|_| days > 0.0) else {
        return Err(CalibrateError::NoFootage);
    };
    let allowed = (goal_per_camera_day * days).floor() as u64;
    let falling: Vec<f32> = candidates(&scores).into_iter().rev().collect();
    let alarms_at = |raise_threshold| count_alarms(normal, &with_threshold(spec, raise_threshold));
    let step = falling.len().div_ceil(FIRST_TRIES).max(1);
    let mut chosen = None;
    for at in (0..falling.len()).step_by(step) {
        let alarms = alarms_at(falling[at])?;
        if alarms > allowed {
            break;
        }
        chosen = Some((at, alarms));
    }
    let Some((coarse, alarms)) = chosen else {
        let alarms = falling.first().map_or(Ok(0), |&highest| alarms_at(highest))?;
        return Err(CalibrateError::Unreachable { highest_score, alarms, allowed });
    };
    let (mut lowest, mut false_alarms) = (coarse, alarms);
    for (at, &raise_threshold) in falling.iter().enumerate().skip(coarse + 1).take(step - 1) {
        let alarms = alarms_at(raise_threshold)?;
        if alarms > allowed {
            break;
        }
        (lowest, false_alarms) = (at, alarms);
    }
    let spec = with_threshold(spec, falling[lowest]);
    Ok(ThresholdChoice {
        raise_threshold: spec.raise_threshold,
        clear_threshold: spec.clear_threshold,
        goal_per_camera_day,
        false_alarms,
        normal_camera_days: days,
        upper95_per_camera_day: poisson::upper95(false_alarms) / days,
    })
}

/// The distinct smoothed scores of all tracks, rising.
fn smoothed_scores(tracks: &[ScoreTrack], spec: &ScoreSpec) -> Result<Vec<f32>, SpecError> {
    let mut scores = Vec::new();
    for track in tracks {
        let steps = track.replay(spec)?.steps;
        scores.extend(steps.iter().filter(|step| !step.calibrated.is_nan()).map(|step| step.smoothed));
    }
    scores.sort_unstable_by(f32::total_cmp);
    scores.dedup();
    Ok(scores)
}

/// Thresholds between neighbouring scores, and one above the highest where there is room; rising.
fn candidates(scores: &[f32]) -> Vec<f32> {
    let mut between: Vec<f32> = scores.windows(2).map(|pair| above(pair[0], pair[1])).collect();
    between.extend(scores.last().filter(|&&highest| highest < 1.0).map(|&highest| above(highest, 1.0)));
    between
}

/// Half-way from `low` to `high`, but above `low`.
fn above(low: f32, high: f32) -> f32 {
    let middle = low + (high - low) / 2.0;
    if middle > low { middle } else { high }
}

fn with_threshold(spec: &ScoreSpec, raise_threshold: f32) -> ScoreSpec {
    let share = if spec.raise_threshold > 0.0 { spec.clear_threshold / spec.raise_threshold } else { 1.0 };
    let clear_threshold = (raise_threshold * share).clamp(0.0, raise_threshold);
    ScoreSpec { raise_threshold, clear_threshold, ..spec.clone() }
}

fn count_alarms(tracks: &[ScoreTrack], spec: &ScoreSpec) -> Result<u64, SpecError> {
    let mut alarms = 0;
    for track in tracks {
        alarms += track.replay(spec)?.alarms.len() as u64;
    }
    Ok(alarms)
}

/// A length of time in words, given in days.
pub fn duration_text(camera_days: f64) -> String {
    match camera_days * 86_400.0 {
        seconds if !seconds.is_finite() => "an endless time".to_owned(),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7_200.0 => format!("{:.1} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{camera_days:.1} days"),
    }
}

/// A rate in words.
pub fn rate_text(per_day: f64) -> String {
    match per_day {
        rate if rate >= 1_000.0 => format!("{:.1} thousand", rate / 1_000.0),
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate if rate >= 10.0 || rate == 0.0 => format!("{rate:.1}"),
        rate => format!("{rate:.2}"),
    }
}
