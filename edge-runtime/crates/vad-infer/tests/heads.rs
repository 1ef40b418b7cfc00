//! What heads remember of a stream: worked out by hand, and refused by name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test")]

mod common;

use std::sync::Arc;

use common::{bytes, float, graph, head, node, spec, value};
use tract_onnx::pb;
use vad_core::{HeadContext, HeadKind, HeadSpec, ModelSpec};
use vad_infer::{Head, HeadStream, InferError};

const DIM: usize = 1024;

fn spec_of(kind: HeadKind, context: HeadContext) -> ModelSpec {
    let head = HeadSpec { context, ..HeadSpec::per_clip(kind, vec![DIM as u32, 1]) };
    ModelSpec { head, ..spec() }
}

fn window(clips: u16) -> ModelSpec {
    spec_of(HeadKind::Rtfm, HeadContext::Window { clips })
}

fn memory(clips: u16) -> ModelSpec {
    spec_of(HeadKind::CuClassifier, HeadContext::Memory { clips })
}

/// The sigmoid of a weighted sum of all first values: of the clips of a window, or of a feature and its memory.
fn weighted(shape: &[i64], weights: &[f32]) -> pb::ModelProto {
    let mut onnx = head();
    let values: Vec<f32> =
        weights.iter().flat_map(|w| std::iter::once(*w).chain(std::iter::repeat_n(0.0, DIM - 1))).collect();
    let count = values.len() as i64;
    let graph = graph(&mut onnx);
    graph.input = vec![value("feature", shape)];
    graph.node.insert(0, node("Flatten", "flat", &["feature"]));
    graph.node[1].input[0] = "flat".to_owned();
    graph.initializer = vec![float("w", &[count, 1], &values)];
    onnx
}

fn feature(first: f32) -> Vec<f32> {
    let mut feature = vec![0.25; DIM];
    feature[0] = first;
    feature
}

/// The sums before the sigmoid.
fn sums(stream: &mut HeadStream, firsts: &[f32]) -> Vec<f32> {
    let logit = |score: f32| (score / (1.0 - score)).ln();
    firsts.iter().map(|first| logit(stream.push(&feature(*first)).unwrap())).collect()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }
}

#[test]
fn the_first_feature_stands_for_those_before_it() {
    let onnx = bytes(&weighted(&[1, 3, 1024], &[0.01, 0.1, 1.0]));
    let mut stream = Arc::new(Head::from_onnx(&onnx, "head.onnx", &window(3)).unwrap()).stream();
    let expected = [1.11, 2.11, 3.21, 4.32];
    assert_near(&sums(&mut stream, &[1.0, 2.0, 3.0, 4.0]), &expected);
    stream.reset();
    assert_near(&sums(&mut stream, &[1.0, 2.0]), &expected[..2]);
}

#[test]
fn a_memory_is_the_mean_of_the_clips_that_there_are() {
    let onnx = bytes(&weighted(&[1, 2048], &[1.0, 0.1]));
    let mut stream = Arc::new(Head::from_onnx(&onnx, "head.onnx", &memory(2)).unwrap()).stream();
    let expected = [1.1, 2.1, 4.15, 0.3];
    assert_near(&sums(&mut stream, &[1.0, 2.0, 4.0, 0.0]), &expected);
    stream.reset();
    assert_near(&sums(&mut stream, &[1.0, 2.0]), &expected[..2]);
}

#[test]
fn a_feature_that_is_no_feature_is_refused_and_forgotten() {
    let onnx = bytes(&weighted(&[1, 3, 1024], &[0.01, 0.1, 1.0]));
    let mut stream = Arc::new(Head::from_onnx(&onnx, "head.onnx", &window(3)).unwrap()).stream();
    assert_near(&sums(&mut stream, &[1.0]), &[1.11]);
    let error = stream.push(&feature(f32::NAN)).unwrap_err();
    assert!(matches!(&error, InferError::NonFinite { what: "input", index: 0, .. }), "{error}");
    assert!(matches!(stream.push(&[0.0; 7]), Err(InferError::InputLength { expected: DIM, found: 7, .. })));
    assert_near(&sums(&mut stream, &[2.0]), &[2.11]);
}

#[test]
fn a_head_of_another_context_than_the_specs_is_refused() {
    let per_clip = bytes(&head());
    let of_window = bytes(&weighted(&[1, 3, 1024], &[1.0; 3]));
    let of_memory = bytes(&weighted(&[1, 2048], &[1.0; 2]));
    let says = |onnx: &[u8], spec: &ModelSpec, expected: &str| {
        let error = Head::from_onnx(onnx, "head.onnx", spec).unwrap_err().to_string();
        assert!(error.contains("head.onnx: the input has shape") && error.contains(expected), "{error}");
    };
    says(&per_clip, &window(3), "asks for [1, 3, 1024]");
    says(&of_window, &window(4), "asks for [1, 4, 1024]");
    says(&of_memory, &window(2), "asks for [1, 2, 1024]");
    says(&of_window, &memory(3), "asks for [1, 2048]");
    says(&of_window, &spec(), "asks for [1, 1024]");
}

#[test]
fn a_head_of_the_host_is_refused_by_its_field() {
    let spec = ModelSpec { head: HeadSpec::on_host(DIM as u32), ..spec() };
    let error = Head::from_onnx(&bytes(&head()), "head.onnx", &spec).unwrap_err().to_string();
    assert!(error.contains("head.kind") && error.contains("temporal"), "{error}");
    let spec = spec_of(HeadKind::Arms, HeadContext::Clip);
    let error = Head::from_onnx(&bytes(&head()), "head.onnx", &spec).unwrap_err().to_string();
    assert!(error.contains("head.context"), "{error}");
}

/// What can be wrong with a head's file, and what the refusal names.
#[test]
fn files_that_are_not_one_sound_head_are_refused_by_name() {
    type Spoil = fn(&mut pb::GraphProto);
    let spoils: [(&str, Spoil); 5] = [
        ("node `logit` uses the operator `Einsum`", |g| g.node[1].op_type = "Einsum".to_owned()),
        ("tensor `w` holds NaN at flat index 5", |g| {
            g.initializer[0].raw_data[20..24].copy_from_slice(&f32::NAN.to_le_bytes());
        }),
        ("node `logit` reads `nothing`", |g| g.node[1].input[0] = "nothing".to_owned()),
        ("the output has shape", |g| g.initializer[0] = float("w", &[3072, 2], &[0.5; 6144])),
        ("the input has shape", |g| g.input[0] = value("feature", &[1, 3, 1023])),
    ];
    for (expected, spoil) in spoils {
        let mut onnx = weighted(&[1, 3, 1024], &[1.0; 3]);
        spoil(graph(&mut onnx));
        let error = Head::from_onnx(&bytes(&onnx), "head.onnx", &window(3)).unwrap_err().to_string();
        assert!(
            error.contains("head.onnx") && error.contains(expected),
            "{error:?} does not say {expected:?}"
        );
    }
    let whole = bytes(&weighted(&[1, 3, 1024], &[1.0; 3]));
    for end in [0, 1, whole.len() / 2, whole.len() - 1] {
        let error = Head::from_onnx(&whole[..end], "head.onnx", &window(3)).unwrap_err();
        assert!(matches!(error, InferError::Malformed { .. }), "{end}: {error}");
    }
}
