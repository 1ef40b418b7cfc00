//! What sound graphs compute, alone, as a stream and from several threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test")]

mod common;

use std::sync::Arc;

use common::{bytes, encoder, graph, head, spec, weight};
use proptest::prelude::*;
use vad_core::{ClipSpec, ModelSpec, RgbFrame};
use vad_infer::{ClipScore, Encoder, FeatureStream, Head, InferError, Kernels, Pulse, Scorer, Tuning};

fn load() -> (Arc<Encoder>, Arc<Head>) {
    let encoder = Encoder::from_onnx(&bytes(&encoder()), "encoder.onnx", &spec()).unwrap();
    let head = Head::from_onnx(&bytes(&head()), "head.onnx", &spec()).unwrap();
    (Arc::new(encoder), Arc::new(head))
}

/// A frame of the encoder's own size whose channels are constant.
fn frame(rgb: [u8; 3]) -> Vec<u8> {
    rgb.repeat(8)
}

fn push(scorer: &mut Scorer, rgb: [u8; 3]) -> Option<ClipScore> {
    scorer.push(RgbFrame::new(4, 2, &frame(rgb)).unwrap()).unwrap()
}

/// The score of a clip with these channel means, after normalisation.
fn expected(means: [f32; 3]) -> f32 {
    let dot = |d| (0..3).map(|c| weight(d, c) * means[c]).sum::<f32>();
    let logit: f32 = (0..1024).map(dot).sum::<f32>() / 64.0;
    1.0 / (1.0 + (-logit).exp())
}

#[test]
fn the_score_is_the_one_worked_out_by_hand() {
    let (encoder, head) = load();
    let mut scorer = Scorer::new(encoder, head, &spec()).unwrap();
    assert_eq!(push(&mut scorer, [0, 255, 0]), None);
    assert_eq!(push(&mut scorer, [255, 255, 0]), None);
    let score = push(&mut scorer, [255, 255, 0]).unwrap();
    assert_eq!((score.span.index, score.span.first_frame.0, score.span.frames), (0, 0, 3));
    let want = expected([1.0 / 3.0, 1.0, -1.0]);
    assert!((score.raw - want).abs() < 1e-4, "{} is not {want}", score.raw);
}

#[test]
fn an_encoder_of_clips_takes_of_a_tuning_what_is_for_tract() {
    let (onnx, spec) = (bytes(&encoder()), spec());
    let plain = Encoder::from_onnx(&onnx, "encoder.onnx", &spec).unwrap();
    let pulse = Pulse::new(2, ClipSpec { frames: 4, stride: 4 }).unwrap();
    let other = Tuning { kernels: Kernels::Portable, pulse, ..Tuning::default() };
    let tuned = Encoder::tuned(&onnx, "encoder.onnx", &spec, other).unwrap();
    assert_eq!(tuned.tuning(), Tuning { kernels: Kernels::Tract, ..Tuning::default() });
    assert_eq!(tuned.tuning(), plain.tuning());
    let alternatives = plain.alternatives(spec.clip);
    assert_eq!(alternatives.len(), 3);
    assert!(alternatives.iter().all(|tuning| tuning.pulse == Pulse::ONE), "{alternatives:?}");
}

#[test]
fn weights_in_f16_that_f16_has_exactly_change_nothing() {
    let [plain, half] = [encoder(), common::half_encoder()]
        .map(|model| Encoder::from_onnx(&bytes(&model), "encoder.onnx", &spec()).unwrap());
    let clip: Vec<f32> = (0..72).map(|at| (at as f32 / 9.0).sin()).collect();
    assert_eq!(half.encode(&clip).unwrap(), plain.encode(&clip).unwrap());
}

