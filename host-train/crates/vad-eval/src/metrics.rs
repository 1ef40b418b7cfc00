//! Frame-level metrics, exact with ties.
//!
//! Let `P` and `N` be the numbers of abnormal and normal frames. Walking down the distinct scores, `TP` and `FP` count
//! the abnormal and normal frames at or above the current one; `recall R = TP / P`, `precision p = TP / (TP + FP)`.
//!
//! ```text
//! roc_auc           = (1 / P N) sum over groups of fp_g (TP_before + tp_g / 2)       ties count half
//! average_precision = sum_n (R_n - R_{n-1}) p_n                                      step-wise
//! pr_auc_trapezoid  = sum_n (R_n - R_{n-1}) (p_n + p_{n-1}) / 2, p_0 = 1             what papers on XD-Violence call AP
//! far(t)            = FP at score > t (strictly) / N
//! score_gap         = mean(score | abnormal) - mean(score | normal)
//! rmse              = sqrt(mean((score - label)^2))
//! ```
//!
//! The two areas under the PR curve differ by up to several points on the same scores; both are given, each by name.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ranking::{Ranking, Score};

/// Threshold of the false-alarm rate that the papers print; a score must exceed it.
pub const FAR_THRESHOLD: f64 = 0.5;

/// Why scores and labels cannot be compared.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum MetricsError {
    /// Different numbers of scores and labels.
    #[error("{scores} scores but {labels} labels: align them first")]
    Length {
        /// Number of scores.
        scores: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A score that is NaN or infinite.
    #[error("the score of frame {frame} is {score}; a score must be finite")]
    NotFinite {
        /// Index of the first such score.
        frame: usize,
        /// Its value.
        score: f64,
    },
}

/// All frame-level figures of one set of scores. `None` = undefined for these labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameMetrics {
    /// Frames compared.
    pub frames: u64,
    /// Abnormal frames among them.
    pub abnormal_frames: u64,
    /// Area under the ROC curve, 0 to 1.
    pub roc_auc: Option<f64>,
    /// Area under the precision-recall curve by the trapezoidal rule, 0 to 1.
    pub pr_auc_trapezoid: Option<f64>,
    /// Step-wise average precision, 0 to 1.
    pub average_precision: Option<f64>,
    /// Share of all normal frames with a score above [`FAR_THRESHOLD`].
    pub far_05: Option<f64>,
    /// Mean score of abnormal frames minus that of normal ones.
    pub score_gap: Option<f64>,
    /// Root mean square of score minus label.
    pub rmse: Option<f64>,
}

impl FrameMetrics {
    /// Computes every figure; O(n log n).
    ///
    /// # Errors
    /// [`MetricsError`], when the lengths differ or a score is not finite.
    pub fn compute<S: Score>(scores: &[S], labels: &[bool]) -> Result<Self, MetricsError> {
        if scores.len() != labels.len() {
            return Err(MetricsError::Length { scores: scores.len(), labels: labels.len() });
        }
        if let Some(frame) = scores.iter().position(|score| !score.to_f64().is_finite()) {
            return Err(MetricsError::NotFinite { frame, score: scores[frame].to_f64() });
        }
        let areas = Areas::ranked(scores, labels).unwrap_or_default();
        Ok(Self {
            frames: labels.len() as u64,
            abnormal_frames: labels.iter().filter(|&&label| label).count() as u64,
            roc_auc: areas.roc_auc,
            pr_auc_trapezoid: areas.pr_auc_trapezoid,
            average_precision: areas.average_precision,
            far_05: far(scores, labels, FAR_THRESHOLD),
            score_gap: score_gap(scores, labels),
            rmse: rmse(scores, labels),
        })
    }

    /// Normal frames among those compared.
    pub fn normal_frames(&self) -> u64 {
        self.frames - self.abnormal_frames
    }
}

/// Area under the ROC curve; ties count half. `None` without a frame of each class, or when the input cannot be ranked
/// (different lengths, a NaN). Exact up to the last division.
pub fn roc_auc<S: Score>(scores: &[S], labels: &[bool]) -> Option<f64> {
    Areas::ranked(scores, labels)?.roc_auc
}

/// Area under the precision-recall curve by the trapezoidal rule, from the point (0, 1) on. `None` without an abnormal
/// frame, or when the input cannot be ranked.
pub fn pr_auc_trapezoid<S: Score>(scores: &[S], labels: &[bool]) -> Option<f64> {
    Areas::ranked(scores, labels)?.pr_auc_trapezoid
}

/// Step-wise average precision. `None` without an abnormal frame, or when the input cannot be ranked.
pub fn average_precision<S: Score>(scores: &[S], labels: &[bool]) -> Option<f64> {
    Areas::ranked(scores, labels)?.average_precision
}

