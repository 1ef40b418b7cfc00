//! I3D-lite learns from what I3D sees in each place of footage, goes on bit for bit, and is used like any other encoder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::ablation::{Prepared, prepare_with};
use crate::commands::{read, watchpost};
use crate::footage::video;
use burn::tensor::{Device, Tensor};
use golden::kinetics_i3d;
use tempfile::TempDir;
use vad_core::{LiteSize, PreprocessSpec};
use vad_data::{CacheKey, FeatureCache, FeatureRows, FeatureSpec, Features, Label, VideoEntry};
use watchpost::distill::beginning::{Beginning, Encoder};
use watchpost::distill::config::{DistillConfig, Start};
use watchpost::distill::error::DistillError;
use watchpost::distill::film::Reel;
use watchpost::distill::lessons::{CLIP, Footage, Lesson};
use watchpost::distill::student::{Place, Pupil};
use watchpost::distill::training::{Distilled, train};
use watchpost::run::Flow;

const FRAMES: u32 = 56;

fn config() -> DistillConfig {
    DistillConfig { passes: 6, windows: 2, ..DistillConfig::new(LiteSize::Small) }
}

fn pictures() -> PreprocessSpec {
    LiteSize::Small.plan().preprocess()
}

/// Places and channels of the made-up teacher.
const PLACES: usize = 16;
const CHANNELS: usize = 3;

/// Three whole clips and a rest, whose features tell whether the square moves, and in which clip.
fn features(entry: &VideoEntry) -> Features {
    let moves = if entry.label == Label::Abnormal { 1.0 } else { -1.0 };
    let spans: Vec<_> = CLIP.spans(FRAMES.into()).collect();
    let channels = |clip| [moves, 0.5 * moves + 0.1 * clip as f32, 1.0];
    let row = |clip| channels(clip).into_iter().flat_map(|value| [value; PLACES]);
    let values = (0..spans.len()).flat_map(row).collect();
    Features { dim: PLACES * CHANNELS, crops: 1, spans, values, frames: FRAMES.into(), frame_rate_hz: 10.0 }
}

/// They as an extraction leaves them.
fn teacher(folder: &TempDir, entry: &VideoEntry) -> FeatureRows {
    let cache = FeatureCache::open(&folder.path().join("features")).unwrap();
    let spec = FeatureSpec::new(PreprocessSpec::i3d(), CLIP);
    let key = CacheKey::new([1; 32], &spec, cache.file_hash(&entry.path).unwrap());
    cache.put(&key, &features(entry)).unwrap();
    cache.rows(&key).unwrap()
}

fn lesson(folder: &TempDir, id: &str, label: Label) -> Lesson {
    let entry = video(folder, id, label, FRAMES);
    let reel =
        Reel::develop(&folder.path().join("frames"), &entry, [id.len() as u8; 32], &pictures()).unwrap();
    Lesson::new(id, reel, teacher(folder, &entry)).unwrap()
}

fn footage(folder: &TempDir) -> Footage {
    let lessons =
        vec![lesson(folder, "still-abc", Label::Normal), lesson(folder, "moving-abc", Label::Abnormal)];
    Footage::new(lessons, 2, PLACES).unwrap()
}

fn place(at_once: usize) -> Place {
    Place { device: Device::flex(), at_once }
}

/// Trains to the end, or so many steps.
fn learn(footage: &Footage, checkpoint: &Path, stop_after: u64) -> Option<Distilled> {
    let none = footage.beside(Vec::new());
    let flow = |step: u64| if step >= stop_after { Flow::Stop } else { Flow::Continue };
    let random = Beginning::Random;
    train(&config(), footage, &none, &random, checkpoint, &place(1), &mut |report| flow(report.train.step))
        .unwrap()
}

