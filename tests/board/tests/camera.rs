//! RT-1: a camera that stalls, loses its plug or comes back as another one is reported, watched again by itself, and stops no other camera.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use std::path::Path;

use board_tests::Remote;
use board_tests::virt::Running;
use board_tests::vivid::{FIRST, RATE_HZ, SECOND, Vivid};
use rig::footage::Footage;
use rig::hub::Fault;
use rig::log::Log;
use rig::{Hub, board_program, install, light_bundle, new_board, watch};

type Change = fn(&Remote) -> anyhow::Result<()>;

/// What befalls the first camera, and what mends it.
const FAULTS: [(&str, Change, Change); 2] = [
    ("stalled", |board| FIRST.stall(board, true), |board| FIRST.stall(board, false)),
    // Nobody else has it open, so it is plugged in again as soon as the board lets go of it.
    ("unplugged", |board| FIRST.unplug(board), |_| Ok(())),
];

#[test]
fn a_camera_that_fails_is_reported_and_comes_back_and_the_other_goes_on() {
    let Some(watchpostd) = board_program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (hub, board) = watching(&watchpostd, folder.path());
    let log = Log::of(&board);
    let says = || log.tail();

    let mut reported = 0;
    for (what, fail, mend) in FAULTS {
        fail(&board.remote).unwrap();
        rig::wait_until(what, says, || hub.faults().len() > reported);
        let of_south = log.clips("south");
        rig::wait_until("the other camera goes on", says, || log.clips("south") > of_south);
        mend(&board.remote).unwrap();
        rig::wait_until("it is back", says, || hub.faults().len() > reported + 1);
        let of_north = log.clips("north");
        rig::wait_until("it is scored again", says, || log.clips("north") > of_north);
        let expected = ["began", "ended"].map(|edge| Fault::of("north", "no picture", edge));
        assert_eq!(hub.faults()[reported..], expected, "{what}");
        reported += 2;
    }
    println!("{}", log.lines("camera fault"));
    log.ends_and_missed_nothing_of("south");
}

#[test]
fn a_camera_keeps_its_size_while_it_is_watched_and_may_come_back_with_another() {
    let Some(watchpostd) = board_program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (hub, board) = watching(&watchpostd, folder.path());
    let log = Log::of(&board);
    let says = || log.tail();

    // The kernel lets nobody change what is being captured.
    for answer in FIRST.ask_for_change(&board.remote).unwrap() {
        assert!(answer.contains("Device or resource busy"), "{answer}");
    }
    let of_north = log.clips("north");
    rig::wait_until("it is still scored", says, || log.clips("north") > of_north + 1);
    assert_eq!(hub.faults(), [], "nothing has happened");

    FIRST.take_away(&board.remote).unwrap();
    rig::wait_until("it is gone", says, || !hub.faults().is_empty());
    let of_south = log.clips("south");
    rig::wait_until("the other camera goes on", says, || log.clips("south") > of_south);
    assert_eq!(log.count("width_px=640 height_px=480"), 0);
    FIRST.return_small(&board.remote).unwrap();
    rig::wait_until("it is back with another size", says, || log.count("width_px=640 height_px=480") == 1);
    rig::wait_until("it is no longer at fault", says, || hub.faults().len() > 1);
    let of_north = log.clips("north");
    rig::wait_until("it is scored again", says, || log.clips("north") > of_north);
    assert_eq!(hub.faults(), ["began", "ended"].map(|edge| Fault::of("north", "no picture", edge)));
    assert_eq!(
        log.count("the camera gives device=/dev/video2"),
        1,
        "the other one was opened once, and never again"
    );
}

fn cameras() -> String {
    let camera =
        |name: &str, vivid: Vivid| rig::camera(name, vivid.camera, (RATE_HZ / Footage::REPEATS).into());
    format!("[score]\nraise_threshold = 1.0\n{}{}", camera("north", FIRST), camera("south", SECOND))
}

/// A board with two cameras that are scored, and its hub.
fn watching(watchpostd: &Path, folder: &Path) -> (Hub, Running) {
    let bundle = light_bundle(folder);
    let hub = Hub::start(folder);
    let board = new_board(folder, hub.port).start(None).unwrap();
    install(&board, watchpostd, Some(&bundle), &cameras());
    for vivid in [FIRST, SECOND] {
        vivid.connect(&board.remote).unwrap();
    }
    watch(&board);
    let log = Log::of(&board);
    rig::wait_until(
        "both cameras are scored",
        || log.tail(),
        || log.clips("north") > 0 && log.clips("south") > 0,
    );
    (hub, board)
}
