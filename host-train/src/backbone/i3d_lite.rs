//! I3D-lite, the streaming encoder of [`vad_core::lite`], as it learns: whole clips at once.
//!
//! Maps are channels last, `[N, T, H, W, C]`: layers that mix channels are then products of matrices, `[places, C]`, and nothing
//! is moved between layers.

use std::convert::Infallible;
use std::ops::Range;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use vad_core::lite::STEM_PX;
use vad_core::{LiteBlock, LiteSize};

use super::depthwise::Kernels;
use super::grid::{Line, Strided};
use super::padding::Padding;
use crate::model::initial::normal;
use crate::params::value;
use crate::rng::{Purpose, stream};
use crate::tensors::{Array, Arrays, TensorsError, require_shape};

/// Colours of a pixel.
const COLOURS: usize = 3;

/// Deviation of what a residual block adds, where its input has about 1, when learning begins.
const RESIDUAL_DEVIATION: f32 = 0.5;

/// Variance below which a channel counts as one that never changes.
const DEAD_VARIANCE: f32 = 1e-12;

/// Stages of every size.
const STAGES: usize = 4;

/// The stage whose map can be tapped beside the last one: twice as fine, as I3D's `mixed_4f` is beside `mixed_5c`.
pub(crate) const TAPPED_STAGE: usize = 3;

/// The network.
#[derive(Module, Debug)]
pub struct I3dLite {
    stem: Mixer,
    blocks: Vec<Block>,
    last: Mixer,
    #[module(skip)]
    size: LiteSize,
}

/// Maps at both taps for a batch of clips.
#[derive(Clone, Debug)]
pub struct I3dLiteMaps {
    /// After the third stage, `[N, C3, T, H/16, W/16]`.
    pub stage_3: Tensor<5>,
    /// The last one, whose mean over the picture is the feature, `[N, D, T, H/32, W/32]`.
    pub last: Tensor<5>,
}

/// Mixes the channels of a place, or of a patch.
#[derive(Module, Debug)]
struct Mixer {
    /// `[outputs, inputs, kh, kw]`.
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

/// Depthwise over the picture; the layer behind it has the bias.
#[derive(Module, Debug)]
struct Space {
    /// `[channels, 1, kh, kw]`.
    weight: Param<Tensor<4>>,
    stride: usize,
}

/// Depthwise over the present frame and those before it.
#[derive(Module, Debug)]
struct Memory {
    /// `[frames, channels]`, the oldest first.
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// Kernels over picture and time, then the two that mix channels.
#[derive(Module, Debug)]
struct Block {
    space: Space,
    time: Memory,
    expand: Mixer,
    project: Mixer,
    residual: bool,
}

/// Gives the array of a name and shape: a stored one, or a fresh one.
type Give<'a, E> = &'a mut dyn FnMut(&str, &[usize]) -> Result<Array, E>;

/// A `1x1x1` convolution behind the stem that is about to be computed.
pub struct Pointwise<'a> {
    /// Its place among them, in the order of [`model_export::int8_layers`].
    pub number: usize,
    mixer: &'a Mixer,
}

/// Computes such a layer of `[places, inputs]`; any ReLU comes behind it.
pub type Product<'a> = dyn FnMut(Pointwise<'_>, Tensor<2>) -> Tensor<2> + 'a;

fn as_trained(layer: Pointwise<'_>, x: Tensor<2>) -> Tensor<2> {
    layer.forward(x)
}

impl Pointwise<'_> {
    /// With its own weights.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.mixer.forward(x)
    }

    /// With other weights `[outputs, inputs]` and another bias `[outputs]`.
    pub fn with(&self, x: Tensor<2>, weight: Vec<f32>, bias: Vec<f32>) -> Tensor<2> {
        let device = x.device();
        let [outputs, inputs, ..] = self.mixer.weight.dims();
        let weight = Tensor::from_data(TensorData::new(weight, [outputs, inputs]), &device);
        let bias = Tensor::from_data(TensorData::new(bias, [outputs]), &device);
        mixed(x, weight, bias)
    }

    /// `[outputs, inputs]`.
    pub fn weight(&self) -> Vec<f32> {
        Array::from_tensor(self.mixer.weight.val()).values
    }

    /// `[outputs]`.
    pub fn bias(&self) -> Vec<f32> {
        Array::from_tensor(self.mixer.bias.val()).values
    }
}

