//! What is kept of an alarm, through the program itself: files that others read, without what a mask hides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{lite, stderr, stdout, tiny, watchpostd, write_config};
use serde_json::Value;
use vad_core::RgbFrame;
use vad_video::{FrameBuf, FrameSource, VideoWriter};

const BOARD: &str = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n";
const CAMERA: &str =
    "[[camera]]\nid = \"north\"\nsource = { kind = \"file\", path = \"event.mp4\", pace = \"fast\" }\n";

fn run(folder: &Path, config: &str) -> Output {
    write_config(folder, config);
    watchpostd().args(["run", "--config", "board.toml"]).current_dir(folder).output().unwrap()
}

/// Files of the camera with an ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("evidence/north")).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == ending));
    paths.sort();
    paths
}

fn sheet(folder: &Path) -> Value {
    let [path] = files(folder, "json").try_into().unwrap();
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Mean brightness of each picture's columns from `from` to `to`, 0 to 255.
fn brightness(video: &Path, from: u32, to: u32) -> Vec<f64> {
    let mut source = FrameSource::open_with_image_rate(video, 10.0).unwrap();
    let mut buf = FrameBuf::new();
    let mut means = Vec::new();
    while source.next_frame(&mut buf).unwrap() {
        let frame = buf.as_frame();
        let row = frame.width_px() as usize * 3;
        let bytes = frame.data().chunks_exact(row).flat_map(|row| &row[from as usize * 3..to as usize * 3]);
        let count = (to - from) * 3 * frame.height_px();
        means.push(bytes.map(|&byte| f64::from(byte)).sum::<f64>() / f64::from(count));
    }
    means
}

/// Dark, bright from 8.0 s to 12.8 s, dark again: ten pictures a second.
fn event(folder: &Path) {
    tiny::bundle(&folder.join("bundle"));
    tiny::event_video(&folder.join("event.mp4"), 14, 5, 3);
}

#[test]
fn an_alarm_leaves_a_picture_a_video_from_before_it_and_a_sheet() {
    let folder = tempfile::tempdir().unwrap();
    event(folder.path());
    let output =
        run(folder.path(), &format!("{BOARD}[evidence]\npre_roll_ms = 4000\npost_roll_ms = 3000\n{CAMERA}"));
    assert!(output.status.success(), "{}", stderr(&output));
    let sheet = sheet(folder.path());
    let ms = |key: &str| sheet[key].as_u64().unwrap();
    let (raised, cleared) = (ms("raised_media_ms"), ms("cleared_media_ms"));
    assert!(sheet["is_complete"].as_bool().unwrap() && raised < cleared, "{sheet}");
    assert_eq!((sheet["camera"].as_str(), sheet["severity"].as_str()), (Some("north"), Some("critical")));
    assert!(sheet["record"].as_str().unwrap().starts_with("gate-1/"));
    let clip = &sheet["clip"];
    let (begin, end) = (clip["begin_media_ms"].as_u64().unwrap(), clip["end_media_ms"].as_u64().unwrap());
    assert!((raised - 5_200..=raised - 4_000).contains(&begin), "{begin} before {raised}");
    assert_eq!(end, cleared + 3_000);
    assert_eq!(clip["missed_frames"], 0);
    let scores = sheet["scores"].as_array().unwrap();
    assert!(scores.iter().any(|point| point["media_ms"].as_u64().unwrap() < raised), "before the alarm");
    assert!(scores.iter().any(|point| point["media_ms"].as_u64().unwrap() > cleared), "and after its end");

    let [video] = files(folder.path(), "mp4").try_into().unwrap();
    let seen = brightness(&video, 0, 32);
    assert_eq!(seen.len() as u64, (end - begin) / 100, "every picture, once");
    for (picture, value) in (0..).zip(&seen) {
        let is_bright = (80..128).contains(&(begin / 100 + picture));
        let expected = if is_bright { 220.0 } else { 30.0 };
        assert!((value - expected).abs() < 12.0, "picture {picture}: {value}, expected {expected}");
    }

    let [snapshot] = files(folder.path(), "jpg").try_into().unwrap();
    let picture = image::open(snapshot).unwrap().to_rgb8();
    assert!(picture.width() > 32 && picture.height() > 32 + 50, "{:?}", picture.dimensions());
}

#[test]
fn players_find_nothing_wrong_with_the_video() {
    let folder = tempfile::tempdir().unwrap();
    event(folder.path());
    let output = run(folder.path(), &format!("{BOARD}[evidence]\n{CAMERA}"));
    assert!(output.status.success(), "{}", stderr(&output));
    let [video] = files(folder.path(), "mp4").try_into().unwrap();
    let mut strict = Command::new("ffmpeg");
    strict.args(["-v", "warning", "-err_detect", "explode", "-i"]).arg(&video).args(["-f", "null", "-"]);
    let checked = strict.output().unwrap();
    assert!(checked.status.success() && stderr(&checked).is_empty(), "{}", stderr(&checked));
    let mut probe = Command::new("ffprobe");
    probe.args([
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name,profile,color_range,color_space,r_frame_rate",
    ]);
    let probed = stdout(&probe.args(["-of", "default=nw=1"]).arg(&video).output().unwrap());
    for fact in ["codec_name=h264", "profile=Constrained Baseline", "color_range=tv", "r_frame_rate=10/1"] {
        assert!(probed.contains(fact), "{fact} in {probed}");
    }
    // What a power cut leaves plays too.
    let whole = std::fs::read(&video).unwrap();
    let cut = folder.path().join("cut.mp4");
    std::fs::write(&cut, &whole[..whole.len() * 2 / 3]).unwrap();
    let mut count = Command::new("ffprobe");
    count.args(["-v", "quiet", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]);
    let frames: u64 = stdout(&count.arg(&cut).output().unwrap()).trim().trim_matches(',').parse().unwrap();
    assert!(frames > 20, "{frames} pictures of a cut file");
}

#[test]
fn what_a_mask_hides_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    // The left half is bright from the third clip on and stays it; the right half, which is hidden, has stripes in time.
    tiny::video_left_and_right(
        &folder.path().join("event.mp4"),
        &[(40, 250), (40, 10), (250, 250), (250, 10), (250, 250), (40, 10), (40, 250), (40, 10)],
    );
    let mask =
        "[[camera.mask]]\nname = \"neighbour\"\npoints = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]\n";
    let tolerate = CAMERA.replace("id =", "tolerate = [\"covered\", \"frozen\", \"moved\"]\nid =");
    let text = format!("{BOARD}[evidence]\npre_roll_ms = 10000\n{tolerate}{mask}");
    let output = run(folder.path(), &text);
    assert!(output.status.success(), "{}", stderr(&output));
    let [video] = files(folder.path(), "mp4").try_into().unwrap();
    let hidden = brightness(&video, 20, 32);
    assert!(hidden.len() > 60 && hidden.iter().all(|value| (value - 128.0).abs() < 6.0), "{hidden:?}");
    assert!(brightness(&video, 0, 12).iter().any(|value| *value > 200.0), "the rest is seen");
    let [snapshot] = files(folder.path(), "jpg").try_into().unwrap();
    let picture = image::open(snapshot).unwrap().to_rgb8();
    // The picture stands below four lines of captions and left of everything.
    let (left, top) = (8, 8 + 4 * 11);
    let at = |x: u32, y: u32| picture.get_pixel(left + x, top + y).0[0];
    assert!(at(26, 16).abs_diff(128) < 16 && at(6, 16) > 200, "{} and {}", at(26, 16), at(6, 16));
}

