//! I3D's smallest part: convolution, batch normalisation by stored statistics, ReLU.
//!
//! Statistics are fixed in either form. To extract features, normalisation is folded into the convolution once, in double
//! precision. To train, weight, scale and shift stay apart, as the published optimiser sees them, and are folded anew in
//! every pass: that costs one product over the weights instead of two over the much larger maps.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

use super::conv::stored_weight;
use super::padding::Padding;
use super::source::{Names, Source};
use crate::params::value;
use crate::tensors::{Array, Arrays, TensorsError};

/// Added to the variance in every batch normalisation.
const EPSILON: f64 = 1e-3;

/// What is made of normalisation when weights are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Folded into the convolution, to extract features.
    Folded,
    /// Kept apart, to train.
    Trainable,
}

/// All that the parts of one network have in common while it is built.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// The arrays.
    pub source: Source<'a>,
    /// How borders are padded.
    pub padding: Padding,
    /// What is made of normalisation.
    pub form: Form,
    /// Where the network is to run.
    pub device: &'a Device,
}

/// Which parameters of a network in [`Form::Trainable`] learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learning {
    /// The convolutions' weights.
    pub weights: bool,
    /// Scale and shift of the normalisations.
    pub norms: bool,
}

/// Convolution, batch normalisation by stored statistics, ReLU.
#[derive(Module, Debug)]
pub struct Unit {
    /// `[outputs, inputs, kt, kh, kw]`.
    weight: Param<Tensor<5>>,
    /// Added at the end, `[outputs]`.
    shift: Param<Tensor<1>>,
    /// `None` once it is folded into weight and shift.
    norm: Option<Norm>,
    stride: usize,
    #[module(skip)]
    padding: Padding,
}

/// Batch normalisation but for its shift; vectors of `[outputs]`.
#[derive(Module, Debug)]
struct Norm {
    scale: Param<Tensor<1>>,
    mean: Tensor<1>,
    variance: Tensor<1>,
}

impl Unit {
    /// Loads layer `name`: a weight `[outputs, inputs, kernel..]`, whose number of outputs is free, and its normalisation.
    ///
    /// # Errors
    /// When an array is missing or of another shape.
    pub fn load(
        build: Build<'_>,
        name: &str,
        inputs: usize,
        kernel: [usize; 3],
        stride: usize,
    ) -> Result<Self, TensorsError> {
        let Build { source, padding, form, device } = build;
        let weight_name = source.name(name, &format!("{}.weight", source.names.conv()));
        let mut weight = stored_weight(source.arrays, source.origin, &weight_name, inputs, kernel)?.clone();
        let outputs = weight.shape[0];
        let mut shift = source.norm(name, "bias", outputs)?.clone();
        let norm = match form {
            Form::Folded => {
                fold_stored(source, name, &mut weight, &mut shift)?;
                None
            }
            Form::Trainable => Some(Norm::load(source, name, outputs, device)?),
        };
        Ok(Self {
            weight: Param::from_data(TensorData::new(weight.values, weight.shape), device),
            shift: Param::from_data(TensorData::new(shift.values, [outputs]), device),
            norm,
            stride,
            padding,
        })
    }

    /// Runs the layer.
    ///
    /// # Shapes
    /// `[N, inputs, T, H, W]` to `[N, outputs, T', H', W']`, see [`Padding`].
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let (weight, shift) = (self.weight.val(), self.shift.val());
        let (weight, bias) = match &self.norm {
            Some(norm) => norm.folded_into(weight, shift),
            None => (weight, shift),
        };
        relu(self.padding.conv3d(x, weight, Some(bias), [self.stride; 3]))
    }

    /// Channels of the output.
    pub fn outputs(&self) -> usize {
        self.weight.dims()[0]
    }

    /// The same with other parameters learning. A folded layer has no normalisation: its shift learns with its weight.
    pub fn learning(self, learning: Learning) -> Self {
        let shift = if self.norm.is_some() { learning.norms } else { learning.weights };
        Self {
            weight: self.weight.set_require_grad(learning.weights),
            shift: self.shift.set_require_grad(shift),
            norm: self.norm.set_require_grad(learning.norms),
            ..self
        }
    }

    /// Adds the parameters and statistics, or the gradients alone (zero where there is none), of layer `name`. A folded
    /// layer is stored as what it is, a convolution with bias.
    pub(super) fn store(
        &self,
        name: &str,
        names: Names,
        grads: Option<&GradientsParams>,
        arrays: &mut Arrays,
    ) {
        let (conv, norm) = (names.conv(), names.norm());
        let mut add = |part: String, array: Array| arrays.insert(format!("{name}.{part}"), array);
        add(format!("{conv}.weight"), Array::from_tensor(value(&self.weight, grads)));
        let shifted = if self.norm.is_some() { norm } else { conv };
        add(format!("{shifted}.bias"), Array::from_tensor(value(&self.shift, grads)));
        for (part, tensor) in self.norm.iter().flat_map(|norm| norm.named(grads)) {
            add(format!("{norm}.{part}"), Array::from_tensor(tensor));
        }
    }
}

impl Norm {
    fn load(source: Source<'_>, name: &str, outputs: usize, device: &Device) -> Result<Self, TensorsError> {
        let scale = match source.scale(name, outputs)? {
            Some(scale) => scale.values.clone(),
            None => vec![1.0; outputs],
        };
        let statistic = |part: &str| {
            let values = source.norm(name, part, outputs)?.values.clone();
            Ok::<_, TensorsError>(Tensor::from_data(TensorData::new(values, [outputs]), device))
        };
        Ok(Self {
            scale: Param::from_data(TensorData::new(scale, [outputs]), device),
            mean: statistic("running_mean")?,
            variance: statistic("running_var")?,
        })
    }

