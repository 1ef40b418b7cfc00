//! A bundle whose model is arithmetic: the score is a sigmoid of the clip's mean brightness. It is loaded, verified and
//! run exactly like a trained one, but needs no weights and no time.

use std::path::Path;

use model_bundle::{Bundle, BundleDraft};
use model_export::onnx::{GraphBuilder, int, ints};
use vad_core::{ModelSpec, RgbFrame};
use vad_video::VideoWriter;

const FEATURES: usize = 1024;
/// The score of a clip of mean brightness b (0 to 1) is sigmoid(SLOPE * (2 b - 1)).
pub const SLOPE: f32 = 8.0;
pub const SIDE_PX: u32 = 32;
pub const FRAME_RATE_HZ: f64 = 10.0;

pub fn spec() -> ModelSpec {
    let mut spec = ModelSpec::i3d_mist("tiny");
    spec.preprocess.width_px = 16;
    spec.preprocess.height_px = 16;
    spec.head.dims = vec![1024, 1];
    spec.score.cool_down_ms = 0;
    spec
}

pub fn bundle(dir: &Path) -> Bundle {
    bundle_for(dir, Vec::new())
}

pub fn bundle_for(dir: &Path, boards: Vec<String>) -> Bundle {
    let draft = BundleDraft {
        name: "tiny".to_owned(),
        version: 1,
        rollback_index: 0,
        boards,
        model: spec(),
        encoder: encoder(),
        head: head(),
        attention: None,
        overwrite: false,
    };
    model_bundle::write(dir, draft).unwrap()
}

pub fn expected_score(brightness: f32) -> f32 {
    1.0 / (1.0 + (-SLOPE * (2.0 * brightness - 1.0)).exp())
}

/// A video of grey frames, one per value; values are luma of 0 to 255.
pub fn video(path: &Path, frames: &[u8]) {
    draw(path, frames.iter().map(|&value| move |_| value));
}

/// A video whose clips have one value in their left half and one in their right half.
pub fn video_left_and_right(path: &Path, clips: &[(u8, u8)]) {
    let clip = |&(left, right): &(u8, u8)| {
        let value = move |column| if column < SIDE_PX / 2 { left } else { right };
        std::iter::repeat_n(value, 16)
    };
    draw(path, clips.iter().flat_map(clip));
}

/// A video of frames that have one value in each column.
fn draw(path: &Path, frames: impl Iterator<Item = impl Fn(u32) -> u8>) {
    let mut writer = VideoWriter::create(path, SIDE_PX, SIDE_PX, FRAME_RATE_HZ).unwrap();
    for value in frames {
        let data: Vec<u8> = (0..SIDE_PX * SIDE_PX).flat_map(|at| [value(at % SIDE_PX); 3]).collect();
        writer.push(RgbFrame::new(SIDE_PX, SIDE_PX, &data).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

/// Dark, bright for `bright_clips` clips from `first_bright_clip` on, dark again.
pub fn event_video(path: &Path, clips: usize, first_bright_clip: usize, bright_clips: usize) {
    let bright = first_bright_clip..first_bright_clip + bright_clips;
    let frames: Vec<u8> =
        (0..clips * 16).map(|f| if bright.contains(&(f / 16)) { 220 } else { 30 }).collect();
    // Stripes: a picture without any contrast is a covered lens.
    let striped =
        |value: u8| move |column: u32| if (column / 2).is_multiple_of(2) { value - 16 } else { value + 16 };
    draw(path, frames.into_iter().map(striped));
}

/// Dim and in colour, then grey and bright for `bright` frames as a camera that switches to night is, then dim and grey for `dim`, and bright again at the end.
pub fn night_video(path: &Path, bright: usize, dim: usize) {
    let striped =
        |value: u8, column: u32| if (column / 2).is_multiple_of(2) { value - 16 } else { value + 16 };
    let day = |column| [striped(110, column), striped(70, column), striped(30, column)];
    let grey = |value| move |column| [striped(value, column); 3];
    let mut writer = VideoWriter::create(path, SIDE_PX, SIDE_PX, FRAME_RATE_HZ).unwrap();
    let mut show = |frames: usize, colours: &dyn Fn(u32) -> [u8; 3]| {
        let data: Vec<u8> = (0..SIDE_PX * SIDE_PX).flat_map(|at| colours(at % SIDE_PX)).collect();
        for _ in 0..frames {
            writer.push(RgbFrame::new(SIDE_PX, SIDE_PX, &data).unwrap()).unwrap();
        }
    };
    show(48, &day);
    show(bright, &grey(220));
    show(dim, &grey(60));
    show(32, &grey(220));
    writer.finish().unwrap();
}

fn encoder() -> Vec<u8> {
    let mut spread = vec![0.0; 3 * FEATURES];
    for channel in 0..3 {
        spread[channel * FEATURES] = 1.0 / 3.0;
    }
    let mut graph = GraphBuilder::new("encoder");
    let clip = graph.input("clip", &[1, 3, usize::from(spec().clip.frames), 16, 16]);
    let axes = vec![ints("axes", [2, 3, 4]), int("keepdims", 0)];
    let mean = graph.node("ReduceMean", "mean".to_owned(), &[&clip], axes);
    let spread = graph.floats("spread".to_owned(), &[3, FEATURES], &spread);
    let zero = graph.floats("zero".to_owned(), &[FEATURES], &[0.0; FEATURES]);
    let feature = graph.node("Gemm", "feature".to_owned(), &[&mean, &spread, &zero], Vec::new());
    graph.output(&feature, &[1, FEATURES]);
    graph.into_bytes()
}

fn head() -> Vec<u8> {
    let mut weight = vec![0.0; FEATURES];
    weight[0] = SLOPE;
    let mut graph = GraphBuilder::new("head");
    let feature = graph.input("feature", &[1, FEATURES]);
    let weight = graph.floats("weight".to_owned(), &[FEATURES, 1], &weight);
    let bias = graph.floats("bias".to_owned(), &[1], &[0.0]);
    let logit = graph.node("Gemm", "logit".to_owned(), &[&feature, &weight, &bias], Vec::new());
    let score = graph.node("Sigmoid", "score".to_owned(), &[&logit], Vec::new());
    graph.output(&score, &[1, 1]);
    graph.into_bytes()
}
