//! Layers in int8: against plain loops over integers, against tract on the same graph, and what is refused.

use proptest::prelude::*;
use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::{Shape, beside_tract, noise, shapes, small, write};
use crate::common::{graph, node};
use crate::lite::LiteNet;
use crate::lite::int8::{Grid, Int8, Int8Weights};
use crate::lite::isa::{Isa, padded};
use crate::lite::pointwise::Then;

/// Of the largest feature. A value between two steps may be rounded to either, and what follows sees it.
const ROUNDED: f32 = 0.02;
/// The mean difference: few values lie between two steps.
const ROUNDED_MEAN: f32 = 0.002;

/// A layer with made-up weights.
#[derive(Debug, Clone)]
struct Made {
    input: Grid,
    inputs: usize,
    weight: Vec<i8>,
    scale: Vec<f32>,
    bias: Vec<i32>,
}

impl Made {
    fn new(seed: usize, [inputs, outputs]: [usize; 2], input: Grid) -> Self {
        let weight = noise(seed, outputs * inputs).iter().map(|v| (v * 127.0) as i8).collect();
        let scale = noise(seed + 1, outputs).iter().map(|v| 0.002 + 0.001 * v).collect();
        let bias = noise(seed + 2, outputs).iter().map(|v| (v * 3000.0) as i32).collect();
        Self { input, inputs, weight, scale, bias }
    }

    fn layer(&self, isa: Isa) -> Int8 {
        let Self { input, weight, scale, bias, .. } = self;
        Int8::new(isa, &Int8Weights { input: *input, weight, scale, bias }).unwrap()
    }

    /// The steps of a value's place on the grid.
    fn step(&self, x: f32) -> i32 {
        let zero = f32::from(self.input.zero_point);
        ((x * self.input.scale.recip()).round_ties_even() + zero).clamp(0.0, 255.0) as i32
    }

    /// From steps `[places, inputs]` to sums `[places, outputs]`.
    fn sums(&self, steps: &[i32]) -> Vec<i32> {
        let of_place = |place: &[i32]| -> Vec<i32> {
            let rows = self.weight.chunks_exact(self.inputs).zip(&self.bias);
            rows.map(|(row, bias)| {
                let zero = i32::from(self.input.zero_point);
                bias + row.iter().zip(place).map(|(&w, x)| i32::from(w) * (x - zero)).sum::<i32>()
            })
            .collect()
        };
        steps.chunks_exact(self.inputs).flat_map(of_place).collect()
    }

    fn real(&self, sum: i32, output: usize) -> f32 {
        sum as f32 * (self.input.scale * self.scale[output])
    }
}

/// `[places, channels]` with channels filled up.
fn filled(values: &[f32], channels: usize) -> Vec<f32> {
    let zeros = std::iter::repeat_n(0.0, padded(channels) - channels);
    values.chunks_exact(channels).flat_map(|place| place.iter().copied().chain(zeros.clone())).collect()
}

fn grids() -> impl Strategy<Value = Grid> {
    (0.005_f32..0.03, any::<u8>()).prop_map(|(scale, zero_point)| Grid { scale, zero_point })
}

