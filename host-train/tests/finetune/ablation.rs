//! Ablations of MIST's second stage with the command that users give: made-up videos, made-up features, a C3D next to no width.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::footage::{SIDE_PX, video};
use clap::Parser;
use golden::hashed_values;
use serde_json::Value;
use tempfile::TempDir;
use vad_core::{EncoderSpec, ModelSpec, PreprocessSpec};
use vad_data::{
    ClipEncoder, EncodeError, ExtractSpec, FeatureCache, FeatureSpec, Label, Silent, VideoEntry, extract,
};
use watchpost::cmd::Cli;
use watchpost::extraction::Extraction;
use watchpost::finetune::labels::CLIP;
use watchpost::tensors::{self, Array, Arrays};

/// Of each label; half of them are trained on, the others tested.
const VIDEOS: usize = 4;

/// Two clips and a rest.
const FRAMES: u32 = 40;

fn watchpost(args: &[&str]) -> ExitCode {
    Cli::parse_from([&["watchpost"], args].concat()).run()
}

/// A clip's feature is the same number all over, how much its last frame differs from its first, beside noise.
struct Motion;

impl ClipEncoder for Motion {
    fn feature_dim(&self) -> usize {
        ModelSpec::i3d_mist("test").encoder.feature_dim as usize
    }

    fn hash(&self) -> [u8; 32] {
        [7; 32]
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        let plane = usize::from(SIDE_PX).pow(2);
        let (first, last) = (&clip[..plane], &clip[15 * plane..16 * plane]);
        let motion =
            first.iter().zip(last).map(|(first, last)| (first - last).abs()).sum::<f32>() / plane as f32;
        let noise = hashed_values("noise", 1, self.feature_dim(), 0.0, 0.1);
        Ok(noise.into_iter().map(|noise| noise + motion).collect())
    }
}

/// C3D of four channels throughout, drawn at random.
fn write_c3d(path: &Path) {
    let (mut arrays, mut inputs) = (Arrays::new(), 3);
    for name in ["conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"] {
        let mut add = |part: &str, shape: Vec<usize>, low: f64, high: f64| {
            let name = format!("{name}.{part}");
            let values = hashed_values(&name, 7, shape.iter().product(), low, high);
            arrays.insert(name, Array { shape, values });
        };
        let bound = (6.0 / (inputs * 27) as f64).sqrt();
        add("weight", vec![4, inputs, 3, 3, 3], -bound, bound);
        add("bias", vec![4], 0.0, 0.1);
        inputs = 4;
    }
    tensors::save(path, &arrays, None).unwrap();
}

/// Footage, and an indexed work folder with the features that an extraction would have left.
pub struct Prepared {
    _footage: TempDir,
    folder: TempDir,
}

