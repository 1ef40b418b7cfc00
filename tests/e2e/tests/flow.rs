//! From labelled videos to an alarm, with the real programs, on street scenes and on UCSD Ped2.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up must stop the test")]

use e2e_tests::{finish, program, run};
use golden::{kinetics_i3d, shared_data};
use std::path::Path;
use std::process::Command;

/// The board and the evaluation score the same clips within this. Both run the encoder in tract; the head runs in burn
/// on the host and in tract on the board, and sums in another order.
const HOST_BOARD_SCORE_TOLERANCE: f64 = 1e-4;

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_demo_ends_with_an_alarm_inside_the_true_interval() {
    let Some(weights) = kinetics_i3d() else { return };
    let work = tempfile::tempdir().unwrap();
    let demo = run("watchpost", &["demo", "--work", &text(work.path()), "--weights", &text(&weights)])
        .expect_success();
    println!("{}", demo.stdout);
    for part in ["the hub holds an alarm", "no alarm was raised", "report: "] {
        assert!(demo.stdout.contains(part), "{part:?} is missing:\n{}\n{}", demo.stdout, demo.stderr);
    }

    damaged_bundle_is_refused(&work.path().join("bundle"), &work.path().join("scenes/scene-000.mp4"));
}

fn damaged_bundle_is_refused(bundle: &Path, video: &Path) {
    let head = bundle.join("head.onnx");
    let mut bytes = std::fs::read(&head).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&head, bytes).unwrap();
    run("watchpostd", &["replay", "--bundle", &text(bundle), &text(video)]).expect_refusal(&["head.onnx"]);
}

#[test]
fn the_board_gives_the_scores_of_the_evaluation_on_a_held_back_ped2_video() {
    let (Some(weights), Some(ped2)) = (kinetics_i3d(), shared_data("ped2")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    let weights = format!("--weights={}", weights.display());
    let videos = few_videos(&ped2, folder.path());
    let labels = videos.join("labels.csv");
    let work_option = format!("--work={}", work.display());

    run(
        "watchpost",
        &["index", "--videos", &text(&videos), "--labels", &text(&labels), &work_option, "--val", "0"],
    )
    .expect_success();
    run("watchpost", &["extract", &work_option, &weights]).expect_success();
    run("watchpost", &["train", &work_option, "--seed", "3", "--steps", "60"]).expect_success();
    run("watchpost", &["eval", &work_option]).expect_success();
    let flow = Flow { work: &work, work_option: &work_option, weights: &weights, videos: &videos };
    flow.export("mist-seed3");

    a_full_disk_costs_no_training(&work, &work_option);
    recipes_are_compared(&work, &work_option);
    runs_are_compared(&work, &work_option);

    board_scores_as(&flow, "mist-seed3", "scores-test.json");
    every_recipe_runs_on_the_board(&flow);
}

/// On validation videos, which the data set gets here.
fn what_a_window_costs_is_said(flow: &Flow<'_>) {
    let (videos, labels) = (text(flow.videos), text(&flow.videos.join("labels.csv")));
    let index = ["index", "--videos", &videos, "--labels", &labels, flow.work_option, "--val", "0.34"];
    run("watchpost", &index).expect_success();
    let train = ["train", flow.work_option, "--recipe", "rtfm", "--steps", "2", "--name", "validated"];
    run("watchpost", &train).expect_success();
    let exported = flow.export("validated");
    let cost = exported.lines().find(|line| line.starts_with("validation split, 2 videos: frame ROC AUC"));
    assert!(cost.is_some_and(|line| line.contains("over whole videos")), "{exported}");
}

/// A work folder with trained runs.
struct Flow<'a> {
    work: &'a Path,
    work_option: &'a str,
    weights: &'a str,
    videos: &'a Path,
}

