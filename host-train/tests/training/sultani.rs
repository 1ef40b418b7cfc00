//! The baseline of Sultani et al.

use crate::made_up::{bags, bytes, mean, shifted_and_plain};
use burn::tensor::Device;
use vad_core::HeadKind;
use vad_data::Label;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::recipe::settings::Mode;
use watchpost::recipe::sultani::SultaniSystem;
use watchpost::recipe::sultani_config::{Preparation, SultaniConfig};
use watchpost::recipe::system::{Detector, Losses, System};
use watchpost::tensors::decode;

const DIM: usize = 16;

const MODES: [Mode; 2] = [Mode::Paper, Mode::Released];

const PREPARATIONS: [Preparation; 3] = [Preparation::None, Preparation::Standardise, Preparation::UnitLength];

/// By how much abnormal clips must score above normal ones.
const CLEARLY_ABOVE: f32 = 0.2;

/// Folding a scaling into a layer reorders `f32` products and sums.
const FOLD_TOLERANCE: f32 = 1e-5;

fn data(crops: usize) -> TrainingSet {
    TrainingSet::from_bags(bags(20, crops, DIM, 2.0, 1), bags(8, crops, DIM, 2.0, 2)).unwrap()
}

fn short(mode: Mode, feature_scaling: Preparation) -> SultaniConfig {
    SultaniConfig {
        mode,
        seed: 5,
        steps: 12,
        pairs: 4,
        segments: 7,
        hidden: [32, 8],
        feature_scaling,
        ..SultaniConfig::small()
    }
}

fn fresh(config: &SultaniConfig, data: &TrainingSet) -> SultaniSystem {
    SultaniSystem::new(config, data, &Device::flex()).unwrap()
}

fn run(system: &mut SultaniSystem, data: &TrainingSet, steps: std::ops::Range<u64>) -> Vec<Losses> {
    steps.map(|step| system.step(step, data)).collect()
}

fn trained(config: &SultaniConfig, data: &TrainingSet) -> SultaniSystem {
    let mut system = fresh(config, data);
    run(&mut system, data, 0..config.steps);
    system
}

#[test]
fn every_reading_learns_to_point_at_the_abnormal_clips() {
    let data = data(2);
    for mode in MODES {
        for preparation in PREPARATIONS {
            let config = SultaniConfig {
                steps: 200,
                learning_rate: 0.01,
                weight_penalty: 1e-4,
                ..short(mode, preparation)
            };
            let mut system = fresh(&config, &data);
            let losses = run(&mut system, &data, 0..config.steps);
            let ranks: Vec<f32> = losses.iter().map(|losses| losses.parts[0].1).collect();
            let (early, late) = (mean(&ranks[..10]), mean(&ranks[190..]));
            assert!(late < early, "{mode:?} {preparation:?}: the hinge went from {early} to {late}");
            let [shifted, plain] = shifted_and_plain(&data.val, &system.detector().score(&data.val));
            assert!(shifted > plain + CLEARLY_ABOVE, "{mode:?} {preparation:?}: {shifted} {plain}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (data, config) = (data(2), short(Mode::Released, Preparation::UnitLength));
    let first = bytes(&trained(&config, &data).snapshot());
    assert!(first == bytes(&trained(&config, &data).snapshot()), "two equal trainings differ");
    assert!(first != bytes(&trained(&SultaniConfig { seed: 6, ..config }, &data).snapshot()));
}

#[test]
fn resuming_equals_never_having_stopped_bit_for_bit() {
    for (crops, mode, preparation) in
        [(1, Mode::Paper, Preparation::UnitLength), (3, Mode::Released, Preparation::Standardise)]
    {
        let (data, config) = (data(crops), short(mode, preparation));
        let mut straight = fresh(&config, &data);
        let losses = run(&mut straight, &data, 0..config.steps);
        for stop in [0, 1, 7] {
            let mut first = fresh(&config, &data);
            run(&mut first, &data, 0..stop);
            let (saved, _) = decode(&bytes(&first.snapshot()), "saved".as_ref()).unwrap();
            let mut second = fresh(&config, &data);
            second.restore(&saved, "saved").unwrap();
            assert_eq!(run(&mut second, &data, stop..config.steps), losses[stop as usize..]);
            assert!(bytes(&straight.snapshot()) == bytes(&second.snapshot()), "stopped after {stop}");
        }
    }
}

#[test]
fn an_incomplete_snapshot_is_refused_by_name_and_changes_nothing() {
    let data = data(1);
    let mut system = trained(&short(Mode::Released, Preparation::None), &data);
    let before = system.snapshot();
    let mut broken = before.clone();
    broken.remove("model.regressor.3.weight").unwrap();
    let error = system.restore(&broken, "half.safetensors").unwrap_err().to_string();
    assert!(error.contains("half.safetensors") && error.contains("regressor.3.weight"), "{error}");
    assert_eq!(system.snapshot(), before);
}

/// A detector that needs no more than its layers can be exported; one whose features must be of length 1 cannot.
#[test]
fn stored_weights_score_raw_features_as_the_training_did() {
    let data = data(2);
    for preparation in PREPARATIONS {
        let config = short(Mode::Released, preparation);
        let system = trained(&config, &data);
        let loaded = SultaniSystem::load(&config, &system.weights(), "stored", &Device::flex()).unwrap();
        let (own, stored) = (system.detector().score(&data.val), loaded.score(&data.val));
        for (own, stored) in own.iter().flatten().zip(stored.iter().flatten()) {
            assert!((own - stored).abs() < FOLD_TOLERANCE, "{preparation:?}: {own} {stored}");
        }
        let is_unit = preparation == Preparation::UnitLength;
        let kind = if is_unit { HeadKind::UnitLengthMlp } else { HeadKind::Mlp };
        assert_eq!(loaded.head().kind, kind);
    }
}

#[test]
fn one_clip_videos_and_black_pictures_train() {
    let mut train = BagSet::with_crops(3);
    train.push("one clip", Label::Abnormal, DIM, &[1.0; 3 * DIM]).unwrap();
    train.push("black", Label::Normal, DIM, &[0.0; 6 * DIM]).unwrap();
    train.push("no clip", Label::Normal, DIM, &[]).unwrap();
    let data = TrainingSet::from_bags(train, BagSet::default()).unwrap();
    for mode in MODES {
        for segments in [1, 7] {
            let config = SultaniConfig { segments, ..short(mode, Preparation::UnitLength) };
            let mut system = fresh(&config, &data);
            let losses = run(&mut system, &data, 0..3);
            assert!(losses.iter().all(|loss| loss.total.is_finite() && loss.grad_norm.is_finite()));
            let scores = system.detector().score(&data.train);
            assert_eq!(scores.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
        }
    }
}
