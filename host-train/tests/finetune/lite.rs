//! MIST's second stage on I3D-lite: from a distilled encoder to a bundle, whose scores are those of the evaluation.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::ablation::{Prepared, prepare};
use crate::commands::{read, watchpost};
use crate::footage::{config, job, training_videos};
use burn::tensor::{Device, Tensor, TensorData};
use golden::hashed_values;
use model_bundle::{ArtefactRole, Bundle};
use vad_core::LiteSize;
use vad_infer::{Encoder, Head, Scorer};
use vad_video::{FrameBuf, FrameSource};
use watchpost::backbone::i3d_lite::I3dLite;
use watchpost::distill::config::DistillConfig;
use watchpost::distill::training::{Distilled, Fidelity};
use watchpost::distilled::DistilledEncoder;
use watchpost::finetune::start::Pretrained;
use watchpost::finetune::training::Training;
use watchpost::recipe::curves::{Curves, TrainPoint};
use watchpost::recipe::mist_stage2_config::{EncoderChoice, Stage2Config};
use watchpost::run::Flow;
use watchpost::tensors::{self, Arrays};

/// A stream on a board, and an evaluation that encoded the same stream; the heads sum in another order.
const BOARD_AS_HOST: f64 = 1e-5;

/// Side of the made-up pictures that the weights are calibrated on.
const SIDE: usize = 32;

/// And their number.
const FRAMES: usize = 4;

/// Fresh weights that are fit for learning.
fn fresh(size: LiteSize) -> Arrays {
    let device = Device::flex();
    let mut pixels = hashed_values("pictures", 1, 3 * FRAMES * SIDE * SIDE, -0.7, -0.5);
    // A bright square that moves, as in the made-up videos.
    for (at, pixel) in pixels.iter_mut().enumerate() {
        let (frame, y, x) = (at / SIDE.pow(2) % FRAMES, at / SIDE % SIDE, at % SIDE);
        if (8..20).contains(&y) && (3 * frame..3 * frame + 10).contains(&x) {
            *pixel = 0.8;
        }
    }
    let clips: Tensor<5> = Tensor::from_data(TensorData::new(pixels, [1, 3, FRAMES, SIDE, SIDE]), &device);
    I3dLite::init(size, 1, &device).calibrate(clips).to_arrays()
}

/// Leaves an encoder in the work folder as a distillation would, with fresh weights.
fn leave_encoder(work: &Path, name: &str, size: LiteSize) {
    let distilled = Distilled {
        weights: fresh(size),
        curves: Curves::default(),
        fidelity: Fidelity { learnt: 0.0, held_back: None },
    };
    let encoder = DistilledEncoder::create(&work.join("encoders").join(name), false).unwrap();
    encoder.write(&DistillConfig::new(size), &distilled, 1, Vec::new()).unwrap();
}

/// The raw score of every frame of a video, as a board gives them.
fn on_a_board(bundle: &Bundle, video: &Path) -> Vec<f64> {
    let spec = bundle.model();
    let encoder = Encoder::from_onnx(bundle.artefact(ArtefactRole::Encoder), "encoder.onnx", spec).unwrap();
    let head = Head::from_onnx(bundle.artefact(ArtefactRole::Head), "head.onnx", spec).unwrap();
    let mut scorer = Scorer::new(Arc::new(encoder), Arc::new(head), spec).unwrap();
    let mut source = FrameSource::open(video).unwrap();
    let (mut buf, mut clips) = (FrameBuf::new(), Vec::new());
    while source.next_frame(&mut buf).unwrap() {
        clips.extend(scorer.push(buf.as_frame()).unwrap());
    }
    clips.extend(scorer.finish().unwrap());
    let frames = |clip: &vad_infer::ClipScore| vec![f64::from(clip.raw); clip.span.frames.into()];
    clips.iter().flat_map(frames).collect()
}

