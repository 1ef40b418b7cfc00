//! MIST stage I, and with it the loop that all systems share.

use std::fs;
use std::path::Path;

use crate::made_up::{bags, shifted_and_plain};
use burn::tensor::Device;
use vad_data::Label;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::checkpoint;
use watchpost::recipe::curves::Selection;
use watchpost::recipe::mist_config::MistConfig;
use watchpost::recipe::mist_stage1::MistStage1;
use watchpost::recipe::settings::{FeatureScaling, Mode, SelectionRule};
use watchpost::recipe::system::{Detector, System};
use watchpost::recipe::trainer::{self, TrainState};

type Trainer<'a> = trainer::Trainer<'a, MistStage1>;

pub const DIM: usize = 24;

/// Three equal crops sum in another order, over forty steps.
const EQUAL_CROPS_TOLERANCE: f32 = 1e-3;

pub fn data() -> TrainingSet {
    TrainingSet::from_bags(bags(20, 1, DIM, 1.0, 1), bags(8, 1, DIM, 1.0, 2)).unwrap()
}

pub fn small(mode: Mode) -> MistConfig {
    MistConfig {
        mode,
        seed: 5,
        steps: 40,
        pairs: 4,
        segments: 6,
        clips_per_segment: 3,
        hidden: [64, 16],
        eval_every: 5,
        ..MistConfig::small()
    }
}

fn run_steps(trainer: &mut Trainer<'_>, steps: u64) {
    for _ in 0..steps {
        trainer.step().unwrap();
    }
}

pub fn trained(config: &MistConfig, data: &TrainingSet) -> TrainState<MistConfig> {
    let mut trainer = Trainer::new(config, data, &Device::flex()).unwrap();
    run_steps(&mut trainer, config.steps);
    trainer.state()
}

