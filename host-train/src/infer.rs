//! Scores the clips of a video with a trained detector.

use thiserror::Error;
use vad_core::HeadSpec;
use vad_data::{Features, Label};

use crate::bag::{BagError, BagSet};
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
