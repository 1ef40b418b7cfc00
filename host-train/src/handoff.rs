//! What the trainer hands to the exporter: `head.safetensors` and `model.json`, and nothing of burn.

use std::path::{Path, PathBuf};

use thiserror::Error;
use vad_core::ModelSpec;

use crate::atomic_file::{self, WriteError};
use crate::tensors::{self, Arrays, TensorsError};

/// Why a handoff cannot be written or read.
#[derive(Debug, Error)]
pub enum HandoffError {
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] TensorsError),
    /// The spec cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The spec cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Head and encoder do not fit.
    #[error("the head takes features of width {head}, but encoder tap {tap} gives {encoder}")]
    Width {
        /// Width of the head's input.
        head: usize,
        /// The encoder's tap.
        tap: String,
        /// Width of the encoder's output.
        encoder: u32,
    },
}

/// Checks that the head takes what the encoder gives.
///
/// # Errors
/// When it does not.
pub fn check_width(spec: &ModelSpec) -> Result<(), HandoffError> {
    let width = spec.head.dims.first().copied().unwrap_or(0);
    if width == spec.encoder.feature_dim {
        return Ok(());
    }
    Err(HandoffError::Width {
        head: width as usize,
        tap: spec.encoder.tap.clone(),
        encoder: spec.encoder.feature_dim,
    })
}

/// Writes the head's weights.
///
/// # Errors
/// When the file cannot be written; an older one is intact then.
pub fn write_head(path: &Path, head: &Arrays) -> Result<(), HandoffError> {
    Ok(tensors::save(path, head, None)?)
}

/// Writes the spec as JSON.
///
/// # Errors
/// When the file cannot be written; an older one is intact then.
pub fn write_spec(path: &Path, spec: &ModelSpec) -> Result<(), HandoffError> {
    let mut text = serde_json::to_string_pretty(spec)
        .map_err(|error| HandoffError::Spec { path: path.to_owned(), reason: error.to_string() })?;
    text.push('\n');
    Ok(atomic_file::write(path, text.as_bytes())?)
}

/// Reads and checks a spec.
///
/// # Errors
/// When it cannot be read, has unknown or missing fields, or a value outside its range.
pub fn read_spec(path: &Path) -> Result<ModelSpec, HandoffError> {
    let fail = |reason: String| HandoffError::Spec { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let spec: ModelSpec = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    spec.validate().map_err(|error| fail(error.to_string()))?;
    Ok(spec)
}
