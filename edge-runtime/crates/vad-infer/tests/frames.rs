//! Encoders that look at each frame once: refused where they look ahead, and begun anew where a run fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test")]

mod common;

use std::sync::Arc;

use common::{bytes, graph, streaming_encoder, streaming_spec};
use vad_core::RgbFrame;
use vad_infer::{Encoder, FeatureStream, InferError, Kernels, Pulse, Tuning};

fn load(onnx: &tract_onnx::pb::ModelProto) -> Result<Encoder, InferError> {
    Encoder::from_onnx(&bytes(onnx), "lite.onnx", &streaming_spec())
}

/// Means over frames, each the sum of its three colours over itself and the frame before, 2 for white and 0 for grey.
fn features(stream: &mut FeatureStream, greys: &[u8]) -> Vec<Result<f32, InferError>> {
    let push = |grey: &u8| {
        let pixels = [*grey; 4 * 4 * 3];
        let pushed = stream.push(RgbFrame::new(4, 4, &pixels).unwrap());
        pushed.map(|clip| clip.map(|(_, feature)| feature[0])).transpose()
    };
    greys.iter().filter_map(push).collect()
}

#[test]
fn a_graph_that_looks_ahead_is_refused() {
    assert!(load(&streaming_encoder(1.0, 3, [2, 0])).is_ok());
    for (pads, late) in [([1, 1], "1 frames ahead"), ([0, 2], "2 frames ahead")] {
        let error = load(&streaming_encoder(1.0, 3, pads)).unwrap_err().to_string();
        assert!(error.contains("lite.onnx") && error.contains(late), "{error}");
    }
}

#[test]
fn files_that_are_not_one_sound_streaming_encoder_are_refused_by_name() {
    let refusal = |change: fn(&mut tract_onnx::pb::GraphProto)| {
        let mut onnx = streaming_encoder(1.0, 2, [1, 0]);
        change(graph(&mut onnx));
        load(&onnx).unwrap_err().to_string()
    };
    let says = |error: String, expected: &str| {
        assert!(
            error.contains("lite.onnx") && error.contains(expected),
            "{error:?} does not say {expected:?}"
        );
    };
    says(refusal(|g| g.node[1].op_type = "LSTM".to_owned()), "node `feature` uses the operator `LSTM`");
    says(
        refusal(|g| g.input[0] = common::value("clip", &[1, 3, 5, 4, 4])),
        "the input has shape [1, 3, 5, 4, 4]",
    );
    says(refusal(|g| g.node[1].attribute.truncate(1)), "the output has shape");
    let nan = |g: &mut tract_onnx::pb::GraphProto| {
        g.initializer[0].raw_data[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    };
    says(refusal(nan), "tensor `w` holds NaN at flat index 1");
    let whole = bytes(&streaming_encoder(1.0, 2, [1, 0]));
    for end in 0..whole.len().min(200) {
        let error = Encoder::from_onnx(&whole[..end], "lite.onnx", &streaming_spec()).unwrap_err();
        assert!(matches!(error, InferError::Malformed { .. }), "{end}: {error}");
    }
}

#[test]
fn a_graph_that_is_not_ours_runs_on_tract_however_it_is_tuned() {
    let (spec, onnx) = (streaming_spec(), bytes(&streaming_encoder(1.0, 2, [1, 0])));
    let plain = Encoder::from_onnx(&onnx, "lite.onnx", &spec).unwrap();
    assert_eq!(plain.tuning(), Tuning { kernels: Kernels::Tract, ..Tuning::default() });
    let alternatives = plain.alternatives(spec.clip);
    assert!(alternatives.contains(&plain.tuning()));
    let pulses: Vec<usize> = alternatives.iter().map(|tuning| tuning.pulse.frames()).collect();
    assert_eq!(pulses, [1, 1, 1, 2, 2, 2], "4 does not divide the stride");
    let clip: Vec<f32> = (0..plain.clip_len()).map(|at| (at % 7) as f32).collect();
    for tuning in alternatives {
        let tuned = Encoder::tuned(&onnx, "lite.onnx", &spec, tuning).unwrap();
        assert_eq!(tuned.tuning(), tuning);
        assert_eq!(tuned.encode(&clip).unwrap(), plain.encode(&clip).unwrap(), "{tuning}");
    }
}

#[test]
fn kernels_that_the_processor_lacks_are_refused_by_name() {
    let (spec, onnx) = (streaming_spec(), bytes(&streaming_encoder(1.0, 2, [1, 0])));
    let lacking = Kernels::ALL.into_iter().find(|kernels| !kernels.is_available()).unwrap();
    let tuning = Tuning { kernels: lacking, ..Tuning::default() };
    let error = Encoder::tuned(&onnx, "lite.onnx", &spec, tuning).unwrap_err().to_string();
    assert!(error.contains("lite.onnx") && error.contains(lacking.name()), "{error}");
}

#[test]
fn a_failed_run_begins_the_stream_anew() {
    // White is 1 in each colour: the sums of two white frames overflow, those of one do not.
    let spec = streaming_spec();
    for pulse in [1, 2] {
        let onnx = bytes(&streaming_encoder(1e38, 2, [1, 0]));
        let pulse = Pulse::new(pulse, spec.clip).unwrap();
        let encoder = Arc::new(Encoder::with_pulse(&onnx, "lite.onnx", &spec, pulse).unwrap());
        let mut stream = FeatureStream::new(encoder, &spec).unwrap();
        let before = features(&mut stream, &[0, 128, 0, 128]);
        assert!(matches!(&before[..], [Ok(_)]), "{before:?}");
        assert_eq!(stream.frames(), 4);
        let failed = features(&mut stream, &[255, 255]);
        let is_refused = matches!(&failed[..], [Err(InferError::NonFinite { what: "output", .. })]);
        assert!(is_refused, "{failed:?}");
        assert_eq!(stream.frames(), 0);
        let after = features(&mut stream, &[0, 128, 0, 128]);
        assert_eq!(after[0].as_ref().unwrap(), before[0].as_ref().unwrap(), "as if nothing had been before");
        assert_eq!(stream.frames(), 4);
    }
}
