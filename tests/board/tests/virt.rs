//! The whole chain on the emulated board: footage into its camera, an alarm, a line of its GPIO chip, and the hub on this machine.
//! `cargo xtask board virt` builds the board's program and runs this test with its path in `WATCHPOSTD_AARCH64`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use board_tests::vivid::FIRST;
use rig::{Footage, Hub, Rig};

#[test]
fn footage_becomes_an_alarm_at_the_hub() {
    let Some(rig) = Rig::build() else { return };
    let hub = Hub::start(rig.folder());
    let board = rig.start(&hub);
    rig.install(&board);
    FIRST.play(&board.remote, Footage::ON_BOARD).unwrap();
    println!("{}", board.remote.run("/data/watchpostd check --config /data/board.toml").unwrap());
    board
        .remote
        .run("setsid /data/watchpostd run --config /data/board.toml > /data/log 2>&1 < /dev/null &")
        .unwrap();
    let alarm = hub.wait_for_alarm(|| board.remote.run("tail -40 /data/log").unwrap_or_default());
    println!("at the hub: {alarm:?}");
    println!("{}", board.remote.run("cat /sys/kernel/debug/gpio; tail -5 /data/log").unwrap());
    assert_eq!(
        (alarm.board.as_str(), alarm.camera.as_str(), alarm.kind.as_str()),
        ("virt-1", "north", "raised")
    );
}
