//! The real program on generated videos with a tiny model: scores, alarms, delivery and refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use alarm_proto::{EventKind, Message};
use common::broker::Broker;
use common::hub::FakeHub;
use common::{board, eventually, stderr, stdout, tiny, watchpostd, write_config};
use vad_core::ScoreSpec;
use watchpostd::outbox::{Outbox, RecordStore};

fn replay(folder: &Path, video: &str, more: &[&str]) -> Output {
    watchpostd()
        .args(["replay", "--bundle"])
        .arg(folder.join("bundle"))
        .arg(folder.join(video))
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const BOARD: &str = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n";

#[test]
fn scores_and_edges_follow_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 6, 2, 2);
    let rows = json_lines(&replay(folder.path(), "event.mp4", &["--json", "--scores", "scores.csv"]));
    assert_eq!(rows.len(), 6);
    let edges: Vec<_> = rows.iter().map(|r| r["edge"].as_str().unwrap_or("-")).collect();
    assert_eq!(edges, ["-", "-", "raised", "-", "cleared", "-"]);
    for (n, row) in rows.iter().enumerate() {
        let brightness = if (2..4).contains(&n) { 220.0 } else { 30.0 } / 255.0;
        let expected = tiny::expected_score(brightness);
        // The codec may shift a grey value by one or two.
        assert!((row["raw"].as_f64().unwrap() - f64::from(expected)).abs() < 0.02, "{row}");
        assert_eq!(row["first_frame"], n * 16);
        assert_eq!(row["start_s"].as_f64().unwrap(), (n * 1_600) as f64 / 1_000.0);
    }
    let csv = std::fs::read_to_string(folder.path().join("scores.csv")).unwrap();
    assert_eq!(csv.lines().count(), 7);
    let raw: f32 = csv.lines().nth(3).unwrap().split(',').nth(5).unwrap().parse().unwrap();
    assert_eq!(
        f64::from(raw) as f32,
        rows[2]["raw"].as_f64().unwrap() as f32,
        "both forms carry the same bits"
    );
}

#[test]
fn a_reader_that_has_enough_ends_it_without_a_complaint() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 6, 2, 2);
    let mut command = watchpostd();
    command.args(["replay", "--json", "--bundle", "bundle", "event.mp4"]).current_dir(folder.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141), "{}", stderr(&output));
    assert!(!stderr(&output).contains("standard output"), "{}", stderr(&output));
}

#[test]
fn the_tail_of_a_video_is_scored() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::video(&folder.path().join("short.mp4"), &[200; 21]);
    let rows = json_lines(&replay(folder.path(), "short.mp4", &["--json"]));
    let frames: Vec<_> = rows.iter().map(|r| r["frames"].as_u64().unwrap()).collect();
    assert_eq!(frames, [16, 5]);
    let table = replay(folder.path(), "short.mp4", &[]);
    assert!(
        stdout(&table).lines().last().unwrap().contains("cleared"),
        "an event does not outlive its stream"
    );
}

#[test]
fn a_folder_of_images_plays_like_a_video() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    let frames = folder.path().join("frames");
    std::fs::create_dir(&frames).unwrap();
    for n in 0..20 {
        let value = if n < 16 { 30 } else { 220 };
        image::RgbImage::from_pixel(40, 24, image::Rgb([value; 3]))
            .save(frames.join(format!("{n}.png")))
            .unwrap();
    }
    let rows = json_lines(&replay(folder.path(), "frames", &["--json"]));
    assert_eq!(rows.len(), 2);
    for (row, value) in rows.iter().zip([30.0, 220.0]) {
        let expected = f64::from(tiny::expected_score(value / 255.0));
        assert!((row["raw"].as_f64().unwrap() - expected).abs() < 1e-5, "{row}");
    }
}

#[test]
fn a_pulse_that_does_not_divide_the_clips_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::video(&folder.path().join("short.mp4"), &[200; 21]);
    let pulse = |frames: usize| {
        write_config(folder.path(), &format!("{BOARD}pulse = {frames}\n"));
        replay(folder.path(), "short.mp4", &["--config", "board.toml"])
    };
    let refused = pulse(3);
    assert!(!refused.status.success());
    let says = stderr(&refused);
    assert!(says.contains("a pulse of 3 (model.pulse") && says.contains("16 frames every 16"), "{says}");
    assert!(pulse(4).status.success());
}

