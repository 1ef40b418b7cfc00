//! The head's graph, whatever its architecture.

use vad_core::{HeadKind, ModelSpec};

use crate::ExportError;
use crate::weights::Weights;

mod arms;
mod mlp;
mod rows;
mod rtfm;

/// Builds the graph of the spec's head from its weights.
///
/// # Shapes
/// What the [context](vad_core::head) says to `[1, 1]`, a score in 0..=1: `[1, D]`, `[1, 2 D]` or `[1, clips, D]`.
///
/// `weights_safetensors` holds the tensors under the names of the trainer, for example `regressor.0.weight` of an MLP,
/// `Regressor.0.weight` of CU's classifier, `0.fc1.weight` of its generator, `Aggregate.conv_1.0.weight` of RTFM and
/// `mha.in_proj_weight` of ARMS; the sizes come from `spec.head.dims`.
///
/// # Errors
/// A spec that contradicts itself; a missing, misshapen or non-finite tensor; a head that only the host runs, or whose
/// `dims` are not those of its kind.
pub fn head_onnx(weights_safetensors: &[u8], spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    spec.validate()?;
    if spec.head.kind == HeadKind::Temporal {
        return Err(ExportError::Unsupported {
            what: "a head that only the host runs".to_owned(),
            remedy: "docs/reference/recipes.md says which settings of which recipe boards run".to_owned(),
        });
    }
    let weights = Weights::parse(weights_safetensors)?;
    match spec.head.kind {
        HeadKind::CuGenerator => mlp::cu_generator(weights, spec),
        HeadKind::CuClassifier => mlp::cu_classifier(weights, spec),
        HeadKind::Rtfm | HeadKind::RtfmCausal => rtfm::onnx(weights, spec),
        HeadKind::Arms => arms::onnx(weights, spec),
        HeadKind::Mlp | HeadKind::UnitLengthMlp | HeadKind::Temporal => mlp::onnx(weights, spec),
    }
}

/// The widths of feature and layers, which must be `layers` and end in one score.
fn dims<const N: usize>(spec: &ModelSpec) -> Result<[usize; N], ExportError> {
    let dims: Vec<usize> = spec.head.dims.iter().map(|&d| d as usize).collect();
    <[usize; N]>::try_from(dims).map_err(|dims| ExportError::Unsupported {
        what: format!("a head of sizes {dims:?}"),
        remedy: format!(
            "a head of this kind has {} layers: the sizes are {}, those of the layers between, and 1",
            N - 1,
            spec.encoder.feature_dim
        ),
    })
}
