//! Our kernels against tract, and the graphs that they leave to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test")]

use std::sync::Arc;

use proptest::prelude::*;
use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::*;
use vad_core::ClipSpec;

use super::LiteNet;
use super::isa::Isa;
use crate::common::{float, graph, int, ints, model, node, raw, value};
use crate::plan::Contract;
use crate::prepare::{self, Arithmetic};
use crate::{LazyIm2col, Pulse};

mod int8;
mod weights_in_f16;

/// Of the largest feature: other kernels take the same sums in another order.
const TRACT: f32 = 1e-5;
/// Frames of a clip, which every pulse divides.
const FRAMES: usize = 4;

#[derive(Debug, Clone)]
struct BlockShape {
    /// Of the kernel over the picture, both ways.
    kernel: [usize; 2],
    stride: usize,
    /// Zeros before and behind, as far as they fit.
    pads: [usize; 4],
    frames: usize,
    width: usize,
    outputs: usize,
}

#[derive(Debug, Clone)]
struct Shape {
    patch: usize,
    /// Of the stem's map.
    map: [usize; 2],
    stem: usize,
    blocks: Vec<BlockShape>,
    features: usize,
    /// A bit for each `1x1x1` convolution behind the stem, the first lowest: in int8.
    int8: u64,
    stored: Stored,
}

/// How the weights of a convolution that is not in int8 stand in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    F32,
    F16,
    /// In f32, each the nearest that f16 has.
    Rounded,
}

impl Shape {
    fn clip(&self) -> [usize; 5] {
        [1, 3, FRAMES, self.map[0] * self.patch, self.map[1] * self.patch]
    }
}

