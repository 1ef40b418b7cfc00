//! `watchpostd calibrate` on normal footage, and what the other commands make of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::Output;

use common::{stderr, stdout, tiny, watchpostd, write_config};

const BOARD: &str = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n";

fn camera(id: &str, path: &str, more: &str) -> String {
    let source = format!("source = {{ kind = \"file\", path = \"{path}\", loop = true }}");
    format!("[[camera]]\nid = \"{id}\"\ntolerate = [\"covered\", \"frozen\"]\n{source}\n{more}")
}

fn run(folder: &Path, args: &[&str]) -> Output {
    watchpostd().args(args).args(["--config", "board.toml"]).current_dir(folder).output().unwrap()
}

/// Clips of even brightness; the brightest normal one would be an alarm for the bundle.
fn footage(folder: &Path, name: &str, brightest: u8) {
    let values = [60, 90, 70, brightest, 60, 80];
    let frames: Vec<u8> = values.into_iter().flat_map(|value| [value; 16]).collect();
    tiny::video(&folder.join(name), &frames);
}

fn stored(folder: &Path) -> toml::Table {
    toml::from_str(&std::fs::read_to_string(folder.join("calibration.toml")).unwrap()).unwrap()
}

fn raised(folder: &Path, video: &str, camera: &str) -> bool {
    let output = run(folder, &["replay", "--bundle", "bundle", video, "--camera", camera]);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).contains("raised (event")
}

#[test]
fn each_camera_gets_a_threshold_above_what_is_normal_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tiny::bundle(&folder.join("bundle"));
    footage(folder, "north.mp4", 150);
    footage(folder, "south.mp4", 110);
    footage(folder, "event.mp4", 200);
    let config = format!("{BOARD}{}{}", camera("north", "north.mp4", ""), camera("south", "south.mp4", ""));
    write_config(folder, &config);
    assert!(raised(folder, "north.mp4", "north"), "uncalibrated, what is normal is an alarm");

    let output = run(folder, &["calibrate", "--dry-run"]);
    assert!(output.status.success() && !folder.join("calibration.toml").exists(), "{}", stderr(&output));
    let output = run(folder, &["calibrate"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("north: raise threshold 0.") && text.contains("10 s of normal footage"), "{text}");
    let of = |name: &str| {
        let cameras = stored(folder)["camera"].as_array().unwrap().clone();
        let entry = cameras.iter().find(|entry| entry["id"].as_str() == Some(name)).unwrap();
        entry["raise_threshold"].as_float().unwrap()
    };
    assert!(of("south") < of("north"), "{text}");
    assert!(!raised(folder, "north.mp4", "north") && !raised(folder, "south.mp4", "south"));
    assert!(raised(folder, "event.mp4", "north") && raised(folder, "event.mp4", "south"));
    assert!(raised(folder, "north.mp4", "south"), "normal before one camera is none before another");

    let text = stdout(&run(folder, &["check"]));
    assert!(text.contains("ok    score     north: raise threshold 0."), "{text}");

    // One camera anew keeps the other; a threshold that is written down wins.
    footage(folder, "north.mp4", 180);
    let (north, south) = (of("north"), of("south"));
    assert!(run(folder, &["calibrate", "--camera", "north"]).status.success());
    assert!(of("north") > north && (of("south") - south).abs() < f64::EPSILON);
    let written = camera("north", "north.mp4", "score.raise_threshold = 0.1\nscore.clear_threshold = 0.05\n");
    write_config(folder, &format!("{BOARD}{written}"));
    assert!(raised(folder, "north.mp4", "north"));
    let text = stdout(&run(folder, &["check"]));
    assert!(text.contains("ok    score     north: the configuration's threshold holds"), "{text}");
}

#[test]
fn what_cannot_be_calibrated_is_named_and_costs_the_others_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tiny::bundle(&folder.join("bundle"));
    footage(folder, "north.mp4", 110);
    let config = format!("{BOARD}{}{}", camera("north", "north.mp4", ""), camera("gone", "gone.mp4", ""));
    write_config(folder, &config);
    let output = run(folder, &["calibrate"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("gone: no threshold: no normal footage with scores"), "{text}");
    assert_eq!(stored(folder)["camera"].as_array().unwrap().len(), 1);

    let output = run(folder, &["calibrate", "--camera", "west"]);
    assert!(stderr(&output).contains("no camera `west`; there are north, gone"), "{}", stderr(&output));
    for (option, value) in [("--hours", "0"), ("--hours", "169"), ("--per-day", "-1"), ("--per-day", "nan")] {
        let output = run(folder, &["calibrate", &format!("{option}={value}")]);
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
    }
    write_config(folder, BOARD);
    let output = run(folder, &["calibrate"]);
    assert!(stderr(&output).contains("there is nothing to calibrate"), "{}", stderr(&output));
}