impl I3dLite {
    /// Fresh weights, normal with deviation `sqrt(2 / fan_in)` (He et al., ICCV 2015); the kernels over time begin as the
    /// present frame. [`I3dLite::calibrate`] makes them fit for learning.
    pub fn init(size: LiteSize, seed: u64, device: &Device) -> Self {
        let mut layer = 0;
        let Ok(fresh) = Self::build::<Infallible>(size, device, &mut |name, shape| {
            layer += 1;
            Ok(first_values(name, shape, seed, layer))
        });
        fresh
    }

    /// Loads `NAME.weight` (`[outputs, inputs / groups, t, h, w]`) and `NAME.bias` of every layer, each name after `prefix`.
    ///
    /// # Errors
    /// When an array is missing or has another shape; `origin` says where the arrays came from.
    pub fn from_arrays(
        size: LiteSize,
        arrays: &Arrays,
        origin: &str,
        prefix: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        Self::build(size, device, &mut |name, shape| {
            require_shape(arrays, origin, &format!("{prefix}{name}"), shape).cloned()
        })
    }

    fn build<E>(size: LiteSize, device: &Device, give: Give<'_, E>) -> Result<Self, E> {
        let plan = size.plan();
        let (first, side) = (plan.stages[0].channels, usize::from(STEM_PX));
        let stem = Mixer::build("stem", [first, COLOURS, side, side], device, give)?;
        let blocks =
            plan.blocks().map(|block| Block::build(&block, device, give)).collect::<Result<_, E>>()?;
        let widths = [plan.feature_dim, plan.stages[STAGES - 1].channels, 1, 1];
        Ok(Self { stem, blocks, last: Mixer::build("last", widths, device, give)?, size })
    }

    /// Which of the sizes it is.
    pub fn size(&self) -> LiteSize {
        self.size
    }

    /// The feature of every frame; a clip's is their mean.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]`, values in -1..=1, H and W multiples of 4, to `[N, T, D]`. The stream begins with each clip.
    pub fn forward(&self, clips: Tensor<5>) -> Tensor<3> {
        self.maps(clips).mean_dim(2).squeeze_dim(2)
    }

    /// The last map of every frame, whose mean is its feature.
    ///
    /// # Shapes
    /// As [`I3dLite::forward`], to `[N, T, places, D]`, the places row by row.
    pub fn maps(&self, clips: Tensor<5>) -> Tensor<4> {
        self.maps_by(clips, &mut as_trained)
    }

    /// The same with another way to compute the `1x1x1` convolutions behind the stem.
    ///
    /// # Shapes
    /// As [`I3dLite::maps`].
    pub fn maps_by(&self, clips: Tensor<5>, product: &mut Product<'_>) -> Tensor<4> {
        self.last_map(self.stage_3(clips, product), product).flatten(2, 3)
    }

    /// The maps at both taps.
    ///
    /// # Shapes
    /// As [`I3dLite::forward`].
    pub fn taps(&self, clips: Tensor<5>) -> I3dLiteMaps {
        let stage_3 = self.stage_3(clips, &mut as_trained);
        let last = self.last_map(stage_3.clone(), &mut as_trained);
        let channels_first = |maps: Tensor<5>| maps.permute([0, 4, 1, 2, 3]);
        I3dLiteMaps { stage_3: channels_first(stage_3), last: channels_first(last) }
    }

    fn stage_3(&self, clips: Tensor<5>, product: &mut Product<'_>) -> Tensor<5> {
        let stem = relu(self.stem.over(patches(clips), Mixer::forward));
        self.through(0..self.blocks_of_stage_3(), stem, product)
    }