#[test]
fn it_learns_and_an_interruption_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(&folder);
    let whole = learn(&footage, &folder.path().join("whole"), u64::MAX).unwrap();
    let path = folder.path().join("parts");
    assert!(learn(&footage, &path, 1).is_none());
    assert!(learn(&footage, &path, 4).is_none());
    let parts = learn(&footage, &path, u64::MAX).unwrap();
    assert_eq!(parts.weights, whole.weights);
    assert_eq!(parts.curves, whole.curves);
    assert_eq!(whole.fidelity.held_back, None);
    let losses: Vec<f32> = whole.curves.train.iter().map(|point| point.loss).collect();
    assert_eq!(losses.len(), 6, "a step in each pass");
    assert!(losses[5] < 0.8 * losses[0], "{losses:?}");
}

#[test]
fn windows_in_threads_of_their_own_teach_what_they_teach_together() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(&folder);
    let windows = footage.pass(1, 0);
    assert_eq!(windows.len(), 2);
    let learnt = |at_once| {
        let mut pupil = Pupil::new(&config(), &footage, &Beginning::Random, &place(at_once)).unwrap();
        let losses = pupil.step(&footage, &windows, 1e-3).unwrap();
        (losses, pupil.weights())
    };
    let ((apart, weights), (together, expected)) = (learnt(1), learnt(usize::MAX));
    assert!(together.parts.iter().all(|(_, loss)| *loss > 0.0), "{together:?}");
    for (own, other) in [(apart.total, together.total), (apart.grad_norm, together.grad_norm)] {
        assert!((own - other).abs() < 1e-4 * other, "{apart:?} {together:?}");
    }
    for (name, array) in &expected {
        let off = array.values.iter().zip(&weights[name].values).map(|(own, other)| (own - other).abs());
        // Adam's first step is as long as the step size, whichever way a gradient next to 0 points.
        let mean = off.sum::<f32>() / array.values.len() as f32;
        assert!(mean < 2e-5, "{name}: {mean}");
    }
}

#[test]
fn a_student_goes_on_from_another_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(&folder);
    let weights = learn(&footage, &folder.path().join("first"), u64::MAX).unwrap().weights;
    let before = Beginning::Encoder(Encoder::new(weights.clone(), "first"));
    let config = DistillConfig { start: Start::Encoder, start_sha256: before.sha256(), ..config() };
    let pupil = Pupil::new(&config, &footage, &before, &place(1)).unwrap();
    assert_eq!(pupil.weights(), weights, "nothing is calibrated anew");

    let refused = |config: DistillConfig, beginning: &Beginning| {
        Pupil::new(&config, &footage, beginning, &place(1)).err().unwrap().to_string()
    };
    let mut other = weights.clone();
    other.get_mut("stem.bias").unwrap().values[0] += 1.0;
    let other = Beginning::Encoder(Encoder::new(other, "other"));
    assert!(refused(config.clone(), &other).contains("start = \"encoder\""));
    assert!(refused(config.clone(), &Beginning::Random).contains("start = \"encoder\""));
    let larger = DistillConfig { size: LiteSize::Middle, ..config };
    let error = before.net(&larger, Tensor::zeros([1, 3, 1, 8, 8], &Device::flex()), &Device::flex());
    assert!(error.unwrap_err().to_string().contains("stem.weight"), "another size");
}

#[test]
fn a_checkpoint_of_other_footage_or_settings_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(&folder);
    let path = folder.path().join("checkpoint");
    assert!(learn(&footage, &path, 1).is_none());
    let go_on = |config: &DistillConfig, footage: &Footage| {
        let none = footage.beside(Vec::new());
        let random = Beginning::Random;
        train(config, footage, &none, &random, &path, &place(1), &mut |_| Flow::Continue)
            .unwrap_err()
            .to_string()
    };
    let error = go_on(&DistillConfig { learning_rate: 0.5, ..config() }, &footage);
    assert!(error.contains("learning_rate was 0.001"), "{error}");
    let error = go_on(&DistillConfig { start: Start::Imagenet, ..config() }, &footage);
    assert!(error.contains("start = \"imagenet\""), "{error}");
    let other = Footage::new(vec![lesson(&folder, "still-defg", Label::Normal)], 2, PLACES).unwrap();
    assert!(go_on(&config(), &other).contains("belongs to other data"));
}

