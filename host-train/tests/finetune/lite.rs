//! MIST's second stage on I3D-lite: from a distilled encoder to a bundle, whose scores are those of the evaluation.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::ablation::{Prepared, prepare};
use crate::commands::{read, watchpost};
use crate::footage::{config, job, training_videos};
use burn::tensor::{Device, Tensor, TensorData};
use golden::hashed_values;
use model_bundle::Bundle;
use vad_core::{ClipSpec, EncoderSpec, LiteSize, ModelSpec, Preprocessor, RgbFrame};
use vad_data::{Label, VideoEntry};
use vad_infer::{Attention, AttentionMap, ClipScore, Encoder, FeatureStream, Head, Scorer};
use vad_video::{FrameBuf, FrameSource};
use watchpost::backbone::i3d_lite::I3dLite;
use watchpost::distill::config::DistillConfig;
use watchpost::distill::training::{Distilled, Fidelity};
use watchpost::distilled::DistilledEncoder;
use watchpost::finetune::start::Pretrained;
use watchpost::finetune::training::Training;
use watchpost::finetune::tuned::{TunedEncoder, TunedRun};
use watchpost::model::sga::encoder::{Backbone, SgaEncoder};
use watchpost::recipe::curves::{Curves, TrainPoint};
use watchpost::recipe::mist_stage2_config::{EncoderChoice, Stage2Config};
use watchpost::run::{Flow, Run};
use watchpost::tensors::{self, Array, Arrays};

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

/// The first clips of a video on a board: for each its score, and where the encoder looked.
fn looked_at(bundle: &Bundle, video: &Path) -> Vec<(ClipScore, AttentionMap)> {
    let spec = bundle.model();
    let encoder = Arc::new(Encoder::from_onnx(bundle.encoder(), "encoder.onnx", spec).unwrap());
    let head = Head::from_onnx(bundle.head(), "head.onnx", spec).unwrap();
    let attention = bundle.attention().unwrap();
    let attention = Attention::from_onnx(attention, "attention.onnx", spec, &encoder).unwrap();
    let scorer = Scorer::new(encoder, Arc::new(head), spec).unwrap();
    let mut scorer = scorer.with_attention(Arc::new(attention)).unwrap();
    let mut source = FrameSource::open(video).unwrap();
    let (mut buf, mut clips) = (FrameBuf::new(), Vec::new());
    while source.next_frame(&mut buf).unwrap() {
        let score = scorer.push(buf.as_frame()).unwrap();
        clips.extend(score.map(|score| (score, scorer.attention().unwrap().unwrap())));
    }
    clips
}