/// Share of normal frames whose score exceeds `threshold` strictly. `None` without a normal frame, or when the input
/// cannot be ranked. Over the frames of normal videos alone it is the figure of MIST's test script.
pub fn far<S: Score>(scores: &[S], labels: &[bool], threshold: f64) -> Option<f64> {
    check(scores, labels)?;
    let (mut normal, mut above) = (0_u64, 0_u64);
    for (score, _) in scores.iter().zip(labels).filter(|&(_, &label)| !label) {
        normal += 1;
        above += u64::from(score.to_f64() > threshold);
    }
    (normal > 0).then(|| above as f64 / normal as f64)
}

/// Mean score of abnormal frames minus mean score of normal ones. `None` without a frame of each class, or when the
/// means are not finite.
pub fn score_gap<S: Score>(scores: &[S], labels: &[bool]) -> Option<f64> {
    check(scores, labels)?;
    let mean = |wanted: bool| {
        let mut sum = Sum::default();
        let mut count = 0_u64;
        for (score, _) in scores.iter().zip(labels).filter(|&(_, &label)| label == wanted) {
            sum.add(score.to_f64());
            count += 1;
        }
        (count > 0).then(|| sum.total() / count as f64)
    };
    Some(mean(true)? - mean(false)?).filter(|gap| gap.is_finite())
}

/// Root mean square of score minus label (0 or 1). `None` without frames, or when it is not finite.
pub fn rmse<S: Score>(scores: &[S], labels: &[bool]) -> Option<f64> {
    check(scores, labels)?;
    let mut sum = Sum::default();
    for (score, &label) in scores.iter().zip(labels) {
        sum.add((score.to_f64() - f64::from(u8::from(label))).powi(2));
    }
    Some((sum.total() / labels.len() as f64).sqrt()).filter(|rmse| rmse.is_finite())
}

fn check<S>(scores: &[S], labels: &[bool]) -> Option<()> {
    (scores.len() == labels.len()).then_some(())
}

/// The figures that depend on nothing but the order of the scores. `None` = undefined for these labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Areas {
    /// Area under the ROC curve, 0 to 1.
    pub roc_auc: Option<f64>,
    /// Area under the precision-recall curve by the trapezoidal rule, 0 to 1.
    pub pr_auc_trapezoid: Option<f64>,
    /// Step-wise average precision, 0 to 1.
    pub average_precision: Option<f64>,
}

impl Areas {
    fn ranked<S: Score>(scores: &[S], labels: &[bool]) -> Option<Self> {
        let ranking = Ranking::new(scores, labels)?;
        let mut walk = Walk::new(ranking.abnormal(), ranking.normal());
        ranking.groups().for_each(|group| walk.add(group.abnormal, group.normal));
        Some(walk.areas())
    }
}

/// A walk down groups of equal scores, highest first.
pub(crate) struct Walk {
    abnormal: u64,
    normal: u64,
    tp: u64,
    taken: u64,
    twice_area: u128,
    trapezoid: Sum,
    steps: Sum,
}

impl Walk {
    /// Over frames of which so many are abnormal and normal.
    pub fn new(abnormal: u64, normal: u64) -> Self {
        let (trapezoid, steps) = (Sum::default(), Sum::default());
        Self { abnormal, normal, tp: 0, taken: 0, twice_area: 0, trapezoid, steps }
    }

    /// Takes the frames of the next group; none change nothing.
    pub fn add(&mut self, abnormal: u64, normal: u64) {
        self.twice_area += u128::from(normal) * u128::from(2 * self.tp + abnormal);
        // Without abnormal frames the recall stands still, and no area is added.
        if abnormal > 0 {
            let before = if self.taken == 0 { 1.0 } else { self.tp as f64 / self.taken as f64 };
            let precision = (self.tp + abnormal) as f64 / (self.taken + abnormal + normal) as f64;
            let recall_step = abnormal as f64 / self.abnormal as f64;
            self.trapezoid.add(recall_step * (precision + before) / 2.0);
            self.steps.add(recall_step * precision);
        }
        self.tp += abnormal;
        self.taken += abnormal + normal;
    }

    /// The areas, when all groups were added.
    pub fn areas(&self) -> Areas {
        let pairs = 2 * u128::from(self.abnormal) * u128::from(self.normal);
        Areas {
            roc_auc: (pairs > 0).then(|| self.twice_area as f64 / pairs as f64),
            pr_auc_trapezoid: (self.abnormal > 0).then(|| self.trapezoid.total()),
            average_precision: (self.abnormal > 0).then(|| self.steps.total()),
        }
    }
}

/// Compensated sum (Neumaier): a million frames must not cost the last digits.
#[derive(Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let total = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - total) + value
        } else {
            (value - total) + self.sum
        };
        self.sum = total;
    }

    fn total(&self) -> f64 {
        self.sum + self.lost
    }
}