impl Flow<'_> {
    fn bundle(&self, run_name: &str) -> String {
        text(&self.work.join(format!("bundle-{run_name}")))
    }

    /// Exports a run; what is printed.
    fn export(&self, run_name: &str) -> String {
        let bundle = self.bundle(run_name);
        let args = ["export", self.work_option, self.weights, "--run", run_name, "--out", &bundle];
        run("watchpost", &args).expect_success().stdout
    }
}

/// The exported run, played on a held-back video, scores it as an evaluation did.
fn board_scores_as(flow: &Flow<'_>, run_name: &str, evaluation: &str) {
    let evaluation = flow.work.join("runs").join(run_name).join(evaluation);
    let evaluation: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(evaluation).unwrap()).unwrap();
    let held_back = &evaluation["videos"][0];
    let name = held_back["video"].as_str().unwrap();
    let video = flow.videos.join(format!("{name}.mp4"));
    let bundle = flow.bundle(run_name);
    let replay =
        run("watchpostd", &["replay", "--json", "--bundle", &bundle, &text(&video)]).expect_success();

    let frame_scores: Vec<f64> =
        held_back["raw"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    let clips: Vec<serde_json::Value> =
        replay.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(clips.len(), frame_scores.len().div_ceil(16), "{}", replay.stdout);
    let mut worst = 0.0_f64;
    for clip in &clips {
        let first = clip["first_frame"].as_u64().unwrap() as usize;
        worst = worst.max((clip["raw"].as_f64().unwrap() - frame_scores[first]).abs());
    }
    println!(
        "{run_name}, {name}: {} clips, largest difference between board and evaluation {worst:.1e}",
        clips.len()
    );
    assert!(worst <= HOST_BOARD_SCORE_TOLERANCE, "{run_name}: board and evaluation differ by {worst:e}");
}

/// Detectors that look at several clips: those of whole videos through a window, on both sides.
fn every_recipe_runs_on_the_board(flow: &Flow<'_>) {
    let causal = ["train", flow.work_option, "--recipe", "rtfm", "--name", "causal"];
    let few = ["--set", "temporal=causal-mtn", "--set", "steps=2"];
    run("watchpost", &[&causal[..], &few].concat()).expect_success();
    for name in ["rtfm-seed1", "arms-seed1", "cu-seed1", "causal"] {
        let board = ["eval", flow.work_option, "--run", name, "--on-board"];
        run("watchpost", &board).expect_success();
        let exported = flow.export(name);
        let is_windowed = ["rtfm-seed1", "arms-seed1"].contains(&name);
        assert_eq!(exported.contains("through a window of 16 clips"), is_windowed, "{name}: {exported}");
        board_scores_as(flow, name, "scores-test-board.json");
    }
    run("watchpost", &["eval", flow.work_option, "--run", "causal"]).expect_success();
    board_scores_as(flow, "causal", "scores-test.json");
    what_a_window_costs_is_said(flow);
    run("watchpost", &["export", flow.work_option, "--run", "cu-seed1", "--window", "8", "--out", "nowhere"])
        .expect_refusal(&["cu-seed1", "no window to choose"]);
}

/// Where the next checkpoint does not fit any more, the one before stays, and the training goes on from it later.
fn a_full_disk_costs_no_training(work: &Path, work_option: &str) {
    let train = |steps: &'static str| ["train", work_option, "--seed", "3", "--steps", steps];
    let checkpoint = work.join("runs/mist-seed3/checkpoint.safetensors");
    let before = std::fs::read(&checkpoint).unwrap();
    let files = || std::fs::read_dir(work.join("runs/mist-seed3")).unwrap().count();
    let files_before = files();
    // The system refuses every byte of a file beyond 100 KiB, as it does where none is left.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\""]);
    limited.arg(program("watchpost")).args(train("70"));
    finish(&mut limited).expect_refusal(&["checkpoint.safetensors", "File too large"]);
    assert!(std::fs::read(&checkpoint).unwrap() == before, "the checkpoint was touched");
    assert_eq!(files(), files_before, "something half-written was left");
    run("watchpost", &train("60")).expect_success();
}