#[test]
fn a_configuration_brings_its_thresholds_and_its_outbox() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 5, 2, 1);
    let deaf = format!("{BOARD}[score]\nraise_threshold = 1.0\nclear_threshold = 0.9\n");
    write_config(folder.path(), &deaf);
    let rows = json_lines(&replay(folder.path(), "event.mp4", &["--json", "--config", "board.toml"]));
    assert!(rows.iter().all(|r| r["edge"].is_null()), "nothing reaches a threshold of 1");
    write_config(folder.path(), BOARD);
    json_lines(&replay(folder.path(), "event.mp4", &["--json", "--config", "board.toml"]));
    let (mut outbox, _) = Outbox::open(&folder.path().join("outbox.db"), &board(), 1 << 20).unwrap();
    let kinds: Vec<_> = outbox
        .between(0, u64::MAX, 10)
        .unwrap()
        .into_iter()
        .map(|r| match alarm_proto::decode(&r.bytes).unwrap() {
            Message::Alarm(alarm) => (alarm.kind, alarm.onset_media_ms, alarm.media_ms),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [(EventKind::Raised, 3_200, 4_800), (EventKind::Cleared, 3_200, 6_400)]);
}

#[test]
fn what_a_mask_hides_raises_nothing_and_a_zone_looks_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::video_left_and_right(&folder.path().join("right.mp4"), &[(30, 30), (30, 220), (30, 30)]);
    let left = "points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]";
    let right = "points = [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]";
    let camera = |id: &str, area: &str| {
        format!(
            "[[camera]]\nid = \"{id}\"\nsource = {{ kind = \"v4l\" }}\nscore = {{ raise_threshold = 0.3, clear_threshold = 0.2 }}\n{area}\n"
        )
    };
    let mask = camera("mask", &format!("[[camera.mask]]\nname = \"m\"\n{right}"));
    let elsewhere = camera("elsewhere", &format!("[[camera.zone]]\nname = \"z\"\n{left}"));
    let there = camera("there", &format!("[[camera.zone]]\nname = \"z\"\n{right}"));
    write_config(folder.path(), &format!("{BOARD}{mask}{elsewhere}{there}"));
    let raw = |id: &str| -> Vec<f32> {
        let rows = json_lines(&replay(
            folder.path(),
            "right.mp4",
            &["--json", "--config", "board.toml", "--camera", id],
        ));
        rows.iter().map(|row| row["raw"].as_f64().unwrap() as f32).collect()
    };
    let score = |left: f32, right: f32| tiny::expected_score((left + right) / 2.0 / 255.0);
    // Encoding smears the border a little into what is seen.
    let close = |got: Vec<f32>, expected: [f32; 3]| {
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.03), "{got:?} {expected:?}");
    };
    close(raw("mask"), [score(30.0, 128.0); 3]);
    close(raw("elsewhere"), [score(30.0, 128.0); 3]);
    close(raw("there"), [score(128.0, 30.0), score(128.0, 220.0), score(128.0, 30.0)]);
    let refused = replay(folder.path(), "right.mp4", &["--config", "board.toml", "--camera", "thare"]);
    assert!(
        stderr(&refused).contains("no camera `thare`; there are: mask, elsewhere, there"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_disarmed_camera_is_scored_and_raises_nothing() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 5, 2, 1);
    let camera = "[[camera]]\nid = \"north\"\narmed = \"never\"\nsource = { kind = \"file\", path = \"event.mp4\", pace = \"fast\" }\n";
    let config = write_config(folder.path(), &format!("{BOARD}{camera}"));
    let output = watchpostd().args(["run", "--config"]).arg(&config).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let log = stderr(&output);
    assert!(log.contains("disarmed") && log.contains("clips=5") && !log.contains("kind=Raised"), "{log}");
    let (outbox, _) = Outbox::open(&folder.path().join("outbox.db"), &board(), 1 << 20).unwrap();
    assert_eq!(outbox.status().depth, 0);
}

