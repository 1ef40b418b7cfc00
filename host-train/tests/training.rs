//! MIST stage I end to end on made-up features: it learns, repeats itself and resumes bit for bit, and its files survive.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up must stop the test")]

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vad_core::ModelSpec;
use vad_data::Label;
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::checkpoint::{self, CheckpointError};
use watchpost::infer::HeadScorer;
use watchpost::model::mist_generator::MistGenerator;
use watchpost::recipe::curves::Selection;
use watchpost::recipe::mist_config::{FeatureScaling, MistConfig, Mode, SelectionRule};
use watchpost::recipe::mist_stage1::{TrainState, Trainer};
use watchpost::run::{Flow, Run, RunError, RunOutcome};
use watchpost::tensors;

const DIM: usize = 24;

/// Videos of 1 to 30 clips; in abnormal ones a quarter of the clips (at least one) are shifted in four dimensions.
fn bags(videos: usize, seed: u64) -> BagSet {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut set = BagSet::default();
    for video in 0..videos {
        let label = if video % 2 == 0 { Label::Normal } else { Label::Abnormal };
        let clips = rng.random_range(1..30_usize);
        let mut values: Vec<f32> = (0..clips * DIM).map(|_| rng.random::<f32>()).collect();
        if label == Label::Abnormal {
            for clip in 0..clips.div_ceil(4) {
                values[clip * DIM..clip * DIM + 4].iter_mut().for_each(|value| *value += 1.0);
            }
        }
        set.push(&format!("video{video:03}"), label, DIM, &values).unwrap();
    }
    set
}

fn data() -> TrainingSet {
    TrainingSet::from_bags(bags(20, 1), bags(8, 2)).unwrap()
}

fn small(mode: Mode) -> MistConfig {
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

fn trained(config: &MistConfig, data: &TrainingSet) -> TrainState {
    let mut trainer = Trainer::new(config, data, &Device::flex()).unwrap();
    run_steps(&mut trainer, config.steps);
    trainer.state()
}

fn bytes_of(state: &TrainState, folder: &Path) -> Vec<u8> {
    let path = folder.join("state.safetensors");
    checkpoint::save(&path, state).unwrap();
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
        let head = MistGenerator::from_arrays(&outcome.selected, "selected", &device).unwrap();
        let scorer = HeadScorer::new(head, device);
        let (mut shifted, mut plain) = (Vec::new(), Vec::new());
        for bag in &data.val.bags {
            let rows = &data.val.values[bag.first_row * DIM..(bag.first_row + bag.clips) * DIM];
            for (clip, score) in scorer.score(rows).unwrap().into_iter().enumerate() {
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
            checkpoint::save(&path, &first.state()).unwrap();
            let state = checkpoint::load(&path).unwrap();
            assert_eq!(state, first.state());
            let mut second = Trainer::resume(state, &data, &Device::flex(), "half").unwrap();
            run_steps(&mut second, config.steps - config.steps / 2);
            let same = bytes_of(&straight, folder.path()) == bytes_of(&second.state(), folder.path());
            assert!(same, "{mode:?}, dropout {dropout}: a resumed training differs");
        }
    }
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

fn spec() -> ModelSpec {
    let mut spec = ModelSpec::i3d_mist("test");
    spec.encoder.feature_dim = DIM as u32;
    spec
}

#[test]
fn a_run_folder_can_be_stopped_resumed_and_read() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let (config, device) = (small(Mode::Released), Device::flex());
    let run = Run::create(&folder.path().join("run"), false).unwrap();
    let stopped = run.train(&config, &data, &device, &spec(), &mut |report| {
        if report.train.step == 13 { Flow::Stop } else { Flow::Continue }
    });
    assert_eq!(stopped.unwrap(), RunOutcome::Stopped { step: 13 });
    assert!(!run.head_path().exists());
    let run = Run::open(run.dir()).unwrap();
    let mut steps = Vec::new();
    let finished = run.train(&run.config().unwrap(), &data, &device, &spec(), &mut |report| {
        steps.push(report.train.step);
        Flow::Continue
    });
    assert_eq!(steps.first(), Some(&14));
    let RunOutcome::Finished(outcome) = finished.unwrap() else { panic!("not finished") };
    assert_eq!(outcome.curves.train.len() as u64, config.steps);
    assert_eq!(run.metrics().unwrap().curves, outcome.curves);
    assert_eq!(HeadScorer::load(&run.head_path(), &device).unwrap().dims(), [DIM, 64, 16, 1]);
    assert_eq!(tensors::load(&run.last_head_path()).unwrap().0, outcome.last);
    let whole = trained(&config, &data);
    assert_eq!(checkpoint::load(&run.checkpoint_path()).unwrap(), whole);
    // A second run in the same folder needs to be asked for.
    assert!(matches!(Run::create(run.dir(), false), Err(RunError::Exists { .. })));
    Run::create(run.dir(), true).unwrap();
    assert!(!run.checkpoint_path().exists() && !run.head_path().exists());
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

#[test]
fn a_checkpoint_of_other_data_or_settings_is_refused() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let config = small(Mode::Released);
    let run = Run::create(folder.path(), false).unwrap();
    run.train(&config, &data, &Device::flex(), &spec(), &mut |_| Flow::Stop).unwrap();
    let train = |config: &MistConfig, data: &TrainingSet| {
        run.train(config, data, &Device::flex(), &spec(), &mut |_| Flow::Stop)
            .map_err(|error| error.to_string())
    };
    let other = MistConfig { dropout: 0.3, ..config.clone() };
    let message = train(&other, &data).unwrap_err();
    assert!(message.contains("dropout") && message.contains("checkpoint.safetensors"), "{message}");
    let other = TrainingSet::from_bags(bags(20, 9), bags(8, 2)).unwrap();
    assert!(train(&config, &other).unwrap_err().contains("other data"));
    let longer = MistConfig { steps: config.steps + 10, ..config };
    assert!(train(&longer, &data).is_ok());
}

#[test]
fn every_damaged_checkpoint_is_refused_by_name() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let config = MistConfig { steps: 5, ..small(Mode::Released) };
    let path = folder.path().join("checkpoint.safetensors");
    let sound = bytes_of(&trained(&config, &data), folder.path());
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for round in 0..60 {
        let mut bytes = sound.clone();
        if round % 3 == 0 {
            bytes.truncate(rng.random_range(0..bytes.len()));
        } else {
            let at = if round % 3 == 1 { rng.random_range(0..bytes.len()) } else { rng.random_range(0..600) };
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
        fs::write(&path, bytes).unwrap();
        let error = checkpoint::load(&path).expect_err("a damaged checkpoint was read");
        assert!(error.to_string().contains("checkpoint.safetensors"), "{error}");
    }
    fs::write(&path, b"").unwrap();
    assert!(matches!(checkpoint::load(&path), Err(CheckpointError::File(_))));
}

#[test]
fn a_failed_write_leaves_the_checkpoint_before_intact() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let config = MistConfig { steps: 5, ..small(Mode::Released) };
    let state = trained(&config, &data);
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint::save(&path, &state).unwrap();
    let bytes = fs::read(&path).unwrap();
    let full = watchpost::atomic_file::write_with(&path, |file| {
        file.write_all(&bytes[..bytes.len() / 2])?;
        Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
    });
    assert!(full.unwrap_err().to_string().contains("checkpoint.safetensors"));
    assert_eq!(checkpoint::load(&path).unwrap(), state);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
