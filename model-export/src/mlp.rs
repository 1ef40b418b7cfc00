//! The scoring head: three linear layers with one ReLU and a sigmoid.
//!
//! `score = sigmoid(W5 (W3 relu(W0 x + b0) + b3) + b5)`: as in the reference there is no activation
//! between the last two layers, and dropout does nothing in inference.

use vad_core::{HeadKind, ModelSpec};

use crate::ExportError;
use crate::onnx::{GraphBuilder, int};
use crate::weights::Weights;

/// Index of each linear layer inside the trainer's sequential module.
const LAYERS: [usize; 3] = [0, 3, 5];

/// Builds the head graph: `[1, D]` feature to `[1, 1]` score in 0..=1.
///
/// `weights_safetensors` holds `regressor.{0,3,5}.weight` as `[out, in]` and `.bias` as `[out]`;
/// the sizes come from `spec.head.dims`.
///
/// # Errors
/// A missing, misshapen or non-finite tensor; a head that is not three layers ending in one score, or looks at several clips.
pub fn mlp_onnx(weights_safetensors: &[u8], spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    spec.validate()?;
    if spec.head.kind == HeadKind::Temporal {
        return Err(ExportError::Unsupported {
            what: "a head that looks at several clips".to_owned(),
            remedy: "train a recipe whose detector scores clips one by one, such as mist".to_owned(),
        });
    }
    let dims = head_dims(spec)?;
    let weights = Weights::parse(weights_safetensors)?;
    let mut graph = GraphBuilder::new("mlp");
    let mut x = graph.input("feature", &[1, dims[0]]);
    for (layer, pair) in LAYERS.into_iter().zip(dims.windows(2)) {
        x = linear(&mut graph, &weights, layer, &x, pair[0], pair[1])?;
        if layer == LAYERS[0] {
            x = graph.node("Relu", format!("regressor.{layer}.relu"), &[&x], vec![]);
        }
    }
    let score = graph.node("Sigmoid", "score".to_owned(), &[&x], vec![]);
    graph.output(&score, &[1, 1]);
    Ok(graph.into_bytes())
}

fn head_dims(spec: &ModelSpec) -> Result<Vec<usize>, ExportError> {
    let dims: Vec<usize> = spec.head.dims.iter().map(|&d| d as usize).collect();
    let fits = dims.len() == LAYERS.len() + 1
        && dims.last() == Some(&1)
        && dims.first() == Some(&(spec.encoder.feature_dim as usize))
        && dims.iter().all(|&d| d > 0);
    if fits {
        return Ok(dims);
    }
    Err(ExportError::Unsupported {
        what: format!("a head of sizes {dims:?}"),
        remedy: format!("give [{}, a, b, 1]: three layers, one score", spec.encoder.feature_dim),
    })
}

fn linear(
    graph: &mut GraphBuilder,
    weights: &Weights<'_>,
    layer: usize,
    x: &str,
    inputs: usize,
    outputs: usize,
) -> Result<String, ExportError> {
    let unit = format!("regressor.{layer}");
    let weight_name = format!("{unit}.weight");
    let bias_name = format!("{unit}.bias");
    let weight = weights.floats(&weight_name, &[outputs, inputs])?;
    let bias = weights.floats(&bias_name, &[outputs])?;
    let weight = graph.floats(weight_name, &[outputs, inputs], &weight);
    let bias = graph.floats(bias_name, &[outputs], &bias);
    Ok(graph.node("Gemm", unit, &[x, &weight, &bias], vec![int("transB", 1)]))
}