#[test]
fn a_covered_lens_raises_nothing_new_unless_it_is_tolerated() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    // Grey without contrast: covered after 3 s, bright from 4.8 s on.
    let frames: Vec<u8> = (0..96).map(|frame| if frame < 48 { 60 } else { 220 }).collect();
    tiny::video(&folder.path().join("covered.mp4"), &frames);
    let tolerant = "[[camera]]\nid = \"fog\"\ntolerate = [\"covered\"]\nsource = { kind = \"v4l\" }\n";
    write_config(folder.path(), &format!("{BOARD}{tolerant}"));
    let edges = |more: &[&str]| {
        let output = replay(folder.path(), "covered.mp4", &[&["--json"], more].concat());
        let rows = json_lines(&output);
        assert!(rows.iter().skip(3).all(|row| row["raw"].as_f64().unwrap() > 0.9), "scored all the same");
        let held = stderr(&output).contains("the picture is covered; no new alarm is raised");
        (rows.iter().filter(|row| !row["edge"].is_null()).count(), held)
    };
    assert_eq!(edges(&[]), (0, true));
    assert_eq!(edges(&["--config", "board.toml", "--camera", "fog"]), (1, false));
}

#[test]
fn a_camera_that_switches_to_night_raises_nothing_and_watches_the_night() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::night_video(&folder.path().join("dusk.mp4"), 32, 128);
    let camera = |id: &str, tolerate: &str| {
        format!("[[camera]]\nid = \"{id}\"\ntolerate = [{tolerate}]\nsource = {{ kind = \"v4l\" }}\n")
    };
    let cameras = camera("yard", "\"frozen\"") + &camera("still", "\"frozen\", \"switched\"");
    write_config(folder.path(), &format!("{BOARD}{cameras}"));
    let raised = |id: &str| {
        let output = replay(folder.path(), "dusk.mp4", &["--json", "--config", "board.toml", "--camera", id]);
        let rows = json_lines(&output);
        let bright: Vec<usize> =
            (0..rows.len()).filter(|&n| rows[n]["raw"].as_f64().unwrap() > 0.9).collect();
        assert_eq!(bright, [3, 4, 13, 14], "scored all the same");
        let held = stderr(&output).contains("the picture is switched; no new alarm is raised");
        let raised = (0..rows.len()).filter(|&n| rows[n]["edge"] == "raised").collect::<Vec<_>>();
        (raised, held)
    };
    assert_eq!(raised("yard"), (vec![13], true));
    assert_eq!(raised("still"), (vec![3, 13], false));
}

#[test]
fn what_is_held_back_at_nightfall_leaves_no_cool_down() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    // Bright again 6.4 s after the first time, and 1.6 s after the camera has settled.
    tiny::night_video(&folder.path().join("dusk.mp4"), 32, 64);
    let cool_down_ms = ScoreSpec::default().cool_down_ms;
    assert!(cool_down_ms >= 10_000);
    let camera = |id: &str, tolerate: &str| {
        format!(
            "[[camera]]\nid = \"{id}\"\ntolerate = [{tolerate}]\nsource = {{ kind = \"v4l\" }}\nscore.cool_down_ms = {cool_down_ms}\n"
        )
    };
    let cameras = camera("yard", "\"frozen\"") + &camera("still", "\"frozen\", \"switched\"");
    write_config(folder.path(), &format!("{BOARD}{cameras}"));
    let raised = |id: &str| {
        let output = replay(folder.path(), "dusk.mp4", &["--json", "--config", "board.toml", "--camera", id]);
        let rows = json_lines(&output);
        (0..rows.len()).filter(|&n| rows[n]["edge"] == "raised").collect::<Vec<_>>()
    };
    assert_eq!(raised("yard"), [9]);
    assert_eq!(raised("still"), [3], "its event cools down");
}

#[test]
fn run_plays_file_cameras_side_by_side_and_delivers() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 5, 2, 1);
    tiny::event_video(&folder.path().join("quiet.mp4"), 5, 0, 0);
    let hub = FakeHub::start(broker.port);
    let config = write_config(
        folder.path(),
        &format!(
            "{BOARD}[network]\nbroker = \"mqtt://127.0.0.1:{}\"\n\
             [[camera]]\nid = \"north\"\nsource = {{ kind = \"file\", path = \"event.mp4\", pace = \"fast\" }}\n\
             [[camera]]\nid = \"quiet\"\nsource = {{ kind = \"file\", path = \"quiet.mp4\", pace = \"fast\" }}\n\
             [[camera]]\nid = \"broken\"\nsource = {{ kind = \"file\", path = \"missing.mp4\", pace = \"fast\" }}\n",
            broker.port
        ),
    );
    let output = watchpostd().args(["run", "--config"]).arg(&config).output().unwrap();
    assert!(!output.status.success(), "a camera whose file is missing shows in the status");
    assert!(stderr(&output).contains("missing.mp4"), "{}", stderr(&output));
    eventually("both edges and the fault of the broken camera arrived", || hub.seen.unique() == 3);
}

