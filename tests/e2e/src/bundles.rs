//! Bundles whose weights come from a formula: they know nothing, and their scores follow the picture all the same.

use model_export::EncoderPrecision;
use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};
use vad_core::ModelSpec;

#[path = "../../../model-export/tests/common/mod.rs"]
pub mod export;

/// An encoder with a head whose weights come from a formula.
///
/// # Panics
/// When the weights do not fit the spec.
#[must_use]
pub fn bundle(spec: &ModelSpec, weights: &Path, precision: &EncoderPrecision, folder: &Path) -> PathBuf {
    let head = folder.with_extension("head.safetensors");
    std::fs::write(&head, formula_head(&spec.head.dims)).unwrap();
    let sources = model_export::BundleSources { encoder: weights, precision, head: &head, attention: None };
    model_export::bundle(spec, sources, folder, &model_export::BundleFacts::default()).unwrap();
    folder.to_owned()
}

fn formula_head(dims: &[u32]) -> Vec<u8> {
    let mut tensors = Vec::new();
    for (layer, pair) in dims.windows(2).enumerate() {
        let name = ["regressor.0", "regressor.3", "regressor.5"][layer];
        let (inputs, outputs) = (pair[0] as usize, pair[1] as usize);
        let values = (0..inputs * outputs).map(|i| ((i * 37 + 11) % 101) as f32 / 101.0 - 0.5);
        let bytes: Vec<u8> =
            values.flat_map(|value| (value / (inputs as f32).sqrt()).to_le_bytes()).collect();
        tensors.push((format!("{name}.weight"), vec![outputs, inputs], bytes));
        tensors.push((format!("{name}.bias"), vec![outputs], vec![0; outputs * 4]));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}