fn bundled_as_evaluated(prepared: &Prepared, run: &str) {
    let bundle = Bundle::open(&prepared.path("bundle")).unwrap();
    let evaluation = read(&prepared.path("work/runs").join(run).join("scores-test.json"));
    let dataset = read(&prepared.path("work/dataset.json"));
    let folder = Path::new(dataset["videos"].as_str().unwrap());
    for video in evaluation["videos"].as_array().unwrap() {
        let want: Vec<f64> =
            video["raw"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
        let got = on_a_board(&bundle, &folder.join(video["video"].as_str().unwrap()));
        assert_eq!(got.len(), want.len());
        let worst = got.iter().zip(&want).map(|(got, want)| (got - want).abs()).fold(0.0, f64::max);
        assert!(worst <= BOARD_AS_HOST, "{}: {worst:e}", video["video"]);
    }
}

#[test]
fn it_learns_from_its_labels_and_all_three_classifiers_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = Stage2Config {
        encoder: EncoderChoice::LiteSmall,
        epochs: 24,
        videos: 2,
        thawed_rate: 0.1,
        dropout: 0.0,
        crop_share: 1.0,
        clips_at_once: 8,
        ..config()
    };
    let (start, device) = (Pretrained::new(fresh(LiteSize::Small), "test"), Device::flex());
    let train = training_videos(&folder);
    let mut training = Training::new(job(&config, &train, &[], &start, &device)).unwrap();
    training.work(&mut |_, _| Ok(Flow::Continue)).unwrap();
    let outcome = training.outcome();
    let Curves { parts, train: points, .. } = &outcome.curves;
    assert_eq!(parts, &["classifier", "guided", "plain"]);
    for (part, name) in parts.iter().enumerate() {
        let mean = |points: &[TrainPoint]| points.iter().map(|point| point.parts[part]).sum::<f32>() / 4.0;
        let (first, last) = (mean(&points[..4]), mean(&points[points.len() - 4..]));
        assert!(last < 0.7 * first, "{name}: {first} {last}");
    }
}

#[test]
fn a_distilled_encoder_is_fine_tuned_and_the_board_scores_as_the_evaluation_did() {
    let prepared = prepare();
    let work = prepared.text("work");
    let run = |args: &[&str]| watchpost(&[args, &["--work", &work]].concat());
    leave_encoder(&prepared.path("work"), "own", LiteSize::Small);
    assert_eq!(run(&["extract", "--encoder", "own"]), ExitCode::SUCCESS);
    assert_eq!(run(&["train", "--recipe", "mist", "--seed", "1", "--set", "steps=4"]), ExitCode::SUCCESS);
    let course = ["epochs=3", "frozen_epochs=1", "videos=1", "clips_per_video=1", "k=2"];
    let size = ["width_px=32", "height_px=32"];
    let settings: Vec<&str> = course.iter().chain(&size).flat_map(|pair| ["--set", pair]).collect();
    let tune = [&["finetune"], &settings[..]].concat();
    assert_eq!(run(&[&tune[..], &["--encoder", "lite-middle"]].concat()), ExitCode::FAILURE, "there is none");
    assert_eq!(run(&tune), ExitCode::SUCCESS);

    let folder = prepared.path("work/runs/mist-seed1-tuned");
    let spec = read(&folder.join("tuned.json"));
    assert_eq!((&spec["encoder"], spec["feature_dim"].as_u64()), (&"lite-small".into(), Some(256)));
    let parts = &read(&folder.join("metrics.json"))["curves"]["parts"];
    assert_eq!(parts, &serde_json::json!(["classifier", "guided", "plain"]));
    let (start, _) = tensors::load(&prepared.path("work/encoders/own/encoder.safetensors")).unwrap();
    let (end, _) = tensors::load(&folder.join("board_encoder.safetensors")).unwrap();
    assert_eq!(start.keys().collect::<Vec<_>>(), end.keys().collect::<Vec<_>>());
    assert_ne!(start, end, "the encoder itself learns");

    let bundle = prepared.text("bundle");
    for command in [
        &["eval", "--run", "mist-seed1-tuned"][..],
        &["eval", "--run", "mist-seed1-tuned", "--head", "stage1"],
        &["export", "--run", "mist-seed1-tuned", "--out", &bundle],
        &["explain", "--run", "mist-seed1-tuned", "--clips", "1"],
    ] {
        assert_eq!(run(command), ExitCode::SUCCESS, "{command:?}");
    }
    let manifest = read(&prepared.path("bundle/manifest.json"));
    assert_eq!(manifest["model"]["encoder"]["kind"], "i3d-lite-small");
    assert_eq!(manifest["model"]["head"]["dims"], serde_json::json!([256, 1]));
    bundled_as_evaluated(&prepared, "mist-seed1-tuned");
    assert!(folder.join("explain/highest.png").is_file());
    let finer = ["explain", "--run", "mist-seed1-tuned", "--layer", "4"];
    assert_eq!(run(&finer), ExitCode::FAILURE, "only means over frames are left of that map");

    // Of another size than the features of stage I: the one of that name is taken, and must be of that size.
    leave_encoder(&prepared.path("work"), "lite-large", LiteSize::Small);
    assert_eq!(run(&[&tune[..], &["--encoder", "lite-large"]].concat()), ExitCode::FAILURE);
}
