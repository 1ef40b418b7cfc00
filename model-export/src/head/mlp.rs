//! Perceptrons: three linear layers with one ReLU and a sigmoid, or one layer and a sigmoid.
//!
//! `score = sigmoid(W5 (W3 relu(W0 x + b0) + b3) + b5)`: as in the references there is no activation
//! between the last two layers, and dropout does nothing in inference. The classifier of a fine-tuned encoder is
//! `sigmoid(W0 x + b0)`.

use vad_core::{HeadKind, ModelSpec};

use super::dims;
use super::rows::{Net, Rows};
use crate::ExportError;
use crate::weights::Weights;

/// The layers of MIST and Sultani inside the trainer's sequential module.
const LAYERS: [&str; 3] = ["regressor.0", "regressor.3", "regressor.5"];
/// Those of CU's classifier.
const CU_LAYERS: [&str; 3] = ["Regressor.0", "Regressor.3", "Regressor.5"];
/// A feature that is shorter has no direction.
const LEAST_LENGTH: f32 = 1e-12;
/// Normal and abnormal.
const CU_CLASSES: usize = 2;

/// `[1, D]` to a score: `regressor.{0,3,5}.weight` as `[out, in]` and `.bias` as `[out]`; `regressor.0` alone where `dims`
/// has but the feature and the score.
pub(super) fn onnx(weights: Weights<'_>, spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    let mut net = Net::new("mlp", weights);
    let mut x = net.input_row(spec.encoder.feature_dim as usize);
    if spec.head.kind == HeadKind::UnitLengthMlp {
        x = unit_length(&mut net, &x);
    }
    if spec.head.dims.len() == 2 {
        let x = net.linear(LAYERS[0], &x, 1)?;
        return Ok(net.score(&x));
    }
    let [_, first, second, _] = dims(spec)?;
    let x = hidden(&mut net, LAYERS, &x, [first, second])?;
    let x = net.linear(LAYERS[2], &x, 1)?;
    Ok(net.score(&x))
}

/// `[1, 2 D]` to a score. The softmax of two classes is the sigmoid of their difference, so the last layer is that of the
/// differences.
pub(super) fn cu_classifier(weights: Weights<'_>, spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    let [dim, first, second, _] = dims(spec)?;
    let mut net = Net::new("cu-classifier", weights);
    let x = net.input_row(2 * dim);
    let x = hidden(&mut net, CU_LAYERS, &x, [first, second])?;
    let unit = CU_LAYERS[2];
    let weight = net.weights.floats(&format!("{unit}.weight"), &[CU_CLASSES, second])?;
    let bias = net.weights.floats(&format!("{unit}.bias"), &[CU_CLASSES])?;
    let (normal, abnormal) = weight.split_at(second);
    let difference: Vec<f32> = abnormal.iter().zip(normal).map(|(a, n)| a - n).collect();
    let x = net.product(unit, &x, 1, &difference, Some(&[bias[1] - bias[0]]));
    Ok(net.score(&x))
}

/// `[1, D]` to a score: the sigmoid of the mean over the perceptrons `0`, `1` and so on, of layers `fc1`, `fc2` and `fc3`.
pub(super) fn cu_generator(weights: Weights<'_>, spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    let [dim, first, second, _] = dims(spec)?;
    let mut net = Net::new("cu-generator", weights);
    let x = net.input_row(dim);
    let heads = (0..).take_while(|head| net.weights.has(&format!("{head}.fc1.weight"))).count().max(1);
    let mut logits = Vec::new();
    for head in 0..heads {
        let layers = [1, 2, 3].map(|layer| format!("{head}.fc{layer}"));
        let [fc1, fc2, fc3] = layers.each_ref().map(String::as_str);
        let narrow = hidden(&mut net, [fc1, fc2, fc3], &x, [first, second])?;
        logits.push(net.linear(fc3, &narrow, 1)?);
    }
    let together = net.beside("heads", &logits);
    let mean = net.row_means("mean", &together);
    Ok(net.score(&mean))
}

/// `x` divided by its Euclidean length. A feature of zeros stays one.
fn unit_length(net: &mut Net<'_>, x: &Rows) -> Rows {
    let squared = net.each("Mul", "squared", x, x);
    let mean = net.row_means("mean", &squared);
    let sum = net.with_constant("Mul", "sum", &mean, &[x.width as f32]);
    let length = net.graph.node("Sqrt", "length".to_owned(), &[&sum.name], vec![]);
    let least = net.graph.floats("least".to_owned(), &[], &[LEAST_LENGTH]);
    let divisor = net.graph.node("Clip", "divisor".to_owned(), &[&length, &least], vec![]);
    net.each("Div", "direction", x, &Rows { name: divisor, ..sum })
}

/// All but the last layer.
fn hidden(
    net: &mut Net<'_>,
    [first, second, _]: [&str; 3],
    x: &Rows,
    widths: [usize; 2],
) -> Result<Rows, ExportError> {
    let x = net.linear(first, x, widths[0])?;
    let x = net.relu(x);
    net.linear(second, &x, widths[1])
}
