//! Synthetic weights, specs and the place of the real ones.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support; each test file uses a part of it"
)]

pub mod naive;

use golden::hashed_values;
use model_export::{InputGrid, Int8Layer, Int8Plan, int8_layers};
use safetensors::tensor::{Dtype, TensorView};
use vad_core::{ClipSpec, EncoderSpec, HeadContext, HeadKind, HeadSpec, LiteSize, ModelSpec};

/// Seed of every synthetic tensor.
pub const SEED: u64 = 0x5eed_0001;

/// Named tensors: `(name, shape, values)`.
pub type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

/// A spec of I3D with MIST's head at another clip geometry.
pub fn spec(frames: u16, height_px: u16, width_px: u16) -> ModelSpec {
    let mut spec = ModelSpec::i3d_mist("synthetic");
    spec.clip = ClipSpec { frames, stride: frames };
    spec.preprocess.height_px = height_px;
    spec.preprocess.width_px = width_px;
    spec
}

/// Serialises tensors as a safetensors file.
pub fn safetensors(tensors: &Tensors) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// Random MLP weights with outputs around the middle of the sigmoid.
pub fn mlp_tensors(dims: &[u32]) -> Tensors {
    let mut tensors = Tensors::new();
    for (layer, pair) in [0, 3, 5].into_iter().zip(dims.windows(2)) {
        let (inputs, outputs) = (pair[0] as usize, pair[1] as usize);
        let bound = (3.0 / inputs as f64).sqrt();
        let mut add = |suffix: &str, shape: Vec<usize>, bound: f64| {
            let name = format!("regressor.{layer}.{suffix}");
            let values = hashed_values(&name, SEED, shape.iter().product(), -bound, bound);
            tensors.push((name, shape, values));
        };
        add("weight", vec![outputs, inputs], bound);
        add("bias", vec![outputs], 0.1);
    }
    tensors
}

/// Every head that boards run, small, over features of `dim` values.
pub fn heads(dim: u32) -> Vec<HeadSpec> {
    let window = |clips| HeadContext::Window { clips };
    let head = |kind, layers: [u32; 2], context| {
        let dims = vec![dim, layers[0], layers[1], 1];
        HeadSpec { context, ..HeadSpec::per_clip(kind, dims) }
    };
    vec![
        head(HeadKind::Mlp, [24, 8], HeadContext::Clip),
        head(HeadKind::UnitLengthMlp, [24, 8], HeadContext::Clip),
        head(HeadKind::CuGenerator, [24, 8], HeadContext::Clip),
        head(HeadKind::CuClassifier, [24, 8], HeadContext::Memory { clips: 3 }),
        head(HeadKind::Rtfm, [24, 8], HeadContext::Clip),
        head(HeadKind::Rtfm, [24, 8], window(4)),
        head(HeadKind::RtfmCausal, [24, 8], window(12)),
        head(HeadKind::Arms, [32, 8], window(4)),
    ]
}

