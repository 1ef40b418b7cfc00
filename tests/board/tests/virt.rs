//! The whole chain on the emulated board: footage into its camera, an alarm, a line of its GPIO chip, and the hub on this machine.
//! `cargo xtask board virt` builds the board's program and runs this test with its path in `WATCHPOSTD_AARCH64`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use std::path::Path;
use std::process::Command;

use board_tests::spec::{Gpio, Line};
use board_tests::vivid::{FIRST, RATE_HZ};
use board_tests::{Board, Remote};
use e2e_tests::finish;
use rig::footage::Footage;
use rig::{BOARD, Hub, board_program, install, light_bundle, new_board, watch};

#[test]
fn footage_becomes_a_local_alarm_and_an_alarm_at_the_hub() {
    let Some(watchpostd) = board_program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = light_bundle(folder.path());
    let footage = Footage::make(folder.path(), &bundle);
    let hub = Hub::start(folder.path());
    let running = new_board(folder.path(), hub.port).start(Some(&footage.raw)).unwrap();
    let board = &running.remote;
    let gpio = Board::read("virt").unwrap().gpio.unwrap();
    let Line::Number(siren_line) = gpio.siren_line else { panic!("{gpio:?}") };
    install(&running, &watchpostd, Some(&bundle), &sections(&footage, &gpio));
    FIRST.play(board, Footage::ON_BOARD).unwrap();
    println!("{}", board.run("/data/watchpostd check --config /data/board.toml").unwrap());

    let says = || board.run("tail -40 /data/log").unwrap_or_default();
    let siren = || level(board, siren_line);
    assert_eq!(siren(), None, "nobody has the line yet");
    watch(&running);
    rig::wait_until("the program has the line, and it is off", says, || siren() == Some(false));
    rig::wait_until("the siren is on", says, || siren() == Some(true));
    rig::wait_until("an alarm is at the hub", says, || !hub.alarms().is_empty());
    let alarm = &hub.alarms()[0];
    println!("at the hub: {alarm:?}");
    assert_eq!(
        (alarm.board.as_str(), alarm.camera.as_str(), alarm.kind.as_str()),
        (BOARD, "north", "raised")
    );

    let kept = Kept::fetch(board, says, folder.path());
    println!("kept of it: {kept:?}");
    assert_eq!(kept.sheet["camera"], "north");
    assert!(kept.frames > 10, "a video that plays");
    assert!(kept.snapshot_px.0 >= 320 && kept.snapshot_px.1 > 240, "the picture with the score over time");

    running.press_power_key().unwrap();
    rig::wait_until("somebody has seen the alarm, and the siren is off", says, || siren() == Some(false));
    rig::wait_until("another event sounds it again", says, || siren() == Some(true));

    // It is killed while the siren is on, and what a service manager runs then makes the board safe.
    board.run("killall -9 watchpostd").unwrap();
    assert!(level_left_behind(board, siren_line), "this chip keeps its levels");
    board.run("/data/watchpostd safe --config /data/board.toml").unwrap();
    assert!(!level_left_behind(board, siren_line), "the siren sounds after its program has died");

    // It is asked to end while its camera goes on, and leaves a silent siren and a finished event behind.
    watch(&running);
    rig::wait_until("the siren is on again", says, || siren() == Some(true));
    board.run("killall -TERM watchpostd").unwrap();
    rig::wait_until("the program has ended", says, || {
        board.run("pidof watchpostd || true").unwrap().is_empty()
    });
    assert!(!level_left_behind(board, siren_line), "the siren sounds after its program has ended");
    rig::wait_until("the end of the event is at the hub", says, || {
        hub.alarms().last().is_some_and(|alarm| alarm.kind == "cleared")
    });
}

/// What the board kept of an event, as it is on this machine.
#[derive(Debug)]
struct Kept {
    sheet: serde_json::Value,
    /// Pictures of the video.
    frames: usize,
    snapshot_px: (u32, u32),
}

impl Kept {
    /// Fetches the first event that is complete, and looks at it with this machine's programs.
    fn fetch(board: &Remote, says: impl Fn() -> String, folder: &Path) -> Self {
        let complete = "grep -l '\"is_complete\": true' /data/evidence/north/*.json 2>/dev/null || true";
        let first = || board.run(complete).unwrap().lines().next().map(str::to_owned);
        rig::wait_until("an event's picture and video are complete", says, || first().is_some());
        let sheet = first().unwrap();
        let stem = sheet.strip_suffix(".json").unwrap();
        let [json, clip, snapshot] = ["json", "mp4", "jpg"].map(|ending| {
            let path = folder.join(format!("kept.{ending}"));
            std::fs::write(&path, board.get(&format!("{stem}.{ending}")).unwrap()).unwrap();
            path
        });
        let count = probe(&clip, &["-count_frames", "-show_entries", "stream=nb_read_frames"]);
        let size = probe(&snapshot, &["-show_entries", "stream=width,height"]);
        let (width, height) = size.split_once(',').unwrap();
        Self {
            sheet: serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap(),
            frames: count.parse().unwrap(),
            snapshot_px: (width.parse().unwrap(), height.parse().unwrap()),
        }
    }
}

/// What `ffprobe` says of a file.
fn probe(file: &Path, what: &[&str]) -> String {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-of", "csv=p=0"]).args(what).arg(file);
    finish(&mut ffprobe).expect_success().stdout.trim().trim_end_matches(',').to_owned()
}

/// Level of a line that a program drives, as the kernel tells it; nothing while nobody drives it.
fn level(board: &Remote, line: u32) -> Option<bool> {
    let chips = board.run("cat /sys/kernel/debug/gpio").unwrap();
    let name = format!("gpio-{}", number(&chips, line));
    let found = chips.lines().find(|text| text.split_whitespace().next() == Some(&name))?;
    assert!(found.contains("watchpostd"), "{found}");
    found.contains("out").then(|| found.contains("hi"))
}

/// The kernel's number of a line of the first chip.
fn number(chips: &str, line: u32) -> u32 {
    let first = chips.split("GPIOs ").nth(1).unwrap().split('-').next().unwrap();
    first.parse::<u32>().unwrap() + line
}

/// Level of a line that nobody drives any more. The old interface is the one that looks without asking for a direction.
fn level_left_behind(board: &Remote, line: u32) -> bool {
    let number = number(&board.run("cat /sys/kernel/debug/gpio").unwrap(), line);
    let look = format!(
        "cd /sys/class/gpio && echo {number} > export && cat gpio{number}/value && echo {number} > unexport"
    );
    board.run(&look).unwrap().trim() == "1"
}

fn sections(footage: &Footage, gpio: &Gpio) -> String {
    format!(
        r#"
        [score]
        raise_threshold = {threshold}
        clear_threshold = {threshold}
        min_duration_ms = 0

        [evidence]
        pre_roll_ms = 3000
        post_roll_ms = 2000
        # The disk of this board is small.
        min_free_bytes = 4194304

        [[output]]
        name = "siren"
        kind = "gpio"
        chip = "{chip}"
        line = {line}
        mode = "latch"

        [[input]]
        chip = "{chip}"
        line = {button_line}
        does = "acknowledge"

        [[camera]]
        id = "north"
        # The footage goes from one place to another, which is no fault here.
        tolerate = ["moved"]
        source = {{ kind = "v4l", device = "/dev/video0", width_px = 320, height_px = 240, frame_rate_hz = {rate} }}
        "#,
        threshold = footage.threshold,
        chip = gpio.chip,
        button_line = gpio.acknowledge_line,
        line = gpio.siren_line,
        rate = RATE_HZ / Footage::REPEATS,
    )
}
