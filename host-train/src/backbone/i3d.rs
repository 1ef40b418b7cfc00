//! I3D, the inflated Inception-v1 of Carreira and Zisserman (CVPR 2017), RGB stream, in burn.
//!
//! Layer names, SAME padding and batch normalisation (no scale unless the file has one, epsilon 1e-3) are those of the
//! published Kinetics-400 weights. The network only extracts features here, so normalisation is frozen: it is folded into
//! the convolution when the weights are loaded.

use std::path::Path;

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use sha2::{Digest, Sha256};
use thiserror::Error;
use vad_core::ModelSpec;
use vad_data::{ClipEncoder, EncodeError};

use crate::backbone::same::{conv3d_same, max_pool3d_same, window_average};
use crate::tensors::{self, Array, Arrays, TensorsError, require, require_shape};

/// Added to the variance in every batch normalisation.
const BN_EPSILON: f64 = 1e-3;

/// The Inception blocks in order.
const BLOCKS: [&str; 9] = [
    "Mixed_3b", "Mixed_3c", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "Mixed_5b",
    "Mixed_5c",
];

/// End points whose maps are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    /// 832 channels, stride 8 in time and 16 in space.
    Mixed4f,
    /// 1024 channels, stride 8 in time and 32 in space; its mean over time and space is the clip feature.
    Mixed5c,
}

/// Maps at both taps for a batch of clips.
#[derive(Clone, Debug)]
pub struct I3dMaps {
    /// `[N, 832, T/8, H/16, W/16]`.
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

impl Tap {
    /// The end point of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "Mixed_4f" => Some(Self::Mixed4f),
            "Mixed_5c" => Some(Self::Mixed5c),
            _ => None,
        }
    }
}

/// Convolution, frozen normalisation, ReLU.
#[derive(Clone, Debug)]
struct Unit {
    weight: Tensor<5>,
    bias: Tensor<1>,
    stride: usize,
}

/// Four branches side by side.
#[derive(Clone, Debug)]
struct Block {
    branch_0: Unit,
    branch_1: [Unit; 2],
    branch_2: [Unit; 2],
    branch_3: Unit,
}

/// The network on some device.
#[derive(Clone, Debug)]
pub struct I3d {
    conv_1a: Unit,
    conv_2b: Unit,
    conv_2c: Unit,
    blocks: Vec<Block>,
    logits: Option<(Tensor<2>, Tensor<1>)>,
}

impl I3d {
    /// Loads `Conv3d_1a_7x7.conv.weight` and so on; the classifier (`Logits.*`) may be absent.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let unit = |name: &str, stride| Unit::from_arrays(arrays, origin, name, stride, device);
        let block = |name: &&str| {
            let unit = |part: &str| unit(&format!("{name}.{part}"), 1);
            Ok::<Block, TensorsError>(Block {
                branch_0: unit("Branch_0.Conv3d_0a_1x1")?,
                branch_1: [unit("Branch_1.Conv3d_0a_1x1")?, unit("Branch_1.Conv3d_0b_3x3")?],
                branch_2: [unit("Branch_2.Conv3d_0a_1x1")?, unit("Branch_2.Conv3d_0b_3x3")?],
                branch_3: unit("Branch_3.Conv3d_0b_1x1")?,
            })
        };
        Ok(Self {
            conv_1a: unit("Conv3d_1a_7x7", 2)?,
            conv_2b: unit("Conv3d_2b_1x1", 1)?,
            conv_2c: unit("Conv3d_2c_3x3", 1)?,
            blocks: BLOCKS.iter().map(block).collect::<Result<_, _>>()?,
            logits: classifier(arrays, origin, device)?,
        })
    }

    /// The maps at both taps.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]`, values in -1..=1.
    pub fn forward(&self, clips: Tensor<5>) -> I3dMaps {
        let x = max_pool3d_same(self.conv_1a.forward(clips), [1, 3, 3], [1, 2, 2]);
        let x = self.conv_2c.forward(self.conv_2b.forward(x));
        let mut x = max_pool3d_same(x, [1, 3, 3], [1, 2, 2]);
        let mut mixed_4f = None;
        for (name, block) in BLOCKS.iter().zip(&self.blocks) {
            match *name {
                "Mixed_4b" => x = max_pool3d_same(x, [3, 3, 3], [2, 2, 2]),
                "Mixed_5b" => {
                    mixed_4f = Some(x.clone());
                    x = max_pool3d_same(x, [2, 2, 2], [2, 2, 2]);
                }
                _ => {}
            }
            x = block.forward(x);
        }
        I3dMaps { mixed_4f: mixed_4f.unwrap_or_else(|| x.clone()), mixed_5c: x }
    }

    /// Clip features: the mean of a tap over time and space.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]` to `[N, D]`.
    pub fn features(&self, clips: Tensor<5>, tap: Tap) -> Tensor<2> {
        let maps = self.forward(clips);
        match tap {
            Tap::Mixed4f => global_average(maps.mixed_4f),
            Tap::Mixed5c => global_average(maps.mixed_5c),
        }
    }

    /// Kinetics class logits from the `Mixed_5c` map; `None` when the weights have no classifier.
    ///
    /// # Shapes
    /// `[N, 1024, T, H, W]` to `[N, 400]`.
    pub fn logits(&self, mixed_5c: Tensor<5>) -> Option<Tensor<2>> {
        let (weight, bias) = self.logits.clone()?;
        // The classifier is linear, so its mean over windows is its value at the windows' mean.
        let mean: Tensor<2> = window_average(mixed_5c).mean_dim(2).squeeze_dim(2);
        Some(mean.matmul(weight) + bias.unsqueeze())
    }
}

