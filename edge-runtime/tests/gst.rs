//! Pipelines of GStreamer, played by the real `gst-launch-1.0`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::running::Board;
use common::{eventually, stderr, stdout, tiny, watchpostd, write_config};
use watchpostd::capture::{Camera, GstCamera};
use watchpostd::clock::SystemClock;
use watchpostd::config::{GstPipeline, GstSource};
use watchpostd::shutdown::Stop;

fn open_until(pipeline: &str, stop: &Stop) -> GstCamera {
    let source = GstSource { pipeline: GstPipeline::parse(pipeline).unwrap(), frame_rate_hz: 240.0 };
    GstCamera::open(&source, Arc::new(SystemClock::new()), stop.clone()).unwrap()
}

fn open(pipeline: &str) -> GstCamera {
    open_until(pipeline, &Stop::default())
}

/// Sizes of all pictures up to an error, and the error.
fn all_of(camera: &mut GstCamera) -> (Vec<(u32, u32)>, String) {
    let mut sizes = Vec::new();
    loop {
        match camera.next() {
            Ok(picture) => {
                picture.expect("nobody wants to end");
                let frame = camera.frame().unwrap();
                sizes.push((frame.width_px(), frame.height_px()));
            }
            Err(e) => return (sizes, e.to_string()),
        }
    }
}

/// Numbers of the processes whose arguments have this mark in them.
fn processes(mark: &str) -> Vec<u32> {
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_gst = |id: &u32| {
        let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        arguments.starts_with(b"gst-launch-1.0") && String::from_utf8_lossy(&arguments).contains(mark)
    };
    numbers.filter(is_gst).collect()
}

/// The only process with this mark, which leads a group.
fn leader(mark: &str) -> u32 {
    // A program that has just been started has no arguments yet.
    eventually(mark, || processes(mark).len() == 1);
    processes(mark)[0]
}

/// Whether there is nothing left of a group, not even a process that nobody has waited for.
fn is_gone(group: u32) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut groups = processes.filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // Number, name in brackets, state, parent, group.
        stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse::<u32>().ok()
    });
    groups.all(|number| number != group)
}

fn signal(signal: &str, mark: &str) {
    assert!(Command::new("kill").args([signal, &leader(mark).to_string()]).status().unwrap().success());
}

/// A camera that goes on and on; `mark` names one of its elements.
fn live(mark: &str) -> String {
    format!(
        "videotestsrc is-live=true pattern=ball name={mark} ! video/x-raw,width=320,height=240,framerate=20/1"
    )
}

#[test]
fn pictures_have_their_size_and_their_colours() {
    for (colour, expected) in
        [("red", [255, 0, 0]), ("green", [0, 255, 0]), ("blue", [0, 0, 255]), ("white", [255; 3])]
    {
        // High pictures have other colours unless they are asked for.
        for (asked, given) in [
            ("width=64,height=48", (64, 48)),
            ("width=1280,height=720", (1280, 720)),
            ("width=35,height=17", (32, 16)),
        ] {
            let mut camera = open(&format!(
                "videotestsrc pattern={colour} num-buffers=3 ! video/x-raw,format=BGRx,{asked}"
            ));
            camera.next().unwrap().expect("a picture");
            let frame = camera.frame().unwrap();
            assert_eq!((frame.width_px(), frame.height_px()), given);
            let is_near = |pixel: &[u8]| pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 3);
            let pixel = &frame.data()[..3];
            assert!(frame.data().chunks_exact(3).all(is_near), "{colour}, {asked}: {pixel:?}");
        }
    }
}