#[test]
fn a_running_board_ends_at_once_on_sigterm_and_clears_its_event() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::video(&folder.path().join("bright.mp4"), &[220; 64]);
    let config = write_config(
        folder.path(),
        &format!(
            "{BOARD}[[camera]]\nid = \"north\"\nsource = {{ kind = \"file\", path = \"bright.mp4\", loop = true }}\n"
        ),
    );
    let mut child =
        watchpostd().args(["run", "--config"]).arg(&config).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("kind=Raised")), "an alarm is raised");
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(log.filter(|line| line.contains("kind=Cleared")).count(), 1);
    assert!(child.wait().unwrap().success());
    let path = folder.path().join("outbox.db");
    let (mut outbox, _) = Outbox::open(&path, &board(), 1 << 20).unwrap();
    let last = outbox.between(0, u64::MAX, usize::MAX).unwrap().pop().unwrap();
    let Message::Alarm(alarm) = alarm_proto::decode(&last.bytes).unwrap() else { panic!("an alarm") };
    assert_eq!(alarm.kind, EventKind::Cleared);
}

#[test]
fn check_tells_what_is_wrong_and_what_is_only_missing_now() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::video(&folder.path().join("a.mp4"), &[9; 4]);
    let camera = "[[camera]]\nid = \"north\"\nsource = { kind = \"file\", path = \"a.mp4\" }\n";
    let network = "[network]\nbroker = \"mqtt://127.0.0.1:1\"\n";
    let config = write_config(folder.path(), &format!("{BOARD}{network}{camera}"));
    let check = || watchpostd().args(["check", "--config"]).arg(&config).output().unwrap();
    let output = check();
    assert!(output.status.success(), "{}", stdout(&output));
    assert!(stdout(&output).contains("warn  network"), "{}", stdout(&output));
    assert!(stdout(&output).contains("ok    camera    north: a frame of 32x32"), "{}", stdout(&output));
    assert!(!folder.path().join("outbox.db").exists(), "check changes nothing");
    std::fs::remove_file(folder.path().join("a.mp4")).unwrap();
    let output = check();
    assert!(!output.status.success());
    assert!(stdout(&output).contains("FAIL  camera"), "{}", stdout(&output));
}

#[test]
fn bad_input_names_the_file_and_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 30, 2, 2);
    let whole = std::fs::read(folder.path().join("event.mp4")).unwrap();
    std::fs::write(folder.path().join("cut.mp4"), &whole[..whole.len() * 2 / 3]).unwrap();
    std::fs::write(folder.path().join("text.mp4"), "not a video").unwrap();
    for video in ["cut.mp4", "text.mp4", "missing.mp4"] {
        let output = replay(folder.path(), video, &["--scores", "scores.json"]);
        assert!(!output.status.success(), "{video}");
        assert!(stderr(&output).contains(video), "{video}: {}", stderr(&output));
    }
    assert!(!folder.path().join("scores.json").exists());
    let encoder = folder.path().join("bundle/encoder.onnx");
    let mut bytes = std::fs::read(&encoder).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&encoder, bytes).unwrap();
    let output = replay(folder.path(), "event.mp4", &[]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("encoder.onnx"), "{}", stderr(&output));
}

#[test]
fn a_bundle_for_other_boards_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    tiny::bundle_for(&folder.path().join("bundle"), vec!["orin-nano".to_owned()]);
    tiny::video(&folder.path().join("a.mp4"), &[9; 4]);
    let camera = "[[camera]]\nid = \"north\"\nsource = { kind = \"file\", path = \"a.mp4\" }\n";
    let config = write_config(folder.path(), &format!("{BOARD}{camera}"));
    let output = watchpostd().args(["run", "--config"]).arg(&config).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("this bundle is for orin-nano"), "{}", stderr(&output));
}
