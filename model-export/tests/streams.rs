//! Every encoder with every head that boards run: a camera's scores are those of its clips taken by themselves, whatever
//! frames it drops, whenever it is reset, and whoever shares its model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test")]

mod common;

use std::sync::{Arc, LazyLock};

use common::{Tensors, frame, head_tensors, heads, i3d_tensors, lite_spec, lite_tensors, safetensors, spec};
use golden::{Tolerance, assert_close};
use proptest::prelude::*;
use vad_core::{ClipSpec, HeadContext, LiteSize, ModelSpec, RgbFrame};
use vad_infer::{ClipScore, Encoder, FeatureStream, Head, Pulse, Scorer};

/// Scores of a stream against scores of its clips.
const STREAMED: Tolerance = Tolerance::new(0.0, 1e-5);

const SIDE_PX: u16 = 16;
const CLIP: ClipSpec = ClipSpec { frames: 4, stride: 2 };

struct Model {
    spec: ModelSpec,
    encoder: Arc<Encoder>,
    head: Arc<Head>,
}

/// Encoders once, each with all heads.
static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    let mut i3d = spec(CLIP.frames, SIDE_PX, SIDE_PX);
    i3d.clip = CLIP;
    let mut encoders = vec![(i3d, safetensors(&i3d_tensors()), 1)];
    for (size, pulse) in
        [(LiteSize::Small, 1), (LiteSize::Small, 2), (LiteSize::Middle, 2), (LiteSize::Large, 1)]
    {
        encoders.push((lite_spec(size, CLIP, SIDE_PX), safetensors(&quiet_lite(size)), pulse));
    }
    encoders.into_iter().flat_map(|(spec, weights, pulse)| with_heads(&spec, &weights, pulse)).collect()
});

/// Random weights with features around 1, so that no head behind them is sure of itself.
fn quiet_lite(size: LiteSize) -> Tensors {
    let quieter = |(name, shape, values): (String, Vec<usize>, Vec<f32>)| {
        let factor = if name.starts_with("last.") { 0.02 } else { 1.0 };
        (name, shape, values.into_iter().map(|value| value * factor).collect())
    };
    lite_tensors(size).into_iter().map(quieter).collect()
}

fn with_heads(spec: &ModelSpec, weights: &[u8], pulse: usize) -> Vec<Model> {
    let onnx = model_export::encoder_onnx(weights, spec).unwrap();
    let pulse = Pulse::new(pulse, spec.clip).unwrap();
    let encoder = Arc::new(Encoder::with_pulse(&onnx, "encoder.onnx", spec, pulse).unwrap());
    let model = |head: vad_core::HeadSpec| {
        let onnx = safetensors(&head_tensors(&head));
        let spec = ModelSpec { head, ..spec.clone() };
        let onnx = model_export::head_onnx(&onnx, &spec).unwrap();
        let head = Arc::new(Head::from_onnx(&onnx, "head.onnx", &spec).unwrap());
        Model { encoder: encoder.clone(), head, spec }
    };
    heads(spec.encoder.feature_dim).into_iter().map(model).collect()
}

/// What happens to a camera.
#[derive(Debug, Clone, Copy)]
enum Event {
    Frame(usize),
    Reset,
    Finish,
}

fn picture(index: usize) -> Vec<u8> {
    frame(index, SIDE_PX.into(), SIDE_PX.into())
}

impl Model {
    fn title(&self) -> String {
        format!(
            "{:?} with {:?} over {:?}",
            self.spec.encoder.kind, self.spec.head.kind, self.spec.head.context
        )
    }

    fn scorer(&self) -> Scorer {
        Scorer::new(self.encoder.clone(), self.head.clone(), &self.spec).unwrap()
    }

    /// The scores of one uninterrupted stream from its features, each clip's input put together anew.
    fn clip_by_clip(&self, frames: &[usize], has_tail: bool) -> Vec<f32> {
        let mut stream = FeatureStream::new(self.encoder.clone(), &self.spec).unwrap();
        let mut features = Vec::new();
        for &index in frames {
            let picture = picture(index);
            let rgb = RgbFrame::new(SIDE_PX.into(), SIDE_PX.into(), &picture).unwrap();
            features.extend(stream.push(rgb).unwrap().map(|(_, feature)| feature));
        }
        if has_tail {
            features.extend(stream.finish().unwrap().map(|(_, feature)| feature));
        }
        (0..features.len()).map(|clip| self.head.score(&self.input(&features[..=clip])).unwrap()).collect()
    }