/// Values between -1 and 1 that no two tensors share.
fn noise(seed: usize, len: usize) -> Vec<f32> {
    let mut state = seed as u64 * 0x9E37_79B9 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Writes a graph as the exporter does.
struct Writer {
    model: ModelProto,
    x: String,
    channels: usize,
    int8: u64,
    stored: Stored,
}

impl Writer {
    /// Of what is written next, whatever stands around it.
    fn seed(&mut self) -> usize {
        graph(&mut self.model).node.iter().filter(|node| node.op_type != "Cast").count()
    }

    fn conv(
        &mut self,
        name: &str,
        outputs: usize,
        kernel: [usize; 3],
        stride: usize,
        pads: [usize; 6],
        groups: usize,
    ) {
        let seed = self.seed();
        let inputs = self.channels / groups;
        let taps = inputs * kernel.iter().product::<usize>();
        let long = |values: &[usize]| values.iter().map(|&v| v as i64).collect::<Vec<_>>();
        let scale = (3.0 / taps as f32).sqrt();
        let weight: Vec<f32> = noise(seed, outputs * taps).iter().map(|v| v * scale).collect();
        let mut dims = vec![outputs as i64, inputs as i64];
        dims.extend(long(&kernel));
        let weight = self.weight(&format!("{name}.weight"), &dims, &weight);
        let mut conv = node("Conv", name, &[&self.x, &weight, &format!("{name}.bias")]);
        let strides = if kernel[0] == 1 { [1, stride, stride] } else { [1; 3] };
        conv.attribute.push(ints("kernel_shape", &long(&kernel)));
        conv.attribute.push(ints("strides", &long(&strides)));
        conv.attribute.push(ints("pads", &long(&pads)));
        if groups > 1 {
            conv.attribute.push(int("group", groups as i64));
        }
        let graph = graph(&mut self.model);
        graph.initializer.push(float(
            &format!("{name}.bias"),
            &[outputs as i64],
            &noise(seed + 500, outputs),
        ));
        graph.node.push(conv);
        (self.x, self.channels) = (name.to_owned(), outputs);
    }

    /// Adds weights as they are to be stored; the name that the convolution reads them by.
    fn weight(&mut self, name: &str, dims: &[i64], values: &[f32]) -> String {
        let graph = graph(&mut self.model);
        let halves: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
        let (constant, read) = match self.stored {
            Stored::F32 => (float(name, dims, values), name.to_owned()),
            Stored::Rounded => {
                let rounded: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
                (float(name, dims, &rounded), name.to_owned())
            }
            Stored::F16 => {
                let bytes = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                let mut cast = node("Cast", &format!("{name}.f32"), &[name]);
                cast.attribute.push(int("to", DataType::Float as i64));
                graph.node.push(cast);
                (raw(name, dims, DataType::Float16, bytes), format!("{name}.f32"))
            }
        };
        graph.initializer.push(constant);
        read
    }

    /// A `1x1x1` convolution whose inputs are about -4 to 4, or 0 to 4.
    fn pointwise(&mut self, name: &str, outputs: usize, positive: bool) {
        let int8 = self.int8 & 1 == 1;
        self.int8 >>= 1;
        if !int8 {
            return self.conv(name, outputs, [1; 3], 1, [0; 6], 1);
        }
        let (seed, inputs) = (graph(&mut self.model).node.len(), self.channels);
        let unit = |part: &str| format!("{name}.{part}");
        let (input_scale, zero) = if positive { (4.0 / 255.0, 0) } else { (8.0 / 255.0, 128) };
        let most = (3.0 / inputs as f32).sqrt() / 127.0;
        let scales: Vec<f32> = noise(seed, outputs).iter().map(|v| most * (0.8 + 0.2 * v)).collect();
        let weight: Vec<u8> =
            noise(seed + 1, outputs * inputs).iter().map(|v| (v * 127.0) as i8 as u8).collect();
        let bias_scales: Vec<f32> = scales.iter().map(|scale| scale * input_scale).collect();
        let biases = noise(seed + 500, outputs).into_iter().zip(&bias_scales);
        let bias: Vec<u8> = biases.flat_map(|(v, scale)| ((v / scale) as i32).to_le_bytes()).collect();
        let count = outputs as i64;
        let graph = graph(&mut self.model);
        graph.initializer.extend([
            float(&unit("input_scale"), &[], &[input_scale]),
            raw(&unit("input_zero_point"), &[], DataType::Uint8, vec![zero]),
            raw(&unit("weight"), &[count, inputs as i64, 1, 1, 1], DataType::Int8, weight),
            float(&unit("weight_scale"), &[count], &scales),
            raw(&unit("weight_zero_point"), &[count], DataType::Int8, vec![0; outputs]),
            raw(&unit("bias"), &[count], DataType::Int32, bias),
            float(&unit("bias_scale"), &[count], &bias_scales),
            raw(&unit("bias_zero_point"), &[count], DataType::Int32, vec![0; 4 * outputs]),
        ]);
        let grid = [unit("input_scale"), unit("input_zero_point")];
        graph.node.push(node("QuantizeLinear", &unit("q"), &[&self.x, &grid[0], &grid[1]]));
        graph.node.push(node("DequantizeLinear", &unit("dq"), &[&unit("q"), &grid[0], &grid[1]]));
        for part in ["weight", "bias"] {
            let (scale, zero) = (unit(&format!("{part}_scale")), unit(&format!("{part}_zero_point")));
            let made = unit(&format!("{part}.dq"));
            let mut made = node("DequantizeLinear", &made, &[&unit(part), &scale, &zero]);
            made.attribute.push(int("axis", 0));
            graph.node.push(made);
        }
        let inputs = [unit("dq"), unit("weight.dq"), unit("bias.dq")];
        let mut conv = node("Conv", &unit("conv"), &inputs.each_ref().map(String::as_str));
        conv.attribute.extend([ints("kernel_shape", &[1; 3]), ints("pads", &[0; 6])]);
        graph.node.push(conv);
        (self.x, self.channels) = (unit("conv"), outputs);
    }

    fn unary(&mut self, op: &str, name: &str, other: Option<&str>) {
        let inputs: Vec<&str> = other.into_iter().chain([self.x.as_str()]).collect();
        let next = node(op, name, &inputs);
        graph(&mut self.model).node.push(next);
        self.x = name.to_owned();
    }
}

fn write(shape: &Shape) -> ModelProto {
    let clip = shape.clip().map(|n| n as i64);
    let mut empty = model(Default::default());
    graph(&mut empty).input.push(value("clip", &clip));
    graph(&mut empty).output.push(value("feature", &[1, shape.features as i64, clip[2]]));
    let Shape { int8, stored, .. } = *shape;
    let mut to = Writer { model: empty, x: "clip".to_owned(), channels: 3, int8, stored };
    to.conv("stem", shape.stem, [1, shape.patch, shape.patch], shape.patch, [0; 6], 1);
    to.unary("Relu", "stem.relu", None);
    for (number, block) in shape.blocks.iter().enumerate() {
        let name = |layer: &str| format!("{number}.{layer}");
        let ([top, left, bottom, right], [h, w]) = (block.pads, block.kernel);
        let (before, channels) = (to.x.clone(), to.channels);
        to.conv(
            &name("space"),
            channels,
            [1, h, w],
            block.stride,
            [0, top, left, 0, bottom, right],
            channels,
        );
        to.conv(
            &name("time"),
            channels,
            [block.frames, 1, 1],
            1,
            [block.frames - 1, 0, 0, 0, 0, 0],
            channels,
        );
        to.pointwise(&name("expand"), block.width, false);
        to.unary("Relu", &name("relu"), None);
        to.pointwise(&name("project"), block.outputs, true);
        let same = block.stride == 1 && top + bottom == h - 1 && left + right == w - 1;
        if same && channels == block.outputs {
            to.unary("Add", &name("sum"), Some(&before));
        }
    }
    to.pointwise("last", shape.features, false);
    to.unary("Relu", "last.relu", None);
    to.unary("ReduceMean", "feature", None);
    let mean = graph(&mut to.model).node.last_mut().unwrap();
    mean.attribute.extend([ints("axes", &[3, 4]), int("keepdims", 0)]);
    to.model
}

fn pulse(frames: usize) -> Pulse {
    Pulse::new(frames, ClipSpec { frames: FRAMES as u16, stride: FRAMES as u16 }).unwrap()
}

/// Features of a stream of two clips by tract, `[D, pulse]` one behind the other.
fn by_tract(model: &ModelProto, shape: &Shape, frames: &[Vec<f32>], at_a_time: usize) -> Vec<f32> {
    by_tract_in(Arithmetic::F32, model, shape, frames, at_a_time)
}

fn by_tract_in(
    arithmetic: Arithmetic,
    model: &ModelProto,
    shape: &Shape,
    frames: &[Vec<f32>],
    at_a_time: usize,
) -> Vec<f32> {
    let [_, colours, _, height, width] = shape.clip();
    let whole = Contract::new("test", &shape.clip(), &[1, shape.features, FRAMES]);
    let lazy_im2col = LazyIm2col::default();
    let runnable = prepare::pulsed(model, &whole, pulse(at_a_time), lazy_im2col, arithmetic).unwrap();
    let mut state = runnable.spawn().unwrap();
    let input = [1, colours, at_a_time, height, width];
    let contract = Contract::new("test", &input, &[1, shape.features, at_a_time]);
    let mut step =
        |frames: &Vec<f32>| contract.run_graph(frames, arithmetic, |inputs| state.run(inputs)).unwrap();
    frames.iter().flat_map(&mut step).collect()
}

fn stream(shape: &Shape, at_a_time: usize) -> Vec<Vec<f32>> {
    let [_, colours, _, height, width] = shape.clip();
    (0..2 * FRAMES / at_a_time).map(|turn| noise(900 + turn, colours * at_a_time * height * width)).collect()
}

fn assert_like(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= TRACT * largest, "{what}: {at}: {found} instead of {expected}");
    }
}

