//! Weights in f16: the nearest that 16 bits have, and how a graph says so (`Cast`).
//!
//! Biases stay f32: they are few.

use half::f16;

use crate::ExportError;
use crate::fold::FoldedConv;
use crate::onnx::{GraphBuilder, f32_type};
use crate::volume::{ConvLayer, Volume, conv_of};

/// A convolution whose weights are in f16: the node `<unit>.weight.f32`, which widens them, before `<unit>.conv`.
///
/// # Errors
/// A weight that f16 does not reach.
pub(crate) fn f16_conv(
    graph: &mut GraphBuilder,
    unit: &str,
    x: &Volume,
    layer: ConvLayer,
    folded: &FoldedConv,
) -> Result<Volume, ExportError> {
    let weights = nearest(unit, &folded.weight)?;
    let stored = graph.halves(format!("{unit}.weight"), &layer.weight_shape(x.channels), &weights);
    let widened = graph.node("Cast", format!("{unit}.weight.f32"), &[&stored], vec![f32_type("to")]);
    let bias = graph.floats(format!("{unit}.bias"), &[layer.out], &folded.bias);
    Ok(conv_of(graph, unit, [&x.name, &widened, &bias], layer))
}

/// The nearest that f16 has, of two the even one. What is smaller than its least normal number, 2^-14, keeps the grid of 2^-24
/// that is there, so up to half of that becomes 0.
fn nearest(unit: &str, weights: &[f32]) -> Result<Vec<f16>, ExportError> {
    let nearest = |(index, &value): (usize, &f32)| {
        let nearest = f16::from_f32(value);
        let layer = || unit.to_owned();
        nearest.is_finite().then_some(nearest).ok_or_else(|| ExportError::F16 {
            layer: layer(),
            index,
            value,
        })
    };
    weights.iter().enumerate().map(nearest).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test")]

    use super::*;

    #[test]
    fn weights_are_rounded_to_the_nearest_and_ties_to_even() {
        let (step, least) = (2.0_f32.powi(-10), 2.0_f32.powi(-24));
        for (weight, rounded) in [
            (0.0, 0.0),
            (1.0, 1.0),
            (1.0 + step / 2.0, 1.0),
            (1.0 + step * 0.51, 1.0 + step),
            (1.0 + step * 1.5, 1.0 + 2.0 * step),
            (0.1, 0.099_975_586),
            (65504.0, 65504.0),
            (65519.99, 65504.0),
            (least, least),
            (least / 2.0, 0.0),
            (least * 0.51, least),
            (least * 1.5, 2.0 * least),
            (f32::from_bits(1), 0.0),
        ] {
            let found = nearest("stem", &[weight, -weight]).unwrap();
            assert_eq!(found.iter().map(|half| half.to_f32()).collect::<Vec<_>>(), [rounded, -rounded]);
            assert!(found[1].is_sign_negative(), "{weight}");
        }
    }

    #[test]
    fn a_weight_beyond_f16_is_refused_with_its_layer() {
        for value in [65520.0, -70000.0, f32::MAX, f32::INFINITY, f32::NAN] {
            let error = nearest("stage2.0.expand", &[0.5, value]).unwrap_err().to_string();
            assert!(error.contains("`stage2.0.expand`") && error.contains("index 1"), "{error}");
        }
    }
}
