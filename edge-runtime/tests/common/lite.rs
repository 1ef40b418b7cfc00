//! A bundle with the smallest I3D-lite, weights at random.

use std::path::Path;

use golden::hashed_values;
use model_bundle::BundleDraft;
use model_export::onnx::GraphBuilder;
use safetensors::tensor::{Dtype, TensorView};
use vad_core::{EncoderSpec, LiteSize, ModelSpec};

/// Writes it for pictures of `side_px` x `side_px`.
pub fn bundle(dir: &Path, side_px: u16) {
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
    let bytes = |name: &str, len: usize| -> Vec<u8> {
        hashed_values(name, 1, len, -0.1, 0.1).iter().flat_map(|value| value.to_le_bytes()).collect()
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .iter()
        .flat_map(|(name, shape)| {
            let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
            let weights = bytes(&weight, shape.iter().product());
            let biases = bytes(&bias, shape[0]);
            [(weight, shape.clone(), weights), (bias, vec![shape[0]], biases)]
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let weights = safetensors::serialize(views, None).unwrap();
    let mut spec = ModelSpec::mist("lite", EncoderSpec::lite(LiteSize::Small));
    spec.preprocess.width_px = side_px;
    spec.preprocess.height_px = side_px;
    let features = plan.feature_dim;
    spec.head.dims = vec![features as u32, 1];
    let mut head = GraphBuilder::new("head");
    let feature = head.input("feature", &[1, features]);
    let weight = head.floats("weight".to_owned(), &[features, 1], &vec![0.01; features]);
    let logit = head.node("MatMul", "logit".to_owned(), &[&feature, &weight], Vec::new());
    let score = head.node("Sigmoid", "score".to_owned(), &[&logit], Vec::new());
    head.output(&score, &[1, 1]);
    let draft = BundleDraft {
        name: "lite".to_owned(),
        version: 1,
        rollback_index: 0,
        boards: Vec::new(),
        encoder: model_export::encoder_onnx(&weights, &spec).unwrap(),
        head: head.into_bytes(),
        model: spec,
        overwrite: false,
    };
    model_bundle::write(dir, draft).unwrap();
}