#[test]
fn every_pass_shows_whole_windows_and_after_two_passes_every_clip_began_one() {
    let folder = tempfile::tempdir().unwrap();
    let footage = footage(&folder);
    // Three clips give one window of two at either place.
    let mut begins: Vec<_> = (0..2).flat_map(|pass| footage.pass(1, pass)).collect();
    begins.sort();
    assert_eq!(
        begins.iter().map(|window| (window.lesson, window.clip)).collect::<Vec<_>>(),
        [(0, 0), (0, 1), (1, 0), (1, 1)]
    );
    for window in begins {
        assert_eq!(footage.frames(window).unwrap().len(), 32 * pictures().resized_len());
        let targets = footage.targets(window).unwrap();
        assert_eq!((targets.len(), footage.channels()), (2 * PLACES * CHANNELS, CHANNELS));
        // Standardised over both videos: one moves and one does not, and nothing is made of what never changes.
        let never = &targets[2 * PLACES..3 * PLACES];
        assert!((targets[0].abs() - 1.0).abs() < 1e-5 && never == [0.0; PLACES], "{targets:?}");
    }
    let short = vec![lesson(&folder, "still-abc", Label::Normal)];
    let error = Footage::new(short.clone(), 4, PLACES).unwrap_err().to_string();
    assert!(error.contains("4 clips") && error.contains("--set clips=1"), "{error}");
    let error = Footage::new(short, 2, 25).unwrap_err().to_string();
    assert!(error.contains("`still-abc`") && error.contains("48 values per clip"), "{error}");
}

#[test]
fn a_video_that_cannot_be_read_leaves_no_frames_behind() {
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    let whole = video(&folder, "still-a", Label::Normal, FRAMES);
    let path = folder.path().join("broken.mp4");
    std::fs::write(&path, [0; 100]).unwrap();
    let broken = VideoEntry::new("broken", path, Label::Normal);
    let error = Reel::develop(&frames, &broken, [1; 32], &pictures()).unwrap_err();
    assert!(matches!(&error, DistillError::Video { id, .. } if id == "broken"), "{error}");
    let left = || std::fs::read_dir(&frames).unwrap().count();
    assert_eq!(left(), 0);
    // What is there is not made again, and another picture size is another file.
    for _ in 0..2 {
        assert_eq!(Reel::develop(&frames, &whole, [2; 32], &pictures()).unwrap().frames(), u64::from(FRAMES));
    }
    Reel::develop(&frames, &whole, [2; 32], &LiteSize::Middle.plan().preprocess()).unwrap();
    assert_eq!(left(), 2);
    // A video that changed since its features were extracted.
    let reel =
        Reel::develop(&frames, &video(&folder, "still-b", Label::Normal, 20), [3; 32], &pictures()).unwrap();
    let error = Lesson::new("still-b", reel, teacher(&folder, &whole)).unwrap_err().to_string();
    assert!(error.contains("20 frames") && error.contains("watchpost extract"), "{error}");
}

