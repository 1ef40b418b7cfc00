//! I3D-lite, the streaming encoder of [`vad_core::lite`], as it learns: whole clips at once.
//!
//! Frames stand in the batch, `[N * T, C, H, W]`, so that all but the kernels over time are 2-D convolutions.

use std::convert::Infallible;
use std::ops::Range;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{Device, Tensor, TensorData};
use vad_core::lite::STEM_PX;
use vad_core::{LiteBlock, LitePlan, LiteSize};

use super::grid::{Line, Strided};
use super::padding::{Padding, same_total};
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

/// The stage whose map can be tapped beside the last one: twice as fine, as I3D's `mixed_4f` is beside `mixed_5c`.
pub(crate) const TAPPED_STAGE: usize = 3;

/// The network.
#[derive(Module, Debug)]
pub struct I3dLite {
    stem: Conv,
    blocks: Vec<Block>,
    last: Conv,
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

/// A 2-D convolution, padded to TensorFlow's `SAME`.
#[derive(Module, Debug)]
struct Conv {
    /// `[outputs, inputs / groups, kh, kw]`.
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    stride: usize,
    groups: usize,
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
    space: Conv,
    time: Memory,
    expand: Conv,
    project: Conv,
    residual: bool,
}

/// What a convolution looks like.
#[derive(Clone, Copy)]
struct Shape {
    outputs: usize,
    inputs: usize,
    side: usize,
    stride: usize,
    groups: usize,
    has_bias: bool,
}

impl Shape {
    fn pointwise(inputs: usize, outputs: usize) -> Self {
        Self { outputs, inputs, side: 1, stride: 1, groups: 1, has_bias: true }
    }

    fn stem(plan: &LitePlan) -> Self {
        let side = usize::from(STEM_PX);
        Self { side, stride: side, ..Self::pointwise(COLOURS, plan.stages[0].channels) }
    }

    fn last(plan: &LitePlan) -> Self {
        Self::pointwise(plan.stages[3].channels, plan.feature_dim)
    }

    fn space(block: &LiteBlock) -> Self {
        let channels = block.inputs;
        Self {
            side: block.space_kernel,
            stride: block.stride,
            groups: channels,
            has_bias: false,
            ..Self::pointwise(channels, channels)
        }
    }

    /// As files have it, with an axis of time.
    fn stored(self) -> [usize; 5] {
        [self.outputs, self.inputs / self.groups, 1, self.side, self.side]
    }
}

/// Gives the array of a name and shape: a stored one, or a fresh one.
type Give<'a, E> = &'a mut dyn FnMut(&str, &[usize]) -> Result<Array, E>;

/// A `1x1x1` convolution behind the stem that is about to be computed.
pub struct Pointwise<'a> {
    /// Its place among them, in the order of [`model_export::int8_layers`].
    pub number: usize,
    conv: &'a Conv,
}

/// Computes such a layer of `[rows, inputs, H, W]`; any ReLU comes behind it.
pub type Product<'a> = dyn FnMut(Pointwise<'_>, Tensor<4>) -> Tensor<4> + 'a;

fn as_trained(layer: Pointwise<'_>, x: Tensor<4>) -> Tensor<4> {
    layer.forward(x)
}

