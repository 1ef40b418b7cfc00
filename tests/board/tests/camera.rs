//! RT-1: a camera that stalls or loses its plug is reported, comes back by itself, and stops no other camera.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use board_tests::Remote;
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
    let bundle = light_bundle(folder.path());
    let hub = Hub::start(folder.path());
    let board = new_board(folder.path(), hub.port).start(None).unwrap();
    install(&board, &watchpostd, Some(&bundle), &cameras());
    for vivid in [FIRST, SECOND] {
        vivid.connect(&board.remote).unwrap();
    }
    watch(&board);
    let says = || board.remote.run("tail -60 /data/log").unwrap_or_default();
    let clips_of = |camera: &str| {
        let count = format!("grep -c 'scored camera={camera} ' /data/log || true");
        board.remote.run(&count).unwrap().trim().parse::<usize>().unwrap()
    };
    rig::wait_until("both cameras are scored", says, || clips_of("north") > 0 && clips_of("south") > 0);

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
}

fn cameras() -> String {
    let camera = |name: &str, Vivid { camera, .. }: Vivid| {
        format!(
            r#"
        [[camera]]
        id = "{name}"
        # What the driver shows by itself is no street.
        tolerate = ["dark", "covered", "frozen", "moved"]
        source = {{ kind = "v4l", device = "{camera}", width_px = 320, height_px = 240, frame_rate_hz = {rate} }}
        "#,
            rate = RATE_HZ / Footage::REPEATS,
        )
    };
    format!("[score]\nraise_threshold = 1.0\n{}{}", camera("north", FIRST), camera("south", SECOND))
}
