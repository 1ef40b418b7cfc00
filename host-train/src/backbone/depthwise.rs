//! The two depthwise convolutions of an I3D-lite block as one operation.
//!
//! On the processor it is an operation of our own ([`::depthwise`]) with its own backward pass: burn takes the gradient of a
//! depthwise kernel with a convolution per channel. Elsewhere it is made of burn's operations.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, DispatchDevice, Flex, TensorMetadata};
use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{Tensor, TensorData};
use depthwise::{Axis, Layer, Weights};

use super::padding::same_total;

/// burn-flex names it so, and burn does not.
type FlexTensor = FloatTensor<Flex>;

/// Weights of both kernels.
#[derive(Clone, Debug)]
pub struct Kernels {
    /// `[channels, 1, H taps, W taps]`.
    pub space: Tensor<4>,
    /// From one place to the next, in both directions.
    pub stride: usize,
    /// `[frames, channels]`, the oldest first.
    pub time: Tensor<2>,
    /// `[channels]`.
    pub bias: Tensor<1>,
}

impl Kernels {
    /// Over the picture, padded to TensorFlow's `SAME`, then over the present frame and those before it.
    ///
    /// # Shapes
    /// `[N, T, H, W, C]` to `[N, T, H / stride, W / stride, C]`, rounded up.
    pub fn forward(self, x: Tensor<5>) -> Tensor<5> {
        let is_processor = matches!(x.device().without_autodiff().as_dispatch(), DispatchDevice::Flex(_));
        let own = is_processor.then(|| self.clone().on_processor(x.clone())).flatten();
        own.unwrap_or_else(|| self.by_parts(x))
    }

    fn layer(&self, x: &Tensor<5>) -> Layer {
        let [clips, frames, height, width, channels] = x.dims();
        let [_, _, kh, kw] = self.space.dims();
        let axis = |input: usize, kernel: usize| {
            let before = same_total(input, kernel, self.stride) / 2;
            Axis { input, output: input.div_ceil(self.stride), kernel, stride: self.stride, before }
        };
        let [taps, _] = self.time.dims();
        Layer { clips, frames, axes: [axis(height, kh), axis(width, kw)], channels, taps }
    }

    /// Nothing when a tensor is not the processor's after all.
    fn on_processor(self, x: Tensor<5>) -> Option<Tensor<5>> {
        let layer = self.layer(&x);
        let space = self.space.flatten::<2>(1, 3).swap_dims(0, 1);
        if x.device().is_autodiff() {
            let x = x.try_into_primitive::<Autodiff<Flex>>().ok()?;
            let space = space.try_into_primitive::<Autodiff<Flex>>().ok()?;
            let time = self.time.try_into_primitive::<Autodiff<Flex>>().ok()?;
            let bias = self.bias.try_into_primitive::<Autodiff<Flex>>().ok()?;
            let nodes = [x.node(), space.node(), time.node(), bias.node()];
            let own = [x, space, time, bias].map(|tensor| contiguous(tensor.into_parts().0));
            let (after_space, y) = forward(&layer, &own);
            let y = match Depthwise.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => prepared.finish(Seen { layer, own, after_space }, y),
                OpsKind::UnTracked(prepared) => prepared.finish(y),
            };
            Some(Tensor::from_primitive::<Autodiff<Flex>>(y))
        } else {
            let x = x.try_into_primitive::<Flex>().ok()?;
            let space = space.try_into_primitive::<Flex>().ok()?;
            let time = self.time.try_into_primitive::<Flex>().ok()?;
            let bias = self.bias.try_into_primitive::<Flex>().ok()?;
            let own = [x, space, time, bias].map(contiguous);
            Some(Tensor::from_primitive::<Flex>(forward(&layer, &own).1))
        }
    }

    fn by_parts(self, x: Tensor<5>) -> Tensor<5> {
        let Layer { clips, frames, axes, channels, taps } = self.layer(&x);
        let [height, width] = axes;
        let pads = axes.map(|axis| {
            let total = same_total(axis.input, axis.kernel, axis.stride);
            (axis.before, total - axis.before)
        });
        let x = x.reshape([clips * frames, height.input, width.input, channels]);
        let x = x.permute([0, 3, 1, 2]).pad(pads, PadMode::Constant(0.0));
        let options = ConvOptions::new([self.stride; 2], [0; 2], [1; 2], channels);
        let x = conv2d(x, self.space, None, options);
        let x = x.permute([0, 2, 3, 1]).reshape([clips, frames, height.output * width.output, channels]);
        let padded = x.pad([(taps - 1, 0), (0, 0), (0, 0)], PadMode::Constant(0.0));
        let mut sum = self.bias.reshape([1, 1, 1, channels]);
        for tap in 0..taps {
            let weight = self.time.clone().narrow(0, tap, 1).reshape([1, 1, 1, channels]);
            sum = padded.clone().narrow(1, tap, frames) * weight + sum;
        }
        sum.reshape([clips, frames, height.output, width.output, channels])
    }
}

