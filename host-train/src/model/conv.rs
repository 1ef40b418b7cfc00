//! Convolution over time as one matrix product per tap.
//!
//! Clips are rows, `[sequences * clips, width]`. A dilated convolution then is a product of all rows with
//! each tap's matrix, shifted in time afterwards: few large products, nothing unfolded, and the shift moves
//! outputs, which are narrower than inputs in the widest layers. Where there are many rows, three taps take
//! [fewer products](winograd).

mod winograd;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor, TensorData};

use crate::params::value;
use crate::tensors::{Array, Arrays};
use winograd::Pairs;

/// What a layer looks like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Width of a row before.
    pub inputs: usize,
    /// Width of a row after.
    pub outputs: usize,
    /// Clips that one output looks at, odd.
    pub taps: usize,
    /// Distance between them.
    pub dilation: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// Whether files keep the weight as a matrix `[outputs, inputs]` instead of `[outputs, inputs, taps]`.
    pub linear: bool,
}

impl Shape {
    /// A linear layer with bias.
    pub fn linear(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, taps: 1, dilation: 1, bias: true, linear: true }
    }

    /// A convolution over single clips, with bias.
    pub fn pointwise(inputs: usize, outputs: usize) -> Self {
        Self { linear: false, ..Self::linear(inputs, outputs) }
    }

    /// A convolution over three clips at a distance, with bias.
    pub fn dilated(inputs: usize, outputs: usize, dilation: usize) -> Self {
        Self { taps: 3, dilation, ..Self::pointwise(inputs, outputs) }
    }

    /// The same without bias.
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    fn published(&self) -> Vec<usize> {
        let mut shape = vec![self.outputs, self.inputs];
        if !self.linear {
            shape.push(self.taps);
        }
        shape
    }
}

/// What an output of a convolution over clips may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Clips on both sides; places before the first and after the last one count as zero.
    Whole,
    /// The clip itself and those before it; the first clip stands for those before it.
    Causal,
}

/// A convolution that keeps the length: places before the first and after the last clip count as zero.
#[derive(Module, Debug)]
pub struct Conv {
    /// One `[inputs, outputs]` matrix per tap, earliest clip first.
    taps: Vec<Param<Tensor<2>>>,
    bias: Option<Param<Tensor<1>>>,
    dilation: usize,
    linear: bool,
}

impl Conv {
    /// Takes `NAME.weight` (`[outputs, inputs, taps]`) and `NAME.bias` from `source`, which is asked for
    /// shapes.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn build<E>(
        name: &str,
        shape: Shape,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        let weight = source(&format!("{name}.weight"), &shape.published())?;
        let bias = if shape.bias { Some(source(&format!("{name}.bias"), &[shape.outputs])?) } else { None };
        let vector = |array: Array| Param::from_data(TensorData::new(array.values, [shape.outputs]), device);
        Ok(Self {
            taps: (0..shape.taps).map(|tap| tap_matrix(&weight, shape, tap, device)).collect(),
            bias: bias.map(vector),
            dilation: shape.dilation,
            linear: shape.linear,
        })
    }

    /// Convolves sequences that lie one after another.
    ///
    /// # Shapes
    /// `[sequences * clips, inputs]` to `[sequences * clips, outputs]`.
    pub fn forward(&self, rows: Tensor<2>, clips: usize) -> Tensor<2> {
        if let [before, centre, after] = &self.taps[..]
            && let Some(pairs) = Pairs::worth_it(rows.dims()[0], clips, self.dilation)
        {
            let taps = [before, centre, after].map(Param::val);
            return pairs.convolve(rows, taps, self.bias.as_ref().map(Param::val));
        }
        self.tap_by_tap(rows, clips)
    }

    fn tap_by_tap(&self, rows: Tensor<2>, clips: usize) -> Tensor<2> {
        let centre = self.taps.len() / 2;
        let bias = self.bias.as_ref().map(Param::val);
        let mut sum = linear(rows.clone(), self.taps[centre].val(), bias);
        for (index, tap) in self.taps.iter().enumerate() {
            let distance = index.abs_diff(centre) * self.dilation;
            // Further away than the sequence is long, everything is zero.
            if distance == 0 || distance >= clips {
                continue;
            }
            let product = linear(rows.clone(), tap.val(), None);
            let to = if index < centre { Towards::Later } else { Towards::Earlier };
            sum = sum + shifted(product, clips, distance, to);
        }
        sum
    }

    /// As [`Conv::forward`], for the clip itself and those before it where `time` says so: taps lie behind the clip, the last
    /// one on it.
    ///
    /// # Shapes
    /// As there.
    pub fn forward_in(&self, time: Time, rows: Tensor<2>, clips: usize) -> Tensor<2> {
        match time {
            Time::Whole => self.forward(rows, clips),
            Time::Causal => self.causal(rows, clips),
        }
    }

    fn causal(&self, rows: Tensor<2>, clips: usize) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Param::val);
        let last = self.taps.len() - 1;
        let mut sum = linear(rows.clone(), self.taps[last].val(), bias);
        for (index, tap) in self.taps[..last].iter().enumerate() {
            let product = linear(rows.clone(), tap.val(), None);
            sum = sum + delayed(product, clips, (last - index) * self.dilation);
        }
        sum
    }

    /// The matrix of the middle tap, `[inputs, outputs]`.
    pub fn centre(&self) -> Tensor<2> {
        self.taps[self.taps.len() / 2].val()
    }

    /// Adds the parameters, or their gradients (zero where there is none), under the published names.
    pub fn store(&self, name: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        let taps: Vec<Array> = self.taps.iter().map(|tap| Array::from_tensor(value(tap, grads))).collect();
        let [inputs, outputs] = self.taps[0].dims();
        let mut values = Vec::with_capacity(inputs * outputs * taps.len());
        for output in 0..outputs {
            for input in 0..inputs {
                values.extend(taps.iter().map(|tap| tap.values[input * outputs + output]));
            }
        }
        let mut shape = vec![outputs, inputs];
        if !self.linear {
            shape.push(taps.len());
        }
        arrays.insert(format!("{name}.weight"), Array { shape, values });
        if let Some(bias) = &self.bias {
            arrays.insert(format!("{name}.bias"), Array::from_tensor(value(bias, grads)));
        }
    }

    /// Attaches the parameters of `given` to this layer's parameters as their gradients.
    pub fn register(&self, given: &Self, grads: &mut GradientsParams) {
        for (own, given) in self.taps.iter().zip(&given.taps) {
            grads.register(own.id, given.val());
        }
        if let (Some(own), Some(given)) = (&self.bias, &given.bias) {
            grads.register(own.id, given.val());
        }
    }
}