impl Unit {
    fn from_arrays(
        arrays: &Arrays,
        origin: &str,
        name: &str,
        stride: usize,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let weight_name = format!("{name}.conv.weight");
        let mut weight = require(arrays, origin, &weight_name)?.clone();
        let channels = weight.shape.first().copied().unwrap_or(0);
        let norm = |part: &str| require_shape(arrays, origin, &format!("{name}.bn.{part}"), &[channels]);
        let (beta, mean, variance) = (norm("bias")?, norm("running_mean")?, norm("running_var")?);
        let gamma = arrays.get(&format!("{name}.bn.weight"));
        let mut bias = Vec::with_capacity(channels);
        let per_channel = weight.values.len().checked_div(channels).unwrap_or(0).max(1);
        for (channel, kernel) in weight.values.chunks_exact_mut(per_channel).enumerate() {
            let gamma = gamma.and_then(|gamma| gamma.values.get(channel)).map_or(1.0, |g| f64::from(*g));
            let scale = gamma / (f64::from(variance.values[channel]) + BN_EPSILON).sqrt();
            for value in kernel {
                *value = (f64::from(*value) * scale) as f32;
            }
            bias.push((f64::from(beta.values[channel]) - f64::from(mean.values[channel]) * scale) as f32);
        }
        let bias = Array { shape: vec![channels], values: bias };
        Ok(Self {
            weight: weight.to_tensor(origin, &weight_name, device)?,
            bias: bias.to_tensor(origin, name, device)?,
            stride,
        })
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        relu(conv3d_same(x, self.weight.clone(), Some(self.bias.clone()), [self.stride; 3]))
    }
}

impl Block {
    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [first_1, second_1] = &self.branch_1;
        let [first_2, second_2] = &self.branch_2;
        let branches = vec![
            self.branch_0.forward(x.clone()),
            second_1.forward(first_1.forward(x.clone())),
            second_2.forward(first_2.forward(x.clone())),
            self.branch_3.forward(max_pool3d_same(x, [3, 3, 3], [1, 1, 1])),
        ];
        Tensor::cat(branches, 1)
    }
}

/// The last layer as a matrix `[1024, classes]` and a bias.
fn classifier(
    arrays: &Arrays,
    origin: &str,
    device: &Device,
) -> Result<Option<(Tensor<2>, Tensor<1>)>, TensorsError> {
    let (weight_name, bias_name) = ("Logits.Conv3d_0c_1x1.conv.weight", "Logits.Conv3d_0c_1x1.conv.bias");
    let Some(weight) = arrays.get(weight_name) else {
        return Ok(None);
    };
    let classes = weight.shape.first().copied().unwrap_or(0);
    let inputs = weight.values.len().checked_div(classes).unwrap_or(0);
    let matrix = Array { shape: vec![classes, inputs], values: weight.values.clone() };
    let matrix: Tensor<2> = matrix.to_tensor(origin, weight_name, device)?;
    let bias = require_shape(arrays, origin, bias_name, &[classes])?.to_tensor(origin, bias_name, device)?;
    Ok(Some((matrix.transpose(), bias)))
}

/// Mean over time and space: `[N, C, T, H, W]` to `[N, C]`.
pub fn global_average(map: Tensor<5>) -> Tensor<2> {
    let [n, c, t, h, w] = map.dims();
    map.reshape([n, c, t * h * w]).mean_dim(2).squeeze_dim(2)
}

/// I3D as a feature extractor for one model spec: the extraction path that runs in burn, on any device.
#[derive(Debug)]
pub struct I3dEncoder {
    network: I3d,
    tap: Tap,
    device: Device,
    clip_shape: [usize; 5],
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
            Tap::from_name(&spec.encoder.tap).ok_or_else(|| I3dError::Spec(spec.encoder.tap.clone()))?;
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
            clip_shape: [1, 3, frames.into(), height.into(), width.into()],
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
        let want: usize = self.clip_shape.iter().product();
        if clip.len() != want {
            return Err(EncodeError::new(format!(
                "the clip has {} values, the encoder takes {want}",
                clip.len()
            )));
        }
        let clip = Tensor::from_data(TensorData::new(clip.to_vec(), self.clip_shape), &self.device);
        let feature = self.network.features(clip, self.tap);
        let values: Result<Vec<f32>, _> = feature.try_into_vec_as::<f32>();
        values.map_err(|error| EncodeError::new(format!("the device failed: {error:?}")))
    }
}