fn assert_layers_are_exact(x: &[f32], first: &Made, second: &Made) {
    let middle = first.bias.len();
    let outputs = second.bias.len();
    let places = x.len() / first.inputs;
    let steps: Vec<i32> = x.iter().map(|&x| first.step(x)).collect();
    let sums = first.sums(&steps);
    let floats: Vec<f32> = sums.iter().enumerate().map(|(at, &sum)| first.real(sum, at % middle)).collect();
    let zero = i32::from(second.input.zero_point);
    let next: Vec<i32> = sums
        .iter()
        .enumerate()
        .map(|(at, &sum)| {
            let factor = first.input.scale * first.scale[at % middle] / second.input.scale;
            (sum as f32 * factor).clamp(0.0, 255.0 - zero as f32).round_ties_even() as i32 + zero
        })
        .collect();
    let last: Vec<f32> =
        second.sums(&next).iter().enumerate().map(|(at, &sum)| second.real(sum, at % outputs)).collect();
    for isa in Isa::available() {
        let (one, two) = (first.layer(isa), second.layer(isa));
        let mut words = vec![0; one.words(places)];
        one.quantise(&filled(x, first.inputs), &mut words);
        let mut y = vec![f32::NAN; places * one.outputs()];
        one.run(&words, Then::Nothing, &mut y);
        assert_eq!(y, filled(&floats, middle), "{isa:?}");
        let mut middle = vec![0; two.words(places)];
        one.run_into_steps(&words, &one.requantise(&two), &mut middle);
        let mut y = vec![f32::NAN; places * two.outputs()];
        two.run(&middle, Then::Nothing, &mut y);
        assert_eq!(y, filled(&last, outputs), "{isa:?}, two layers");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sums_are_exact(
        places in 1..=30_usize,
        widths in prop::array::uniform3(1..=120_usize),
        grids in [grids(), grids()],
    ) {
        let [inputs, middle, outputs] = widths;
        let x: Vec<f32> = noise(places, places * inputs).iter().map(|v| v * 3.0).collect();
        let first = Made::new(inputs, [inputs, middle], grids[0]);
        let second = Made::new(outputs, [middle, outputs], grids[1]);
        assert_layers_are_exact(&x, &first, &second);
    }

    #[test]
    fn features_in_int8_are_those_of_tract(shape in shapes(), int8 in 1_u64..) {
        beside_tract(&Shape { int8, ..shape }, assert_rounded);
    }
}

fn assert_rounded(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.1_f32, |most, value| most.max(value.abs()));
    let differences: Vec<f32> = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / largest).collect();
    let most = differences.iter().copied().fold(0.0, f32::max);
    let mean = differences.iter().sum::<f32>() / differences.len() as f32;
    assert!(most <= ROUNDED && mean <= ROUNDED_MEAN, "{what}: {most} at most, {mean} on average");
}

/// Where 16-bit sums of two products would saturate.
#[test]
fn the_largest_sums_are_exact() {
    let grid = Grid { scale: 0.01, zero_point: 0 };
    let made = |weight: i8, [inputs, outputs]: [usize; 2]| Made {
        input: grid,
        inputs,
        weight: vec![weight; inputs * outputs],
        scale: vec![1e-5; outputs],
        bias: vec![7; outputs],
    };
    let x = vec![9.0; 768 * 5];
    for weight in [127, -127] {
        assert_layers_are_exact(&x, &made(weight, [768, 48]), &made(weight, [48, 32]));
    }
}

#[test]
fn ties_go_to_the_even_step() {
    let grid = Grid { scale: 0.5, zero_point: 3 };
    let identity = Made { input: grid, inputs: 1, weight: vec![1], scale: vec![1.0], bias: vec![0] };
    let x = [0.25, 0.75, 1.25, -0.25, -0.75, -1.25, 1e30, -1e30];
    for isa in Isa::available() {
        let layer = identity.layer(isa);
        let (mut words, mut y) = (vec![0; layer.words(x.len())], vec![0.0; x.len() * layer.outputs()]);
        layer.quantise(&filled(&x, 1), &mut words);
        layer.run(&words, Then::Nothing, &mut y);
        let found: Vec<f32> = y.iter().step_by(layer.outputs()).copied().collect();
        assert_eq!(found, [0.0, 1.0, 1.0, 0.0, -1.0, -1.0, 126.0, -1.5], "{isa:?}");
    }
}

#[test]
fn a_bias_that_overflows_is_refused() {
    let grid = Grid { scale: 1.0, zero_point: 0 };
    let layer = |bias| {
        let layer = Int8Weights { input: grid, weight: &[127], scale: &[1.0], bias: &[bias] };
        Int8::new(Isa::Any, &layer)
    };
    assert!(layer(i32::MAX - 127 * 255).is_ok());
    let error = layer(i32::MAX - 127 * 255 + 1).unwrap_err().to_string();
    assert!(error.contains("32 bits"), "{error}");
    assert!(layer(i32::MIN).is_err());
}

