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
    let says = || says(&board.remote);
    let clips_of = |camera: &str| clips(&board.remote, camera);

    let mut reported = 0;
    for (what, fail, mend) in FAULTS {
        fail(&board.remote).unwrap();
        rig::wait_until(what, says, || hub.faults().len() > reported);
        let of_south = clips_of("south");
        rig::wait_until("the other camera goes on", says, || clips_of("south") > of_south);
        mend(&board.remote).unwrap();
        rig::wait_until("it is back", says, || hub.faults().len() > reported + 1);
        let of_north = clips_of("north");
        rig::wait_until("it is scored again", says, || clips_of("north") > of_north);
        let expected = ["began", "ended"].map(|edge| Fault::of("north", "no picture", edge));
        assert_eq!(hub.faults()[reported..], expected, "{what}");
        reported += 2;
    }
    println!("{}", board.remote.run("grep -i fault /data/log").unwrap());
    board.remote.run("killall -TERM watchpostd").unwrap();
    let ended = || board.remote.run("grep 'camera ended camera=south' /data/log || true").unwrap();
    rig::wait_until("the program has ended", says, || !ended().is_empty());
    assert!(ended().contains(" missed=0 "), "the other camera missed no frame: {}", ended());
}

#[test]
fn a_camera_keeps_its_size_while_it_is_watched_and_may_come_back_with_another() {
    let Some(watchpostd) = board_program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (hub, board) = watching(&watchpostd, folder.path());
    let says = || says(&board.remote);
    let count = |what: &str| count(&board.remote, what);
    let scored = |camera: &str| clips(&board.remote, camera);

    // The kernel lets nobody change what is being captured.
    for answer in FIRST.ask_for_change(&board.remote).unwrap() {
        assert!(answer.contains("Device or resource busy"), "{answer}");
    }
    let of_north = scored("north");
    rig::wait_until("it is still scored", says, || scored("north") > of_north + 1);
    assert_eq!(hub.faults(), [], "nothing has happened");

    FIRST.take_away(&board.remote).unwrap();
    rig::wait_until("it is gone", says, || !hub.faults().is_empty());
    let of_south = scored("south");
    rig::wait_until("the other camera goes on", says, || scored("south") > of_south);
    assert_eq!(count("width_px=640 height_px=480"), 0);
    FIRST.return_small(&board.remote).unwrap();
    rig::wait_until("it is back with another size", says, || count("width_px=640 height_px=480") == 1);
    rig::wait_until("it is no longer at fault", says, || hub.faults().len() > 1);
    let of_north = scored("north");
    rig::wait_until("it is scored again", says, || scored("north") > of_north);
    assert_eq!(hub.faults(), ["began", "ended"].map(|edge| Fault::of("north", "no picture", edge)));
    assert_eq!(
        count("the camera gives device=/dev/video2"),
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
    let scored = |camera: &str| clips(&board.remote, camera) > 0;
    let says = || says(&board.remote);
    rig::wait_until("both cameras are scored", says, || scored("north") && scored("south"));
    (hub, board)
}

fn says(board: &Remote) -> String {
    board.run("tail -60 /data/log").unwrap_or_default()
}

/// Lines of the log that hold this.
fn count(board: &Remote, what: &str) -> usize {
    let lines = board.run(&format!("grep -c '{what}' /data/log || true")).unwrap();
    lines.trim().parse().unwrap()
}

fn clips(board: &Remote, camera: &str) -> usize {
    count(board, &format!("scored camera={camera} "))
}
