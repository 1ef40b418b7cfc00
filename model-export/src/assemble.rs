//! Weights files to a bundle folder.

use std::path::Path;

use model_bundle::{Bundle, BundleDraft};
use vad_core::ModelSpec;
use vad_infer::{Attention, Encoder, Head};

use crate::{EncoderPrecision, ExportError, attention_onnx, encoder_onnx_in, head_onnx};

/// What the manifest says beside the model itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BundleFacts {
    /// Version of this model, growing with each release of the same name.
    pub version: u64,
    /// Lowest version a board may fall back to once this bundle passed its trial.
    pub rollback_index: u64,
    /// Boards allowed to load it; empty means any board.
    pub boards: Vec<String>,
    /// Replace a bundle that is already there.
    pub overwrite: bool,
}

/// The files that a bundle is made from.
#[derive(Debug, Clone, Copy)]
pub struct BundleSources<'a> {
    /// Weights of the encoder, safetensors.
    pub encoder: &'a Path,
    /// Numbers of its layers.
    pub precision: &'a EncoderPrecision,
    /// Weights of the head, safetensors.
    pub head: &'a Path,
    /// Weights of the attention, safetensors; where the spec describes one.
    pub attention: Option<&'a Path>,
}

/// Exports the graphs, loads them as the board would, and writes the bundle folder.
///
/// The graphs are named after the model; nothing is written when one fails to load.
///
/// # Errors
/// Any [`ExportError`]: unreadable or unfitting weights, a graph the runtime refuses, a folder that
/// exists already.
pub fn bundle(
    spec: &ModelSpec,
    sources: BundleSources<'_>,
    out_dir: &Path,
    facts: &BundleFacts,
) -> Result<Bundle, ExportError> {
    let encoder = encoder_onnx_in(&read(sources.encoder)?, spec, sources.precision)?;
    let head = head_onnx(&read(sources.head)?, spec)?;
    let loaded = Encoder::from_onnx(&encoder, "encoder.onnx", spec)?;
    Head::from_onnx(&head, "head.onnx", spec)?;
    let attention = sources.attention.map(|path| attention_onnx(&read(path)?, spec)).transpose()?;
    if let Some(attention) = &attention {
        Attention::from_onnx(attention, "attention.onnx", spec, &loaded)?;
    }
    let draft = BundleDraft {
        name: spec.name.clone(),
        version: facts.version,
        rollback_index: facts.rollback_index,
        boards: facts.boards.clone(),
        model: spec.clone(),
        encoder,
        head,
        attention,
        overwrite: facts.overwrite,
    };
    Ok(model_bundle::write(out_dir, draft)?)
}

fn read(path: &Path) -> Result<Vec<u8>, ExportError> {
    std::fs::read(path).map_err(|source| ExportError::ReadWeights { path: path.to_owned(), source })
}