#[test]
fn f16_arithmetic_is_for_streaming_encoders_whose_weights_are_in_f16() {
    let (onnx, spec) = (bytes(&common::streaming_encoder(1.0, 3, [2, 0])), common::streaming_spec());
    let in_f16 = Tuning { kernels: Kernels::TractF16, ..Tuning::default() };
    let error = Encoder::tuned(&onnx, "encoder.onnx", &spec, in_f16).unwrap_err();
    assert!(matches!(error, InferError::F16 { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("encoder.onnx") && error.contains("--precision f16"), "{error}");
    let plain = Encoder::from_onnx(&onnx, "encoder.onnx", &spec).unwrap();
    assert!(plain.alternatives(spec.clip).iter().all(|tuning| tuning.kernels == Kernels::Tract));

    let onnx = bytes(&common::half_streaming_encoder(3, [2, 0]));
    let half = Encoder::tuned(&onnx, "encoder.onnx", &spec, in_f16).unwrap();
    assert_eq!(half.tuning(), in_f16);
    let offered = half.alternatives(spec.clip).iter().any(|tuning| tuning.kernels == Kernels::TractF16);
    assert_eq!(offered, Kernels::available().contains(&Kernels::TractF16));
    // Values that f16 has, and their sums.
    let clip: Vec<f32> = (0..spec.clip_len()).map(|at| (at % 16) as f32 / 4.0).collect();
    let exact = Encoder::from_onnx(&onnx, "encoder.onnx", &spec).unwrap().encode(&clip).unwrap();
    for (found, exact) in half.encode(&clip).unwrap().iter().zip(&exact) {
        assert!((found - exact).abs() <= 0.002 * exact.abs(), "{found} is not {exact}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_stream_scores_the_spans_of_its_spec(
        frames in 0u64..20,
        (length, stride) in (1u16..6).prop_flat_map(|l| (Just(l), 1..=l)),
    ) {
        let mut spec = spec();
        spec.clip = ClipSpec { frames: length, stride };
        let mut onnx = encoder();
        graph(&mut onnx).input[0] = common::value("clip", &[1, 3, length.into(), 2, 4]);
        let encoder = Encoder::from_onnx(&bytes(&onnx), "encoder.onnx", &spec).unwrap();
        let (_, head) = load();
        let mut scorer = Scorer::new(Arc::new(encoder), head, &spec).unwrap();
        let mut first = Vec::new();
        for _ in 0..2 {
            let mut scores: Vec<ClipScore> =
                (0..frames).filter_map(|i| push(&mut scorer, [i as u8 * 9, 7, 99])).collect();
            scores.extend(scorer.finish().unwrap());
            let spans: Vec<_> = spec.clip.spans(frames).collect();
            prop_assert_eq!(scores.iter().map(|s| s.span).collect::<Vec<_>>(), spans);
            // After a reset the stream is new: the same scores again.
            scorer.reset();
            if first.is_empty() {
                first = scores;
            } else {
                prop_assert_eq!(&first, &scores);
            }
        }
    }
}

#[test]
fn threads_share_an_encoder_and_agree_to_the_bit() {
    let (encoder, _) = load();
    let clips: Vec<Vec<f32>> =
        (0..8).map(|k| (0..72).map(|i| ((i * 7 + k * 13) % 19) as f32 / 9.0 - 1.0).collect()).collect();
    let alone: Vec<Vec<f32>> = clips.iter().map(|c| encoder.encode(c).unwrap()).collect();
    let together: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let spawn = |clip: &'_ Vec<f32>| {
            let (encoder, clip) = (encoder.clone(), clip.clone());
            scope.spawn(move || (0..20).map(|_| encoder.encode(&clip).unwrap()).next_back().unwrap())
        };
        let workers: Vec<_> = clips.iter().map(spawn).collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn values_that_are_not_finite_never_pass() {
    let (encoder, head) = load();
    for value in [f32::NAN, f32::INFINITY] {
        let mut clip = vec![0.0; 72];
        clip[70] = value;
        let error = encoder.encode(&clip).unwrap_err();
        assert!(matches!(error, InferError::NonFinite { what: "input", index: 70, .. }), "{error}");
        assert!(head.score(&[value; 1024]).is_err());
    }
    // Finite weights whose products overflow: the output is refused.
    let mut onnx = common::encoder();
    graph(&mut onnx).initializer[0] = common::float("w", &[1024, 3], &[f32::MAX; 3072]);
    let encoder = Encoder::from_onnx(&bytes(&onnx), "encoder.onnx", &spec()).unwrap();
    let error = encoder.encode(&[2.0; 72]).unwrap_err();
    assert!(matches!(error, InferError::NonFinite { what: "output", .. }), "{error}");
}

#[test]
fn other_lengths_and_foreign_parts_are_refused() {
    let (encoder, head) = load();
    assert!(matches!(encoder.encode(&[0.0; 71]), Err(InferError::InputLength { .. })));
    assert!(matches!(head.score(&[0.0; 1]), Err(InferError::InputLength { .. })));
    let other = ModelSpec::i3d_mist("other");
    let stream = FeatureStream::new(encoder.clone(), &other).map(drop);
    assert!(matches!(stream, Err(InferError::EncoderMismatch { .. })));
    assert!(matches!(Scorer::new(encoder, head, &other).map(drop), Err(InferError::EncoderMismatch { .. })));
}
