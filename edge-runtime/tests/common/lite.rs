//! Bundles of the smallest I3D-lite with random weights, whose head raises an alarm at every clip. One of them tells where
//! its encoder looks.

use std::path::Path;

use golden::hashed_values;
use model_bundle::BundleDraft;
use model_export::EncoderPrecision;
use model_export::onnx::GraphBuilder;
use safetensors::tensor::{Dtype, TensorView};
use vad_core::{AttentionSpec, EncoderSpec, Grid, LiteSize, ModelSpec};

/// Pictures of the encoder that looks.
pub const SIDE_PX: u16 = 48;
/// Rows and columns of its attention.
pub const PLACES: u16 = 2;
const STAGE: u8 = 3;
const DETECTORS: usize = 4;

/// The encoder alone, for pictures of `side_px` x `side_px`.
pub fn bundle(dir: &Path, side_px: u16) {
    write(dir, spec(side_px), None);
}

/// The same with weights in f16.
pub fn half_bundle(dir: &Path, side_px: u16) {
    write_in(dir, spec(side_px), None, &EncoderPrecision::F16);
}

/// With an attention.
pub fn looking_bundle(dir: &Path) {
    let mut spec = spec(SIDE_PX);
    let line = vad_core::Line { first_px: 7.5, step_px: 32.0 };
    let grid = Grid { rows: line, columns: line };
    spec.attention = Some(AttentionSpec { stage: STAGE, rows: PLACES, columns: PLACES, grid });
    let channels = LiteSize::Small.plan().stages[usize::from(STAGE) - 1].channels;
    let shapes = [
        ("Conv_Atten.Conv_Atten.0", vec![8, channels, 3, 3, 3]),
        ("Conv_Atten.Att_1.0", vec![DETECTORS, 8, 1, 1, 1]),
        ("Conv_Atten.Att_3.0", vec![1, DETECTORS, 2, 1, 1]),
    ];
    let weights = weights(&shapes.map(|(name, shape)| (name.to_owned(), shape)));
    let attention = model_export::attention_onnx(&weights, &spec).unwrap();
    write(dir, spec, Some(attention));
}

fn spec(side_px: u16) -> ModelSpec {
    let mut spec = ModelSpec::mist("lite", EncoderSpec::lite(LiteSize::Small));
    spec.preprocess.width_px = side_px;
    spec.preprocess.height_px = side_px;
    spec.head.dims = vec![spec.encoder.feature_dim, 1];
    spec.score.cool_down_ms = 0;
    spec
}

fn write(dir: &Path, spec: ModelSpec, attention: Option<Vec<u8>>) {
    write_in(dir, spec, attention, &EncoderPrecision::F32);
}

fn write_in(dir: &Path, spec: ModelSpec, attention: Option<Vec<u8>>, precision: &EncoderPrecision) {
    let weights = weights(&encoder_shapes());
    let draft = BundleDraft {
        name: spec.name.clone(),
        version: 1,
        rollback_index: 0,
        boards: Vec::new(),
        encoder: model_export::encoder_onnx_in(&weights, &spec, precision).unwrap(),
        head: head(),
        attention,
        model: spec,
        overwrite: false,
    };
    model_bundle::write(dir, draft).unwrap();
}

fn encoder_shapes() -> Vec<(String, Vec<usize>)> {
    let plan = LiteSize::Small.plan();
    let mut shapes = vec![("stem".to_owned(), vec![plan.stages[0].channels, 3, 1, 4, 4])];
    for block in plan.blocks() {
        let (k, t) = (block.space_kernel, block.time_kernel);
        shapes.push((block.layer("space"), vec![block.inputs, 1, 1, k, k]));
        shapes.push((block.layer("time"), vec![block.inputs, 1, t, 1, 1]));
        shapes.push((block.layer("expand"), vec![block.width, block.inputs, 1, 1, 1]));
        shapes.push((block.layer("project"), vec![block.outputs, block.width, 1, 1, 1]));
    }
    shapes.push(("last".to_owned(), vec![plan.feature_dim, plan.stages[3].channels, 1, 1, 1]));
    shapes
}

/// Random weights and biases of layers of these names and shapes, whose outputs are about as large as their inputs.
fn weights(shapes: &[(String, Vec<usize>)]) -> Vec<u8> {
    let bytes = |name: &str, len: usize, bound: f64| -> Vec<u8> {
        hashed_values(name, 1, len, -bound, bound).iter().flat_map(|value| value.to_le_bytes()).collect()
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .iter()
        .flat_map(|(name, shape)| {
            let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
            let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
            let weights = bytes(&weight, shape.iter().product(), bound);
            let biases = bytes(&bias, shape[0], 0.1);
            [(weight, shape.clone(), weights), (bias, vec![shape[0]], biases)]
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// The sigmoid of a weighted sum of a feature, which is nowhere negative: half a point at least.
fn head() -> Vec<u8> {
    let features = LiteSize::Small.plan().feature_dim;
    let mut head = GraphBuilder::new("head");
    let feature = head.input("feature", &[1, features]);
    let weight = head.floats("weight".to_owned(), &[features, 1], &vec![3e-4; features]);
    let logit = head.node("MatMul", "logit".to_owned(), &[&feature, &weight], Vec::new());
    let score = head.node("Sigmoid", "score".to_owned(), &[&logit], Vec::new());
    head.output(&score, &[1, 1]);
    head.into_bytes()
}
