//! A bundle whose encoder streams and whose head looks at a window, all of it arithmetic. A frame's feature is `GAIN` times the
//! sum of its brightness and that of the frame before, each from -1 to 1; the score is the sigmoid of the mean over the
//! window.

use std::path::Path;

use model_bundle::{Bundle, BundleDraft};
use model_export::onnx::{GraphBuilder, int, ints};
use vad_core::{ClipSpec, EncoderSpec, HeadContext, HeadKind, HeadSpec, LiteSize, ModelSpec};

const FEATURES: usize = 256;
pub const SIDE_PX: u16 = 16;
pub const WINDOW_CLIPS: u16 = 3;

pub fn spec() -> ModelSpec {
    let mut spec = ModelSpec::mist("tiny-stream", EncoderSpec::lite(LiteSize::Small));
    spec.preprocess.width_px = SIDE_PX;
    spec.preprocess.height_px = SIDE_PX;
    spec.clip = ClipSpec { frames: 8, stride: 4 };
    let head = HeadSpec::per_clip(HeadKind::Rtfm, vec![FEATURES as u32, 1]);
    spec.head = HeadSpec { context: HeadContext::Window { clips: WINDOW_CLIPS }, ..head };
    spec
}

/// A bundle with this gain, whose head takes `head_clips` clips whatever its manifest says.
pub fn bundle(dir: &Path, gain: f32, head_clips: u16) -> Bundle {
    let draft = BundleDraft {
        name: "tiny-stream".to_owned(),
        version: 1,
        rollback_index: 0,
        boards: Vec::new(),
        model: spec(),
        encoder: encoder(gain),
        head: head(head_clips.into()),
        attention: None,
        overwrite: false,
    };
    model_bundle::write(dir, draft).unwrap()
}

fn encoder(gain: f32) -> Vec<u8> {
    let (frames, side) = (usize::from(spec().clip.frames), usize::from(SIDE_PX));
    let mut graph = GraphBuilder::new("encoder");
    let clip = graph.input("clip", &[1, 3, frames, side, side]);
    let axes = vec![ints("axes", [3, 4]), int("keepdims", 0)];
    let mean = graph.node("ReduceMean", "mean".to_owned(), &[&clip], axes);
    let weight = graph.floats("weight".to_owned(), &[FEATURES, 3, 2], &[gain / 3.0; FEATURES * 6]);
    let taps = vec![ints("kernel_shape", [2]), ints("pads", [1, 0])];
    let feature = graph.node("Conv", "feature".to_owned(), &[&mean, &weight], taps);
    graph.output(&feature, &[1, FEATURES, frames]);
    graph.into_bytes()
}

fn head(clips: usize) -> Vec<u8> {
    let mut weight = vec![0.0; clips * FEATURES];
    weight.iter_mut().step_by(FEATURES).for_each(|newest| *newest = 1.0 / clips as f32);
    let mut graph = GraphBuilder::new("head");
    let features = graph.input("features", &[1, clips, FEATURES]);
    let shape = graph.integers("shape".to_owned(), &[1, (clips * FEATURES) as i64]);
    let flat = graph.node("Reshape", "flat".to_owned(), &[&features, &shape], Vec::new());
    let weight = graph.floats("weight".to_owned(), &[clips * FEATURES, 1], &weight);
    let logit = graph.node("MatMul", "logit".to_owned(), &[&flat, &weight], Vec::new());
    let score = graph.node("Sigmoid", "score".to_owned(), &[&logit], Vec::new());
    graph.output(&score, &[1, 1]);
    graph.into_bytes()
}
