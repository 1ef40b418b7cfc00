//! Run folders and checkpoints: stopped, resumed, damaged, full disk.

use std::fs;

use crate::made_up::bags;
use crate::mist::{DIM, bytes_of, data, small, trained};
use burn::tensor::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vad_core::ModelSpec;
use watchpost::bag::TrainingSet;
use watchpost::checkpoint::{self, CheckpointError};
use watchpost::recipe::mist_config::MistConfig;
use watchpost::recipe::mist_stage1::MistStage1;
use watchpost::recipe::registry;
use watchpost::recipe::rtfm::RtfmSystem;
use watchpost::recipe::settings::{Mode, resolve};
use watchpost::recipe::system::{Detector, System};
use watchpost::run::{Flow, Run, RunError, RunOutcome};
use watchpost::tensors;

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
    let stopped = run.train::<MistStage1>(&config, &data, &device, &spec(), &mut |report| {
        if report.train.step == 13 { Flow::Stop } else { Flow::Continue }
    });
    assert_eq!(stopped.unwrap(), RunOutcome::Stopped { step: 13 });
    assert!(!run.head_path().exists());
    let run = Run::open(run.dir()).unwrap();
    let mut steps = Vec::new();
    let settings = run.settings().unwrap();
    assert_eq!(registry::of(&settings).unwrap().name(), "mist");
    let config: MistConfig = resolve("mist", &settings).unwrap();
    let finished = run.train::<MistStage1>(&config, &data, &device, &spec(), &mut |report| {
        steps.push(report.train.step);
        Flow::Continue
    });
    assert_eq!(steps.first(), Some(&14));
    let RunOutcome::Finished(outcome) = finished.unwrap() else { panic!("not finished") };
    assert_eq!(outcome.curves.train.len() as u64, config.steps);
    assert_eq!(run.metrics().unwrap().curves, outcome.curves);
    let (weights, _) = tensors::load(&run.head_path()).unwrap();
    let head = MistStage1::load(&config, &weights, "head", &device).unwrap().head();
    assert_eq!(head.dims, [DIM as u32, 64, 16, 1]);
    assert_eq!(tensors::load(&run.last_head_path()).unwrap().0, outcome.last);
    let whole = trained(&config, &data);
    assert_eq!(checkpoint::load::<MistStage1>(&run.checkpoint_path()).unwrap(), whole);
    let metrics = run.metrics().unwrap();
    run.train::<MistStage1>(&config, &data, &device, &spec(), &mut |_| panic!("a step too many")).unwrap();
    assert_eq!(run.metrics().unwrap(), metrics, "a finished training was changed");
    // A second run in the same folder needs to be asked for.
    assert!(matches!(Run::create(run.dir(), false), Err(RunError::Exists { .. })));
    Run::create(run.dir(), true).unwrap();
    assert!(!run.checkpoint_path().exists() && !run.head_path().exists());
}

#[test]
fn a_checkpoint_of_other_data_or_settings_is_refused() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let config = small(Mode::Released);
    let run = Run::create(folder.path(), false).unwrap();
    run.train::<MistStage1>(&config, &data, &Device::flex(), &spec(), &mut |_| Flow::Stop).unwrap();
    let other = checkpoint::load::<RtfmSystem>(&run.checkpoint_path()).unwrap_err().to_string();
    assert!(other.contains("of recipe mist") && other.contains("checkpoint.safetensors"), "{other}");
    let train = |config: &MistConfig, data: &TrainingSet| {
        run.train::<MistStage1>(config, data, &Device::flex(), &spec(), &mut |_| Flow::Stop)
            .map_err(|error| error.to_string())
    };
    let other = MistConfig { dropout: 0.3, ..config.clone() };
    let message = train(&other, &data).unwrap_err();
    assert!(message.contains("dropout") && message.contains("checkpoint.safetensors"), "{message}");
    let other = TrainingSet::from_bags(bags(20, 1, DIM, 1.0, 9), bags(8, 1, DIM, 1.0, 2)).unwrap();
    assert!(train(&config, &other).unwrap_err().contains("other data"));
    let longer = MistConfig { steps: config.steps + 10, ..config };
    assert!(train(&longer, &data).is_ok());
}

#[test]
fn a_training_is_not_relabelled_as_a_shorter_one() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let run = Run::create(folder.path(), false).unwrap();
    let train = |steps: u64| {
        let config = MistConfig { steps, ..small(Mode::Released) };
        run.train::<MistStage1>(&config, &data, &Device::flex(), &spec(), &mut |_| Flow::Continue)
            .map_err(|error| error.to_string())
    };
    train(5).unwrap();
    let (settings, metrics) = (run.settings().unwrap(), run.metrics().unwrap());
    let message = train(3).unwrap_err();
    assert!(message.contains("has done 5 steps, more than the 3 asked for"), "{message}");
    assert_eq!(run.settings().unwrap(), settings);
    assert_eq!(run.metrics().unwrap(), metrics);
    train(7).unwrap();
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
        let error = checkpoint::load::<MistStage1>(&path).expect_err("a damaged checkpoint was read");
        assert!(error.to_string().contains("checkpoint.safetensors"), "{error}");
    }
    fs::write(&path, b"").unwrap();
    assert!(matches!(checkpoint::load::<MistStage1>(&path), Err(CheckpointError::File(_))));
}

#[test]
fn a_failed_write_leaves_the_checkpoint_before_intact() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let config = MistConfig { steps: 5, ..small(Mode::Released) };
    let state = trained(&config, &data);
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint::save::<MistStage1>(&path, &state).unwrap();
    let bytes = fs::read(&path).unwrap();
    let full = watchpost::atomic_file::write_with(&path, |file| {
        file.write_all(&bytes[..bytes.len() / 2])?;
        Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
    });
    assert!(full.unwrap_err().to_string().contains("checkpoint.safetensors"));
    assert_eq!(checkpoint::load::<MistStage1>(&path).unwrap(), state);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
