//! From a published data set on disk to its figures, with the commands that users give.

use std::path::Path;
use std::process::ExitCode;

use crate::small_ucf::{CROPS, WIDTH, features, npy, write_set};
use burn::tensor::Device;
use clap::Parser;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use toml::Table;
use vad_core::{ClipSpan, FrameIndex};
use vad_data::{Features, Label};
use watchpost::bag::{BagSet, TrainingSet};
use watchpost::cmd::Cli;
use watchpost::recipe::registry::by_name;

fn watchpost(words: &[&str]) -> ExitCode {
    Cli::try_parse_from(std::iter::once(&"watchpost").chain(words)).unwrap().run()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn an_imported_set_is_trained_and_evaluated_with_three_commands() {
    let folder = tempfile::tempdir().unwrap();
    let (root, work) = (folder.path().join("ucf"), folder.path().join("work"));
    write_set(&root);
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (root_word, features, work_word) = (path(&root), path(&root.join("features")), path(&work));
    let import =
        ["import", "--dataset", "ucf-crime", "--root", &root_word, "--features", &features, "--val", "0.2"];
    assert_eq!(watchpost(&[&import[..], &["--work", &work_word]].concat()), ExitCode::SUCCESS);
    let dataset = read(&work.join("dataset.json"));
    let ids = |part: &str| {
        dataset["splits"][part]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!((ids("train").len(), ids("val").len()), (10, 2));
    let mut official: Vec<String> = (12..18)
        .map(|index| {
            if index % 2 == 1 {
                format!("Arson{index:03}_x264")
            } else {
                format!("Normal_Videos_{index:03}_x264")
            }
        })
        .collect();
    official.sort();
    assert_eq!(ids("test"), official, "the official test videos and no others");
    let labels = std::fs::read_to_string(work.join("labels.csv")).unwrap();
    assert!(labels.lines().skip(1).all(|line| line.ends_with(",,")), "no frames beside labels: {labels}");

    // No encoder, and no weights of one, is needed.
    let train =
        ["train", "--recipe", "rtfm", "--published", "ucf-crime", "--name", "checked", "--work", &work_word];
    let quick = ["--steps", "60", "--set", "pairs=4", "--set", "segments=8", "--set", "eval_every=20"];
    assert_eq!(watchpost(&[&train[..], &quick].concat()), ExitCode::SUCCESS);
    let run = work.join("runs/checked");
    let model = read(&run.join("model.json"));
    assert_eq!(
        (&model["encoder"]["kind"], &model["encoder"]["feature_dim"]),
        (&"imported".into(), &WIDTH.into())
    );
    assert_eq!(watchpost(&["eval", "--work", &work_word]), ExitCode::SUCCESS);
    let figures = read(&run.join("scores-test.json"));
    assert!(figures["frame"]["roc_auc"].as_f64().unwrap() > 0.9, "{}", figures["frame"]);
    let report = std::fs::read_to_string(run.join("report-test.html")).unwrap();
    // 6 test videos of 6, 7, 8, 4, 5 and 6 clips.
    for part in ["Counted as RTFM", "over 576 frames", "Counted as MIST, CU", "over 480 frames"] {
        assert!(report.contains(part), "{part}");
    }
    assert_eq!(watchpost(&["export", "--work", &work_word]), ExitCode::FAILURE);

    // Features that changed since are not taken for those that were checked.
    std::fs::write(root.join("features/Arson013_x264__0.npy"), npy(&[1, WIDTH], &[0.0; WIDTH])).unwrap();
    assert_eq!(watchpost(&["eval", "--work", &work_word]), ExitCode::FAILURE);
}

#[test]
fn a_published_row_takes_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let (root, work) = (folder.path().join("ucf"), folder.path().join("work"));
    write_set(&root);
    let features = root.join("features");
    let [root_word, features, work_word] = [&root, &features, &work].map(|path| path.to_str().unwrap());
    let bench = ["bench", "published", "--dataset", "ucf-crime", "--root", root_word, "--features", features];
    let quick =
        ["--val", "0.2", "--seeds", "2", "--set", "steps=20", "--set", "pairs=4", "--set", "segments=8"];
    let words = [&bench[..], &quick, &["--work", work_word, "--recipe", "rtfm"]].concat();
    assert_eq!(watchpost(&words), ExitCode::SUCCESS);
    let page = std::fs::read_to_string(work.join("runs/published.md")).unwrap();
    let row = |counted: &str| {
        page.lines().find(|line| line.starts_with(&format!("| rtfm | {counted} | "))).unwrap()
    };
    // Printed is what RTFM counts in its own way, and for features that are wider than these.
    assert!(row("RTFM").contains("ROC AUC 0.8430") && row("RTFM").contains("of 16 here"), "{page}");
    assert!(row("MIST, CU").contains(" ± ") && !row("MIST, CU").contains("0.8430"), "{page}");
    assert!(
        page.contains("| published-rtfm-seed2 |") && page.contains("frame AUC of the last step"),
        "{page}"
    );
    assert!(page.contains("| rtfm | rtfm | `pairs = 4, segments = 8, steps = 20` |"), "{page}");
    let trained = read(&work.join("runs/published-rtfm-seed1/metrics.json"));

    // With C3D features the same command takes other settings, and another printed figure stands beside.
    let other = folder.path().join("c3d");
    let c3d = ["--published", "ucf-crime-c3d", "--work", other.to_str().unwrap(), "--recipe", "rtfm"];
    assert_eq!(watchpost(&[&bench[..], &quick, &c3d].concat()), ExitCode::SUCCESS);
    let of_c3d = std::fs::read_to_string(other.join("runs/published.md")).unwrap();
    let counted = of_c3d.lines().find(|line| line.starts_with("| rtfm | RTFM | ")).unwrap();
    assert!(counted.contains("ROC AUC 0.8328, C3D") && counted.contains("4096 values there"), "{of_c3d}");

    // The same again finds everything done; another split is not taken for it.
    assert_eq!(watchpost(&words), ExitCode::SUCCESS);
    assert_eq!(read(&work.join("runs/published-rtfm-seed1/metrics.json")), trained);
    assert_eq!(watchpost(&[&words[..], &["--seed", "2"]].concat()), ExitCode::FAILURE);
}

#[test]
fn training_videos_kept_as_segments_train_the_same_weights() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (mut whole, mut short) = (BagSet::default(), BagSet::default());
    for index in 0..8 {
        let label = if index % 2 == 1 { Label::Abnormal } else { Label::Normal };
        // Shorter and longer than the segments.
        let clips = 3 + 6 * index;
        let values = features(&mut rng, clips, index % 2 == 1);
        let span = |index: u64| ClipSpan { index, first_frame: FrameIndex(index * 16), frames: 16 };
        let video = Features {
            dim: WIDTH,
            crops: CROPS,
            spans: (0..clips as u64).map(span).collect(),
            values,
            frames: clips as u64 * 16,
            frame_rate_hz: 30.0,
        };
        whole.push_features(&index.to_string(), label, &video).unwrap();
        short.push_segments(&index.to_string(), label, &video, 8).unwrap();
    }
    assert_eq!((short.crops, short.rows()), (CROPS, 8 * 8));
    for (recipe, settings) in [
        ("rtfm", "steps = 6\npairs = 3\nsegments = 8"),
        ("arms", "iterations = 3\niteration_steps = 3\npairs = 3\nsegments = 8\nwidth = 16"),
    ] {
        let recipe = by_name(recipe).unwrap();
        let settings: Table = settings.parse().unwrap();
        assert_eq!(recipe.training_segments(&settings).unwrap(), Some(8));
        let scores = |bags: &BagSet| {
            let data = TrainingSet::from_bags(bags.clone(), BagSet::default()).unwrap();
            recipe.train_in_memory(&settings, &data, &Device::flex()).unwrap().score(&whole)
        };
        assert_eq!(scores(&whole), scores(&short), "{}", recipe.name());
    }
    assert_eq!(by_name("mist").unwrap().training_segments(&Table::new()).unwrap(), None);
}
