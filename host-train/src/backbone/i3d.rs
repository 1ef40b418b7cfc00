//! I3D, the inflated Inception-v1 of Carreira and Zisserman (CVPR 2017), RGB stream, in burn.
//!
//! One network for two uses. With the published Kinetics-400 weights, SAME padding and folded normalisation (no scale unless
//! the file has one, epsilon 1e-3) it extracts features: [`I3d::from_arrays`]. With MIST's names and padding and normalisation
//! kept apart it is the encoder that MIST's second stage fine-tunes: [`I3d::load`]. 12,287,264 parameters without classifier.

use std::path::Path;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use sha2::{Digest, Sha256};
use thiserror::Error;
use vad_core::{EndPoint, I3dTap, ModelSpec};
use vad_data::{ClipEncoder, EncodeError};

use super::grid::{Line, Strided};
use super::inception::Inception;
use super::padding::Padding;
pub use super::pooling::global_average;
use super::pooling::{grid_average, window_average};
use super::source::{Names, Source};
use super::unit::{Build, Form, Learning, Unit};
use crate::tensors::{self, Array, Arrays, TensorsError, require_shape};

/// Colours of a pixel.
pub(super) const COLOURS: usize = 3;

/// What changes the size of a picture, in order: a convolution, and four poolings.
pub(super) const SHRINKING: [Strided; 5] =
    [Strided::conv(7, 2), Strided::pool(3, 2), Strided::pool(3, 2), Strided::pool(3, 2), Strided::pool(2, 2)];

/// The Inception blocks between poolings, in order.
pub(super) const BLOCKS_3: [&str; 2] = ["3b", "3c"];
const BLOCKS_4: [&str; 5] = ["4b", "4c", "4d", "4e", "4f"];
const BLOCKS_5: [&str; 2] = ["5b", "5c"];

/// Maps at all taps for a batch of clips.
#[derive(Clone, Debug)]
pub struct I3dMaps {
    /// `[N, 480, T/2, H/8, W/8]`.
    pub mixed_3c: Tensor<5>,
    /// `[N, 832, T/4, H/16, W/16]`.
    pub mixed_4f: Tensor<5>,
    /// `[N, 1024, T/8, H/32, W/32]`.
    pub mixed_5c: Tensor<5>,
}

/// Why the network cannot be used.
#[derive(Debug, Error)]
pub enum I3dError {
    /// The weights cannot be read or do not fit.
    #[error(transparent)]
    Weights(#[from] TensorsError),
    /// The spec asks for another encoder.
    #[error("the model spec is not one that I3D serves: {0}")]
    Spec(String),
}

/// The network on some device.
#[derive(Module, Debug)]
pub struct I3d {
    conv_1a: Unit,
    conv_2b: Unit,
    conv_2c: Unit,
    mixed_3: Vec<Inception>,
    mixed_4: Vec<Inception>,
    mixed_5: Vec<Inception>,
    logits: Option<Classifier>,
    #[module(skip)]
    padding: Padding,
}

/// The Kinetics classifier: a matrix `[1024, classes]` and a bias `[classes]`. Never trained here.
#[derive(Module, Debug)]
struct Classifier {
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl I3d {
    /// The extractor of features: loads `Conv3d_1a_7x7.conv.weight` and so on, folds normalisation and pads as TensorFlow
    /// does; the classifier (`Logits.*`) may be absent.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let source = Source { arrays, origin, prefix: "", names: Names::Kinetics };
        let trunk = Self::load(Build { source, padding: Padding::Same, form: Form::Folded, device })?;
        Ok(Self { logits: Classifier::load(arrays, origin, device)?, ..trunk })
    }