    /// The rest of the way.
    fn last_map(&self, stage_3: Tensor<5>, product: &mut Product<'_>) -> Tensor<5> {
        let x = self.through(self.blocks_of_stage_3()..self.blocks.len(), stage_3, product);
        let number = 2 * self.blocks.len();
        relu(self.last.over(x, |mixer, x| product(Pointwise { number, mixer }, x)))
    }

    fn through(&self, blocks: Range<usize>, x: Tensor<5>, product: &mut Product<'_>) -> Tensor<5> {
        let some = self.blocks[blocks.clone()].iter().zip(blocks);
        some.fold(x, |x, (block, number)| block.forward(x, 2 * number, product))
    }

    fn blocks_of_stage_3(&self) -> usize {
        self.size.plan().blocks_of(TAPPED_STAGE)
    }

    /// Channels of both taps.
    pub fn widths(&self) -> [usize; 2] {
        let plan = self.size.plan();
        [plan.stages[TAPPED_STAGE - 1].channels, plan.feature_dim]
    }

    /// Where the places of both taps lie along a side of so many pixels.
    pub(crate) fn lines(&self, side_px: usize) -> [Line; 2] {
        let stem = usize::from(STEM_PX);
        let blocks = self.size.plan().blocks();
        let layers: Vec<Strided> = std::iter::once(Strided::conv(stem, stem))
            .chain(blocks.map(|block| Strided::conv(block.space_kernel, block.stride)))
            .collect();
        [self.blocks_of_stage_3(), self.blocks.len()]
            .map(|blocks| Padding::Same.line(side_px, &layers[..=blocks]).0)
    }

    /// Scales and shifts every layer so that each channel has mean 0 and deviation 1 over these clips, half of it at the
    /// end of a residual block: the first step of learning then finds no channel dead and none too loud (after Mishkin and
    /// Matas, "All you need is a good init", ICLR 2016).
    ///
    /// # Shapes
    /// Those of [`I3dLite::forward`].
    pub fn calibrate(self, clips: Tensor<5>) -> Self {
        let (stem, x) = self.stem.calibrate(patches(clips), 1.0);
        let mut x = relu(x);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for block in self.blocks {
            let (block, y) = block.calibrate(x);
            blocks.push(block);
            x = y;
        }
        let (last, _) = self.last.calibrate(x, 1.0);
        Self { stem, blocks, last, size: self.size }
    }

    /// The parameters under the names that [`I3dLite::from_arrays`] takes without a prefix.
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = Arrays::new();
        self.store("", None, &mut arrays);
        arrays
    }

    /// Adds the parameters, or the gradients (zero where there is none), each name after `prefix`.
    pub fn store(&self, prefix: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        self.stem.store(&format!("{prefix}stem"), grads, arrays);
        for (place, block) in self.size.plan().blocks().zip(&self.blocks) {
            block.store(prefix, &place, grads, arrays);
        }
        self.last.store(&format!("{prefix}last"), grads, arrays);
    }
}

/// `[N, 3, T, H, W]` to patches of 4 x 4 pixels, `[N, T, H / 4, W / 4, 3 * 4 * 4]`.
fn patches(clips: Tensor<5>) -> Tensor<5> {
    let side = usize::from(STEM_PX);
    let [n, c, t, h, w] = clips.dims();
    let (h, w) = (h / side, w / side);
    let split: Tensor<7> = clips.reshape([n, c, t, h, side, w, side]);
    split.permute([0, 2, 3, 5, 1, 4, 6]).reshape([n, t, h, w, c * side * side])
}

/// `[places, inputs]` by weights `[outputs, inputs]`, and a bias.
pub(crate) fn mixed(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    x.matmul(weight.transpose()) + bias.unsqueeze()
}