impl Prepared {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

pub fn prepare() -> Prepared {
    let footage = tempfile::tempdir().unwrap();
    let mut labels = "video,label,first_abnormal,last_abnormal\n".to_owned();
    let mut entries: Vec<VideoEntry> = Vec::new();
    for index in 0..VIDEOS {
        for (kind, label, range) in [("still", Label::Normal, ","), ("moving", Label::Abnormal, "16,39")] {
            let id = format!("{kind}-{index}");
            entries.push(video(&footage, &id, label, FRAMES));
            writeln!(labels, "{id},{label},{range}").unwrap();
        }
    }
    let videos = footage.path().to_str().unwrap().to_owned();
    let prepared = Prepared { _footage: footage, folder: tempfile::tempdir().unwrap() };
    std::fs::write(prepared.path("labels.csv"), labels).unwrap();
    let (labels, work) = (prepared.text("labels.csv"), prepared.text("work"));
    let index = ["index", "--videos", &videos, "--labels", &labels, "--work", &work, "--val", "0"];
    assert_eq!(watchpost(&index), ExitCode::SUCCESS);

    let preprocess =
        PreprocessSpec { width_px: SIDE_PX, height_px: SIDE_PX, ..ModelSpec::i3d_mist("test").preprocess };
    let features = FeatureSpec::new(preprocess, CLIP);
    let request = ExtractSpec { features: features.clone(), threads: 1, batch: 1 };
    let cache = FeatureCache::open(&prepared.path("work/features")).unwrap();
    extract(&entries, &Motion, request, &cache, false, &Silent).unwrap();
    Extraction::new(&Motion, EncoderSpec::i3d(), features).write(&prepared.path("work")).unwrap();
    write_c3d(&prepared.path("c3d.safetensors"));
    prepared
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn an_ablation_makes_both_stages_goes_on_where_it_stopped_and_says_what_the_part_is_worth() {
    let prepared = prepare();
    let runs = prepared.path("work/runs");
    let mut common = vec!["--work".to_owned(), prepared.text("work")];
    common.push(format!("--c3d-weights={}", prepared.text("c3d.safetensors")));
    let size = ["encoder=c3d", "width_px=32", "height_px=32", "k=2"];
    let course = ["epochs=2", "frozen_epochs=1", "videos=1", "clips_per_video=1"];
    common.extend(size.into_iter().chain(course).map(|setting| format!("--set=stage2.{setting}")));
    common.push("--set=steps=6".to_owned());
    let common: Vec<&str> = common.iter().map(String::as_str).collect();
    let ablate =
        |name: &str, seeds: &str| watchpost(&[&["ablate", name, "--seeds", seeds], &common[..]].concat());

    assert_eq!(ablate("mist-guided-head", "2"), ExitCode::SUCCESS);
    let numbers = read(&runs.join("ablation-mist-guided-head.json"));
    let variants = numbers["variants"].as_array().unwrap();
    let names: Vec<&str> = variants.iter().map(|variant| variant["variant"].as_str().unwrap()).collect();
    assert_eq!(names, ["full", "without-guided-head"]);
    for variant in variants {
        assert_eq!(
            (&variant["recipe"], variant["rows"].as_array().unwrap().len()),
            (&"mist-stage2".into(), 2)
        );
        assert!(
            variant["rows"][1]["frame_auc"].is_number() && variant["areas"]["roc_auc"].is_object(),
            "{variant}"
        );
    }
    assert!(variants[0]["difference"].is_null() && variants[1]["difference"]["roc_auc"].is_object());
    let page = std::fs::read_to_string(runs.join("ablation-mist-guided-head.md")).unwrap();
    assert!(page.contains("| without-guided-head | mist-stage2 | `guided_head = false` |"), "{page}");
    let run = |name: &str| runs.join(format!("ablation-mist-guided-head-{name}"));
    assert!(run("mist-stage1-seed2").join("head.safetensors").is_file());
    let settings = |name: &str| std::fs::read_to_string(run(name).join("config.toml")).unwrap();
    assert!(
        settings("full-seed2").contains("seed = 2\n")
            && settings("full-seed2").contains("guided_head = true\n")
    );
    assert!(settings("without-guided-head-seed1").contains("guided_head = false\n"));

    // Without one run's results and with the others finished, the same numbers come out; stage I is not trained again.
    let stage1 = run("mist-stage1-seed1").join("checkpoint.safetensors");
    let trained_at = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
    let before = trained_at(&stage1);
    std::fs::remove_dir_all(run("without-guided-head-seed2")).unwrap();
    assert_eq!(ablate("mist-guided-head", "2"), ExitCode::SUCCESS);
    assert_eq!(trained_at(&stage1), before);
    let mut again = read(&runs.join("ablation-mist-guided-head.json"));
    let mut numbers = numbers;
    for value in [&mut numbers, &mut again] {
        without_times(value);
    }
    assert_eq!(again["variants"], numbers["variants"]);

    // Stage I beside what was fine-tuned from that very run.
    assert_eq!(ablate("mist-pseudo-labels", "1"), ExitCode::SUCCESS);
    let numbers = read(&runs.join("ablation-mist-pseudo-labels.json"));
    let against: Vec<_> =
        numbers["variants"].as_array().unwrap().iter().map(|variant| &variant["against"]).collect();
    assert_eq!(against, [&Value::Null, &"mist-stage1".into(), &"pseudo-labels".into()]);
    let labels = |name: &str| {
        let folder = runs.join(format!("ablation-mist-pseudo-labels-{name}-seed1"));
        std::fs::read_to_string(folder.join("pseudo_labels.csv")).unwrap()
    };
    let of_moving = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with("moving"))
            .map(|line| line.rsplit(',').next().unwrap().to_owned())
            .collect()
    };
    assert!(of_moving(&labels("video-labels")).iter().all(|label| label == "1.0000"));
    assert!(of_moving(&labels("pseudo-labels")).iter().any(|label| label != "1.0000"));
}

/// How long steps took is no part of what is compared.
fn without_times(value: &mut Value) {
    for variant in value["variants"].as_array_mut().unwrap() {
        for row in variant["rows"].as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("step_ms");
        }
    }
}

#[test]
fn what_fine_tuning_lacks_is_said_before_anything_is_trained() {
    let prepared = prepare();
    let work = prepared.text("work");
    let ablate = |settings: &[&str]| {
        let sets = settings.iter().flat_map(|setting| ["--set", setting]).collect::<Vec<_>>();
        watchpost(&[&["ablate", "mist-attention", "--work", &work], &sets[..]].concat())
    };
    assert_eq!(ablate(&["stage2.encoder=c3d"]), ExitCode::FAILURE);
    assert_eq!(ablate(&["stage2.epoch=3"]), ExitCode::FAILURE);
    assert_eq!(ablate(&["epochs=3"]), ExitCode::FAILURE);
    assert!(!prepared.path("work/runs").exists());
}