/// One tap of a weight `[outputs, inputs, taps]` as `[inputs, outputs]`.
fn tap_matrix(weight: &Array, shape: Shape, tap: usize, device: &Device) -> Param<Tensor<2>> {
    let Shape { inputs, outputs, taps, .. } = shape;
    let mut values = vec![0.0_f32; inputs * outputs];
    for (row, taps) in weight.values.chunks_exact(taps).enumerate() {
        let (output, input) = (row / inputs, row % inputs);
        values[input * outputs + output] = taps[tap];
    }
    Param::from_data(TensorData::new(values, [inputs, outputs]), device)
}

/// Where rows are moved to.
#[derive(Clone, Copy)]
enum Towards {
    Earlier,
    Later,
}

/// Moves every row later by `distance` clips within its sequence; the first row moves in.
fn delayed(rows: Tensor<2>, clips: usize, distance: usize) -> Tensor<2> {
    let [count, width] = rows.dims();
    let rows: Tensor<3> = rows.reshape([count / clips, clips, width]);
    let moved_in = distance.min(clips);
    let first = rows.clone().narrow(1, 0, 1).repeat_dim(1, moved_in);
    let moved = match clips - moved_in {
        0 => first,
        kept => Tensor::cat(vec![first, rows.narrow(1, 0, kept)], 1),
    };
    moved.reshape([count, width])
}

