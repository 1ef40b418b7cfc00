//! Ablations of MIST's second stage with the command that users give: made-up videos, made-up features, a C3D next to no width.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::commands::{leave_features, read, watchpost, write_c3d};
use crate::footage::video;
use serde_json::Value;
use tempfile::TempDir;
use vad_data::{Label, VideoEntry};
use watchpost::tensors;

/// Of each label; half of them are trained on, the others tested.
const VIDEOS: usize = 4;

/// Two clips and a rest.
const FRAMES: u32 = 40;

/// Footage, and an indexed work folder with the features that an extraction would have left.
pub struct Prepared {
    _footage: TempDir,
    folder: TempDir,
}

impl Prepared {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

pub fn prepare() -> Prepared {
    prepare_with("0")
}

/// A work folder with a share of the videos for validation.
pub fn prepare_with(validation: &str) -> Prepared {
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
    let index = ["index", "--videos", &videos, "--labels", &labels, "--work", &work, "--val", validation];
    assert_eq!(watchpost(&index), ExitCode::SUCCESS);

    leave_features(&entries, &prepared.path("work"));
    write_c3d(&prepared.path("c3d.safetensors"));
    prepared
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
        let row = &variant["rows"][1];
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!((number("training_s") - number("steps") * number("step_ms") / 1000.0).abs() < 1e-9, "{row}");
        assert!(
            variant["rows"][1]["frame_auc"].is_number() && variant["areas"]["roc_auc"].is_object(),
            "{variant}"
        );
    }
    assert!(variants[0]["difference"].is_null() && variants[1]["difference"]["roc_auc"].is_object());
    let page = std::fs::read_to_string(runs.join("ablation-mist-guided-head.md")).unwrap();
    assert!(page.contains("| ms per step | training, s |"), "{page}");
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

#[test]
fn both_stages_are_compared_by_the_selected_and_by_the_last_step() {
    let prepared = prepare();
    let (runs, work) = (prepared.path("work/runs"), prepared.text("work"));
    assert_eq!(
        watchpost(&["train", "--work", &work, "--seeds", "1", "--recipe", "mist", "--set=steps=6"]),
        ExitCode::SUCCESS
    );
    let c3d = format!("--c3d-weights={}", prepared.text("c3d.safetensors"));
    let settings = ["encoder=c3d", "width_px=32", "height_px=32", "k=2", "epochs=2", "frozen_epochs=1"];
    let settings = settings.map(|setting| format!("--set={setting}"));
    let finetune = ["finetune", "--work", &work, "--seeds", "1", &c3d, "--set=videos=1"];
    let words: Vec<&str> = finetune.into_iter().chain(settings.iter().map(String::as_str)).collect();
    assert_eq!(watchpost(&words), ExitCode::SUCCESS);
    let page = std::fs::read_to_string(runs.join("finetune.md")).unwrap();
    assert!(page.contains("| detector | frame ROC AUC | average precision | training, s |"), "{page}");
    assert!(page.contains("| the same model | the same model |"), "{page}");
    let times = read(&runs.join("finetune.json"))["rows"][0]["training_s"].clone();
    assert!(times.as_array().unwrap().iter().all(|time| time.as_f64().unwrap() > 0.0), "{times}");

    // As if validation had selected the encoder, and the last step's were another one.
    let run = runs.join("mist-seed1-tuned");
    let (mut other, _) = tensors::load(&run.join("encoder.safetensors")).unwrap();
    other.values_mut().for_each(|array| array.values.iter_mut().for_each(|value| *value = -*value));
    tensors::save(&run.join("encoder_last.safetensors"), &other, None).unwrap();
    let mut metrics = read(&run.join("metrics.json"));
    metrics["selection"] = serde_json::json!({"by": "validation", "step": 1, "auc": 1.0, "loss": 0.0});
    std::fs::write(run.join("metrics.json"), metrics.to_string()).unwrap();
    assert_eq!(watchpost(&["eval", "--work", &work, "--run", "mist-seed1-tuned"]), ExitCode::SUCCESS);
    let report = std::fs::read_to_string(run.join("report-test.html")).unwrap();
    assert!(report.contains("The model of the last step"));
    let compared = ["compare", "mist-seed1", "mist-seed1-tuned", "--work", &work];
    assert_eq!(watchpost(&compared), ExitCode::SUCCESS);
    let facts = read(&runs.join("compare.json"))["facts"].to_string();
    assert!(facts.contains("mist-seed1-tuned, the model of the last step"), "{facts}");
}

/// How long steps took is no part of what is compared.
fn without_times(value: &mut Value) {
    for variant in value["variants"].as_array_mut().unwrap() {
        for row in variant["rows"].as_array_mut().unwrap() {
            for time in ["step_ms", "training_s"] {
                row.as_object_mut().unwrap().remove(time);
            }
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