/// Random weights of any head, with outputs around the middle of the sigmoid.
pub fn head_tensors(head: &HeadSpec) -> Tensors {
    let [dim, first, second] = [0, 1, 2].map(|layer| head.dims[layer] as usize);
    let mut tensors = Tensors::new();
    let mut add = |name: String, shape: Vec<usize>, lo: f64, hi: f64| {
        let values = hashed_values(&name, SEED, shape.iter().product(), lo, hi);
        tensors.push((name, shape, values));
    };
    let mut layer = |name: &str, shape: &[usize], has_bias: bool| {
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        add(format!("{name}.weight"), shape.to_vec(), -bound, bound);
        if has_bias {
            add(format!("{name}.bias"), vec![shape[0]], -0.2, 0.2);
        }
    };
    match head.kind {
        HeadKind::Mlp | HeadKind::UnitLengthMlp | HeadKind::Temporal => return mlp_tensors(&head.dims),
        HeadKind::CuGenerator => {
            for perceptron in 0..2 {
                layer(&format!("{perceptron}.fc1"), &[first, dim], true);
                layer(&format!("{perceptron}.fc2"), &[second, first], true);
                layer(&format!("{perceptron}.fc3"), &[1, second], true);
            }
        }
        HeadKind::CuClassifier => {
            layer("Regressor.0", &[first, 2 * dim], true);
            layer("Regressor.3", &[second, first], true);
            layer("Regressor.5", &[2, second], true);
        }
        HeadKind::Rtfm | HeadKind::RtfmCausal => {
            layer("fc1", &[first, dim], true);
            layer("fc2", &[second, first], true);
            layer("fc3", &[1, second], true);
            if head.context.is_clip() {
                return tensors;
            }
            for branch in 1..=3 {
                layer(&format!("Aggregate.conv_{branch}.0"), &[dim / 4, dim, 3], true);
            }
            layer("Aggregate.conv_4.0", &[dim / 4, dim, 1], false);
            layer("Aggregate.conv_5.0", &[dim, dim, 3], false);
            for part in ["g", "theta", "phi"] {
                layer(&format!("Aggregate.non_local.{part}"), &[dim / 8, dim / 4, 1], true);
            }
            layer("Aggregate.non_local.W.0", &[dim / 4, dim / 8, 1], true);
            let norms =
                [("conv_1.2", 4), ("conv_2.2", 4), ("conv_3.2", 4), ("conv_5.2", 1), ("non_local.W.1", 4)];
            for (norm, part) in norms {
                let mut vector = |what: &str, lo: f64, hi: f64| {
                    add(format!("Aggregate.{norm}.{what}"), vec![dim / part], lo, hi);
                };
                vector("weight", 0.5, 1.5);
                vector("bias", -0.2, 0.2);
                vector("running_mean", -0.2, 0.2);
                vector("running_var", 0.5, 1.5);
            }
        }
        HeadKind::Arms => {
            layer("conv", &[first, dim, 3], true);
            layer("mha.out_proj", &[first, first], true);
            layer("fc1", &[second, first], true);
            layer("fc2", &[1, second], true);
            let bound = (6.0 / first as f64).sqrt();
            add("mha.in_proj_weight".to_owned(), vec![3 * first, first], -bound, bound);
            add("mha.in_proj_bias".to_owned(), vec![3 * first], -0.2, 0.2);
            add("ln.weight".to_owned(), vec![first], 0.5, 1.5);
            add("ln.bias".to_owned(), vec![first], -0.2, 0.2);
        }
    }
    tensors
}

/// `(unit, out, in, kernel side)` of every convolution of I3D, independent of the exporter's table.
pub fn i3d_units() -> Vec<(String, usize, usize, usize)> {
    let mut units = vec![
        ("Conv3d_1a_7x7".to_owned(), 64, 3, 7),
        ("Conv3d_2b_1x1".to_owned(), 64, 64, 1),
        ("Conv3d_2c_3x3".to_owned(), 192, 64, 3),
    ];
    for (block, input, c) in MIXED {
        let unit = |branch: usize, layer: &str| format!("{block}.Branch_{branch}.{layer}");
        units.push((unit(0, "Conv3d_0a_1x1"), c[0], input, 1));
        units.push((unit(1, "Conv3d_0a_1x1"), c[1], input, 1));
        units.push((unit(1, "Conv3d_0b_3x3"), c[2], c[1], 3));
        units.push((unit(2, "Conv3d_0a_1x1"), c[3], input, 1));
        units.push((unit(2, "Conv3d_0b_3x3"), c[4], c[3], 3));
        units.push((unit(3, "Conv3d_0b_1x1"), c[5], input, 1));
    }
    units
}

/// Inception blocks: name, input channels, branch channels.
pub const MIXED: [(&str, usize, [usize; 6]); 9] = [
    ("Mixed_3b", 192, [64, 96, 128, 16, 32, 32]),
    ("Mixed_3c", 256, [128, 128, 192, 32, 96, 64]),
    ("Mixed_4b", 480, [192, 96, 208, 16, 48, 64]),
    ("Mixed_4c", 512, [160, 112, 224, 24, 64, 64]),
    ("Mixed_4d", 512, [128, 128, 256, 24, 64, 64]),
    ("Mixed_4e", 512, [112, 144, 288, 32, 64, 64]),
    ("Mixed_4f", 528, [256, 160, 320, 32, 128, 128]),
    ("Mixed_5b", 832, [256, 160, 320, 32, 128, 128]),
    ("Mixed_5c", 832, [384, 192, 384, 48, 128, 128]),
];

/// Random I3D weights whose activations neither vanish nor explode.
pub fn i3d_tensors() -> Tensors {
    let mut tensors = Tensors::new();
    for (unit, out, input, side) in i3d_units() {
        let mut add = |suffix: &str, shape: Vec<usize>, lo: f64, hi: f64| {
            let name = format!("{unit}.{suffix}");
            let values = hashed_values(&name, SEED, shape.iter().product(), lo, hi);
            tensors.push((name, shape, values));
        };
        let bound = (6.0 / (input * side.pow(3)) as f64).sqrt();
        add("conv.weight", vec![out, input, side, side, side], -bound, bound);
        add("bn.running_mean", vec![out], -0.1, 0.1);
        add("bn.running_var", vec![out], 0.5, 1.5);
        add("bn.bias", vec![out], -0.1, 0.1);
    }
    tensors
}