/// Moves every row by `distance` clips within its sequence; zeros move in.
fn shifted(rows: Tensor<2>, clips: usize, distance: usize, to: Towards) -> Tensor<2> {
    let [count, width] = rows.dims();
    let sequences = count / clips;
    let rows: Tensor<3> = rows.reshape([sequences, clips, width]);
    let zeros = Tensor::zeros([sequences, distance, width], &rows.device());
    let kept = clips - distance;
    let parts = match to {
        Towards::Later => vec![zeros, rows.narrow(1, 0, kept)],
        Towards::Earlier => vec![rows.narrow(1, distance, kept), zeros],
    };
    Tensor::cat(parts, 1).reshape([count, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn layer(shape: Shape, weight: &[f32], bias: &[f32]) -> Conv {
        let mut source = |name: &str, shape: &[usize]| {
            let values = if name.ends_with("weight") { weight } else { bias };
            Ok::<_, Infallible>(Array { shape: shape.to_vec(), values: values.to_vec() })
        };
        let Ok(conv) = Conv::build("c", shape, &mut source, &Device::flex());
        conv
    }

    #[test]
    fn taps_look_back_and_ahead_within_their_own_sequence() {
        let conv = layer(Shape::dilated(1, 1, 2), &[100.0, 10.0, 1.0], &[0.5]);
        let data = TensorData::new(vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0], [6, 1]);
        let output = conv.forward(Tensor::from_data(data, &Device::flex()), 3);
        let values: Vec<f32> = output.into_data().iter::<f32>().collect();
        assert_eq!(values, [13.5, 20.5, 130.5, 46.5, 50.5, 460.5]);
    }

    #[test]
    fn a_sequence_shorter_than_the_reach_sees_itself_alone() {
        let conv = layer(Shape::dilated(1, 1, 4), &[100.0, 10.0, 1.0], &[0.0]);
        let data = TensorData::new(vec![1.0_f32, 2.0], [2, 1]);
        let output = conv.forward(Tensor::from_data(data, &Device::flex()), 2);
        assert_eq!(output.into_data().iter::<f32>().collect::<Vec<_>>(), [10.0, 20.0]);
    }

    /// Both ways in single precision, relative to the largest value.
    const TOLERANCE: f64 = 1e-5;

    fn assert_close(got: Array, want: Array, what: &str) {
        let largest = want.values.iter().fold(0.0, |largest: f64, value| largest.max(f64::from(value.abs())));
        for (got, want) in got.values.iter().zip(&want.values) {
            let difference = f64::from((got - want).abs());
            assert!(difference <= TOLERANCE * largest, "{what}: {got} instead of {want}");
        }
    }

    #[test]
    fn pairs_of_clips_give_the_same_outputs_and_gradients_as_tap_by_tap() {
        let device = Device::flex().autodiff();
        for (sequences, clips, dilation) in
            [(16, 32, 1), (20, 32, 2), (16, 32, 4), (30, 31, 1), (18, 29, 2), (40, 23, 4)]
        {
            let what = format!("{clips} clips, dilation {dilation}");
            let mut rng = crate::rng::stream(7, crate::rng::Purpose::Weights, dilation as u64);
            let mut source = |_: &str, shape: &[usize]| {
                let values = crate::model::initial::uniform(1.0, shape.iter().product(), &mut rng);
                Ok::<_, Infallible>(Array { shape: shape.to_vec(), values })
            };
            let Ok(conv) = Conv::build("c", Shape::dilated(5, 3, dilation), &mut source, &device);
            let count = sequences * clips;
            let mut matrix = |width: usize| {
                let Ok(array) = source("rows", &[count, width]);
                Tensor::<2>::from_data(TensorData::new(array.values, [count, width]), &device)
            };
            let (rows, slope) = (matrix(5).require_grad(), matrix(3));
            assert!(Pairs::worth_it(count, clips, dilation).is_some(), "{what}");
            let run = |output: Tensor<2>| {
                let grads = (output.clone() * slope.clone()).sum().backward();
                let of_rows = Array::from_tensor(rows.grad(&grads).unwrap());
                let of_weights = GradientsParams::from_grads(grads, &conv);
                let mut arrays = Arrays::from([
                    ("outputs".to_owned(), Array::from_tensor(output.inner())),
                    ("rows".to_owned(), of_rows),
                ]);
                conv.store("c", Some(&of_weights), &mut arrays);
                arrays
            };
            let want = run(conv.tap_by_tap(rows.clone(), clips));
            for (name, got) in run(conv.forward(rows.clone(), clips)) {
                assert_close(got, want[&name].clone(), &format!("{what}, {name}"));
            }
        }
    }

    #[test]
    fn causal_taps_look_back_and_the_first_clip_stands_for_those_before_it() {
        let conv = layer(Shape::dilated(1, 1, 2), &[100.0, 10.0, 1.0], &[0.5]);
        let data = TensorData::new(vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0], [10, 1]);
        let output = conv.forward_in(Time::Causal, Tensor::from_data(data, &Device::flex()), 5);
        let values: Vec<f32> = output.into_data().iter::<f32>().collect();
        assert_eq!(values, [111.5, 112.5, 113.5, 124.5, 135.5, 777.5, 778.5, 779.5, 790.5, 801.5]);
    }

    #[test]
    fn weights_come_back_in_the_published_order() {
        let weight: Vec<f32> = (0..18).map(|value| value as f32).collect();
        let conv = layer(Shape::dilated(3, 2, 1), &weight, &[7.0, 8.0]);
        let mut arrays = Arrays::new();
        conv.store("c", None, &mut arrays);
        assert_eq!(arrays["c.weight"], Array { shape: vec![2, 3, 3], values: weight });
        assert_eq!(arrays["c.bias"].values, [7.0, 8.0]);
    }
}