#[test]
fn a_pipeline_that_ends_or_cannot_play_says_why() {
    let (sizes, error) =
        all_of(&mut open("videotestsrc is-live=true num-buffers=7 ! video/x-raw,width=64,height=48"));
    assert_eq!(sizes, [(64, 48); 7]);
    assert_eq!(
        error,
        "gst videotestsrc: gst-launch-1.0 ended: the pipeline came to its end, which no camera has"
    );
    let folder = tempfile::tempdir().unwrap();
    let touched = folder.path().join("by-a-shell");
    let shell = format!("videotestsrc $(touch {})", touched.display());
    for (pipeline, says) in [
        ("nosuchsrc ! video/x-raw", "no element \"nosuchsrc\"; `gst-inspect-1.0 NAME`"),
        ("videotestsrc ! ! fakesink", "syntax error"),
        ("videotestsrc ! video/x-h264", "could not link"),
        ("filesrc location='/nonexistent/a film' ! decodebin", "No such file \"...\""),
        (&shell, "gst-launch-1.0 ended: "),
        ("--version", "syntax error"),
        ("nosuch://u:hunter2@127.0.0.1:9/x ! decodebin", "gst: gst-launch-1.0 ended: "),
        ("http://u:hunter2@127.0.0.1:9/x ! decodebin", "gst: gst-launch-1.0 ended: "),
    ] {
        let (sizes, error) = all_of(&mut open(pipeline));
        assert!(
            sizes.is_empty() && error.contains(says) && !error.contains("hunter2"),
            "{pipeline}: {error}"
        );
    }
    assert!(!touched.exists());
}

#[test]
fn another_size_in_the_middle_ends_the_stream_before_a_torn_picture_is_seen() {
    for (first, second) in [((640, 480), (320, 240)), ((320, 240), (640, 480))] {
        let part = |(width, height)| {
            format!(
                "videotestsrc is-live=true num-buffers=20 ! video/x-raw,width={width},height={height},framerate=20/1 ! c."
            )
        };
        let (sizes, error) = all_of(&mut open(&format!("{} {} concat name=c", part(first), part(second))));
        // The last of them cannot be told from one of the new size until the one after it.
        assert!(
            (19..=20).contains(&sizes.len()) && sizes.iter().all(|&size| size == first),
            "{}",
            sizes.len()
        );
        assert!(error.contains("not of the") && error.contains("any more"), "{error}");
    }
}

#[test]
fn a_child_that_stalls_is_an_error_in_time_and_is_killed() {
    let mut camera = open(&live("stalling"));
    camera.next().unwrap().expect("a picture");
    let group = leader("name=stalling");
    signal("-STOP", "name=stalling");
    let begun = Instant::now();
    let (_, error) = all_of(&mut camera);
    // Promised are three seconds.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(error.starts_with("gst videotestsrc: no picture for 2"), "{error}");
    drop(camera);
    assert!(is_gone(group), "it was stopped, and cannot end by itself");
    open(&live("stalling")).next().unwrap().expect("a picture of another one");
}

#[test]
fn a_child_that_crashes_is_an_error_and_no_end_leaves_a_process_behind() {
    let mut camera = open(&live("crashing"));
    camera.next().unwrap().expect("a picture");
    let group = leader("name=crashing");
    signal("-SEGV", "name=crashing");
    let (_, error) = all_of(&mut camera);
    assert!(error.contains("ended by signal 11"), "{error}");
    assert!(is_gone(group));

    let stop = Stop::default();
    let mut camera = open_until(&live("ending"), &stop);
    camera.next().unwrap().expect("a picture");
    let group = leader("name=ending");
    assert!(!is_gone(group));
    stop.set();
    assert!(camera.next().unwrap().is_none());
    drop(camera);
    assert!(is_gone(group));

    // One that has not given a picture yet.
    let camera = open(&live("early"));
    let group = leader("name=early");
    drop(camera);
    assert!(is_gone(group));
}

fn config(folder: &Path, cameras: &[(&str, String)]) {
    tiny::bundle(&folder.join("bundle"));
    let mut text = "[board]\nid = \"b\"\nsite = \"s\"\n[model]\nbundle = \"bundle\"\n".to_owned();
    for (id, source) in cameras {
        text += &format!(
            "[[camera]]\nid = \"{id}\"\ntolerate = [\"dark\", \"covered\", \"frozen\", \"moved\"]\nsource = {{ {source} }}\n"
        );
    }
    write_config(folder, &text);
}