    /// The network without a classifier, in any form. Widths follow the arrays.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape, or the layers' widths do not chain.
    pub fn load(build: Build<'_>) -> Result<Self, TensorsError> {
        let [name_1a, name_2b, name_2c] = build.source.names.stem();
        let conv_1a = Unit::load(build, name_1a, COLOURS, [7; 3], 2)?;
        let conv_2b = Unit::load(build, name_2b, conv_1a.outputs(), [1; 3], 1)?;
        let conv_2c = Unit::load(build, name_2c, conv_2b.outputs(), [3; 3], 1)?;
        let mixed_3 = load_chain(build, &BLOCKS_3, conv_2c.outputs())?;
        let mixed_4 = load_chain(build, &BLOCKS_4, outputs(&mixed_3))?;
        let mixed_5 = load_chain(build, &BLOCKS_5, outputs(&mixed_4))?;
        let padding = build.padding;
        Ok(Self { conv_1a, conv_2b, conv_2c, mixed_3, mixed_4, mixed_5, logits: None, padding })
    }

    /// The maps at all taps.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]`, values in -1..=1.
    pub fn forward(&self, clips: Tensor<5>) -> I3dMaps {
        let pool = |x, kernel, stride| self.padding.max_pool3d(x, kernel, stride);
        let x = pool(self.conv_1a.forward(clips), [1, 3, 3], [1, 2, 2]);
        let x = self.conv_2c.forward(self.conv_2b.forward(x));
        let mixed_3c = run(&self.mixed_3, pool(x, [1, 3, 3], [1, 2, 2]));
        let mixed_4f = run(&self.mixed_4, pool(mixed_3c.clone(), [3; 3], [2; 3]));
        let mixed_5c = self.mixed_5c(mixed_4f.clone());
        I3dMaps { mixed_3c, mixed_4f, mixed_5c }
    }

    /// The last map from the one before it.
    pub(crate) fn mixed_5c(&self, mixed_4f: Tensor<5>) -> Tensor<5> {
        run(&self.mixed_5, self.padding.max_pool3d(mixed_4f, [2; 3], [2; 3]))
    }

    /// Where the places of `mixed_4f` and `mixed_5c` lie along a side of so many pixels.
    pub(crate) fn lines(&self, side_px: usize) -> [Line; 2] {
        let [.., last] = SHRINKING;
        let (mixed_4f, side) = self.padding.line(side_px, &SHRINKING[..SHRINKING.len() - 1]);
        [mixed_4f, last.line(mixed_4f, self.padding.before(side, last))]
    }

    /// Channels of `mixed_4f` and `mixed_5c`: 832 and 1024 as published.
    pub fn widths(&self) -> [usize; 2] {
        [outputs(&self.mixed_4), outputs(&self.mixed_5)]
    }

    /// The same with other parameters learning.
    pub fn learning(self, learning: Learning) -> Self {
        let chain =
            |blocks: Vec<Inception>| blocks.into_iter().map(|block| block.learning(learning)).collect();
        Self {
            conv_1a: self.conv_1a.learning(learning),
            conv_2b: self.conv_2b.learning(learning),
            conv_2c: self.conv_2c.learning(learning),
            mixed_3: chain(self.mixed_3),
            mixed_4: chain(self.mixed_4),
            mixed_5: chain(self.mixed_5),
            logits: self.logits,
            padding: self.padding,
        }
    }

    /// Adds the parameters and statistics, or the gradients alone (zero where there is none), each name after `prefix`. The
    /// classifier is left out.
    pub fn store(&self, prefix: &str, names: Names, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        for (name, unit) in names.stem().into_iter().zip([&self.conv_1a, &self.conv_2b, &self.conv_2c]) {
            unit.store(&format!("{prefix}{name}"), names, grads, arrays);
        }
        let numbered = BLOCKS_3.iter().chain(&BLOCKS_4).chain(&BLOCKS_5);
        let blocks = self.mixed_3.iter().chain(&self.mixed_4).chain(&self.mixed_5);
        for (number, block) in numbered.zip(blocks) {
            block.store(&format!("{prefix}{}", names.mixed(number)), names, grads, arrays);
        }
    }

    /// Clip features: the mean over time of a tap's map, in each cell of its grid.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]` to `[N, D]`.
    pub fn features(&self, clips: Tensor<5>, tap: I3dTap) -> Tensor<2> {
        let maps = self.forward(clips);
        let map = match tap.point {
            EndPoint::Mixed4f => maps.mixed_4f,
            EndPoint::Mixed5c => maps.mixed_5c,
        };
        if tap.grid == 1 { global_average(map) } else { grid_average(map, tap.grid) }
    }

