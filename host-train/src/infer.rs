//! Scores the clips of a video with a trained head.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use thiserror::Error;
use vad_data::Features;

use crate::model::mist_generator::MistGenerator;
use crate::tensors::{self, TensorsError};

/// Clips scored at once, which bounds memory on long videos.
const CLIPS_AT_ONCE: usize = 4096;

/// Why features cannot be scored.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ScoreError {
    /// The features are not rows of the width that the head takes.
    #[error(
        "{values} feature values are not rows of {dim}, the width that this head takes: was it trained on another encoder?"
    )]
    Width {
        /// Values found.
        values: usize,
        /// Width of the head's input.
        dim: usize,
    },
    /// A score came out as not a number.
    #[error("clip {clip}: the score is not a number; its features or the weights are broken")]
    NotFinite {
        /// The clip, from 0.
        clip: usize,
    },
}

/// A head in evaluation mode on some device.
#[derive(Debug)]
pub struct HeadScorer {
    head: MistGenerator,
    device: Device,
}

impl HeadScorer {
    /// Takes a head whose weights live on `device` (a plain one, without autodiff).
    pub fn new(head: MistGenerator, device: Device) -> Self {
        Self { head, device }
    }

    /// Loads `head.safetensors` as a run folder holds it.
    ///
    /// # Errors
    /// When the file cannot be read or is not such a head.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TensorsError> {
        let (arrays, _) = tensors::load(path)?;
        let head = MistGenerator::from_arrays(&arrays, &path.display().to_string(), device)?;
        Ok(Self::new(head, device.clone()))
    }

    /// Widths from input to output, for example `[1024, 512, 32, 1]`.
    pub fn dims(&self) -> Vec<usize> {
        self.head.dims()
    }

    /// Scores a table of features `[clips, D]`; the result is `[clips]`, each within 0..=1.
    ///
    /// # Errors
    /// When the table is not made of rows of `D`, or a score is not a number.
    pub fn score(&self, values: &[f32]) -> Result<Vec<f32>, ScoreError> {
        let dim = self.head.feature_dim();
        if dim == 0 || !values.len().is_multiple_of(dim) {
            return Err(ScoreError::Width { values: values.len(), dim });
        }
        let mut scores = Vec::with_capacity(values.len() / dim);
        for part in values.chunks(CLIPS_AT_ONCE * dim) {
            let data = TensorData::new(part.to_vec(), [part.len() / dim, dim]);
            let output = self.head.forward(Tensor::from_data(data, &self.device));
            scores.extend(output.into_data().iter::<f32>());
        }
        match scores.iter().position(|score| !score.is_finite()) {
            Some(clip) => Err(ScoreError::NotFinite { clip }),
            None => Ok(scores),
        }
    }

    /// Scores a video's features.
    ///
    /// # Errors
    /// As [`HeadScorer::score`].
    pub fn score_video(&self, features: &Features) -> Result<Vec<f32>, ScoreError> {
        if features.dim != self.head.feature_dim() {
            return Err(ScoreError::Width { values: features.values.len(), dim: self.head.feature_dim() });
        }
        self.score(&features.values)
    }
}