fn first_values(name: &str, shape: &[usize], seed: u64, layer: u64) -> Array {
    let count = shape.iter().product();
    let values = if name.ends_with(".bias") {
        vec![0.0; count]
    } else if name.ends_with(".time.weight") {
        // The newest tap of each channel.
        let taps = shape[2];
        (0..count).map(|at| if at % taps + 1 == taps { 1.0 } else { 0.0 }).collect()
    } else {
        let fan_in: usize = shape[1..].iter().product();
        let mut rng = stream(seed, Purpose::Weights, layer);
        normal((2.0 / fan_in.max(1) as f64).sqrt(), count, &mut rng)
    };
    Array { shape: shape.to_vec(), values }
}

impl Mixer {
    fn build<E>(name: &str, shape: [usize; 4], device: &Device, give: Give<'_, E>) -> Result<Self, E> {
        let [outputs, inputs, h, w] = shape;
        let weight = give(&format!("{name}.weight"), &[outputs, inputs, 1, h, w])?;
        let bias = give(&format!("{name}.bias"), &[outputs])?;
        Ok(Self {
            weight: Param::from_data(TensorData::new(weight.values, shape), device),
            bias: Param::from_data(TensorData::new(bias.values, [outputs]), device),
        })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        mixed(x, self.weight.val().flatten(1, 3), self.bias.val())
    }

    /// Every place of a map by a product of this layer's.
    fn over(&self, x: Tensor<5>, mut product: impl FnMut(&Self, Tensor<2>) -> Tensor<2>) -> Tensor<5> {
        let [n, t, h, w, _] = x.dims();
        let [outputs, ..] = self.weight.dims();
        product(self, x.flatten(0, 3)).reshape([n, t, h, w, outputs])
    }

    fn calibrate(self, x: Tensor<5>, deviation: f32) -> (Self, Tensor<5>) {
        let [outputs, ..] = self.weight.dims();
        let (scale, mean) = scale_and_mean(self.over(x.clone(), Self::forward), deviation);
        let own = scale.clone().reshape([outputs, 1, 1, 1]);
        let fitted = Self {
            weight: self.weight.map(|weight| weight * own),
            bias: self.bias.map(|bias| (bias - mean) * scale),
        };
        let y = fitted.over(x, Self::forward);
        (fitted, y)
    }

    fn store(&self, name: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        store_picture(&self.weight, name, grads, arrays);
        arrays.insert(format!("{name}.bias"), Array::from_tensor(value(&self.bias, grads)));
    }
}

/// Adds weights over the picture as files have them, with an axis of time.
fn store_picture(
    weight: &Param<Tensor<4>>,
    name: &str,
    grads: Option<&GradientsParams>,
    arrays: &mut Arrays,
) {
    let [outputs, inputs, h, w] = weight.dims();
    let weight = value(weight, grads).reshape([outputs, inputs, 1, h, w]);
    arrays.insert(format!("{name}.weight"), Array::from_tensor(weight));
}

impl Space {
    fn build<E>(block: &LiteBlock, device: &Device, give: Give<'_, E>) -> Result<Self, E> {
        let (channels, side) = (block.inputs, block.space_kernel);
        let weight = give(&format!("{}.weight", block.layer("space")), &[channels, 1, 1, side, side])?;
        let weight = TensorData::new(weight.values, [channels, 1, side, side]);
        Ok(Self { weight: Param::from_data(weight, device), stride: block.stride })
    }

    fn calibrate(self, x: Tensor<5>) -> Self {
        let [channels, ..] = self.weight.dims();
        let device = x.device();
        let alone = Kernels {
            space: self.weight.val(),
            stride: self.stride,
            time: Tensor::ones([1, channels], &device),
            bias: Tensor::zeros([channels], &device),
        };
        let (scale, _) = scale_and_mean(alone.forward(x), 1.0);
        let scale = scale.reshape([channels, 1, 1, 1]);
        Self { weight: self.weight.map(|weight| weight * scale), stride: self.stride }
    }
}

