//! CU, whose phases follow one another within one training.

use crate::made_up::{bags, bytes, mean, shifted_and_plain};
use burn::tensor::Device;
use vad_data::Label;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::recipe::cu::Cu;
use watchpost::recipe::cu_config::CuConfig;
use watchpost::recipe::settings::FeatureScaling;
use watchpost::recipe::system::{Detector, Losses, System};
use watchpost::tensors::{Arrays, decode};

const DIM: usize = 24;

/// Share of the score range by which abnormal clips must lie above normal ones.
const CLEARLY_ABOVE: f32 = 0.3;

/// Folding only reorders `f32` products and sums.
const FOLD_TOLERANCE: f32 = 1e-4;

fn data(crops: usize) -> TrainingSet {
    TrainingSet::from_bags(bags(20, crops, DIM, 1.0, 1), bags(8, crops, DIM, 1.0, 2)).unwrap()
}

/// Short phases: steps 0 to 7 train the generator, 8 to 13 and 14 to 19 the classifier.
fn short() -> CuConfig {
    CuConfig {
        seed: 5,
        generator_steps: 8,
        iterations: 2,
        classifier_steps: 6,
        pairs: 3,
        segments: 6,
        generator_hidden: [16, 8],
        first_passes: 4,
        later_passes: 3,
        classifier_hidden: [16, 8],
        clips: 16,
        ..CuConfig::small()
    }
}

fn run(system: &mut Cu, data: &TrainingSet, steps: std::ops::Range<u64>) -> Vec<Losses> {
    steps.map(|step| system.step(step, data)).collect()
}

fn trained(config: &CuConfig, data: &TrainingSet) -> Cu {
    let mut system = Cu::new(config, data, &Device::flex()).unwrap();
    let steps = system.steps();
    run(&mut system, data, 0..steps);
    system
}

fn mean_loss(losses: &[Losses]) -> f32 {
    mean(&losses.iter().map(|losses| losses.total).collect::<Vec<_>>())
}

fn check_ranking(set: &BagSet, scores: &[Vec<f32>], when: &str) {
    let [shifted, plain] = shifted_and_plain(set, scores);
    assert!(shifted > plain + CLEARLY_ABOVE, "{when}: {shifted} {plain}");
    assert!(worst_abnormal(set, scores) > best_normal(set, scores), "{when}: {scores:?}");
}

fn best_of<'a>(set: &'a BagSet, scores: &'a [Vec<f32>], label: Label) -> impl Iterator<Item = f32> + 'a {
    let of_label = set.bags.iter().zip(scores).filter(move |(bag, _)| bag.label == label);
    of_label.map(|(_, scores)| scores.iter().copied().fold(0.0, f32::max))
}

fn worst_abnormal(set: &BagSet, scores: &[Vec<f32>]) -> f32 {
    best_of(set, scores, Label::Abnormal).fold(f32::INFINITY, f32::min)
}

fn best_normal(set: &BagSet, scores: &[Vec<f32>]) -> f32 {
    best_of(set, scores, Label::Normal).fold(0.0, f32::max)
}

#[test]
fn both_phases_learn_to_point_at_the_abnormal_clips() {
    let data = data(1);
    let config = CuConfig {
        seed: 5,
        generator_steps: 120,
        classifier_steps: 100,
        pairs: 4,
        segments: 8,
        generator_hidden: [64, 32],
        classifier_hidden: [64, 32],
        clips: 32,
        ..CuConfig::small()
    };
    let mut system = Cu::new(&config, &data, &Device::flex()).unwrap();
    let losses = run(&mut system, &data, 0..config.generator_steps);
    assert!(mean_loss(&losses[110..]) < mean_loss(&losses[..10]) / 2.0);
    check_ranking(&data.val, &system.detector().score(&data.val), "generator");
    let losses = run(&mut system, &data, config.generator_steps..config.steps());
    assert!(mean_loss(&losses[190..]) < mean_loss(&losses[..10]) / 2.0);
    check_ranking(&data.val, &system.detector().score(&data.val), "classifier");
    let names = |losses: &Losses| losses.parts.iter().map(|part| part.0).collect::<Vec<_>>();
    assert!(losses.iter().all(|each| names(each) == names(&losses[0]) && each.grad_norm.is_finite()));
}