fn blocks() -> impl Strategy<Value = Vec<BlockShape>> {
    let kernels = prop::array::uniform2(1..=5_usize);
    let block =
        (kernels, 1..=3_usize, any::<[u8; 4]>(), any::<bool>(), 1..=5_usize, 1..=70_usize, 2..=50_usize);
    let block = block.prop_map(|(kernel, stride, random, same, frames, width, outputs)| {
        let most = [kernel[0], kernel[1], kernel[0], kernel[1]];
        let mut pads: [usize; 4] = std::array::from_fn(|at| usize::from(random[at]) % most[at]);
        if same {
            pads[2] = kernel[0] - 1 - pads[0];
            pads[3] = kernel[1] - 1 - pads[1];
        }
        // tract does not stream a stride that leaves places out.
        let stride = stride.min(kernel[0]).min(kernel[1]);
        BlockShape { kernel, stride, pads, frames, width, outputs }
    });
    prop::collection::vec(block, 1..=3)
}

fn shapes() -> impl Strategy<Value = Shape> {
    let map = prop::array::uniform2(5..=13_usize);
    (1..=4_usize, map, 2..=40_usize, blocks(), 1..=50_usize, any::<bool>()).prop_map(
        |(patch, map, stem, mut blocks, features, constant)| {
            // The map must not get smaller than a kernel.
            let mut size = map;
            for block in &mut blocks {
                for (axis, side) in size.iter_mut().enumerate() {
                    let padded = *side + block.pads[axis] + block.pads[axis + 2];
                    if padded < block.kernel[axis] {
                        block.pads[axis] = 0;
                        block.pads[axis + 2] = 0;
                        block.kernel[axis] = 1;
                        block.stride = 1;
                    }
                    let padded = *side + block.pads[axis] + block.pads[axis + 2];
                    *side = (padded - block.kernel[axis]) / block.stride + 1;
                }
                if constant {
                    block.outputs = stem;
                }
            }
            Shape { patch, map, stem, blocks, features, int8: 0, stored: Stored::F32 }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn features_are_those_of_tract(shape in shapes()) {
        beside_tract(&shape, assert_like);
    }
}

/// Features of every instruction set at every pulse, those of tract, and words on which they are.
fn beside_tract(shape: &Shape, compare: impl Fn(&[f32], &[f32], &str)) {
    let model = write(shape);
    for at_a_time in [1, 2, 4] {
        let frames = stream(shape, at_a_time);
        let expected = by_tract(&model, shape, &frames, at_a_time);
        for isa in Isa::available() {
            let net = Arc::new(LiteNet::read(isa, &model, shape.clip()).unwrap().unwrap());
            let mut state = net.beginning(at_a_time, None);
            let found: Vec<f32> = frames.iter().flat_map(|frames| state.run(frames)).collect();
            compare(&found, &expected, &format!("{isa:?}, {at_a_time} at a time"));
        }
    }
}

fn small() -> Shape {
    let block =
        |stride, outputs| BlockShape { kernel: [3, 3], stride, pads: [1; 4], frames: 3, width: 24, outputs };
    Shape {
        patch: 4,
        map: [6, 6],
        stem: 16,
        blocks: vec![block(1, 16), block(2, 20)],
        features: 8,
        int8: 0,
        stored: Stored::F32,
    }
}

#[test]
fn a_stream_that_was_forgotten_begins_anew() {
    let shape = small();
    let net = Arc::new(LiteNet::read(Isa::best(), &write(&shape), shape.clip()).unwrap().unwrap());
    let frames = stream(&shape, 1);
    let (mut used, mut other) = (net.beginning(1, None), net.beginning(1, None));
    let first: Vec<_> = frames.iter().map(|frame| used.run(frame)).collect();
    assert_ne!(used.run(&frames[0]), first[0], "it remembers");
    used.forget();
    for (frame, first) in frames.iter().zip(&first) {
        assert_eq!(&used.run(frame), first);
        assert_eq!(&other.run(frame), first, "another camera's frames change nothing");
    }
}

#[test]
fn a_graph_that_differs_in_one_place_is_left_to_tract() {
    let shape = small();
    let read = |model: &ModelProto| LiteNet::read(Isa::best(), model, shape.clip()).unwrap().is_some();
    assert!(read(&write(&shape)));
    let attribute = |model: &mut ModelProto, name: &str, attribute: &str, values: &[i64]| {
        let node = graph(model).node.iter_mut().find(|node| node.name == name).unwrap();
        node.attribute.retain(|known| known.name != attribute);
        node.attribute.push(ints(attribute, values));
    };
    type Change = Box<dyn Fn(&mut ModelProto)>;
    let changes: Vec<(&str, Change)> = vec![
        ("dilated", Box::new(move |m| attribute(m, "0.space", "dilations", &[1, 2, 2]))),
        ("looks ahead", Box::new(move |m| attribute(m, "0.time", "pads", &[1, 0, 0, 1, 0, 0]))),
        ("strided in time", Box::new(move |m| attribute(m, "1.time", "strides", &[2, 1, 1]))),
        ("padded stem", Box::new(move |m| attribute(m, "stem", "pads", &[0, 1, 1, 0, 1, 1]))),
        ("another mean", Box::new(move |m| attribute(m, "feature", "axes", &[2, 3, 4]))),
        ("mean with its axes", Box::new(move |m| graph(m).node.last_mut().unwrap().attribute[1].i = 1)),
        ("another activation", Box::new(|m| graph(m).node[1].op_type = "Sigmoid".to_owned())),
        (
            "no activation",
            Box::new(|m| {
                let nodes = &mut graph(m).node;
                nodes[2].input[0] = "stem".to_owned();
                nodes.remove(1);
            }),
        ),
        (
            "adds something else",
            Box::new(|m| {
                let sum = graph(m).node.iter_mut().find(|node| node.name == "0.sum").unwrap();
                sum.input[0] = "0.space".to_owned();
            }),
        ),
        ("another output", Box::new(|m| graph(m).output[0].name = "last.relu".to_owned())),
        ("a node behind", Box::new(|m| graph(m).node.push(node("Relu", "behind", &["feature"])))),
        (
            "a weight that is none",
            Box::new(|m| {
                graph(m).initializer.retain(|constant| constant.name != "0.expand.weight");
            }),
        ),
    ];
    for (what, change) in changes {
        let mut changed = write(&shape);
        change(&mut changed);
        assert!(!read(&changed), "{what}");
    }
}