#[test]
fn a_distilled_encoder_is_extracted_trained_and_exported_with() {
    let Some(weights) = kinetics_i3d() else { return };
    let prepared = prepare_with("0.25");
    let work = prepared.text("work");
    let run = |args: &[&str]| watchpost(&[args, &["--work", &work]].concat());
    assert_eq!(run(&["extract", "--encoder", "lite-small"]), ExitCode::FAILURE, "there is none yet");
    let few = ["--passes", "1", "--set", "windows=2", "--set", "clips=1"];
    let distil = [&["distill", "--weights", weights.to_str().unwrap()], &few[..]].concat();
    assert_eq!(run(&distil), ExitCode::SUCCESS);
    assert_eq!(run(&distil), ExitCode::FAILURE, "a finished encoder is not replaced");
    let folder: PathBuf = prepared.path("work/encoders/lite-small");
    let about = read(&folder.join("encoder.json"));
    assert_eq!(about["encoder"]["kind"], "i3d-lite-small");
    assert!(about["fidelity"]["learnt"].as_f64().unwrap() <= 1.0);
    let curves = std::fs::read_to_string(folder.join("curves.csv")).unwrap();
    assert!(curves.starts_with("step,loss,features,changes,relations,grad_norm\n1,"), "{curves}");

    assert_eq!(run(&["extract", "--encoder", "lite-small"]), ExitCode::SUCCESS);
    assert_eq!(read(&prepared.path("work/extraction.json"))["distilled"], "lite-small");
    assert_eq!(
        run(&[&distil[..], &["--name", "again"]].concat()),
        ExitCode::SUCCESS,
        "I3D has looked already"
    );
    let start = ["--name", "third", "--start", "encoder"];
    assert_eq!(run(&[&distil[..], &start].concat()), ExitCode::FAILURE, "of which encoder?");
    let weights = folder.join("encoder.safetensors");
    let from = ["--start-weights", weights.to_str().unwrap()];
    assert_eq!(run(&[&distil[..], &start, &from].concat()), ExitCode::SUCCESS);
    let settings = std::fs::read_to_string(prepared.path("work/encoders/third/config.toml")).unwrap();
    assert!(settings.contains("start = \"encoder\"") && settings.contains("start_sha256"), "{settings}");
    assert_eq!(run(&["extract", "--encoder", "lite-small", "--engine", "burn"]), ExitCode::FAILURE);
    assert_eq!(run(&["train", "--recipe", "mist", "--set", "steps=4"]), ExitCode::SUCCESS);
    let bundle = prepared.text("bundle");
    assert_eq!(run(&["export", "--out", &bundle]), ExitCode::SUCCESS);
    let manifest = read(&prepared.path("bundle/manifest.json"));
    assert_eq!(manifest["model"]["encoder"]["feature_dim"], 256);
    assert_eq!(manifest["model"]["preprocess"]["width_px"], 112);

    f16_is_tested_on_the_validation_videos(&prepared, run);
    int8_is_tested_on_the_validation_videos(&prepared, run);

    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    assert_eq!(run(&["export", "--out", &bundle, "--overwrite"]), ExitCode::FAILURE, "another encoder");
}

/// The encoder is half as long, its scores are those of f32 but for rounding, and a report says so.
fn f16_is_tested_on_the_validation_videos(prepared: &Prepared, run: impl Fn(&[&str]) -> ExitCode) {
    let bundle = prepared.text("bundle");
    let bytes = || std::fs::metadata(prepared.path("bundle/encoder.onnx")).unwrap().len();
    let in_f32 = bytes();
    assert_eq!(run(&["export", "--out", &bundle, "--overwrite", "--precision", "f16"]), ExitCode::SUCCESS);
    assert!((bytes() as f64) < 0.55 * in_f32 as f64, "{} of {in_f32} bytes", bytes());
    let report = read(&precision_report(prepared));
    assert_eq!(report["change"]["variant"], "f16");
    assert!(report["refused"].is_null() && report["layers"].as_array().unwrap().is_empty(), "{report}");
    let error = report["feature_error"].as_f64().unwrap();
    assert!(error > 0.0 && error < 0.05, "{report}");
    let page = std::fs::read_to_string(precision_report(prepared).with_extension("html")).unwrap();
    assert!(page.contains("board, f16"), "the variant's scores");
}

/// Beside the only run that has one.
fn precision_report(prepared: &Prepared) -> PathBuf {
    let runs = std::fs::read_dir(prepared.path("work/runs")).unwrap();
    let report =
        runs.map(|run| run.unwrap().path().join("report-precision.json")).find(|path| path.is_file());
    report.expect("a report beside the run")
}