/// In the middle of a video the board looks where the trainer does, which is given each clip and the frames before it.
fn looks_as_the_trainer_does(prepared: &Prepared, run: &str) {
    let bundle = Bundle::open(&prepared.path("bundle")).unwrap();
    let run = Run::open(&prepared.path("work/runs").join(run)).unwrap();
    let tuned = TunedRun::of(&run).unwrap().unwrap();
    let encoder = TunedEncoder::load(&tuned, &Device::flex()).unwrap();
    let before = LiteSize::Small.plan().memory_frames() as u64;
    let folder = read(&prepared.path("work/dataset.json"))["videos"].as_str().unwrap().to_owned();
    let mut compared = 0;
    for name in ["moving-0", "moving-1", "still-2"] {
        let entry = VideoEntry::new(name, Path::new(&folder).join(name), Label::Normal);
        let clips = looked_at(&bundle, &entry.path);
        let frames = clips.last().map_or(0, |(score, _)| score.span.frame_range().end);
        for (score, map) in clips.iter().filter(|(score, _)| score.span.first_frame.0 >= before) {
            let input = encoder.spec().input();
            let pixels = input.clip_at(&entry, frames, score.span.first_frame.0).unwrap();
            let own = encoder.tapped_attention(&pixels).unwrap().unwrap();
            let want = Array::from_tensor(own.map).values;
            assert_eq!(want.len(), map.values.len());
            for (got, want) in map.values.iter().zip(want) {
                assert!((f64::from(*got) - f64::from(want)).abs() <= BOARD_AS_HOST, "{got} {want}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 3, "the second clip of each; the first begins with nothing");
}

/// The raw score of every frame of a video, as a board gives them.
fn on_a_board(bundle: &Bundle, video: &Path) -> Vec<f64> {
    let spec = bundle.model();
    let encoder = Encoder::from_onnx(bundle.encoder(), "encoder.onnx", spec).unwrap();
    let head = Head::from_onnx(bundle.head(), "head.onnx", spec).unwrap();
    let mut scorer = Scorer::new(Arc::new(encoder), Arc::new(head), spec).unwrap();
    let mut source = FrameSource::open(video).unwrap();
    let (mut buf, mut clips) = (FrameBuf::new(), Vec::new());
    while source.next_frame(&mut buf).unwrap() {
        clips.extend(scorer.push(buf.as_frame()).unwrap());
    }
    clips.extend(scorer.finish().unwrap());
    let frames = |clip: &ClipScore| vec![f64::from(clip.raw); clip.span.frames.into()];
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

/// A made-up picture of the moment.
fn moment(frame: usize, [height, width]: [usize; 2]) -> Vec<u8> {
    let value = |x: usize, y: usize, colour: usize| (x * (3 + colour) + y * 5 + frame * 11 + (x ^ y)) % 256;
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places.flat_map(|(x, y)| [0, 1, 2].map(|colour| value(x, y, colour) as u8)).collect()
}

#[test]
fn a_stream_looks_where_the_trainer_does() {
    const SIZE: LiteSize = LiteSize::Small;
    let device = Device::flex();
    let backbone = Backbone::lite(SIZE, &fresh(SIZE), "test", &device).unwrap();
    let network = SgaEncoder::with_fresh_head(backbone, 3, 5, &device);
    let mut spec = ModelSpec::mist("looks", EncoderSpec::lite(SIZE));
    // More than one place both ways, and not as many down as across.
    let size = [48, 80];
    (spec.preprocess.height_px, spec.preprocess.width_px) = (size[0], size[1]);
    spec.clip = ClipSpec { frames: 16, stride: 8 };
    spec.attention = network.board_attention(size[0], size[1]);
    let arrays = network.to_arrays();
    let weights = |arrays: &Arrays| tensors::encode(arrays, None).unwrap();
    let encoder = model_export::encoder_onnx(&weights(&tensors::group(&arrays, "backbone.")), &spec).unwrap();
    let encoder = Arc::new(Encoder::from_onnx(&encoder, "encoder.onnx", &spec).unwrap());
    let attention = model_export::attention_onnx(&weights(&arrays), &spec).unwrap();
    let attention = Attention::from_onnx(&attention, "attention.onnx", &spec, &encoder).unwrap();
    let stream = FeatureStream::new(encoder, &spec).unwrap();
    let mut stream = stream.with_attention(Arc::new(attention)).unwrap();

    let pixels: Vec<Vec<u8>> = (0..40).map(|frame| moment(frame, size.map(usize::from))).collect();
    let preprocessor = Preprocessor::new(spec.preprocess.clone()).unwrap();
    let before = SIZE.plan().memory_frames();
    let (mut compared, mut values) = (0, Vec::new());
    for (frame, picture) in pixels.iter().enumerate() {
        let picture = RgbFrame::new(size[1].into(), size[0].into(), picture).unwrap();
        let ended = stream.push(picture).unwrap();
        let Some(map) = stream.attention().unwrap().filter(|_| frame >= before + 15) else { continue };
        assert!(ended.is_some());
        let seen = &pixels[frame - 15 - before..=frame];
        let mut clip = vec![0.0; seen.len() * spec.preprocess.resized_len()];
        preprocessor.normalise_into(seen.iter().map(Vec::as_slice), &mut clip).unwrap();
        let shape = [1, 3, seen.len(), size[0].into(), size[1].into()];
        let own = network.tapped_attention(Tensor::from_data(TensorData::new(clip, shape), &device)).unwrap();
        let own = own.unwrap().map;
        assert_eq!(own.dims(), [1, 1, 1, map.rows, map.columns]);
        for (got, want) in map.values.iter().zip(Array::from_tensor(own).values) {
            assert!((f64::from(*got) - f64::from(want)).abs() <= BOARD_AS_HOST, "{got} {want}");
        }
        compared += 1;
        values.extend(map.values);
    }
    assert_eq!((compared, values.len()), (2, 12));
    let extent = values.iter().copied().fold(0.0, f32::max) - values.iter().copied().fold(1.0, f32::min);
    assert!(extent > 1e-3, "a flat map compares nothing: {values:?}");
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
    // Not smoothed: of three clips nothing would be left but their order.
    let course = ["epochs=3", "frozen_epochs=1", "videos=1", "clips_per_video=1", "k=2", "smoothing=1"];
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
    assert_eq!(manifest["model"]["attention"]["stage"], 3);
    looks_as_the_trainer_does(&prepared, "mist-seed1-tuned");
    assert!(folder.join("explain/highest.png").is_file());
    let finer = ["explain", "--run", "mist-seed1-tuned", "--layer", "4"];
    assert_eq!(run(&finer), ExitCode::FAILURE, "only means over frames are left of that map");

    // A finished fine-tuning labels for another one, with the scores of its own classifier.
    let by = ["--name", "second", "--labels-by"];
    assert_eq!(run(&[&tune[..], &by, &["mist-seed1"]].concat()), ExitCode::FAILURE, "that is stage I");
    assert_eq!(run(&[&tune[..], &by, &["mist-seed1-tuned"]].concat()), ExitCode::SUCCESS);
    let labels = |run: &str| {
        std::fs::read_to_string(prepared.path("work/runs").join(run).join("pseudo_labels.csv")).unwrap()
    };
    assert_ne!(labels("second"), labels("mist-seed1-tuned"));
    assert_eq!(read(&prepared.path("work/runs/second/tuned.json"))["labels_by"], "mist-seed1-tuned");

    // Of another size than the features of stage I: the one of that name is taken, and must be of that size.
    leave_encoder(&prepared.path("work"), "lite-large", LiteSize::Small);
    assert_eq!(run(&[&tune[..], &["--encoder", "lite-large"]].concat()), ExitCode::FAILURE);
}