/// A spec of I3D-lite with MIST's head at another clip geometry.
pub fn lite_spec(size: LiteSize, clip: ClipSpec, side_px: u16) -> ModelSpec {
    let mut spec = ModelSpec::mist("synthetic-lite", EncoderSpec::lite(size));
    spec.clip = clip;
    spec.preprocess.height_px = side_px;
    spec.preprocess.width_px = side_px;
    spec
}

/// Random I3D-lite weights whose activations neither vanish nor explode.
pub fn lite_tensors(size: LiteSize) -> Tensors {
    let mut tensors = Tensors::new();
    let mut add = |name: String, shape: Vec<usize>, lo: f64, hi: f64| {
        let values = hashed_values(&name, SEED, shape.iter().product(), lo, hi);
        tensors.push((name, shape, values));
    };
    let mut unit = |name: &str, shape: [usize; 5], has_bias: bool| {
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        add(format!("{name}.weight"), shape.to_vec(), -bound, bound);
        if has_bias {
            add(format!("{name}.bias"), vec![shape[0]], -0.2, 0.2);
        }
    };
    let plan = size.plan();
    unit("stem", [plan.stages[0].channels, 3, 1, 4, 4], true);
    for block in plan.blocks() {
        let (k, t) = (block.space_kernel, block.time_kernel);
        unit(&block.layer("space"), [block.inputs, 1, 1, k, k], false);
        unit(&block.layer("time"), [block.inputs, 1, t, 1, 1], true);
        unit(&block.layer("expand"), [block.width, block.inputs, 1, 1, 1], true);
        unit(&block.layer("project"), [block.outputs, block.width, 1, 1, 1], true);
    }
    unit("last", [plan.feature_dim, plan.stages[3].channels, 1, 1, 1], true);
    tensors
}

/// Random weights of an attention on maps of so many channels, with values on both sides of the middle.
pub fn attention_tensors(channels: usize) -> Tensors {
    const WIDTH: usize = 12;
    const DETECTORS: usize = 6;
    let mut tensors = Tensors::new();
    let mut unit = |name: &str, shape: [usize; 5], bound: f64| {
        let mut add = |what: &str, shape: Vec<usize>, bound: f64| {
            let name = format!("Conv_Atten.{name}.{what}");
            let values = hashed_values(&name, SEED, shape.iter().product(), -bound, bound);
            tensors.push((name, shape, values));
        };
        add("weight", shape.to_vec(), bound / (shape[1..].iter().product::<usize>() as f64).sqrt());
        add("bias", vec![shape[0]], 0.2);
    };
    unit("Conv_Atten.0", [WIDTH, channels, 3, 3, 3], 1.0);
    unit("Att_1.0", [DETECTORS, WIDTH, 1, 1, 1], 1.0);
    unit("Att_2", [DETECTORS, DETECTORS, 1, 1, 1], 1.0);
    unit("Att_3.0", [1, DETECTORS, 2, 1, 1], 3.0);
    tensors
}

/// The Kinetics weights read.
pub fn kinetics_bytes() -> Option<Vec<u8>> {
    golden::kinetics_i3d().map(|path| std::fs::read(path).unwrap())
}

/// Moving coloured gradients: frame `index` of a synthetic camera, packed RGB.
pub fn frame(index: usize, width_px: usize, height_px: usize) -> Vec<u8> {
    let pixel = |x: usize, y: usize| [x * 3 + index * 5, y * 2 + index, (x ^ y) + index * 9];
    (0..height_px)
        .flat_map(|y| (0..width_px).flat_map(move |x| pixel(x, y)))
        .map(|v| (v % 256) as u8)
        .collect()
}

/// Every layer that can be in int8, on grids as wide as the activations of [`lite_tensors`].
pub fn lite_int8(size: LiteSize) -> Int8Plan {
    let tensors = lite_tensors(size);
    let mut plan = Int8Plan::default();
    for layer in int8_layers(size.plan()) {
        let values = |part: &str| {
            let name = format!("{layer}.{part}");
            let found = tensors.iter().find(|(tensor, ..)| *tensor == name);
            found.expect("a weight and a bias of each layer").2.clone()
        };
        let (weight, bias) = (values("weight"), values("bias"));
        // Behind a ReLU nothing is negative.
        let least = if layer.ends_with("project") { 0.0 } else { -4.0 };
        let input = InputGrid::covering(least, 4.0);
        plan.insert(layer, Int8Layer { input, divisors: Vec::new(), weight, bias });
    }
    plan
}
