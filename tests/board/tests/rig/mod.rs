//! An emulated board, a detector for it to run, footage for it to see and a hub for it to report to.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

pub mod drill;
pub mod footage;
pub mod hub;
pub mod log;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use board_tests::virt::{BROKER, Running};
use board_tests::{Board, Virt};
use e2e_tests::bundles::{bundle, export};
use model_export::EncoderPrecision;
use vad_core::{ClipSpec, LiteSize};

pub use hub::Hub;

/// Longest wait for something that must happen; only reached on failure.
const PATIENCE: Duration = Duration::from_secs(120);
/// The board's name.
pub const BOARD: &str = "virt-1";
/// Small pictures for the network: emulated arithmetic is fifty times slower.
const INPUT_PX: u16 = 64;

/// The board's program, where somebody built it; else a line that says that the test is skipped.
pub fn board_program() -> Option<PathBuf> {
    let program = std::env::var_os("WATCHPOSTD_AARCH64").map(PathBuf::from);
    if program.is_none() {
        eprintln!(
            "\n*** SKIPPED: no aarch64 program; `cargo xtask board virt` builds it and runs this test ***\n"
        );
    }
    program
}

/// A new emulated board that reaches a port of this machine, such as the hub's; switched off.
pub fn new_board(folder: &Path, port: u16) -> Virt {
    Virt::new(&Board::read("virt").unwrap(), &cache(), folder, pipe(), port).unwrap()
}

/// The same with a Debian system, which reaches nothing.
pub fn new_debian(folder: &Path) -> Virt {
    Virt::debian(&Board::read("virt").unwrap(), &cache(), folder, pipe(), 9).unwrap()
}

fn cache() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("board")
}

fn pipe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tcp-pipe"))
}

/// Puts program, bundle and configuration on the board's disk, where they survive the power.
pub fn install(board: &Running, watchpostd: &Path, bundle: Option<&Path>, sections: &str) {
    board.remote.put(&std::fs::read(watchpostd).unwrap(), "/data/watchpostd").unwrap();
    if let Some(bundle) = bundle {
        board.remote.put_folder(bundle, "/data/bundle").unwrap();
    }
    let config = config("bundle", &format!("[network]\nbroker = \"mqtt://{BROKER}\"\n{sections}"));
    board.remote.put(config.as_bytes(), "/data/board.toml").unwrap();
    board.remote.run("sync").unwrap();
}

/// A configuration of the board with more sections.
pub fn config(bundle: &str, sections: &str) -> String {
    format!(
        r#"
        [board]
        id = "{BOARD}"
        site = "test"

        [model]
        bundle = "{bundle}"

        {sections}
        "#
    )
}

/// A camera whose own picture is no street.
pub fn camera(name: &str, device: &str, frame_rate_hz: f64) -> String {
    format!(
        r#"
        [[camera]]
        id = "{name}"
        # What the driver shows by itself is no street.
        tolerate = ["dark", "covered", "frozen", "moved"]
        source = {{ kind = "v4l", device = "{device}", width_px = 320, height_px = 240, frame_rate_hz = {frame_rate_hz:?} }}
        "#
    )
}

/// Starts the program, whose log then lies beside its configuration.
pub fn watch(board: &Running) {
    let run = "WATCHPOSTD_LOG=watchpostd=debug setsid /data/watchpostd run --config /data/board.toml > /data/log 2>&1 < /dev/null &";
    board.remote.run(run).unwrap();
}

/// Waits for something that must happen, and returns for how long; `board_says` explains why it did not.
pub fn wait_until(what: &str, board_says: impl Fn() -> String, has_happened: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !has_happened() {
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}; the board says:\n{}",
            board_says()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{what}: after {:.1} s", begun.elapsed().as_secs_f64());
    begun.elapsed()
}

/// A detector whose weights come from a formula, for small pictures.
pub fn light_bundle(folder: &Path) -> PathBuf {
    let size = LiteSize::Small;
    let spec = export::lite_spec(size, ClipSpec { frames: 16, stride: 16 }, INPUT_PX);
    let weights = folder.join("lite.safetensors");
    std::fs::write(&weights, export::safetensors(&export::lite_tensors(size))).unwrap();
    bundle(&spec, &weights, &EncoderPrecision::F32, &folder.join("bundle"))
}