impl Memory {
    fn build<E>(name: &str, block: &LiteBlock, device: &Device, give: Give<'_, E>) -> Result<Self, E> {
        let (channels, taps) = (block.inputs, block.time_kernel);
        let weight = give(&format!("{name}.weight"), &[channels, 1, taps, 1, 1])?;
        let bias = give(&format!("{name}.bias"), &[channels])?;
        let weight: Tensor<2> = Tensor::from_data(TensorData::new(weight.values, [channels, taps]), device);
        Ok(Self {
            weight: Param::from_tensor(weight.swap_dims(0, 1)),
            bias: Param::from_data(TensorData::new(bias.values, [channels]), device),
        })
    }

    fn calibrate(self, y: Tensor<5>) -> Self {
        let [_, channels] = self.weight.dims();
        let (scale, mean) = scale_and_mean(y, 1.0);
        let own = scale.clone().reshape([1, channels]);
        Self {
            weight: self.weight.map(|weight| weight * own),
            bias: self.bias.map(|bias| (bias - mean) * scale),
        }
    }

    fn store(&self, name: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        let [taps, channels] = self.weight.dims();
        let weight = value(&self.weight, grads).swap_dims(0, 1).reshape([channels, 1, taps, 1, 1]);
        arrays.insert(format!("{name}.weight"), Array::from_tensor(weight));
        arrays.insert(format!("{name}.bias"), Array::from_tensor(value(&self.bias, grads)));
    }
}

impl Block {
    fn build<E>(block: &LiteBlock, device: &Device, give: Give<'_, E>) -> Result<Self, E> {
        let mut mixer = |layer: &str, inputs, outputs| {
            Mixer::build(&block.layer(layer), [outputs, inputs, 1, 1], device, give)
        };
        let expand = mixer("expand", block.inputs, block.width)?;
        let project = mixer("project", block.width, block.outputs)?;
        Ok(Self {
            space: Space::build(block, device, give)?,
            time: Memory::build(&block.layer("time"), block, device, give)?,
            expand,
            project,
            residual: block.is_residual(),
        })
    }

    fn kernels(&self) -> Kernels {
        Kernels {
            space: self.space.weight.val(),
            stride: self.space.stride,
            time: self.time.weight.val(),
            bias: self.time.bias.val(),
        }
    }

    /// `first` is the number of its first `1x1x1` convolution.
    fn forward(&self, x: Tensor<5>, first: usize, product: &mut Product<'_>) -> Tensor<5> {
        let y = self.kernels().forward(x.clone());
        let y = self.expand.over(y, |mixer, y| relu(product(Pointwise { number: first, mixer }, y)));
        let y = self.project.over(y, |mixer, y| product(Pointwise { number: first + 1, mixer }, y));
        if self.residual { x + y } else { y }
    }

    fn calibrate(mut self, x: Tensor<5>) -> (Self, Tensor<5>) {
        self.space = self.space.calibrate(x.clone());
        self.time = self.time.clone().calibrate(self.kernels().forward(x.clone()));
        let y = self.kernels().forward(x.clone());
        let (expand, y) = self.expand.calibrate(y, 1.0);
        let (project, y) =
            self.project.calibrate(relu(y), if self.residual { RESIDUAL_DEVIATION } else { 1.0 });
        let y = if self.residual { x + y } else { y };
        (Self { expand, project, ..self }, y)
    }

    fn store(&self, prefix: &str, block: &LiteBlock, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        let name = |layer: &str| format!("{prefix}{}", block.layer(layer));
        store_picture(&self.space.weight, &name("space"), grads, arrays);
        self.time.store(&name("time"), grads, arrays);
        self.expand.store(&name("expand"), grads, arrays);
        self.project.store(&name("project"), grads, arrays);
    }
}

