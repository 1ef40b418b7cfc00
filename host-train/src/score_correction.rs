//! Snippet scores times the probability that the video is abnormal at all (after MSL, AAAI 2022), which flattens normal
//! videos.
//!
//! ARMS has no output for a whole video, so its probability is read off its snippets. It needs the whole video: a board that
//! raises alarms while a camera runs cannot correct.

use serde::{Deserialize, Serialize};

/// What counts as the probability of a video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScoreCorrection {
    /// Scores stay as they are.
    #[default]
    None,
    /// The highest score.
    Max,
    /// The mean score (eq 3 of ARMS).
    Mean,
}

impl ScoreCorrection {
    /// Corrects the scores of one video.
    pub fn apply(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Self::None => scores.to_vec(),
            Self::Max => scaled(scores, scores.iter().copied().fold(0.0, f64::max)),
            Self::Mean => scaled(scores, scores.iter().sum::<f64>() / scores.len().max(1) as f64),
        }
    }
}

/// Every score times the probability of its video.
pub fn scaled(scores: &[f64], probability: f64) -> Vec<f64> {
    scores.iter().map(|score| score * probability).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_score_rises_and_their_order_stays(scores in proptest::collection::vec(0.0_f64..=1.0, 0..30)) {
            for rule in [ScoreCorrection::None, ScoreCorrection::Max, ScoreCorrection::Mean] {
                let corrected = rule.apply(&scores);
                prop_assert_eq!(corrected.len(), scores.len());
                prop_assert!(corrected.iter().zip(&scores).all(|(after, before)| *after <= *before * (1.0 + 1e-12)));
                for index in 1..scores.len() {
                    let (a, b) = (index - 1, index);
                    prop_assert!(scores[a] > scores[b] || corrected[a] <= corrected[b]);
                }
            }
        }
    }
}
