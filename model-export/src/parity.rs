//! Does the exported bundle compute what the trainer computed?

use std::sync::Arc;

use model_bundle::Bundle;
use vad_infer::{Attention, Encoder, Head};

use crate::ExportError;

/// Named bounds of a comparison: `|got - want| <= absolute + relative * |want|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Name printed when it is broken.
    pub name: &'static str,
    /// Share of a feature's reference value.
    pub feature_relative: f32,
    /// Constant part for features.
    pub feature_absolute: f32,
    /// Largest difference of a score (0..=1).
    pub score_absolute: f32,
}

/// For f32 graphs against the f32 trainer: sums in another order, folded normalisation.
pub const EXPORT_F32: Tolerance =
    Tolerance { name: "export-f32", feature_relative: 1e-3, feature_absolute: 1e-3, score_absolute: 1e-4 };

/// Largest difference of an attention (0..=1) from the trainer's: sums in another order.
pub const ATTENTION_ABSOLUTE: f32 = 1e-5;

/// One clip with what the trainer computed from it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceClip {
    /// Preprocessed `[1, 3, T, H, W]` pixels, row-major; `None` compares the head alone.
    pub clip: Option<Vec<f32>>,
    /// The encoder's output, `[D]`.
    pub feature: Vec<f32>,
    /// The head's output for the clip; `None` compares the encoder alone.
    pub score: Option<f32>,
    /// Whether it is the first clip of a stream; the others follow the one before them. It matters to heads that look at
    /// several clips.
    pub begins: bool,
}

/// What the trainer's attention made of one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceAttention {
    /// The map that it reads, `[C, T, h, w]`.
    pub tapped: Vec<f32>,
    /// Its own map, `[rows, columns]`.
    pub attention: Vec<f32>,
}

/// The largest differences found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ParityReport {
    /// Features compared.
    pub features: usize,
    /// Scores compared.
    pub scores: usize,
    /// Largest absolute difference of a feature value.
    pub feature_max_error: f32,
    /// Largest absolute difference of a score.
    pub score_max_error: f32,
}

/// Runs the bundle's graphs on the reference and compares.
///
/// The head is given the reference features, so its error is its own.
///
/// # Errors
/// [`ExportError::Parity`] names the first value out of bounds; an empty or misshapen reference and
/// graphs that do not load or run are errors too.
pub fn check_parity(
    bundle: &Bundle,
    reference: &[ReferenceClip],
    tolerance: &Tolerance,
) -> Result<ParityReport, ExportError> {
    if reference.is_empty() {
        return Err(ExportError::EmptyReference);
    }
    let spec = bundle.model();
    let head = Head::from_onnx(bundle.head(), "head.onnx", spec)?;
    let mut head = Arc::new(head).stream();
    let encoder = bundle.encoder();
    let encoder = Encoder::from_onnx(encoder, "encoder.onnx", spec)?;
    let mut report = ParityReport::default();
    for (clip, want) in reference.iter().enumerate() {
        check_length(clip, "feature", encoder.feature_dim(), want.feature.len())?;
        if let Some(pixels) = &want.clip {
            check_length(clip, "clip", encoder.clip_len(), pixels.len())?;
            let feature = encoder.encode(pixels)?;
            let error = compare_feature(clip, &feature, &want.feature, tolerance)?;
            report.feature_max_error = report.feature_max_error.max(error);
            report.features += 1;
        }
        if want.begins {
            head.reset();
        }
        let found = head.push(&want.feature)?;
        if let Some(expected) = want.score {
            let allowed = tolerance.score_absolute;
            let error = compare(
                Place { clip, quantity: "score", index: 0 },
                found,
                expected,
                allowed,
                tolerance.name,
            )?;
            report.score_max_error = report.score_max_error.max(error);
            report.scores += 1;
        }
    }
    Ok(report)
}

/// Runs the bundle's attention on the maps of the reference; the largest difference.
///
/// # Errors
/// [`ExportError::Parity`] names the first value out of bounds; an empty or misshapen reference, and a bundle without
/// attention or whose attention does not load or run.
pub fn check_attention(bundle: &Bundle, reference: &[ReferenceAttention]) -> Result<f32, ExportError> {
    if reference.is_empty() {
        return Err(ExportError::EmptyReference);
    }
    let spec = bundle.model();
    let encoder = Encoder::from_onnx(bundle.encoder(), "encoder.onnx", spec)?;
    let onnx = bundle.attention().unwrap_or_default();
    let attention = Attention::from_onnx(onnx, "attention.onnx", spec, &encoder)?;
    let mut worst = 0.0_f32;
    for (clip, want) in reference.iter().enumerate() {
        let found = attention.of_map(&want.tapped)?.values;
        check_length(clip, "attention", found.len(), want.attention.len())?;
        for (index, (&found, &expected)) in found.iter().zip(&want.attention).enumerate() {
            let place = Place { clip, quantity: "attention", index };
            worst = worst.max(compare(place, found, expected, ATTENTION_ABSOLUTE, "attention-f32")?);
        }
    }
    Ok(worst)
}

fn check_length(
    clip: usize,
    quantity: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), ExportError> {
    if expected == found {
        return Ok(());
    }
    Err(ExportError::ReferenceLength { clip, quantity, expected, found })
}

fn compare_feature(
    clip: usize,
    found: &[f32],
    expected: &[f32],
    tolerance: &Tolerance,
) -> Result<f32, ExportError> {
    let mut worst = 0.0f32;
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let allowed = tolerance.feature_absolute + tolerance.feature_relative * expected.abs();
        let place = Place { clip, quantity: "feature", index };
        worst = worst.max(compare(place, found, expected, allowed, tolerance.name)?);
    }
    Ok(worst)
}

/// Where a compared value stands.
struct Place {
    clip: usize,
    quantity: &'static str,
    index: usize,
}

fn compare(
    place: Place,
    found: f32,
    expected: f32,
    allowed: f32,
    tolerance: &'static str,
) -> Result<f32, ExportError> {
    let error = (found - expected).abs();
    // A NaN reference compares as out of bounds.
    if error <= allowed {
        return Ok(error);
    }
    Err(ExportError::Parity {
        tolerance,
        clip: place.clip,
        quantity: place.quantity,
        index: place.index,
        found,
        expected,
        allowed,
    })
}