    /// The head's input at the last of these clips.
    fn input(&self, features: &[Vec<f32>]) -> Vec<f32> {
        let (newest, before) = features.split_last().unwrap();
        match self.spec.head.context {
            HeadContext::Clip => newest.clone(),
            HeadContext::Memory { clips } => {
                let past = &before[before.len().saturating_sub(clips.into())..];
                let past = if past.is_empty() { std::slice::from_ref(newest) } else { past };
                let sum = |d: usize| past.iter().map(|feature| f64::from(feature[d])).sum::<f64>();
                let mean = (0..newest.len()).map(|d| (sum(d) / past.len() as f64) as f32);
                newest.iter().copied().chain(mean).collect()
            }
            HeadContext::Window { clips } => {
                let first = features.len() as isize - clips as isize;
                let at = |clip: isize| features[clip.max(0) as usize].clone();
                (first..features.len() as isize).flat_map(at).collect()
            }
        }
    }

    /// The same, stream after stream.
    fn expected(&self, events: &[Event]) -> Vec<f32> {
        let (mut scores, mut kept) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::Frame(index) => kept.push(*index),
                Event::Reset | Event::Finish => {
                    scores.extend(self.clip_by_clip(&kept, matches!(event, Event::Finish)));
                    kept.clear();
                }
            }
        }
        scores.extend(self.clip_by_clip(&kept, false));
        scores
    }
}

fn happens(scorer: &mut Scorer, event: Event) -> Option<ClipScore> {
    match event {
        Event::Frame(index) => {
            let picture = picture(index);
            scorer.push(RgbFrame::new(SIDE_PX.into(), SIDE_PX.into(), &picture).unwrap()).unwrap()
        }
        Event::Finish => scorer.finish().unwrap(),
        Event::Reset => {
            scorer.reset();
            None
        }
    }
}

/// Frames of which some are dropped, with resets and ends anywhere between them.
fn events(first: usize) -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![12 => Just(Some(())), 3 => Just(None)];
    let breaks = prop_oneof![14 => Just(None), 1 => Just(Some(Event::Reset)), 1 => Just(Some(Event::Finish))];
    proptest::collection::vec((one, breaks), 12..34).prop_map(move |steps| {
        let frames = steps.into_iter().enumerate().flat_map(|(index, (frame, brk))| {
            [frame.map(|()| Event::Frame(first + index)), brk].into_iter().flatten()
        });
        frames.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn two_cameras_score_as_their_clips_do(one in events(0), other in events(200)) {
        for model in MODELS.iter() {
            let mut cameras = [(model.scorer(), &one, Vec::new()), (model.scorer(), &other, Vec::new())];
            for turn in 0..one.len().max(other.len()) {
                for (scorer, events, scores) in &mut cameras {
                    let score = events.get(turn).and_then(|event| happens(scorer, *event));
                    scores.extend(score.map(|score| score.raw));
                }
            }
            for (_, events, scores) in &cameras {
                let expected: Vec<f64> = model.expected(events).into_iter().map(f64::from).collect();
                prop_assert_eq!(scores.len(), expected.len());
                assert_close(&model.title(), scores, &expected, STREAMED);
            }
        }
    }
}

#[test]
fn heads_with_a_context_see_more_than_the_clip_and_others_do_not() {
    for model in MODELS.iter() {
        let events: Vec<Event> = (0..16).map(Event::Frame).collect();
        let newest = |events: &[Event]| {
            let mut scorer = model.scorer();
            let scores: Vec<_> = events.iter().filter_map(|event| happens(&mut scorer, *event)).collect();
            scores[scores.len() - 1].raw
        };
        let mut others = events.clone();
        others[8..10].copy_from_slice(&[Event::Frame(77), Event::Frame(79)]);
        let remembers = model.spec.encoder.kind.lite().is_some() || !model.spec.head.context.is_clip();
        let is_other = (newest(&events) - newest(&others)).abs() > STREAMED.absolute as f32;
        assert_eq!(is_other, remembers, "{}", model.title());
    }
}