#[test]
fn the_board_reports_a_pipeline_that_died_and_plays_it_again_while_the_other_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let gst = |mark| format!("kind = \"gst\", pipeline = \"{}\"", live(mark));
    config(folder.path(), &[("north", gst("northern")), ("south", gst("southern"))]);
    let mut board = Board::start(folder.path());
    let scored = |board: &Board, camera: &str| {
        board.log().lines().filter(|line| line.contains("scored") && line.contains(camera)).count()
    };
    eventually("both are scored", || scored(&board, "north") > 0 && scored(&board, "south") > 0);
    signal("-KILL", "name=northern");
    board.await_faults((1, 1));
    let of_north = scored(&board, "north");
    eventually("it is scored again", || scored(&board, "north") > of_north);
    signal("-STOP", "name=northern");
    board.await_faults((2, 1));
    let of_south = scored(&board, "south");
    eventually("the other goes on", || scored(&board, "south") > of_south);
    board.await_faults((2, 2));
    assert!(!board.log().contains("camera=south kind=NoPicture"), "{}", board.log());

    let groups = [leader("name=northern"), leader("name=southern")];
    let ended = Command::new("kill").args(["-TERM", &board.child.id().to_string()]).status().unwrap();
    assert!(ended.success() && board.child.wait().unwrap().success(), "{}", board.log());
    assert!(groups.map(is_gone).iter().all(|&gone| gone));
    assert_eq!(board.faults(), (2, 2), "an end is no fault");
}

#[test]
fn a_board_that_is_killed_leaves_no_pipeline_behind() {
    let folder = tempfile::tempdir().unwrap();
    config(folder.path(), &[("north", format!("kind = \"gst\", pipeline = \"{}\"", live("orphan")))]);
    let board = Board::start(folder.path());
    eventually("it is scored", || board.scored_clips() > 0);
    assert_eq!(processes("name=orphan").len(), 1);
    drop(board);
    eventually("nobody reads its pictures, so it ends", || processes("name=orphan").is_empty());
}

#[test]
fn check_that_is_interrupted_ends_the_pipeline_it_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    // It never gives a picture.
    let silent =
        "kind = \"gst\", pipeline = \"videotestsrc is-live=true name=interrupted ! valve drop=true\"";
    config(folder.path(), &[("silent", silent.to_owned())]);
    let mut check = watchpostd();
    check.args(["check", "--config", "board.toml"]).current_dir(folder.path());
    let mut check = check.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("it is played", || processes("name=interrupted").len() == 1);
    let group = leader("name=interrupted");
    assert!(Command::new("kill").args(["-INT", &check.id().to_string()]).status().unwrap().success());
    assert!(!check.wait().unwrap().success());
    assert!(is_gone(group));
}

#[test]
fn check_tells_what_a_pipeline_gives_or_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "kind = \"gst\", pipeline = \"rtspsrc location=rtsp://u:hunter2@127.0.0.1:9/x ! decodebin\"";
    let gst = "kind = \"gst\", pipeline = \"videotestsrc ! video/x-raw,width=64,height=48\"";
    config(folder.path(), &[("good", gst.to_owned()), ("bad", secret.to_owned())]);
    let check = |path: Option<&Path>| {
        let mut check = watchpostd();
        check.args(["check", "--config", "board.toml"]).current_dir(folder.path());
        check.env("WATCHPOSTD_LOG", "trace");
        if let Some(path) = path {
            check.env("PATH", path);
        }
        let output = check.output().unwrap();
        assert!(!output.status.success());
        stdout(&output) + &stderr(&output)
    };
    let said = check(None);
    assert!(said.contains("good: a frame of 64x48 from gst videotestsrc"), "{said}");
    assert!(said.contains("bad: gst rtspsrc: gst-launch-1.0 ended: ") && !said.contains("hunter2"), "{said}");
    let said = check(Some(Path::new("/nonexistent")));
    assert!(
        said.contains("good: gst videotestsrc: the program gst-launch-1.0 is not installed; apt-get install"),
        "{said}"
    );
}
