//! Against loops that follow the formula value by value, in f64, and against differences.

#![allow(clippy::unwrap_used)]

use depthwise::{Axis, Layer, Weights};
use proptest::prelude::*;

/// Sums of at most some hundred products of values up to 1.
const TOLERANCE: f64 = 1e-4;

#[derive(Debug, Clone)]
struct Case {
    layer: Layer,
    x: Vec<f32>,
    space: Vec<f32>,
    time: Vec<f32>,
    bias: Vec<f32>,
    /// Of the output.
    grad: Vec<f32>,
}

impl Case {
    fn weights(&self) -> Weights<'_> {
        Weights { space: &self.space, time: &self.time, bias: &self.bias }
    }
}

fn axis() -> impl Strategy<Value = Axis> {
    (1..7usize, 1..6usize, 1..4usize).prop_flat_map(|(input, kernel, stride)| {
        (0..kernel, 0..kernel).prop_map(move |(before, after)| {
            let padded = (input + before + after).max(kernel);
            Axis { input, output: (padded - kernel) / stride + 1, kernel, stride, before }
        })
    })
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = (1..3usize, 1..5usize, [axis(), axis()], 1..20usize, 1..5usize);
    sizes.prop_flat_map(|(clips, frames, axes, channels, taps)| {
        let layer = Layer { clips, frames, axes, channels, taps };
        let values = |count| prop::collection::vec(-1.0f32..1.0, count);
        let space = layer.space_taps() * channels;
        let of_input = values(layer.all_frames() * layer.input_len());
        let of_output = values(layer.all_frames() * layer.output_len());
        (of_input, values(space), values(taps * channels), values(channels), of_output)
            .prop_map(move |(x, space, time, bias, grad)| Case { layer, x, space, time, bias, grad })
    })
}

/// Calls `each` with an output, its tap over time, the frame that it lies on, its tap over the picture and the input's place.
fn each_product(layer: &Layer, mut each: impl FnMut([usize; 5])) {
    let [height, width] = layer.axes;
    let (from, to, c) = (layer.input_len(), layer.output_len(), layer.channels);
    for (clip, t, k) in triples(layer.clips, layer.frames, layer.taps) {
        let Some(earlier) = (t + k + 1).checked_sub(layer.taps) else { continue };
        let (now, then) = (clip * layer.frames + t, clip * layer.frames + earlier);
        for (p, q, i) in triples(height.output, width.output, height.kernel) {
            for j in 0..width.kernel {
                let row = (p * height.stride + i).checked_sub(height.before);
                let column = (q * width.stride + j).checked_sub(width.before);
                let (Some(row), Some(column)) = (row, column) else { continue };
                if row >= height.input || column >= width.input {
                    continue;
                }
                for channel in 0..c {
                    each([
                        now * to + (p * width.output + q) * c + channel,
                        k * c + channel,
                        then * to + (p * width.output + q) * c + channel,
                        (i * width.kernel + j) * c + channel,
                        then * from + (row * width.input + column) * c + channel,
                    ]);
                }
            }
        }
    }
}

fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |x| (0..b).flat_map(move |y| (0..c).map(move |z| (x, y, z))))
}

fn near(found: &[f32], expected: &[f64]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(&found, expected)| {
            (f64::from(found) - expected).abs() < TOLERANCE * (1.0 + expected.abs())
        })
}

proptest! {
    #[test]
    fn forward_is_the_formula(case in case()) {
        let Case { layer, .. } = &case;
        let outputs = layer.forward(&case.x, case.weights());
        let biases = case.bias.iter().map(|&bias| f64::from(bias)).cycle();
        let mut expected: Vec<f64> = biases.take(outputs.time.len()).collect();
        each_product(layer, |[y, time, _, space, x]| {
            expected[y] += [case.time[time], case.space[space], case.x[x]].map(f64::from).iter().product::<f64>();
        });
        prop_assert!(near(&outputs.time, &expected));
    }

    #[test]
    fn gradients_are_those_of_the_formula(case in case()) {
        let Case { layer, grad, .. } = &case;
        let after = layer.forward(&case.x, case.weights()).space;
        let found = layer.backward(&case.x, &after, case.weights(), grad);
        let zeros = |like: &[f32]| vec![0.0f64; like.len()];
        let (mut by_x, mut by_space, mut by_time) = (zeros(&case.x), zeros(&case.space), zeros(&case.time));
        each_product(layer, |[y, time, _, space, x]| {
            let [grad, own_time, own_space, own_x] =
                [grad[y], case.time[time], case.space[space], case.x[x]].map(f64::from);
            by_x[x] += grad * own_time * own_space;
            by_space[space] += grad * own_time * own_x;
            by_time[time] += grad * own_space * own_x;
        });
        let mut by_bias = zeros(&case.bias);
        let channels = (0..layer.channels).cycle();
        channels.zip(grad).for_each(|(channel, &grad)| by_bias[channel] += f64::from(grad));
        prop_assert!(near(&found.input, &by_x));
        prop_assert!(near(&found.space, &by_space));
        prop_assert!(near(&found.time, &by_time));
        prop_assert!(near(&found.bias, &by_bias));
    }
}

#[test]
#[should_panic(expected = "input, taps over picture and time, and bias")]
fn an_input_of_another_size_is_refused() {
    let axis = Axis { input: 2, output: 2, kernel: 3, stride: 1, before: 1 };
    let layer = Layer { clips: 1, frames: 1, axes: [axis; 2], channels: 1, taps: 1 };
    layer.forward(&[0.0; 3], Weights { space: &[0.0; 9], time: &[0.0], bias: &[0.0] });
}