    /// Kinetics class logits from the `Mixed_5c` map; `None` when the weights have no classifier.
    ///
    /// # Shapes
    /// `[N, 1024, T, H, W]` to `[N, 400]`.
    pub fn logits(&self, mixed_5c: Tensor<5>) -> Option<Tensor<2>> {
        let Classifier { weight, bias } = self.logits.clone()?;
        // The classifier is linear, so its mean over windows is its value at the windows' mean.
        let mean: Tensor<2> = window_average(mixed_5c).mean_dim(2).squeeze_dim(2);
        Some(mean.matmul(weight) + bias.unsqueeze())
    }
}

/// Loads blocks of which each takes what the one before gives.
pub(super) fn load_chain(
    build: Build<'_>,
    numbers: &[&str],
    mut inputs: usize,
) -> Result<Vec<Inception>, TensorsError> {
    let mut blocks = Vec::with_capacity(numbers.len());
    for number in numbers {
        let block = Inception::load(build, &build.source.names.mixed(number), inputs)?;
        inputs = block.outputs();
        blocks.push(block);
    }
    Ok(blocks)
}

pub(super) fn run(blocks: &[Inception], x: Tensor<5>) -> Tensor<5> {
    blocks.iter().fold(x, |x, block| block.forward(x))
}

/// Channels after the last of the blocks.
pub(super) fn outputs(blocks: &[Inception]) -> usize {
    blocks.last().map_or(0, Inception::outputs)
}

impl Classifier {
    fn load(arrays: &Arrays, origin: &str, device: &Device) -> Result<Option<Self>, TensorsError> {
        let (weight_name, bias_name) = ("Logits.Conv3d_0c_1x1.conv.weight", "Logits.Conv3d_0c_1x1.conv.bias");
        let Some(weight) = arrays.get(weight_name) else {
            return Ok(None);
        };
        let classes = weight.shape.first().copied().unwrap_or(0);
        let inputs = weight.values.len().checked_div(classes).unwrap_or(0);
        let matrix = Array { shape: vec![classes, inputs], values: weight.values.clone() };
        let matrix: Tensor<2> = matrix.to_tensor(origin, weight_name, device)?;
        let bias =
            require_shape(arrays, origin, bias_name, &[classes])?.to_tensor(origin, bias_name, device)?;
        Ok(Some(Self { weight: matrix.transpose(), bias }))
    }
}

/// I3D as a feature extractor for one model spec: the extraction path that runs in burn, on any device.
#[derive(Debug)]
pub struct I3dEncoder {
    network: I3d,
    tap: I3dTap,
    device: Device,
    /// `[3, T, H, W]`.
    clip_shape: [usize; 4],
    feature_dim: usize,
    hash: [u8; 32],
}

impl I3dEncoder {
    /// Loads verified weights for a spec.
    ///
    /// # Errors
    /// When the weights cannot be read or do not fit, or the spec asks for something else.
    pub fn load(weights: &Path, spec: &ModelSpec, device: &Device) -> Result<Self, I3dError> {
        spec.encoder.validate().map_err(|error| I3dError::Spec(error.to_string()))?;
        let tap =
            I3dTap::from_name(&spec.encoder.tap).ok_or_else(|| I3dError::Spec(spec.encoder.tap.clone()))?;
        let bytes = std::fs::read(weights)
            .map_err(|source| TensorsError::Read { path: weights.to_owned(), source })?;
        let (arrays, _) = tensors::decode(&bytes, weights)?;
        let network = I3d::from_arrays(&arrays, &weights.display().to_string(), device)?;
        let (frames, height, width) = (spec.clip.frames, spec.preprocess.height_px, spec.preprocess.width_px);
        let mut hash = Sha256::new();
        // Features of another engine differ in the last bits, hence the name.
        hash.update(b"watchpost i3d in burn 1\0");
        hash.update(spec.encoder.tap.as_bytes());
        hash.update(Sha256::digest(&bytes));
        Ok(Self {
            network,
            tap,
            device: device.clone(),
            clip_shape: [COLOURS, frames.into(), height.into(), width.into()],
            feature_dim: spec.encoder.feature_dim as usize,
            hash: hash.finalize().into(),
        })
    }
}

impl ClipEncoder for I3dEncoder {
    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn hash(&self) -> [u8; 32] {
        self.hash
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.encode_batch(clip, 1)
    }

