//! Bad input gets an error that names the file and the place, exit code not zero, and leaves nothing half-written.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up must stop the test")]

use e2e_tests::{Run, run};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Four short street scenes, two of them abnormal, with their label file.
fn footage() -> &'static Path {
    static FOOTAGE: OnceLock<TempDir> = OnceLock::new();
    FOOTAGE
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().to_str().unwrap();
            run("watchpost", &["scenes", "--out", out, "--videos", "4", "--frames", "48", "--replace"])
                .expect_success();
            folder
        })
        .path()
}

/// A copy of the footage that a test may damage.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(footage()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn index(videos: &Path, labels: &Path, work: &Path) -> Run {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    run("watchpost", &["index", "--videos", &text(videos), "--labels", &text(labels), "--work", &text(work)])
}

fn edit_labels(folder: &Path, edit: impl Fn(&str) -> String) -> PathBuf {
    let labels = folder.join("labels.csv");
    let text = std::fs::read_to_string(&labels).unwrap();
    std::fs::write(&labels, edit(&text)).unwrap();
    labels
}

fn replace_in_line(text: &str, line: usize, edit: impl Fn(&str) -> String) -> String {
    let lines =
        text.lines().enumerate().map(|(at, old)| if at + 1 == line { edit(old) } else { old.to_owned() });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn an_unknown_label_names_file_line_and_the_allowed_ones() {
    let (folder, work) = (copy(), tempfile::tempdir().unwrap());
    let labels = edit_labels(folder.path(), |text| {
        replace_in_line(text, 3, |line| {
            line.replace(",normal,", ",normall,").replace(",abnormal,", ",abnormall,")
        })
    });
    let refused = index(folder.path(), &labels, work.path());
    refused.expect_refusal(&["labels.csv:3", "normall", "normal"]);
    assert!(!work.path().join("dataset.json").exists());
}

#[test]
fn a_missing_label_names_file_and_line() {
    let (folder, work) = (copy(), tempfile::tempdir().unwrap());
    let labels = edit_labels(folder.path(), |text| {
        replace_in_line(text, 2, |line| line.replace(",normal,", ",,").replace(",abnormal,", ",,"))
    });
    index(folder.path(), &labels, work.path()).expect_refusal(&["labels.csv:2", "label"]);
    assert!(!work.path().join("dataset.json").exists());
}

#[test]
fn a_label_for_a_video_that_is_not_there_names_both() {
    let (folder, work) = (copy(), tempfile::tempdir().unwrap());
    std::fs::remove_file(folder.path().join("scene-001.mp4")).unwrap();
    index(folder.path(), &folder.path().join("labels.csv"), work.path())
        .expect_refusal(&["labels.csv", "scene-001"]);
}

/// Without the I3D weights the extraction would stop for their lack, and the test would show nothing.
fn have_weights() -> bool {
    golden::kinetics_i3d().is_some()
}

fn extract_with(damage: impl Fn(&Path), name: &str) {
    if !have_weights() {
        return;
    }
    let (folder, work) = (copy(), tempfile::tempdir().unwrap());
    damage(&folder.path().join(format!("{name}.mp4")));
    index(folder.path(), &folder.path().join("labels.csv"), work.path()).expect_success();
    let work_option = format!("--work={}", work.path().display());
    let weights = golden::kinetics_i3d().unwrap();
    let weights = format!("--weights={}", weights.display());
    run("watchpost", &["extract", &work_option, &weights]).expect_refusal(&[name]);
    let kept = run("watchpost", &["extract", &work_option, &weights, "--keep-going"]).expect_success();
    assert!(
        kept.stderr.contains(name) && kept.stdout.contains("3 videos"),
        "{}\n{}",
        kept.stdout,
        kept.stderr
    );
    let leftovers = std::fs::read_dir(work.path().join("features")).unwrap();
    let partial =
        leftovers.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(partial.count(), 0, "a half-written feature file was left behind");
}

#[test]
fn a_truncated_video_is_named_and_left_out_only_by_choice() {
    extract_with(
        |video| {
            let bytes = std::fs::read(video).unwrap();
            std::fs::write(video, &bytes[..bytes.len() * 2 / 3]).unwrap();
        },
        "scene-000",
    );
}

#[test]
fn a_video_without_frames_is_named_and_left_out_only_by_choice() {
    extract_with(|video| std::fs::write(video, b"").unwrap(), "scene-002");
}

#[test]
fn a_misspelt_key_names_file_line_and_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("board.toml");
    std::fs::write(
        &config,
        "[board]\nid = \"gate\"\nsite = \"yard\"\n\n[model]\nbundle = \"bundle\"\n\n[netwrok]\nbroker = \"mqtt://127.0.0.1\"\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    for command in ["check", "run"] {
        run("watchpostd", &[command, "--config", config]).expect_refusal(&[
            "board.toml:8",
            "netwrok",
            "network",
        ]);
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "a refused configuration must leave no files"
    );
}

#[test]
fn a_bundle_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no-bundle");
    let video = footage().join("scene-000.mp4");
    run("watchpostd", &["replay", "--bundle", missing.to_str().unwrap(), video.to_str().unwrap()])
        .expect_refusal(&["no-bundle"]);
}

#[test]
fn devices_that_the_engine_leaves_idle_are_refused() {
    run("watchpost", &["extract", "--device", "cpu,cpu"])
        .expect_refusal(&["--device cpu,cpu would do nothing", "--engine burn"]);
}

#[test]
fn training_before_extraction_names_the_remedy() {
    let work = tempfile::tempdir().unwrap();
    index(footage(), &footage().join("labels.csv"), work.path()).expect_success();
    run("watchpost", &["train", "--work", work.path().to_str().unwrap()])
        .expect_refusal(&["watchpost extract"]);
    assert!(!work.path().join("runs").join("mist-seed0").join("head.safetensors").exists());
}

/// An indexed work folder with a run whose settings are `config`.
fn with_run(config: &str) -> TempDir {
    let work = tempfile::tempdir().unwrap();
    index(footage(), &footage().join("labels.csv"), work.path()).expect_success();
    let run = work.path().join("runs").join("one");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("config.toml"), config).unwrap();
    work
}

#[test]
fn fine_tuning_without_a_run_of_stage_1_names_the_remedy() {
    let work = with_run("recipe = \"rtfm\"\nseed = 1\n");
    let work = work.path().to_str().unwrap();
    run("watchpost", &["finetune", "--work", work]).expect_refusal(&["watchpost train --recipe mist"]);
    run("watchpost", &["finetune", "--work", work, "--run", "one"]).expect_refusal(&["rtfm", "mist"]);
    run("watchpost", &["explain", "--work", work, "--run", "one"]).expect_refusal(&["watchpost finetune"]);
    run("watchpost", &["finetune", "--work", work, "--set", "frozen=2"])
        .expect_refusal(&["frozen", "frozen_epochs"]);
}

#[test]
fn a_video_that_is_gone_between_the_stages_is_named() {
    let (folder, work) = (copy(), tempfile::tempdir().unwrap());
    index(folder.path(), &folder.path().join("labels.csv"), work.path()).expect_success();
    std::fs::remove_file(folder.path().join("scene-001.mp4")).unwrap();
    run("watchpost", &["finetune", "--work", work.path().to_str().unwrap()])
        .expect_refusal(&["labels.csv", "scene-001"]);
}
