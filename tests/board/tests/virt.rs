//! The whole chain on the emulated board: footage into its camera, an alarm, a line of its GPIO chip, and the hub on this machine.
//! `cargo xtask board virt` builds the board's program and runs this test with its path in `WATCHPOSTD_AARCH64`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use board_tests::vivid::{FIRST, RATE_HZ};
use rig::footage::Footage;
use rig::{BOARD, Hub, board_program, install, light_bundle, new_board, watch};

#[test]
fn footage_becomes_an_alarm_at_the_hub() {
    let Some(watchpostd) = board_program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = light_bundle(folder.path());
    let footage = Footage::make(folder.path(), &bundle);
    let hub = Hub::start(folder.path());
    let board = new_board(folder.path(), &hub).start(Some(&footage.raw)).unwrap();
    install(&board, &watchpostd, Some(&bundle), &camera(&footage));

    FIRST.play(&board.remote, Footage::ON_BOARD).unwrap();
    println!("{}", board.remote.run("/data/watchpostd check --config /data/board.toml").unwrap());
    watch(&board);
    let says = || board.remote.run("tail -40 /data/log").unwrap_or_default();
    rig::wait_until("an alarm is at the hub", says, || !hub.alarms().is_empty());
    let alarm = &hub.alarms()[0];
    println!("at the hub: {alarm:?}");
    assert_eq!(
        (alarm.board.as_str(), alarm.camera.as_str(), alarm.kind.as_str()),
        (BOARD, "north", "raised")
    );
}

fn camera(footage: &Footage) -> String {
    format!(
        r#"
        [score]
        raise_threshold = {threshold}
        clear_threshold = {threshold}
        min_duration_ms = 0

        [[camera]]
        id = "north"
        source = {{ kind = "v4l", device = "/dev/video0", width_px = 320, height_px = 240, frame_rate_hz = {rate} }}
        "#,
        threshold = footage.threshold,
        rate = RATE_HZ / Footage::REPEATS,
    )
}
