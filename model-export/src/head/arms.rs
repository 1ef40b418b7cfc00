//! ARMS: a convolution over three clips, self-attention over the window, and a perceptron.
//!
//! Only the newest clip is scored, so there is one query. It is taken to the side of the keys (`q K^T = (q W_k) z^T`, the
//! bias of the keys adds the same to every clip and falls out of the softmax), and values are projected after they were
//! weighted (`(p z) W_v^T + b_v`, the weights `p` sum to 1): two products of matrices with single rows in place of two with
//! the whole window.

use vad_core::{HeadContext, ModelSpec};

use super::dims;
use super::rows::{Net, Rows, side_by_side};
use crate::ExportError;
use crate::onnx::int;
use crate::weights::Weights;

/// Heads of the attention.
const HEADS: usize = 8;
/// Taps of the convolution.
const TAPS: usize = 3;
/// Epsilon of the layer normalisation.
const LN_EPSILON: f32 = 1e-5;

/// `[1, clips, D]` to the score of the newest clip.
pub(super) fn onnx(weights: Weights<'_>, spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    let [dim, width, hidden, _] = dims(spec)?;
    let HeadContext::Window { clips } = spec.head.context else {
        return Err(unsupported("attention without a window", "give the head a window"));
    };
    if !width.is_multiple_of(HEADS) {
        let what = format!("attention of width {width}");
        return Err(unsupported(&what, "the width must be a multiple of 8"));
    }
    let mut net = Net::new("arms", weights);
    let window = net.input_window(clips.into(), dim);
    let near = convolution(&mut net, &window, width)?;
    let newest = net.slice("newest", &near, near.count - 1, 1);
    let far = attention(&mut net, &near, &newest)?;
    let sum = net.each("Add", "sum", &far, &newest);
    let x = layer_norm(&mut net, &sum)?;
    let x = net.linear("fc1", &x, hidden)?;
    let x = net.relu(x);
    let x = net.linear("fc2", &x, 1)?;
    Ok(net.score(&x))
}

fn unsupported(what: &str, remedy: &str) -> ExportError {
    ExportError::Unsupported { what: what.to_owned(), remedy: remedy.to_owned() }
}

fn convolution(net: &mut Net<'_>, window: &Rows, width: usize) -> Result<Rows, ExportError> {
    let padded = net.padded("clips.padded", window, 1);
    let taps: Vec<Rows> =
        (0..TAPS).map(|tap| net.slice(&format!("conv.tap{tap}"), &padded, tap, window.count)).collect();
    let taps = net.beside("conv.taps", &taps);
    let weight = net.weights.floats("conv.weight", &[width, window.width, TAPS])?;
    let bias = net.weights.floats("conv.bias", &[width])?;
    let weight = side_by_side(&weight, window.width, TAPS, 0..TAPS);
    let x = net.product("conv", &taps, width, &weight, Some(&bias));
    Ok(net.relu(x))
}

/// What the newest clip takes from the window, `[1, width]`.
fn attention(net: &mut Net<'_>, near: &Rows, newest: &Rows) -> Result<Rows, ExportError> {
    let width = near.width;
    let each = width / HEADS;
    let weight = net.weights.floats("mha.in_proj_weight", &[3 * width, width])?;
    let bias = net.weights.floats("mha.in_proj_bias", &[3 * width])?;
    let of_head = |part: usize, head: usize| {
        let first = part * width + head * each;
        (&weight[first * width..(first + each) * width], &bias[first..first + each])
    };
    let mut queries = Vec::new();
    for head in 0..HEADS {
        let ((of_query, bias), (of_key, _)) = (of_head(0, head), of_head(1, head));
        let query = net.product(&format!("mha.query{head}"), newest, each, of_query, Some(bias));
        let turned: Vec<f32> =
            (0..width).flat_map(|column| of_key.iter().skip(column).step_by(width).copied()).collect();
        queries.push(net.product(&format!("mha.key{head}"), &query, width, &turned, None));
    }
    let queries = net.below("mha.queries", &queries);
    let logits = net.matmul_transposed("mha.logits", &queries, near);
    let logits = net.with_constant("Mul", "mha.scaled", &logits, &[1.0 / (each as f32).sqrt()]);
    let softmax = net.graph.node("Softmax", "mha.weights".to_owned(), &[&logits.name], vec![int("axis", 1)]);
    let weighted = net.matmul("mha.weighted", &Rows { name: softmax, ..logits }, near);
    let mut taken = Vec::new();
    for head in 0..HEADS {
        let row = net.slice(&format!("mha.weighted{head}"), &weighted, head, 1);
        let (of_value, bias) = of_head(2, head);
        taken.push(net.product(&format!("mha.value{head}"), &row, each, of_value, Some(bias)));
    }
    let taken = net.beside("mha.heads", &taken);
    net.linear("mha.out_proj", &taken, width)
}

/// Mean 0 and (biased) variance 1, then the stored factor and shift of each column.
fn layer_norm(net: &mut Net<'_>, x: &Rows) -> Result<Rows, ExportError> {
    let gamma = net.weights.floats("ln.weight", &[x.width])?;
    let beta = net.weights.floats("ln.bias", &[x.width])?;
    let mean = net.row_means("ln.mean", x);
    let centred = net.each("Sub", "ln.centred", x, &mean);
    let squared = net.each("Mul", "ln.squared", &centred, &centred);
    let variance = net.row_means("ln.variance", &squared);
    let variance = net.with_constant("Add", "ln.epsilon", &variance, &[LN_EPSILON]);
    let deviation = net.graph.node("Sqrt", "ln.deviation".to_owned(), &[&variance.name], vec![]);
    let scaled = net.each("Div", "ln.scaled", &centred, &Rows { name: deviation, ..variance });
    let scaled = net.with_constant("Mul", "ln.weight", &scaled, &gamma);
    Ok(net.with_constant("Add", "ln.bias", &scaled, &beta))
}
