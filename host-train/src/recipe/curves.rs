//! What a training run records as it goes, and what it selects by.

use serde::{Deserialize, Serialize};

use crate::recipe::system::Losses;

/// Margin of the hinge over validation videos: scores lie in 0..=1.
const MARGIN: f32 = 1.0;

/// The losses of one training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainPoint {
    /// Steps done, from 1.
    pub step: u64,
    /// What was minimised.
    pub loss: f32,
    /// Its parts before weighting, in the order of [`Curves::parts`].
    pub parts: Vec<f32>,
    /// Common norm of all gradients before clipping.
    pub grad_norm: f32,
}

/// One look at the validation videos, by their video-level labels only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValPoint {
    /// Steps done, from 1.
    pub step: u64,
    /// ROC AUC of the bag scores, 0..=1.
    pub auc: f32,
    /// Mean hinge over all pairs of validation videos.
    pub loss: f32,
}

/// Everything recorded up to some step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Names of the parts of the loss.
    pub parts: Vec<String>,
    /// One point per step.
    pub train: Vec<TrainPoint>,
    /// One point per look at the validation split; empty without one.
    pub validation: Vec<ValPoint>,
}

/// Which weights became the model, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Selection {
    /// The best point on the validation split.
    Validation(ValPoint),
    /// The last step.
    Last {
        /// Steps done.
        step: u64,
        /// Why not by validation.
        reason: String,
    },
}

impl Selection {
    /// Whether the weights are those of the last step that was recorded.
    pub fn is_last_of(&self, curves: &Curves) -> bool {
        match self {
            Self::Validation(point) => point.step == curves.train.len() as u64,
            Self::Last { .. } => true,
        }
    }
}

impl Curves {
    pub(crate) fn record(&mut self, step: u64, losses: &Losses) -> TrainPoint {
        if self.parts.is_empty() {
            self.parts = losses.parts.iter().map(|(name, _)| (*name).to_owned()).collect();
        }
        let parts = losses.parts.iter().map(|(_, part)| *part).collect();
        let point = TrainPoint { step, loss: losses.total, parts, grad_norm: losses.grad_norm };
        self.train.push(point.clone());
        point
    }
}

impl ValPoint {
    /// Whether this point is preferred to an earlier one: higher AUC, or equal AUC and lower loss.
    pub fn beats(&self, earlier: &Self) -> bool {
        self.auc > earlier.auc || (self.auc == earlier.auc && self.loss < earlier.loss)
    }
}

/// A bag's score: the mean of its `topk` highest clip scores (of all, if it has fewer).
pub fn bag_score(clip_scores: &[f32], topk: usize) -> f32 {
    let mut sorted = clip_scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let k = topk.clamp(1, sorted.len().max(1));
    sorted.iter().take(k).map(|score| f64::from(*score)).sum::<f64>() as f32 / k as f32
}

/// Compares bag scores of abnormal and normal videos; `None` unless both occur. `step` is copied into the point.
pub fn compare_bags(step: u64, normal: &[f32], abnormal: &[f32]) -> Option<ValPoint> {
    let pairs = (normal.len() * abnormal.len()) as f64;
    if pairs == 0.0 {
        return None;
    }
    let (mut above, mut hinge) = (0.0_f64, 0.0_f64);
    for low in normal {
        for high in abnormal {
            above += if high > low {
                1.0
            } else if high == low {
                0.5
            } else {
                0.0
            };
            hinge += f64::from((MARGIN - high + low).max(0.0));
        }
    }
    Some(ValPoint { step, auc: (above / pairs) as f32, loss: (hinge / pairs) as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_can_be_the_selected_one_either_way() {
        let point = |step| TrainPoint { step, loss: 1.0, parts: Vec::new(), grad_norm: 1.0 };
        let curves = Curves { train: vec![point(1), point(2)], ..Curves::default() };
        let by_validation = |step| Selection::Validation(ValPoint { step, auc: 1.0, loss: 0.5 });
        assert!(by_validation(2).is_last_of(&curves) && !by_validation(1).is_last_of(&curves));
        assert!(Selection::Last { step: 2, reason: String::new() }.is_last_of(&curves));
    }

    #[test]
    fn ties_count_half() {
        let point = compare_bags(1, &[0.2, 0.5], &[0.5, 0.9]).unwrap();
        assert_eq!(point.auc, 3.5 / 4.0);
        assert!((point.loss - (0.7 + 0.3 + 1.0 + 0.6) / 4.0).abs() < 1e-6);
        assert!(compare_bags(1, &[], &[0.5]).is_none());
    }

    #[test]
    fn a_bag_shorter_than_topk_uses_all_its_clips() {
        assert_eq!(bag_score(&[0.25, 0.75], 7), 0.5);
        assert_eq!(bag_score(&[0.25, 0.75, 0.5], 1), 0.75);
    }
}