/// As much of the encoder as passes becomes int8, and a report says what that changed.
fn int8_is_tested_on_the_validation_videos(prepared: &Prepared, run: impl Fn(&[&str]) -> ExitCode) {
    let export = ["export", "--out", &prepared.text("bundle"), "--overwrite", "--precision"];
    assert_eq!(run(&[&export[..], &["auto", "--qat-steps", "2"]].concat()), ExitCode::SUCCESS);
    let report = read(&precision_report(prepared));
    assert_eq!(report["layers"].as_array().unwrap().len(), 11, "every layer that can be in int8");
    assert!(report["feature_error"].as_f64().unwrap() > 0.0, "{report}");
    let onnx = std::fs::read(prepared.path("bundle/encoder.onnx")).unwrap();
    let quantised = onnx.windows(14).filter(|text| text == b"QuantizeLinear").count();
    let passed = if report["refused"].is_null() { report["int8"].as_array().unwrap().len() } else { 0 };
    assert_eq!(quantised, passed, "{report}");
}

#[test]
fn what_a_student_loses_is_measured_on_scenes() {
    let Some(weights) = kinetics_i3d() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [work, out] = ["work", "out"].map(|name| folder.path().join(name).display().to_string());
    let bench =
        ["bench", "scenes-lite", "--size", "small", "--videos", "4", "--frames", "48", "--passes", "1"];
    let recipe = ["--seeds", "1", "--recipe", "sultani", "--set", "steps=2", "--work", &work, "--out", &out];
    let args =
        [&bench[..], &recipe[..], &["--qat-steps", "2", "--weights", weights.to_str().unwrap()]].concat();
    assert_eq!(watchpost(&args), ExitCode::SUCCESS);
    let page = std::fs::read_to_string(folder.path().join("out/scenes-lite-small.md")).unwrap();
    assert!(page.contains("# Made-up scenes: what I3D-lite, small, loses against I3D"), "{page}");
    assert!(page.contains("--seed 7 --videos 4 --frames 48`), 2 of them abnormal"), "{page}");
    assert!(page.contains("taught to be rounded for 2 steps"), "{page}");
    let against = |name: &str, other: &str| format!("| {name} | 1 | {other} |");
    for row in [
        against("sultani, i3d-lite small", "sultani"),
        against("sultani, i3d-lite small, int8", "sultani, i3d-lite small"),
    ] {
        assert!(page.contains(&row), "{row} is missing in\n{page}");
    }
}

#[test]
fn both_stages_are_compared_on_several_sets_of_scenes_and_not_trained_twice() {
    let Some(weights) = kinetics_i3d() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [work, out] = ["work", "out"].map(|name| folder.path().join(name).display().to_string());
    let of_sets = |seeds: &str| {
        let bench = ["bench", "scenes-stages", "--size", "small", "--scenes-seeds", seeds, "--videos", "4"];
        let course = ["--frames", "48", "--passes", "1", "--epochs", "1", "--work", &work, "--out", &out];
        watchpost(&[&bench[..], &course[..], &["--weights", weights.to_str().unwrap()]].concat())
    };
    let checkpoint = |encoder: &str| {
        let run = format!("work/set-3-4-48/{encoder}/runs/mist-seed1-tuned/checkpoint.safetensors");
        std::fs::metadata(folder.path().join(run)).unwrap().modified().unwrap()
    };
    assert_eq!(of_sets("3"), ExitCode::SUCCESS);
    let trained = ["i3d", "lite-small-1"].map(checkpoint);

    assert_eq!(of_sets("3,5"), ExitCode::SUCCESS);
    assert_eq!(["i3d", "lite-small-1"].map(checkpoint), trained);
    let page = std::fs::read_to_string(folder.path().join("out/scenes-stages-small.md")).unwrap();
    for part in [
        "2 sets of 4 scenes of 48 frames, half of them abnormal",
        "| stage II, own classifier | **",
        "| 3 | 1 | I3D | ",
        "| 5 | 1 | I3D-lite | ",
        "epochs = 1\n",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    assert_eq!(of_sets("3,3"), ExitCode::FAILURE);
}