/// Per channel of a map, what to multiply by for this deviation, and the mean. A channel that never changes stays as it is.
fn scale_and_mean(x: Tensor<5>, deviation: f32) -> (Tensor<1>, Tensor<1>) {
    let x = x.flatten::<2>(0, 3);
    let [_, channels] = x.dims();
    let mean = x.clone().mean_dim(0);
    let variance = (x - mean.clone()).square().mean_dim(0).reshape([channels]);
    let flat = variance.clone().lower_elem(DEAD_VARIANCE);
    ((variance.sqrt().recip() * deviation).mask_fill(flat, 1.0), mean.reshape([channels]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;

    const SIZE: LiteSize = LiteSize::Small;

    fn values(tensor: Tensor<3>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn it_survives_a_round_trip_and_names_what_is_missing() {
        let device = Device::flex();
        let mut arrays = I3dLite::init(SIZE, 3, &device).to_arrays();
        let again = I3dLite::from_arrays(SIZE, &arrays, "test", "", &device).unwrap();
        assert_eq!(again.to_arrays(), arrays);
        assert_eq!(arrays["stage3.1.space.weight"].shape, [128, 1, 1, 5, 5]);
        arrays.remove("stage3.1.expand.bias");
        let error = I3dLite::from_arrays(SIZE, &arrays, "test", "", &device).unwrap_err();
        assert!(error.to_string().contains("stage3.1.expand.bias"), "{error}");
    }

    #[test]
    fn it_has_the_parameters_of_its_plan() {
        let device = Device::flex();
        let expected =
            [(LiteSize::Small, 468_992), (LiteSize::Middle, 1_692_032), (LiteSize::Large, 2_620_288)];
        for (size, expected) in expected {
            let arrays = I3dLite::init(size, 1, &device).to_arrays();
            assert_eq!(arrays.values().map(|array| array.values.len()).sum::<usize>(), expected, "{size}");
        }
    }

    #[test]
    fn a_later_frame_changes_no_earlier_feature() {
        let device = Device::flex();
        let net = I3dLite::init(SIZE, 1, &device).calibrate(narrow::values([1, 3, 6, 32, 32]));
        let clip = narrow::values([1, 3, 6, 32, 32]);
        let other = clip.clone().slice_fill([0..1, 0..3, 4..5], 0.9);
        let (one, two) = (net.forward(clip), net.forward(other));
        let before = |x: &Tensor<3>| values(x.clone().narrow(1, 0, 4));
        assert_eq!(before(&one), before(&two));
        assert_ne!(values(one.narrow(1, 4, 1)), values(two.clone().narrow(1, 4, 1)));
    }

    #[test]
    fn the_taps_are_maps_on_the_way_to_the_feature() {
        let device = Device::flex();
        let clips = narrow::values([2, 3, 3, 48, 32]);
        let net = I3dLite::init(SIZE, 1, &device).calibrate(clips.clone());
        let maps = net.taps(clips.clone());
        let [channels, features] = net.widths();
        assert_eq!(maps.stage_3.dims(), [2, channels, 3, 3, 2]);
        assert_eq!(maps.last.dims(), [2, features, 3, 2, 1]);
        // `[N, D, T, places]` to `[N, T, D]`.
        let means: Tensor<3> = maps.last.flatten::<4>(3, 4).mean_dim(3).squeeze_dim::<3>(3).swap_dims(1, 2);
        for (mean, feature) in values(means).iter().zip(values(net.forward(clips))) {
            assert!((mean - feature).abs() < 1e-6, "{mean} {feature}");
        }
    }

    #[test]
    fn places_of_the_taps_are_those_of_their_strides() {
        let net = I3dLite::init(SIZE, 1, &Device::flex());
        // 28 places of 4 pixels, then 14, 7 and, one place padded on either side, 4.
        let [stage_3, last] = net.lines(112);
        assert_eq!((stage_3.step_px, last.step_px), (16.0, 32.0));
        assert_eq!(last.first_px, stage_3.first_px);
    }

    #[test]
    fn calibration_leaves_no_channel_dead() {
        let device = Device::flex();
        let clips = narrow::values([2, 3, 4, 64, 64]);
        let net = I3dLite::init(SIZE, 1, &device).calibrate(clips.clone());
        let features = values(net.forward(clips));
        let dim = SIZE.plan().feature_dim;
        for channel in 0..dim {
            let own = || features.iter().skip(channel).step_by(dim);
            assert!(own().any(|value| *value > 0.0), "channel {channel} is dead");
            assert!(own().all(|value| *value < 10.0), "channel {channel} is loud");
        }
    }
}