#[test]
fn a_graph_in_int8_that_differs_is_refused_with_its_node() {
    let shape = Shape { int8: u64::MAX, ..small() };
    assert!(LiteNet::read(Isa::best(), &write(&shape), shape.clip()).unwrap().is_some());
    type Change = Box<dyn Fn(&mut ModelProto)>;
    let constant = |name: &'static str, change: fn(&mut tract_onnx::pb::TensorProto)| -> Change {
        Box::new(move |model| {
            let constants = &mut graph(model).initializer;
            change(constants.iter_mut().find(|constant| constant.name == name).unwrap());
        })
    };
    let set = |name: &'static str, value: f32| -> Change {
        Box::new(move |model| {
            let constants = &mut graph(model).initializer;
            let constant = constants.iter_mut().find(|constant| constant.name == name).unwrap();
            constant.raw_data[..4].copy_from_slice(&value.to_le_bytes());
        })
    };
    let attribute = |name: &'static str, attribute| -> Change {
        Box::new(move |model| {
            let nodes = &mut graph(model).node;
            let node = nodes.iter_mut().find(|node| node.name == name).unwrap();
            node.attribute.push(super::int(attribute, 1));
        })
    };
    let input = |name: &'static str, at: usize, other: &'static str| -> Change {
        Box::new(move |model| {
            let nodes = &mut graph(model).node;
            let node = nodes.iter_mut().find(|node| node.name == name).unwrap();
            node.input[at] = other.to_owned();
        })
    };
    let changes: Vec<(&str, &str, Change)> = vec![
        ("0.expand.q", "the scale 0", set("0.expand.input_scale", 0.0)),
        ("0.expand.q", "the scale -1", set("0.expand.input_scale", -1.0)),
        ("0.project.weight.dq", "the scale NaN", set("0.project.weight_scale", f32::NAN)),
        ("last.weight.dq", "the scale inf", set("last.weight_scale", f32::INFINITY)),
        ("0.expand.bias.dq", "multiply to", set("0.expand.bias_scale", 0.5)),
        (
            "0.expand.weight.dq",
            "is not 24 zeros",
            constant("0.expand.weight_zero_point", |t| t.raw_data[3] = 1),
        ),
        ("0.expand.bias.dq", "is not 24 zeros", constant("0.expand.bias_zero_point", |t| t.raw_data[3] = 1)),
        (
            "0.expand.q",
            "not of the type UINT8",
            constant("0.expand.input_zero_point", |t| t.data_type = DataType::Int8 as i32),
        ),
        ("0.expand.q", "has the shape [1]", constant("0.expand.input_scale", |t| t.dims = vec![1])),
        (
            "0.expand.weight.dq",
            "32 weights for each",
            constant("0.expand.weight", |t| t.dims = vec![12, 32, 1, 1, 1]),
        ),
        ("0.expand.bias.dq", "the shape [1, 24]", constant("0.expand.bias", |t| t.dims = vec![1, 24])),
        ("0.expand.bias.dq", "the shape [24, 1]", constant("0.expand.bias_scale", |t| t.dims = vec![24, 1])),
        (
            "0.expand.conv",
            "32 bits",
            constant("0.expand.bias", |t| t.raw_data[..4].copy_from_slice(&i32::MAX.to_le_bytes())),
        ),
        ("0.expand.conv", "plain 1x1x1", attribute("0.expand.conv", "auto_pad")),
        ("0.expand.weight.dq", "attributes", attribute("0.expand.weight.dq", "axis")),
        ("0.expand.q", "attributes", attribute("0.expand.q", "axis")),
        ("0.expand.q", "not the layer's input", input("0.expand.q", 0, "0.space")),
        ("0.expand.dq", "does not undo", input("0.expand.dq", 1, "0.project.input_scale")),
        ("0.expand.conv", "three nodes", input("0.expand.conv", 1, "0.project.weight")),
        ("1.time", "another node", attribute("1.time", "dilations")),
        (
            "1.space",
            "another node",
            Box::new(|m| {
                let nodes = &mut graph(m).node;
                nodes.iter_mut().find(|node| node.name == "1.space").unwrap().op_type = "Relu".to_owned();
            }),
        ),
        (
            "last.q",
            "ends",
            Box::new(|m| {
                let nodes = &mut graph(m).node;
                let end = nodes.iter().position(|node| node.name == "last.q").unwrap();
                nodes.truncate(end + 1);
            }),
        ),
        ("feature", "another node", Box::new(|m| graph(m).node.push(node("Relu", "behind", &["feature"])))),
    ];
    for (place, reason, change) in changes {
        let mut changed = write(&shape);
        change(&mut changed);
        let fault = LiteNet::read(Isa::best(), &changed, shape.clip()).expect_err(reason);
        assert!(fault.node == place && fault.reason.contains(reason), "{place}, {reason}: {fault:?}");
    }
}