/// All recipes that suit, with two seeds, in one table; each takes the settings that it has.
fn recipes_are_compared(work: &Path, work_option: &str) {
    let few = ["steps=2", "generator_steps=2", "classifier_steps=2", "iterations=1", "iteration_steps=2"];
    let few = few.iter().flat_map(|setting| ["--set", setting]);
    let args: Vec<&str> =
        ["train", work_option, "--recipe", "all", "--seeds", "2"].into_iter().chain(few).collect();
    let trained = run("watchpost", &args).expect_success();
    let page = std::fs::read_to_string(work.join("runs/comparison.md")).unwrap();
    for recipe in ["sultani", "mist", "rtfm", "cu", "arms"] {
        assert!(page.contains(&format!("| {recipe} | 2 |")), "{recipe}:\n{page}");
        for seed in [1, 2] {
            assert!(page.contains(&format!("| {recipe}-seed{seed} |")), "{recipe}, seed {seed}:\n{page}");
        }
    }
    assert!(page.contains(" ± ") && page.contains("ms per step | training, s |"), "{page}");
    assert!(!trained.stderr.contains("left out"), "{}", trained.stderr);

    let published = ["train", work_option, "--recipe", "all", "--published", "tad", "--set", "nonsense=1"];
    run("watchpost", &published).expect_refusal(&["left out: rtfm", "nonsense"]);
}

/// An ablation of few steps, one of its runs beside the trained one, and the report with everything in it.
fn runs_are_compared(work: &Path, work_option: &str) {
    let watchpost = |args: &[&str]| run("watchpost", &[args, &[work_option]].concat());
    watchpost(&["ablate", "mist-sampling", "--seeds", "2", "--set", "steps=3"]).expect_success();
    let page = std::fs::read_to_string(work.join("runs/ablation-mist-sampling.md")).unwrap();
    let rows = page.lines().filter(|line| line.ends_with(" |") && line.contains("to sparse-continuous"));
    assert_eq!(rows.count(), 3, "{page}");
    assert!(page.contains("**Caution**: there are only"), "{page}");

    let other = "ablation-mist-sampling-single-uniform-seed2";
    let compared = watchpost(&["compare", "mist-seed3", other, "mist-seed3"]).expect_success();
    let same = compared.stdout.lines().filter(|line| line.contains("+0.0000 [+0.0000, +0.0000]")).count();
    assert_eq!(same, 1, "a run differs from itself: {}", compared.stdout);
    assert!(work.join("runs/compare.html").is_file() && work.join("runs/compare.json").is_file());
    watchpost(&["compare", "mist-seed3", "no-such-run"]).expect_refusal(&["no run no-such-run"]);

    let args = ["eval", "--run", "mist-seed3", "--tsne", "--class-from-name"];
    let evaluated = watchpost(&args).expect_success();
    assert!(evaluated.stdout.contains("class Test"), "{}", evaluated.stdout);
    let report = std::fs::read_to_string(work.join("runs/mist-seed3/report-test.html")).unwrap();
    assert!(report.contains("Map of clip features") && report.contains("<h2>Classes</h2>"));
}

/// Six of the 28 videos, which is enough to train, hold back and compare.
fn few_videos(ped2: &Path, folder: &Path) -> std::path::PathBuf {
    let videos = folder.join("videos");
    std::fs::create_dir(&videos).unwrap();
    let labels = std::fs::read_to_string(ped2.join("labels.csv")).unwrap();
    let chosen = ["Test001", "Test002", "Test004", "Train001", "Train008", "Train015"];
    let kept = labels.lines().filter(|line| {
        line.starts_with("video,") || chosen.iter().any(|name| line.starts_with(&format!("{name},")))
    });
    std::fs::write(videos.join("labels.csv"), kept.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    for name in chosen {
        std::fs::copy(ped2.join(format!("{name}.mp4")), videos.join(format!("{name}.mp4"))).unwrap();
    }
    videos
}