impl Pointwise<'_> {
    /// With its own weights.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv.forward(x)
    }

    /// With other weights `[outputs, inputs]` and another bias `[outputs]`.
    pub fn with(&self, x: Tensor<4>, weight: Vec<f32>, bias: Vec<f32>) -> Tensor<4> {
        let (device, shape) = (x.device(), self.conv.weight.dims());
        let outputs = shape[0];
        let weight = Tensor::from_data(TensorData::new(weight, shape), &device);
        let bias = Tensor::from_data(TensorData::new(bias, [outputs]), &device);
        conv2d(x, weight, Some(bias), ConvOptions::new([1; 2], [0; 2], [1; 2], 1))
    }

    /// `[outputs, inputs]`.
    pub fn weight(&self) -> Vec<f32> {
        Array::from_tensor(self.conv.weight.val()).values
    }

    /// `[outputs]`.
    pub fn bias(&self) -> Vec<f32> {
        self.conv.bias.iter().flat_map(|bias| Array::from_tensor(bias.val()).values).collect()
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
        let stem = Conv::build("stem", Shape::stem(plan), device, give)?;
        let blocks =
            plan.blocks().map(|block| Block::build(&block, device, give)).collect::<Result<_, E>>()?;
        Ok(Self { stem, blocks, last: Conv::build("last", Shape::last(plan), device, give)?, size })
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
        let maps = self.maps(clips);
        let [n, t, features, _] = maps.dims();
        maps.mean_dim(3).reshape([n, t, features])
    }

    /// The last map of every frame, whose mean is its feature.
    ///
    /// # Shapes
    /// As [`I3dLite::forward`], to `[N, T, D, places]`, the places row by row.
    pub fn maps(&self, clips: Tensor<5>) -> Tensor<4> {
        self.maps_by(clips, &mut as_trained)
    }

    /// The same with another way to compute the `1x1x1` convolutions behind the stem.
    ///
    /// # Shapes
    /// As [`I3dLite::maps`].
    pub fn maps_by(&self, clips: Tensor<5>, product: &mut Product<'_>) -> Tensor<4> {
        let [n, _, t, _, _] = clips.dims();
        let x = self.last_map(self.stage_3(clips, product), t, product);
        let [_, features, h, w] = x.dims();
        x.reshape([n, t, features, h * w])
    }

    /// The maps at both taps.
    ///
    /// # Shapes
    /// As [`I3dLite::forward`].
    pub fn taps(&self, clips: Tensor<5>) -> I3dLiteMaps {
        let [_, _, t, _, _] = clips.dims();
        let stage_3 = self.stage_3(clips, &mut as_trained);
        let last = self.last_map(stage_3.clone(), t, &mut as_trained);
        I3dLiteMaps { stage_3: volumes(stage_3, t), last: volumes(last, t) }
    }

    /// `[N, 3, T, H, W]` to `[N * T, C3, h, w]`.
    fn stage_3(&self, clips: Tensor<5>, product: &mut Product<'_>) -> Tensor<4> {
        let [_, _, t, _, _] = clips.dims();
        let stem = relu(self.stem.forward(frames(clips)));
        self.through(0..self.blocks_of_stage_3(), stem, t, product)
    }

    /// The rest of the way, `t` frames of each clip one behind the other.
    fn last_map(&self, stage_3: Tensor<4>, t: usize, product: &mut Product<'_>) -> Tensor<4> {
        let x = self.through(self.blocks_of_stage_3()..self.blocks.len(), stage_3, t, product);
        relu(product(Pointwise { number: 2 * self.blocks.len(), conv: &self.last }, x))
    }

    fn through(&self, blocks: Range<usize>, x: Tensor<4>, t: usize, product: &mut Product<'_>) -> Tensor<4> {
        let some = self.blocks[blocks.clone()].iter().zip(blocks);
        some.fold(x, |x, (block, number)| block.forward(x, t, 2 * number, product))
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
        let [_, _, t, _, _] = clips.dims();
        let (stem, x) = self.stem.calibrate(frames(clips), 1.0);
        let mut x = relu(x);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for block in self.blocks {
            let (block, y) = block.calibrate(x, t);
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

/// `[N, C, T, H, W]` to `[N * T, C, H, W]`.
fn frames(clips: Tensor<5>) -> Tensor<4> {
    let [n, c, t, h, w] = clips.dims();
    clips.swap_dims(1, 2).reshape([n * t, c, h, w])
}

/// `[N * T, C, H, W]` to `[N, C, T, H, W]`.
fn volumes(frames: Tensor<4>, t: usize) -> Tensor<5> {
    let [rows, c, h, w] = frames.dims();
    frames.reshape([rows / t, t, c, h, w]).swap_dims(1, 2)
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

impl Conv {
    fn build<E>(name: &str, shape: Shape, device: &Device, give: Give<'_, E>) -> Result<Self, E> {
        let stored = shape.stored();
        let weight = give(&format!("{name}.weight"), &stored)?;
        let [outputs, inputs, _, h, w] = stored;
        let bias = shape.has_bias.then(|| give(&format!("{name}.bias"), &[outputs])).transpose()?;
        Ok(Self {
            weight: Param::from_data(TensorData::new(weight.values, [outputs, inputs, h, w]), device),
            bias: bias.map(|bias| Param::from_data(TensorData::new(bias.values, [outputs]), device)),
            stride: shape.stride,
            groups: shape.groups,
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, h, w] = x.dims();
        let [_, _, kh, kw] = self.weight.dims();
        let pads = [same(h, kh, self.stride), same(w, kw, self.stride)];
        let symmetric = pads.iter().all(|(before, after)| before == after);
        let (x, own) = match symmetric {
            true => (x, pads.map(|(before, _)| before)),
            false => (x.pad(pads, PadMode::Constant(0.0)), [0; 2]),
        };
        let bias = self.bias.as_ref().map(Param::val);
        conv2d(x, self.weight.val(), bias, ConvOptions::new([self.stride; 2], own, [1; 2], self.groups))
    }

    fn calibrate(self, x: Tensor<4>, deviation: f32) -> (Self, Tensor<4>) {
        let [outputs, ..] = self.weight.dims();
        let (scale, mean) = scale_and_mean(self.forward(x.clone()), deviation);
        let own = scale.clone().reshape([outputs, 1, 1, 1]);
        let fitted = Self {
            weight: self.weight.map(|weight| weight * own),
            bias: self.bias.map(|bias| bias.map(|bias| (bias - mean) * scale)),
            ..self
        };
        let y = fitted.forward(x);
        (fitted, y)
    }

    fn store(&self, name: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        let [outputs, inputs, h, w] = self.weight.dims();
        let weight = value(&self.weight, grads).reshape([outputs, inputs, 1, h, w]);
        arrays.insert(format!("{name}.weight"), Array::from_tensor(weight));
        if let Some(bias) = &self.bias {
            arrays.insert(format!("{name}.bias"), Array::from_tensor(value(bias, grads)));
        }
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

    /// `t` frames of each clip lie one behind the other in the batch.
    fn forward(&self, x: Tensor<4>, t: usize) -> Tensor<4> {
        let [rows, c, h, w] = x.dims();
        let [taps, _] = self.weight.dims();
        let x = x.reshape([rows / t, t, c, h * w]);
        let padded = x.pad([(taps - 1, 0), (0, 0), (0, 0)], PadMode::Constant(0.0));
        let mut sum = self.bias.val().reshape([1, 1, c, 1]);
        for tap in 0..taps {
            let weight = self.weight.val().narrow(0, tap, 1).reshape([1, 1, c, 1]);
            sum = padded.clone().narrow(1, tap, t) * weight + sum;
        }
        sum.reshape([rows, c, h, w])
    }

    fn calibrate(self, x: Tensor<4>, t: usize) -> (Self, Tensor<4>) {
        let [_, channels] = self.weight.dims();
        let (scale, mean) = scale_and_mean(self.forward(x.clone(), t), 1.0);
        let own = scale.clone().reshape([1, channels]);
        let fitted = Self {
            weight: self.weight.map(|weight| weight * own),
            bias: self.bias.map(|bias| (bias - mean) * scale),
        };
        let y = fitted.forward(x, t);
        (fitted, y)
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
        let mut point = |layer: &str, inputs, outputs| {
            Conv::build(&block.layer(layer), Shape::pointwise(inputs, outputs), device, give)
        };
        let expand = point("expand", block.inputs, block.width)?;
        let project = point("project", block.width, block.outputs)?;
        Ok(Self {
            space: Conv::build(&block.layer("space"), Shape::space(block), device, give)?,
            time: Memory::build(&block.layer("time"), block, device, give)?,
            expand,
            project,
            residual: block.is_residual(),
        })
    }

    /// `first` is the number of its first `1x1x1` convolution.
    fn forward(&self, x: Tensor<4>, t: usize, first: usize, product: &mut Product<'_>) -> Tensor<4> {
        let y = self.time.forward(self.space.forward(x.clone()), t);
        let y = relu(product(Pointwise { number: first, conv: &self.expand }, y));
        let y = product(Pointwise { number: first + 1, conv: &self.project }, y);
        if self.residual { x + y } else { y }
    }

    fn calibrate(self, x: Tensor<4>, t: usize) -> (Self, Tensor<4>) {
        let Self { space, time, expand, project, residual } = self;
        let (space, y) = space.calibrate(x.clone(), 1.0);
        let (time, y) = time.calibrate(y, t);
        let (expand, y) = expand.calibrate(y, 1.0);
        let (project, y) = project.calibrate(relu(y), if residual { RESIDUAL_DEVIATION } else { 1.0 });
        let y = if residual { x + y } else { y };
        (Self { space, time, expand, project, residual }, y)
    }

    fn store(&self, prefix: &str, block: &LiteBlock, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        let name = |layer: &str| format!("{prefix}{}", block.layer(layer));
        self.space.store(&name("space"), grads, arrays);
        self.time.store(&name("time"), grads, arrays);
        self.expand.store(&name("expand"), grads, arrays);
        self.project.store(&name("project"), grads, arrays);
    }
}

/// Places before and after a side, TensorFlow's `SAME`: an odd one goes behind.
fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let total = same_total(size, kernel, stride);
    (total / 2, total - total / 2)
}

/// Per channel of `[rows, C, H, W]`, what to multiply by for this deviation, and the mean. A channel that never changes
/// stays as it is.
fn scale_and_mean(x: Tensor<4>, deviation: f32) -> (Tensor<1>, Tensor<1>) {
    let channels = x.dims()[1];
    let x = x.swap_dims(0, 1).flatten::<2>(1, 3);
    let mean = x.clone().mean_dim(1);
    let variance = (x - mean.clone()).square().mean_dim(1).reshape([channels]);
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
