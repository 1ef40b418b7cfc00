//! `watchpostd replay --explain`: a picture of each alarm, and refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::Output;

use common::{lite, stderr, stdout, tiny, watchpostd, write_config};
use vad_core::RgbFrame;
use vad_video::VideoWriter;

/// Of the recording.
const WIDTH_PX: u32 = 96;
const HEIGHT_PX: u32 = 64;
const CLIPS: u64 = 5;

/// A bright square that crosses a dark ground; it is larger from clip to clip and gone in the last one.
fn video(path: &Path) {
    let mut writer = VideoWriter::create(path, WIDTH_PX, HEIGHT_PX, tiny::FRAME_RATE_HZ).unwrap();
    for frame in 0..CLIPS * 16 {
        let (left, side) = (frame % 64, if frame / 16 + 1 == CLIPS { 0 } else { 8 + 8 * (frame / 16) });
        let is_bright = |x: u64, y: u64| (left..left + side).contains(&x) && (16..16 + side).contains(&y);
        let pixels: Vec<u8> = (0..u64::from(HEIGHT_PX))
            .flat_map(|y| (0..u64::from(WIDTH_PX)).map(move |x| (x, y)))
            .flat_map(|(x, y)| [if is_bright(x, y) { 230 } else { 40 }; 3])
            .collect();
        writer.push(RgbFrame::new(WIDTH_PX, HEIGHT_PX, &pixels).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

fn replay(folder: &Path, more: &[&str]) -> Output {
    let mut command = watchpostd();
    command.args(["replay", "--bundle", "bundle", "gate 3.mp4"]).args(more);
    command.current_dir(folder).output().unwrap()
}

fn pictures(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn rows(output: &Output) -> Vec<serde_json::Value> {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_alarm_has_a_picture_of_its_highest_clip() {
    let folder = tempfile::tempdir().unwrap();
    lite::looking_bundle(&folder.path().join("bundle"));
    video(&folder.path().join("gate 3.mp4"));
    let rows = rows(&replay(folder.path(), &["--json", "--explain", "one/alarm"]));
    assert_eq!(rows.len() as u64, CLIPS);
    let raw = |row: &serde_json::Value| row["raw"].as_f64().unwrap();
    let highest = rows.iter().max_by(|a, b| raw(a).total_cmp(&raw(b))).unwrap();
    let name = format!("gate_3-{:09.3}s-{:.3}.png", highest["end_s"].as_f64().unwrap(), raw(highest));
    assert_eq!(pictures(&folder.path().join("one/alarm")), [name.as_str()]);
    let picture = image::open(folder.path().join("one/alarm").join(&name)).unwrap().to_rgb8();
    assert!(picture.width() > 2 * WIDTH_PX && picture.height() > HEIGHT_PX, "{:?}", picture.dimensions());
    let coloured = picture.pixels().filter(|pixel| pixel.0[0].abs_diff(pixel.0[2]) > 60).count();
    assert!(coloured > 200, "{coloured} pixels of the map and its scale");

    // A threshold within the scores: as many pictures as alarms, wherever they begin and end.
    let sorted = {
        let mut scores: Vec<f64> = rows.iter().map(raw).collect();
        scores.sort_by(f64::total_cmp);
        scores
    };
    let threshold = (sorted[1] + sorted[2]) / 2.0;
    let board = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n[score]\n";
    let limits = format!("raise_threshold = {threshold}\nclear_threshold = {threshold}\n");
    write_config(folder.path(), &format!("{board}{limits}cool_down_ms = 0\n"));
    let output = replay(folder.path(), &["--config", "board.toml", "--explain", "two"]);
    let text = stdout(&output);
    let events = text.matches("raised (event").count();
    assert!(output.status.success() && events > 0, "{text}{}", stderr(&output));
    assert_eq!(pictures(&folder.path().join("two")).len(), events, "{text}");
    for name in pictures(&folder.path().join("two")) {
        assert!(text.contains(&format!("explained by two/{name}")), "{name} in {text}");
    }
}

#[test]
fn pictures_change_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    lite::looking_bundle(&folder.path().join("bundle"));
    video(&folder.path().join("gate 3.mp4"));
    let plain = rows(&replay(folder.path(), &["--json"]));
    assert_eq!(rows(&replay(folder.path(), &["--json", "--explain", "alarms"])), plain);
}

#[test]
fn a_bundle_without_attention_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    lite::bundle(&folder.path().join("bundle"), 112);
    let output = replay(folder.path(), &["--explain", "alarms"]);
    assert!(!output.status.success());
    for part in ["bundle", "no attention", "watchpost finetune", "watchpost export"] {
        assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
    }
    assert!(!stderr(&output).contains("gate 3.mp4"), "the recording, which is not there, was looked for");
    assert!(!folder.path().join("alarms").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    lite::looking_bundle(&folder.path().join("bundle"));
    std::fs::write(folder.path().join("alarms"), "a file").unwrap();
    let output = replay(folder.path(), &["--explain", "alarms"]);
    assert!(
        !output.status.success() && stderr(&output).contains("alarms: cannot write"),
        "{}",
        stderr(&output)
    );
}