    fn encode_batch(&self, clips: &[f32], count: usize) -> Result<Vec<f32>, EncodeError> {
        let [channels, frames, height, width] = self.clip_shape;
        let shape = [count, channels, frames, height, width];
        let want: usize = shape.iter().product();
        if clips.len() != want {
            return Err(EncodeError::new(format!(
                "{count} clips have {} values, the encoder takes {want}",
                clips.len()
            )));
        }
        let clips = Tensor::from_data(TensorData::new(clips.to_vec(), shape), &self.device);
        let feature = self.network.features(clips, self.tap);
        let values: Result<Vec<f32>, _> = feature.try_into_vec_as::<f32>();
        values.map_err(|error| EncodeError::new(format!("the device failed: {error:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;

    fn load(arrays: &Arrays, names: Names, padding: Padding, form: Form, device: &Device) -> I3d {
        let source = Source { arrays, origin: "test", prefix: "", names };
        I3d::load(Build { source, padding, form, device }).unwrap()
    }

    #[test]
    fn taps_have_the_strides_they_say() {
        let device = Device::flex();
        let network = load(&narrow::i3d(Names::Mist), Names::Mist, Padding::Mist, Form::Folded, &device);
        let maps = network.forward(narrow::values([1, 3, 16, 64, 32]));
        assert_eq!(maps.mixed_3c.dims()[2..], [8, 8, 4]);
        assert_eq!(maps.mixed_4f.dims()[2..], [4, 4, 2]);
        assert_eq!(maps.mixed_5c.dims()[2..], [2, 2, 1]);
        assert_eq!([maps.mixed_4f.dims()[1], maps.mixed_5c.dims()[1]], network.widths());
    }

    #[test]
    fn where_sizes_are_multiples_of_the_strides_padding_forms_and_names_agree() {
        let device = Device::flex();
        let arrays = narrow::i3d(Names::Mist);
        let mist = load(&arrays, Names::Mist, Padding::Mist, Form::Trainable, &device);
        let mut renamed = Arrays::new();
        mist.store("", Names::Kinetics, None, &mut renamed);
        let kinetics = I3d::from_arrays(&renamed, "test", &device).unwrap();
        let clips = narrow::values([1, 3, 16, 64, 32]);
        let values = |network: &I3d| Array::from_tensor(network.forward(clips.clone()).mixed_5c).values;
        let (one, other) = (values(&mist), values(&kinetics));
        let most = one.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(most > 0.0, "a dead network compares nothing");
        for (one, other) in one.iter().zip(&other) {
            // Eleven layers deep in `f32`.
            assert!((one - other).abs() < 1e-4 * most, "{one} {other}");
        }
    }

    #[test]
    fn a_network_survives_a_round_trip_behind_a_prefix() {
        let device = Device::flex();
        let arrays = narrow::i3d(Names::Mist);
        let mut stored = Arrays::new();
        let network = load(&arrays, Names::Mist, Padding::Mist, Form::Trainable, &device);
        network.store("backbone.", Names::Mist, None, &mut stored);
        assert_eq!(stored.len(), arrays.len());
        assert!(stored.iter().all(|(name, array)| {
            name.strip_prefix("backbone.").is_some_and(|name| arrays[name] == *array)
        }));
    }

    #[test]
    fn widths_that_do_not_chain_are_refused_by_name() {
        let device = Device::flex();
        let mut arrays = narrow::i3d(Names::Mist);
        narrow::unit(&mut arrays, "mixed_4b.branch_1.1", Names::Mist, 5, 1, [3; 3]);
        let source = Source { arrays: &arrays, origin: "test", prefix: "", names: Names::Mist };
        let build = Build { source, padding: Padding::Mist, form: Form::Folded, device: &device };
        let error = I3d::load(build).unwrap_err();
        assert!(error.to_string().contains("mixed_4b.branch_1.1.conv3d.weight"), "{error}");
    }
}
