//! What boards compute clip by clip is what the trainer's networks compute: of the same window, and where nothing looks ahead of
//! the whole video.

use std::sync::Arc;

use burn::tensor::Device;
use golden::{Tolerance, assert_close, hashed_values};
use toml::Table;
use vad_core::{EncoderSpec, HeadContext, HeadKind, ModelSpec};
use vad_data::Label;
use vad_infer::Head;
use watchpost::bag::BagSet;
use watchpost::model::arms::{Arms, Start};
use watchpost::model::cu_classifier::CuClassifier;
use watchpost::model::cu_generator::CuGenerator;
use watchpost::model::mist_generator::MistGenerator;
use watchpost::model::rtfm::{Rtfm, Temporal};
use watchpost::on_board::on_board;
use watchpost::recipe::registry::by_name;
use watchpost::recipe::system::Detector;
use watchpost::tensors::{Arrays, encode};

/// Scores of the exported head in tract, clip after clip, beside those of the trainer in burn.
const STREAMED: Tolerance = Tolerance::new(0.0, 1e-5);

const DIM: usize = 32;

/// A detector's weights: not those that a training begins with, of which some are zero.
fn moved(fresh: Arrays) -> Arrays {
    let moved = |(name, mut array): (String, watchpost::tensors::Array)| {
        let inputs: usize = array.shape[1..].iter().product();
        let (low, high) = match array.shape.len() {
            1 if name.ends_with("running_var") => (0.5, 1.5),
            1 => (-0.3, 0.6),
            _ => (-(4.0 / inputs as f64).sqrt(), (4.0 / inputs as f64).sqrt()),
        };
        array.values = hashed_values(&name, 7, array.values.len(), low, high);
        (name, array)
    };
    fresh.into_iter().map(moved).collect()
}

fn video(clips: usize) -> BagSet {
    let mut bags = BagSet::default();
    let values = hashed_values("features", clips as u64, clips * DIM, 0.0, 1.0);
    bags.push("video", Label::Normal, DIM, &values).unwrap();
    bags
}

fn detector(recipe: &str, settings: &str, weights: &Arrays) -> Box<dyn Detector> {
    let settings: Table = settings.parse().unwrap();
    by_name(recipe).unwrap().load(&settings, weights, "made up", &Device::flex()).unwrap()
}

/// Scores of the exported head on the board's path.
fn streamed(detector: &dyn Detector, weights: &Arrays, bags: &BagSet) -> Vec<f32> {
    let encoder = EncoderSpec::imported("made-up", DIM as u32);
    let spec = ModelSpec { head: detector.head(), ..ModelSpec::mist("head", encoder) };
    let onnx = model_export::head_onnx(&encode(weights, None).unwrap(), &spec).unwrap();
    let mut stream = Arc::new(Head::from_onnx(&onnx, "head.onnx", &spec).unwrap()).stream();
    bags.values.chunks_exact(DIM).map(|feature| stream.push(feature).unwrap()).collect()
}

/// Compares the two on videos shorter and longer than any context; returns the trainer's scores.
fn compare(what: &str, on_board: &dyn Detector, weights: &Arrays) -> Vec<Vec<f32>> {
    let one = |clips: usize| {
        let bags = video(clips);
        let want = on_board.score(&bags).concat();
        let got = streamed(on_board, weights, &bags);
        let wide: Vec<f64> = want.iter().map(|score| f64::from(*score)).collect();
        assert_close(&format!("{what}, {clips} clips"), &got, &wide, STREAMED);
        want
    };
    let scores: Vec<Vec<f32>> = [1, 2, 3, 7, 24].map(one).into();
    let last = &scores[4];
    assert!(last.iter().all(|score| (0.01..0.99).contains(score)), "{what} is sure of itself: {last:?}");
    assert!(last.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 1e-3), "{what} sees nothing: {last:?}");
    scores
}

#[test]
fn rtfm_and_arms_through_a_window() {
    let rtfm = moved(Rtfm::init(DIM, Temporal::Mtn, 1, &Device::flex()).to_arrays());
    let arms = moved(Arms::init(DIM, 16, Start { seed: 1, iteration: 0 }, &Device::flex()).to_arrays());
    for (recipe, settings, weights) in [("rtfm", "segments = 12", &rtfm), ("arms", "segments = 12", &arms)] {
        for window in [None, Some(1), Some(2), Some(3), Some(5), Some(6), Some(16)] {
            let board = on_board(detector(recipe, settings, weights), window).unwrap();
            assert_eq!(board.head().context, HeadContext::Window { clips: window.unwrap_or(12) });
            compare(&format!("{recipe}, window {window:?}"), &*board, weights);
        }
        // A window as long as the video shows its last clip as the whole video does.
        let whole = detector(recipe, settings, weights).score(&video(24)).concat();
        let window =
            on_board(detector(recipe, settings, weights), Some(24)).unwrap().score(&video(24)).concat();
        assert!((whole[23] - window[23]).abs() < 1e-6, "{recipe}: {} {}", whole[23], window[23]);
    }
}

#[test]
fn what_does_not_look_ahead_scores_in_a_stream_as_in_the_whole_video() {
    let device = Device::flex();
    let cases = [
        ("rtfm", "temporal = \"causal-mtn\"", Rtfm::init(DIM, Temporal::CausalMtn, 1, &device).to_arrays()),
        ("rtfm", "temporal = \"none\"", Rtfm::init(DIM, Temporal::None, 1, &device).to_arrays()),
        ("cu", "window = 5", CuClassifier::init(DIM, [24, 8], 1, &device).to_arrays()),
        ("cu", "window = 1", CuClassifier::init(DIM, [24, 8], 1, &device).to_arrays()),
        ("cu", "iterations = 0", CuGenerator::init(DIM, 3, [24, 8], 1, &device).to_arrays()),
        ("mist", "", MistGenerator::init(DIM, [24, 8], 1, &device).to_arrays()),
        ("sultani", "", MistGenerator::init(DIM, [24, 8], 1, &device).to_arrays()),
        (
            "sultani",
            "feature_scaling = \"unit-length\"",
            MistGenerator::init(DIM, [24, 8], 1, &device).to_arrays(),
        ),
    ];
    for (recipe, settings, weights) in cases {
        let (what, weights) = (format!("{recipe} with {settings}"), moved(weights));
        let board = on_board(detector(recipe, settings, &weights), None).unwrap();
        let scores = compare(&what, &*board, &weights);
        assert_eq!(scores[4], detector(recipe, settings, &weights).score(&video(24)).concat(), "{what}");
        // What comes later changes nothing.
        let mut longer = video(24);
        longer.values.truncate(9 * DIM);
        longer.bags[0].clips = 9;
        let beginning = board.score(&longer).concat();
        for (early, whole) in beginning.iter().zip(&scores[4]) {
            assert!((early - whole).abs() < 1e-6, "{what}: {early} {whole}");
        }
    }
}

#[test]
fn what_only_the_host_runs_says_so() {
    let device = Device::flex();
    let arms = Arms::init(DIM, 16, Start { seed: 1, iteration: 0 }, &device).to_arrays();
    let cu = CuClassifier::init(DIM, [24, 8], 1, &device).to_arrays();
    for (recipe, settings, weights) in
        [("arms", "score_correction = \"max\"", &arms), ("cu", "window = 2000", &cu)]
    {
        let detector = detector(recipe, settings, weights);
        assert_eq!(detector.head().kind, HeadKind::Temporal, "{recipe}");
        let error = on_board(detector, None).err().unwrap().to_string();
        assert!(error.contains("only the host") && error.contains(recipe), "{error}");
    }
}