    /// Weight and bias of a convolution that does both.
    fn folded_into(&self, weight: Tensor<5>, shift: Tensor<1>) -> (Tensor<5>, Tensor<1>) {
        let outputs = weight.dims()[0];
        let scale = self.scale.val() / (self.variance.clone() + EPSILON).sqrt();
        let bias = shift - self.mean.clone() * scale.clone();
        (weight * scale.reshape([outputs, 1, 1, 1, 1]), bias)
    }

    fn named(&self, grads: Option<&GradientsParams>) -> Vec<(&'static str, Tensor<1>)> {
        let mut named = vec![("weight", value(&self.scale, grads))];
        if grads.is_none() {
            named.extend([("running_mean", self.mean.clone()), ("running_var", self.variance.clone())]);
        }
        named
    }
}

/// Folds the stored normalisation of a layer into its weight and shift.
fn fold_stored(
    source: Source<'_>,
    name: &str,
    weight: &mut Array,
    shift: &mut Array,
) -> Result<(), TensorsError> {
    let outputs = weight.shape[0];
    let (mean, variance) =
        (source.norm(name, "running_mean", outputs)?, source.norm(name, "running_var", outputs)?);
    let gamma = source.scale(name, outputs)?;
    let per_output = weight.values.len().checked_div(outputs).unwrap_or(0).max(1);
    for (output, kernel) in weight.values.chunks_exact_mut(per_output).enumerate() {
        let gamma = gamma.map_or(1.0, |gamma| f64::from(gamma.values[output]));
        let scale = gamma / (f64::from(variance.values[output]) + EPSILON).sqrt();
        for value in kernel {
            *value = (f64::from(*value) * scale) as f32;
        }
        let moved = f64::from(shift.values[output]) - f64::from(mean.values[output]) * scale;
        shift.values[output] = moved as f32;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;

    /// Sums of 3 * 27 products around 1 in `f32`.
    const TOLERANCE: f32 = 1e-5;

    fn build<'a>(arrays: &'a Arrays, form: Form, device: &'a Device) -> Build<'a> {
        let source = Source { arrays, origin: "test", prefix: "", names: Names::Mist };
        Build { source, padding: Padding::Same, form, device }
    }

    fn layer() -> Arrays {
        let mut arrays = Arrays::new();
        narrow::unit(&mut arrays, "u", Names::Mist, 3, 2, [3; 3]);
        arrays
    }

    #[test]
    fn both_forms_give_the_same_maps() {
        let (device, arrays) = (Device::flex(), layer());
        let x = narrow::values([2, 3, 4, 5, 6]);
        let [folded, apart] = [Form::Folded, Form::Trainable].map(|form| {
            let unit = Unit::load(build(&arrays, form, &device), "u", 3, [3; 3], 2).unwrap();
            Array::from_tensor(unit.forward(x.clone()))
        });
        assert_eq!(folded.shape, [2, 2, 2, 3, 3]);
        assert!(folded.values.iter().any(|value| *value > 0.0));
        for (one, other) in folded.values.iter().zip(&apart.values) {
            assert!((one - other).abs() < TOLERANCE, "{one} {other}");
        }
    }

    #[test]
    fn what_does_not_learn_gets_no_gradient_and_can_be_told_to_learn_again() {
        let (device, arrays) = (Device::flex().autodiff(), layer());
        let x = narrow::values([1, 3, 4, 4, 4]);
        let mut unit = Unit::load(build(&arrays, Form::Trainable, &device), "u", 3, [3; 3], 1).unwrap();
        for (weights, norms) in [(true, true), (false, true), (true, false), (true, true)] {
            unit = unit.learning(Learning { weights, norms });
            let loss = unit.forward(Tensor::from_inner(x.clone())).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &unit);
            let mut got = Arrays::new();
            unit.store("u", Names::Mist, Some(&grads), &mut got);
            let moves = |name: &str| got[name].values.iter().any(|value| *value != 0.0);
            assert_eq!(moves("u.conv3d.weight"), weights);
            assert_eq!(moves("u.batch3d.weight"), norms);
            assert_eq!(moves("u.batch3d.bias"), norms);
            assert!(!got.contains_key("u.batch3d.running_mean"));
        }
    }

    #[test]
    fn a_trainable_layer_survives_a_round_trip_under_either_naming() {
        let (device, arrays) = (Device::flex(), layer());
        let unit = Unit::load(build(&arrays, Form::Trainable, &device), "u", 3, [3; 3], 1).unwrap();
        let mut same = Arrays::new();
        unit.store("u", Names::Mist, None, &mut same);
        assert_eq!(same, arrays);
        let mut renamed = Arrays::new();
        unit.store("u", Names::Kinetics, None, &mut renamed);
        assert_eq!(renamed["u.bn.running_var"], arrays["u.batch3d.running_var"]);
    }

    #[test]
    fn a_missing_scale_means_one_and_a_missing_mean_is_refused() {
        let (device, mut arrays) = (Device::flex(), layer());
        arrays.remove("u.batch3d.weight");
        for form in [Form::Folded, Form::Trainable] {
            assert!(Unit::load(build(&arrays, form, &device), "u", 3, [3; 3], 1).is_ok());
        }
        arrays.remove("u.batch3d.running_mean");
        let error = Unit::load(build(&arrays, Form::Folded, &device), "u", 3, [3; 3], 1).unwrap_err();
        assert!(error.to_string().contains("u.batch3d.running_mean"), "{error}");
    }
}
