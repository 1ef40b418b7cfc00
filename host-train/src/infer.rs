//! Scores the clips of a video with a trained detector.

use thiserror::Error;
use vad_core::HeadSpec;
use vad_data::{Features, Label};

use crate::bag::{BagError, BagSet};
use crate::on_board::{OnBoardError, on_board};
use crate::recipe::system::Detector;

/// Why features cannot be scored.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ScoreError {
    /// The features are not of the width that the detector takes.
    #[error(
        "the features are {features} wide, this detector takes {detector}: was it trained on another encoder?"
    )]
    Width {
        /// Width found.
        features: usize,
        /// Width of the detector's input.
        detector: usize,
    },
    /// The features themselves are broken.
    #[error(transparent)]
    Features(#[from] BagError),
    /// A score came out as not a number.
    #[error("clip {clip}: the score is not a number; its features or the weights are broken")]
    NotFinite {
        /// The clip, from 0.
        clip: usize,
    },
}

/// A detector with the checks that outside data need.
pub struct Scorer(Box<dyn Detector>);

impl Scorer {
    /// Takes any detector.
    pub fn new(detector: impl Detector + 'static) -> Self {
        Self(Box::new(detector))
    }

    /// The same as a board runs it ([`on_board`]).
    ///
    /// # Errors
    /// As there.
    pub fn on_board(self, window: Option<u16>) -> Result<Self, OnBoardError> {
        on_board(self.0, window).map(Self)
    }

    /// Its description for exporter and board.
    pub fn head(&self) -> HeadSpec {
        self.0.head()
    }

    /// Scores a video's features; the result is `[clips]`, each within 0..=1.
    ///
    /// # Errors
    /// When the features do not fit or are broken, or a score is not a number.
    pub fn score_video(&self, id: &str, features: &Features) -> Result<Vec<f32>, ScoreError> {
        let detector = self.0.feature_dim();
        if features.dim != detector {
            return Err(ScoreError::Width { features: features.dim, detector });
        }
        let mut video = BagSet::default();
        video.push_features(id, Label::Normal, features)?;
        let scores = self.0.score(&video).concat();
        match scores.iter().position(|score| !score.is_finite()) {
            Some(clip) => Err(ScoreError::NotFinite { clip }),
            None => Ok(scores),
        }
    }
}

impl From<Box<dyn Detector>> for Scorer {
    fn from(detector: Box<dyn Detector>) -> Self {
        Self(detector)
    }
}

#[cfg(test)]
mod tests {
    use vad_core::HeadKind;

    use super::*;

    /// Gives every clip the same score.
    struct Fixed(f32);

    impl Detector for Fixed {
        fn feature_dim(&self) -> usize {
            4
        }

        fn head(&self) -> HeadSpec {
            HeadSpec::per_clip(HeadKind::Mlp, vec![4, 1])
        }

        fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
            bags.bags.iter().map(|bag| vec![self.0; bag.clips]).collect()
        }
    }

    fn features(dim: usize) -> Features {
        let values = vec![0.5; 2 * dim];
        Features { dim, crops: 1, spans: Vec::new(), values, frames: 32, frame_rate_hz: 25.0 }
    }

    #[test]
    fn features_of_another_width_are_refused_before_anything_is_computed() {
        let error = Scorer::new(Fixed(0.5)).score_video("a", &features(6)).unwrap_err();
        assert_eq!(error, ScoreError::Width { features: 6, detector: 4 });
        assert!(error.to_string().contains("another encoder"), "{error}");
    }

    #[test]
    fn a_score_that_is_no_number_is_refused() {
        assert_eq!(Scorer::new(Fixed(0.5)).score_video("a", &features(4)), Ok(vec![0.5; 2]));
        let error = Scorer::new(Fixed(f32::NAN)).score_video("a", &features(4)).unwrap_err();
        assert_eq!(error, ScoreError::NotFinite { clip: 0 });
    }
}
