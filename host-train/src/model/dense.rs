//! Fully connected layers between burn's layout `[inputs, outputs]` and the files' `[outputs, inputs]`.

use burn::module::Param;
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::initial::uniform;
use crate::dropout::Mask;
use crate::params::value;
use crate::tensors::{Array, Arrays, TensorsError, require, require_shape};

/// Fresh weights and biases as PyTorch's `Linear` draws them: uniform within `1 / sqrt(inputs)` of zero.
pub(crate) fn init(inputs: usize, outputs: usize, rng: &mut ChaCha8Rng, device: &Device) -> Linear {
    let bound = 1.0 / (inputs.max(1) as f64).sqrt();
    let weight = Array { shape: vec![outputs, inputs], values: uniform(bound, outputs * inputs, rng) };
    let bias = Array { shape: vec![outputs], values: uniform(bound, outputs, rng) };
    from_parts(&weight, &bias, device)
}

/// Loads `NAME.weight` and `NAME.bias`.
///
/// # Errors
/// When an array is missing or of another shape; `origin` says where the arrays came from.
pub(crate) fn load(
    arrays: &Arrays,
    origin: &str,
    name: &str,
    [inputs, outputs]: [usize; 2],
    device: &Device,
) -> Result<Linear, TensorsError> {
    let weight = require_shape(arrays, origin, &format!("{name}.weight"), &[outputs, inputs])?;
    let bias = require_shape(arrays, origin, &format!("{name}.bias"), &[outputs])?;
    Ok(from_parts(weight, bias, device))
}

/// Loads three layers, each as wide at its input as the one before at its output, the last one `outputs` wide. The other
/// widths follow the arrays.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_chain(
    arrays: &Arrays,
    origin: &str,
    names: [&str; 3],
    outputs: usize,
    device: &Device,
) -> Result<[Linear; 3], TensorsError> {
    let [first, second, third] = names;
    let inputs = stored_inputs(arrays, origin, first)?;
    let hidden = [stored_outputs(arrays, origin, first)?, stored_outputs(arrays, origin, second)?];
    Ok([
        load(arrays, origin, first, [inputs, hidden[0]], device)?,
        load(arrays, origin, second, hidden, device)?,
        load(arrays, origin, third, [hidden[1], outputs], device)?,
    ])
}

/// Layers by name, weights as `[outputs, inputs]`.
pub(crate) fn store_chain(names: [&str; 3], layers: [&Linear; 3]) -> Arrays {
    let mut arrays = Arrays::new();
    for (name, layer) in names.into_iter().zip(layers) {
        store(layer, name, &mut arrays);
    }
    arrays
}

/// Adds `NAME.weight` and `NAME.bias`.
pub(crate) fn store(layer: &Linear, name: &str, arrays: &mut Arrays) {
    arrays.insert(format!("{name}.weight"), Array::from_tensor(layer.weight.val().transpose()));
    if let Some(bias) = &layer.bias {
        arrays.insert(format!("{name}.bias"), Array::from_tensor(bias.val()));
    }
}

/// Width of the input that `NAME.weight` takes.
///
/// # Errors
/// When the array is missing.
pub(crate) fn stored_inputs(arrays: &Arrays, origin: &str, name: &str) -> Result<usize, TensorsError> {
    let weight = require(arrays, origin, &format!("{name}.weight"))?;
    Ok(weight.shape.last().copied().unwrap_or(0))
}

/// Width of the output that `NAME.bias` gives.
///
/// # Errors
/// When the array is missing.
pub(crate) fn stored_outputs(arrays: &Arrays, origin: &str, name: &str) -> Result<usize, TensorsError> {
    Ok(require(arrays, origin, &format!("{name}.bias"))?.values.len())
}

/// A layer that holds the gradients in place of the parameters (zero where there is none).
pub(crate) fn gradients(layer: &Linear, grads: &GradientsParams) -> Linear {
    let bias = layer.bias.as_ref().map(|bias| Param::from_tensor(value(bias, Some(grads))));
    Linear { weight: Param::from_tensor(value(&layer.weight, Some(grads))), bias }
}

/// The values of `given` as gradients of the parameters of `own`.
pub(crate) fn as_gradients(own: [&Linear; 3], given: [Linear; 3]) -> GradientsParams {
    let mut grads = GradientsParams::new();
    for (own, given) in own.into_iter().zip(given) {
        grads.register(own.weight.id, given.weight.val());
        if let (Some(own), Some(given)) = (&own.bias, given.bias) {
            grads.register(own.id, given.val());
        }
    }
    grads
}

/// The device of a layer's weights, without autodiff.
pub(crate) fn plain_device(layer: &Linear) -> Device {
    layer.weight.val().device().inner()
}

/// Drops units, where there is a mask.
pub(crate) fn drop_units(hidden: Tensor<2>, mask: Option<Mask>) -> Tensor<2> {
    match mask {
        Some(mask) => hidden * mask.into_tensor(),
        None => hidden,
    }
}

/// A layer of these values, weights as `[outputs, inputs]`.
pub(super) fn from_parts(weight: &Array, bias: &Array, device: &Device) -> Linear {
    let [outputs, inputs] = [weight.shape[0], weight.shape[1]];
    let mut transposed = vec![0.0_f32; inputs * outputs];
    for (row, values) in weight.values.chunks_exact(inputs.max(1)).enumerate() {
        for (column, value) in values.iter().enumerate() {
            transposed[column * outputs + row] = *value;
        }
    }
    let weight = TensorData::new(transposed, [inputs, outputs]);
    let bias = TensorData::new(bias.values.clone(), [outputs]);
    Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
}
