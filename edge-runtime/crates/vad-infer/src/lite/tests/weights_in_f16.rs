//! Weights in f16: what our kernels, tract, and tract in f16 make of them.

use std::sync::Arc;

use proptest::prelude::*;
use tract_onnx::pb::GraphProto;

use super::{
    Arithmetic, Isa, LiteNet, Shape, Stored, assert_like, beside_tract, by_tract, by_tract_in, graph, shapes,
    small, stream, write,
};

/// Of the largest feature. f16 has 11 bits, so what is rounded is off by up to 2^-12 of its power of two; these small networks
/// round values of ten layers and the sums within.
const IN_F16: f32 = 0.005;

/// Features of a stream by our kernels.
fn ours(isa: Isa, shape: &Shape, at_a_time: usize) -> Vec<f32> {
    let net = Arc::new(LiteNet::read(isa, &write(shape), shape.clip()).unwrap().unwrap());
    let mut state = net.beginning(at_a_time, None);
    stream(shape, at_a_time).iter().flat_map(|frames| state.run(frames)).collect()
}

fn stored(shape: &Shape, stored: Stored) -> Shape {
    Shape { stored, ..shape.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn weights_in_f16_are_rounded_weights(shape in shapes()) {
        for at_a_time in [1, 4] {
            for isa in Isa::available() {
                let found = ours(isa, &stored(&shape, Stored::F16), at_a_time);
                prop_assert_eq!(found, ours(isa, &stored(&shape, Stored::Rounded), at_a_time));
            }
        }
    }

    #[test]
    fn features_with_weights_in_f16_are_those_of_tract(shape in shapes()) {
        beside_tract(&stored(&shape, Stored::F16), assert_like);
    }

    #[test]
    fn in_f16_tract_is_off_by_what_f16_rounds(shape in shapes()) {
        let shape = stored(&shape, Stored::F16);
        let model = write(&shape);
        for at_a_time in [1, 2, 4] {
            let frames = stream(&shape, at_a_time);
            let expected = by_tract(&model, &shape, &frames, at_a_time);
            let found = by_tract_in(Arithmetic::F16, &model, &shape, &frames, at_a_time);
            assert_rounded(&found, &expected, &format!("{at_a_time} at a time"));
        }
    }
}

/// Frames of [`stream`] for one frame at a time, `at_a_time` together: `[3, at_a_time, H, W]`.
fn together(frames: &[Vec<f32>], at_a_time: usize) -> Vec<Vec<f32>> {
    let plane = frames[0].len() / 3;
    let colour = |pulse: &[Vec<f32>], colour: usize| -> Vec<f32> {
        pulse.iter().flat_map(|frame| frame[colour * plane..][..plane].to_vec()).collect()
    };
    frames.chunks(at_a_time).map(|pulse| (0..3).flat_map(|c| colour(pulse, c)).collect()).collect()
}

/// `[D, frames]`, pulse behind pulse, as `[frames, D]`.
fn by_frame(features: &[f32], at_a_time: usize, dim: usize) -> Vec<f32> {
    let pulses = features.chunks_exact(at_a_time * dim);
    pulses.flat_map(|pulse| crate::encoder::columns(pulse, at_a_time).collect::<Vec<_>>()).collect()
}

/// The longest pulse is a whole clip.
#[test]
fn streams_in_f16_are_clips_in_f16() {
    let shape = stored(&small(), Stored::F16);
    let model = write(&shape);
    let frames = stream(&shape, 1);
    let [one, two, clip] = [1, 2, 4].map(|at_a_time| {
        let pulses = together(&frames, at_a_time);
        let features = by_tract_in(Arithmetic::F16, &model, &shape, &pulses, at_a_time);
        by_frame(&features, at_a_time, shape.features)
    });
    assert!(one.iter().any(|&value| value > 0.1), "{one:?}");
    let in_f32 = by_frame(&by_tract(&model, &shape, &frames, 1), 1, shape.features);
    assert_ne!(one, in_f32, "f16 rounds");
    assert_ne!(ours(Isa::best(), &shape, 1), ours(Isa::best(), &small(), 1), "so do the weights");
    assert_rounded(&one, &clip, "one frame at a time");
    assert_rounded(&two, &clip, "two frames at a time");
}

fn assert_rounded(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart <= IN_F16 * largest, "{what}: {apart} of {largest}");
}

/// What the reader is given has passed the check of the file, but for these.
#[test]
fn a_convolution_takes_the_weights_that_are_widened_before_it() {
    let shape = stored(&small(), Stored::F16);
    let is_read = |change: &dyn Fn(&mut GraphProto)| {
        let mut model = write(&shape);
        change(graph(&mut model));
        LiteNet::read(Isa::best(), &model, shape.clip()).unwrap().is_some()
    };
    let node = |graph: &mut GraphProto, name: &str| graph.node.iter().position(|n| n.name == name).unwrap();
    assert!(is_read(&|_| {}));
    assert!(
        !is_read(&|g| {
            let cast = node(g, "1.expand.weight.f32");
            g.node[cast].output[0] = "unread".to_owned();
        }),
        "another output"
    );
    assert!(
        !is_read(&|g| {
            let (cast, conv) = (node(g, "1.expand.weight.f32"), node(g, "1.expand"));
            g.node.swap(cast, conv);
        }),
        "behind it"
    );
}