#[test]
fn a_model_that_can_say_where_it_looked_does() {
    let folder = tempfile::tempdir().unwrap();
    lite::looking_bundle(&folder.path().join("bundle"));
    let mut writer = VideoWriter::create(&folder.path().join("event.mp4"), 96, 64, 10.0).unwrap();
    for frame in 0..64_u32 {
        let is_bright = |x: u32, y: u32| (frame..frame + 24).contains(&x) && (16..40).contains(&y);
        let pixels: Vec<u8> = (0..64)
            .flat_map(|y| (0..96).map(move |x| (x, y)))
            .flat_map(|(x, y)| [if is_bright(x, y) { 230 } else { 40 }; 3])
            .collect();
        writer.push(RgbFrame::new(96, 64, &pixels).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let output = run(folder.path(), &format!("{BOARD}[evidence]\n{CAMERA}"));
    assert!(output.status.success(), "{}", stderr(&output));
    let snapshots = files(folder.path(), "jpg");
    assert!(!snapshots.is_empty(), "{}", stdout(&output));
    let picture = image::open(&snapshots[0]).unwrap().to_rgb8();
    assert!(picture.width() > 2 * 96, "the map beside the picture");
    let coloured = picture.pixels().filter(|pixel| pixel.0[0].abs_diff(pixel.0[2]) > 60).count();
    assert!(coloured > 200, "{coloured} pixels of the map and its scale");
}

#[test]
fn without_the_section_nothing_is_kept_and_a_disk_that_refuses_costs_no_alarm() {
    let folder = tempfile::tempdir().unwrap();
    event(folder.path());
    let output = run(folder.path(), &format!("{BOARD}{CAMERA}"));
    assert!(output.status.success() && !folder.path().join("evidence").exists(), "{}", stderr(&output));

    std::fs::write(folder.path().join("evidence"), "no folder").unwrap();
    let output = run(folder.path(), &format!("{BOARD}[evidence]\n{CAMERA}"));
    let log = stderr(&output);
    assert!(output.status.success() && log.contains("evidence cannot be stored"), "{log}");
    assert!(log.contains("kind=Raised") && log.contains("kind=Cleared"), "{log}");
    let checked =
        watchpostd().args(["check", "--config", "board.toml"]).current_dir(folder.path()).output().unwrap();
    assert!(stdout(&checked).contains("FAIL  evidence  "), "{}", stdout(&checked));
}