pub fn bytes_of(state: &TrainState<MistConfig>, folder: &Path) -> Vec<u8> {
    let path = folder.join("state.safetensors");
    checkpoint::save::<MistStage1>(&path, state).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn both_modes_learn_to_point_at_the_abnormal_clips() {
    let data = data();
    for mode in [Mode::Paper, Mode::Released] {
        let config = MistConfig { steps: 300, learning_rate: 0.01, ..small(mode) };
        let device = Device::flex();
        let mut trainer = Trainer::new(&config, &data, &device).unwrap();
        run_steps(&mut trainer, config.steps);
        let outcome = trainer.outcome();
        assert!(
            matches!(outcome.selection, Selection::Validation(point) if point.auc > 0.9),
            "{:?}",
            outcome.selection
        );
        let detector = MistStage1::load(&config, &outcome.selected, "selected", &device).unwrap();
        let (mut shifted, mut plain) = (Vec::new(), Vec::new());
        for (bag, scores) in data.val.bags.iter().zip(detector.score(&data.val)) {
            for (clip, score) in scores.into_iter().enumerate() {
                assert!((0.0..=1.0).contains(&score));
                let abnormal = bag.label == Label::Abnormal && clip < bag.clips.div_ceil(4);
                if abnormal { shifted.push(score) } else { plain.push(score) }
            }
        }
        let mean = |scores: &[f32]| scores.iter().sum::<f32>() / scores.len() as f32;
        assert!(mean(&shifted) > mean(&plain) + 0.2, "{mode:?}: {} {}", mean(&shifted), mean(&plain));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let config = small(Mode::Released);
    let first = bytes_of(&trained(&config, &data), folder.path());
    assert!(first == bytes_of(&trained(&config, &data), folder.path()), "two equal trainings differ");
    let other = MistConfig { seed: 6, ..config };
    assert!(first != bytes_of(&trained(&other, &data), folder.path()));
}

#[test]
fn resuming_equals_never_having_stopped_bit_for_bit() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    for mode in [Mode::Paper, Mode::Released] {
        for (dropout, scaling) in [(0.6, FeatureScaling::Standardise), (0.0, FeatureScaling::None)] {
            let config = MistConfig { dropout, feature_scaling: scaling, ..small(mode) };
            let straight = trained(&config, &data);
            let mut first = Trainer::new(&config, &data, &Device::flex()).unwrap();
            run_steps(&mut first, config.steps / 2);
            let path = folder.path().join("half.safetensors");
            checkpoint::save::<MistStage1>(&path, &first.state()).unwrap();
            let state = checkpoint::load::<MistStage1>(&path).unwrap();
            assert_eq!(state, first.state());
            let mut second = Trainer::resume(state, &data, &Device::flex(), "half").unwrap();
            run_steps(&mut second, config.steps - config.steps / 2);
            let same = bytes_of(&straight, folder.path()) == bytes_of(&second.state(), folder.path());
            assert!(same, "{mode:?}, dropout {dropout}: a resumed training differs");
        }
    }
}

/// The same with every clip's feature repeated as so many crops.
fn repeated(set: &BagSet, crops: usize) -> BagSet {
    let mut many = BagSet::with_crops(crops);
    for bag in &set.bags {
        let values: Vec<f32> =
            set.clips_of(bag).chunks_exact(set.dim).flat_map(|row| row.repeat(crops)).collect();
        many.push(&bag.id, bag.label, set.dim, &values).unwrap();
    }
    many
}

#[test]
fn equal_crops_are_one_crop() {
    let one = data();
    let three = TrainingSet::from_bags(repeated(&one.train, 3), repeated(&one.val, 3)).unwrap();
    for mode in [Mode::Paper, Mode::Released] {
        let config = MistConfig { dropout: 0.0, ..small(mode) };
        let scores = |data: &TrainingSet| {
            let mut trainer = Trainer::new(&config, data, &Device::flex()).unwrap();
            run_steps(&mut trainer, config.steps);
            let weights = trainer.outcome().last;
            let detector = MistStage1::load(&config, &weights, "trained", &Device::flex()).unwrap();
            detector.score(&data.val).concat()
        };
        for (one, three) in scores(&one).into_iter().zip(scores(&three)) {
            assert!((one - three).abs() < EQUAL_CROPS_TOLERANCE, "{mode:?}: {one} {three}");
        }
    }
}

#[test]
fn several_crops_learn_and_resume_bit_for_bit() {
    let data = TrainingSet::from_bags(bags(20, 5, DIM, 1.0, 1), bags(8, 5, DIM, 1.0, 2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = MistConfig { steps: 120, learning_rate: 0.01, ..small(Mode::Released) };
    let mut trainer = Trainer::new(&config, &data, &Device::flex()).unwrap();
    run_steps(&mut trainer, config.steps / 2);
    let half = trainer.state();
    run_steps(&mut trainer, config.steps / 2);
    let mut resumed = Trainer::resume(half, &data, &Device::flex(), "half").unwrap();
    run_steps(&mut resumed, config.steps / 2);
    assert!(bytes_of(&trainer.state(), folder.path()) == bytes_of(&resumed.state(), folder.path()));
    let outcome = trainer.outcome();
    let detector = MistStage1::load(&config, &outcome.last, "last", &Device::flex()).unwrap();
    let [shifted, plain] = shifted_and_plain(&data.val, &detector.score(&data.val));
    assert!(shifted > plain + 0.2, "{shifted} {plain}");
}

#[test]
fn short_videos_and_absent_validation_train() {
    let mut train = BagSet::default();
    train.push("one clip", Label::Abnormal, DIM, &[1.0; DIM]).unwrap();
    train.push("two clips", Label::Normal, DIM, &[0.5; 2 * DIM]).unwrap();
    train.push("no clip", Label::Normal, DIM, &[]).unwrap();
    let data = TrainingSet::from_bags(train, BagSet::default()).unwrap();
    for mode in [Mode::Paper, Mode::Released] {
        let config = MistConfig { topk: 50, smoothness: 0.1, ..small(mode) };
        let mut trainer = Trainer::new(&config, &data, &Device::flex()).unwrap();
        run_steps(&mut trainer, 5);
        let outcome = trainer.outcome();
        assert!(matches!(outcome.selection, Selection::Last { step: 5, .. }));
        assert_eq!(outcome.selected, outcome.last);
        assert!(outcome.selected.values().all(|array| array.values.iter().all(|value| value.is_finite())));
    }
}

#[test]
fn the_last_step_is_kept_beside_the_selected_one() {
    let data = data();
    let config = MistConfig { selection: SelectionRule::Last, ..small(Mode::Released) };
    let mut trainer = Trainer::new(&config, &data, &Device::flex()).unwrap();
    run_steps(&mut trainer, config.steps);
    let outcome = trainer.outcome();
    assert_eq!(outcome.selected, outcome.last);
    assert_eq!(outcome.curves.validation.len(), 8);
}
