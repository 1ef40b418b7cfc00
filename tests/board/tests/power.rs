//! AL-3, AL-7 with the power instead of the process: the emulated board is cut off at random moments while it raises alarms, and after its
//! last start every alarm is at the hub exactly once. The ledger is what came out of the board before the cut.
//!
//! `WATCHPOST_POWER_CUTS` sets the number of cuts (default 4), `WATCHPOST_SEED` the random choices, `WATCHPOST_RESULTS` a folder for a page
//! of results.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fault_tests::judge::{self, Hidden, Judgement, Key};
use fault_tests::process::Lines;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rig::drill::{HIDDEN_BY_AN_END, INTERVAL_MS, PATIENCE, raise};
use rig::{BOARD, Hub, board_program, install, new_board};

/// The board works this long before a cut, at most.
const LONGEST_LIFE_MS: u64 = 2_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn a_power_cut_loses_and_doubles_no_alarm() {
    let Some(watchpostd) = board_program() else { return };
    let (cuts, seed) = (number("WATCHPOST_POWER_CUTS", 4), number("WATCHPOST_SEED", 7));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(folder.path());
    let virt = new_board(folder.path(), hub.port);
    let ledger = Lines::default();
    let mut in_flight = 0;

    let mut board = virt.start(None).unwrap();
    install(&board, &watchpostd, None, "resend_after_ms = 500\n");
    for cut in 0..cuts {
        let mut drill = raise(&board, 1_000_000, &ledger, folder.path());
        drill.wait_until_it_speaks(PATIENCE);
        // Every other time nobody acknowledges: then there is something to lose.
        hub.hold(cut % 2 == 1);
        std::thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MS)));
        board.cut_power();
        hub.hold(false);
        drop(drill);
        in_flight += u64::from(ledger.lock().unwrap().len() > judge::count_stored(&hub.store));
        board = virt.start(None).unwrap();
    }
    let kernel = board.remote.run("uname -r").unwrap();
    let drained = raise(&board, 1, &ledger, folder.path()).wait(PATIENCE);
    assert!(drained.success(), "the board could not deliver everything: {drained}");

    let ledger: Vec<Key> = ledger.lock().unwrap().iter().map(|line| Key::of_line(line).unwrap()).collect();
    let held = judge::read_store(&hub.store).unwrap();
    let ends = BTreeMap::from([(BOARD.to_owned(), usize::try_from(cuts).unwrap())]);
    let judged = judge::judge(&ledger, &held, &Hidden { ends, records_per_end: HIDDEN_BY_AN_END });
    let judged = judged.unwrap_or_else(|wrong| panic!("{cuts} cuts, seed {seed}: {wrong}"));
    println!(
        "{cuts} power cuts, seed {seed}, {in_flight} with records in flight: {} raised, {} stored, {} whose lines did not get out, 0 lost, 0 doubled",
        judged.raised, judged.held, judged.unprinted
    );
    if let Some(folder) = std::env::var_os("WATCHPOST_RESULTS") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        let run = Cuts { cuts, seed, in_flight, judged: &judged, kernel: kernel.trim() };
        std::fs::write(folder.join("board-power.md"), run.page()).unwrap();
    }
    assert!(judged.raised as u64 > cuts, "too few alarms to prove anything");
}

/// What the page of results says.
struct Cuts<'a> {
    cuts: u64,
    seed: u64,
    in_flight: u64,
    judged: &'a Judgement,
    kernel: &'a str,
}

impl Cuts<'_> {
    fn page(&self) -> String {
        let Self { cuts, seed, in_flight, judged, kernel } = self;
        let git =
            Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().unwrap();
        let commit = String::from_utf8_lossy(&git.stdout).trim().to_owned();
        format!(
            "# Power cuts on the emulated board\n\n\
             The [emulated board](../design/0021-emulated-board.md) raises test alarms, one every {INTERVAL_MS} ms where its disk keeps up, and is cut from its\n\
             power at a random moment within {LONGEST_LIFE_MS} ms of the first, again and again, on one disk that forgets what was not flushed. The ledger is what\n\
             came out of the board before each cut; the hub's store is judged against it after the last start.\n\n\
             | cuts | with records in flight | raised | stored | lost | doubled | stored, and cut before their line got out |\n\
             |---|---|---|---|---|---|---|\n\
             | {cuts} | {in_flight} | {} | {} | 0 | 0 | {} |\n\n\
             ## How it was made\n\n\
             - Command: `WATCHPOST_POWER_CUTS={cuts} WATCHPOST_SEED={seed} WATCHPOST_RESULTS=docs/results cargo xtask board virt`\n\
             - Commit: `{commit}`\n\
             - Kernel: `{kernel}` in qemu\n",
            judged.raised, judged.held, judged.unprinted
        )
    }
}