#[test]
fn without_iterations_the_generator_of_all_heads_or_one_is_the_detector() {
    let data = data(2);
    for (heads, alpha) in [(2, 0.1), (1, 0.0)] {
        let config = CuConfig { iterations: 0, heads, alpha, ..short() };
        let system = trained(&config, &data);
        assert_eq!(system.steps(), config.generator_steps);
        let loaded = Cu::load(&config, &system.weights(), "stored", &Device::flex()).unwrap();
        let (own, stored) = (system.detector().score(&data.val), loaded.score(&data.val));
        for (own, stored) in own.iter().flatten().zip(stored.iter().flatten()) {
            assert!((own - stored).abs() < FOLD_TOLERANCE, "{own} {stored}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let data = data(1);
    let first = bytes(&trained(&short(), &data).snapshot());
    assert!(first == bytes(&trained(&short(), &data).snapshot()), "two equal trainings differ");
    let other = CuConfig { seed: 6, ..short() };
    assert!(first != bytes(&trained(&other, &data).snapshot()));
}

/// Stops within each phase and at each border: what happens between phases must not be lost or done twice.
#[test]
fn resuming_equals_never_having_stopped_bit_for_bit() {
    for (crops, feature_scaling) in [(1, FeatureScaling::Standardise), (3, FeatureScaling::None)] {
        let (data, config) = (data(crops), CuConfig { feature_scaling, ..short() });
        let straight = bytes(&trained(&config, &data).snapshot());
        for stop in [4, 8, 11, 14, 17] {
            let mut first = Cu::new(&config, &data, &Device::flex()).unwrap();
            run(&mut first, &data, 0..stop);
            let (saved, _) = decode(&bytes(&first.snapshot()), "saved".as_ref()).unwrap();
            let mut second = Cu::new(&config, &data, &Device::flex()).unwrap();
            second.restore(&saved, "saved").unwrap();
            assert_eq!(
                second.detector().score(&data.val),
                first.detector().score(&data.val),
                "stopped after {stop}"
            );
            run(&mut second, &data, stop..config.steps());
            assert!(straight == bytes(&second.snapshot()), "{crops} crops, stopped after {stop}");
        }
    }
}

#[test]
fn an_incomplete_snapshot_is_refused_by_name_and_changes_nothing() {
    let data = data(1);
    let mut system = trained(&short(), &data);
    let before = system.snapshot();
    for name in ["generator.1.fc1.weight", "classifier.Regressor.3.weight", "labels.reliable"] {
        let mut broken = before.clone();
        broken.remove(name).unwrap();
        let error = system.restore(&broken, "half.safetensors").unwrap_err().to_string();
        assert!(error.contains("half.safetensors"), "{error}");
        assert_eq!(system.snapshot(), before);
    }
}

#[test]
fn one_clip_videos_and_wide_settings_train() {
    let mut train = BagSet::default();
    train.push("one clip", Label::Abnormal, DIM, &[1.0; DIM]).unwrap();
    train.push("two clips", Label::Normal, DIM, &[0.0; 2 * DIM]).unwrap();
    train.push("no clip", Label::Normal, DIM, &[]).unwrap();
    let data = TrainingSet::from_bags(train, BagSet::default()).unwrap();
    for feature_scaling in [FeatureScaling::None, FeatureScaling::Standardise] {
        let config = CuConfig { window: 50, clips: 500, reliable_share: 0.01, feature_scaling, ..short() };
        let system = trained(&config, &data);
        let finite =
            |arrays: Arrays| arrays.values().all(|array| array.values.iter().all(|value| value.is_finite()));
        assert!(finite(system.snapshot()) && finite(system.weights()));
        assert_eq!(system.detector().score(&data.train).iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    }
}

#[test]
fn the_detector_takes_raw_features() {
    let data = data(1);
    let mut system = Cu::new(&short(), &data, &Device::flex()).unwrap();
    assert!(system.weights().contains_key("0.fc1.weight"));
    let steps = system.steps();
    run(&mut system, &data, 0..steps);
    let detector = system.weights();
    assert_eq!(detector["Regressor.0.weight"].shape, [16, 2 * DIM]);
    let plain = CuConfig { feature_scaling: FeatureScaling::None, ..short() };
    let mut raw = Cu::new(&plain, &data, &Device::flex()).unwrap();
    let mut snapshot = system.snapshot();
    for (name, array) in detector {
        snapshot.insert(format!("classifier.{name}"), array);
    }
    raw.restore(&snapshot, "folded").unwrap();
    let (folded, own) =
        (raw.detector().score(&data.val).concat(), system.detector().score(&data.val).concat());
    assert!(folded.iter().zip(&own).all(|(a, b)| (a - b).abs() < FOLD_TOLERANCE));
}