/// The operation's name in the graph of gradients.
#[derive(Debug)]
struct Depthwise;

/// What the backward pass wants.
#[derive(Clone, Debug)]
struct Seen {
    layer: Layer,
    /// Input, both kernels and bias.
    own: [FlexTensor; 4],
    after_space: FlexTensor,
}

impl Backward<Flex, 4> for Depthwise {
    type State = Seen;

    fn backward(self, ops: Ops<Seen, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Seen { layer, own, after_space } = ops.state;
        let grad = contiguous(grads.consume::<Flex>(&ops.node));
        let weights = weights(&own);
        let by = layer.backward(values(&own[0]), values(&after_space), weights, values(&grad));
        let found = [by.input, by.space, by.time, by.bias];
        for ((node, found), own) in ops.parents.into_iter().zip(found).zip(&own) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, tensor(found, own.shape()));
            }
        }
    }
}

/// What comes behind the kernel over the picture, and behind that over time.
fn forward(layer: &Layer, own: &[FlexTensor; 4]) -> (FlexTensor, FlexTensor) {
    let outputs = layer.forward(values(&own[0]), weights(own));
    let [height, width] = layer.axes.map(|axis| axis.output);
    let shape = [layer.clips, layer.frames, height, width, layer.channels];
    (tensor(outputs.space, shape), tensor(outputs.time, shape))
}

fn weights(own: &[FlexTensor; 4]) -> Weights<'_> {
    let [_, space, time, bias] = own;
    Weights { space: values(space), time: values(time), bias: values(bias) }
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// The values of a contiguous tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    let first = tensor.layout().start_offset();
    &tensor.storage()[first..first + tensor.layout().num_elements()]
}

fn tensor(values: Vec<f32>, shape: impl Into<burn::tensor::Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;
    use burn::tensor::Device;

    /// Sums of at most some hundred products of values up to 1.
    const TOLERANCE: f32 = 1e-4;

    fn kernels(channels: usize, [side, stride, taps]: [usize; 3]) -> Kernels {
        Kernels {
            space: narrow::values([channels, 1, side, side]),
            stride,
            time: narrow::values([taps, channels]),
            bias: narrow::values([channels]),
        }
    }

    fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    fn assert_near(one: &[f32], other: &[f32]) {
        assert_eq!(one.len(), other.len());
        let worst = one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(worst < TOLERANCE, "{worst}");
    }

    /// The output and all gradients of a weighted sum of it, by one way of computing.
    fn learn(
        kernels: &Kernels,
        x: &Tensor<5>,
        forward: impl Fn(Kernels, Tensor<5>) -> Tensor<5>,
    ) -> [Vec<f32>; 5] {
        let device = Device::flex().autodiff();
        let x = Tensor::<5>::from_data(x.to_data(), &device).require_grad();
        let own = Kernels {
            space: Tensor::<4>::from_data(kernels.space.to_data(), &device).require_grad(),
            time: Tensor::<2>::from_data(kernels.time.to_data(), &device).require_grad(),
            bias: Tensor::<1>::from_data(kernels.bias.to_data(), &device).require_grad(),
            stride: kernels.stride,
        };
        let y = forward(own.clone(), x.clone());
        let weights = Tensor::<5>::from_data(narrow::values(y.dims()).into_data(), &device);
        let grads = (y.clone() * weights).sum().backward();
        [
            floats(y.inner()),
            floats(x.grad(&grads).unwrap()),
            floats(own.space.grad(&grads).unwrap()),
            floats(own.time.grad(&grads).unwrap()),
            floats(own.bias.grad(&grads).unwrap()),
        ]
    }

    #[test]
    fn the_operation_of_our_own_learns_as_burns_do() {
        for (shape, sizes) in [
            ([2, 4, 6, 5, 3], [3, 1, 3]),
            ([1, 3, 7, 8, 16], [5, 2, 2]),
            ([2, 2, 4, 4, 8], [3, 2, 5]),
            ([1, 1, 3, 3, 1], [1, 1, 1]),
        ] {
            let kernels = kernels(shape[4], sizes);
            let x = narrow::values(shape);
            let own = learn(&kernels, &x, |kernels, x| kernels.on_processor(x).unwrap());
            let parts = learn(&kernels, &x, Kernels::by_parts);
            for (own, parts) in own.iter().zip(&parts) {
                assert_near(own, parts);
            }
            let plain = floats(kernels.on_processor(x).unwrap());
            assert_eq!(plain, own[0]);
        }
    }

    #[test]
    fn a_view_of_a_larger_map_is_read_where_it_lies() {
        let all = narrow::values([2, 3, 5, 5, 4]);
        let one = all.clone().narrow(0, 1, 1);
        let turned = one.clone().swap_dims(2, 3);
        let kernels = kernels(4, [3, 1, 2]);
        for view in [one, turned] {
            let whole = Tensor::<5>::from_data(view.to_data(), &view.device());
            assert_eq!(
                floats(kernels.clone().on_processor(view).unwrap()),
                floats(kernels.clone().on_processor(whole).unwrap())
            );
        }
    }
}
